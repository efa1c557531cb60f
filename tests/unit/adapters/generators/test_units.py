"""Units are exact spans that can be quoted on their own."""

from datetime import UTC, datetime

from rag.adapters.generators.units import units_of
from rag.domain.claim import Evidence, Source
from rag.domain.document import Element, ElementKind
from rag.domain.ids import ChunkId, DocumentId, SiloId, digest_text
from rag.domain.words import Span

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def passage(parts: list[tuple[ElementKind, str]], offset: int = 0) -> Evidence:
    """Evidence of elements that stand `offset` into their version."""
    elements, text = [], ""
    for kind, part in parts:
        start = offset + len(text)
        elements.append(Element(kind=kind, span=Span(start, start + len(part)), section=("Top",)))
        text += part + "\n\n"
    text = text.rstrip("\n")
    return Evidence(
        chunk_ids=(ChunkId(1),), text=text, span=Span(offset, offset + len(text)), section=(),
        page=None, score=1.0, dense=0.5, elements=tuple(elements),
        source=Source(
            document_id=DocumentId("doc_1"), silo=SiloId("s"), key="a.md", title="T", uri="",
            version=digest_text(text), raw_digest=digest_text(text), modified_at=NOW,
            observed_at=NOW, confirmed_at=NOW,
        ),
    )  # fmt: skip


def texts(evidence: Evidence) -> list[str]:
    units = units_of(0, evidence)
    for unit in units:
        assert unit.span.shifted(-evidence.span.start).of(evidence.text) == unit.text
    return [unit.text for unit in units]


def test_paragraph_falls_into_its_sentences_and_spans_count_in_the_version() -> None:
    evidence = passage([(ElementKind.PARAGRAPH, "One is one. Two is two.")], offset=1000)
    assert texts(evidence) == ["One is one.", "Two is two."]
    assert units_of(0, evidence)[1].span == Span(1012, 1023)


def test_sentence_over_several_lines_is_one_unit() -> None:
    assert texts(passage([(ElementKind.PARAGRAPH, "The rule holds\nfor everyone.")])) == [
        "The rule holds\nfor everyone."
    ]


def test_table_gives_its_rows_without_the_header_line() -> None:
    table = "Room | Seats\nRoom: A | Seats: 4\nRoom: B | Seats: 8"
    assert texts(passage([(ElementKind.TABLE, table)])) == [
        "Room: A | Seats: 4",
        "Room: B | Seats: 8",
    ]


def test_list_items_stand_under_the_line_that_introduces_them() -> None:
    evidence = passage(
        [
            (ElementKind.PARAGRAPH, "Bring these:"),
            (ElementKind.LIST_ITEM, "- a lamp"),
            (ElementKind.LIST_ITEM, "- a rope"),
        ]
    )
    assert [u.lead for u in units_of(0, evidence)] == ["", "Bring these:", "Bring these:"]


def test_heading_is_context_and_never_a_unit() -> None:
    evidence = passage([(ElementKind.HEADING, "Leave"), (ElementKind.PARAGRAPH, "It is long.")])
    assert texts(evidence) == ["It is long."]


def test_comment_is_quoted_with_the_code_below_it() -> None:
    evidence = passage(
        [(ElementKind.PARAGRAPH, "# How often we try."), (ElementKind.CODE, "TRIES = 5\nPAUSE = 1")]
    )
    assert texts(evidence)[0] == "# How often we try.\n\nTRIES = 5"


def test_record_of_a_configuration_stays_whole() -> None:
    text = "services:\n  - name: weir\n    slo: 99.99\n  - name: sluice\n    slo: 99.9"
    assert "- name: weir\n    slo: 99.99" in texts(passage([(ElementKind.CODE, text)]))[0]
