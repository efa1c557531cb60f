"""The one place where unstructured is imported, made fit for a machine without a network.

At its first text unstructured 0.27 loads a spaCy model, and downloads it where it is missing. It
needs one only to guess which short texts are titles and which are prose; Sworn takes headings from
the format alone, so a stand-in that calls every text one sentence with a verb gives the same
result. With no use left for spaCy itself, its import (3 s where torch is installed) is spared too,
and so are three more that are never used here: a child starts in one second instead of five.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType
from typing import Any, Final

# Before the first import of the package: it reports home while it is being imported.
os.environ["DO_NOT_TRACK"] = "true"
os.environ["SCARF_NO_ANALYTICS"] = "true"
os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    tag_: str = "VB"


@dataclass(frozen=True, slots=True)
class _Doc:
    """What unstructured reads of a spaCy document."""

    text: str

    def __iter__(self) -> Iterator[_Token]:
        return (_Token(match.group()) for match in _TOKEN.finditer(self.text[:1000]))

    @property
    def sents(self) -> tuple[_Token, ...]:
        return (_Token(self.text),)


class _Pipeline:
    """Stands in for spaCy's English pipeline."""

    max_length: Final = 1 << 40

    def __call__(self, text: str) -> _Doc:
        return _Doc(text)


# What unstructured imports and Sworn never lets it use: language detection is off, English words
# count only in language checks, the transformations serve another HTML parser.
_UNUSED: Final[dict[str, dict[str, object]]] = {
    "spacy": {},
    "iso639": {},
    "unstructured.nlp.english_words": {"ENGLISH_WORDS": frozenset()},
    "unstructured.partition.html.transformations": {
        "ontology_to_unstructured_elements": None,
        "parse_html_to_ontology": None,
    },
}


@contextmanager
def _without_unused() -> Iterator[None]:
    """Put empty modules in the place of the unused, for as long as unstructured is imported."""
    stand_ins = {name: names for name, names in _UNUSED.items() if name not in sys.modules}
    for name, names in stand_ins.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(names)
    try:
        yield
    finally:
        # Whoever wants the real ones in this process still gets them.
        for name in stand_ins:
            del sys.modules[name]


with _without_unused():
    from unstructured.documents.elements import ListItem, Text
    from unstructured.nlp import tokenize
    from unstructured.partition.html import parser as html_parser
    from unstructured.partition.html import partition_html
    from unstructured.partition.text_type import is_bulleted_text


def _kind_of(text: str) -> "type[Text]":
    """Stands in for a guess that drops texts of one character and takes most of the time."""
    kind: type[Text] = ListItem if is_bulleted_text(text) else Text
    return kind


def _replace(module: Any, name: str, stand_in: Any) -> None:
    if not hasattr(module, name):
        raise ImportError(f"{module.__name__} has no {name}: this version is not supported")
    setattr(module, name, stand_in)


_PIPELINE: Final = _Pipeline()
_replace(tokenize, "_get_nlp", lambda: _PIPELINE)
_replace(html_parser, "derive_element_type_from_text", _kind_of)


def html_elements(html: str) -> list[Any]:
    """Unstructured's elements of an HTML text."""
    # An empty language switches its detection off: slow, and of no use here.
    return list(partition_html(text=html, languages=[""]))


def docx_elements(data: bytes) -> list[Any]:
    """Unstructured's elements of a Word file."""
    from unstructured.partition.docx import partition_docx

    return list(partition_docx(file=BytesIO(data), languages=[""]))


def pptx_elements(data: bytes) -> tuple[list[Any], dict[int, str]]:
    """Unstructured's elements of a PowerPoint file, and its speaker notes by slide number.

    Notes are read apart: unstructured puts them before their slide's title, unmarked.
    """
    import pptx
    from unstructured.partition.pptx import partition_pptx

    elements = list(partition_pptx(file=BytesIO(data), languages=[""], include_slide_notes=False))
    notes: dict[int, str] = {}
    for number, slide in enumerate(pptx.Presentation(BytesIO(data)).slides, start=1):
        frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if frame is not None and frame.text.strip():
            notes[number] = frame.text.strip()
    return elements, notes
