"""The pure difference between the chunks that are recorded and those that should be."""

from collections import defaultdict, deque
from collections.abc import Sequence

from rag.domain.chunk import (
    Child,
    IndexPlan,
    Parent,
    PlannedChild,
    PlannedParent,
    RecordedChunk,
)
from rag.domain.ids import ChunkId


def plan_index(recorded: Sequence[RecordedChunk], desired: Sequence[Parent]) -> IndexPlan:
    """Keep rows whose text is unchanged, add the rest, retire what is left over.

    A parent is the same when text and header are, a child when its text is. Repeated texts are
    matched in document order, each row at most once.
    """
    parents: dict[tuple[str, str], deque[ChunkId]] = defaultdict(deque)
    children: dict[str, deque[ChunkId]] = defaultdict(deque)
    for row in recorded:
        if row.parent is None:
            parents[row.text_digest, row.header].append(row.id)
        else:
            children[row.text_digest].append(row.id)
    planned = tuple(
        PlannedParent(
            parent=parent,
            keep=_take(parents[parent.text_digest, parent.header]),
            children=tuple(
                _plan_child(child, children[child.text_digest]) for child in parent.children
            ),
        )
        for parent in desired
    )
    left = [*parents.values(), *children.values()]
    return IndexPlan(parents=planned, retire=tuple(sorted(i for ids in left for i in ids)))


def _plan_child(child: Child, known: deque[ChunkId]) -> PlannedChild:
    return PlannedChild(child=child, keep=_take(known))


def _take(ids: deque[ChunkId]) -> ChunkId | None:
    return ids.popleft() if ids else None
