"""Anthropic's messages: `POST /v1/messages`, whole and as events.

Source: the types of the `anthropic` client, `anthropic.types`. Every claim is a text block with its
citations as `char_location`, whose indices count code points of the cited version. The marks
`[1]` of the native text are left out: the citations say the same.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from api.doors.spoken import Spoken

_MARKS: Final = re.compile(r"(?: \[\d+\])+")
_END: Final = "end_turn"


def message(spoken: Spoken) -> dict[str, Any]:
    """The response when nothing is streamed."""
    return {
        **opening(message_id(str(spoken.body["id"])), spoken.model)["message"],
        "content": blocks(spoken),
        "stop_reason": _END,
        "usage": _usage(spoken.n_tokens),
        "sworn": spoken.extra,
    }


def events(spoken: Spoken) -> Iterator[dict[str, Any]]:
    """The events of a stream after its first: each block with its citations, then the end."""
    for index, block in enumerate(blocks(spoken)):
        citations: list[Any] | None = [] if block["citations"] else None
        empty = {"type": "text", "text": "", "citations": citations}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        text = {"type": "text_delta", "text": block["text"]}
        yield {"type": "content_block_delta", "index": index, "delta": text}
        for citation in block["citations"] or ():
            cited = {"type": "citations_delta", "citation": citation}
            yield {"type": "content_block_delta", "index": index, "delta": cited}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _END, "stop_sequence": None},
        "usage": {"output_tokens": spoken.n_tokens},
        "sworn": spoken.extra,
    }
    yield {"type": "message_stop"}


def opening(identity: str, model: str) -> dict[str, Any]:
    """The first event, sent before anything is known but that there will be an answer."""
    return {
        "type": "message_start",
        "message": {
            "id": identity, "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": _usage(0),
        },
    }  # fmt: skip


def blocks(spoken: Spoken) -> list[dict[str, Any]]:
    """The text in blocks: a claim is one with citations, what the house says is one without."""
    found: list[dict[str, Any]] = []
    at = 0
    for claim in spoken.body["claims"]:
        start, end = claim["start_char"], claim["end_char"]
        _add(found, spoken.text[at:start])
        citations = [_citation(spoken, n) for n in claim["citations"]]
        found.append({"type": "text", "text": spoken.text[start:end], "citations": citations})
        at = end
    _add(found, spoken.text[at:])
    return found


def _add(found: list[dict[str, Any]], between: str) -> None:
    text = _MARKS.sub("", between)
    if not text:
        return
    if text.isspace() and not found:
        return
    found.append({"type": "text", "text": text, "citations": None})


def _citation(spoken: Spoken, n: int) -> dict[str, Any]:
    citation = spoken.body["citations"][n]
    documents = list(dict.fromkeys(c["source"]["document_id"] for c in spoken.body["citations"]))
    return {
        "type": "char_location",
        "cited_text": citation["cited_text"],
        "document_index": documents.index(citation["source"]["document_id"]),
        "document_title": citation["source"]["title"],
        "file_id": None,
        "start_char_index": citation["start_char_index"],
        "end_char_index": citation["end_char_index"],
        "url": spoken.url(citation),
    }


def message_id(answer_id: str) -> str:
    """The answer's id as these messages are named."""
    return f"msg_{answer_id.removeprefix('ans_')}"


def _usage(n: int) -> dict[str, int]:
    return {"input_tokens": 0, "output_tokens": n}
