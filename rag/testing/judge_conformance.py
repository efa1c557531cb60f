"""What every judge must do: checks that its author runs against one that is loaded.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_conformance(check, judge): await check(judge)

A check raises AssertionError with what was expected. That a judge judges well is not checked.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from rag.domain.claim import Judgement, JudgePair, Unchecked

_PASSAGE: Final = (
    "Supplier invoices are paid within 45 days of receipt. Ines Calder approves any invoice above "
    "EUR 10,000. Travel costs must not be booked on project accounts."
)
_OTHER: Final = "The canteen serves lunch from noon to 2 pm. On Fridays there is fish."
_CLAIMS: Final = (
    "Supplier invoices are paid within 45 days of receipt.",
    "Suppliers wait 30 days for their money.",
    "An invoice of EUR 12,000 needs Ben Okafor's approval.",
    "- **Travel costs** may be booked on project accounts [1]",
)
_ODD: Final = ("?", "1.", "|---|", "\n", "ﬁ ½ €", "e\u0301 \U0001f600", "x" * 3_000, "no " * 300)
# Batches of other sizes round otherwise, and int8 activations are scaled by the batch.
_NEAR: Final = 0.05


class JudgeLike(Protocol):
    """The part of the ports `Judge` and `Scorer` that judges."""

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]: ...


Check = Callable[[JudgeLike], Awaitable[None]]


async def check_one_judgement_per_pair_in_order(judge: JudgeLike) -> None:
    """Each pair is judged together with others as it is alone, whatever stands beside it."""
    pairs = [_pair(c, e) for c in (*_CLAIMS, "", "x" * 3_000) for e in (_PASSAGE, _OTHER, "")]
    pairs += pairs[:8]
    together = await judge.judge(pairs)
    _require(len(together) == len(pairs), "one judgement per pair")
    for pair, found in zip(pairs, together, strict=True):
        (alone,) = await judge.judge([pair])
        _require(_is_near(found, alone), f"the place of {pair!r}: {alone}, found {found}")


async def check_probabilities_and_spans_are_in_bounds(judge: JudgeLike) -> None:
    """Probabilities leave room for each other; spans lie in the claim and in the evidence."""
    texts = (*_CLAIMS, *_ODD, _PASSAGE, f"{_OTHER} " * 20)
    pairs = [_pair(claim, evidence) for claim in texts for evidence in texts]
    for pair, found in zip(pairs, await judge.judge(pairs), strict=True):
        if isinstance(found, Judgement):
            _require_bounds(pair, found)
        else:
            _require(found.reason, "what is not checked says why")


async def check_nothing_gives_nothing(judge: JudgeLike) -> None:
    """No pairs, no judgements."""
    _require(len(await judge.judge([])) == 0, "no judgements for no pairs")


async def check_nothing_supports_nothing(judge: JudgeLike) -> None:
    """An empty claim or empty evidence is never supported."""
    pairs = [_pair(*p) for p in (("", _PASSAGE), (_CLAIMS[0], ""), (_CLAIMS[0], " \n"), ("", ""))]
    for pair, found in zip(pairs, await judge.judge(pairs), strict=True):
        is_zero = isinstance(found, Judgement) and found.p_supported == found.p_refuted == 0.0
        _require(is_zero, f"probabilities 0 for {pair!r}, found {found}")


CHECKS: Final[tuple[Check, ...]] = (
    check_one_judgement_per_pair_in_order,
    check_probabilities_and_spans_are_in_bounds,
    check_nothing_gives_nothing,
    check_nothing_supports_nothing,
)
"""All of them."""


def _pair(claim: str, evidence: str) -> JudgePair:
    return JudgePair(claim=claim, context="Who pays, and when?", evidence=evidence)


def _is_near(one: Judgement | Unchecked, other: Judgement | Unchecked) -> bool:
    if not (isinstance(one, Judgement) and isinstance(other, Judgement)):
        return one == other
    return (
        abs(one.p_supported - other.p_supported) <= _NEAR
        and abs(one.p_refuted - other.p_refuted) <= _NEAR
        and one.evidence_span == other.evidence_span
    )


def _require_bounds(pair: JudgePair, found: Judgement) -> None:
    _require(0.0 <= found.p_supported <= 1.0, f"a probability, found {found}")
    _require(0.0 <= found.p_refuted <= 1.0 - found.p_supported + 1e-9, f"room, found {found}")
    for span in found.flagged:
        _require(0 <= span.start < span.end <= len(pair.claim), f"{span} in {pair.claim!r}")
    place = found.evidence_span
    _require(0 <= place.start <= place.end <= len(pair.evidence), f"{place} in {pair.evidence!r}")


def _require(holds: object, message: str) -> None:
    if not holds:
        raise AssertionError(f"expected: {message}")
