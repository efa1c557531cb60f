"""Whether a claim's quantities are backed by its evidence."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rag.domain.extraction import Facts
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


def backs_quantity(claimed: Quantity, ours: Facts, theirs: Facts) -> bool:
    """Whether an equal, rounded, converted, surrounding or summed value is in the evidence."""
    stated = [t for t in theirs.quantities if _agrees(claimed, t, theirs)]
    if stated:
        return not all(_opposite_bounds(claimed, t, ours, theirs) for t in stated)
    if any(_in_range(claimed, t) for t in theirs.quantities):
        return True
    if claimed.unit is None and (is_written(claimed.values, theirs.judged)):
        return True
    if _is_own_count(claimed, theirs):
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
    if stated.unit is not None or not _CELL_END.match(theirs.judged, stated.span.end):
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
