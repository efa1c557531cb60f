"""Anthropic's door, tried with Anthropic's own client against the server on a port."""

from collections.abc import AsyncIterator, Sequence

import anthropic
import pytest
from anthropic import AsyncAnthropic
from support.organisation import HOTEL, MEALS, Installation
from support.serving import Serving, quoting, serving

from rag.domain.claim import Draft, Evidence
from rag.testing.fakes import ScriptedGenerator

QUESTION = "What is refunded for meals and hotels?"
ASKED = [{"role": "user", "content": QUESTION}]


@pytest.fixture
async def port(installation: Installation) -> AsyncIterator[Serving]:
    async with serving(installation, on_a_port=True) as running:
        yield running


async def client(port: Serving, secret: str | None = None) -> AsyncAnthropic:
    key = secret or await port.key_of("ana")
    made = AsyncAnthropic(base_url=port.base_url, api_key=key, max_retries=0)
    return await port.clients.enter_async_context(made)


async def source_text(port: Serving, document_id: str, version: str) -> str:
    ana = await port.ana()
    found = await ana.get(f"/v1/documents/{document_id}", params={"version": version})
    return str(found.json()["text"])


async def test_every_claim_is_a_block_that_cites_the_exact_text(port: Serving) -> None:
    port.use(generator=quoting(MEALS, HOTEL))
    said = await (await client(port)).messages.create(
        model="claude-anything", max_tokens=100, messages=ASKED, system="Say nothing."
    )
    assert (said.type, said.role, said.model, said.stop_reason) == (
        "message", "assistant", "claude-anything", "end_turn",
    )  # fmt: skip
    assert "".join(block.text for block in said.content) == f"{MEALS}\n{HOTEL}"
    cited = [(b.text, c) for b in said.content for c in b.citations or ()]
    assert [text for text, _ in cited] == [MEALS, HOTEL]
    source = said.model_extra["sworn"]["citations"][0]
    text = await source_text(port, source["source"]["document_id"], source["version"])
    for claim, location in cited:
        assert location.type == "char_location"
        assert location.cited_text == claim
        assert text[location.start_char_index : location.end_char_index] == claim
        assert (location.document_index, location.document_title) == (0, "Travel")


async def test_a_stream_gathers_to_the_same_message(port: Serving) -> None:
    port.use(generator=quoting(MEALS, HOTEL))
    told = await client(port)
    whole = await told.messages.create(model="sworn", max_tokens=100, messages=ASKED)
    async with told.messages.stream(model="sworn", max_tokens=100, messages=ASKED) as stream:
        kinds = [event.type async for event in stream]
        gathered = await stream.get_final_message()
    assert [(b.text, b.citations) for b in gathered.content] == [
        (b.text, b.citations) for b in whole.content
    ]
    assert gathered.stop_reason == "end_turn"
    assert kinds.count("citation") == 2
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


async def test_an_abstention_is_a_message_without_citations(port: Serving) -> None:
    port.use(generator=quoting())
    said = await (await client(port)).messages.create(
        model="sworn", max_tokens=100,
        messages=[{"role": "user", "content": [{"type": "text", "text": "Who won the chess cup?"}]}],
    )  # fmt: skip
    (block,) = said.content
    assert block.text.startswith("I cannot answer that")
    assert not block.citations
    assert said.model_extra["sworn"]["status"] == "abstained"


async def test_errors_are_of_the_kind_that_the_client_knows(port: Serving) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        told = await client(port, "sworn_wrong")
        await told.messages.create(model="sworn", max_tokens=9, messages=ASKED)
    with pytest.raises(anthropic.UnprocessableEntityError):
        told = await client(port)
        await told.messages.create(
            model="sworn", max_tokens=9, messages=[{"role": "assistant", "content": "Hi"}]
        )


async def test_half_a_stream_never_looks_whole(port: Serving) -> None:
    def broken(question: str, evidence: Sequence[Evidence]) -> Draft:
        raise RuntimeError("a bug")

    port.use(generator=ScriptedGenerator(broken))
    told = await client(port)
    with pytest.raises(anthropic.APIError):
        async with told.messages.stream(model="sworn", max_tokens=9, messages=ASKED) as stream:
            await stream.get_final_message()
