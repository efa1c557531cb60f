"""What `--sweep` compares with the default: one thing changed at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from eval.retrieval.searching import Way
from eval.retrieval.sets import RetrievalSet

DENSE_WEIGHTS: Final = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0)
PARENT_CHARS: Final = (800, 1200, 1600, 2400)
CHILD_CHARS: Final = (400, 500, 800)
CANDIDATES: Final = (50, 100, 200, 400)
PER_DOCUMENT: Final = (2, 4, 6, 8)
TERMS_MAX: Final = (12, 16, 24, 32, 48, 96)
SHARES: Final = (0.1, 0.2, 0.3)
READ: Final = (3, 6, 10, 20)
READ_WEIGHTS: Final = (0.25, 0.5, 0.75, 1.0)


GROUPS: Final = (
    "weight", "candidates", "header", "titles", "parent", "child", "terms", "query", "neighbours", "shown",
    "rerank",
)  # fmt: skip
"""The first word of each group, which names it on the command line."""


def alternatives(base: Way, measured: RetrievalSet, groups: Sequence[str]) -> tuple[Way, ...]:
    """Everything of these groups that can matter for the set; what equals `base` is left out."""
    found = [*_fusions(base), *_layouts(base, measured), *_queries(base), *_reranked(base)]
    if measured.has_long_documents:
        found += [*_neighbours(base), *_shown(base)]
    named = [w for w in found if w.group.partition(" ")[0].strip(",") in groups]
    return tuple(w for w in named if replace(w, name=base.name, group=base.group) != base)


def _fusions(base: Way) -> Iterator[Way]:
    for weight in DENSE_WEIGHTS:
        yield replace(base, group="weight of vectors", name=f"{weight:.1f}", dense_weight=weight)
    for n in CANDIDATES:
        yield replace(base, group="candidates of each search", name=str(n), candidates=n)


def _layouts(base: Way, measured: RetrievalSet) -> Iterator[Way]:
    layout = base.layout
    flipped = replace(layout, has_header=not layout.has_header)
    name = "in no field" if layout.has_header else "in the lexical field"
    yield replace(base, group="header", name=name, layout=flipped)
    if measured.has_titles:
        titled = replace(layout, has_titles=True)
        yield replace(base, group="titles", name="embedded with each child", layout=titled)
    if not measured.has_long_documents:
        return
    for size in PARENT_CHARS:
        cut = replace(layout, parent_chars=size)
        yield replace(base, group="parent, characters", name=str(size), layout=cut)
    for size in CHILD_CHARS:
        cut = replace(layout, child_chars=size)
        yield replace(base, group="child, characters", name=str(size), layout=cut)
    bridged = replace(layout, overlaps=True)
    yield replace(base, group="child, characters", name="overlapping", layout=bridged)


def _queries(base: Way) -> Iterator[Way]:
    for n in TERMS_MAX:
        yield replace(base, group="terms at most", name=str(n), terms_max=n)
    group = "query"
    yield replace(base, group=group, name="unknown words repaired, terms", repairs=True)
    yield replace(base, group=group, name="unknown words repaired, all", repairs_text=True)
    yield replace(base, group=group, name="short forms expanded", expands=True)
    for share in SHARES:
        yield replace(base, group=group, name=f"feedback, weight {share}", feedback=share)


def _reranked(base: Way) -> Iterator[Way]:
    group = "rerank, passages read and weight"
    for n in READ:
        for weight in READ_WEIGHTS:
            name = f"{n}, {weight}"
            yield replace(base, group=group, name=name, read=n, read_weight=weight)


def _neighbours(base: Way) -> Iterator[Way]:
    group = "neighbours"
    for share in SHARES:
        yield replace(base, group=group, name=f"{share} of the better one's score", neighbour=share)
    yield replace(base, group=group, name="shown with each passage", joins=True)


def _shown(base: Way) -> Iterator[Way]:
    group = "shown, passages of one document"
    for n in PER_DOCUMENT:
        yield replace(base, group=group, name=f"at most {n}", per_document=n)
