"""Minimal pairs: one thing in a supported claim is changed, and the rest stays as it was.

Some edits make the claim unsupported, others leave it supported, so that "edited" never means
"false". Used for training, and with other seeds and sources as probes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

from rag.domain.extraction import Facts, facts
from rag.domain.facts import agreement
from rag.domain.numbers import Quantity
from rag.domain.words import Span

_MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()
_MONTH: Final = "|".join(_MONTHS)
_DAY_FIRST: Final = re.compile(rf"\b(\d{{1,2}}) ({_MONTH})(?:,? (\d{{4}}))?\b")
_MONTH_FIRST: Final = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:,? (\d{{4}}))?\b")
_WORDED: Final = "zero one two three four five six seven eight nine ten eleven twelve".split()
_UNIT_SWAPS: Final = dict(
    pair
    for a, b in (
        ("minutes", "hours"), ("hours", "days"), ("days", "weeks"), ("weeks", "months"),
        ("months", "years"), ("minute", "hour"), ("hour", "day"), ("day", "week"),
        ("week", "month"), ("month", "year"), ("seconds", "minutes"), ("miles", "kilometres"),
        ("feet", "inches"), ("cm", "mm"), ("kg", "g"), ("grams", "kilograms"),
        ("pounds", "ounces"), ("million", "billion"), ("thousand", "million"),
        ("percent", "percentage points"), ("°F", "°C"), ("teaspoon", "tablespoon"),
        ("teaspoons", "tablespoons"), ("cups", "litres"), ("dollars", "euros"),
        ("metres", "kilometres"), ("meters", "kilometers"), ("MB", "GB"), ("decades", "years"),
        ("daily", "weekly"), ("weekly", "monthly"), ("monthly", "annually"),
    )
    for pair in ((a, b), (b, a))
)  # fmt: skip
_OPPOSITES: Final = dict(
    pair
    for a, b in (
        ("more", "less"), ("most", "least"), ("higher", "lower"), ("highest", "lowest"),
        ("increase", "decrease"), ("increases", "decreases"), ("increased", "decreased"),
        ("increasing", "decreasing"), ("before", "after"), ("above", "below"),
        ("larger", "smaller"), ("largest", "smallest"), ("longer", "shorter"),
        ("faster", "slower"), ("older", "younger"), ("earlier", "later"), ("first", "last"),
        ("always", "never"), ("all", "some"), ("every", "hardly any"), ("with", "without"),
        ("at least", "at most"), ("minimum", "maximum"), ("inside", "outside"),
        ("early", "late"), ("open", "closed"), ("allowed", "forbidden"), ("north", "south"),
        ("northern", "southern"), ("east", "west"), ("eastern", "western"), ("male", "female"),
        ("won", "lost"), ("win", "lose"), ("best", "worst"), ("better", "worse"),
        ("strong", "weak"), ("hot", "cold"), ("required", "optional"), ("safe", "dangerous"),
        ("include", "exclude"), ("includes", "excludes"), ("rise", "fall"), ("rose", "fell"),
        ("approved", "rejected"), ("accepted", "refused"), ("start", "end"),
        ("begins", "ends"), ("began", "ended"), ("add", "remove"), ("enable", "disable"),
        ("left", "right"), ("top", "bottom"), ("easy", "difficult"), ("common", "rare"),
        ("fresh", "frozen"), ("public", "private"), ("internal", "external"),
        ("buy", "sell"), ("full", "empty"), ("positive", "negative"), ("major", "minor"),
        ("over", "under"), ("more than", "fewer than"), ("up to", "at least"),
    )
    for pair in ((a, b), (b, a))
)  # fmt: skip
_OPPOSITE: Final = re.compile(
    r"\b(" + "|".join(sorted(map(re.escape, _OPPOSITES), key=len, reverse=True)) + r")\b"
)
_UNIT: Final = re.compile(
    r"(?<=[\d ])(" + "|".join(sorted(map(re.escape, _UNIT_SWAPS), key=len, reverse=True)) + r")\b"
)
_VERB: Final = re.compile(
    r"\b(is|are|was|were|can|could|should|must|will|would|may|might|has|have|had|does|do|did)\b"
    r"(?! not|n't)"
)
_PLAIN_VERB: Final = re.compile(
    r"\b(remains?|includes?|contains?|requires?|allows?|provides?|causes?|helps?|takes?|uses?"
    r"|needs?|offers?|supports?|prevents?|became|received|won|began|moved|made|took|gave|held)\b"
)
_BASE: Final = {
    "became": "become", "won": "win", "began": "begin", "made": "make", "took": "take",
    "gave": "give", "held": "hold", "received": "receive", "moved": "move",
}  # fmt: skip
_NEGATED: Final = re.compile(
    r"\b(?:(is|are|was|were|can|could|should|must|will|would|may|might|has|have|had) not"
    r"|(is|are|was|were|could|should|would|has|have|had|must)n't|(can)not)\b"
)
_HEDGE: Final = re.compile(
    r"\b(?:may|might|could|can) (?=[a-z])|\b(?:usually|typically|generally|often|sometimes"
    r"|probably|possibly|approximately|about|around|nearly|almost|up to|reportedly"
    r"|in most cases|some) (?=\w)",
)
_CLAUSE: Final = re.compile(r",? \([^()]{4,80}\)|, (?:which|who|where)\b[^,.;]{6,120}(?=[,.;]|$)")
_ALIKE: Final = re.compile(
    r"[;:]|\b(?:and|or|with|between|both|met|married|than)\b|^,", re.IGNORECASE
)
_LIST: Final = re.compile(r"\b[\w' -]{3,30}, [\w' -]{3,30},? and (?=[\w' -]{3,30})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A changed claim; `flagged` are the words that are no longer supported, spans in it."""

    kind: str
    claim: str
    supported: bool
    refuted: bool
    flagged: tuple[Span, ...]


Editor = Callable[[Facts, Facts, Random], "tuple[Span, str] | None"]


def broken(claim: str, evidence: str, rng: Random) -> Iterator[Edit]:
    """Edits of each kind that fits, after which `evidence` no longer supports `claim`."""
    ours, theirs = facts(claim), facts(evidence)
    for kind, editor, refutes in _BREAKING:
        found = editor(ours, theirs, rng)
        if found is None:
            continue
        span, new = found
        changed = claim[: span.start] + new + claim[span.end :]
        if changed == claim or changed in evidence:
            continue
        flagged = Span(span.start, span.start + len(new))
        yield Edit(kind=kind, claim=changed, supported=False, refuted=refutes, flagged=(flagged,))


def kept(claim: str, evidence: str, rng: Random) -> Iterator[Edit]:
    """Edits of each kind that fits, after which the claim is as supported as before."""
    ours, theirs = facts(claim), facts(evidence)
    for kind, editor in _KEEPING:
        found = editor(ours, theirs, rng)
        if found is None:
            continue
        span, new = found
        changed = (claim[: span.start] + new + claim[span.end :]).strip()
        # A rewriting that the deterministic checks take for another fact is not shown as true.
        if changed not in ("", claim) and agreement(changed, evidence).holds:
            yield Edit(kind=kind, claim=changed, supported=True, refuted=False, flagged=())


def _number(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    figures = [q for q in ours.quantities if not q.is_implied and q.values]
    if not figures:
        return None
    one = rng.choice(figures)
    said = one.span.of(ours.text)
    others = {
        q.span.of(theirs.text)
        for q in theirs.quantities
        if not q.is_implied and q.is_worded == one.is_worded and set(q.values) != set(one.values)
        and abs(len(q.span) - len(one.span)) <= 3
    }  # fmt: skip
    if others and rng.random() < 0.35:
        return one.span, rng.choice(sorted(others))
    digits = list(re.finditer(r"\d+", said))
    if digits:
        run = rng.choice(digits)
        new = _other_number(run.group(), rng)
        at = Span(one.span.start + run.start(), one.span.start + run.end())
        return at, new
    word = re.search("|".join(rf"\b{w}\b" for w in _WORDED[2:]), said)
    if word is None:
        return None
    new = rng.choice([w for w in _WORDED[2:] if w != word.group()])
    return Span(one.span.start + word.start(), one.span.start + word.end()), new


def _other_number(digits: str, rng: Random) -> str:
    value = int(digits)
    ways = [str(value + 1), str(value * 10), str(value + rng.randint(2, 9))]
    if value > 1:
        ways += [str(value - 1), str(max(1, value // 2)), str(value * 2)]
    if len(digits) > 1:
        at = rng.randrange(len(digits))
        ways += [digits[:at] + rng.choice("123456789") + digits[at + 1 :]] * 3
        swapped = digits[1] + digits[0] + digits[2:]
        ways += [swapped] if swapped[0] != "0" else []
    ways = [w for w in ways if int(w) != value]
    return rng.choice(ways)


def _unit(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    found = [
        m
        for q in ours.quantities
        for m in _UNIT.finditer(ours.text, q.span.start, min(len(ours.text), q.span.end + 18))
    ]
    if not found:
        return None
    one = rng.choice(found)
    return Span(one.start(), one.end()), _UNIT_SWAPS[one.group(1)]


def _date(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    if not ours.dates:
        return None
    span = rng.choice(ours.dates).span
    said = span.of(ours.text)
    others = sorted({d.span.of(theirs.text) for d in theirs.dates} - {said})
    if others and rng.random() < 0.3:
        return span, rng.choice(others)
    options: list[tuple[Span, str]] = []
    for m in re.finditer(_MONTH, said):
        other = rng.choice([x for x in _MONTHS if x != m.group()])
        options.append((Span(span.start + m.start(), span.start + m.end()), other))
    for m in re.finditer(r"\d+", said):
        value = int(m.group())
        step = rng.choice([-10, -3, -2, -1, 1, 2, 3, 10]) if value > 31 else rng.choice([1, 2, 5])
        new = value + step if value > 31 or value + step <= 28 else value - step
        if new > 0 and new != value:
            options.append((Span(span.start + m.start(), span.start + m.end()), str(new)))
    return rng.choice(options) if options else None


def _name(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    mine = [n for n in ours.names if n.kind in {"proper", "acronym"}]
    used = {p for n in ours.names for p in n.parts}
    if not mine:
        return None
    one = rng.choice(mine)
    others = sorted(
        {
            n.span.of(theirs.text)
            for n in theirs.names
            if n.kind == one.kind and not used & set(n.parts) and n.parts
        }
    )
    return (one.span, rng.choice(others)) if others else None


def _exchanged(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    """Two names of the claim change places; not in a list, nor where both do the same."""
    names = [n.span for n in ours.names if n.kind in {"proper", "acronym"}]
    ways = []
    for a, b in pairwise(names):
        between = Span(a.end, b.start).of(ours.text) if a.end < b.start else ""
        differ = a.of(ours.text).casefold() != b.of(ours.text).casefold()
        if differ and len(between.split()) > 1 and not _ALIKE.search(between):
            ways.append((Span(a.start, b.end), b.of(ours.text) + between + a.of(ours.text)))
    return rng.choice(ways) if ways else None


def _negation(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    text = ours.text
    if len(ours.words) < 5 or re.search(r":$|\bhere\b|\bfollow", text, re.IGNORECASE):
        return None
    if negated := list(_NEGATED.finditer(text)):
        one = rng.choice(negated)
        return Span(one.start(), one.end()), next(g for g in one.groups() if g)
    if verbs := list(_VERB.finditer(text)):
        one = verbs[0]
        if one.group(1) in ("does", "do", "did", "has", "have", "had"):
            # "has three" is no auxiliary: negating it that way would be no English.
            after = text[one.end() :].lstrip()[:12]
            if not re.match(r"\w+(?:ed|en|ne)\b", after):
                return None
        return Span(one.start(), one.end()), f"{one.group(1)} not"
    if plain := _PLAIN_VERB.search(text):
        verb = plain.group(1)
        base = _BASE.get(verb, verb.removesuffix("s"))
        helper = "did not" if verb in _BASE else "does not" if verb.endswith("s") else "do not"
        return Span(plain.start(), plain.end()), f"{helper} {base}"
    return None


def _comparison(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    found = list(_OPPOSITE.finditer(ours.text))
    if not found:
        return None
    one = rng.choice(found)
    return Span(one.start(), one.end()), _OPPOSITES[one.group(1)]


def _hedge(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    found = list(_HEDGE.finditer(ours.text))
    if not found:
        return None
    one = rng.choice(found)
    word = one.group().strip().casefold()
    new = {
        "may": "will always", "might": "will", "could": "will", "can": "must",
        "usually": "always", "typically": "always", "generally": "always", "often": "always",
        "sometimes": "always", "some": "all", "about": "exactly", "around": "exactly",
        "approximately": "exactly", "nearly": "more than", "almost": "more than",
        "up to": "at least",
    }.get(word, "certainly")  # fmt: skip
    if one.start() == 0:
        new = new[0].upper() + new[1:]
    return Span(one.start(), one.end()), f"{new} "


def _padding(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    """One more item in a list."""
    found = _LIST.search(ours.text)
    if found is None:
        return None
    known = ours.words | theirs.words
    extras = [x for x in _ITEMS if not set(x.split()) & known]
    if not extras:
        return None
    at = found.start() + found.group().index(", ")
    return Span(at, at), f", {rng.choice(extras)}"


_ITEMS: Final = (
    "training costs", "ginger", "copper", "parking", "insurance", "solar panels", "Portugal",
    "the finance team", "zinc", "seasonal staff", "printers", "overtime pay", "garlic", "Norway",
    "audit fees", "travel vouchers", "silk", "headaches", "chess", "gardening", "legal advice",
    "cinnamon", "laptops", "meal allowances", "mobile phones", "nausea", "cycling", "barley",
)  # fmt: skip


def _number_form(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    ways: list[tuple[Span, str]] = []
    for q in ours.quantities:
        ways += _forms(q, ours)
    return rng.choice(ways) if ways else None


def _forms(q: Quantity, ours: Facts) -> Iterator[tuple[Span, str]]:
    said = q.span.of(ours.text)
    for m in re.finditer(r"\d[\d,]*(?!\.?\d)", said):
        at = Span(q.span.start + m.start(), q.span.start + m.end())
        if at.start > 0 and ours.text[at.start - 1] in ".,/-:":
            continue
        plain = m.group().rstrip(",").replace(",", "")
        value = int(plain)
        if "," in m.group().rstrip(","):
            yield at, plain
        elif 2100 < value < 10**9:
            yield at, f"{value:,}"
        elif 2 <= value <= 12 and said.strip() == m.group():
            yield at, _WORDED[value]
    for m in re.finditer(r"\b(" + "|".join(_WORDED[2:]) + r")\b", said):
        at = Span(q.span.start + m.start(), q.span.start + m.end())
        yield at, str(_WORDED.index(m.group(1)))
    for m in re.finditer(r"%", said):
        yield Span(q.span.start + m.start(), q.span.start + m.end()), " percent"


def _date_form(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    if m := _DAY_FIRST.search(ours.text):
        day, month, year = m.groups()
        forms = [f"{month} {day}, {year}", f"{month[:3]} {day}, {year}"] if year else [
            f"{month} {day}"
        ]  # fmt: skip
    elif m := _MONTH_FIRST.search(ours.text):
        month, day, year = m.groups()
        number = _MONTHS.index(month) + 1
        iso = f"{year}-{number:02}-{int(day):02}"
        forms = [f"{day} {month} {year}", iso, f"{month} {year}"] if year else [f"{day} {month}"]
    else:
        return None
    return Span(m.start(), m.end()), rng.choice(forms)


def _clause_dropped(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    m = _CLAUSE.search(ours.text)
    if m is None or len(ours.text) - len(m.group()) < 30:
        return None
    end = m.end() + (1 if m.group().startswith(",") and ours.text[m.end() :][:1] == "," else 0)
    return Span(m.start(), end), ""


def _decorated(ours: Facts, theirs: Facts, rng: Random) -> tuple[Span, str] | None:
    """Markdown and citation marks change nothing."""
    text = ours.text
    spans = [n.span for n in ours.names] + [q.span for q in ours.quantities]
    way = rng.randrange(3)
    if way == 0 and spans:
        one = rng.choice(spans)
        return one, f"**{one.of(text)}**"
    if way == 1:
        return Span(len(text), len(text)), f" [{rng.randint(1, 5)}]"
    return Span(0, 0), rng.choice(("- ", "* ", f"{rng.randint(1, 9)}. "))


_BREAKING: Final[tuple[tuple[str, Editor, bool], ...]] = (
    ("number", _number, True),
    ("unit", _unit, True),
    ("date", _date, True),
    ("name", _name, False),
    ("exchange", _exchanged, False),
    ("negation", _negation, True),
    ("comparison", _comparison, True),
    ("hedge", _hedge, False),
    ("padding", _padding, False),
)
_KEEPING: Final[tuple[tuple[str, Editor], ...]] = (
    ("number form", _number_form),
    ("date form", _date_form),
    ("clause dropped", _clause_dropped),
    ("decorated", _decorated),
)
BREAKING: Final = tuple(kind for kind, _, _ in _BREAKING)
KEEPING: Final = tuple(kind for kind, _ in _KEEPING)
