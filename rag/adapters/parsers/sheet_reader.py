"""Spreadsheets and delimited text: every cell, one row a line.

Read directly, because unstructured drops rows and cells of uneven tables and gives no header.
"""

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from typing import Any, Final

from rag.adapters.parsers import guards, tables
from rag.adapters.parsers.canonical import Block, Limits, Reading, heading
from rag.adapters.parsers.decoding import decode
from rag.domain.document import ElementKind
from rag.domain.errors import ParseFailed, TooLarge

CELLS_MAX: Final = 5_000_000
# A sheet may declare 16,384 columns and fill three.
GAP_MAX: Final = 1_000
_DELIMITERS: Final = ",;\t|"


def read_xlsx(data: bytes, limits: Limits) -> Reading:
    """Excel: each sheet a heading and a table; formulas by their last computed values."""
    guards.check_zip(data)
    import openpyxl

    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
    try:
        sheets = [(sheet.title, _xlsx_rows(sheet)) for sheet in book.worksheets]
        return Reading(
            blocks=tuple(_sheets(sheets, limits)), title=(book.properties.title or "").strip()
        )
    finally:
        book.close()


def read_xls(data: bytes, limits: Limits) -> Reading:
    """Excel before 2007."""
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=data, on_demand=True)
    except xlrd.XLRDError as exc:
        raise ParseFailed(f"damaged or encrypted Excel file: {exc}") from exc
    sheets = [(sheet.name, _xls_rows(sheet, book.datemode)) for sheet in book.sheets()]
    return Reading(blocks=tuple(_sheets(sheets, limits)))


def read_csv(data: bytes, limits: Limits) -> Reading:
    """Comma, semicolon, tab or bar separated text in any encoding, rows of any length."""
    text = decode(data).replace("\x00", "")
    return _delimited(text, _delimiter(text), limits)


def read_tsv(data: bytes, limits: Limits) -> Reading:
    """Tab separated text."""
    return _delimited(decode(data).replace("\x00", ""), "\t", limits)


def _delimited(text: str, delimiter: str, limits: Limits) -> Reading:
    before = csv.field_size_limit(limits.text_chars_max)
    try:
        rows = _limited(csv.reader(StringIO(text, newline=""), delimiter=delimiter), limits)
        block = _table(rows)
    except csv.Error as exc:
        raise ParseFailed(f"damaged table: {exc}") from exc
    finally:
        # The limit is the whole process's: others may be reading tables too.
        csv.field_size_limit(before)
    return Reading(blocks=(block,) if block else ())


def _delimiter(text: str) -> str:
    """The separator that splits the first lines most evenly; a comma when none does."""
    lines = [line for line in text[:20_000].splitlines()[:50] if line.strip()]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = [line.count(delimiter) for line in lines]
        if not counts or not counts[0]:
            continue
        common = max(set(counts), key=counts.count)
        score = counts.count(common) / len(counts) * (1 if common else 0) + min(common, 20) / 100
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sheets(
    sheets: Iterable[tuple[str, Iterable[Sequence[str]]]], limits: Limits
) -> Iterator[Block]:
    for name, rows in sheets:
        table = _table(_limited(rows, limits))
        if table:
            yield heading(name, 1)
            yield table


def _table(rows: list[Sequence[str]]) -> Block | None:
    text = tables.render(rows, header=tables.has_header(rows))
    return Block(kind=ElementKind.TABLE, text=text) if text else None


def _limited(rows: Iterable[Sequence[str]], limits: Limits) -> list[Sequence[str]]:
    kept: list[Sequence[str]] = []
    n_cells = n_chars = 0
    for row in rows:
        if not any(row):
            continue
        n_cells += len(row)
        n_chars += sum(map(len, row))
        if n_cells > CELLS_MAX or n_chars > limits.text_chars_max:
            raise TooLarge(f"over {CELLS_MAX} cells or {limits.text_chars_max} characters")
        kept.append(row)
    return kept


def _xlsx_rows(sheet: Any) -> Iterator[list[str]]:
    # The size a sheet declares may be wrong or hostile; what it holds counts.
    sheet.reset_dimensions()
    blank = 0
    for cells in sheet.iter_rows():
        row = [_cell(cell.value, getattr(cell, "number_format", "")) for cell in cells]
        while row and not row[-1]:
            row.pop()
        blank = 0 if row else blank + 1
        if blank > GAP_MAX:
            return
        yield row


def _xls_rows(sheet: Any, datemode: int) -> Iterator[list[str]]:
    import xlrd

    for number in range(sheet.nrows):
        row: list[str] = []
        for cell in sheet.row(number):
            value: Any = cell.value
            if cell.ctype == xlrd.XL_CELL_DATE:
                value = xlrd.xldate_as_datetime(value, datemode)
            elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                value = bool(value)
            row.append(_cell(value, ""))
        yield row


def _cell(value: object, number_format: str) -> str:
    """A cell as people see it: whole numbers without a fraction, midnight as a date."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return _number(value, number_format)
        case dt.datetime() if (value.hour, value.minute, value.second) == (0, 0, 0):
            return value.date().isoformat()
        case dt.datetime():
            return value.isoformat(sep=" ", timespec="minutes" if not value.second else "seconds")
        case _:
            return str(value)


def _number(value: float, number_format: str) -> str:
    if "%" in number_format:
        return f"{round(value * 100, 6):g}%"
    if not isinstance(value, int) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    # Fifteen digits are what a spreadsheet shows: 0.1 + 0.2 reads 0.3.
    return str(value) if isinstance(value, int) else f"{value:.15g}"
