"""Reading documents in this process, as the child does it, and the invariants of every reading."""

import unicodedata
from dataclasses import asdict

import pytest

from rag.adapters.parsers import child
from rag.adapters.parsers.canonical import Limits
from rag.domain.document import Element, ElementKind, ParsedDocument
from rag.domain.errors import ParseFailed, TooLarge
from rag.domain.words import Span


class Reader:
    """Reads bytes under a name and checks what must hold for any document."""

    def __call__(
        self, data: bytes, name: str, media_type: str = "", **limits: int
    ) -> ParsedDocument:
        header = {"uri": name, "media_type": media_type, "limits": asdict(Limits(**limits))}
        answer = child.parse(data, header)
        if "error" in answer:
            error = TooLarge if answer["error"] == TooLarge.code else ParseFailed
            raise error(answer["message"])
        elements = tuple(
            Element(
                kind=ElementKind(kind), span=Span(start, end), section=tuple(section), page=page
            )
            for kind, start, end, section, page in answer["elements"]
        )
        parsed = ParsedDocument(
            text=answer["text"], elements=elements, title=answer["title"], parser="test"
        )
        check(parsed)
        return parsed

    @staticmethod
    def kinds(parsed: ParsedDocument) -> list[tuple[str, str]]:
        """Kind and text of each element."""
        return [(e.kind.value, e.span.of(parsed.text)) for e in parsed.elements]


@pytest.fixture
def read() -> Reader:
    return Reader()


def check(parsed: ParsedDocument) -> None:
    text = parsed.text
    assert unicodedata.is_normalized("NFC", text)
    assert "\r" not in text
    assert "\x00" not in text
    text.encode("utf-8")
    assert parsed.title.strip()
    end = 0
    for element in parsed.elements:
        assert element.span.start >= end
        assert element.span.of(text).strip()
        assert not text[end : element.span.start].strip(), "all text lies in elements"
        end = element.span.end
    assert not text[end:].strip()
