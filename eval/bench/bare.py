"""Child of the bench `indexing`: the embedder alone, on texts from a file."""

import asyncio
import json
import sys
import time
from pathlib import Path

from rag.settings import load_settings
from rag.wiring import build_embedder


async def main(given: Path, answer: Path) -> None:
    """Seconds for all texts in one call, and for calls of eight as the belt makes them."""
    values = json.loads(given.read_text())
    texts = values["texts"]
    embedder = build_embedder(load_settings(Path(values["config"])))
    await embedder.embed(texts[:8])
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    await embedder.embed(texts)
    whole_s, whole_cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    started_s = time.perf_counter()
    for start in range(0, len(texts), 8):
        await embedder.embed(texts[start : start + 8])
    eights_s = time.perf_counter() - started_s
    answer.write_text(json.dumps({"whole": whole_s, "eights": eights_s, "whole_cpu": whole_cpu_s}))
    await embedder.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
