"""The last question of a conversation, made to stand alone."""

import pytest

from rag.answer.conversation import self_contained


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        (["How many days of leave are there?"], "How many days of leave are there?"),
        (["How many days of leave do I get?", "And for part-time employees?"],
         "How many days of leave do I get (for part-time employees)?"),
        (["How much is refunded for meals?", "and hotels", "what about taxis?"],
         "How much is refunded for meals (taxis)?"),
        (["What is an API token?", "How long is it valid?"], "How long is it valid (API token)?"),
        (["What is the travel policy?", "Why?"], "Why (travel policy)?"),
        (["Who leads sales?", "Who leads finance?"], "Who leads finance?"),
        (["Hello", "How long is the probation?"], "How long is the probation?"),
        (["How many days of leave are there?", "Who approves invoices that exceed 5,000 euros?"],
         "Who approves invoices that exceed 5,000 euros?"),
        (["How many days of leave are there?", "Is there a gym in the Berlin office?"],
         "Is there a gym in the Berlin office?"),
        (["How many days of leave are there?", "ok thanks"], "ok thanks"),
        (["?!", "How long is it valid?"], "How long is it valid?"),
        (["Wie lange dauert die Probezeit?", "Und für Lehrlinge?"],
         "Wie lange dauert die Probezeit (für Lehrlinge)?"),
    ],
)  # fmt: skip
def test_what_it_points_at_is_taken_from_before(asked: list[str], question: str) -> None:
    assert self_contained(asked) == question
