"""A language model behind the belt, over real HTTP: honest, lying, away, and over its budget."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.organisation import BUDGET, HOTEL, MEALS, Installation, installed
from support.serving import Serving, serving

from rag.adapters.generators.llm import LlmGenerator
from rag.domain.errors import ConfigError
from rag.settings import GeneratorSettings
from rag.testing.scripted_llm import Asked, Reply, Said, Script, ScriptedLlm, honest, lying
from rag.wiring import build_llm

QUESTION = "What is refunded for meals?"
KEY = "sk-a-secret-that-stays-here"
LIE = "Meals are refunded up to 97,310 euros a day."


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """The library behind the client takes many seconds to import, once."""
    import llama_index.llms.openai_like  # noqa: F401


@pytest.fixture
def installation(tmp_path: Path, model_cache: Path) -> Installation:
    return installed(tmp_path / "organisation", model_cache)


@asynccontextmanager
async def answering(
    installation: Installation, script: Script, monkeypatch: pytest.MonkeyPatch, more: str = ""
) -> AsyncIterator[tuple[Serving, ScriptedLlm]]:
    """The API with a generator as its settings file names it."""
    monkeypatch.setenv("SWORN_TEST_KEY", KEY)
    with ScriptedLlm(script) as llm:
        section = (
            f'[generator]\nkind = "llm"\nmodel = "scripted"\nbase_url = "{llm.base_url}"\n'
            f'api_key_env = "SWORN_TEST_KEY"\nretries = 0\nprice_in = 2.0\nprice_out = 8.0\n'
        )
        installation.configure("[verification]", f"{section}\n{more}\n[verification]")
        async with serving(installation) as server:
            yield server, llm


async def ask(server: Serving) -> dict[str, Any]:
    ana = await server.ana()
    response = await ana.post("/v1/answers", json={"question": QUESTION})
    assert response.is_success, response.text
    assert KEY not in response.text
    body: dict[str, Any] = response.json()
    assert (response.status_code == 206) == bool(body["degraded"])
    return body


def fixed(*claims: Said) -> Script:
    return lambda asked: Reply(claims=claims)


def steps(body: dict[str, Any]) -> dict[str, Any]:
    return {a["step"]: a for a in body["activity"]}


async def test_what_a_model_writes_is_verified_and_counted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answering(installation, honest, monkeypatch) as (server, llm):
        body = await ask(server)
        assert body["status"] == "answered"
        assert MEALS in body["text"]
        assert body["models"]["generator"]["name"] == "llm:scripted"
        assert body["models"]["fallback"]["name"] == "extractive"
        used = steps(body)["generate"]
        assert used["tokens"] > 0
        assert used["cost"] > 0
        assert llm.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert BUDGET in llm.requests[0].prompt or "quokkafin" not in llm.requests[0].prompt


async def test_a_lie_goes_back_once_and_what_comes_back_is_verified(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(asked: Asked) -> Reply:
        number = next(p.number for p in asked.passages if MEALS in p.text)
        text = MEALS if asked.refused else LIE
        return Reply(claims=[Said(text=text, evidence=number)])

    async with answering(installation, script, monkeypatch) as (server, llm):
        body = await ask(server)
        assert [r.refused for r in llm.requests] == [(), (LIE,)]
        assert body["text"] == f"{MEALS} [1]"
        assert body["withheld"] == []
        assert steps(body)["revise"]["tokens"] > 0
        assert "97,310" not in json.dumps(body)


async def test_a_model_that_only_lies_is_replaced_by_the_sources_own_words(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = fixed(Said(text=LIE, evidence=1), Said(text="Ana Lytics invented meals.", evidence=1))
    async with answering(installation, script, monkeypatch) as (server, _):
        body = await ask(server)
        assert body["status"] == "partial"
        assert MEALS in body["text"]
        assert body["withheld"]
        assert "97,310" not in json.dumps(body)
        assert "Ana Lytics" not in json.dumps(body)


async def test_a_model_that_is_away_means_an_extractive_answer_that_says_so(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answering(installation, honest, monkeypatch) as (server, llm):
        llm.script = lambda asked: Reply(status=503)
        body = await ask(server)
        assert body["degraded"] == ["generator"]
        assert MEALS in body["text"]


async def test_a_question_over_its_budget_is_answered_without_the_model(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "[budget]\ntokens = 40\n"
    async with answering(installation, honest, monkeypatch, more) as (server, llm):
        body = await ask(server)
        assert body["degraded"] == ["generator"]
        assert llm.requests == []


@pytest.mark.parametrize("seed", range(3))
async def test_of_a_model_that_lies_a_third_of_the_time_no_figure_leaves(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    async with answering(installation, lying(0.3, seed), monkeypatch) as (server, _):
        body = await ask(server)
        for claim in body["claims"]:
            assert claim["label"] == "supported"
            assert claim["text"] in {MEALS, HOTEL} or claim["citations"]


def missing() -> Iterator[GeneratorSettings]:
    server = {"kind": "llm", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    yield GeneratorSettings(kind="llm")
    yield GeneratorSettings(kind="llm", model="m")
    yield GeneratorSettings(**server, api_key_env="SWORN_NO_SUCH_VARIABLE")
    yield GeneratorSettings(**server, api_key_file=Path("/no/such/file"))
    yield GeneratorSettings(**server, options={"messages": []})


@pytest.mark.parametrize("settings", list(missing()))
def test_what_is_missing_is_said_at_start(settings: GeneratorSettings) -> None:
    with pytest.raises(ConfigError):
        build_llm(settings)


def test_the_extractive_one_needs_nothing() -> None:
    assert build_llm(GeneratorSettings()) is None
    made = build_llm(GeneratorSettings(kind="llm", model="m", base_url="http://127.0.0.1:1/v1"))
    assert isinstance(made, LlmGenerator)
