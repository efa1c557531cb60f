"""Dates and clock times in a text, each at the grain at which it is stated."""

import re
from dataclasses import dataclass
from typing import Final

from rag.domain.words import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A date with the fields that the text states, the others None; `weekday` 0 is Monday.

    `alternatives` holds (month, day) readings of an ambiguous `01/05/2024`.
    """

    span: Span
    year: int | None = None
    month: int | None = None
    day: int | None = None
    quarter: int | None = None
    weekday: int | None = None
    alternatives: tuple[tuple[int, int], ...] = ()

    @property
    def is_year_only(self) -> bool:
        """Whether it may as well be a plain number."""
        return self.year is not None and self.month is None and self.quarter is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A time of day in minutes after midnight; `is_open` when 12-hour and no am or pm is said."""

    span: Span
    minutes: int
    is_open: bool


_MONTHS: Final = (
    "jan january januar jänner", "feb february februar", "mar march märz maerz mär",
    "apr april", "may mai", "jun june juni", "jul july juli", "aug august",
    "sep sept september", "oct october okt oktober", "nov november", "dec december dez dezember",
)  # fmt: skip
MONTH_NUMBERS: Final = {name: i + 1 for i, row in enumerate(_MONTHS) for name in row.split()}
_DAYS: Final = (
    "monday mon montag", "tuesday tue tues dienstag", "wednesday wed mittwoch",
    "thursday thu thur thurs donnerstag", "friday fri freitag", "saturday sat samstag sonnabend",
    "sunday sun sonntag",
)  # fmt: skip
WEEKDAY_NUMBERS: Final = {name: i for i, row in enumerate(_DAYS) for name in row.split()}

_MONTH: Final = "(?:" + "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True)) + r")\b\.?"
_FULL_MONTH: Final = (
    "(?:" + "|".join(sorted((m for m in MONTH_NUMBERS if len(m) > 4), key=len)) + ")"
)
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR: Final = r"(?:1[6-9]|20|21)\d\d"
_QUARTERS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4,
                    "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}  # fmt: skip

_PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d-])(?P<y>{_YEAR})[-/.](?P<m>0?[1-9]|1[0-2])[-/.](?P<d>{_DAY})(?!\d)",
        rf"(?<![\d.])(?P<d>{_DAY})\.\s?(?P<m>0?[1-9]|1[0-2])\.\s?(?P<y>{_YEAR}|(?<=\d\d\.\d\d\.)\d\d)(?![.]?\d)",
        rf"(?<![\d/])(?P<a>\d\d?)(?P<sep>[/-])(?P<b>\d\d?)(?P=sep)(?P<y>{_YEAR}|(?<=/)\d\d)(?![\d/-])",
        rf"\b(?P<d>{_DAY})(?:\s?(?:st|nd|rd|th)\b|\.)?\s+(?:of\s+)?(?P<mon>{_MONTH})(?:,?\s+(?P<y>{_YEAR})\b)?",
        rf"\b(?P<mon>{_MONTH})(?:,(?=\s\d\d?,?\s{_YEAR}\b))?\s+(?P<d>{_DAY})(?:st|nd|rd|th)?\b(?!\s*[%:])(?:,?\s+(?P<y>{_YEAR})\b)?",
        rf"\b(?P<mon>{_MONTH}),?(?:\s+of)?[\s-]+(?P<y>{_YEAR})\b",
        rf"(?<![\d-])(?P<y>{_YEAR})-(?P<m>0[1-9]|1[0-2])(?![\d-])",
        rf"\bQ\s?(?P<q>[1-4])\s*[-/,']?\s*(?:of\s+)?(?P<y>{_YEAR})?(?![\dA-Za-z])",
        rf"\b(?P<y>{_YEAR})[\s-]*Q(?P<q>[1-4])\b",
        rf"\b(?P<qw>{'|'.join(_QUARTERS)})\s+quarter\b(?:\s+(?:of\s+)?(?P<y>{_YEAR}))?",
        rf"\b(?P<wd>{'|'.join(w for w in WEEKDAY_NUMBERS if len(w) > 5)})s?\b",
    )
)
# A month name alone: `May`, `March`, `August` are also words, so these want a preposition.
_BARE_MONTH: Final = re.compile(
    rf"(?:\b(?:in|by|until|till|since|from|before|after|during|of|to|through|every|each|early|mid"
    rf"|late|next|last|ab|im|bis|seit|and|or)[\s-]+(?P<mon>(?-i:{_FULL_MONTH.title()}|May|Mai|June|Juni|July|Juli))"
    rf"|(?<![.!?]\s)(?<!^)\b(?P<only>(?-i:January|Januar|February|Februar|April|June|July|September"
    rf"|October|Oktober|November|December|Dezember)))\b",
    re.IGNORECASE,
)
_BARE_YEAR: Final = re.compile(
    rf"(?<![\w.,$€£#/-])(?:FY\s?)?(?P<y>{_YEAR})(?!['\w%]|[.,]\d|\s?(?:[%€£]|EUR\b|USD\b))",
)
_CLOCK: Final = re.compile(
    r"(?<![\d.:,$€£-])(?:(?P<h>[01]?\d|2[0-4])(?:[:.](?P<min>[0-5]\d))?(?::[0-5]\d)?\s*"
    r"(?P<half>[ap]\.\s?m\.|[ap]\s?m\b|Uhr\b|o'clock\b|hrs\b)"
    r"|(?P<h2>[01]?\d|2[0-4]):(?P<min2>[0-5]\d)(?![\d:]))|\b(?P<name>noon|midnight|mittags?|mitternacht)\b",
    re.IGNORECASE,
)


def dates(text: str) -> tuple[Date, ...]:
    """The dates of `text` (as `judged_text` gives it), in order, none overlapping another.

    A bare year is given only where no unit or noun makes it a count.
    """
    found: list[Date] = []
    for pattern in (*_PATTERNS, _BARE_MONTH, _BARE_YEAR):
        for match in pattern.finditer(text):
            date = _date(match)
            if date is not None and not any(date.span.overlaps(f.span) for f in found):
                found.append(date)
    return tuple(sorted(found, key=lambda d: d.span.start))


def clocks(text: str) -> tuple[Clock, ...]:
    """The times of day of `text`, in order; `9 to 5 pm` gives only its end."""
    return tuple(c for m in _CLOCK.finditer(text) if (c := _clock(m)) is not None)


def _date(match: re.Match[str]) -> Date | None:
    parts = match.groupdict()
    span = Span(match.start(), match.end())
    year = _full_year(parts.get("y"))
    if parts.get("a"):
        return _slashed(span, int(parts["a"]), int(parts["b"]), year)
    name = parts.get("mon") or parts.get("only")
    month = MONTH_NUMBERS[name.casefold().rstrip(".")] if name else None
    if month is None and parts.get("m"):
        month = int(parts["m"])
    quarter = int(parts["q"]) if parts.get("q") else _QUARTERS.get((parts.get("qw") or "").lower())
    weekday = WEEKDAY_NUMBERS[parts["wd"].casefold()] if parts.get("wd") else None
    day = int(parts["d"]) if parts.get("d") else None
    # "may 5 people" and "sun 3" are no dates; a capital, or a year, makes them so.
    if name and name[0].islower() and name.casefold().rstrip(".") in {"may", "march", "mar", "dec"}:
        return None
    if name and (parts.get("mon") or parts.get("only")):
        start = match.start("mon") if parts.get("mon") else match.start("only")
        span = span if day or year else Span(start, match.end())
    return Date(span=span, year=year, month=month, day=day, quarter=quarter, weekday=weekday)


def _full_year(digits: str | None) -> int | None:
    if not digits:
        return None
    year = int(digits)
    return year if year > 99 else year + (2000 if year < 70 else 1900)


def _slashed(span: Span, first: int, second: int, year: int | None) -> Date | None:
    readings = tuple(
        (month, day)
        for month, day in ((first, second), (second, first))
        if 1 <= month <= 12 and 1 <= day <= 31
    )
    if not readings:
        return None
    return Date(
        span=span, year=year, month=readings[0][0], day=readings[0][1], alternatives=readings
    )


def _clock(match: re.Match[str]) -> Clock | None:
    span = Span(match.start(), match.end())
    if match["name"]:
        noon = match["name"].casefold() in {"noon", "mittag", "mittags"}
        return Clock(span=span, minutes=720 if noon else 0, is_open=False)
    hour = int(match["h"] or match["h2"])
    minute = int(match["min"] or match["min2"] or 0)
    half = (match["half"] or "").casefold().replace(".", "").replace(" ", "")
    if half in {"am", "pm"}:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
        return Clock(span=span, minutes=hour * 60 + minute, is_open=False)
    padded = (match["h"] or match["h2"]).startswith("0")
    is_open = 1 <= hour <= 12 and half in {"", "o'clock"} and not padded
    return Clock(span=span, minutes=hour % 24 * 60 + minute, is_open=is_open)


_IN_WORDS: Final = (
    "January February March April May June July August September October November December"
).split()
_ISO: Final = re.compile(r"(?<![\d-])((?:19|20)\d\d)-(0[1-9]|1[0-2])(?:-[0-3]\d)?(?![\d-])")


def spelt_months(text: str) -> str:
    """The text with the month of every ISO date in words after it: `2026-10 October 2026`."""
    return _ISO.sub(lambda m: f"{m[0]} {_IN_WORDS[int(m[2]) - 1]} {m[1]}", text)
