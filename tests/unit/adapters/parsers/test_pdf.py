"""PDF."""

from typing import Any

import pytest
from fpdf import FPDF
from fpdf.enums import AccessPermission

from rag.adapters.parsers.pdf_reader import _joined
from rag.domain.errors import ParseFailed, TooLarge

SENTENCE = (
    "Nobody may spend more than {} EUR on a night in any hotel without the prior written approval"
    " of the board, which meets on the first Monday of every month."
)


def report(n_pages: int = 4) -> FPDF:
    pdf = FPDF()
    pdf.set_title("Spending rules")
    pdf.set_font("Helvetica", size=11)
    for number in range(1, n_pages + 1):
        pdf.add_page()
        pdf.cell(0, 5, "ACME Confidential", new_x="LMARGIN", new_y="NEXT")
        pdf.start_section(f"Rule {number * number}")
        pdf.cell(0, 8, f"Rule {number * number}", new_x="LMARGIN", new_y="NEXT")
        pdf.multi_cell(0, 5, SENTENCE.format(number), new_x="LMARGIN", new_y="NEXT")
        pdf.multi_cell(0, 5, "- ask\n- wait", new_x="LMARGIN", new_y="NEXT")
        pdf.set_auto_page_break(auto=False)
        pdf.set_y(-20)
        pdf.cell(0, 5, f"Page {number} of {n_pages}")
    return pdf


def test_pdf_paragraphs_pages_and_headings_without_furniture(read: Any) -> None:
    parsed = read(bytes(report().output()), "rules.pdf")
    assert parsed.title == "Spending rules"
    assert read.kinds(parsed)[:4] == [
        ("heading", "Rule 1"),
        ("paragraph", SENTENCE.format(1)),
        ("list_item", "- ask"),
        ("list_item", "- wait"),
    ]
    assert [e.page for e in parsed.elements] == [n for n in range(1, 5) for _ in range(4)]
    assert parsed.elements[-1].section == ("Rule 16",)
    assert "Confidential" not in parsed.text
    assert "of 4" not in parsed.text


def test_words_broken_at_line_ends_are_joined_only_when_known() -> None:
    lines = [
        "A long\x02term plan for Wid\x02getry and inter\x02national pay-",
        "ment in Wid-",
        "getry",
    ]
    assert _joined(lines, {"widgetry"}) == (
        "A long-term plan for Widgetry and international payment in Widgetry"
    )  # fmt: skip


def test_pdf_without_text_too_long_or_encrypted(read: Any) -> None:
    blank = FPDF()
    blank.add_page()
    with pytest.raises(ParseFailed, match="no text"):
        read(bytes(blank.output()), "scan.pdf")
    with pytest.raises(TooLarge, match="4 pages, over the limit of 3"):
        read(bytes(report().output()), "rules.pdf", pages_max=3)
    locked = report()
    locked.set_encryption("owner", "user", permissions=AccessPermission.none())
    with pytest.raises(ParseFailed, match="encrypted"):
        read(bytes(locked.output()), "locked.pdf")


def test_pdf_headings_by_size_and_paragraphs_by_distance(read: Any) -> None:
    pdf = FPDF()
    pdf.add_page()
    for size, text in (
        (16, "Bonus scheme"),
        (11, "Owner: Maren Oduya."),
        (14, "Who takes part"),
        (11, SENTENCE.format(5)),
        (11, "It is paid in April."),
        (14, "Payment"),
        (11, SENTENCE.format(6)),
    ):
        pdf.set_font("Helvetica", size=size)
        pdf.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
    pdf.set_auto_page_break(auto=False)
    pdf.set_y(-15)
    pdf.set_font("Helvetica", size=8)
    pdf.cell(0, 5, "Bonus scheme - page 1")
    parsed = read(bytes(pdf.output()), "bonus.pdf")
    assert read.kinds(parsed) == [
        ("heading", "Bonus scheme"),
        ("paragraph", "Owner: Maren Oduya."),
        ("heading", "Who takes part"),
        ("paragraph", SENTENCE.format(5)),
        ("paragraph", "It is paid in April."),
        ("heading", "Payment"),
        ("paragraph", SENTENCE.format(6)),
    ]
    assert parsed.elements[-1].section == ("Bonus scheme", "Payment")
