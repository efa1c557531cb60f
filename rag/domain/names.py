"""Names in a text: people, bodies and products by capitals, and identifiers by shape."""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from rag.domain.dates import MONTH_NUMBERS, WEEKDAY_NUMBERS
from rag.domain.numbers import NUMBER_WORDS
from rag.domain.words import STOP_WORDS, Span, sentence_spans

NameKind = Literal["identifier", "acronym", "proper", "opening"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name and its telling parts, case-folded, titles and company forms left out.

    An `opening` name is a single capitalised word that begins a sentence, where any word has a
    capital: it counts only against another such word in the same place. The first part of a
    `loose` name may be due to its place too: `Open Outlook` is hardly somebody's name.
    """

    kind: NameKind
    parts: tuple[str, ...]
    span: Span
    is_loose: bool = False


_TITLES: Final = frozenset(
    "mr mrs ms miss dr prof professor sir madam herr frau dame lord lady rev hon".split()
)
_FORMS: Final = frozenset(
    "inc ltd llc plc gmbh ag corp corporation co company limited group holding sa bv kg".split()
)
_NO_NAME: Final = (
    STOP_WORDS
    | set(MONTH_NUMBERS)
    | set(WEEKDAY_NUMBERS)
    | NUMBER_WORDS
    | frozenset(
        """i ok yes unfortunately however therefore additionally furthermore moreover finally
        overall according based given here step steps note tip example passage passages section
        table figure chapter appendix page source context answer question monday mondays am pm
        number item items point points part parts option total
        employees employee staff everyone everybody nobody someone anyone people users user
        fahrenheit celsius kelvin i'd i'm i've i'll it's vat faq id pdf url nbsp usd eur gbp chf
        today tomorrow yesterday""".split()
    )
)

# Every run is bounded and starts at its own beginning: hostile text must cost linear time.
_LABEL: Final = r"[\w-]{1,63}"
_PATH: Final = r"[^\s<>\")\]]{0,300}[^\s<>\")\].,;:!?]"
_SHAPES: Final = re.compile(
    rf"(?P<mail>(?<![\w.+-])[\w.+-]{{1,64}}@{_LABEL}(?:\.{_LABEL}){{1,8}})"
    rf"|(?P<url>\b(?:https?://|www\.){_PATH}"
    rf"|(?<![\w.-]){_LABEL}(?:\.{_LABEL}){{0,8}}?\.(?:com|org|net|io|de|eu|gov|edu)\b(?:/{_PATH})?)"
    r"|(?P<phone>(?<![\w.,])(?:\+\d{1,3}[\s.-]?)?\(?\d{2,5}\)?[\s.-]\d{3,4}[-.\s]\d{4}(?![\w,])"
    r"|(?<![\w.])\+\d[\d\s()/-]{6,20}\d\b|(?<![\w-])1-\d{3}-[\dA-Z]{3}-?[\dA-Z]{4}\b)"
    r"|(?P<version>\b[vV]\d{1,9}(?:\.\d{1,9}){0,5}\b"
    r"|(?<![\w.,-])(?!\d{1,3}(?:\.\d{3})+(?!\d)|\d\d?\.\d\d?\.\d{4}(?!\d)|\d\d\.\d\d\.\d\d(?![.\d]))"
    r"\d{1,9}\.\d{1,9}\.\d{1,9}(?:\.\d{1,9}){0,3}(?![\w]))"
    r"|(?P<id>(?<![\w-])(?=[\w-]{0,60}\d)(?!(?:FY|Q)\d+\b)[A-Z][A-Za-z]{0,30}"
    r"(?:[-_]?\d{1,20}[A-Za-z]{0,10}){1,6}(?:[-_](?![a-z]+\b)[A-Za-z0-9]{1,20}){0,6}\b)"
)
_CAPITAL: Final = re.compile(r"(?<!\d)(?:[^\W\d_][\w'&.-]*[\w]|[^\W\d_])")
_HEADING: Final = re.compile(r"[^:\n]{1,90}:")
_HEADING_MIN: Final = 4
_FOLLOWER: Final = re.compile(r"\s+([a-z]+)\b|(?='s\b)()")
_VERBS: Final = frozenset(
    """is are was were has have had does do did will would can could may might must shall should
    became began won wrote led ran met held took gave found built left said made went saw knew
    grew sold told wants""".split()
)
_PLAIN_GAP: Final = re.compile(r"\.?\s+")
_GERMAN_WORDS: Final = frozenset(
    """der die das und ist nicht ein eine den dem des mit für auf werden wird von zu sind im bei
    kein keine muss müssen kann können dürfen darf nach oder auch nur bis pro vom zum zur wir sie es
    über unter wenn sich hat haben einem einen einer ihre beginn""".split()
)


def identifiers(text: str) -> tuple[Name, ...]:
    """E-mail and web addresses, telephone numbers, versions and codes such as `ABC-123`."""
    return tuple(
        Name(
            kind="identifier",
            parts=(_identity(m.group(), m.lastgroup or ""),),
            span=Span(m.start(), m.end()),
        )
        for m in _SHAPES.finditer(text)
    )


def proper_names(text: str) -> tuple[Name, ...]:
    """Capitalised runs and acronyms of `text` (as `judged_text` gives it), in order.

    German, which capitalises every noun, and headline case yield acronyms and titled names only.
    """
    plain = is_german(text) or _is_headline(text)
    names: list[Name] = []
    for sentence in sentence_spans(text):
        heading = _heading_end(text, sentence)
        for run, first in _runs(text, sentence):
            name = _name(run, opens=first)
            shown = plain or run[0].start() < heading
            if name is None or (shown and name.kind != "acronym" and not _has_title(run)):
                continue
            names.append(_loosened(name, text, sentence))
    return tuple(names)


def _heading_end(text: str, sentence: Span) -> int:
    """Where a heading in title case ends that opens the sentence, with a colon; else its start."""
    found = _HEADING.match(text, sentence.start, sentence.end)
    if found is None:
        return sentence.start
    content = [
        w for w in re.findall(r"[^\W\d_]{4,}", found.group()) if w.casefold() not in STOP_WORDS
    ]
    is_title = len(content) >= _HEADING_MIN and all(w[0].isupper() for w in content)
    return found.end() if is_title else sentence.start


def _loosened(name: Name, text: str, sentence: Span) -> Name:
    """Marked as loose if it opens a sentence of which it does not look like the subject."""
    opens = not re.search(r"\w", text[sentence.start : name.span.start])
    if name.kind != "proper" or len(name.parts) < 2 or not opens:
        return name
    verb = _FOLLOWER.match(text, name.span.end)
    is_subject = verb is not None and _may_be_a_verb(verb.group(1))
    return name if is_subject else replace(name, is_loose=True)


def _may_be_a_verb(word: str) -> bool:
    regular = word.endswith(("s", "ed")) and word not in STOP_WORDS and len(word) > 3
    return regular or word in _VERBS


def is_german(text: str) -> bool:
    """Whether common German words outweigh the English ones."""
    tokens = re.findall(r"[a-zäöüß]+", text.casefold())
    german = sum(t in _GERMAN_WORDS for t in tokens)
    return german >= 2 and german > sum(t in STOP_WORDS and t not in _GERMAN_WORDS for t in tokens)


def _identity(text: str, shape: str) -> str:
    if shape == "phone":
        return re.sub(r"[^\dA-Z]", "", text).removeprefix("1")
    folded = text.casefold()
    if shape == "version":
        return folded.removeprefix("v")
    if shape == "url":
        return re.sub(r"^https?://|^www\.|/$", "", re.sub(r"^https?://", "", folded))
    return re.sub(r"[-_/\s]", "", folded) if shape == "id" else folded


def _is_headline(text: str) -> bool:
    content = [w for w in re.findall(r"[^\W\d_]{4,}", text) if w.casefold() not in STOP_WORDS]
    capitals = sum(w[0].isupper() for w in content)
    return len(content) >= 5 and capitals > 0.6 * len(content)


def _runs(text: str, sentence: Span) -> list[tuple[list[re.Match[str]], bool]]:
    """Runs of capitalised words within a sentence, each with whether it opens a clause."""
    runs: list[tuple[list[re.Match[str]], bool]] = []
    previous: re.Match[str] | None = None
    for match in _CAPITAL.finditer(text, sentence.start, sentence.end):
        if not match.group()[0].isupper():
            continue
        gap = text[previous.end() : match.start()] if previous else None
        if previous and runs and gap is not None and _PLAIN_GAP.fullmatch(gap) and "\n" not in gap:
            runs[-1][0].append(match)
        else:
            runs.append(([match], _opens(text, sentence, match.start())))
        previous = match
    return runs


def _opens(text: str, sentence: Span, position: int) -> bool:
    """Whether a capital at `position` may be due to its place: after a stop, colon, quote, line."""
    before = text[sentence.start : position]
    stripped = before.rstrip(" \t(\"'")
    return not stripped or stripped[-1] in ".!?:;|\n•-" or before.endswith(('"', "'"))


def _has_title(run: list[re.Match[str]]) -> bool:
    return run[0].group().casefold().rstrip(".") in _TITLES


def _name(run: list[re.Match[str]], *, opens: bool) -> Name | None:
    kept = list(run)
    if opens and len(kept) > 1 and len(kept[0].group()) == 1:
        # "B. Engage in sports": a letter that numbers a list, and a capital due to its place.
        kept = kept[1:]
    while kept and kept[0].group().casefold().rstrip(".") in _NO_NAME | _TITLES:
        kept, opens = kept[1:], False if len(kept) > 1 else opens
    while kept and kept[-1].group().casefold() in _NO_NAME:
        kept = kept[:-1]
    parts = tuple(p for m in kept if (p := _part(m.group())) not in _FORMS | _TITLES | {""})
    if not parts:
        return None
    span = Span(kept[0].start(), kept[-1].end())
    if len(kept) == 1:
        word = kept[0].group()
        letters = word.rstrip("s").replace(".", "").replace("&", "")
        if len(letters) >= 2 and letters.isupper():
            return Name(kind="acronym", parts=parts, span=span)
        if opens or (len(parts[0]) < 2):
            return Name(kind="opening", parts=parts, span=span) if len(parts[0]) > 1 else None
    return Name(kind="proper", parts=parts, span=span)


def _part(word: str) -> str:
    return re.sub(r"'s?$", "", word).replace(".", "").casefold()
