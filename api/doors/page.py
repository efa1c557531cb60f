"""A version of a document as a page: where citations point, the cited words marked.

The text is the canonical one, character by character, so that a citation's span counts in it. A
script of a few lines marks the span that the address names after `#char=`; without it the page is
the same, unmarked. Nothing of a document is ever markup here.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final

from rag.domain.document import Element, ElementKind

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
header { border-bottom: 1px solid #8888; margin-bottom: 1.5rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
header p { margin: .2rem 0; color: #777; font-size: .9rem; }
.old { color: #b00; }
main { white-space: pre-wrap; overflow-wrap: anywhere; }
main b { font-size: 1.1em; }
main code { font: .9em/1.5 ui-monospace, monospace; }
mark { background: #ffe066; color: #000; scroll-margin-top: 30vh; }
"""
# Offsets count code points; a browser's strings count UTF-16 units.
_SCRIPT: Final = """
function show() {
  document.querySelectorAll("mark").forEach(m => m.replaceWith(...m.childNodes));
  const main = document.querySelector("main");
  main.normalize();
  const asked = /#char=(\\d+),(\\d+)$/.exec(location.hash);
  if (!asked) return;
  const from = Number(asked[1]), to = Number(asked[2]);
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT), found = [];
  for (let at = 0, node; (node = walker.nextNode()); ) {
    const points = Array.from(node.data);
    const a = Math.max(from - at, 0), b = Math.min(to - at, points.length);
    if (a < b) found.push([node, points.slice(0, a).join("").length, points.slice(0, b).join("").length]);
    at += points.length;
  }
  for (const [node, a, b] of found) {
    const range = document.createRange();
    range.setStart(node, a);
    range.setEnd(node, b);
    range.surroundContents(document.createElement("mark"));
  }
  const first = document.querySelector("mark");
  if (first) first.scrollIntoView();
}
addEventListener("hashchange", show);
show();
"""
_TAGS: Final = {ElementKind.HEADING: "b", ElementKind.CODE: "code"}


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: this style and this script, and nothing else."""


def page(
    title: str, lines: Sequence[str], link: str, text: str, elements: Sequence[Element]
) -> str:
    """The page as HTML.

    Args:
        lines: what stands below the title; one that begins with `!` stands out.
        link: where the source itself can be opened; shown only if a browser may follow it.
        text: the canonical text, whole.
    """
    below = "".join(f"<p{_class(line)}>{escape(line.removeprefix('!'))}</p>" for line in lines)
    if link.startswith(("http://", "https://")):
        below += f'<p><a rel="noreferrer" href="{escape(link)}">Open the source</a></p>'
    return (
        '<!doctype html><html lang=""><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{below}</header><main>{_marked_up(text, elements)}</main>"
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _class(line: str) -> str:
    return ' class="old"' if line.startswith("!") else ""


def _marked_up(text: str, elements: Sequence[Element]) -> str:
    """The text with headings and code told apart; what is escaped is one character to a reader."""
    pieces: list[str] = []
    at = 0
    for element in elements:
        tag = _TAGS.get(element.kind)
        if tag is None or element.span.start < at:
            continue
        pieces.append(_escaped(text[at : element.span.start]))
        pieces.append(f"<{tag}>{_escaped(element.span.of(text))}</{tag}>")
        at = element.span.end
    pieces.append(_escaped(text[at:]))
    return "".join(pieces)


def _escaped(text: str) -> str:
    # A bare carriage return would be read as a line feed, and NUL not at all.
    return escape(text).replace("\r", "&#13;").replace("\x00", "\ufffd")
