"""Answers for people, on a terminal."""

from typing import Any

from api.cli.common import BOLD, DIM, UNDERLINED, coloured


def print_answer(body: dict[str, Any]) -> None:
    """The answer for people: text, citations, receipt."""
    print(_text(body))
    for citation in body["citations"]:
        source = citation["source"]
        # A document's first heading is mostly its title.
        sections = [s for s in citation["section"] if s != source["title"]]
        place = " > ".join([source["title"], *sections])
        page = f", page {citation['page']}" if citation["page"] else ""
        print(f"\n[{citation['marker']}] {source['silo']}: {place}{page}")
        quoted = " ".join(citation["cited_text"].split())
        print(f"    “{quoted}”")
        span = f"{citation['start_char_index']}:{citation['end_char_index']}"
        print(coloured(f"    {source['document_id']} {span} of {citation['version'][:19]}…", DIM))
    for item in body["withheld"]:
        print(coloured(f"withheld: step {item['step']} {item['reason']}: {item['detail']}", DIM))
    if body["degraded"]:
        print(f"degraded: {', '.join(body['degraded'])}")
    print(f"\n{body['status']}, receipt {body['receipt']['digest']}")


def _text(body: dict[str, Any]) -> str:
    """The answer's text, its short answers standing out; all of it where there are none."""
    text = str(body["text"])
    shorts = [c["short_answer"] for c in body["claims"] if c["short_answer"]]
    if not shorts:
        return coloured(text, BOLD)
    pieces: list[str] = []
    at = 0
    for short in sorted(shorts, key=lambda s: int(s["start_char"])):
        start, end = int(short["start_char"]), int(short["end_char"])
        pieces += [text[at:start], coloured(text[start:end], f"{BOLD};{UNDERLINED}")]
        at = end
    return "".join([*pieces, text[at:]])
