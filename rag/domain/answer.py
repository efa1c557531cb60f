"""Questions and what comes back: an answer, or an abstention that says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rag.domain.claim import Check, Label, Source, Verdict
from rag.domain.document import Principal
from rag.domain.ids import AnswerId, Digest, SiloId
from rag.domain.words import Span


class Policy(StrEnum):
    """What happens to a claim that is not supported: withheld, or shown and marked."""

    STRICT = "strict"
    MARK = "mark"


class Status(StrEnum):
    ANSWERED = "answered"
    PARTIAL = "partial"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, who asks it, and of which silos; None means all that they may read."""

    text: str
    principal: Principal
    silos: tuple[SiloId, ...] | None = None
    policy: Policy = Policy.STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The exact text that carries a claim: `text` stands at `span` of the source's version.

    `prefix` and `suffix` are up to 32 code points around it (W3C TextQuoteSelector). `also_in` are
    other documents in which the same words stand.
    """

    text: str
    span: Span
    prefix: str
    suffix: str
    page: int | None
    section: tuple[str, ...]
    source: Source
    also_in: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearby:
    """A place that an abstention names: the nearest the asker may read. It quotes nothing."""

    span: Span
    page: int | None
    section: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredClaim:
    """A claim in the answer's text at `span`, with its verdict and its citations by index."""

    span: Span
    verdict: Verdict
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A claim that did not leave, without its text."""

    label: Label
    reason: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPart:
    """One question of the plan with what became of it; `claims` index the answer's."""

    question: str
    status: Status
    reason: str
    claims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Claims of the answer that different documents support, and that cannot all be true.

    `claims` index the answer's, the most trusted or else the newest source first.
    """

    claims: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One step of the belt: how long it took, how much it handled, and what it used."""

    step: str
    elapsed_ms: float
    count: int
    error: str = ""
    tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Who did what: role to (name, digest)."""

    by_role: Mapping[str, tuple[str, Digest]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What leaves. `text` is empty only when nothing was answered and nothing may be said.

    `generation` is the catalog's at the snapshot, `checked_generation` just before leaving.
    `nearest` are the passages that an abstention found and the asker may read.
    """

    id: AnswerId
    status: Status
    text: str
    reason: str
    claims: tuple[AnsweredClaim, ...]
    withheld: tuple[Withheld, ...]
    citations: tuple[Citation, ...]
    parts: tuple[AnsweredPart, ...]
    conflicts: tuple[Conflict, ...]
    nearest: tuple[Nearby, ...]
    activity: tuple[Activity, ...]
    degraded: tuple[str, ...]
    models: Models
    policy: Policy
    threshold: float
    calibration: Mapping[str, str | float]
    question_digest: Digest
    generation: int
    checked_generation: int
    asked_at: datetime
