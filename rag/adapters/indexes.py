"""Holding the two derived indexes against the catalog, and building them anew from it."""

import random
from typing import Final

import numpy as np
import structlog

from rag.adapters.chroma import ChromaIndex
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.ids import ChunkId

log: Final = structlog.get_logger()

# A damaged segment file can give wrong vectors without an error, so contents are compared too:
# of this many at every start, of all by `sworn rebuild`.
SAMPLE_MAX: Final = 2000
_TOLERANCE: Final = 1e-4
_ALL: Final = 2**62


async def check_indexes(catalog: SqlCatalogWriter, index: ChromaIndex) -> bool:
    """Compare both indexes with the catalog and repair what differs; True when nothing did.

    Missing ids are added again and unknown ones deleted; wrong vectors mean a damaged index,
    which is abandoned for a new one. Nothing is embedded again.
    """
    intact = await catalog.postings_intact()
    if not intact:
        n_postings = await catalog.rebuild_postings()
        log.warning("postings.rebuilt", count=n_postings)
    live, held = await catalog.indexed_ids(), await index.ids()
    if not await _same_vectors(catalog, index, live & held):
        await start_new_build(catalog, index)
        return False
    # What waits for the sweep, or was added and not yet acknowledged, is work and no difference.
    missing, unknown = live - held, held - await catalog.child_ids()
    unknown -= set(await catalog.sweepable(_ALL))
    if missing or unknown:
        log.warning("vectors.differ", missing=len(missing), unknown=len(unknown))
        await catalog.mark_not_indexed(sorted(missing))
        await index.delete(sorted(unknown))
    return intact and not missing and not unknown


async def start_new_build(catalog: SqlCatalogWriter, index: ChromaIndex) -> None:
    """Point at a new, empty collection; the belt fills it from the kept vectors."""
    build = int(await catalog.meta("index_build") or 0) + 1
    log.warning("vectors.rebuild", build=build)
    await catalog.set_meta("index_build", str(build))
    await catalog.forget_indexed()
    index.forget_collection()
    await index.drop_others()


async def _same_vectors(
    catalog: SqlCatalogWriter, index: ChromaIndex, chunks: set[ChunkId]
) -> bool:
    # A fresh sample at every start; which ids are looked at is of no consequence to anyone.
    some = sorted(chunks)
    if len(some) > SAMPLE_MAX:
        some = sorted(random.sample(some, SAMPLE_MAX))
    kept, held = await catalog.vectors_of(some), await index.vectors(some)
    return all(
        i in held and np.allclose(_unit(kept[i]), _unit(held[i]), atol=_TOLERANCE) for i in kept
    )


def _unit(body: bytes) -> np.ndarray:
    vector = np.frombuffer(body, dtype="<f4")
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
