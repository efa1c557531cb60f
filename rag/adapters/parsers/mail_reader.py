"""Mail: who, when and what, then the body, quoted parts apart, then the attachments."""

import email
import email.policy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from rag.adapters.parsers.canonical import Block, Limits, Reading, clean, paragraph
from rag.adapters.parsers.decoding import decode
from rag.adapters.parsers.html_text import read_html_text
from rag.adapters.parsers.text_reader import is_item, join_wrapped
from rag.domain.document import ElementKind
from rag.domain.errors import ParseFailed

ATTACHMENT_BYTES_MAX: Final = 1_000_000
PARTS_MAX: Final = 1_000

_TEXT_NAMES: Final = (
    ".txt",
    ".md",
    ".csv",
    ".tsv",
    ".log",
    ".json",
    ".xml",
    ".yaml",
    ".yml",
    ".ics",
    ".html",
    ".htm",
)
_ATTRIBUTION: Final = re.compile(
    r"(?:On .{6,200} wrote|Am .{6,200} schrieb.{0,80}|Le .{6,200} a écrit)\s?:"
    r"|-{2,} ?Original Message ?-{2,}",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    sender: str
    to: str
    date: str
    subject: str
    body: str
    html: str
    attachments: tuple[tuple[str, bytes], ...]


def read_eml(data: bytes, _limits: Limits) -> Reading:
    """A message as RFC 5322 has it."""
    message = email.message_from_bytes(data.lstrip(b"\r\n"), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise ParseFailed("not a mail message: no headers")
    return _reading(
        _Mail(
            sender=_header(message, "From"),
            to=_header(message, "To"),
            date=_header(message, "Date"),
            subject=_header(message, "Subject"),
            body=_body(message, "plain"),
            html=_body(message, "html"),
            attachments=tuple(_attachments(message)),
        )
    )


def read_msg(data: bytes, _limits: Limits) -> Reading:
    """A message as Outlook saves it."""
    import oxmsg

    try:
        message = oxmsg.Message.load(data)
        headers = {key.casefold(): value for key, value in message.message_headers.items()}
        mail = _Mail(
            sender=message.sender or "",
            to=headers.get("to", "") or ", ".join(r.email_address for r in message.recipients),
            date=message.sent_date.isoformat(sep=" ") if message.sent_date else "",
            subject=message.subject or "",
            body=message.body or "",
            html=message.html_body or "",
            attachments=tuple(
                (a.file_name or "", a.file_bytes or b"") for a in message.attachments
            ),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OSError) as exc:
        raise ParseFailed(f"damaged Outlook message: {exc}") from exc
    return _reading(mail)


def _reading(mail: _Mail) -> Reading:
    named = (("From", mail.sender), ("To", mail.to), ("Date", mail.date), ("Subject", mail.subject))
    head = "\n".join(f"{name}: {' '.join(value.split())}" for name, value in named if value)
    body = body_blocks(mail.body) if mail.body.strip() else _html_blocks(mail.html)
    blocks = (paragraph(head), *body, *_attachment_blocks(mail.attachments))
    return Reading(blocks=blocks, title=mail.subject)


def body_blocks(text: str) -> Iterator[Block]:
    """Paragraphs of a plain body; runs of quoted lines are paragraphs of their own."""
    for is_quoted, lines in _runs(clean(text).split("\n")):
        if is_quoted:
            yield paragraph("\n".join(lines))
        else:
            yield from _own(lines)


def _own(lines: list[str]) -> Iterator[Block]:
    group: list[str] = []
    is_list = False
    for line in [*lines, ""]:
        if group and (not line.strip() or is_item(line)):
            joined = join_wrapped(group)
            kind = ElementKind.LIST_ITEM if is_list else ElementKind.PARAGRAPH
            yield Block(kind=kind, text=(" " if is_list else "\n").join(joined))
            group = []
        if line.strip():
            is_list = is_item(line) if not group else is_list
            group.append(line)


def _runs(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    run: list[str] = []
    quoted = False
    for i, line in enumerate(lines):
        is_quoted = line.lstrip().startswith(">") or bool(
            _ATTRIBUTION.match("\n".join(lines[i : i + 3]))
        )
        # An empty line belongs to the run it is in, an attribution's second line to its first.
        goes_on = (
            quoted
            and bool(line.strip())
            and bool(run)
            and _ATTRIBUTION.match(run[-1] + "\n" + line)
        )
        is_quoted = is_quoted or bool(goes_on)
        if run and line.strip() and is_quoted is not quoted:
            yield quoted, run
            run = []
        if line.strip():
            quoted = is_quoted
        run.append(line)
    if run:
        yield quoted, run


def _html_blocks(html: str) -> Iterable[Block]:
    return (
        # Mail has no sections: what looks like a heading in it is emphasis.
        paragraph(block.text) if block.kind is ElementKind.HEADING else block
        for block in read_html_text(html).blocks
    )


def _attachment_blocks(attachments: Iterable[tuple[str, bytes]]) -> Iterator[Block]:
    for name, data in attachments:
        shown = " ".join(clean(name).split()) or "unnamed"
        yield paragraph(f"Attachment: {shown}")
        lowered = shown.casefold()
        if not lowered.endswith(_TEXT_NAMES) or not 0 < len(data) <= ATTACHMENT_BYTES_MAX:
            continue
        if lowered.endswith((".html", ".htm")):
            yield from _html_blocks(decode(data, declared=True))
        else:
            yield from body_blocks(decode(data))


def _header(message: EmailMessage, name: str) -> str:
    # Malformed headers make the parser raise almost anything.
    try:
        return clean(str(message.get(name) or ""))
    except Exception:
        return ""


def _body(message: EmailMessage, subtype: str) -> str:
    try:
        part = message.get_body(preferencelist=(subtype,))
    except (AttributeError, KeyError, ValueError):
        part = None
    return "" if part is None else _text(part)


def _text(part: Any) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset()
    try:
        return payload.decode(charset) if charset else decode(payload)
    except (LookupError, UnicodeDecodeError):
        return decode(payload)


def _attachments(message: EmailMessage) -> Iterator[tuple[str, bytes]]:
    for n_parts, part in enumerate(message.walk()):
        if n_parts >= PARTS_MAX:
            raise ParseFailed(f"over {PARTS_MAX} parts in the message")
        if part.is_attachment() or (part.get_filename() and not part.is_multipart()):
            payload = part.get_payload(decode=True)
            yield part.get_filename() or "", payload if isinstance(payload, bytes) else b""
