"""Values come back from their rows as they went in."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.adapters.store import rows
from rag.domain.document import Access, Element, ElementKind
from rag.domain.words import Span

ELEMENTS = st.lists(
    st.builds(
        lambda kind, start, n, section, page: Element(
            kind=kind, span=Span(start, start + n), section=tuple(section), page=page
        ),
        st.sampled_from(list(ElementKind)), st.integers(0, 10**7), st.integers(0, 10**5),
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=3),
        st.none() | st.integers(1, 2000),
    ),
    max_size=20,
)  # fmt: skip


@settings(deadline=None)
@given(ELEMENTS)
def test_elements(elements: list[Element]) -> None:
    assert rows.elements_from_row(rows.elements_to_row(elements)) == tuple(elements)


@settings(deadline=None)
@given(st.frozensets(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
def test_access_lists_are_interned_whatever_their_order(groups: frozenset[str]) -> None:
    row = rows.access_to_row(Access(groups=groups))
    assert rows.access_from_row(row).groups == groups
    assert row == rows.access_to_row(Access(groups=frozenset(sorted(groups, reverse=True))))


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))))
def test_times_keep_their_moment(value: datetime) -> None:
    try:
        value.astimezone(UTC)
    except OverflowError:
        return
    back = rows.time_from_row(rows.time_to_row(value))
    assert back == value
    assert back.utcoffset() == timedelta(0)


def test_times_sort_as_strings() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(microseconds=i * 999_983) for i in range(50)]
    assert sorted(map(rows.time_to_row, times)) == [rows.time_to_row(t) for t in times]
