"""Rows of tables and figures over them: what a sentence says follows from the rows alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.domain.document import Element, ElementKind
from rag.domain.table import Condition, Derivation, Operation, cells_of, whole_tables
from rag.domain.words import Span

ROWS = (
    "item: mast | price: EUR 1,200.50 | colours: red, blue",
    "item: pump | price: EUR 80 | colours: red",
    "item: relay | price: EUR 9.25 | colours: green",
)


def figure(operation: Operation, *conditions: tuple[str, str], column: str = "") -> str | None:
    derivation = Derivation(
        operation=operation, table="Parts", column=column,
        conditions=tuple(Condition(header=h, value=v) for h, v in conditions),
    )  # fmt: skip
    said = derivation.sentence([ROWS[n] for n in derivation.chosen(ROWS)])
    if said is None:
        return None
    assert said[1].of(said[0]) in said[0].partition(": ")[2]
    return said[0]


def test_cells_are_where_they_stand() -> None:
    cells = cells_of(ROWS[0])
    assert [(c.header, c.text) for c in cells] == [
        ("item", "mast"), ("price", "EUR 1,200.50"), ("colours", "red, blue"),
    ]  # fmt: skip
    assert all(c.value.of(ROWS[0]) == c.text for c in cells)


def test_a_cell_without_a_header_and_one_with_a_colon_in_it() -> None:
    assert [(c.header, c.text) for c in cells_of("open | time: 7:00 to 8: 30 | ")] == [
        ("", "open"), ("time", "7:00 to 8: 30"),
    ]  # fmt: skip


@given(st.text(max_size=80))
def test_any_line_is_read_and_values_are_never_empty(line: str) -> None:
    for cell in cells_of(line):
        assert cell.value.of(line) == cell.text
        assert cell.text.strip() == cell.text != ""


def test_rows_are_counted_and_a_value_may_be_one_of_several() -> None:
    assert figure(Operation.COUNT) == "Counted: 3 rows of Parts."
    assert (
        figure(Operation.COUNT, ("colours", "red")) == "Counted: 2 rows of Parts with colours red."
    )
    assert figure(Operation.COUNT, ("item", "pump")) == "Counted: 1 row of Parts with item pump."


def test_a_column_is_added_up_to_the_cent_with_its_currency() -> None:
    assert (
        figure(Operation.SUM, column="price") == "Sum of price over 3 rows of Parts: EUR 1,289.75."
    )


@pytest.mark.parametrize("cell", ["1.234", "1.234,50", "EUR 5 to 9", "5 USD", "none", "2026-11-30"])
def test_what_is_not_plainly_a_number_of_the_same_unit_is_not_added(cell: str) -> None:
    derivation = Derivation(operation=Operation.SUM, table="T", column="v")
    assert derivation.sentence(["k: a | v: EUR 3", f"k: b | v: {cell}"]) is None


def test_a_missing_cell_is_not_added() -> None:
    derivation = Derivation(operation=Operation.SUM, table="T", column="v")
    assert derivation.sentence(["k: a | v: 3", "k: b | w: 4"]) is None


class Passage:
    def __init__(self, document: str, span: Span, elements: tuple[Element, ...]) -> None:
        self.text, self.span, self.elements = span.of(document), span, elements
        self.hidden: tuple[Span, ...] = ()


TABLE = "item | price\nitem: a | price: 1\nitem: b | price: 2\nitem: c | price: 3"
DOCUMENT = f"Prices.\n\n{TABLE}\n\nMore."
PLACE = Span(9, 9 + len(TABLE))
ELEMENTS = (Element(kind=ElementKind.TABLE, span=PLACE),)


def cut(*places: tuple[int, int]) -> list[Passage]:
    return [Passage(DOCUMENT, Span(*p), ELEMENTS) for p in places]


def test_a_table_is_whole_in_one_passage_or_in_several_in_any_order() -> None:
    middle = DOCUMENT.index("item: b")
    every = ["item: a | price: 1", "item: b | price: 2", "item: c | price: 3"]
    for passages in (
        cut((0, len(DOCUMENT))),
        cut((middle, len(DOCUMENT)), (0, middle - 1)),
        cut((9, middle), (middle, PLACE.end)),
    ):
        (rows,) = whole_tables(passages)
        assert [r.span.of(DOCUMENT) for r in rows] == every
        assert all(r.span.overlaps(passages[r.passage].span) for r in rows)


def test_a_row_that_is_shown_twice_counts_once() -> None:
    second, third = DOCUMENT.index("item: b"), DOCUMENT.index("item: c")
    (rows,) = whole_tables(cut((0, third), (second, len(DOCUMENT))))
    assert [r.span.of(DOCUMENT)[:7] for r in rows] == ["item: a", "item: b", "item: c"]


def test_a_row_that_is_cut_makes_a_table_not_whole() -> None:
    middle = DOCUMENT.index("item: b") + 5
    assert whole_tables(cut((0, middle), (middle, len(DOCUMENT)))) == []
    assert whole_tables(cut((0, middle + 9), (middle, len(DOCUMENT)))) == []


def test_a_table_of_which_a_part_is_not_shown_is_not_whole() -> None:
    middle = DOCUMENT.index("item: b")
    assert whole_tables(cut((0, middle))) == []
    assert whole_tables(cut((middle, len(DOCUMENT)))) == []
    assert whole_tables(cut((0, middle), (middle + 5, len(DOCUMENT)))) == []


def whole(table: str) -> list[list[str]]:
    place = Span(0, len(table))
    elements = (Element(kind=ElementKind.TABLE, span=place),)
    return [
        [r.span.of(table) for r in rows] for rows in whole_tables([Passage(table, place, elements)])
    ]


@pytest.mark.parametrize(
    "table",
    [
        "1001 | Acme\n1002 | Beta\n1003 | Core",
        "Our offices\ncity | floor\ncity: Rome | floor: 1",
        "city | floor\ncity: Rome | floor: 1\nTotal",
        "city | floor\ncity: Rome | team: Core",
        "city: Rome | floor: 1\ncity: Oslo | floor: 2",
        "city | floor",
    ],
)
def test_lines_that_do_not_carry_the_first_lines_headers_are_no_table(table: str) -> None:
    assert whole(table) == []


def test_of_two_tables_under_one_heading_none_is_meant() -> None:
    text = "a | b\na: 1 | b: 2\n\na | b\na: 3 | b: 4"
    half = text.index("\n\n")
    spans = (Span(0, half), Span(half + 2, len(text)))
    elements = tuple(Element(kind=ElementKind.TABLE, span=s) for s in spans)
    assert whole_tables([Passage(text, Span(0, len(text)), elements)]) == []


def test_a_table_with_something_hidden_in_it_is_not_whole() -> None:
    (passage,) = cut((0, len(DOCUMENT)))
    passage.hidden = (Span(DOCUMENT.index("item: b"), DOCUMENT.index("item: c")),)
    assert whole_tables([passage]) == []


@pytest.mark.parametrize(
    "rows",
    [
        ("team: X | n: 1", "team: Total | n: 2"),
        ("name: Ada | team: X", "name: Ada | team: Y"),
        ("name: Ada | team: X", "name: Summe | team:"),
    ],
)
def test_totals_and_things_named_twice_are_not_counted(rows: tuple[str, ...]) -> None:
    assert Derivation(operation=Operation.COUNT, table="T").sentence(rows) is None


@pytest.mark.parametrize(
    "cells", [("#12", "#13"), ("< 5", "< 7"), ("12 Mar", "13 Mar"), ("10 %", "20 %")]
)
def test_only_plain_amounts_are_added(cells: tuple[str, str]) -> None:
    rows = [f"k: {n} | v: {cell}" for n, cell in enumerate(cells)]
    assert Derivation(operation=Operation.SUM, table="T", column="v").sentence(rows) is None


def test_a_comma_inside_a_number_parts_nothing() -> None:
    assert not Condition(header="seats", value="1").holds("name: Y | seats: 1,000")
