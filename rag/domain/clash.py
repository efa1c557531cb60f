"""Whether two sentences, each true to its own source, can both be true."""

import re
from collections.abc import Sequence
from typing import Final

from rag.domain.claim import Source
from rag.domain.facts import Disagreement, agreement
from rag.domain.words import content_stems

# Two sentences speak of the same when this share of the shorter one's words is in the other.
SAME_TOPIC_MIN: Final = 0.6
SAME_TITLE_MIN: Final = 0.6
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_NO_EDITION: Final = re.compile(r"\b(?:v(?:ersion)?\.? ?\d+|\d+)\b", re.IGNORECASE)
_OUTDATED: Final = re.compile(
    r"\b(?:archiv\w*|superseded|obsolete|outdated|deprecated|old|former|withdrawn|draft|veraltet)\b",
    re.IGNORECASE,
)


def is_outdated(title: str, key: str) -> bool:
    """Whether a document's title or place says that it is no longer, or not yet, in force."""
    return _OUTDATED.search(f"{title} {key.replace('/', ' ')}") is not None


def is_earlier(one: Source, other: Source) -> bool:
    """Whether `one` is by its name an earlier edition of `other`: like titles, an older year."""
    stated = _year(one)
    if stated is None or stated >= (_year(other) or other.modified_at.year):
        return False
    ours, theirs = (frozenset(content_stems(_NO_EDITION.sub(" ", s.title))) for s in (one, other))
    return bool(ours & theirs) and len(ours & theirs) >= SAME_TITLE_MIN * len(ours | theirs)


def _year(source: Source) -> int | None:
    found = _YEAR.findall(f"{source.title} {source.key}")
    return max(map(int, found)) if found else None


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
