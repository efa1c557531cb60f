"""A report as plain text, as Markdown, and as one HTML page: pure functions."""

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from eval.verify.sections import PUBLISHED, Report, Row

_FIRST: Final = "figure"
_TITLE: Final = "How well the judge verifies"


def text(report: Report) -> str:
    """One table with aligned columns, its sections under their titles."""
    columns = (_FIRST, "n", *report.shown_columns())
    lines = [(s, _cells(row, report.shown_columns())) for s in report.sections for row in s.rows]
    widths = [
        max([len(column), *(len(cells[i]) for _, cells in lines)])
        for i, column in enumerate(columns)
    ]
    parts = [*report.head, "", _aligned(columns, widths)]
    for section in report.sections:
        parts += ["", section.title, *([f"({section.note})"] if section.note else [])]
        parts += [_aligned(cells, widths) for s, cells in lines if s is section]
    return "\n".join([*parts, *(("", *report.foot) if report.foot else ())])


def markdown(report: Report, images: Sequence[str]) -> str:
    """The same, a table for each section; `images` are names of files beside it."""
    columns = report.shown_columns()
    parts = [f"# {_TITLE}", "", *(f"- {line}" for line in report.head)]
    parts += [part for name in images for part in ("", f"![{name.partition('.')[0]}]({name})")]
    for section in report.sections:
        parts += ["", f"## {section.title}", "", *([section.note, ""] if section.note else [])]
        used = [c for c in columns if any(c in row.cells for row in section.rows)]
        if section.rows:
            parts += [_piped((_FIRST, "n", *used)), _piped(("---", *["---:"] * (len(used) + 1)))]
        parts += [_piped(_cells(row, used)) for row in section.rows]
    parts += ["", *(f"- {line}" for line in report.foot)]
    return "\n".join(parts) + "\n"


def page(report: Report, images: Mapping[str, tuple[bytes, bytes]]) -> str:
    """The same as one file that needs no other; each image as drawn for light and for dark."""
    columns = report.shown_columns()
    head = "".join(f"<li>{html.escape(line)}</li>" for line in report.head)
    figures = "".join(_picture(title, *drawn) for title, drawn in images.items())
    body = "".join(
        _section(section.title, section.note, section.rows, columns) for section in report.sections
    )
    foot = "".join(f"<li>{html.escape(line)}</li>" for line in report.foot)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_TITLE}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{_TITLE}</h1><ul>{head}</ul>{figures}{body}"
        f"<h2>Sources of published figures</h2><ul>{foot}</ul></main></body></html>\n"
    )


def _cells(row: Row, columns: Sequence[str]) -> tuple[str, ...]:
    shown = (str(row.cells[c]) if c in row.cells else "" for c in columns)
    return (row.name, "" if row.n is None else str(row.n), *shown)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.strip().replace('|', '/') for cell in cells)} |"


def _section(title: str, note: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    used = [c for c in columns if any(c in row.cells for row in rows)]
    heads = "".join(f"<th scope=col>{html.escape(c)}</th>" for c in (_FIRST, "n", *used))
    return (
        f"<h2>{html.escape(title)}</h2><p>{html.escape(note)}</p>"
        f"<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>"
        f"{''.join(_lines(rows, used))}</tbody></table></div>"
    )


def _lines(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    for row in rows:
        name, *cells = (html.escape(cell) for cell in _cells(row, columns))
        kind = " class=published" if PUBLISHED in row.cells else ""
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f"<tr{kind}><th scope=row>{name}</th>{shown}</tr>"


def _picture(title: str, light: bytes, dark: bytes) -> str:
    of_light, of_dark = (base64.b64encode(png).decode("ascii") for png in (light, dark))
    return (
        "<figure><picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{of_dark}">'
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{of_light}">'
        f"</picture><figcaption>{html.escape(title)}</figcaption></figure>"
    )


_STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#5b6570;--line:#d5d9de;--tint:#f4f6f8}
@media (prefers-color-scheme:dark){:root{--paper:#15191e;--ink:#dde3ea;--soft:#93a0ad;--line:#39414b;--tint:#1c2229}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.1rem;margin:2.2rem 0 .2rem}
p,figcaption,main>ul{color:var(--soft);margin:.2rem 0 .6rem}main>ul{padding-left:1.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .8rem .25rem 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th:first-child{text-align:left}tbody th{font-weight:400}thead th{color:var(--soft);font-weight:600}
tr.published{background:var(--tint)}tr.published th{padding-left:1rem;color:var(--soft)}
figure{margin:1.5rem 0}img{max-width:100%;height:auto}
"""
