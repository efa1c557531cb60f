"""JSON and XML as lines of `path.to.key: value`, records as rows: each fact names itself."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from lxml import etree

from rag.adapters.parsers import guards
from rag.adapters.parsers.canonical import Block, Limits, Reading, paragraph
from rag.adapters.parsers.decoding import decode
from rag.domain.errors import ParseFailed, TooLarge

LEAVES_MAX: Final = 1_000_000
GROUP_LINES_MAX: Final = 40
LONG_TEXT: Final = 200
RECORD_FIELDS_MAX: Final = 20
RECORD_CHARS_MAX: Final = 600

Line = tuple[str, str]


def read_json(data: bytes, _limits: Limits) -> Reading:
    """A JSON value: one paragraph for each top-level entry."""
    value = _loads(decode(data))
    if isinstance(value, list):
        groups = [_leaves(item, "[]") if _is_record(item) else _leaves(item, "") for item in value]
    elif isinstance(value, dict):
        groups = [_leaves(item, str(key)) for key, item in value.items()]
    else:
        groups = [_leaves(value, "")]
    return Reading(
        blocks=tuple(_grouped(groups, merge=isinstance(value, dict))), title=_title(value)
    )


def read_ndjson(data: bytes, _limits: Limits) -> Reading:
    """One JSON value a line: a paragraph for each."""
    lines = [line for line in decode(data).split("\n") if line.strip()]
    return Reading(
        blocks=tuple(_grouped((_leaves(_loads(line), "") for line in lines), merge=False))
    )


def read_xml(data: bytes, _limits: Limits) -> Reading:
    """XML: leaves as lines, text with mark-up in it as paragraphs."""
    guards.check_xml(data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False,
                             remove_comments=True, remove_pis=True)  # fmt: skip
    try:
        root = etree.fromstring(data.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise ParseFailed(f"damaged XML: {exc}") from exc
    attributes = list(_attributes(root, _name(root)))
    groups = (list(_xml_leaves(child, _name(child))) for child in _rows(root))
    found = root.find("./{*}title")
    found = root.find("./{*}channel/{*}title") if found is None else found
    title = "" if found is None else "".join(found.itertext())
    own = [("", root.text.strip())] if root.text and root.text.strip() else []
    return Reading(blocks=tuple(_grouped([[*attributes, *own], *groups], merge=True)), title=title)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise ParseFailed(f"damaged JSON: {exc}") from exc


def _title(value: Any) -> str:
    title = value.get("title") if isinstance(value, dict) else None
    return title if isinstance(title, str) else ""


def _leaves(value: Any, path: str) -> list[Line]:
    """The leaves of a JSON value with their paths, in order; walks without recursion."""
    found: list[Line] = []
    stack: list[tuple[str, Any]] = [(path, value)]
    while stack:
        path, value = stack.pop()
        if path.endswith("]") and _is_record(value):
            found.append(("", _record(value)))
        elif isinstance(value, dict):
            inner = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
            stack.extend(reversed(inner))
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            stack.extend(reversed([(f"{path}[{i}]", item) for i, item in enumerate(value)]))
        elif isinstance(value, list):
            found.append((path, ", ".join(map(_scalar, value))))
        else:
            found.append((path, _scalar(value)))
        if len(found) > LEAVES_MAX:
            raise TooLarge(f"over {LEAVES_MAX} values")
    return [line for line in found if line[1]]


def _is_record(value: Any) -> bool:
    """Whether a list's item reads as one row: an object of a few plain values."""
    return (
        isinstance(value, dict)
        and 1 < len(value) <= RECORD_FIELDS_MAX
        and not any(isinstance(item, dict | list) for item in value.values())
        and sum(len(_scalar(item)) for item in value.values()) <= RECORD_CHARS_MAX
    )


def _record(value: dict[str, Any]) -> str:
    """The row of a record, as a table's would read: `field: value | field: value`."""
    fields = ((key, " ".join(_scalar(item).split())) for key, item in value.items())
    return " | ".join(f"{key}: {text}" for key, text in fields if text)


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _grouped(groups: Iterable[list[Line]], *, merge: bool) -> Iterator[Block]:
    """Paragraphs of lines; single lines of neighbouring groups share one when `merge`."""
    pending: list[str] = []
    for group in groups:
        lines = [_line(path, value) for path, value in group]
        if merge and len(lines) == 1 and len(lines[0]) <= LONG_TEXT:
            pending.append(lines[0])
            continue
        if pending:
            yield from _chunks(pending)
            pending = []
        yield from _chunks(lines)
    yield from _chunks(pending)


def _chunks(lines: list[str]) -> Iterator[Block]:
    for start in range(0, len(lines), GROUP_LINES_MAX):
        yield paragraph("\n".join(lines[start : start + GROUP_LINES_MAX]))


def _line(path: str, value: str) -> str:
    return f"{path}: {value}" if path else value


def _rows(root: Any) -> Iterator[Any]:
    """The records: the root's children, or theirs where the root holds a single wrapper."""
    children = list(root)
    return iter(children[0]) if len(children) == 1 and len(children[0]) > 1 else iter(children)


def _name(node: Any) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _attributes(node: Any, path: str) -> Iterator[Line]:
    for key, value in node.attrib.items():
        name = etree.QName(key).localname
        if value.strip() and name not in {"schemaLocation", "noNamespaceSchemaLocation"}:
            yield f"{path}.{name}", " ".join(value.split())


def _xml_leaves(node: Any, path: str) -> Iterator[Line]:
    yield from _attributes(node, path)
    is_mixed = len(node) and any((child.tail or "").strip() for child in node)
    if len(node) == 0 or is_mixed:
        text = " ".join("".join(node.itertext()).split())
        if text:
            yield ("" if is_mixed or len(text) > LONG_TEXT else path), text
        return
    if (node.text or "").strip():
        yield path, " ".join(node.text.split())
    for child in node:
        name = _name(child)
        if name:
            yield from _xml_leaves(child, f"{path}.{name}")
