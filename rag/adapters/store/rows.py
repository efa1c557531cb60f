"""Between domain values and table rows, in both directions."""

import json
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from rag.domain.document import Access, Element, ElementKind
from rag.domain.words import Span


def time_to_row(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds, so that strings sort like times."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_from_row(value: str) -> datetime:
    return datetime.fromisoformat(value)


def access_to_row(access: Access) -> str:
    return json.dumps(sorted(access.groups), ensure_ascii=False)


def access_from_row(value: str) -> Access:
    return Access(groups=frozenset(json.loads(value)))


def elements_to_row(elements: Sequence[Element]) -> bytes:
    """Compressed JSON; section paths are stored once each."""
    sections: dict[tuple[str, ...], int] = {}
    rows = [
        [
            e.kind.value,
            e.span.start,
            e.span.end,
            e.page,
            sections.setdefault(e.section, len(sections)),
        ]
        for e in elements
    ]
    return zlib.compress(
        json.dumps([list(sections), rows], ensure_ascii=False, separators=(",", ":")).encode(), 3
    )


def elements_from_row(value: bytes) -> tuple[Element, ...]:
    sections, rows = json.loads(zlib.decompress(value))
    paths = [tuple(s) for s in sections]
    return tuple(
        Element(kind=ElementKind(kind), span=Span(start, end), page=page, section=paths[section])
        for kind, start, end, page, section in rows
    )
