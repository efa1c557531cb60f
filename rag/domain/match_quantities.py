"""Whether a claim's quantities are backed by its evidence."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rag.domain.extraction import Facts
from rag.domain.numbers import PERIOD_WORDS, Frequency, Quantity
from rag.domain.polarity import polarity
from rag.domain.units import Unit, conversions, convert, same_measure, tolerance
from rag.domain.words import STOP_WORDS, Span, stem

# A count this small may be the writer's own ("three steps"); it is held against evidence only
# where that counts the same thing differently.
_OWN_COUNT_MAX: Final = 12
_ROUNDING_MAX: Final = 0.05
_CONVERTED_MAX: Final = 0.15
_LOOSE_MAX: Final = 0.2
_ALIGNED_MIN: Final = 0.75
_ALIGNED_LEAD: Final = 0.5
_TOTAL: Final = re.compile(
    r"\b(?:total|sum|combined|altogether|together|difference|more than|less than|insgesamt|double"
    r"|twice|half|overall)\b",
    re.IGNORECASE,
)


def backs_quantity(claimed: Quantity, ours: Facts, theirs: Facts) -> bool:
    """Whether an equal, rounded, converted, surrounding or summed value is in the evidence."""
    stated = [t for t in theirs.quantities if _agrees(claimed, t, theirs)]
    if stated:
        return not all(_opposite_bounds(claimed, t, ours, theirs) for t in stated)
    if any(_in_range(claimed, t) for t in theirs.quantities):
        return True
    if claimed.unit is None and (
        is_written(claimed.values, theirs.judged) or _is_ordinal(claimed, ours, theirs)
    ):
        return True
    if _is_own_count(claimed, theirs) or _is_restated(claimed, ours, theirs):
        return True
    return bool(_TOTAL.search(ours.judged)) and _is_derived(claimed, theirs)


def wrong_unit(claimed: Quantity, theirs: Facts) -> bool:
    """Whether the evidence has the number itself, but of something else."""
    return claimed.unit is not None and any(
        other.unit is not None
        and not other.is_implied
        and _near(claimed, claimed.values[0], other.values[0], 1e-6)
        for other in theirs.quantities
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
            or (claimed.unit is None and is_written(claimed.values, segment.of(theirs.judged)))
        ):
            return None
    rivals = [
        t
        for t in theirs.quantities
        if t.span.overlaps(theirs.segments[best]) and _is_rival(claimed, t)
    ]
    if len(rivals) != 1 or _in_range(rivals[0], claimed):
        return None
    # Then the claim tells of both, and orders them another way.
    if any(_agrees(q, rivals[0], theirs) for q in ours.quantities if q.span != claimed.span):
        return None
    if _TOTAL.search(ours.judged) and _is_derived(claimed, theirs):
        return None
    return rivals[0].span


def backs_frequency(claimed: Frequency, theirs: Facts) -> bool:
    """Whether the evidence names the period at all, or no frequency to hold against it."""
    return not theirs.frequencies or bool(PERIOD_WORDS[claimed.period] & theirs.words)


def _agrees(claimed: Quantity, stated: Quantity, theirs: Facts) -> bool:
    if claimed.qualifier and stated.qualifier and claimed.qualifier != stated.qualifier:
        return False
    if claimed.unit is None or stated.unit is None:
        if stated.is_implied or not _unit_may_be_tacit(claimed, stated, theirs):
            return False
        return any(_values_close(claimed, stated)) or any(
            _close(claimed, claimed.values[0], s) for s in _ratio(stated)
        )
    if not same_measure(claimed.unit, stated.unit):
        return False
    units = (stated.unit, claimed.unit)
    limit = tolerance(*units)
    rounding = _ROUNDING_MAX if stated.unit.name == claimed.unit.name else _CONVERTED_MAX
    return any(
        _values_close(
            claimed, stated, lambda v: conversions(v, *units), limit=limit, rounding=rounding
        )
    )


def _unit_may_be_tacit(claimed: Quantity, stated: Quantity, theirs: Facts) -> bool:
    """A bare number backs a unit that the evidence names elsewhere, or names no rival of."""
    unit = claimed.unit
    if unit is None:
        return True
    if stated.unit is not None:
        return False
    if _is_shortened(unit, theirs.judged[stated.span.end : stated.span.end + 24]):
        return True
    ends_cell = bool(_CELL_END.match(theirs.judged, stated.span.end))
    if not ends_cell and not _has_no_noun(stated, theirs):
        return False
    family = [t.unit for t in theirs.quantities if t.unit is not None and not t.is_implied]
    if any(u.name == unit.name for u in family) or unit.name in theirs.words:
        return True
    if unit.name == "year" and theirs.words & _AGE_WORDS:
        return True
    # Money and degrees have rival scales, so a number within a sentence may mean either.
    if not ends_cell and (unit.is_currency or unit.dimension in {"degree", "temperature"}):
        return False
    if unit.is_currency:
        return not any(u.is_currency for u in family) and not _other_money(unit.name, theirs)
    return not any(u.dimension == unit.dimension for u in family) or any(
        w in theirs.words for w in (unit.name + "s", unit.name)
    )


_AGE_WORDS: Final = frozenset({"age", "ages", "aged", "old", "older", "born", "alt"})
_SHORT: Final = re.compile(r"\s*([^\W\d_]{1,6})\b")


def _is_shortened(unit: Unit, after: str) -> bool:
    """Whether the text after a bare number abbreviates the unit: `1/2 c`, `2 T.`, `3 spoons`."""
    found = _SHORT.match(after)
    if found is None or unit.is_currency:
        return False
    word = found.group(1).casefold()
    if len(word) >= 4 and unit.name.endswith(stem(word)):
        return True
    letters = iter(unit.name)
    return word[0] == unit.name[0] and all(c in letters for c in word)


def _has_no_noun(stated: Quantity, theirs: Facts) -> bool:
    """Whether what the number counts is left out: `4 hours or as long as 24`, `ages 21 and 32`."""
    found = _AFTER.match(theirs.judged, stated.span.end)
    return found is None or found.group(1).casefold() in STOP_WORDS


_AFTER: Final = re.compile(r"\s*([^\W_][\w'-]*|[(%-])")
_CODES: Final = {"eur": "€", "usd": "$", "gbp": "£", "chf": "chf", "jpy": "¥"}


def _other_money(name: str, theirs: Facts) -> bool:
    code = name.casefold()
    if code in theirs.words or _CODES.get(code, code) in theirs.judged:
        return False
    return any(c in theirs.words or s in theirs.judged for c, s in _CODES.items() if c != code)


def _ratio(stated: Quantity) -> tuple[float, ...]:
    """A bare 0.15 is also 15 %."""
    return tuple(v * 100 for v in stated.values if stated.unit is None and 0 < v < 1)


def _values_close(
    claimed: Quantity,
    stated: Quantity,
    converted: Callable[[float], tuple[float, ...]] = lambda v: (v,),
    *,
    limit: float = 1e-6,
    rounding: float = _ROUNDING_MAX,
) -> Iterator[bool]:
    for i, value in enumerate(claimed.values):
        for j, other in enumerate(stated.values):
            # A second reading (`1,000` as one) must be met exactly; a bound meets no other bound.
            loose = i == j == 0 and stated.bound is None
            for target in converted(other):
                yield _near(claimed, value, target, limit, rounding if i == j == 0 else 0.0)
                yield loose and _close(claimed, value, target, limit, rounding)


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


def is_written(values: Iterable[float], text: str) -> bool:
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


_ORDINALS: Final = dict(
    enumerate(
        """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
        thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
        twenty-first""".split(),
        start=1,
    )
)
_CENTURY: Final = re.compile(r"(?<!\d)(1[0-9]|20)(\d\d)(?:'?s)?(?!\d)")


def _is_ordinal(claimed: Quantity, ours: Facts, theirs: Facts) -> bool:
    """`18th` for `eighteenth`, and `20th century` where a year of it is named."""
    said = claimed.span.of(ours.judged).casefold()
    if not said.endswith(("st", "nd", "rd", "th")):
        return False
    value = int(claimed.values[0])
    if _ORDINALS.get(value) in theirs.words:
        return True
    return claimed.head == stem("century") and any(
        int(m[1]) + (m[2] != "00") == value for m in _CENTURY.finditer(theirs.judged)
    )


def _is_restated(claimed: Quantity, ours: Facts, theirs: Facts) -> bool:
    """Whether the claim converts another amount of its own, `5 feet 6 inches (168 cm)`."""
    return any(
        other.unit is not None
        and claimed.unit is not None
        and other.unit.name != claimed.unit.name
        and _BESIDE.fullmatch(_between(claimed.span, other.span, ours.judged)) is not None
        and _agrees(claimed, other, ours)
        and any(_agrees(other, t, theirs) for t in theirs.quantities)
        for other in ours.quantities
    )


# In brackets, after a slash, or joined by "or": the same amount once more.
_BESIDE: Final = re.compile(r"[^()/]{0,20}(?:\(|/|=|\bor\b)[^()/]{0,20}")


def _between(one: Span, other: Span, text: str) -> str:
    first, last = sorted((one, other), key=lambda s: s.start)
    return text[first.end : last.start]


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


# What may follow a bare number that stands for itself, as in a table cell or after a colon.
_CELL_END: Final = re.compile(r"[ \t]*(?:[|;)\n]|$|,\s|\.[ \t]*(?:\n|$))")
