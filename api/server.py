"""The API process: `python -m api.server --config FILE --chroma-port N`. `sworn serve` starts it."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

import uvicorn

from api.app import create_app
from rag.adapters.lifeline import die_with_parent
from rag.domain.errors import ConfigError, RagError
from rag.settings import load_settings
from rag.telemetry import configure_logging

# Open connections beyond the questions being answered: health checks, browsing, waiting streams.
_CONNECTIONS_BESIDE: Final = 64


def main() -> int:
    """Serve until SIGTERM; exit status 2 for configuration, 3 when trying again may help."""
    parser = argparse.ArgumentParser(prog="python -m api.server", description=__doc__)
    parser.add_argument("--config", default="sworn.toml")
    parser.add_argument("--chroma-port", type=int)
    parser.add_argument("--log-level", default="info")
    arguments = parser.parse_args()
    configure_logging(arguments.log_level)
    # The supervisor holds the journal's lock for us; without it we must not go on writing.
    die_with_parent(signal.SIGTERM)
    try:
        settings = load_settings(Path(arguments.config))
        app = create_app(settings, arguments.chroma_port)
    except RagError as exc:
        print(f"sworn: {exc}", file=sys.stderr)
        return 2 if isinstance(exc, ConfigError) else 3
    server = settings.server
    uvicorn.run(
        app,
        host=server.host,
        port=server.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=server.concurrency_max + _CONNECTIONS_BESIDE,
        timeout_graceful_shutdown=max(1, int(server.shutdown_s)),
        timeout_keep_alive=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
