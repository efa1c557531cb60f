"""Word, PowerPoint, Excel."""

import io
from datetime import datetime
from typing import Any

import docx
import openpyxl
import pptx


def test_word_headings_numbering_and_tables(read: Any) -> None:
    document = docx.Document()
    document.add_heading("Leave", 1)
    document.add_paragraph("Thirty days a year.")
    document.add_heading("Carry over", 2)
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("ask", style="List Number")
    document.add_paragraph("go", style="List Number")
    table = document.add_table(3, 3)
    for r, row in enumerate((("Year", "Days", "Note"), ("2023", "28", ""), ("2024", "30", "new"))):
        for c, text in enumerate(row):
            table.cell(r, c).text = text
    document.add_paragraph("SHORT AND LOUD")
    buffer = io.BytesIO()
    document.save(buffer)
    parsed = read(buffer.getvalue(), "leave.docx")
    assert read.kinds(parsed) == [
        ("heading", "Leave"),
        ("paragraph", "Thirty days a year."),
        ("heading", "Carry over"),
        ("list_item", "one"),
        ("list_item", "1. ask"),
        ("list_item", "2. go"),
        (
            "table",
            "Year | Days | Note\nYear: 2023 | Days: 28\nYear: 2024 | Days: 30 | Note: new",
        ),
        ("paragraph", "SHORT AND LOUD"),
    ]
    assert parsed.elements[-1].section == ("Leave", "Carry over")
    assert parsed.title == "Leave"


def test_slides_are_pages_with_titles_and_notes(read: Any) -> None:
    deck = pptx.Presentation()
    for number in (1, 2):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text_frame.text = "Short Point"
        slide.notes_slide.notes_text_frame.text = f"Say {number}."
    table = deck.slides[1].shapes.add_table(2, 2, 0, 5_000_000, 5_000_000, 500_000).table
    for r, row in enumerate((("Item", "Cost"), ("desk", "9"))):
        for c, text in enumerate(row):
            table.cell(r, c).text = text
    buffer = io.BytesIO()
    deck.save(buffer)
    parsed = read(buffer.getvalue(), "deck.pptx")
    assert [
        (e.page, *kind) for e, kind in zip(parsed.elements, read.kinds(parsed), strict=True)
    ] == [
        (1, "heading", "Slide 1"),
        (1, "paragraph", "Short Point"),
        (1, "paragraph", "Notes: Say 1."),
        (2, "heading", "Slide 2"),
        (2, "paragraph", "Short Point"),
        (2, "table", "Item | Cost\nItem: desk | Cost: 9"),
        (2, "paragraph", "Notes: Say 2."),
    ]


def test_excel_rows_name_their_columns(read: Any) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Costs"
    sheet.append(["Item", "Price", "From", "Share", "Ok"])
    sheet.append(["desk", 99.5, datetime(2024, 1, 2), 0.25, True])
    sheet["D2"].number_format = "0.0%"
    sheet.append([])
    sheet.append(["chair", 40.0, None, None, None, "spare"])
    book.create_sheet("Blank")
    book.create_sheet("More").append(["alone"])
    buffer = io.BytesIO()
    book.save(buffer)
    parsed = read(buffer.getvalue(), "costs.xlsx")
    assert read.kinds(parsed) == [
        ("heading", "Costs"),
        (
            "table",
            "Item | Price | From | Share | Ok\n"
            "Item: desk | Price: 99.5 | From: 2024-01-02 | Share: 25% | Ok: TRUE\n"
            "Item: chair | Price: 40 | spare",
        ),
        ("heading", "More"),
        ("table", "alone"),
    ]
    assert parsed.elements[1].section == ("Costs",)
