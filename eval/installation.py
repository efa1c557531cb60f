"""An index for an evaluation: the command line's own `sworn sync`, on a folder of its own."""

import asyncio
import os
import sys

from rag.adapters.embedding.onnx_embedder import locate_model
from rag.domain.errors import StoreUnavailable
from rag.settings import Settings, model_cache


async def indexed(settings: Settings) -> None:
    """Reconcile every silo into `settings.data_dir`; unchanged documents cost nothing.

    Raises:
        StoreUnavailable: it failed; its messages are on stderr.
    """
    locate_model(settings.embedder.model)
    environment = {
        **os.environ,
        "SWORN__DATA_DIR": str(settings.data_dir),
        "SWORN__EMBEDDER__CACHE_DIR": str(model_cache(settings)),
    }
    # As a program: an evaluation may not import the indexer, nor the command line.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli.main", "--config", str(settings.source), "sync",
        env=environment, stdout=sys.stderr,
    )  # fmt: skip
    if await process.wait() not in (0, 1):
        raise StoreUnavailable("the silos could not be indexed")
