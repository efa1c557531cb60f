"""What a language model returned, read strictly, and turned into a draft by code.

Nothing of it is believed: a citation counts only if its passage was shown, a quotation only if it
stands there, and then it is the passage's own text that is kept.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from rag.adapters.generators.llm_scrubbing import is_hidden, permitted_by, scrubbed
from rag.domain.claim import DraftPart, Evidence, Pointer
from rag.domain.errors import ModelOutputInvalid
from rag.domain.words import Span, sentence_spans

OUTPUT_CHARS_MAX: Final = 200_000
CLAIMS_MAX: Final = 50
CLAIM_CHARS_MAX: Final = 2_000
CITATIONS_MAX: Final = 10
QUOTE_CHARS_MIN: Final = 8

_THOUGHT: Final = re.compile(r"\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCED: Final = re.compile(r"\s*```[\w-]{0,20}[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_LINE_MARK: Final = re.compile(r"(^|\n)[ \t]*> ?")

# Models straighten quotes and dashes as they copy; one code point stands for one.
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2039": "<", "\u203a": ">", "\u27e6": "[", "\u27e7": "]",
    }
)  # fmt: skip
_JOINS_FIGURES: Final = frozenset(".,-+:/'%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A citation as it was written: the passage's number, from 1, and the quotation, if any."""

    evidence: int
    quote: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A claim as it was written; `number` is that of the refused claim it replaces, from 1."""

    text: str
    citations: tuple[Cited, ...]
    number: int


def read_output(text: str) -> tuple[Written, ...]:
    """The claims of an output, in order; none where the evidence does not answer.

    A code fence around the JSON and a thought before it are passed over. What is named as missing
    is not read: no verdict would cover it.

    Raises:
        ModelOutputInvalid: it is anything else; the message names the place, never the text.
    """
    if len(text) > OUTPUT_CHARS_MAX:
        raise ModelOutputInvalid("the output is too long")
    body = _THOUGHT.sub("", text, count=1) if _THOUGHT.match(text) else text
    fenced = _FENCED.fullmatch(body)
    try:
        value = json.loads(fenced.group(1) if fenced else body)
    except (ValueError, RecursionError):
        raise ModelOutputInvalid("the output is not JSON") from None
    whole = _object(value, "the output")
    _text(whole.get("unanswered"), "unanswered", optional=True)
    rows = _list(whole.get("claims"), "claims", CLAIMS_MAX)
    return tuple(_written(row, f"claims[{at}]", at + 1) for at, row in enumerate(rows))


def _written(value: object, where: str, position: int) -> Written:
    row = _object(value, where)
    text = _text(row.get("text"), f"{where}.text") or ""
    if len(text) > CLAIM_CHARS_MAX:
        raise ModelOutputInvalid(f"{where}.text is longer than {CLAIM_CHARS_MAX} characters")
    cited = _list(row.get("citations", []), f"{where}.citations", CLAIMS_MAX)
    return Written(
        text=text,
        citations=tuple(_cited(c, f"{where}.citations[{at}]") for at, c in enumerate(cited)),
        number=_number(row.get("claim", position), f"{where}.claim"),
    )


def _cited(value: object, where: str) -> Cited:
    row = _object(value, where)
    return Cited(
        evidence=_number(row.get("evidence"), f"{where}.evidence"),
        quote=_text(row.get("quote"), f"{where}.quote", optional=True),
    )


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelOutputInvalid(f"{where} is not an object")
    return value


def _list(value: object, where: str, length_max: int) -> list[Any]:
    if not isinstance(value, list):
        raise ModelOutputInvalid(f"{where} is not a list")
    if len(value) > length_max:
        raise ModelOutputInvalid(f"{where} has more than {length_max} entries")
    return value


def _text(value: object, where: str, *, optional: bool = False) -> str | None:
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise ModelOutputInvalid(f"{where} is not a string")
    return value


def _number(value: object, where: str) -> int:
    # True is an int to Python, and is no number of a passage.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ModelOutputInvalid(f"{where} is not an integer")
    return value


def draft_parts(
    written: Sequence[Written], evidence: Sequence[Evidence], shown: frozenset[int]
) -> tuple[DraftPart, ...]:
    """One part per sentence that is left, in order, each once, with what its claim cites."""
    parts: dict[str, DraftPart] = {}
    for claim in written:
        whole = part_of(claim, evidence, shown)
        for sentence in sentence_spans(whole.text):
            text = sentence.of(whole.text)
            parts.setdefault(text, DraftPart(text=text, pointers=whole.pointers))
    return tuple(parts.values())


def replaced_parts(
    written: Sequence[Written], n_refused: int, evidence: Sequence[Evidence], shown: frozenset[int]
) -> tuple[DraftPart, ...]:
    """One part for each refused claim, same order; what was not written anew is withdrawn."""
    withdrawn = Written(text="", citations=(), number=0)
    by_number = {claim.number: claim for claim in reversed(written)}
    return tuple(
        part_of(by_number.get(number, withdrawn), evidence, shown)
        for number in range(1, n_refused + 1)
    )


def part_of(claim: Written, evidence: Sequence[Evidence], shown: frozenset[int]) -> DraftPart:
    """The claim in plain words, with pointers to the passages shown that it cites."""
    cited = [c for c in claim.citations if c.evidence - 1 in shown][:CITATIONS_MAX]
    indices = dict.fromkeys(c.evidence - 1 for c in cited)
    text = scrubbed(claim.text, permitted_by([evidence[i] for i in indices]))
    pointers = dict.fromkeys(_pointer(c, evidence[c.evidence - 1]) for c in cited)
    return DraftPart(text=text, pointers=tuple(pointers) if text else ())


def _pointer(cited: Cited, passage: Evidence) -> Pointer:
    """To the exact place of the quotation; without one the judge finds where the claim stands."""
    span = locate(cited.quote, passage.readable) if cited.quote else None
    if span is None:
        return Pointer(evidence=cited.evidence - 1, span=None)
    return Pointer(
        evidence=cited.evidence - 1,
        span=span.shifted(passage.span.start),
        quote=span.of(passage.text),
    )


def locate(quote: str, text: str) -> Span | None:
    """Where `quote` stands in `text`, words and figures whole; None where it does not.

    White space, hidden characters and the shapes of quotes and dashes may differ. "4 days" does
    not stand in "14 days". A quotation under 8 characters tells no place.
    """
    for version in (quote, _LINE_MARK.sub(r"\1", quote)):
        wanted = _folded(unicodedata.normalize("NFC", version))[0].strip()
        if len(wanted) < QUOTE_CHARS_MIN:
            continue
        folded, origins = _folded(text)
        start = folded.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            if not _joined(folded, start) and not _joined(folded, end):
                return Span(origins[start], origins[end - 1] + 1)
            start = folded.find(wanted, start + 1)
    return None


def _joined(text: str, at: int) -> bool:
    """Whether a cut at `at` goes through a word or a figure."""
    if at in (0, len(text)):
        return False
    before, after = text[at - 1], text[at]
    if _in_word(before) and _in_word(after):
        return True
    # "1,400", "-5", "10-15", "50%": what stands at a figure may belong to it.
    if after.isdigit() and before in _JOINS_FIGURES:
        return True
    return before.isdigit() and after in _JOINS_FIGURES and _goes_on(text, at)


def _goes_on(text: str, at: int) -> bool:
    return text[at] == "%" or text[at + 1 : at + 2].isdigit()


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


@lru_cache(maxsize=64)
def _folded(text: str) -> tuple[str, tuple[int, ...]]:
    """`text` with single spaces, plain quotes and nothing hidden, and each one's position in it."""
    chars: list[str] = []
    origins: list[int] = []
    for position, char in enumerate(text):
        blank = char.isspace()
        if is_hidden(char) and not blank:
            continue
        if not blank or not chars or chars[-1] != " ":
            chars.append(" " if blank else char)
            origins.append(position)
    return "".join(chars).translate(_ALIKE), tuple(origins)
