"""Where the sources disagree: supported claims of different documents that cannot all be true.

Both are true to their source, so the checklist passes both. They are not blended: the more
trusted source speaks first, among equals the newer one, and the answer names the conflict.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rag.domain.claim import Evidence, Source, Verdict
from rag.domain.clash import disagree, is_earlier, is_outdated
from rag.domain.ids import SiloId
from rag.domain.words import content_stems

_SUPERSEDES: Final = re.compile(
    r"\b(?:supersedes|replaces|ersetzt)\s+(?P<what>[^.\n]{3,120})"
    r"|\b(?:superseded|replaced|ersetzt) (?:by|durch)\s+(?P<by>[^.\n]{3,120})",
    re.IGNORECASE,
)
_TITLE_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two verdicts, by index, whose claims cannot both be true; the one to believe first."""

    first: int
    second: int
    reason: str


def clashes(
    verdicts: Sequence[Verdict], evidence: Sequence[Evidence], trust: Mapping[SiloId, float]
) -> tuple[Clash, ...]:
    """Every pair of supported verdicts of different documents that refute each other.

    Args:
        trust: how far each silo is trusted; what is not named counts as 1.
    """
    found: list[Clash] = []
    for i, one in enumerate(verdicts):
        for j in range(i + 1, len(verdicts)):
            other = verdicts[j]
            if not (one.supported and other.supported) or not _apart(one, other, evidence):
                continue
            reason = disagree(one.claim.text, other.claim.text)
            if not reason:
                continue
            first, second = (i, j) if _prefers(one, other, evidence, trust) else (j, i)
            found.append(Clash(first=first, second=second, reason=reason))
    return tuple(found)


def ordered(found: Sequence[Clash], n: int) -> list[int]:
    """The order of `n` verdicts: as they were, but who is believed first comes before the other."""
    order = list(range(n))
    for clash in found:
        a, b = order.index(clash.first), order.index(clash.second)
        if a > b:
            order.insert(b, order.pop(a))
    return order


def supersedes(newer: Evidence, older: Evidence) -> bool:
    """Whether one document says that it takes the other's place, or the other says so."""
    return _names(newer.text, "what", older.source) or _names(older.text, "by", newer.source)


def _names(text: str, group: str, source: Source) -> bool:
    title = set(content_stems(f"{source.title} {source.key.rsplit('.', 1)[0].replace('/', ' ')}"))
    named = (set(content_stems(m[group])) for m in _SUPERSEDES.finditer(text) if m[group])
    own = set(content_stems(source.title))
    return any(
        own and len(own & said) >= _TITLE_SHARE * len(own) and said & title for said in named
    )


def _apart(one: Verdict, other: Verdict, evidence: Sequence[Evidence]) -> bool:
    ours = {evidence[q.evidence].source.document_id for q in one.quotes}
    theirs = {evidence[q.evidence].source.document_id for q in other.quotes}
    return bool(ours) and bool(theirs) and not ours & theirs


def _prefers(
    one: Verdict, other: Verdict, evidence: Sequence[Evidence], trust: Mapping[SiloId, float]
) -> bool:
    ours, theirs = evidence[one.quotes[0].evidence], evidence[other.quotes[0].evidence]
    if supersedes(ours, theirs) != supersedes(theirs, ours):
        return supersedes(ours, theirs)
    if is_earlier(theirs.source, ours.source) != is_earlier(ours.source, theirs.source):
        return is_earlier(theirs.source, ours.source)
    mine, yours = (_standing(e.source, trust) for e in (ours, theirs))
    return mine >= yours


def _standing(source: Source, trust: Mapping[SiloId, float]) -> tuple[float, bool, datetime]:
    in_force = not is_outdated(source.title, source.key)
    return trust.get(source.silo, 1.0), in_force, source.modified_at
