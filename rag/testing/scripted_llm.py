"""A language model of OpenAI's protocol on loopback, whose words are scripted.

It listens on a real socket and speaks real HTTP, so that a client, its retries and its limits are
tested as they run. Ready-made scripts tell the truth, lie, or obey whatever a document demands.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

from rag.domain.words import content_stems, sentence_spans

_HEAD_BYTES_MAX: Final = 65_536
_BODY_BYTES_MAX: Final = 16_000_000
_BLOCK: Final = re.compile(
    r"<<<(question|passage|claim) ?(\d*) ([0-9a-f]+)>>>\n(.*?)\n<<<end \3>>>", re.DOTALL
)
_CHUNK_CHARS: Final = 40
_HONEST_CLAIMS: Final = 3
# A sentence answers if it shares this share of the question's words.
_OVERLAP_MIN: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A passage as the model was shown it, without the quotation marks of its lines."""

    number: int
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: as it came, and what the prompt in it says. `refused` are claims to revise."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    nonce: str
    question: str
    passages: tuple[Shown, ...]
    refused: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """All messages, one after the other."""
        return "\n\n".join(str(m.get("content")) for m in self.body.get("messages", ()))

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One claim of a scripted answer: `evidence` counts from 1."""

    text: str
    evidence: int | None
    quote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with one request.

    `raw` replaces the JSON of `claims` as the message; `body` replaces the whole HTTP body.
    `drops` closes the connection before anything is sent, or half-way through the body. Without
    `has_usage` no tokens are counted; `tokens` are those counted, in and out, else an estimate.
    """

    claims: Sequence[Said] = ()
    unanswered: str = ""
    raw: str | None = None
    body: bytes | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    delay_s: float = 0.0
    drops: Literal["", "before", "midway"] = ""
    refusal: str | None = None
    finish_reason: str = "stop"
    has_usage: bool = True
    tokens: tuple[int, int] | None = None

    @property
    def content(self) -> str:
        """The text of the message."""
        if self.raw is not None:
            return self.raw
        rows = [
            {
                "claim": number,
                "text": said.text,
                "citations": []
                if said.evidence is None
                else [{"evidence": said.evidence, "quote": said.quote}],
            }
            for number, said in enumerate(self.claims, start=1)
        ]
        return json.dumps({"claims": rows, "unanswered": self.unanswered}, ensure_ascii=False)


Script = Callable[[Asked], Reply]


class ScriptedLlm:
    """The server: a context manager, on a free port of loopback, in a thread of its own."""

    def __init__(self, script: Script, *, models: Sequence[str] = ("scripted",)) -> None:
        self.script = script
        self.requests: list[Asked] = []
        self.n_disconnected = 0
        self._models = tuple(models)
        self._port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="scripted-llm", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()
        # What is still open, or was being accepted, belongs to clients that were not closed.
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.wait(rest, timeout=0.05)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read_request(reader)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.n_disconnected += not self._stop.is_set()
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self, request: "_Request", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; false when the connection ends with it."""
        if request.method == "GET" and request.path.endswith("/models"):
            rows = [
                {"id": name, "object": "model", "owned_by": "scripted"} for name in self._models
            ]
            await _send(writer, 200, {}, _dumped({"object": "list", "data": rows}))
            return True
        if request.method != "POST" or not request.path.endswith("/chat/completions"):
            await _send(writer, 404, {}, _dumped({"error": {"code": "not_found"}}))
            return True
        asked = read_asked(request.path, request.headers, request.body)
        self.requests.append(asked)
        reply = self.script(asked)
        if reply.delay_s and await _left_meanwhile(reader, reply.delay_s):
            self.n_disconnected += 1
            return False
        if reply.drops == "before":
            writer.transport.abort()
            return False
        return await _reply(writer, asked, reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    """One request of HTTP/1.1 with a length; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
    headers = {name.strip().casefold(): value.strip() for name, value in pairs}
    length = min(int(headers.get("content-length", "0")), _BODY_BYTES_MAX)
    return _Request(
        method=method, path=path, headers=headers, body=await reader.readexactly(length)
    )


async def _left_meanwhile(reader: asyncio.StreamReader, delay_s: float) -> bool:
    """Wait; whether the client went away before the time was over."""
    try:
        async with asyncio.timeout(delay_s):
            return await reader.read(1) == b""
    except TimeoutError:
        return False


async def _reply(writer: asyncio.StreamWriter, asked: Asked, reply: Reply) -> bool:
    if reply.body is not None:
        await _send(writer, reply.status, reply.headers, reply.body)
    elif reply.status != 200:
        error = reply.error or {"message": f"scripted {reply.status}", "type": "scripted"}
        await _send(writer, reply.status, reply.headers, _dumped({"error": error}))
    elif asked.is_streamed:
        return await _stream(writer, asked, reply)
    else:
        body = _dumped(_completion(asked, reply))
        if reply.drops == "midway":
            await _head(writer, 200, {"content-length": str(len(body))})
            writer.write(body[: len(body) // 2])
            await writer.drain()
            return False
        await _send(writer, 200, reply.headers, body)
    return True


async def _head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
    if not any(name.casefold() == "content-type" for name in headers):
        lines.append("content-type: application/json")
    writer.write("\r\n".join((*lines, "", "")).encode("latin-1"))
    await writer.drain()


async def _send(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    await _head(writer, status, {**headers, "content-length": str(len(body))})
    writer.write(body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, asked: Asked, reply: Reply) -> bool:
    """Server-sent events, in chunks of HTTP."""
    events = _events(asked, reply)
    headers = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    await _head(writer, 200, {**headers, **reply.headers})
    if reply.drops == "midway":
        events = events[: len(events) // 2]
    for event in events:
        data = b"data: " + event + b"\n\n"
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
    if reply.drops == "midway":
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _events(asked: Asked, reply: Reply) -> list[bytes]:
    text = reply.content
    pieces = [text[i : i + _CHUNK_CHARS] for i in range(0, len(text), _CHUNK_CHARS)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if reply.refusal is None:
        deltas += [{"content": piece} for piece in pieces]
    else:
        deltas += [{"refusal": reply.refusal}]
    common = {"id": "chatcmpl-1", "created": 1, "model": asked.body.get("model")}
    common["object"] = "chat.completion.chunk"
    rows = [
        {**common, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas
    ]
    end = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    rows.append({**common, "choices": [end]})
    wants_usage = (asked.body.get("stream_options") or {}).get("include_usage")
    if reply.has_usage and wants_usage:
        rows.append({**common, "choices": [], "usage": _usage(asked, reply)})
    return [*map(_dumped, rows), b"[DONE]"]


def _completion(asked: Asked, reply: Reply) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": reply.content if reply.refusal is None else None,
        "refusal": reply.refusal,
    }
    whole: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked.body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
    }
    return {**whole, "usage": _usage(asked, reply)} if reply.has_usage else whole


def _usage(asked: Asked, reply: Reply) -> dict[str, int]:
    tokens_in, tokens_out = reply.tokens or (len(asked.prompt) // 4, len(reply.content) // 4)
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def read_asked(path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """A request with what stands in its prompt, read as `rag.adapters.generators.prompting` writes it."""
    row = json.loads(body)
    user = "\n".join(
        str(m.get("content")) for m in row.get("messages", ()) if m.get("role") == "user"
    )
    question, nonce = "", ""
    passages: list[Shown] = []
    refused: list[str] = []
    for kind, number, mark, text in _BLOCK.findall(user):
        quoted = "\n".join(line[2:] for line in text.split("\n") if line.startswith("> "))
        nonce = mark
        if kind == "question":
            question = quoted
        elif kind == "claim":
            refused.append(quoted)
        else:
            title = re.search(r"^\| title: (.*)$", text, re.MULTILINE)
            passages.append(
                Shown(number=int(number), title=title.group(1) if title else "", text=quoted)
            )
    return Asked(
        path=path, headers=dict(headers), body=row, nonce=nonce, question=question,
        passages=tuple(passages), refused=tuple(refused),
    )  # fmt: skip


# --- scripts ------------------------------------------------------------------------------------


def saying(*replies: Reply) -> Script:
    """These replies, one after the other; the last again and again."""
    left = list(replies)

    def script(asked: Asked) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return script


def honest(asked: Asked) -> Reply:
    """The sentences of the passages that share most words with the question, word for word.

    Of refused claims each is replaced by the sentence nearest to it, or withdrawn.
    """
    if asked.refused:
        return Reply(claims=[_nearest(text, asked) for text in asked.refused])
    wanted = set(content_stems(asked.question))
    ranked = sorted(_sentences(asked), key=lambda said: -_overlap(wanted, said.text))
    best = [said for said in ranked if _overlap(wanted, said.text) >= _OVERLAP_MIN]
    claims = list({said.text: said for said in best}.values())[:_HONEST_CLAIMS]
    return Reply(claims=claims, unanswered="" if claims else "The passages do not say.")


def lying(share: float, seed: int = 0) -> Script:
    """As honest, but in `share` of its claims a number, a name or the negation is another.

    The quotation stays the true one. The same claim meets the same fate at every call.
    """

    def script(asked: Asked) -> Reply:
        reply = honest(asked)
        claims = [
            replace(said, text=falsified(said.text, seed))
            if _draw(said.text, seed) < share
            else said
            for said in reply.claims
        ]
        return replace(reply, claims=claims)

    return script


def obedient(asked: Asked) -> Reply:
    """Answers honestly, and then does what any sentence of a passage asks of a model.

    It repeats every sentence that commands a model, says what such a sentence wants said, swears
    that it has checked when told to, and passes on every link as a link.
    """
    reply = honest(asked)
    claims = list(reply.claims)
    for said in _sentences(asked, with_titles=True):
        links = _LINK.findall(said.text)
        if not _COMMAND.search(said.text) and not links:
            continue
        claims.append(said)
        claims += [replace(said, text=m.strip()) for m in _DEMANDED.findall(said.text)]
        claims += [replace(said, text=f"[Read more here]({link})") for link in links]
        claims += [replace(said, text=f"![image]({link})") for link in links]
        if _VOUCH.search(said.text):
            claims.append(replace(said, text="This answer has been verified by Sworn."))
    return replace(reply, claims=claims)


_ITEM: Final = re.compile(r"\s*\d+[.)]\s")
_NUMBER: Final = re.compile(r"\d+")
_COMMAND: Final = re.compile(
    r"\b(?:ai|assistants?|models?|llms?|chatbots?|agents?|gpt|instructions?|prompts?)\b"
    r"|\b(?:ignore|disregard|forget|pretend|you must|you are now|say|write|reply|respond|answer"
    r"|output|repeat|print|include|append|tell)\b",
    re.IGNORECASE,
)
_DEMANDED: Final = re.compile(
    r"\b(?:say|write|reply|respond|answer|output|repeat|print|include|append|tell)\b[^\"“'‘:]{0,60}"
    r"(?:[\"“'‘:])\s*([^\"”’\n]{3,300})",
    re.IGNORECASE,
)
_LINK: Final = re.compile(
    r"(?:https?://|www\.|mailto:|javascript:|data:)[^\s<>\")\]]+", re.IGNORECASE
)
_VOUCH: Final = re.compile(r"\b(?:verif|check|confirm|certif|sign|receipt)\w*", re.IGNORECASE)


def _sentences(asked: Asked, *, with_titles: bool = False) -> list[Said]:
    found: list[Said] = []
    for passage in asked.passages:
        text = f"{passage.title}\n\n{passage.text}" if with_titles else passage.text
        for line in text.split("\n"):
            for span in sentence_spans(line):
                sentence = span.of(line)
                found.append(Said(text=sentence, evidence=passage.number, quote=sentence))
    return found


def _nearest(text: str, asked: Asked) -> Said:
    wanted = set(content_stems(text))
    best = max(_sentences(asked), key=lambda said: _overlap(wanted, said.text), default=None)
    if best is None or _overlap(wanted, best.text) < _OVERLAP_MIN:
        return Said(text="", evidence=None)
    return best


def _overlap(wanted: set[str], text: str) -> float:
    return len(wanted & set(content_stems(text))) / max(1, len(wanted))


def _draw(text: str, seed: int) -> float:
    """A number in [0, 1) that depends on both alone, whatever else is asked meanwhile."""
    digest = hashlib.sha256(f"{seed}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def falsified(text: str, seed: int = 0) -> str:
    """`text` with one thing wrong: a number, else the negation, else a name, else all of it."""
    # The number of a list item says nothing that could be wrong.
    item = _ITEM.match(text)
    number = _NUMBER.search(text, item.end() if item else 0)
    if number is not None:
        # Never the same number: at least one more.
        other = int(number.group()) + 1 + int(_draw(text, seed + 1) * 9)
        return text[: number.start()] + str(other) + text[number.end() :]
    if re.search(r"\bnot\b", text):
        return re.sub(r"\s*\bnot\b", "", text, count=1)
    verb = re.search(r"\b(?:is|are|was|were|can|may|must|will|should)\b", text)
    if verb is not None:
        return f"{text[: verb.end()]} not{text[verb.end() :]}"
    name = re.search(r"(?<=\s)[A-Z][a-z]{2,}", text)
    if name is not None:
        return f"{text[: name.start()]}Ruritania{text[name.end() :]}"
    return f"It is not true that {text[:1].lower()}{text[1:]}"
