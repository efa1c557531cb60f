"""What the first judge measures of a claim and its evidence: pure functions, no weights.

Every feature is a share in [0, 1], a small count or the logarithm of a length, so that a linear
model can read them. The order is that of `FEATURES`; `hinged` adds the bends.
"""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rag.adapters.windows import Idf
from rag.domain.extraction import Facts, facts
from rag.domain.facts import Agreement, agreement
from rag.domain.words import STOP_WORDS, Span, sentence_spans, stem, word_spans

_PREFIX: Final = 5
# Comparing word by word grows with the product of the two lengths.
_WORDS_MAX: Final = 200
_SEGMENT_MAX: Final = 400
_BOILERPLATE: Final = re.compile(
    r"\b(?:based on|according to|provided|given|mentioned|stated|the (?:passages?|context|text))\b",
    re.IGNORECASE,
)
_ABSTAINS: Final = re.compile(
    r"\b(?:unable to|cannot (?:be )?(?:answer|determin|provid|find)"
    r"|(?:do|does|did) not (?:mention|provide|contain|specify|state|include"
    r"|explicitly|directly|give)|no (?:information|mention|specific)"
    r"|not (?:mentioned|specified|provided|stated|clear|possible))",
    re.IGNORECASE,
)
_ELABORATES: Final = re.compile(
    r"\b(?:making|allowing|ensur\w+|helps?|helping|which (?:can|may|is|are)|due to|because"
    r"|in order to|such as|including|like|for example|e\.g|depending on|resulting|leading)\b",
    re.IGNORECASE,
)
_ADVISES: Final = re.compile(
    r"\b(?:important to|it is (?:recommended|advis\w+|best|always|essential|crucial)"
    r"|recommend\w*|consult\w*|make sure|note that|keep in mind"
    r"|should (?:be|always|also)|overall"
    r"|in (?:summary|conclusion|general)|generally|typically|usually|often|may (?:vary|not|be)"
    r"|can vary|however)\b",
    re.IGNORECASE,
)
_REPLIES: Final = frozenset({"yes", "yeah", "ok", "okay", "ja", "nein"})
_MODALS: Final = re.compile(
    r"\b(?:must|may|might|can|could|should|shall|will|would)\b", re.IGNORECASE
)
_DENIALS: Final = re.compile(
    r"\b(?:not|no|never|without|unless|except|only|none|nor|cannot|\w+n't|nicht|kein\w*|nie|ohne)\b",
    re.IGNORECASE,
)

FEATURES: Final = (
    "coverage", "coverage_idf", "coverage_best", "coverage_pair", "coverage_prefix",
    "bigrams", "trigrams", "fourgrams", "longest_run", "order_best", "coverage_context",
    "uncovered_count", "uncovered_run", "uncovered_idf_max", "uncovered_idf_sum", "novel_idf_sum",
    "novel_share", "novel_pairs",
    "number", "unit", "date", "name", "negation", "facts_backed", "has_facts",
    "denial_gap", "modal_gap", "words_log", "evidence_log", "copied", "boilerplate", "abstains",
    "elaborates", "advises", "opens_list", "asks", "first_person", "covered_none",
)  # fmt: skip

# Where more coverage means more than proportionally more.
_KNOTS: Final = {
    "coverage_idf": (0.5, 0.8), "coverage_best": (0.4, 0.7), "coverage_pair": (0.6, 0.85),
    "bigrams": (0.3, 0.6), "trigrams": (0.2, 0.5), "fourgrams": (0.2, 0.5),
    "longest_run": (0.3, 0.6), "words_log": (2.0, 3.0), "uncovered_count": (2.0, 5.0),
}  # fmt: skip
# A wrong fact in an otherwise copied sentence weighs more than one in a free sentence.
_PRODUCTS: Final = (
    ("number", "bigrams"), ("unit", "bigrams"), ("date", "bigrams"), ("name", "bigrams"),
    ("negation", "bigrams"), ("denial_gap", "order_best"), ("modal_gap", "order_best"),
)  # fmt: skip
COLUMNS: Final = (
    *FEATURES,
    *(f"{n}>{k}" for n, knots in _KNOTS.items() for k in knots),
    *(f"{a}*{b}" for a, b in _PRODUCTS),
)
"""Names of the columns that `hinged` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A claim read against its evidence.

    `values` has one number for each of `FEATURES`. `is_copy`: all but a word in ten stand in one
    sentence, in order; `is_verbatim`: the claim is whole sentences of the evidence, word for word;
    `is_empty`: it has no content word to hold against anything ("Yes.", "They can."). `flagged` are the claim's words without any
    counterpart, merged where they adjoin, and its disagreeing facts; spans in the claim.
    `evidence_span` is the best-aligned sentence, with a neighbour where that adds much.
    """

    values: tuple[float, ...]
    agreement: Agreement
    is_copy: bool
    is_verbatim: bool
    is_empty: bool
    flagged: tuple[Span, ...]
    evidence_span: Span

    @property
    def named(self) -> dict[str, float]:
        """The values by their names."""
        return dict(zip(FEATURES, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Words of a text as stems, with their spans; `run` is them all, spaced, for look-up."""

    spans: tuple[Span, ...]
    stems: tuple[str, ...]
    run: str


def read(claim: str, context: str, evidence: str, idf: Idf) -> Reading:
    """Measure `claim` against `evidence`; `context` (question, previous sentence) only explains."""
    ours, theirs = facts(claim), facts(evidence)
    agreed = agreement(claim, evidence)
    words = _tokens(ours.judged)
    content = [i for i, s in enumerate(words.stems) if _is_content(words.spans[i].of(ours.judged))]
    known = _vocabulary(evidence)
    missing = [i for i in content if not _is_known(words.stems[i], known)]
    best, span = _best_place(tuple(words.stems[i] for i in content), theirs, idf)
    is_copy = agreed.holds and _is_copy(words, theirs)
    values = (
        _coverage_values(words, content, missing, theirs, idf=idf, best=best)
        | _run_values(words, _tokens(theirs.judged).run)
        | _missing_values(words, missing, idf)
        | _novel_values(words, content, missing, _vocabulary(context), idf)
        | _fact_values(ours, agreed)
        | _wording_values(claim, ours, theirs, best)
        | {
            "coverage_context": _share(content, words, _vocabulary(context)),
            "words_log": math.log1p(len(words.stems)),
            "evidence_log": math.log1p(len(theirs.words)),
            "copied": float(is_copy),
            "order_best": _order(words, theirs, best),
        }
    )
    return Reading(
        values=tuple(values[name] for name in FEATURES),
        agreement=agreed,
        is_copy=is_copy,
        is_empty=all(_says_nothing(words.stems[i]) for i in content)
        and not _values(ours) & _values(theirs),
        is_verbatim=_is_whole(ours.judged, evidence, theirs.judged),
        flagged=_flagged(ours.judged, words, missing, agreed),
        evidence_span=span,
    )


def hinged(values: tuple[float, ...]) -> tuple[float, ...]:
    """`values`, for some their excess over each knot, and products: the columns of `COLUMNS`."""
    named = dict(zip(FEATURES, values, strict=True))
    bends = (max(0.0, named[name] - k) for name, knots in _KNOTS.items() for k in knots)
    products = (named[a] * named[b] for a, b in _PRODUCTS)
    return (*values, *bends, *products)


def idf_from(table: Mapping[str, float], unknown: float) -> Idf:
    """Look-up in a table of weights; what is not in it is rare and weighs `unknown`."""
    return lambda stemmed: table.get(stemmed, unknown)


@lru_cache(maxsize=512)
def _tokens(judged: str) -> _Tokens:
    spans = word_spans(judged)
    stems = tuple(stem(s.of(judged).casefold()) for s in spans)
    return _Tokens(spans, stems, f" {' '.join(stems)} ")


def _is_content(word: str) -> bool:
    return word.casefold() not in STOP_WORDS


@lru_cache(maxsize=512)
def _vocabulary(text: str) -> frozenset[str]:
    """Stems of the text, and their first letters marked `~` for looser look-up."""
    stems = frozenset[str]().union(*facts(text).segment_stems)
    return stems | {f"~{s[:_PREFIX]}" for s in stems if len(s) >= _PREFIX}


def _is_known(stemmed: str, known: frozenset[str]) -> bool:
    if stemmed in known:
        return True
    parts = [p for p in re.split(r"[-/.'_]", stemmed) if p]
    return len(parts) > 1 and all(stem(p) in known or p in STOP_WORDS for p in parts)


def _share(content: list[int], words: _Tokens, known: frozenset[str]) -> float:
    return sum(_is_known(words.stems[i], known) for i in content) / max(1, len(content))


def _coverage_values(
    words: _Tokens, content: list[int], missing: list[int], theirs: Facts, *, idf: Idf, best: int
) -> dict[str, float]:
    stems = [words.stems[i] for i in content]
    total = sum(map(idf, stems)) or 1.0
    gone = sum(idf(words.stems[i]) for i in missing)
    nothing = not content
    at = theirs.segment_stems
    single = at[best] if at else frozenset[str]()
    # Support may be spread: the best sentence with the one that adds most to it.
    left = [s for s in stems if not _is_known(s, single)]
    added = max((sum(idf(s) for s in left if _is_known(s, seg)) for seg in at), default=0.0)
    alone = total - sum(map(idf, left))
    loose = sum(
        _is_known(s, single) or f"~{s[:_PREFIX]}" in _vocabulary(theirs.text) for s in stems
    )
    return {
        "coverage": 1.0 - len(missing) / max(1, len(content)),
        "coverage_idf": 1.0 - gone / total,
        "coverage_best": 1.0 if nothing else alone / total,
        "coverage_pair": 1.0 if nothing else (alone + added) / total,
        "coverage_prefix": loose / max(1, len(stems)),
        "covered_none": float(bool(content) and len(missing) == len(content)),
    }


def _run_values(words: _Tokens, run: str) -> dict[str, float]:
    n = min(len(words.stems), _WORDS_MAX)
    longest = max((_run_from(words.stems[:n], i, run) for i in range(n)), default=0)
    values = {"longest_run": longest / max(1, n)}
    for size, name in ((2, "bigrams"), (3, "trigrams"), (4, "fourgrams")):
        grams = [f" {' '.join(words.stems[i : i + size])} " for i in range(n - size + 1)]
        values[name] = sum(g in run for g in grams) / max(1, len(grams))
    return values


def _run_from(stems: tuple[str, ...], start: int, run: str) -> int:
    end = start
    while end < len(stems) and f" {' '.join(stems[start : end + 1])} " in run:
        end += 1
    return end - start


def _missing_values(words: _Tokens, missing: list[int], idf: Idf) -> dict[str, float]:
    weights = [idf(words.stems[i]) for i in missing]
    longest = current = 0
    for before, i in zip([-9, *missing], missing, strict=False):
        # Stop words between two missing words do not end a run.
        current = current + 1 if i - before <= 2 else 1
        longest = max(longest, current)
    return {
        "uncovered_count": float(min(10, len(missing))),
        "uncovered_run": float(min(6, longest)),
        "uncovered_idf_max": max(weights, default=0.0),
        "uncovered_idf_sum": math.log1p(sum(weights)),
    }


def _novel_values(
    words: _Tokens, content: list[int], missing: list[int], asked: frozenset[str], idf: Idf
) -> dict[str, float]:
    """Words that neither the evidence nor the question and the previous sentence have."""
    novel = [i for i in missing if not _is_known(words.stems[i], asked)]
    total = sum(idf(words.stems[i]) for i in content) or 1.0
    weight = sum(idf(words.stems[i]) for i in novel)
    pairs = sum(b - a <= 2 for a, b in itertools.pairwise(novel))
    return {
        "novel_idf_sum": math.log1p(weight),
        "novel_share": weight / total,
        "novel_pairs": float(min(5, pairs)),
    }


def _fact_values(ours: Facts, agreed: Agreement) -> dict[str, float]:
    found = [d.kind for d in agreed.disagreements]
    n_facts = sum(not q.is_implied for q in ours.quantities) + len(ours.dates) + len(ours.clocks)
    n_facts += sum(n.kind != "opening" for n in ours.names)
    wrong = sum(kind != "negation" for kind in found)
    return {
        **{
            kind: float(min(2, found.count(kind)))
            for kind in ("number", "unit", "date", "name", "negation")
        },
        "facts_backed": max(0.0, 1.0 - wrong / n_facts) if n_facts else 0.0,
        "has_facts": float(n_facts > 0),
    }


def _says_nothing(stemmed: str) -> bool:
    return len(stemmed) < 2 or stemmed.isdigit() or stemmed in _REPLIES


def _values(some: Facts) -> frozenset[float]:
    return frozenset(v for q in some.quantities for v in q.values)


def _wording_values(claim: str, ours: Facts, theirs: Facts, best: int) -> dict[str, float]:
    near = theirs.segments[best].of(theirs.judged) if theirs.segments else ""
    gaps = {
        name: float(min(2, abs(len(p.findall(ours.judged)) - len(p.findall(near)))))
        for name, p in (("denial_gap", _DENIALS), ("modal_gap", _MODALS))
    }
    return gaps | {
        "boilerplate": float(bool(_BOILERPLATE.search(claim))),
        "abstains": float(bool(_ABSTAINS.search(claim))),
        "elaborates": float(min(3, len(_ELABORATES.findall(claim)))),
        "advises": float(min(3, len(_ADVISES.findall(claim)))),
        "opens_list": float(claim.rstrip().endswith(":")),
        "asks": float(claim.rstrip().endswith("?")),
        "first_person": float(bool(re.search(r"\b(?:I|I'm|me|my)\b", claim))),
    }


def _best_place(stems: tuple[str, ...], theirs: Facts, idf: Idf) -> tuple[int, Span]:
    """The segment that covers most of the claim, and its span, widened where that pays."""
    if not theirs.segments:
        return 0, Span(0, 0)
    total = sum(map(idf, stems)) or 1.0

    def covered(*at: int) -> float:
        return sum(idf(s) for s in stems if any(_is_known(s, theirs.segment_stems[i]) for i in at))

    best = max(range(len(theirs.segments)), key=covered)
    span = theirs.segments[best]
    beside = [i for i in (best - 1, best + 1) if 0 <= i < len(theirs.segments)]
    gain, other = max(((covered(best, i) - covered(best), i) for i in beside), default=(0.0, best))
    if gain / total >= _WIDEN_MIN:
        pair = theirs.segments[other]
        span = Span(min(span.start, pair.start), max(span.end, pair.end))
    return best, span


_WIDEN_MIN: Final = 0.2


def _order(words: _Tokens, theirs: Facts, best: int) -> float:
    """The longest common subsequence with the best segment, as a share of the claim's words."""
    if not theirs.segments or not words.stems:
        return 0.0
    near = _tokens(theirs.segments[best].of(theirs.judged)).stems
    ours = words.stems[:_WORDS_MAX]
    return len(_common(ours, near[:_SEGMENT_MAX])) / len(ours)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> list[int]:
    """Places in `other` of a longest common subsequence."""
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            same = one[i] == other[j]
            rows[i][j] = rows[i + 1][j + 1] + 1 if same else max(rows[i + 1][j], rows[i][j + 1])
    places: list[int] = []
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            places.append(j)
            i, j = i + 1, j + 1
        elif rows[i + 1][j] >= rows[i][j + 1]:
            i += 1
        else:
            j += 1
    return places


_COPY_MIN: Final = 0.9
_COPY_WORDS_MIN: Final = 3


def _is_copy(words: _Tokens, theirs: Facts) -> bool:
    """Whether the claim is a (nearly) verbatim run of one sentence, with its denials kept."""
    n = len(words.stems)
    if not _COPY_WORDS_MIN <= n <= _WORDS_MAX:
        return False
    for segment, known in zip(theirs.segments, theirs.segment_stems, strict=True):
        if sum(s in known for s in words.stems) < _COPY_MIN * n:
            continue
        text = segment.of(theirs.judged)
        near = _tokens(text)
        if len(near.stems) > _SEGMENT_MAX:
            continue
        places = _common(words.stems, near.stems)
        if len(places) < _COPY_MIN * n:
            continue
        covered = text[near.spans[places[0]].start : near.spans[places[-1]].end]
        if len(_DENIALS.findall(covered)) == sum(bool(_DENIALS.fullmatch(s)) for s in words.stems):
            return True
    return False


_ITEM: Final = re.compile(r"[ \t]*(?:[-+*•·‣|>#]|\(?\w{1,3}[.)]\s)")


def _is_whole(claim: str, evidence: str, judged: str) -> bool:
    """Whether the claim is one or more whole sentences, list items or table rows, word for word.

    Case and markup aside. A part of a sentence is not enough: what it leaves out may deny it
    ("It is not true that ...") or bind it to a condition.
    """
    ours = [s.of(claim).casefold() for s in word_spans(claim)]
    if len(ours) < _COPY_WORDS_MIN:
        return False
    spans = word_spans(judged)
    theirs = [s.of(judged).casefold() for s in spans]
    places = [i for i, word in enumerate(theirs) if word == ours[0]]
    runs = [i for i in places if theirs[i : i + len(ours)] == ours]
    edges = _edges(evidence) if runs else ()

    def is_edge(i: int) -> bool:
        """Whether a sentence, item or row ends or begins between the words `i - 1` and `i`."""
        if i in (0, len(spans)):
            return True
        return any(spans[i - 1].end <= edge <= spans[i].start for edge in edges)

    return any(is_edge(i) and is_edge(i + len(ours)) for i in runs)


def _edges(text: str) -> frozenset[int]:
    """Where sentences, list items and table rows begin and end.

    A line break alone ends nothing: lines may be wrapped in the middle of a sentence.
    """
    spans = list(sentence_spans(text))
    spans += [
        Span(line.start(), line.end())
        for line in re.finditer(r"[^\n]+", text)
        if _ITEM.match(line.group())
    ]
    return frozenset(place for span in spans for place in (span.start, span.end))


def _flagged(
    judged: str, words: _Tokens, missing: list[int], agreed: Agreement
) -> tuple[Span, ...]:
    spans = [words.spans[i] for i in missing] + [d.claim_span for d in agreed.disagreements]
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        if merged and not judged[merged[-1].end : span.start].strip():
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        elif span.start < span.end:
            merged.append(span)
    return tuple(merged)
