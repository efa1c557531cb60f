"""Wire types. Requests are checked against them; responses are described by them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """Unknown fields are refused: a misspelt option must not be ignored silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerRequest(Wire):
    """A question."""

    question: str = Field(min_length=1, description="What to answer, in plain words.")
    silos: list[str] | None = Field(None, description="Only these silos; default: all.")
    policy: Literal["strict", "mark"] | None = Field(
        None, description="Withhold unsupported claims, or show them marked."
    )
    stream: bool = Field(False, description="Server-sent events instead of one body.")

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"question": "How many days of annual leave do I get?"}]},
    )


class CheckOut(BaseModel):
    """One step of the checklist."""

    step: int = Field(ge=0, le=8)
    name: str
    outcome: Literal["passed", "failed", "not_checked"]
    detail: str


class ShortAnswerOut(BaseModel):
    """The words of a claim that answer by themselves; offsets as the claim's."""

    text: str
    start_char: int
    end_char: int


class ClaimOut(BaseModel):
    """A claim with its verdict; the offsets count code points of the answer's text."""

    text: str
    start_char: int
    end_char: int
    short_answer: ShortAnswerOut | None = None
    label: Literal["supported", "refuted", "not_enough_info", "unchecked"]
    score: float = Field(ge=0, le=1, description="Probability of support, as judged.")
    checks: list[CheckOut]
    citations: list[int] = Field(description="Indices into `citations`.")


class WithheldOut(BaseModel):
    """A claim that was not supported and did not leave."""

    label: str
    step: int
    reason: str
    detail: str


class SourceOut(BaseModel):
    """Where a citation comes from."""

    silo: str
    document_id: str
    title: str
    uri: str
    url: str


class CitationOut(BaseModel):
    """The exact text that carries a claim; indices count code points of the version's text."""

    marker: int
    cited_text: str
    prefix: str
    suffix: str
    start_char_index: int
    end_char_index: int
    page: int | None
    section: list[str]
    source: SourceOut
    source_url: str = Field(
        description="The source's own address, at the cited place if it can be."
    )
    also_in: list[SourceOut] = Field(description="Other documents that hold the same words.")
    version: str
    raw_digest: str
    modified_at: str
    observed_at: str
    confirmed_at: str


class PartOut(BaseModel):
    """One question of the plan, with what became of it."""

    question: str
    status: Literal["answered", "partial", "abstained"]
    reason: str
    claims: list[int] = Field(description="Indices into `claims`.")


class ConflictOut(BaseModel):
    """Claims of different documents that cannot all be true."""

    claims: list[int] = Field(description="Indices into `claims`, the one to believe first.")
    reason: str = Field(description="What they disagree on: number, date, name, negation.")


class NearbyOut(BaseModel):
    """A passage that an abstention names; indices count code points of the version's text."""

    start_char_index: int
    end_char_index: int
    page: int | None
    section: list[str]
    source: SourceOut


class ActivityOut(BaseModel):
    """One step of the belt."""

    step: str
    elapsed_ms: float
    count: int
    error: str
    tokens: int = Field(description="Tokens that language models used in this step.")
    cost: float = Field(description="What they cost, by the price table in the settings.")


class ReceiptRef(BaseModel):
    """The receipt's name and where to get it."""

    digest: str
    url: str


class AnswerOut(BaseModel):
    """An answer, or an abstention with its reason."""

    id: str
    status: Literal["answered", "partial", "abstained"]
    text: str
    reason: str
    claims: list[ClaimOut]
    withheld: list[WithheldOut]
    citations: list[CitationOut]
    parts: list[PartOut] = Field(description="The questions of the plan; one for a plain question.")
    conflicts: list[ConflictOut]
    nearest: list[NearbyOut] = Field(description="Of an abstention: where to look.")
    activity: list[ActivityOut]
    degraded: list[str]
    models: dict[str, dict[str, str]]
    policy: dict[str, Any]
    asked_at: str
    receipt: ReceiptRef


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str


class DocumentOut(BaseModel):
    """A live document."""

    id: str
    silo: str
    key: str
    title: str
    uri: str
    media_type: str
    version: str
    raw_digest: str
    modified_at: str
    observed_at: str


class DocumentPage(BaseModel):
    """A page of documents; ask again with `after=next` until it is null."""

    documents: list[DocumentOut]
    next: str | None


class VersionOut(BaseModel):
    """One version of a document."""

    digest: str
    raw_digest: str
    title: str
    parser: str
    modified_at: str
    observed_at: str
    retired_at: str | None


class ElementOut(BaseModel):
    """A parsed part; offsets count code points of `text`."""

    kind: str
    start_char: int
    end_char: int
    section: list[str]
    page: int | None


class DocumentText(BaseModel):
    """A document, its versions, and the text of the one asked for."""

    document: DocumentOut
    versions: list[VersionOut]
    version: str
    text: str
    elements: list[ElementOut]


class SiloOut(BaseModel):
    """A silo as far as the caller may see it; the last fields are null but for operators."""

    id: str
    n_documents: int
    n_chunks: int
    last_scan_at: str | None
    last_complete_at: str | None
    error: str | None = None
    detail: str | None = None
    last_diff: str | None = None


class QuarantinedOut(BaseModel):
    """A document that could not be read, and why."""

    silo: str
    key: str
    code: str
    detail: str
    observed_at: str


class SilosOut(BaseModel):
    """Silos; what waits and what is quarantined is for operators and null for others."""

    silos: list[SiloOut]
    n_waiting: int | None = None
    lag_s: float | None = None
    n_vectors_pending: int | None = None
    quarantined: list[QuarantinedOut] | None = None


class SyncRequest(Wire):
    """Options of a reconciliation."""

    allow_removals: bool = Field(False, description="Release the delete brake.")


class RequestOut(BaseModel):
    """Something asked of the indexer; `outcome` is null until it is done."""

    id: int
    url: str
    done: bool
    outcome: dict[str, Any] | None = None


class KeyRequest(Wire):
    """A key to create."""

    name: str = Field(min_length=1, max_length=200)
    principal: str = Field(min_length=1, max_length=200)
    groups: list[str] = []
    scopes: list[Literal["ask", "operate", "delegate"]] = ["ask"]
    lifetime_days: float | None = Field(None, gt=0, le=36_500)


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    principal: str
    groups: list[str]
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class KeyCreated(KeyOut):
    """A new key; `secret` is shown this once."""

    secret: str
