"""Claims that a person labelled, as lines of a file."""

import json
from pathlib import Path

import pytest

from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.labelled import LabelledClaim, labelled_lines, labelled_row

PAIR = JudgePair(claim="Leave is 30 days.", context="How long is leave?", evidence="30 days.")
HERE = Path("labelled.jsonl")


def line(**changes: object) -> str:
    row = labelled_row(LabelledClaim(pair=PAIR, source="q1", supported=True))
    return json.dumps({k: v for k, v in {**row, **changes}.items() if v is not None})


def test_what_was_written_is_read() -> None:
    assert labelled_lines([line(), "", "  "], HERE) == [
        LabelledClaim(pair=PAIR, source="q1", supported=True)
    ]


def test_the_last_label_of_a_pair_counts() -> None:
    (one,) = labelled_lines([line(), line(label="unsupported")], HERE)
    assert not one.supported


def test_the_source_falls_back_to_what_the_claim_answers() -> None:
    assert labelled_lines([line(source=None)], HERE)[0].source == "How long is leave?"
    assert labelled_lines([line(source=None, context=None)], HERE)[0].source == PAIR.claim


@pytest.mark.parametrize(
    "bad",
    ["nonsense", "[1]", line(label="maybe"), line(claim=""), line(evidence=None), line(claim=3)],
)
def test_a_bad_line_is_named(bad: str) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        labelled_lines([line(), bad], HERE)
