"""A chatbot's key speaks for its users: with their access, and never with its own."""

import httpx
import pytest
from openai import AsyncOpenAI
from support.organisation import ANA, BONUS, BUDGET, Installation, doc
from support.serving import Serving, quoting, serving

from rag.domain.document import Principal

BOT = Principal(id="bot", groups=frozenset({"finance", "people"}))
USERS = """
[directory.users]
"ana@example.com" = ["finance"]
"ben@example.com" = ["people"]
"""
SECRETS = {"finance": BUDGET, "people": BONUS}
QUESTION = "What are the travel budget of quokkafin and the yearly bonus of wombatppl?"


@pytest.fixture
async def port(installation: Installation) -> Serving:
    settings = installation.root / "sworn.toml"
    settings.write_text(USERS + settings.read_text().replace('data_dir = "state"', "", 1))
    settings.write_text('data_dir = "state"\n' + settings.read_text())
    async with serving(installation, on_a_port=True) as running:
        running.use(generator=quoting(BUDGET, BONUS))
        yield running


async def bot(port: Serving, *scopes: str) -> httpx.AsyncClient:
    return await port.client(await port.key(BOT, scopes or ("ask", "delegate")))


def told(body: dict) -> set[str]:
    return {group for group, text in SECRETS.items() if text in body["text"]}


@pytest.mark.parametrize(
    ("user", "groups"),
    [("ana@example.com", {"finance"}), ("ben@example.com", {"people"}), ("eve@example.com", set())],
)
async def test_the_users_access_and_not_the_bots(
    port: Serving, user: str, groups: set[str]
) -> None:
    http = await bot(port)
    headers = {"X-Sworn-User": user}
    asked = await http.post("/v1/answers", json={"question": QUESTION}, headers=headers)
    assert told(asked.json()) == groups
    listed = (await http.get("/v1/documents", headers=headers)).json()["documents"]
    assert {r["key"].split("/")[0] for r in listed if r["silo"] == "vault"} == groups
    document = doc("vault/people/wombatppl-bonus.md")
    version = (await (await port.ben()).get(f"/v1/documents/{document}")).json()["version"]
    page = await http.get(f"/s/{document}/{version}", headers=headers)
    assert (page.status_code == 200) == ("people" in groups)


async def test_without_a_user_the_key_speaks_for_itself(port: Serving) -> None:
    http = await bot(port)
    asked = await http.post("/v1/answers", json={"question": QUESTION})
    assert told(asked.json()) == {"finance", "people"}


async def test_without_the_scope_nobody_is_spoken_for(port: Serving) -> None:
    http = await bot(port, "ask")
    headers = {"X-Sworn-User": "ana@example.com"}
    for response in (
        await http.post("/v1/answers", json={"question": QUESTION}, headers=headers),
        await http.get("/v1/documents", headers=headers),
        await http.post("/v1/check", json={"answerCandidate": "x"}, headers=headers),
    ):
        assert response.status_code == 403
        assert response.json()["code"] == "not_allowed"


async def test_nobody_in_particular_is_not_the_key_itself(port: Serving) -> None:
    http = await bot(port)
    headers = {"X-Sworn-User": ""}
    asked = await http.post("/v1/answers", json={"question": QUESTION}, headers=headers)
    assert asked.status_code == 403
    body = {"messages": [{"role": "user", "content": QUESTION}], "user": ""}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 403


async def test_anthropics_user_id_is_spoken_for(port: Serving) -> None:
    http = await bot(port)
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "metadata": {"user_id": "ben@example.com"},
    }
    said = (await http.post("/v1/messages", json=body)).json()
    assert told({"text": "".join(block["text"] for block in said["content"])}) == {"people"}


async def test_no_user_is_taken_for_a_key_of_the_same_name(port: Serving) -> None:
    ana = await port.ana()
    kept = (await ana.post("/v1/answers", json={"question": QUESTION})).json()
    http = await bot(port)
    headers = {"X-Sworn-User": ANA.id}
    assert (await http.get(f"/v1/answers/{kept['id']}", headers=headers)).status_code == 404
    mine = await http.post(
        "/v1/answers", json={"question": QUESTION}, headers={"X-Sworn-User": "ana@example.com"}
    )
    path = f"/v1/answers/{mine.json()['id']}"
    assert (await http.get(path, headers={"X-Sworn-User": "ana@example.com"})).status_code == 200
    assert (await http.get(path, headers={"X-Sworn-User": "ben@example.com"})).status_code == 404
    assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(("scopes", "groups"), [
    (("ask", "delegate"), {"people"}), (("ask",), {"finance", "people"}),
])  # fmt: skip
async def test_openais_field_user_counts_only_with_the_scope(
    port: Serving, scopes: tuple[str, ...], groups: set[str]
) -> None:
    key = await port.key(BOT, scopes)
    async with AsyncOpenAI(base_url=f"{port.base_url}/v1", api_key=key, max_retries=0) as client:
        done = await client.chat.completions.create(
            model="sworn", user="ben@example.com", messages=[{"role": "user", "content": QUESTION}]
        )
    assert told({"text": done.choices[0].message.content}) == groups
