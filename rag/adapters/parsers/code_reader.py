"""Source code and configuration: the text as it is, split where its author would."""

import re
from collections.abc import Iterator
from typing import Final

from rag.adapters.parsers.canonical import Block, Limits, Reading, clean
from rag.adapters.parsers.decoding import decode
from rag.domain.document import ElementKind

LINES_MAX: Final = 60

_COMMENT: Final = re.compile(r"\s*(?:#(?!!|include|define|if|endif|else|pragma)|//|--|;|\*|/\*|\"\"\"|''')")


def read_code(data: bytes, limits: Limits) -> Reading:
    """Code blocks in order; their texts joined give the file's text."""
    return Reading(blocks=tuple(_blocks(clean(decode(data)).expandtabs(4))))


def _blocks(text: str) -> Iterator[Block]:
    for part, follows in _parts(text.split("\n")):
        is_comment = all(_COMMENT.match(line) for line in part)
        kind = ElementKind.PARAGRAPH if is_comment else ElementKind.CODE
        yield Block(kind=kind, text="\n".join(part), tight=follows)


def _parts(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """Runs of lines, each with whether it follows the one before without an empty line.

    A run ends at an empty line before unindented text, or when it is long, at any empty line, or
    when it is too long, anywhere.
    """
    part: list[str] = []
    follows = False
    for i, line in enumerate(lines):
        if not line.strip():
            following = lines[i + 1] if i + 1 < len(lines) else ""
            if part and (_is_top(following) or len(part) > LINES_MAX // 2):
                yield part, follows
                part, follows = [], False
            elif part:
                part.append("")
        else:
            part.append(line)
            if len(part) >= LINES_MAX:
                yield part, follows
                part, follows = [], True
    if part:
        yield part, follows


def _is_top(line: str) -> bool:
    return bool(line) and not line[0].isspace() and line[0] not in ")]}"
