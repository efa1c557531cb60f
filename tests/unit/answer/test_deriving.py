"""Figures over rows are worked out again: nothing that does not follow from the table stands."""

from dataclasses import replace

import pytest
from support.making import evidence

from rag.answer.deriving import FAILS, HOLDS, worked_out
from rag.domain.claim import Claim, Evidence, Pointer
from rag.domain.document import Element, ElementKind
from rag.domain.table import Condition, Derivation, Operation
from rag.domain.words import Span

TABLE = "room | seats | video\n" + "\n".join(
    f"room: {name} | seats: {seats} | video: {video}"
    for name, seats, video in (("Avocet", 6, "yes"), ("Curlew", 12, "yes"), ("Dunlin", 4, "no"))
)
AT = 100


def shown(*, hidden: tuple[Span, ...] = ()) -> Evidence:
    place = Span(AT, AT + len(TABLE))
    element = Element(kind=ElementKind.TABLE, span=place)
    return replace(
        evidence(), text=TABLE, span=place, elements=(element,), section=("Rooms",), hidden=hidden
    )


def pointer(name: str) -> Pointer:
    start = TABLE.index(f"room: {name}")
    end = TABLE.find("\n", start)
    span = Span(start, end if end >= 0 else len(TABLE))
    return Pointer(evidence=0, span=span.shifted(AT), quote=span.of(TABLE))


VIDEO = Derivation(
    operation=Operation.COUNT, table="Rooms", conditions=(Condition(header="video", value="yes"),)
)
SEATS = Derivation(operation=Operation.SUM, table="Rooms", column="seats")


def holds(text: str, derived: Derivation, *rooms: str, passage: Evidence | None = None) -> bool:
    claim = Claim(
        text=text, span=Span(0, len(text)), pointers=tuple(map(pointer, rooms)), derived=derived
    )
    judgement = worked_out(claim, derived, [passage or shown()])
    assert judgement in (HOLDS, FAILS)
    return judgement is HOLDS


def test_a_count_and_a_sum_that_follow() -> None:
    assert holds("Counted: 2 rows of Rooms with video yes.", VIDEO, "Avocet", "Curlew")
    assert holds("Sum of seats over 3 rows of Rooms: 22.", SEATS, "Avocet", "Curlew", "Dunlin")


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("Counted: 3 rows of Rooms with video yes.", ("Avocet", "Curlew")),
        ("Counted: 1 row of Rooms with video yes.", ("Avocet",)),
        ("Counted: 3 rows of Rooms with video yes.", ("Avocet", "Curlew", "Dunlin")),
        ("Counted: 2 rows of Rooms with video no.", ("Avocet", "Curlew")),
        ("There are two rooms with video.", ("Avocet", "Curlew")),
    ],
)
def test_what_does_not_follow_from_all_rows_that_count(text: str, rooms: tuple[str, ...]) -> None:
    assert not holds(text, VIDEO, *rooms)


def test_a_figure_of_another_table_or_of_a_part_of_one() -> None:
    other = replace(VIDEO, table="Cars")
    assert not holds("Counted: 2 rows of Cars with video yes.", other, "Avocet", "Curlew")
    first = replace(shown(), text=TABLE[:70], span=Span(AT, AT + 70))
    assert not holds("Counted: 2 rows of Rooms with video yes.", VIDEO, "Avocet", passage=first)


def test_a_row_that_is_hidden_does_not_count_unseen() -> None:
    row = pointer("Curlew").span
    assert row is not None
    passage = shown(hidden=(row.shifted(-AT),))
    said = "Counted: 2 rows of Rooms with video yes."
    assert not holds(said, VIDEO, "Avocet", "Curlew", passage=passage)


def test_a_citation_of_nothing() -> None:
    claim = Claim(text="Counted: 0 rows of Rooms.", span=Span(0, 5), pointers=(), derived=VIDEO)
    assert worked_out(claim, VIDEO, [shown()]) is FAILS
    gone = replace(claim, pointers=(Pointer(evidence=3, span=None),))
    assert worked_out(gone, VIDEO, [shown()]) is FAILS
