"""Negation and opposites: what a sentence denies, and where two sentences pull apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rag.domain.words import STOP_WORDS, Span, stem, word_spans

NEGATORS: Final = frozenset(
    """not no never nor neither none nobody nothing cannot can't don't doesn't didn't won't
    isn't aren't wasn't weren't shouldn't mustn't couldn't wouldn't hasn't haven't hadn't needn't
    dont doesnt didnt isnt arent wasnt werent shouldnt couldnt wouldnt hasnt havent hadnt
    nicht kein keine keinen keiner keinem keines nie niemals""".split()
)
# Words that deny by meaning. They never negate a word here; they only make us doubt.
_DENIALS: Final = frozenset(
    """unable fail failed fails lack lacks refuse refused exclude excluded excludes excluding
    except exception unless only however avoid avoided stop stopped prevent prevents deny denied
    decline declined reject rejected zero little few rarely seldom hardly barely prohibited
    prohibit forbid forbidden banned ban instead rather free exempt unlike but although
    though despite otherwise whereas contrast conversely neither unauthorized unauthorised illegal impossible ineligible
    invalid unnecessary optional waived waive void without ohne if when wenn falls until verboten
    ausgenommen außer ausgeschlossen nur sondern""".split()
)
_BREAKS: Final = re.compile(r"[.;:!?|\n]|,(?=\s)|\b(?:but|unless|if|because|which|that|while)\b")
_SCOPE_MAX: Final = 4

# Opposites, either side given by stems' full words.
_OPPOSITES: Final = (
    ("allowed allow allows permitted permit permits",
     "prohibited prohibit forbidden forbid banned"),
    ("increase increased increases increasing rise rises rose risen grew grow grows raised raise",
     """decrease decreased decreases decreasing fall falls fell fallen declined decline drop dropped
     reduce reduced reduces shrank lowered"""),
    ("accept accepted accepts", "reject rejected rejects refused"),
    ("approved approve approves", "rejected reject denied deny declined"),
    ("required mandatory compulsory obligatory", "optional voluntary"),
    ("include included includes including", "exclude excluded excludes excluding"),
    ("enable enabled enables", "disable disabled disables"),
    ("internal", "external"), ("higher", "lower"), ("highest", "lowest"), ("above", "below"),
    ("longer", "shorter"), ("earlier", "later"), ("maximum", "minimum"), ("paid", "unpaid"),
    ("always", "never"), ("before", "after"), ("succeeded", "failed"),
    ("full-time", "part-time"), ("encrypted", "unencrypted"), ("open", "closed"),
    ("valid", "invalid expired"), ("possible", "impossible"), ("eligible", "ineligible"),
    ("all every", "none"), ("more", "fewer less"), ("hot", "cold"), ("inside", "outside"),
    ("erlaubt gestattet", "verboten untersagt"), ("vor", "nach"),
)  # fmt: skip
_SIDES: Final = {
    word: (row, side)
    for row, pair in enumerate(_OPPOSITES)
    for side, names in enumerate(pair)
    for word in names.split()
}


# Prepositions and the like oppose only before the same word: `before noon`, `after noon`.
_BOUND_TO_NEXT: Final = frozenset(
    {"before", "after", "above", "below", "all", "every", "more", "fewer", "less", "vor", "nach",
     "inside", "outside"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Polarity:
    """What a sentence denies and which side of an opposition it takes.

    `words` gives each content stem its first span; `negated` each denied stem the span of its
    negator; `sides` is (row of opposites, side, span, stem). `doubtful` says that something else
    in it may deny too, so that a comparison proves nothing. `opens_with` is the stem of the content
    word it begins with, empty if a pronoun stands there, whose meaning is open; `lacks_subject`
    says that it begins with its negated verb.
    """

    words: tuple[tuple[str, Span], ...]
    negated: tuple[tuple[str, Span], ...]
    sides: tuple[tuple[str, int, Span, str], ...]
    n_negators: int
    doubtful: bool
    opens_with: str
    lacks_subject: bool

    @property
    def content(self) -> frozenset[str]:
        """The stems of its content words."""
        return frozenset(s for s, _ in self.words)

    @property
    def taken(self) -> frozenset[tuple[str, int]]:
        """The (row, side) pairs it takes."""
        return frozenset((row, side) for row, side, _, _ in self.sides)


@lru_cache(maxsize=8_192)
def polarity(text: str, at: Span) -> Polarity:
    """The polarity of `text[at]`, where `text` is as `judged_text` gives it; spans in `text`."""
    spans = [s.shifted(at.start) for s in word_spans(at.of(text))]
    tokens = [s.of(text).casefold() for s in spans]
    negators = [i for i in range(len(tokens)) if _negates(tokens, i)]
    scopes = {i: _scope(text, at, spans, tokens, i) for i in negators}
    content: dict[str, Span] = {}
    for token, span in zip(tokens, spans, strict=True):
        if token not in STOP_WORDS and token not in NEGATORS:
            content.setdefault(stem(token), span)
    return Polarity(
        words=tuple(content.items()),
        negated=tuple((s, spans[i]) for i in negators for s in scopes[i]),
        sides=tuple(_sides(tokens, spans)),
        n_negators=len(negators),
        # What "S corporations cannot." denies stands elsewhere.
        doubtful=any(t in _DENIALS or _has_denying_prefix(t) for t in tokens)
        or not all(scopes.values()),
        opens_with=_subject(tokens),
        lacks_subject=bool(tokens) and tokens[0] in _BARE_OPENINGS,
    )


_PRONOUNS: Final = frozenset("it they he she this that these those both es sie er dies".split())


_BARE_OPENINGS: Final = frozenset(
    "do does did don't doesn't didn't dont doesnt didnt not cannot can't".split()
)


def _subject(tokens: list[str]) -> str:
    for token in tokens:
        if token in _PRONOUNS:
            return ""
        if token not in STOP_WORDS and token not in NEGATORS:
            return stem(token)
    return ""


def _sides(tokens: list[str], spans: list[Span]) -> Iterator[tuple[str, int, Span, str]]:
    for i, (token, span) in enumerate(zip(tokens, spans, strict=True)):
        if token not in _SIDES:
            continue
        row, side = _SIDES[token]
        following = ""
        if token in _BOUND_TO_NEXT:
            following = next((stem(t) for t in tokens[i + 1 :] if t not in STOP_WORDS), "")
        yield f"{row} {following}", side, span, stem(token)


def _negates(tokens: list[str], i: int) -> bool:
    token = tokens[i]
    following = tokens[i + 1] if i + 1 < len(tokens) else ""
    if token in NEGATORS:
        # "not only", "no later than", "no. 5" and "no longer" deny nothing by themselves.
        return following not in {"only", "just", "later", "less", "fewer", "more", "matter"}
    return token.endswith("n't")


def _scope(text: str, at: Span, spans: list[Span], tokens: list[str], i: int) -> list[str]:
    """Stems of the few content words after a negator, up to the end of its clause."""
    stop = _BREAKS.search(text, spans[i].end, at.end)
    limit = stop.start() if stop else at.end
    found: list[str] = []
    for span, token in zip(spans[i + 1 :], tokens[i + 1 :], strict=True):
        if span.start >= limit or len(found) == _SCOPE_MAX:
            break
        if token not in STOP_WORDS:
            found.append(stem(token))
    return found


_DENYING_PREFIX: Final = re.compile(
    r"un(?!der|i[otvq]|til|less)|non-|dis(?!c[ou]|tan|tri|play|h|k|p(?:atch|ens|at))"
    r"|in(?:valid|correct|complete|eligible|sufficient|capable|active|accessible|appropriate)"
    r"|im(?:possible|proper|permissible)|ir(?:relevant|regular)|il(?:legal)"
)


def _has_denying_prefix(token: str) -> bool:
    return len(token) > 5 and _DENYING_PREFIX.match(token) is not None
