"""What became of the sentences of a model that lies."""

from eval.lies import Told, summary
from rag.testing.scripted_llm import falsified


def one(*, is_lie: bool, left: bool) -> Told:
    return Told(question="q1", text="x", is_lie=is_lie, left=left)


def test_lies_withheld_and_truths_kept_are_counted_apart() -> None:
    every = [
        *[one(is_lie=True, left=False)] * 3, one(is_lie=True, left=True),
        *[one(is_lie=False, left=True)] * 9, one(is_lie=False, left=False),
    ]  # fmt: skip
    figures = summary(every)
    assert (figures["lies withheld"].n_right, figures["lies withheld"].n) == (3, 4)
    assert (figures["truths kept"].n_right, figures["truths kept"].n) == (9, 10)
    assert summary([])["lies withheld"].n == 0


def test_a_lie_is_never_in_the_number_of_a_list_item() -> None:
    assert falsified("3. Open the mail within 7 days.").startswith("3. ")
    assert falsified("3. Open the mail within 7 days.") != "3. Open the mail within 7 days."
    assert falsified("5 days of leave.") != "5 days of leave."
