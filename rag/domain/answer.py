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

    `prefix` and `suffix` are up to 32 code points around it (W3C TextQuoteSelector).
    """

    text: str
    span: Span
    prefix: str
    suffix: str
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
class Activity:
    """One step of the belt: how long it took and how much it handled."""

    step: str
    elapsed_ms: float
    count: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Who did what: role to (name, digest)."""

    by_role: Mapping[str, tuple[str, Digest]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What leaves. `text` is empty only when nothing was answered and nothing may be said.

    `generation` is the catalog's at the snapshot, `checked_generation` just before leaving.
    """

    id: AnswerId
    status: Status
    text: str
    reason: str
    claims: tuple[AnsweredClaim, ...]
    withheld: tuple[Withheld, ...]
    citations: tuple[Citation, ...]
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
