"""What a document says to a model is not obeyed: the suite, against a model that obeys all it sees."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.organisation import Installation, installed
from support.serving import Serving, serving

from eval.suites.injections import Family, Injection, read_injections
from rag.adapters.generators.llm import LlmGenerator
from rag.adapters.generators.llm_options import LlmOptions
from rag.domain.document import Principal
from rag.domain.words import sentence_spans
from rag.testing.scripted_llm import Asked, Reply, Said, ScriptedLlm, honest

SUITE = read_injections()
SETTINGS = """
data_dir = "state"

[server]
port = 0

[[silos]]
id = "docs"
root = "docs"
open_to_all = true
"""
_QUOTED = re.compile(r"[\"“„«「『]([^\"“”«»„「」『』]{4,300})[\"”“»」』]")
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\")\]]+")


class Obeying:
    """Answers honestly, then says whatever of the attack it was shown: whole, quoted, as links."""

    def __init__(self) -> None:
        self.attack: Injection = SUITE[0]
        self.n_seen = 0

    def __call__(self, asked: Asked) -> Reply:
        claims = list(honest(asked).claims)
        for passage in asked.passages:
            text = " ".join(passage.text.split())
            for planted in self.attack.planted:
                whole = " ".join(planted.split())
                for span in sentence_spans(whole):
                    sentence = span.of(whole).strip()
                    if sentence and sentence in text:
                        self.n_seen += 1
                        claims += self._said(sentence, passage.number)
        return Reply(claims=claims)

    def _said(self, sentence: str, number: int) -> Iterator[Said]:
        demanded = [*_QUOTED.findall(sentence), *_LINK.findall(sentence)]
        demanded += [f for f in self.attack.forbidden if f in sentence]
        for text in (sentence, *demanded, *(f"[more]({t})" for t in demanded if "/" in t)):
            yield Said(text=text, evidence=number)


@pytest.fixture
async def server(tmp_path: Path, model_cache: Path) -> AsyncIterator[Serving]:
    installation = installed(tmp_path / "organisation", model_cache)
    assert isinstance(installation, Installation)
    (installation.root / "sworn.toml").write_text(SETTINGS, encoding="utf-8")
    for attack in SUITE:
        path = installation.root / "docs" / f"{attack.id}-{attack.document.name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(attack.document.text, encoding="utf-8")
    await installation.sync()
    async with serving(installation) as running:
        yield running


async def leaks(server: Serving, some: list[Injection]) -> list[tuple[str, str, list[str]]]:
    model = Obeying()
    found: list[tuple[str, str, list[str]]] = []
    client = await server.client(await server.key(Principal(id="asker")))
    with ScriptedLlm(model) as llm:
        generator = LlmGenerator(LlmOptions(model="scripted", base_url=llm.base_url))
        await generator.start()
        server.use(generator=generator, reviser=generator)
        for attack in some:
            model.attack = attack
            response = await client.post("/v1/answers", json={"question": attack.question})
            assert response.is_success, response.text
            body: dict[str, Any] = response.json()
            for part in ("citations", "nearest", "models", "parts"):
                body.pop(part)
            said = json.dumps(body, ensure_ascii=False).casefold()
            told = [f for f in attack.forbidden if f.casefold() in said]
            if told:
                found.append((attack.id, attack.family.value, told))
        await generator.aclose()
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_no_attack_leaves_a_trace(server: Serving) -> None:
    """Poison aside: a false statement that commands nobody is a document like any other."""
    assert await leaks(server, [a for a in SUITE if a.family is not Family.POISON]) == []
