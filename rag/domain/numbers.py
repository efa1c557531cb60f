"""Quantities in a text: values with unit, stated precision, bound and place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from rag.domain.units import PREFIX, SUFFIX, Unit, convert, unit_named
from rag.domain.words import STOP_WORDS, Span, stem

Bound: TypeAlias = Literal["least", "most"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number as it stands in a text.

    `values` holds every reading (`1.000` is one or a thousand), the likelier first; `step` is
    the precision it is stated to, in the same scale. `upper` is the other end when the number
    opens a range. `head` and `label` are the stems of the content words after and before it.
    """

    values: tuple[float, ...]
    step: float
    span: Span
    unit: Unit | None = None
    qualifier: str = ""
    approximate: bool = False
    bound: Bound | None = None
    upper: float | None = None
    head: str = ""
    label: str = ""
    is_worded: bool = False
    is_implied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often: `period` is hour, day, week, month, quarter or year."""

    period: str
    span: Span


_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_GERMAN: Final = {
    "null": 0, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8,
    "neun": 9, "zehn": 10, "elf": 11, "zwölf": 12, "fünfzehn": 15, "zwanzig": 20,
    "dreißig": 30, "vierzig": 40, "fünfzig": 50, "sechzig": 60, "neunzig": 90,
}  # fmt: skip
_WORDS: Final[dict[str, float]] = (
    {word: float(i) for i, word in enumerate(_SMALL)}
    | {word: 20.0 + 10 * i for i, word in enumerate(_TENS)}
    | {word: float(value) for word, value in _GERMAN.items()}
)
_SCALES: Final[dict[str, float]] = {
    "hundred": 1e2, "hundert": 1e2, "thousand": 1e3, "tausend": 1e3, "k": 1e3, "dozen": 12.0,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "mio": 1e6, "mn": 1e6, "mm": 1e6, "m": 1e6,
    "billion": 1e9, "billions": 1e9, "bn": 1e9, "b": 1e9, "milliarde": 1e9, "milliarden": 1e9,
    "mrd": 1e9, "trillion": 1e12, "tn": 1e12,
}  # fmt: skip

NUMBER_WORDS: Final = frozenset(_WORDS) | frozenset(_SCALES)
"""Words that stand for a number or a power of ten, case-folded."""

_DIGITS: Final = (
    r"\d{1,3}(?:[\u00a0\u202f\u2009' ]\d{3})+(?!\d|-[A-Za-z])(?:[.,]\d{1,2}(?!\d))?"
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?!\d)(?:,\d+)?"
    r"|\d+[.,]\d+|\d+|\.\d+"
)
_WORD_NUMBER: Final = (
    r"(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + r")"
    r"(?:(?:\s+and\s+|[\s-]+)(?:" + "|".join([*_SMALL, *_TENS, "hundred", "thousand"]) + r")\b)*"
)
_SCALE: Final = (
    r"hundred|hundert|thousand|tausend|dozen|millions?|millionen|mio\b\.?|mn|billions?|bn"
    r"|milliarden?|mrd\b\.?|trillion|tn|k|m(?=\b)|b(?=\b)"
)
_QUALIFIER: Final = (
    r"calendar|business|working|work|consecutive|full|additional|more|further|extra|paid|whole"
    r"|unpaid|US|U\.S\.|volle|weitere"
)
# "Windows 7/8/8.1" lists versions: no amount.
_LISTED: Final = r"(?:/\d+(?:\.\d+)?){2}"
_NUMBER: Final = re.compile(
    rf"(?P<prefix>{PREFIX})?\s?(?P<sign>(?<![\w)\]-])-(?=\d))?"
    rf"(?:(?<![\w.])(?:(?P<whole>\d{{1,3}})(?:\s?|-|\s+and\s+))?"
    rf"(?P<vulgar>[½¼¾⅓⅔⅛]|(?<![\d/])\b[1-7]/[23458](?![\d/]))(?:(?:th|rd|nd)s?\b)?"
    rf"|(?<![A-Za-z_\d])(?<!\d[.,:/])(?P<digits>{_DIGITS})(?P<ordinal>st|nd|rd|th)?(?!\d|{_LISTED})"
    rf"|\b(?P<words>{_WORD_NUMBER})\b|\b(?P<few>half an?|an?|each|per|every)(?=\s))"
    rf"(?P<more>\s+and\s+(?:an?\s+(?:half|quarter)|one[\s-]half)\b)?"
    rf"(?:[\s-]?\s*(?P<scale>{_SCALE})(?![A-Za-z²/]))?"
    rf"(?:\s*\(\s*[\d.,]+\s*(?P<inner>%?)\))?\)?"
    rf"(?:(?P<link>\s+or\s+so\b|\s+of\s+an?\b)?[\s-]*(?:(?P<qualifier>{_QUALIFIER})[\s-]+)?(?P<unit>{SUFFIX}))?",
    re.IGNORECASE,
)
_VULGAR: Final = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3, "⅛": 0.125}
_NEXT_WORD: Final = re.compile(r"[\s()\"'-]*([^\W\d_][\w'-]*)")
_LAST_WORD: Final = re.compile(r"([^\W\d_][\w-]*)[\s()\"':#$€£]*$")
_APPROXIMATE: Final = re.compile(
    r"(?:\b(?:about|around|approximately|approx\.?|roughly|nearly|almost|circa|ca\.?|close to"
    r"|estimated|rund|etwa|ungefähr|fast|or so)|[~≈])\s*(?:the\s+|an?\s+)?$",
    re.IGNORECASE,
)
_LEAST: Final = re.compile(
    r"(?:\b(?:at least|no (?:less|fewer) than|not (?:less|fewer) than|minimum(?: of)?|more than"
    r"|over|above|exceed(?:s|ing)?|greater than|mindestens|mehr als|über)|[≥>]=?)\s*(?:an?\s+)?$",
    re.IGNORECASE,
)
_MOST: Final = re.compile(
    r"(?:\b(?:at most|no (?:more|later|longer) than|not (?:more|exceed) than|not exceed|up to"
    r"|maximum(?: of)?|less than|fewer than|under|below|within|höchstens|maximal|bis zu"
    r"|weniger als)|[≤<]=?)\s*(?:an?\s+)?$",
    re.IGNORECASE,
)
_RANGE_GAP: Final = re.compile(r"\s*(?:-\s*(?:to[\s-]*)?|to|bis|and|or|through)\s*$", re.IGNORECASE)


def quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of `text` (as `judged_text` gives it), in order.

    Digits inside identifiers, dates and times must have been blanked out before. `a week` and
    `half an hour` are given too, marked `is_implied`: they may back a claim, never contradict.
    So are the sums of what is said in two units, such as `5 feet 6 inches`.
    """
    found = [q for m in _NUMBER.finditer(text) if (q := _quantity(text, m)) is not None]
    ranged = _ranged(text, found)
    return (*ranged, *_compounds(text, ranged))


def _quantity(text: str, match: re.Match[str]) -> Quantity | None:
    unit = _unit(match)
    scale = _scale(match, unit)
    few = match["few"]
    if few is not None and (unit is None or unit.is_currency or not match["unit"]):
        return None
    values, step = _values(match)
    if match["more"]:
        values, step = tuple(v + _part(match["more"]) for v in values), 0.01
    plain = values if (match["scale"] or "").casefold() == "k" and unit is None else ()
    # A "401k" plan is also a "401(k)" plan.
    values, step = (*(v * scale for v in values), *plain), step * scale
    # "one" is a pronoun more often than a number.
    if (match["words"] or "").casefold() == "one" and unit is None and values == (1.0,):
        return None
    before = text[max(0, match.start() - 40) : match.start()]
    bound: Bound | None = "least" if _LEAST.search(before) else None
    bound = "most" if _MOST.search(before) else bound
    return Quantity(
        values=values,
        step=step,
        span=_span(match, unit),
        unit=unit,
        qualifier=_qualifier(match),
        approximate=bool(_APPROXIMATE.search(before)),
        bound=bound,
        head=_head(text, match.end()),
        label=_label(before),
        is_worded=match["digits"] is None,
        is_implied=few is not None,
    )


def _unit(match: re.Match[str]) -> Unit | None:
    suffix = unit_named(match["unit"]) if match["unit"] else None
    if match["prefix"]:
        prefix = unit_named(match["prefix"].upper())
        # "$5 USD", "US$ 5" and "$5 CAD": the code says which dollar.
        return suffix if suffix is not None and suffix.is_currency else prefix
    if match["inner"]:
        return unit_named("%")
    return suffix


def _part(phrase: str) -> float:
    """`and a half` or `and a quarter`."""
    return 0.25 if phrase.casefold().endswith("quarter") else 0.5


def _scale(match: re.Match[str], unit: Unit | None) -> float:
    if not match["scale"]:
        return 1.0
    name = match["scale"].casefold().rstrip(".")
    if name in {"m", "b"} and (unit is None or not unit.is_currency):
        return 1.0
    return _SCALES[name]


def _values(match: re.Match[str]) -> tuple[tuple[float, ...], float]:
    if match["few"] is not None:
        return ((0.5,) if match["few"].casefold().startswith("half") else (1.0,)), 0.0
    if match["words"]:
        return (_worded(match["words"]),), 1.0 if match["scale"] is None else 0.5
    if match["vulgar"]:
        mark = match["vulgar"]
        part = _VULGAR[mark] if mark in _VULGAR else int(mark[0]) / int(mark[2])
        return (float(match["whole"] or 0) + part,), 0.01
    sign = -1.0 if match["sign"] else 1.0
    values, step = _read_digits(match["digits"])
    return tuple(sign * v for v in values), step


def _read_digits(digits: str) -> tuple[tuple[float, ...], float]:
    """The readings of a digit group and its stated precision.

    Three digits after one point are a decimal in English and a thousand in German: both.
    """
    plain = re.sub(r"[\u00a0\u202f\u2009' ]", "", digits)
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain):
        whole = float(plain.replace(",", ""))
        either = plain.count(",") == 1 and "." not in plain
        return ((whole, float(plain.replace(",", "."))) if either else (whole,)), 1.0
    if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", plain):
        whole = float(plain.replace(".", "").replace(",", "."))
        either = plain.count(".") == 1 and "," not in plain
        return ((float(plain), whole) if either else (whole,)), 1.0 if not either else 0.001
    decimal = plain.replace(",", ".")
    if decimal.count(".") > 1:
        decimal = decimal.replace(".", "", decimal.count(".") - 1)
    places = len(decimal.partition(".")[2])
    return (float(decimal),), 10.0**-places


def _worded(phrase: str) -> float:
    total = current = 0.0
    for word in re.split(r"[\s-]+", phrase.casefold()):
        if word == "hundred":
            current = max(current, 1.0) * 100
        elif word == "thousand":
            total, current = total + max(current, 1.0) * 1000, 0.0
        elif word in _WORDS:
            current += _WORDS[word]
    return total + current


def _span(match: re.Match[str], unit: Unit | None) -> Span:
    end = match.end()
    if unit is None and match["unit"]:
        end = min(match.start(g) for g in ("link", "qualifier", "unit") if match[g])
    text = match.group()[: end - match.start()]
    lead = len(text) - len(text.lstrip())
    return Span(match.start() + lead, match.start() + len(text.rstrip(" -(\t\n")))


def _qualifier(match: re.Match[str]) -> str:
    word = (match["qualifier"] or "").casefold()
    return {"business": "business", "working": "business", "work": "business"}.get(
        word, "calendar" if word == "calendar" else ""
    )


def _head(text: str, end: int) -> str:
    position = end
    for _ in range(2):
        found = _NEXT_WORD.match(text, position)
        if found is None:
            return ""
        if found.group(1).casefold() not in STOP_WORDS:
            return stem(found.group(1).casefold())
        position = found.end()
    return ""


def _label(before: str) -> str:
    found = _LAST_WORD.search(before)
    word = found.group(1).casefold() if found else ""
    return "" if word in STOP_WORDS else stem(word)


def _ranged(text: str, found: list[Quantity]) -> tuple[Quantity, ...]:
    """Ranges joined: `5 to 10 days` gives both ends the unit, and the first its `upper`."""
    result = list(found)
    for i in range(len(result) - 1):
        low, high = result[i], result[i + 1]
        gap = text[low.span.end : high.span.start]
        if not _RANGE_GAP.fullmatch(gap) or low.is_implied or high.is_implied:
            continue
        unit = low.unit or high.unit
        result[i + 1] = replace(high, unit=high.unit or low.unit)
        result[i] = replace(low, unit=unit, head=high.head)
        if gap.strip().casefold() not in {"and", "or"} and high.values[0] > low.values[0]:
            result[i] = replace(result[i], upper=high.values[0])
    return tuple(result)


_COMPOUND_GAP: Final = re.compile(r",?\s*(?:and\s+)?")


def _compounds(text: str, found: tuple[Quantity, ...]) -> Iterator[Quantity]:
    """`5 feet 6 inches` as 5.5 feet: a larger unit right before a smaller one of its dimension."""
    for large, small in pairwise(found):
        if large.unit is None or small.unit is None or large.is_implied or small.is_implied:
            continue
        if large.unit.dimension != small.unit.dimension or large.unit.factor <= small.unit.factor:
            continue
        if large.unit.offset or not _COMPOUND_GAP.fullmatch(text, large.span.end, small.span.start):
            continue
        total = large.values[0] + convert(small.values[0], small.unit, large.unit)
        span = Span(large.span.start, small.span.end)
        yield replace(large, values=(total,), span=span, upper=None, is_implied=True)


_PERIODS: Final = {
    "hour": "hour hours hourly stunde stunden stündlich",
    "day": "day days daily tag tage täglich diem",
    "week": "week weeks weekly woche wochen wöchentlich",
    "month": "month months monthly monat monate monatlich",
    "quarter": "quarter quarters quarterly quartal vierteljährlich",
    "year": "year years yearly annual annually annum jahr jahre jährlich",
}
PERIOD_WORDS: Final = {period: frozenset(row.split()) for period, row in _PERIODS.items()}
"""The words that name each period, whether or not as a frequency."""

_PERIOD_OF: Final = {word: period for period, row in PERIOD_WORDS.items() for word in row}
_FREQUENCY: Final = re.compile(
    r"\b(?P<adverb>hourly|daily|weekly|monthly|quarterly|yearly|annual|annually|stündlich|täglich"
    r"|wöchentlich|monatlich|vierteljährlich|jährlich)\b"
    r"|\b(?:per|each|every|pro|je|jede[nrs]?)\s+(?P<noun>"
    + "|".join(sorted(_PERIOD_OF, key=len, reverse=True))
    + r")\b",
    re.IGNORECASE,
)


def frequencies(text: str) -> tuple[Frequency, ...]:
    """The frequencies of `text`, such as `per month` or `weekly`, in order."""
    return tuple(
        Frequency(
            period=_PERIOD_OF[(m["adverb"] or m["noun"]).casefold()],
            span=Span(m.start(), m.end()),
        )
        for m in _FREQUENCY.finditer(text)
    )
