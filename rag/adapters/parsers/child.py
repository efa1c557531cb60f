"""The process that touches documents' bytes: `python -m rag.adapters.parsers.child`.

It reads requests on standard input and answers on standard output, both as a length and that many
bytes: a JSON header and the document in, JSON out. It has limits on memory and file size, no
network, no children of its own, and dies with its parent.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rag.adapters.parsers.canonical import Limits
    from rag.domain.document import ParsedDocument

PDEATHSIG: Final = 1
FILE_BYTES_MAX: Final = 1 << 20
FILES_MAX: Final = 256
_LENGTH: Final = struct.Struct(">Q")
_FORBIDDEN: Final = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork",
                     "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.", "ftplib.",
                     "urllib.", "smtplib.", "http.client.")  # fmt: skip
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_MODULES: Final = "rag.adapters.parsers."
READERS: Final = {
    "md": "unstructured_reader:read_markdown",
    "html": "unstructured_reader:read_html",
    "rst": "unstructured_reader:read_rst",
    "docx": "unstructured_reader:read_docx",
    "pptx": "unstructured_reader:read_pptx",
    "epub": "unstructured_reader:read_epub",
    "odt": "unstructured_reader:read_odt",
    "txt": "text_reader:read_text",
    "code": "code_reader:read_code",
    "xlsx": "sheet_reader:read_xlsx",
    "xls": "sheet_reader:read_xls",
    "csv": "sheet_reader:read_csv",
    "tsv": "sheet_reader:read_tsv",
    "json": "data_reader:read_json",
    "ndjson": "data_reader:read_ndjson",
    "xml": "data_reader:read_xml",
    "eml": "mail_reader:read_eml",
    "msg": "mail_reader:read_msg",
    "pdf": "pdf_reader:read_pdf",
}


def parse(data: bytes, header: dict[str, Any]) -> dict[str, Any]:
    """The answer for one document: its text and elements, or an error's code and message."""
    from rag.adapters.parsers import canonical, guards
    from rag.domain.errors import DocumentError, ParseFailed

    limits = canonical.Limits(**header["limits"])
    try:
        guards.check_size(data, limits.bytes_max)
        document = _document(data, header, limits)
    except DocumentError as exc:
        return {"error": exc.code, "message": exc.message}
    except MemoryError:
        return {"error": "memory", "message": ""}
    except RecursionError:
        return {"error": ParseFailed.code, "message": "nested too deeply"}
    except Exception as exc:
        return {"error": ParseFailed.code, "message": f"{type(exc).__name__}: {exc}"[:500]}
    return {
        "text": document.text,
        "title": document.title,
        "elements": [
            [e.kind.value, e.span.start, e.span.end, list(e.section), e.page]
            for e in document.elements
        ],
    }


def _document(data: bytes, header: dict[str, Any], limits: "Limits") -> "ParsedDocument":
    from rag.adapters.parsers import canonical, formats
    from rag.domain.errors import ParseFailed, TooLarge

    uri = header["uri"]
    if not data.strip():
        return canonical.compose(canonical.Reading(blocks=()), uri=uri, parser="")
    name = formats.format_of(data, uri=uri, media_type=header["media_type"])
    document = canonical.compose(_reader(name)(data, limits), uri=uri, parser="")
    if len(document.text) > limits.text_chars_max:
        raise TooLarge(f"over {limits.text_chars_max} characters of text")
    if not document.text:
        raise ParseFailed("no text in it (images and scans are not read)")
    return document


def _reader(name: str) -> Any:
    # Loaded when first needed: a child that only sees text never pays for the office formats.
    module, _, function = READERS[name].partition(":")
    return getattr(importlib.import_module(_MODULES + module), function)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    _send(answers, {"ready": True})
    while (header := _receive(requests)) is not None:
        data = _receive(requests)
        if data is None:
            return
        answer = parse(data, json.loads(header))
        del data
        _send(answers, answer)


def _receive(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def _send(stream: IO[bytes], answer: dict[str, Any]) -> None:
    body = json.dumps(answer, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_MAX, soft), hard))


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends (Linux only)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PDEATHSIG, signal.SIGKILL)
    # The parent may have died before that call.
    if os.getppid() != parent:
        sys.exit(0)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse network, processes and writing: the second fence, for what Python code does.

    It does not hold against native code that was taken over; the kernel's limits do.
    """
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
    if writes or event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not allowed while parsing")


def main() -> None:
    """Set the limits, then answer requests until standard input ends."""
    _die_with(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not land among the answers.
    os.dup2(2, 1)
    _limit(int(sys.argv[2]))
    # Finding one by itself would write and remove a file, which is not allowed here.
    tempfile.tempdir = str(Path.cwd())
    sys.addaudithook(_refuse)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
