"""Checking texts of others over HTTP: Google's shape, what may be read, limits, and a bad judge."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
import structlog
from support.organisation import (
    BONUS,
    BUDGET,
    HOTEL,
    LEAVE,
    MEALS,
    QUOKKA,
    WOMBAT,
    Installation,
    doc,
)
from support.serving import Serving, serving, until

from api.check_schemas import CheckedOut
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.document import Principal
from rag.domain.errors import ModelUnavailable
from rag.domain.ids import SiloId
from rag.ports import Judge
from rag.testing.fakes import BrokenJudge

CATS = "Cats sleep all afternoon."
WRONG = "Meals are refunded up to 75 euros a day."


def facts(*texts: str) -> list[dict[str, str]]:
    return [{"factText": text} for text in texts]


async def check(http: httpx.AsyncClient, text: str, **fields: Any) -> dict[str, Any]:
    """The body of a check, as its schema describes it."""
    response = await http.post("/v1/check", json={"answerCandidate": text, **fields})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    CheckedOut.model_validate(body)
    return body


# --- given facts ------------------------------------------------------------------------------------


async def test_a_text_is_held_against_the_facts_that_come_along(server: Serving) -> None:
    ana = await server.ana()
    given = [{"factText": CATS}, {"factText": MEALS, "attributes": {"author": "Ana"}}]
    text = f"# Refunds\n\n{MEALS} {WRONG}\n\nIs that enough?"
    body = await check(ana, text, facts=given, question="What is refunded?")
    assert [c["claimText"] for c in body["claims"]] == [
        "# Refunds",
        MEALS,
        WRONG,
        "Is that enough?",
    ]
    assert [c["groundingCheckRequired"] for c in body["claims"]] == [False, True, True, False]
    assert [c["citationIndices"] for c in body["claims"]] == [[], [0], [], []]
    assert body["citedChunks"] == [
        {"chunkText": MEALS, "source": "1", "sourceMetadata": {"author": "Ana"}, "document": None}
    ]
    good, wrong = body["claims"][1:3]
    assert (good["label"], good["reason"], good["closest"]) == ("supported", None, [])
    assert [(q["text"], q["source"], q["version"]) for q in good["quotes"]] == [(MEALS, "1", None)]
    assert wrong["label"] in ("refuted", "not_enough_info")
    assert (wrong["reason"]["step"], wrong["reason"]["name"]) == (7, "entailed")
    assert "75" in "".join(f["text"] for f in wrong["flagged"])
    (noted,) = [c["detail"] for c in wrong["checks"] if c["step"] == 6]
    assert noted.startswith("noted: number: “75 euros”")
    assert wrong["quotes"] == []
    assert [q["text"] for q in wrong["closest"]] == [MEALS]
    for claim in body["claims"]:
        assert [c["step"] for c in claim["checks"]] == list(range(8))
        assert "score" not in claim
    # One claim of two is supported.
    assert body["policy"]["threshold"] / 2 <= body["supportScore"] <= 0.5


async def test_google_counts_bytes_and_we_count_code_points_beside(server: Serving) -> None:
    ana = await server.ana()
    text = f"Grüße! 🦉🦉 {MEALS} Der Löwe 🦁 schläft."
    body = await check(ana, text, facts=facts(MEALS))
    assert len(body["claims"]) >= 2
    for claim in body["claims"]:
        assert text.encode()[claim["startPos"] : claim["endPos"]].decode() == claim["claimText"]
        assert text[claim["startChar"] : claim["endChar"]] == claim["claimText"]
        for flagged in claim["flagged"]:
            assert text[flagged["startChar"] : flagged["endChar"]] == flagged["text"]
    last = body["claims"][-1]
    assert (last["endPos"], last["endChar"]) == (len(text.encode()), len(text))


async def test_scores_come_when_they_are_asked_for(server: Serving) -> None:
    ana = await server.ana()
    spec = {"enableClaimLevelScore": True}
    body = await check(ana, f"{MEALS} Enough?", facts=facts(MEALS), groundingSpec=spec)
    assert body["claims"][0]["score"] == body["supportScore"] >= body["policy"]["threshold"]
    assert "score" not in body["claims"][1]


async def test_the_callers_threshold_is_in_force_and_the_calibrated_one_is_told(
    server: Serving,
) -> None:
    ana = await server.ana()
    judge = server.room.opened().ports.judge
    default = await check(ana, MEALS, facts=facts(MEALS))
    assert default["policy"]["threshold"] == pytest.approx(judge.threshold, abs=1e-6)
    assert default["policy"]["calibration"] == dict(judge.calibration)
    assert default["models"] == {"judge": {"name": judge.name, "digest": judge.digest}}
    strict = await check(ana, MEALS, facts=facts(MEALS), groundingSpec={"citationThreshold": 1})
    assert (strict["claims"][0]["label"], strict["supportScore"]) == ("not_enough_info", 0)
    assert strict["claims"][0]["reason"]["step"] == 7
    assert strict["policy"]["threshold"] == 1
    assert strict["policy"]["calibratedThreshold"] == default["policy"]["threshold"]


async def test_no_facts_support_nothing_and_are_not_the_silos(server: Serving) -> None:
    ana = await server.ana()
    body = await check(ana, LEAVE, facts=[])
    assert (body["supportScore"], body["citedChunks"]) == (0, [])
    assert body["claims"][0]["reason"]["detail"] == "there is nothing to hold it against"


async def test_a_text_that_asserts_nothing_is_no_success(server: Serving) -> None:
    ana = await server.ana()
    for text in ("Is it so?", " \n ", "I do not know that."):
        body = await check(ana, text, facts=facts(MEALS))
        assert body["supportScore"] == 0
        assert not any(c["groundingCheckRequired"] for c in body["claims"])


async def test_given_facts_are_of_nobody_elses_business(server: Serving) -> None:
    """They neither stay nor reach the log."""
    ana = await server.ana()
    secret = "The canary xylocarp costs 7 euros."
    with structlog.testing.capture_logs() as lines:
        await check(ana, f"{secret} {WRONG}", facts=facts(secret))
    (line,) = [one for one in lines if one["event"] == "text.checked"]
    assert (line["n_claims"], line["n_supported"], line["n_unchecked"]) == (2, 1, 0)
    assert "xylocarp" not in str(lines)
    data = server.installation.paths.data
    assert b"xylocarp" not in b"".join(p.read_bytes() for p in data.glob("*.sqlite*"))


# --- the silos --------------------------------------------------------------------------------------


async def document_at(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """The document that a link leads to, as JSON; the link itself opens a page."""
    page = await http.get(url)
    assert page.headers["content-type"].startswith("text/html")
    _, _, document, version = url.partition("#")[0].split("/")
    return (await http.get(f"/v1/documents/{document}", params={"version": version})).json()


async def test_without_facts_the_silos_are_the_facts(server: Serving) -> None:
    ana = await server.ana()
    body = await check(ana, f"{LEAVE} {MEALS} The moon is made of green cheese.")
    assert [c["label"] for c in body["claims"]][:2] == ["supported", "supported"]
    assert body["claims"][2]["label"] != "supported"
    assert body["claims"][2]["citationIndices"] == []
    for claim in body["claims"][:2]:
        for quote in claim["quotes"]:
            shown = await document_at(ana, quote["url"])
            assert shown["version"] == quote["version"]
            assert shown["text"][quote["startChar"] : quote["endChar"]] == quote["text"]
        best = body["citedChunks"][claim["citationIndices"][0]]
        assert claim["claimText"] in best["chunkText"]
    for chunk in body["citedChunks"]:
        document = chunk["document"]
        assert chunk["source"] == document["id"]
        shown = await document_at(ana, document["url"])
        assert shown["text"][document["startChar"] : document["endChar"]] == chunk["chunkText"]
    assert body["citedChunks"][0]["document"]["key"] == "leave.md"
    assert body["claims"][0]["checks"][0]["detail"].startswith("generation ")
    assert body["degraded"] == []


async def test_null_is_left_out(server: Serving) -> None:
    ana = await server.ana()
    assert (await check(ana, LEAVE, facts=None))["claims"][0]["label"] == "supported"


@pytest.mark.parametrize("who", ["ana", "ben"])
async def test_i4_only_what_the_caller_may_read_supports_or_shows(
    server: Serving, who: str
) -> None:
    theirs, others = (BUDGET, BONUS) if who == "ana" else (BONUS, BUDGET)
    http = await server.client(await server.key_of(who))
    assert (await check(http, theirs))["claims"][0]["label"] == "supported"
    hidden = await check(http, others)
    assert hidden["claims"][0]["label"] != "supported"
    # Their words, though not as one who knows would put them.
    probe = "The yearly sum is 9,999 euros. The sum for travel is 9,998 euros."
    seen = json.dumps(
        [hidden["citedChunks"], hidden["claims"][0]["closest"], await check(http, probe)]
    )
    secrets = (WOMBAT, "2,500", "people/") if who == "ana" else (QUOKKA, "90,000", "finance/")
    for secret in secrets:
        assert secret not in seen


async def test_who_may_read_nothing_finds_nothing_to_hold_it_against(
    installation: Installation,
) -> None:
    installation.configure("open_to_all = true", "")
    await installation.sync()
    async with serving(installation) as server:
        stranger = await server.client(await server.key(Principal(id="cara")))
        body = await check(stranger, LEAVE)
        assert body["claims"][0]["reason"]["detail"] == "there is nothing to hold it against"


class Meanwhile:
    """A judge beside whom something happens, once."""

    def __init__(self, judge: Judge, happen: Callable[[], Awaitable[object]]) -> None:
        self._judge = judge
        self._happen, self._happened = happen, False
        self.name, self.digest = judge.name, judge.digest
        self.threshold, self.calibration = judge.threshold, judge.calibration

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement | Unchecked]:
        judgements = await self._judge.judge(pairs)
        if not self._happened:
            self._happened = True
            await self._happen()
        return judgements

    async def ping(self) -> None:
        await self._judge.ping()


@pytest.mark.parametrize("text", [LEAVE, LEAVE.replace("28", "97")])
@pytest.mark.parametrize(("what", "step"), [("change", 2), ("close", 3)])
async def test_what_is_changed_or_closed_meanwhile_is_not_cited_nor_shown(
    server: Serving, what: str, step: int, text: str
) -> None:
    ana = await server.ana()

    async def close() -> None:
        async with server.installation.writer() as catalog:
            await catalog.deny_all(SiloId("handbook"))

    async def change() -> None:
        path = server.installation.file("handbook/leave.md")
        path.write_text(path.read_text().replace("28 days", "30 days"))
        await server.installation.sync()

    judge = server.room.opened().ports.judge
    server.use(judge=Meanwhile(judge, {"close": close, "change": change}[what]))
    server.options(judge_timeout_s=120.0)
    body = await check(ana, text)
    (claim,) = body["claims"]
    assert (claim["label"], claim["reason"]["step"]) == ("not_enough_info", step)
    assert (body["citedChunks"], claim["quotes"], claim["closest"]) == ([], [], [])
    assert "portal" not in json.dumps(body)
    assert doc("handbook/leave.md") not in json.dumps(body)


class NoEmbedder:
    """An embedder whose model is gone."""

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        raise ModelUnavailable("the weights are gone")


async def test_a_search_that_is_down_is_partial_content(server: Serving) -> None:
    ana = await server.ana()
    server.use(embedder=NoEmbedder())
    response = await ana.post("/v1/check", json={"answerCandidate": f"{LEAVE} {MEALS}"})
    assert (response.status_code, response.json()["degraded"]) == (206, ["embedder"])
    assert {c["label"] for c in response.json()["claims"]} == {"supported"}
    # Facts that come along need no search.
    assert (await check(ana, MEALS, facts=facts(MEALS)))["degraded"] == []


# --- a judge that cannot judge ----------------------------------------------------------------------


@pytest.mark.parametrize("hangs", [True, False])
@pytest.mark.parametrize("given", [None, facts(MEALS, HOTEL)])
async def test_i8_a_judge_that_fails_or_is_slow_gives_no_verdict(
    server: Serving, hangs: bool, given: Any
) -> None:
    ana = await server.ana()
    server.use(judge=BrokenJudge(hangs=hangs))
    server.options(judge_timeout_s=0.5)
    spec = {"citationThreshold": 0.000001, "enableClaimLevelScore": True}
    body = await check(ana, f"{MEALS} {HOTEL}", facts=given, groundingSpec=spec)
    assert [c["label"] for c in body["claims"]] == ["unchecked", "unchecked"]
    assert [c["score"] for c in body["claims"]] == [0, 0]
    assert (body["supportScore"], body["citedChunks"]) == (0, [])
    assert {c["reason"]["step"] for c in body["claims"]} == {7}


# --- limits, keys and turns -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "answerCandidate"),
        ({"answerCandidate": ""}, "answerCandidate"),
        ({"answerCandidate": "word " * 4097}, "answerCandidate"),
        ({"answerCandidate": "w" * 40_961}, "answerCandidate"),
        ({"answerCandidate": "half \ud800"}, "answerCandidate"),
        ({"answerCandidate": "x", "answer_candidate": "x"}, "answer_candidate"),
        ({"answerCandidate": "x", "facts": facts(*["y"] * 201)}, "facts"),
        ({"answerCandidate": "x", "facts": facts("y" * 10_001)}, "facts.0.factText"),
        ({"answerCandidate": "x", "facts": facts("y", "\udc00")}, "facts.1.factText"),
        ({"answerCandidate": "x", "facts": ["y"]}, "facts.0"),
        ({"answerCandidate": "x", "facts": [{"text": "y"}]}, "facts.0.factText"),
        ({"answerCandidate": "x", "groundingSpec": {"citationThreshold": 0}},
         "groundingSpec.citationThreshold"),
        ({"answerCandidate": "x", "groundingSpec": {"citationThreshold": 1.01}},
         "groundingSpec.citationThreshold"),
        ({"answerCandidate": "x", "groundingSpec": {"threshold": 0.5}}, "groundingSpec.threshold"),
    ],
)  # fmt: skip
async def test_what_is_over_a_limit_or_misspelt_is_refused(
    server: Serving, body: dict[str, Any], field: str
) -> None:
    ana = await server.ana()
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    response = await ana.post("/v1/check", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, "bad_request")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"] == field
    if "word" in body.get("answerCandidate", ""):
        assert response.json()["detail"].endswith("the text has 4097 words, over 4096")


async def test_what_is_just_within_the_limits_is_checked(server: Serving) -> None:
    ana = await server.ana()
    await check(ana, "word " * 4096, facts=facts("y" * 10_000, *["y"] * 198, ""))


async def test_body_and_question_have_the_limits_of_the_settings(
    installation: Installation,
) -> None:
    installation.configure("[server]", "[server]\nbody_max_bytes = 4096\nquestion_max_chars = 40")
    async with serving(installation) as server:
        ana = await server.ana()
        asked = {"answerCandidate": MEALS, "facts": facts("y" * 5000)}
        response = await ana.post("/v1/check", json=asked)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        asked = {"answerCandidate": MEALS, "facts": facts(MEALS), "question": "x" * 41}
        response = await ana.post("/v1/check", json=asked)
        assert (response.status_code, response.json()["code"]) == (422, "question_too_long")


async def test_operating_does_not_permit_checking(server: Serving) -> None:
    http = await server.client(await server.key(Principal(id="op"), ("operate",)))
    response = await http.post("/v1/check", json={"answerCandidate": MEALS, "facts": facts(MEALS)})
    assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


async def test_checks_take_the_turns_of_questions_and_give_them_back(
    installation: Installation,
) -> None:
    installation.configure("[server]", "[server]\nconcurrency_max = 1")
    async with serving(installation) as server:
        ana = await server.ana()
        go, entered = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            entered.set()
            await go.wait()

        judge = server.room.opened().ports.judge
        server.use(judge=Meanwhile(judge, wait))
        asked = {"answerCandidate": MEALS, "facts": facts(MEALS)}
        held = asyncio.create_task(ana.post("/v1/check", json=asked))
        await until(entered.is_set)
        for path, body in (("/v1/check", asked), ("/v1/answers", {"question": "x"})):
            refused = await ana.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        go.set()
        assert (await held).status_code == 200
        assert server.room.n_open == 0

        async def fail() -> None:
            raise ZeroDivisionError

        server.use(judge=Meanwhile(judge, fail))
        assert (await ana.post("/v1/check", json=asked)).status_code == 500
        assert server.room.n_open == 0


async def test_before_anything_is_indexed_it_says_not_ready(server: Serving) -> None:
    ana = await server.ana()
    house, server.room.house = server.room.house, None
    response = await ana.post("/v1/check", json={"answerCandidate": MEALS, "facts": facts(MEALS)})
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    server.room.house = house


async def test_the_example_of_the_description_is_checked_as_it_says(server: Serving) -> None:
    ana = await server.ana()
    api = (await ana.get("/openapi.json")).json()
    (example,) = api["components"]["schemas"]["CheckRequest"]["examples"]
    response = await ana.post("/v1/check", json=example)
    labels = [c["label"] for c in response.json()["claims"]]
    assert (response.status_code, labels[0]) == (200, "supported")
    assert labels[1] != "supported"
    for name in ("CheckRequest", "CheckedClaimOut"):
        fields = api["components"]["schemas"][name]["properties"]
        assert all("_" not in field for field in fields)
