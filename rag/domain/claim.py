"""Drafts, claims, evidence, judgements and verdicts."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from rag.domain.budget import Usage
from rag.domain.commands import blanked
from rag.domain.document import Element
from rag.domain.ids import ChunkId, Digest, DocumentId, SiloId
from rag.domain.reading import PassageReading
from rag.domain.table import Derivation
from rag.domain.words import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The document and version that a piece of evidence comes from."""

    document_id: DocumentId
    silo: SiloId
    key: str
    title: str
    uri: str
    version: Digest
    raw_digest: Digest
    modified_at: datetime
    observed_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A retrieved parent: `score` in [0, 1] is the fused, min-max weighted sum."""

    chunk_id: ChunkId
    score: float
    lexical: float
    dense: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Text actually shown to the generator and judged: `text` stands at `span` of the version.

    `elements` are those of the version that lie in the span, spans in the version's text.
    `copies` say the same in other documents, and are shown through this one alone. `reading` is
    what the reader found in the text, spans in it; None where it did not read. `hidden` are the
    parts of the text that command whoever reads it, spans in it (rag/domain/commands.py).
    """

    chunk_ids: tuple[ChunkId, ...]
    text: str
    span: Span
    section: tuple[str, ...]
    page: int | None
    score: float
    dense: float
    source: Source
    elements: tuple[Element, ...]
    copies: tuple["Evidence", ...] = ()
    reading: PassageReading | None = None
    hidden: tuple[Span, ...] = ()

    @property
    def readable(self) -> str:
        """The text with blanks for what is hidden: all that generators, readers and judges see."""
        return blanked(self.text, self.hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """A citation as the generator gave it: which evidence, and the quotation, if any.

    `span` lies in the version's canonical text, and `quote` is what should stand there.
    """

    evidence: int
    span: Span | None
    quote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPart:
    """A run of the draft with the citations that the generator gave for it.

    `short` are the words of the text that are the answer by themselves, where they are known.
    `derived` says how its figure follows from the table rows that it cites.
    """

    text: str
    pointers: tuple[Pointer, ...]
    short: Span | None = None
    derived: Derivation | None = None


NO_ANSWER: Final = "the documents found do not answer this question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The generator's unverified text, in parts. No parts: the generator found no answer.

    `usage` is what language models have used for it.
    """

    parts: tuple[DraftPart, ...]
    reason: str = ""
    usage: Usage = field(default_factory=Usage)

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A claim of a draft that was not supported, and why, as a generator is told it."""

    text: str
    reason: str


class ClaimKind(StrEnum):
    """What a sentence of a draft is. Only the first two can be true or false of the world.

    `HEDGED` says something with a reservation ("probably 30 days"): it is checked like the rest,
    since a reservation supports nothing. `ABSTENTION` says that the sources do not tell.
    """

    ASSERTION = "assertion"
    HEDGED = "hedged"
    ABSTENTION = "abstention"
    QUESTION = "question"
    HEADING = "heading"
    REMARK = "remark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence, list item, table row or clause. `span` is its place in the joined draft text.

    `short` are the words of its text that are the answer by themselves, where they are known.
    `derived` says how its figure follows from the rows it cites: it is worked out again, not judged.
    """

    text: str
    span: Span
    pointers: tuple[Pointer, ...]
    kind: ClaimKind = ClaimKind.ASSERTION
    short: Span | None = None
    derived: Derivation | None = None

    @property
    def asserts(self) -> bool:
        """Whether it can be true or false of the world, and must be checked."""
        return self.kind in (ClaimKind.ASSERTION, ClaimKind.HEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePair:
    """What a judge reads: a claim, its evidence, and what only explains the claim.

    `context` is the question and, on a line of its own, the claim before; either may be missing.
    """

    claim: str
    context: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Probabilities in [0, 1]; `flagged` spans lie in the claim, `evidence_span` in the evidence.

    `flagged` are the words of the claim that nothing in the evidence accounts for.
    """

    p_supported: float
    p_refuted: float
    flagged: tuple[Span, ...]
    evidence_span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """The judge could not judge. Never counts as a pass (invariant I8)."""

    reason: str


class Label(StrEnum):
    """FEVER's three (Thorne et al., 2018), and what could not be checked."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_ENOUGH_INFO = "not_enough_info"
    UNCHECKED = "unchecked"


class Step(IntEnum):
    """The numbered checklist; the same numbers in ARCHITECTURE.md and in every receipt."""

    SNAPSHOT = 0
    SHOWN = 1
    CURRENT = 2
    PERMITTED = 3
    VERBATIM = 4
    CITED = 5
    AGREES = 6
    ENTAILED = 7
    POLICY = 8


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one step of the checklist found for one claim."""

    step: Step
    outcome: Outcome
    detail: str = ""

    @property
    def name(self) -> str:
        return self.step.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A checked citation: the exact text at `span` of the evidence's version."""

    evidence: int
    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A claim, its label, and every check made; the first failed one is the reason.

    `score` is the judge's probability of support, 0 where it was not asked.
    """

    claim: Claim
    label: Label
    score: float
    checks: tuple[Check, ...]
    quotes: tuple[Quote, ...]
    flagged: tuple[Span, ...] = ()

    @property
    def reason(self) -> Check | None:
        """The first check that did not pass, None when all did."""
        return next((c for c in self.checks if c.outcome is not Outcome.PASSED), None)

    @property
    def supported(self) -> bool:
        """Whether the claim may leave."""
        return self.label is Label.SUPPORTED

    @property
    def short(self) -> str:
        """The words of the claim that answer by themselves; empty where they are not known."""
        return self.claim.short.of(self.claim.text) if self.claim.short else ""
