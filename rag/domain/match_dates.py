"""Whether a claim's dates and times of day are backed by its evidence."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

from rag.domain.dates import MONTH_NUMBERS, WEEKDAY_NUMBERS, Clock, Date
from rag.domain.extraction import Facts
from rag.domain.match_quantities import is_written


def backs_date(claimed: Date, theirs: Facts) -> bool:
    """Whether a date of the evidence agrees, at the coarser grain of the two.

    What the nearest date leaves out (mostly the year) may be said elsewhere in the evidence.
    """
    if claimed.weekday is not None:
        return _backs_weekday(claimed.weekday, theirs)
    if claimed.is_year_only:
        return is_written((float(claimed.year or 0),), theirs.judged) or any(
            d.year == claimed.year for d in theirs.dates
        )
    if claimed.month and not (claimed.day or claimed.year) and _has_month(claimed.month, theirs):
        return True
    return any(_date_agrees(claimed, d, theirs) for d in theirs.dates)


def _has_month(month: int, theirs: Facts) -> bool:
    """Whether the month is named anywhere, also first in a sentence, or lies in a range."""
    return any(n == month for n in _months(theirs.judged)) or any(
        (month - first) % 12 <= (last - first) % 12 for first, last in _month_ranges(theirs.judged)
    )


def _months(text: str) -> Iterator[int]:
    return (MONTH_NUMBERS[m.group().casefold()] for m in _CAPITAL_MONTH.finditer(text))


def _month_ranges(text: str) -> Iterator[tuple[int, int]]:
    for match in _MONTH_RANGE.finditer(text):
        yield MONTH_NUMBERS[match["a"].casefold()], MONTH_NUMBERS[match["b"].casefold()]


_TITLE_MONTHS: Final = "|".join(sorted((m.title() for m in MONTH_NUMBERS), key=len, reverse=True))
_CAPITAL_MONTH: Final = re.compile(rf"\b(?:{_TITLE_MONTHS})\b")
_MONTH_RANGE: Final = re.compile(
    rf"\b(?P<a>{_TITLE_MONTHS})\b\.?\s*(?:-|to|through|and|until|till|bis)\s*"
    rf"(?:(?:early|mid|late|the end of)[\s-]+)?(?P<b>{_TITLE_MONTHS})\b"
)


def backs_clock(claimed: Clock, theirs: Facts) -> bool:
    """Whether the evidence has the time, 12-hour times without am or pm counting as either."""
    for clock in theirs.clocks:
        difference = abs(claimed.minutes - clock.minutes)
        if difference == 0 or (difference == 720 and (claimed.is_open or clock.is_open)):
            return True
    hour, minute = divmod(claimed.minutes, 60)
    if minute:
        # "1:10" may also be a ratio.
        time = rf"{hour % 12 or 12}[.:]{minute:02}"
        ratio = rf"{hour}\s?(?:to|:|/)\s?{minute}" if claimed.is_open else time
        return re.search(rf"(?<!\d)(?:{time}|{ratio})(?!\d)", theirs.judged) is not None
    # "9 to 5 pm" leaves the nine a plain number.
    return any(q.unit is None and q.values[0] in {hour, hour % 12} for q in theirs.quantities)


def _readings(date: Date) -> tuple[tuple[int | None, int | None], ...]:
    return date.alternatives or ((date.month, date.day),)


def _date_agrees(claimed: Date, stated: Date, theirs: Facts) -> bool:
    if claimed.year and stated.year and claimed.year != stated.year:
        return False
    if claimed.year and not stated.year and not is_written((claimed.year,), theirs.judged):
        return False
    if claimed.quarter:
        quarter = stated.quarter or (stated.month and (stated.month + 2) // 3)
        return quarter == claimed.quarter
    for month, day in _readings(claimed):
        for other_month, other_day in _readings(stated):
            if month != other_month:
                continue
            if day is None or day == other_day or _is_day_beside(day, stated, theirs):
                return True
    return False


def _is_day_beside(day: int, stated: Date, theirs: Facts) -> bool:
    """`1-5 March` and `1 and 5 March`: the first day stands before the date found."""
    before = theirs.judged[max(0, stated.span.start - 14) : stated.span.start]
    written = rf"(?<!\d)0?{day}(?:st|nd|rd|th|\.)?\s*(?:-|to|and|or|,|&|bis|und)\s*[\d\w., ]*$"
    if re.search(written, before):
        return True
    after = theirs.judged[stated.span.end : stated.span.end + 12]
    return re.match(rf"\s*(?:-|to|and|,|&)\s*0?{day}(?!\d)", after) is not None


_WEEKDAY_RANGE: Final = re.compile(
    rf"\b(?P<a>{'|'.join(WEEKDAY_NUMBERS)})s?\b\.?\s*(?:-|to|through|bis|till?|until)\s*"
    rf"(?P<b>{'|'.join(WEEKDAY_NUMBERS)})s?\b",
    re.IGNORECASE,
)


def _backs_weekday(weekday: int, theirs: Facts) -> bool:
    if any(d.weekday == weekday for d in theirs.dates):
        return True
    if any(n == weekday and w in theirs.words for w, n in WEEKDAY_NUMBERS.items()):
        return True
    if theirs.words & {"weekdays", "weekday", "daily", "weekend", "weekends", "werktags"}:
        return True
    for match in _WEEKDAY_RANGE.finditer(theirs.judged):
        first = WEEKDAY_NUMBERS[match["a"].casefold()]
        last = WEEKDAY_NUMBERS[match["b"].casefold()]
        if (weekday - first) % 7 <= (last - first) % 7:
            return True
    return any(
        d.year and month and day and _weekday(d.year, month, day) == weekday
        for d in theirs.dates
        for month, day in _readings(d)
    )


def _weekday(year: int, month: int, day: int) -> int | None:
    try:
        return dt.date(year, month, day).weekday()
    except ValueError:
        return None
