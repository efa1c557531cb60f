"""Measures of rankings, against figures worked out by hand."""

import math
from collections.abc import Sequence

import pytest

from eval import metrics
from eval.retrieval.measures import Passage, difference, estimate, is_at, measure
from eval.retrieval.sets import Asked, Gold
from rag.domain.ids import ChunkId
from rag.domain.words import Span


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals have tests of their own; here they only cost time."""
    monkeypatch.setattr(metrics, "_RESAMPLES", 50)


def passage(document: str, start: int = 0, end: int = 10, text: str = "") -> Passage:
    return Passage(chunk_id=ChunkId(1), document=document, span=Span(start, end), text=text)


def asked(*gold: Gold) -> Asked:
    return Asked(id="q", question="?", gold=gold, source="q")


def of_documents(*names: str) -> Asked:
    return asked(*(Gold(document=n) for n in names))


def ranking(names: str) -> list[Passage]:
    return [passage(n) for n in names]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hit@1", 0.0),
        ("hit@2", 1.0),
        ("recall@2", 1 / 3),
        ("recall@5", 2 / 3),
        ("all@5", 0.0),
        ("all@9", 1.0),
        ("MRR@5", 1 / 2),
        ("MRR@1", 0.0),
        # Gold at places 2 and 4 of five; the best would be places 1, 2 and 3.
        ("nDCG@5", (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2)),
        # Only two places count, so only two of the three can be wanted there.
        ("nDCG@2", (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        ("documents@4", 2 / 3),
    ],
)
def test_measures_of_a_ranking_of_documents(name: str, value: float) -> None:
    # a and b are found second and fourth, c sixth.
    found = ranking("xaybzc")
    assert measure(name)(found, of_documents("a", "b", "c")) == pytest.approx(value)


def test_a_perfect_ranking_has_an_ndcg_of_one() -> None:
    assert measure("nDCG@10")(ranking("bac"), of_documents("a", "b")) == 1.0


def test_second_passages_of_a_document_take_no_place_in_a_ranking_of_documents() -> None:
    found = ranking("xxxa")
    assert measure("MRR@10")(found, of_documents("a")) == 1 / 2
    assert measure("hit@2")(found, of_documents("a")) == 1.0


def test_but_they_do_where_the_gold_is_a_place() -> None:
    found = [passage("a", 0, 10), passage("a", 10, 20), passage("a", 20, 30)]
    wanted = asked(Gold(document="a", span=Span(22, 25)))
    assert measure("MRR@10")(found, wanted) == pytest.approx(1 / 3)
    assert measure("hit@2")(found, wanted) == 0.0


def test_gold_that_two_passages_show_counts_once() -> None:
    found = [passage("a", 0, 10), passage("a", 5, 15)]
    wanted = asked(Gold(document="a", span=Span(6, 9)), Gold(document="b", span=Span(0, 3)))
    best = 1 + 1 / math.log2(3)
    assert measure("nDCG@10")(found, wanted) == pytest.approx(1 / best)


@pytest.mark.parametrize(("limit", "value"), [(10, 0.0), (14, 0.5), (15, 0.625), (40, 1.0)])
def test_characters_are_counted_up_to_the_limit_and_the_last_passage_is_cut(
    limit: int, value: float
) -> None:
    found = [passage("b", 0, 10), passage("a", 100, 110), passage("a", 104, 114)]
    # Four of the eight characters come with the first four of the second passage.
    wanted = asked(Gold(document="a", span=Span(100, 104)), Gold(document="a", span=Span(104, 108)))
    assert measure(f"chars@{limit}")(found, wanted) == pytest.approx(value)


def test_gold_that_overlaps_counts_its_characters_once() -> None:
    wanted = asked(Gold(document="a", span=Span(0, 6)), Gold(document="a", span=Span(4, 8)))
    assert measure("chars@4")([passage("a", 0, 100)], wanted) == 0.5


def test_a_quotation_has_to_stand_in_the_passage_whatever_its_white_space() -> None:
    gold = Gold(document="a", quote="EUR  140")
    assert is_at(gold, passage("a", text="A hotel costs eur\n140."))
    assert not is_at(gold, passage("a", text="A hotel costs EUR 185."))
    assert not is_at(gold, passage("b", text="EUR 140"))


@pytest.mark.parametrize("name", ["nDCG", "nDCG@", "nDCG@0", "nDCG@-1", "precision@3"])
def test_a_measure_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no measure"):
        measure(name)


def test_mean_and_interval_of_a_measure() -> None:
    found = estimate([1.0, 0.0, 1.0, 1.0], ["a", "b", "c", "d"])
    assert found.value == 0.75
    assert found.interval is not None
    assert found.interval[0] <= 0.75 <= found.interval[1]
    assert estimate([0.25, 0.75], ["a", "a"]).interval is None


def test_a_steady_change_is_certain_though_the_means_spread() -> None:
    theirs: Sequence[float] = [0.1, 0.9, 0.3, 0.7]
    found = difference([v + 0.05 for v in theirs], theirs, ["a", "b", "c", "d"])
    assert found.value == pytest.approx(0.05)
    assert found.interval == pytest.approx((0.05, 0.05))


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate([], [])
