"""Whether one fact of a claim is backed by the facts of its evidence."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

from rag.domain.dates import WEEKDAY_NUMBERS, Clock, Date
from rag.domain.extraction import Facts
from rag.domain.names import Name, is_german
from rag.domain.numbers import PERIOD_WORDS, Frequency, Quantity
from rag.domain.polarity import polarity
from rag.domain.units import conversions, convert, same_measure, tolerance
from rag.domain.words import STOP_WORDS, Span, stem

# A count this small may be the writer's own ("three steps"); it is held against evidence only
# where that counts the same thing differently.
_OWN_COUNT_MAX: Final = 12
_ROUNDING_MAX: Final = 0.05
_CONVERTED_MAX: Final = 0.15
_LOOSE_MAX: Final = 0.2
_ALIGNED_MIN: Final = 0.75
_ALIGNED_LEAD: Final = 0.3
_TOTAL: Final = re.compile(
    r"\b(?:total|sum|combined|altogether|together|difference|more than|less than|insgesamt|double"
    r"|twice|half|overall)\b",
    re.IGNORECASE,
)


# --- quantities -------------------------------------------------------------------------------


def backs_quantity(claimed: Quantity, ours: Facts, theirs: Facts) -> bool:
    """Whether an equal, rounded, converted, surrounding or summed value is in the evidence."""
    stated = [t for t in theirs.quantities if _agrees(claimed, t, theirs)]
    if stated:
        return not all(_opposite_bounds(claimed, t, ours, theirs) for t in stated)
    if any(_in_range(claimed, t) for t in theirs.quantities):
        return True
    if claimed.unit is None and (_is_written(claimed.values, theirs.judged)):
        return True
    if _is_own_count(claimed, theirs):
        return True
    return bool(_TOTAL.search(ours.judged)) and _is_derived(claimed, theirs)


def wrong_unit(claimed: Quantity, theirs: Facts) -> bool:
    """Whether the evidence has the number itself, but of something else."""
    return claimed.unit is not None and any(
        _near(claimed, c, t, 1e-6)
        for other in theirs.quantities
        if not other.is_implied
        for c in claimed.values
        for t in other.values
    )


def displaced_quantity(claimed: Quantity, ours: Facts, theirs: Facts) -> Span | None:
    """The other value in the one sentence that the claim restates, or None.

    The claim's value is in the evidence, but of something else: only where a single sentence
    clearly matches, has exactly one value of this measure, and its neighbours lack the claim's.
    """
    context = _context(claimed.span, ours)
    if len(context) < 3:
        return None
    coverage = [len(context & s) / len(context) for s in theirs.segment_stems]
    best = max(range(len(coverage)), key=coverage.__getitem__, default=None)
    if best is None or coverage[best] < _ALIGNED_MIN:
        return None
    for i, (segment, share) in enumerate(zip(theirs.segments, coverage, strict=True)):
        near = abs(i - best) <= 1 or share > coverage[best] - _ALIGNED_LEAD
        if near and (
            any(
                _agrees(claimed, t, theirs) or _in_range(claimed, t)
                for t in theirs.quantities
                if t.span.overlaps(segment)
            )
            or (claimed.unit is None and _is_written(claimed.values, segment.of(theirs.judged)))
        ):
            return None
    rivals = [
        t
        for t in theirs.quantities
        if t.span.overlaps(theirs.segments[best]) and _is_rival(claimed, t)
    ]
    return rivals[0].span if len(rivals) == 1 else None


def backs_frequency(claimed: Frequency, theirs: Facts) -> bool:
    """Whether the evidence names the period at all, or no frequency to hold against it."""
    return not theirs.frequencies or bool(PERIOD_WORDS[claimed.period] & theirs.words)


def _agrees(claimed: Quantity, stated: Quantity, theirs: Facts) -> bool:
    if claimed.qualifier and stated.qualifier and claimed.qualifier != stated.qualifier:
        return False
    if claimed.unit is None or stated.unit is None:
        if stated.is_implied or not _unit_may_be_tacit(claimed, stated, theirs):
            return False
        return any(
            _close(claimed, c, s) for c in claimed.values for s in (*stated.values, *_ratio(stated))
        )
    if not same_measure(claimed.unit, stated.unit):
        return False
    limit = tolerance(stated.unit, claimed.unit)
    rounding = _ROUNDING_MAX if stated.unit.name == claimed.unit.name else _CONVERTED_MAX
    return any(
        _close(claimed, c, s, limit, rounding)
        for c in claimed.values
        for v in stated.values
        for s in conversions(v, stated.unit, claimed.unit)
    )


def _unit_may_be_tacit(claimed: Quantity, stated: Quantity, theirs: Facts) -> bool:
    """A bare number backs a unit that the evidence names elsewhere, or names no rival of."""
    unit = claimed.unit
    if unit is None:
        return True
    if stated.unit is not None:
        return False
    family = [t.unit for t in theirs.quantities if t.unit is not None and not t.is_implied]
    if any(u.name == unit.name for u in family) or unit.name in theirs.words:
        return True
    if unit.is_currency:
        return not any(u.is_currency for u in family) and not _other_money(unit.name, theirs)
    return not any(u.dimension == unit.dimension for u in family) or any(
        w in theirs.words for w in (unit.name + "s", unit.name)
    )


_CODES: Final = {"eur": "€", "usd": "$", "gbp": "£", "chf": "chf", "jpy": "¥"}


def _other_money(name: str, theirs: Facts) -> bool:
    code = name.casefold()
    if code in theirs.words or _CODES.get(code, code) in theirs.judged:
        return False
    return any(c in theirs.words or s in theirs.judged for c, s in _CODES.items() if c != code)


def _ratio(stated: Quantity) -> tuple[float, ...]:
    """A bare 0.15 is also 15 %."""
    return tuple(v * 100 for v in stated.values if stated.unit is None and 0 < v < 1)


def _close(
    claimed: Quantity,
    value: float,
    stated: float,
    limit: float = 1e-6,
    rounding: float = _ROUNDING_MAX,
) -> bool:
    if _near(claimed, value, stated, limit, rounding):
        return True
    if claimed.approximate or claimed.bound is not None:
        right_way = {None: True, "least": stated >= value, "most": stated <= value}
        within = abs(stated - value) <= _LOOSE_MAX * abs(value)
        return within and right_way[claimed.bound]
    return False


def _near(
    claimed: Quantity, value: float, stated: float, limit: float, rounding: float = _ROUNDING_MAX
) -> bool:
    difference = abs(value - stated)
    if difference <= limit * max(abs(value), abs(stated)) + 1e-9:
        return True
    return difference <= claimed.step / 2 + 1e-9 and difference <= rounding * abs(stated)


def _in_range(claimed: Quantity, stated: Quantity) -> bool:
    if stated.upper is None:
        return False
    low, high = stated.values[0], stated.upper
    if claimed.unit is not None and stated.unit is not None:
        if not same_measure(claimed.unit, stated.unit):
            return False
        low, high = (convert(v, stated.unit, claimed.unit) for v in (low, high))
    return any(low <= v <= high for v in claimed.values)


def _opposite_bounds(claimed: Quantity, stated: Quantity, ours: Facts, theirs: Facts) -> bool:
    """At least against at most; a denial on either side may make the two say the same."""
    if not claimed.bound or not stated.bound or claimed.bound == stated.bound:
        return False
    at = [s for s in theirs.segments if s.overlaps(stated.span)]
    return not any(
        p.negated or p.doubtful
        for p in (
            *(polarity(theirs.judged, s) for s in at),
            *(polarity(ours.judged, s) for s in ours.segments),
        )
    )


def _is_written(values: Iterable[float], text: str) -> bool:
    """Whether the plain number stands anywhere, be it in a date, a time or an identifier."""
    return any(
        re.search(rf"(?<!\d)(?<!\d[.,])0*{re.escape(f'{value:.15g}')}(?![.,]?\d)", text)
        for value in values
    )


def _is_own_count(claimed: Quantity, theirs: Facts) -> bool:
    value = claimed.values[0]
    if claimed.unit is not None or value > _OWN_COUNT_MAX or value != int(value):
        return False
    return not any(_is_rival(claimed, t) for t in theirs.quantities)


def _is_rival(claimed: Quantity, stated: Quantity) -> bool:
    """Whether the two count or measure the same kind of thing."""
    if stated.is_implied:
        return False
    if claimed.unit is not None and stated.unit is not None:
        return same_measure(claimed.unit, stated.unit)
    if claimed.unit is not None or stated.unit is not None:
        return False
    same_head = bool(claimed.head) and claimed.head == stated.head
    return same_head or (bool(claimed.label) and claimed.label == stated.label)


def _is_derived(claimed: Quantity, theirs: Facts) -> bool:
    known = [
        v
        for t in theirs.quantities[:40]
        if claimed.unit is None or t.unit is None or same_measure(claimed.unit, t.unit)
        for v in t.values[:1]
    ]
    target = claimed.values[0]
    made = {a + b for i, a in enumerate(known) for b in known[:i]}
    made |= {abs(a - b) for i, a in enumerate(known) for b in known[:i]}
    made |= {sum(known), *(2 * v for v in known), *(v / 2 for v in known)}
    return any(abs(target - m) <= max(claimed.step / 2, 1e-6 * abs(target)) for m in made)


def _context(span: Span, ours: Facts) -> frozenset[str]:
    """Stems of the claim's sentence around `span`: content words that are no fact themselves."""
    at = next((s for s in ours.segments if s.overlaps(span)), span)
    spans = [q.span for q in ours.quantities] + [d.span for d in ours.dates]
    pieces = re.finditer(r"[^\W\d_][\w'-]*", at.of(ours.judged))
    return frozenset(
        stem(m.group().casefold())
        for m in pieces
        if m.group().casefold() not in STOP_WORDS
        and not any(Span(m.start(), m.end()).shifted(at.start).overlaps(s) for s in spans)
    )


# --- dates and times --------------------------------------------------------------------------


def backs_date(claimed: Date, theirs: Facts) -> bool:
    """Whether a date of the evidence agrees, at the coarser grain of the two.

    What the nearest date leaves out (mostly the year) may be said elsewhere in the evidence.
    """
    if claimed.weekday is not None:
        return _backs_weekday(claimed.weekday, theirs)
    if claimed.is_year_only:
        return _is_written((float(claimed.year or 0),), theirs.judged) or any(
            d.year == claimed.year for d in theirs.dates
        )
    return any(_date_agrees(claimed, d, theirs) for d in theirs.dates)


def backs_clock(claimed: Clock, theirs: Facts) -> bool:
    """Whether the evidence has the time, 12-hour times without am or pm counting as either."""
    for clock in theirs.clocks:
        difference = abs(claimed.minutes - clock.minutes)
        if difference == 0 or (difference == 720 and (claimed.is_open or clock.is_open)):
            return True
    hour, minute = divmod(claimed.minutes, 60)
    if minute:
        written = rf"(?<!\d){hour % 12 or 12}[.:]{minute:02}(?!\d)"
        return re.search(written, theirs.judged) is not None
    # "9 to 5 pm" leaves the nine a plain number.
    return any(q.unit is None and q.values[0] in {hour, hour % 12} for q in theirs.quantities)


def _readings(date: Date) -> tuple[tuple[int | None, int | None], ...]:
    return date.alternatives or ((date.month, date.day),)


def _date_agrees(claimed: Date, stated: Date, theirs: Facts) -> bool:
    if claimed.year and stated.year and claimed.year != stated.year:
        return False
    if claimed.year and not stated.year and not _is_written((claimed.year,), theirs.judged):
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


# --- names ------------------------------------------------------------------------------------

_ALIASES: Final = tuple(
    frozenset(row.split())
    for row in (
        "us usa america american states", "uk britain british england english kingdom",
        "eu europe european union", "germany german deutschland", "france french",
        "spain spanish", "netherlands dutch holland", "switzerland swiss", "greece greek",
        "denmark danish", "poland polish", "wales welsh", "it technology", "hr human",
        "tv television", "ceo chief", "cfo chief", "cto chief",
    )
)  # fmt: skip


def backs_name(claimed: Name, theirs: Facts) -> bool:
    """Whether the evidence has the name, or an alias: last name, acronym, expansion, demonym."""
    if claimed.kind == "identifier":
        return _has_identifier(claimed.parts[0], theirs)
    backed = [_has_word(p, theirs) for p in claimed.parts]
    if all(backed) or _is_abbreviated(claimed.parts, theirs):
        return _agrees_with_first_name(claimed, theirs) if all(backed) else True
    if not any(backed):
        return False
    if backed[-1]:
        return not _clashes_before(claimed.parts, backed, theirs)
    return not _clashes_after(claimed.parts, backed, theirs)


def opening_clash(claimed: Name, ours: Facts, theirs: Facts) -> str | None:
    """The other name in the place of one that opens the claim, or None.

    `Calder approves …` against `Okafor approves …`: both precede the same singular verb.
    """
    word = claimed.parts[0]
    if _has_word(word, theirs) or is_german(ours.judged) or _is_abbreviated((word,), theirs):
        return None
    follower = re.match(r"(?:'s)?\s+([a-z]+)", ours.judged[claimed.span.end :])
    if follower is None or not _is_singular_verb(follower.group(1)) or not _may_be_a_person(word):
        return None
    beside = re.compile(rf"([A-Z][\w'-]+)\s+{re.escape(follower.group(1))}\b")
    for match in beside.finditer(theirs.judged):
        other = match.group(1)
        if other.casefold() not in ours.words | STOP_WORDS and _may_be_a_person(other.casefold()):
            return other
    return None


def _has_word(part: str, theirs: Facts) -> bool:
    if part in theirs.words or any(part in row and row & theirs.words for row in _ALIASES):
        return True
    root = stem(part)
    if any(root in stems for stems in theirs.segment_stems):
        return True
    if "-" in part or "&" in part or "/" in part:
        pieces = [p for p in re.split(r"[-&/]", part) if p]
        return bool(pieces) and all(_has_word(p, theirs) for p in pieces)
    # Demonyms, compounds and near spellings share a long beginning.
    return len(part) >= 5 and any(
        w.startswith(part[: max(5, len(part) - 3)]) or part.startswith(w)
        for w in theirs.words
        if len(w) >= 5
    )


def _has_identifier(identity: str, theirs: Facts) -> bool:
    if any(n.parts[0] == identity for n in theirs.names if n.kind == "identifier"):
        return True
    folded = theirs.judged.casefold()
    squeezed = re.sub(r"[\s()./+_-]", "", folded)
    edge = r"[^\W_]"
    if re.search(rf"(?<!{edge}){re.escape(identity)}(?!{edge})", folded):
        return True
    return len(identity) >= 5 and re.sub(r"[\s()./+_-]", "", identity) in squeezed


def _is_abbreviated(parts: tuple[str, ...], theirs: Facts) -> bool:
    """Initials either way: `ECB` for European Central Bank, and back."""
    if len(parts) > 1:
        initials = "".join(p[0] for p in parts)
        return any(w.startswith(initials) and len(w) <= len(initials) + 1 for w in theirs.words)
    letters = re.sub(r"[^a-z]", "", parts[0]).removesuffix("s") or parts[0]
    if not 2 <= len(letters) <= 6:
        return False
    gap = r"\w*(?:[\s-]+(?:of|the|and|for|in|&|to|on))?[\s-]+"
    spelled = r"\b" + gap.join(map(re.escape, letters)) + r"\w+"
    return re.search(spelled, theirs.judged.casefold()) is not None


def _agrees_with_first_name(claimed: Name, theirs: Facts) -> bool:
    """`Ben Calder` is not backed by Ines Calder and Ben Okafor, though all its words are there."""
    if len(claimed.parts) != 2:
        return True
    first, last = claimed.parts
    runs = [n.parts for n in theirs.names if n.kind == "proper"]
    whole = any(first in r and last in r for r in runs)
    if whole or re.search(rf"\b{re.escape(first)}\W+(?:\w+\W+)?{re.escape(last)}", theirs.judged.casefold()):
        return True
    firsts = {r[0] for r in runs if len(r) == 2 and r[1] == last}
    lasts = {r[1] for r in runs if len(r) == 2 and r[0] == first}
    alone = any(r == (last,) or r == (first,) for r in runs)
    return alone or not (firsts and lasts)


def _clashes_before(parts: tuple[str, ...], backed: list[bool], theirs: Facts) -> bool:
    """The last name is there, but only with another first name."""
    wrong = [p for p, ok in zip(parts, backed, strict=True) if not ok]
    rivals = [
        n.parts for n in theirs.names if len(n.parts) > 1 and n.parts[-1] == parts[-1]
    ]
    return bool(rivals) and all(r[0][0] != wrong[0][0] for r in rivals) and len(parts) == 2


def _clashes_after(parts: tuple[str, ...], backed: list[bool], theirs: Facts) -> bool:
    """The first name is there, but with another last name."""
    last_backed = max(i for i, ok in enumerate(backed) if ok)
    known, wrong = parts[last_backed], parts[last_backed + 1]
    followers = [
        n.parts[n.parts.index(known) + 1]
        for n in theirs.names
        if known in n.parts[:-1] and n.kind == "proper"
    ]
    return bool(followers) and all(f[0] != wrong[0] or len(f) > 1 for f in followers)


_COMMON_ENDINGS: Final = (
    "ing", "tion", "sion", "ment", "ity", "ness", "ance", "ence", "ism", "ware", "ship",
)  # fmt: skip


def _is_singular_verb(word: str) -> bool:
    return word in {"is", "was", "has", "does", "will"} or (
        word.endswith("s") and not word.endswith(("ss", "us", "ns")) and len(word) > 3
    )


def _may_be_a_person(word: str) -> bool:
    return word not in STOP_WORDS and len(word) > 2 and not word.endswith(_COMMON_ENDINGS)
