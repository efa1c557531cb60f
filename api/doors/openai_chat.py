"""OpenAI's chat completions: `POST /v1/chat/completions`, whole and in chunks.

Source: the types of the `openai` client, `openai.types.chat`. What they have no place for stands
under the one key `sworn`, in the response and in the last chunk.
"""

from collections.abc import Iterator
from typing import Any, Final

from api.doors.spoken import Spoken

OBJECT: Final = "chat.completion"
STOP: Final = "stop"


def completion(spoken: Spoken) -> dict[str, Any]:
    """The response when nothing is streamed. An abstention is a message like any other."""
    message = {
        "role": "assistant",
        "content": spoken.text,
        "refusal": None,
        "annotations": annotations(spoken),
    }
    return {
        **_head(spoken, OBJECT),
        "choices": [{"index": 0, "message": message, "finish_reason": STOP, "logprobs": None}],
        "usage": usage(spoken),
        "sworn": spoken.extra,
    }


def chunks(spoken: Spoken, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """The chunks of a stream after its first: a claim or line each, then the end with citations."""
    for piece in pieces(spoken.text):
        yield _chunk(spoken, {"content": piece}, None)
    last = _chunk(spoken, {"annotations": annotations(spoken)}, STOP)
    yield {**last, "sworn": spoken.extra}
    if include_usage:
        yield {**_head(spoken, f"{OBJECT}.chunk"), "choices": [], "usage": usage(spoken)}


def opening(identity: str, model: str, created: int) -> dict[str, Any]:
    """The first chunk, sent before anything is known but that there will be an answer."""
    head = {"id": identity, "object": f"{OBJECT}.chunk", "created": created, "model": model}
    delta = {"role": "assistant", "content": ""}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def annotations(spoken: Spoken) -> list[dict[str, Any]]:
    """A `url_citation` for each citation of each claim, over the claim's place in the content.

    Indices count code points, half-open.
    """
    citations = spoken.body["citations"]
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": claim["start_char"],
                "end_index": claim["end_char"],
                "title": citations[n]["source"]["title"],
                "url": spoken.url(citations[n]),
            },
        }
        for claim in spoken.body["claims"]
        for n in claim["citations"]
    ]


def usage(spoken: Spoken) -> dict[str, int]:
    """Tokens of language models that helped, all counted as completion: they are not told apart."""
    n = spoken.n_tokens
    return {"prompt_tokens": 0, "completion_tokens": n, "total_tokens": n}


def models(names: list[str], created: int) -> dict[str, Any]:
    """The response of `GET /v1/models`."""
    rows = [{"id": n, "object": "model", "created": created, "owned_by": "sworn"} for n in names]
    return {"object": "list", "data": rows}


def pieces(text: str) -> list[str]:
    """The text by its lines, line ends kept: joined they are the text."""
    return text.splitlines(keepends=True)


def _head(spoken: Spoken, kind: str) -> dict[str, Any]:
    return {
        "id": completion_id(str(spoken.body["id"])), "object": kind, "created": spoken.created,
        "model": spoken.model,
    }  # fmt: skip


def completion_id(answer_id: str) -> str:
    """The answer's id as these completions are named."""
    return f"chatcmpl-{answer_id.removeprefix('ans_')}"


def _chunk(spoken: Spoken, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_head(spoken, f"{OBJECT}.chunk"), "choices": [choice]}
