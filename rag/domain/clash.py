"""Whether two sentences, each true to its own source, can both be true."""

from collections.abc import Sequence
from typing import Final

from rag.domain.facts import Disagreement, agreement
from rag.domain.words import content_stems

# Two sentences speak of the same when this share of the shorter one's words is in the other.
SAME_TOPIC_MIN: Final = 0.6


def disagree(one: str, other: str) -> str:
    """What two sentences about the same thing disagree on; empty where they may both be true."""
    ours, theirs = set(content_stems(one)), set(content_stems(other))
    # What differs cannot be asked to be the same: figures are left out of the comparison.
    plain = {s for s in ours if not s[:1].isdigit()}, {s for s in theirs if not s[:1].isdigit()}
    smaller = min(map(len, plain))
    if smaller < 2 or len(plain[0] & plain[1]) < SAME_TOPIC_MIN * smaller:
        return ""
    here, there = agreement(one, other).disagreements, agreement(other, one).disagreements
    kinds = [k for k in _kinds(here) if k in _kinds(there)]
    return ", ".join(kinds)


def _kinds(some: Sequence[Disagreement]) -> list[str]:
    return list(dict.fromkeys("number" if d.kind == "unit" else d.kind for d in some))
