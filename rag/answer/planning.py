"""From a question to what is searched for: its parts, each a question that stands alone.

Rules, no model: they split only where the form of the question says plainly that it is several.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rag.domain.words import content_words, sentence_spans, words

# More terms than this make BM25 slow and no better (ADR 0017).
TERMS_MAX: Final = 32
PARTS_MAX: Final = 4
_PART_WORDS_MIN: Final = 3

_ASKING: Final = (
    r"(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|may|must"
    r"|should|will|wer|wem|wen|was|welche[rsmn]?|wann|wo|wohin|warum|wieso|wie|wieviele?|ist|sind"
    r"|darf|kann|muss)"
)
_JOINT: Final = re.compile(
    rf"(?:\s*[,;])?\s+(?:and(?: then| also)?|as well as|und(?: dann)?)\s+(?={_ASKING}\b)",
    re.IGNORECASE,
)
_OPENS: Final = re.compile(rf"^\W*(?:\w+\s+){{0,3}}{_ASKING}\b", re.IGNORECASE)
# What a second question leaves to the first to name.
_PRONOUN: Final = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|he|she|him|her|his|there|then"
    r"|er|sie|es|ihn|ihm|dessen|deren|dort|diese[rsmn]?)\b",
    re.IGNORECASE,
)
_TOPIC: Final = re.compile(
    r"\b(?:the|our|an?|my|your|der|die|das|dem|den|unsere?[rnms]?)\s+([\w.'’/-]+(?: [\w.'’/-]+){0,5})\W*$",
    re.IGNORECASE,
)
_THING: Final = r"(?:the |our |an? )?[\w.'’/-]+(?: [\w.'’/-]+){0,5}?"
_ARTICLE: Final = r"(?:the |our |an? |der |die |das )?"
# Two things held against each other; what stands before and after is asked of both.
_COMPARED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<lead>\b(?:what (?:is|are|was|were) the )?differences? between )(?P<a>{_THING}) and (?P<b>[^?,;:]+)",
        rf"(?P<lead>^compare )(?P<a>{_THING}) (?:and|with|to) (?P<b>[^?,;:]+)",
        rf"(?P<lead>\b(?:differ|change|changed|changes) between )(?P<a>{_THING}) and (?P<b>[^?,;:]+)",
        rf"(?P<lead>, )(?P<a>{_ARTICLE}[^?,;:]{{2,60}}?) or (?P<b>{_ARTICLE}[^?,;:]{{2,60}})",
        r"(?P<lead>)(?<![\w-])(?P<a>\w[\w.'’-]*(?: [\w.'’-]+){0,3}) (?:vs\.?|versus) (?P<b>[^?,;:]+)",
        r"(?P<lead>\bchang(?:e|es|ed) )(?P<a>from \S+(?: \S+)?) (?P<b>to \S+(?: \S+)?)",
        r"(?P<lead>)\b(?P<a>now|today|currently|heute|jetzt) (?P<b>than (?:in|under|before) [^?,;:]+)",
    )
)
# "Is A or B longer?" weighs two things; "Can I fly economy, business or first?" lists three.
_WEIGHS: Final = re.compile(
    r"\b(?:which|\w{2,}er|more|less|better|worse|welche\w*)\b", re.IGNORECASE
)
# Said of both things that are compared, but written after the second alone.
_OF_BOTH: Final = re.compile(
    r"\s(?:in|regarding|concerning|as to|with (?:respect|regard) to|when it comes to|for)\s.+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`terms` are looked up in the lexical index, any of them may match; `text` is embedded."""

    text: str
    terms: tuple[str, ...]

    def respelt(self, words: Mapping[str, str]) -> "Query":
        """The same with some terms in another spelling, also in the text."""
        text = self.text
        for wrong, right in words.items():
            text = re.sub(rf"\b{re.escape(wrong)}\b", right, text, flags=re.IGNORECASE)
        terms = dict.fromkeys(words.get(term, term) for term in self.terms)
        return Query(text=text, terms=tuple(terms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The questions to answer, in order; one for a question that asks one thing."""

    parts: tuple[Query, ...]

    def __len__(self) -> int:
        return len(self.parts)


def plan_query(question: str) -> Query:
    """The query for one question; a question of stop words alone is searched by all its words."""
    text = " ".join(question.split())
    terms = tuple(dict.fromkeys(content_words(text))) or tuple(dict.fromkeys(words(text)))
    return Query(text=text, terms=terms[:TERMS_MAX])


def plan_question(question: str, parts_max: int = PARTS_MAX) -> Plan:
    """The parts of a question, at most so many; a question with more is asked as a whole."""
    text = " ".join(question.split())
    parts = [part for asked in _sentences(text) for part in _parts(asked)]
    if not 1 < len(parts) <= parts_max:
        parts = [text]
    return Plan(parts=tuple(plan_query(part) for part in parts))


def _sentences(text: str) -> list[str]:
    """Each question sentence, after the statements that it rests on."""
    found: list[str] = []
    said: list[str] = []
    for span in sentence_spans(text):
        sentence = span.of(text).strip()
        if sentence.endswith("?"):
            asked = _as_question(sentence)
            found.append(" ".join((*said, about(found[-1], asked) if found else asked)))
        else:
            said.append(sentence)
    return found if len(found) > 1 else [text]


def _parts(question: str) -> list[str]:
    return _compared(question) or _coordinated(question)


def _coordinated(question: str) -> list[str]:
    """`Who signs it, and when does it end?`: two questions, the second about the first's topic."""
    pieces: list[str] = []
    start = 0
    for joint in _JOINT.finditer(question):
        before, after = question[start : joint.start()], question[joint.end() :]
        if _stands_alone(before, first=not pieces) and _stands_alone(after, first=False):
            pieces.append(before)
            start = joint.end()
    pieces.append(question[start:])
    asked = [_as_question(pieces[0])]
    for piece in pieces[1:]:
        asked.append(about(asked[0], _as_question(piece)))
    return asked


def _stands_alone(piece: str, *, first: bool) -> bool:
    if len(words(piece)) < _PART_WORDS_MIN:
        return False
    return _OPENS.match(piece) is not None if first else True


def about(first: str, second: str) -> str:
    """The second question with the first one's topic, where it only points at it."""
    if not _PRONOUN.search(second) and len(content_words(second)) > 1:
        return second
    topic = _topic(first)
    return f"{second.removesuffix('?').rstrip()} ({topic})?" if topic else second


def _topic(question: str) -> str:
    found = _TOPIC.search(question)
    if found:
        return found.group(1)
    return " ".join(content_words(question)[-3:])


def _compared(question: str) -> list[str]:
    """The same question of each of two things that are compared."""
    for pattern in _COMPARED:
        found = pattern.search(question)
        if found is None or not content_words(found["b"]):
            continue
        if found["lead"] == ", " and not _WEIGHS.search(question):
            continue
        of_both = _OF_BOTH.search(found["b"])
        tail = of_both.group() if of_both and not found["b"].startswith("than ") else ""
        sides = (found["a"], found["b"].removesuffix(tail))
        lead = "" if "between" in found["lead"] or "ompare" in found["lead"] else found["lead"]
        before, after = question[: found.start()], question[found.end() :]
        return [_as_question(f"{before}{lead}{side}{tail}{after}") for side in sides]
    return []


def _as_question(text: str) -> str:
    tidy = re.sub(r"^(?:and|also|und)\s+", "", " ".join(text.split()), flags=re.IGNORECASE)
    tidy = re.sub(r"\s+([?,;:])", r"\1", tidy).strip(" ,;")
    return tidy if tidy.endswith("?") else f"{tidy}?"
