"""Asking over HTTP: outcomes, limits, streams, and callers who hang up."""

import asyncio
import json
import socket
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest
from support.organisation import HOTEL, MEALS, Installation
from support.serving import Serving, parse_sse, quoting, serving, until

from api import streaming
from api.routes import answers
from rag.answer.retrieval import RetrievalOptions
from rag.domain.budget import Allowance
from rag.domain.claim import Draft, Evidence
from rag.domain.errors import StoreUnavailable
from rag.domain.ids import digest_text
from rag.testing.fakes import BrokenJudge, ScriptedGenerator

QUESTION = "What is refunded for meals and hotels?"


async def test_an_answer_says_what_it_rests_on(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(MEALS, HOTEL))
    response = await ana.post("/v1/answers", json={"question": QUESTION})
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == response.headers["x-sworn-status"] == "answered"
    assert body["receipt"]["digest"] == response.headers["x-sworn-receipt"]
    assert body["text"] == f"{MEALS} [1]\n{HOTEL} [2]"
    for claim in body["claims"]:
        assert body["text"][claim["start_char"] : claim["end_char"]] == claim["text"]
        assert [c["step"] for c in claim["checks"]] == list(range(8))
        assert {c["outcome"] for c in claim["checks"]} == {"passed"}
    assert [c["marker"] for c in body["citations"]] == [1, 2]
    assert [a["step"] for a in body["activity"]] == [
        "plan", "retrieve", "read", "generate", "judge",
    ]  # fmt: skip
    stored = await ana.get(f"/v1/answers/{body['id']}")
    assert stored.content == response.content
    receipt = (await ana.get(body["receipt"]["url"])).json()
    assert receipt["digest"] == body["receipt"]["digest"]
    assert receipt["body"]["question_digest"] == digest_text(QUESTION)


async def test_an_abstention_is_a_normal_outcome(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting())
    response = await ana.post("/v1/answers", json={"question": "Who won the chess tournament?"})
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == response.headers["x-sworn-status"] == "abstained"
    assert body["reason"]
    assert body["text"].startswith("I cannot answer that")
    assert (body["claims"], body["citations"]) == ([], [])
    assert (await ana.get(body["receipt"]["url"])).json()["body"]["status"] == "abstained"


@pytest.mark.parametrize(
    "question", ["?", "   x ", "\u0000", "🦉", '" OR NEAR(', "the of and", "\u202e x"]
)
async def test_any_text_is_a_question(server: Serving, question: str) -> None:
    ana = await server.ana()
    assert (await ana.post("/v1/answers", json={"question": question})).status_code == 200


async def test_silos_limit_where_it_looks(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(MEALS))
    inside = await ana.post("/v1/answers", json={"question": QUESTION, "silos": ["handbook"]})
    outside = await ana.post("/v1/answers", json={"question": QUESTION, "silos": ["vault"]})
    none = await ana.post("/v1/answers", json={"question": QUESTION, "silos": []})
    assert inside.json()["status"] == "answered"
    assert outside.json()["status"] == none.json()["status"] == "abstained"


async def test_another_policy_than_the_settings_can_be_asked_for(
    installation: Installation,
) -> None:
    installation.configure("[verification]", '[verification]\npolicy = "mark"')
    async with serving(installation) as server:
        ana = await server.ana()
        default = (await ana.post("/v1/answers", json={"question": QUESTION})).json()
        asked = {"question": QUESTION, "policy": "strict"}
        strict = (await ana.post("/v1/answers", json=asked)).json()
    assert (default["policy"]["name"], strict["policy"]["name"]) == ("mark", "strict")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_chroma_the_answer_is_partial_content(installation: Installation) -> None:
    installation.configure("[verification]", "[retrieval]\nexact_scan_below = 0\n\n[verification]")
    async with serving(installation, chroma_port=closed_port()) as server:
        ana = await server.ana()
        server.use(generator=quoting(MEALS))
        response = await ana.post("/v1/answers", json={"question": QUESTION})
        assert response.status_code == 206
        assert response.headers["x-sworn-degraded"] == "vector_index"
        assert response.json()["degraded"] == ["vector_index"]
        assert response.json()["status"] == "answered"
        ready = await ana.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["degraded"] == ["vector_index"]
        # Who may read little is answered by an exact scan, which needs no Chroma.
        server.options(retrieval=RetrievalOptions(exact_scan_below=1000))
        response = await ana.post("/v1/answers", json={"question": QUESTION})
        assert (response.status_code, response.json()["degraded"]) == (200, [])


async def test_readiness_asks_every_port(server: Serving) -> None:
    stranger = await server.client(None)
    ready = (await stranger.get("/readyz")).json()
    assert (ready["ready"], ready["degraded"]) == (True, [])
    assert ready["ports"].keys() == {"journal", "catalog", "embedder", "judge"}
    server.use(judge=BrokenJudge())
    response = await stranger.get("/readyz")
    assert response.status_code == 503
    assert response.json()["ready"] is False
    assert response.json()["ports"]["judge"]["ok"] is False


# --- limits -----------------------------------------------------------------------------------------


class Waiting(ScriptedGenerator):
    """Quotes once it is let go; counts who came in, and who was cancelled meanwhile."""

    def __init__(self, *texts: str) -> None:
        super().__init__(quoting(*texts)._write)
        self.go = asyncio.Event()
        self.n_entered = self.n_cancelled = 0

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        self.n_entered += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        return await super().generate(question, evidence, allowance)


async def test_more_questions_than_turns_are_sent_away(installation: Installation) -> None:
    installation.configure("[server]", "[server]\nconcurrency_max = 2")
    async with serving(installation) as server:
        ana = await server.ana()
        generator = Waiting(MEALS)
        server.use(generator=generator)
        asked = {"question": QUESTION}
        held = [asyncio.create_task(ana.post("/v1/answers", json=asked)) for _ in range(2)]
        await until(lambda: generator.n_entered == 2)
        refused = await ana.post("/v1/answers", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        streamed = await ana.post("/v1/answers", json={**asked, "stream": True})
        assert (streamed.status_code, streamed.json()["code"]) == (503, "overloaded")
        assert int(streamed.headers["retry-after"]) >= 1
        # Browsing does not wait for turns.
        assert (await ana.get("/v1/documents")).status_code == 200
        generator.go.set()
        assert [(await task).status_code for task in held] == [200, 200]
        assert (await ana.post("/v1/answers", json=asked)).status_code == 200
        assert server.room.n_open == 0


async def test_a_failure_gives_its_turn_back(installation: Installation) -> None:
    installation.configure("[server]", "[server]\nconcurrency_max = 1")
    async with serving(installation) as server:
        ana = await server.ana()

        def fail(question: str, evidence: Sequence[Evidence]) -> Draft:
            raise StoreUnavailable("the store is away")

        server.use(generator=ScriptedGenerator(fail))
        for stream in (False, True, False):
            response = await ana.post("/v1/answers", json={"question": QUESTION, "stream": stream})
            if stream:
                ((name, data),) = parse_sse(response.text)[-1:]
                assert name == "error"
                assert json.loads(data)["code"] == "store_unavailable"
            else:
                assert response.status_code == 503
        await until(lambda: server.room.n_open == 0)


# --- streams ----------------------------------------------------------------------------------------


async def test_a_stream_shows_what_was_found_then_claims_then_the_answer(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(MEALS, HOTEL))
    response = await ana.post("/v1/answers", json={"question": QUESTION, "stream": True})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    events = parse_sse(response.text)
    assert [name for name, _ in events] == ["search_results", "claim", "claim", "answer"]
    found = json.loads(events[0][1])["results"]
    assert found
    assert set(found[0]) == {"silo", "document_id", "title"}
    answer = json.loads(events[-1][1])
    assert [json.loads(data) for name, data in events if name == "claim"] == answer["claims"]
    assert (await ana.get(f"/v1/answers/{answer['id']}")).json() == answer


async def test_nothing_of_the_draft_is_sent_before_its_verdict(installation: Installation) -> None:
    async with serving(installation, on_a_port=True) as server:
        ana = await server.ana()
        generator = Waiting(MEALS)
        server.use(generator=generator)
        asked = {"question": QUESTION, "stream": True}
        async with ana.stream("POST", "/v1/answers", json=asked) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "event: search_results"
            await until(lambda: generator.n_entered == 1)
            generator.go.set()
            rest = [line async for line in lines]
        events = [line for line in rest if line.startswith("event:")]
        assert events == ["event: claim", "event: answer"]


async def test_a_silent_stream_beats(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.02)
    async with serving(installation, on_a_port=True) as server:
        ana = await server.ana()
        generator = Waiting(MEALS)
        server.use(generator=generator)
        asked = {"question": QUESTION, "stream": True}
        n_beats = 0
        async with ana.stream("POST", "/v1/answers", json=asked) as response:
            text = ""
            async for piece in response.aiter_text():
                text += piece
                if text.count(": heartbeat\n\n") >= 3 and not generator.go.is_set():
                    n_beats = text.count(": heartbeat\n\n")
                    generator.go.set()
        assert n_beats >= 3
        names = [name for name, _ in parse_sse(text) if name != ":"]
        assert names == ["search_results", "claim", "answer"]


@pytest.mark.parametrize("stream", [True, False])
async def test_who_hangs_up_is_not_worked_for(installation: Installation, stream: bool) -> None:
    async with serving(installation, on_a_port=True) as server:
        ana = await server.ana()
        generator = Waiting(MEALS)
        server.use(generator=generator)
        asked = {"question": QUESTION, "stream": stream}
        client = httpx.AsyncClient(base_url=server.base_url, headers=ana.headers, timeout=30)
        request = asyncio.create_task(client.post("/v1/answers", json=asked))
        await until(lambda: generator.n_entered == 1)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        await client.aclose()
        if not stream:
            # Starlette tells a route without a stream nothing; its turn ends with its work.
            generator.go.set()
        await until(lambda: server.room.n_open == 0)
        assert generator.n_cancelled == int(stream)
        generator.go.set()
        assert (await ana.post("/v1/answers", json=asked)).status_code == 200


async def test_who_hangs_up_while_much_is_to_be_said_leaves_nothing_behind(
    installation: Installation,
) -> None:
    """The events fill their queue; the one who fills it must not wait for ever."""
    text = "\n\n".join(f"Rule {n} says that desk {n} has {n} lamps." for n in range(2, 75))
    installation.file("handbook/desks.md").write_text(f"# Desks\n\n{text}\n")
    await installation.sync()
    async with serving(installation) as server:
        server.options(retrieval=replace(RetrievalOptions(), evidence_max=40, per_document_max=40))
        server.use(generator=quoting(*text.split("\n\n")))
        key = await server.room.journal.authenticate(await server.key_of("ana"))
        body = answers.AnswerRequest(question="How many lamps has a desk?", stream=True)
        question = answers._question(body, key, server.room)
        before = asyncio.all_tasks()
        events = answers._events(question, server.room)
        assert b"search_results" in await anext(events)
        assert b"claim" in await anext(events)
        # Now the rest is more than the queue holds.
        await asyncio.sleep(0.2)
        await events.aclose()
        await until(lambda: not (asyncio.all_tasks() - before), 5.0)
        assert server.room.n_open == 0
