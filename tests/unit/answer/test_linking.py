"""The cited place in the source's own address."""

import pytest

from rag.answer.linking import place_in_source


@pytest.mark.parametrize(
    ("uri", "page", "place"),
    [
        (
            "https://wiki.example/leave",
            None,
            "https://wiki.example/leave#:~:text=28%20days%2C%20paid",
        ),
        (
            "https://wiki.example/a.html",
            None,
            "https://wiki.example/a.html#:~:text=28%20days%2C%20paid",
        ),
        ("https://wiki.example/plan.pdf", 7, "https://wiki.example/plan.pdf#page=7"),
        ("file:///srv/Plan.PDF", 7, "file:///srv/Plan.PDF#page=7"),
        ("file:///srv/leave.md", None, "file:///srv/leave.md"),
        ("https://wiki.example/data.csv", None, "https://wiki.example/data.csv"),
        ("https://wiki.example/leave#rules", None, "https://wiki.example/leave#rules"),
        ("mid:123@mail.example", None, "mid:123@mail.example"),
        ("", None, ""),
        ("http://[x", None, "http://[x"),
    ],
)
def test_the_place_that_a_reader_of_its_kind_finds(uri: str, page: int | None, place: str) -> None:
    assert place_in_source(uri, page, "28 days,\npaid") == place
