"""Wire types of `POST /v1/check`: names and shape of Google's check grounding, and our own beside.

Unlike the rest of the API they are in camel case, as there; docs/api.md says where they differ.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from api.schemas import CheckOut, Wire
from rag.domain.words import word_spans

FACTS_MAX: Final = 200
FACT_CHARS_MAX: Final = 10_000
# A token of Google's limit is counted as a word here; characters bound texts without spaces.
ANSWER_WORDS_MAX: Final = 4_096
ANSWER_CHARS_MAX: Final = 40_960

EXAMPLE: Final[dict[str, Any]] = {
    "question": "What is refunded on business trips?",
    "answerCandidate": "Meals are refunded up to 40 euros a day. Hotels are refunded up to 250 euros a night.",
    "facts": [
        {
            "factText": "Meals are refunded up to 40 euros a day.",
            "attributes": {"author": "Accounting"},
        },
        {"factText": "Hotels are refunded up to 150 euros a night."},
    ],
    "groundingSpec": {"enableClaimLevelScore": True},
}


def _unicode(text: str) -> str:
    """JSON can spell half of a surrogate pair, which no UTF-8 holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("unicode", "the text is not valid Unicode") from None
    return text


def _of_few_words(text: str) -> str:
    n_words = len(word_spans(text))
    if n_words > ANSWER_WORDS_MAX:
        limits = {"n": n_words, "limit": ANSWER_WORDS_MAX}
        raise PydanticCustomError("too_long", "the text has {n} words, over {limit}", limits)
    return text


Text = Annotated[str, AfterValidator(_unicode)]


class CheckWire(Wire):
    """In camel case."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class FactIn(CheckWire):
    """One fact to hold claims against."""

    fact_text: Text = Field(max_length=FACT_CHARS_MAX, description="The fact.")
    attributes: dict[Text, Text] = Field(
        default={}, description="Given back with a citation; not read."
    )


class GroundingSpec(CheckWire):
    """How to check."""

    citation_threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Support at or above which a fact is cited; default: the calibrated threshold.",
    )
    enable_claim_level_score: bool = Field(
        default=False, description="Give the score of each claim."
    )


class CheckRequest(CheckWire):
    """A text to check, and the facts to hold it against."""

    answer_candidate: Annotated[Text, AfterValidator(_of_few_words)] = Field(
        min_length=1,
        max_length=ANSWER_CHARS_MAX,
        description=f"The text, at most {ANSWER_WORDS_MAX} words.",
    )
    facts: list[FactIn] | None = Field(
        None,
        max_length=FACTS_MAX,
        description="Left out: everything in the silos that the caller may read.",
    )
    grounding_spec: GroundingSpec = GroundingSpec()
    question: Text = Field(default="", description="What the text answers; explains its claims.")

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        json_schema_extra={"examples": [EXAMPLE]},
    )


class ChunkDocumentOut(CheckWire):
    """The document that a passage of a silo stands in; offsets count code points of `version`."""

    id: str
    silo: str
    key: str
    title: str
    uri: str
    url: str
    version: str
    raw_digest: str
    start_char: int
    end_char: int
    page: int | None
    section: list[str]
    modified_at: str
    observed_at: str
    confirmed_at: str


class CitedChunkOut(CheckWire):
    """A fact that a claim cites."""

    chunk_text: str
    source: str = Field(description="Index of a given fact, or id of a document.")
    source_metadata: dict[str, str]
    document: ChunkDocumentOut | None


class FlaggedOut(CheckWire):
    """A word that nothing in the facts accounts for; offsets count code points of the text."""

    text: str
    start_char: int
    end_char: int


class ReasonOut(CheckWire):
    """The first step of the checklist that did not pass."""

    step: int = Field(ge=0, le=8)
    name: str
    detail: str


class QuoteOut(CheckWire):
    """Exact words; offsets count code points of the given fact, or of the document's version."""

    source: str
    version: str | None
    url: str | None
    text: str
    start_char: int
    end_char: int


class CheckedClaimOut(CheckWire):
    """A claim; the positions count UTF-8 bytes of the text, the other offsets code points."""

    start_pos: int
    end_pos: int
    claim_text: str
    citation_indices: list[int] = Field(description="Indices into `citedChunks`.")
    grounding_check_required: bool
    score: float | None = Field(
        None, ge=0, le=1, description="Only with `enableClaimLevelScore`, of checked claims."
    )
    start_char: int
    end_char: int
    kind: Literal["assertion", "hedged", "abstention", "question", "heading", "remark"]
    label: Literal["supported", "refuted", "not_enough_info", "unchecked"]
    reason: ReasonOut | None
    flagged: list[FlaggedOut]
    checks: list[CheckOut]
    quotes: list[QuoteOut]
    closest: list[QuoteOut]


class CheckPolicyOut(CheckWire):
    """The threshold in force, and the judge's own with where it comes from."""

    threshold: float
    calibrated_threshold: float
    calibration: dict[str, Any]


class CheckedOut(CheckWire):
    """A text with a verdict for each claim."""

    support_score: float = Field(ge=0, le=1)
    cited_chunks: list[CitedChunkOut]
    claims: list[CheckedClaimOut]
    policy: CheckPolicyOut
    models: dict[str, dict[str, str]]
    degraded: list[str]
