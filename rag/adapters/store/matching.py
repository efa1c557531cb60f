"""The lexical index's query for a question's terms.

FTS5 scores every text that holds any of the terms before it keeps the best, at some
microseconds each, so frequent words make a question slow: 0.2 s for five over 100,000 texts.
"""

from collections.abc import Mapping, Sequence
from typing import Final

# As many texts are scored in about 50 ms. Below it nothing is left out. Measured: eval/bench.
SCORED_MAX: Final = 20_000


def any_of(terms: Sequence[str]) -> str:
    """The query that any of the terms matches."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


def telling_of(
    terms: Sequence[str], counts: Mapping[str, int], scored_max: int = SCORED_MAX
) -> str:
    """The query for texts that hold one of the rarer terms; the others then count for the score.

    `counts` says how many texts hold each term. The rarest are taken while they come to at most
    `scored_max` texts; where even the rarest is in more, a text must hold the two rarest.
    """
    known = sorted((t for t in terms if counts[t]), key=lambda t: counts[t])
    total, n_telling = 0, 0
    for term in known:
        total += counts[term]
        n_telling += total <= scored_max
    if total <= scored_max:
        return any_of(terms)
    telling = any_of(known[:n_telling]) or " AND ".join(any_of([t]) for t in known[:2])
    return f"({telling}) AND ({any_of(known)})"
