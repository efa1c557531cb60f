"""Where a citation can be read: here, and at the cited place of the source itself."""

from typing import Final
from urllib.parse import quote, urlsplit

from rag.domain.claim import Source
from rag.domain.words import Span

_FRAGMENT_CHARS: Final = 200
_PAGES: Final = (".html", ".htm", ".xhtml", ".php")


def page_url(source: Source, span: Span | None) -> str:
    """The path of the version's page; with a span, the page marks it."""
    path = f"/s/{source.document_id}/{source.version}"
    return path if span is None else f"{path}#char={span.start},{span.end}"


def place_in_source(uri: str, page: int | None, text: str) -> str:
    """The source's own address at the cited place: the page of a PDF, the words of a web page.

    Source: RFC 8118 (`#page=`), and the draft "URL Fragment Text Directives" (`#:~:text=`).
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    if parts.fragment or parts.scheme not in ("http", "https", "file"):
        return uri
    if page is not None and parts.path.casefold().endswith(".pdf"):
        return f"{uri}#page={page}"
    words = " ".join(text.split())[:_FRAGMENT_CHARS]
    if parts.scheme != "file" and words and _is_web_page(parts.path):
        return f"{uri}#:~:text={quote(words, safe='')}"
    return uri


def _is_web_page(path: str) -> bool:
    last = path.rpartition("/")[2].casefold()
    return "." not in last or last.endswith(_PAGES)
