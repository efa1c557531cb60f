"""Source code and configuration: the text as it is, split where its author would."""

import re
from collections.abc import Iterator
from typing import Final

from rag.adapters.parsers.canonical import Block, Limits, Reading, clean
from rag.adapters.parsers.decoding import decode
from rag.domain.document import ElementKind

LINES_MAX: Final = 60
_QUOTES: Final = ('"""', "'''")

_COMMENT: Final = re.compile(r"\s*(?:#(?!!|include|define|if|endif|else|pragma)|//|--|;|\*|/\*)")


def read_code(data: bytes, _limits: Limits) -> Reading:
    """Code blocks in order; their texts joined give the file's text."""
    return Reading(blocks=tuple(_blocks(clean(decode(data)).expandtabs(4))))


def _blocks(text: str) -> Iterator[Block]:
    for part, follows in _parts(text.split("\n")):
        is_comment = _is_docstring(part) or all(_COMMENT.match(line) for line in part)
        kind = ElementKind.PARAGRAPH if is_comment else ElementKind.CODE
        yield Block(kind=kind, text="\n".join(part), tight=follows)


def _parts(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """Runs of lines, each with whether it follows the one before without an empty line.

    A run ends at an empty line before unindented text, or when it is long, at any empty line, or
    when it is too long, anywhere.
    """
    part: list[str] = []
    follows = quoted = False
    for i, line in enumerate(lines):
        if not line.strip():
            following = lines[i + 1] if i + 1 < len(lines) else ""
            ends = (_is_top(following) and not quoted) or len(part) > LINES_MAX // 2
            if part and ends:
                yield part, follows
                part, follows = [], False
            elif part:
                part.append("")
        else:
            part.append(line)
            # Text in triple quotes is one thing, though its lines are not indented.
            quoted ^= sum(map(line.count, _QUOTES)) % 2 == 1
            if len(part) >= LINES_MAX:
                yield part, follows
                part, follows = [], True
    if part:
        yield part, follows


def _is_docstring(part: list[str]) -> bool:
    text = "\n".join(part).strip()
    return any(
        text.startswith(quote) and text.endswith(quote) and text.count(quote) == 2
        for quote in _QUOTES
    )


def _is_top(line: str) -> bool:
    return bool(line) and not line[0].isspace() and line[0] not in ")]}"
