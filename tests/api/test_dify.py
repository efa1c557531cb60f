"""Dify's External Knowledge: passages in its shape, and only those that the key may read."""

import httpx
import pytest
from support.organisation import BONUS, BUDGET, LEAVE
from support.serving import Serving

REQUEST = {
    "knowledge_id": "all",
    "query": "How many days of annual leave do full-time employees get?",
    "retrieval_setting": {"top_k": 3, "score_threshold": 0.1},
    "metadata_condition": None,
}


async def sent(http: httpx.AsyncClient, **changed: object) -> httpx.Response:
    return await http.post("/retrieval", json={**REQUEST, **changed})


async def test_passages_best_first_in_difys_shape(server: Serving) -> None:
    records = (await sent(await server.ana())).json()["records"]
    assert 1 <= len(records) <= 3
    assert LEAVE in records[0]["content"]
    for record in records:
        assert set(record) == {"content", "score", "title", "metadata"}
        assert 0.1 <= record["score"] <= 1.0
        assert record["title"]
        assert record["metadata"]["url"].startswith("http://sworn.test/s/doc_")


async def test_the_link_of_a_passage_opens(server: Serving) -> None:
    ana = await server.ana()
    record = (await sent(ana)).json()["records"][0]
    page = await ana.get(record["metadata"]["url"].partition("#")[0])
    assert page.status_code == 200
    assert LEAVE in page.text


async def test_a_knowledge_is_a_silo(server: Serving) -> None:
    ana = await server.ana()
    records = (await sent(ana, knowledge_id="vault", query="travel budget")).json()["records"]
    assert {r["metadata"]["path"].split("/")[0] for r in records} == {"vault"}
    unknown = await sent(ana, knowledge_id="nowhere")
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, 2001)


async def test_what_the_key_may_not_read_is_not_there(server: Serving) -> None:
    query = "budget of quokkafin and bonus of wombatppl"
    for name, seen, hidden in (("ana", BUDGET, BONUS), ("ben", BONUS, BUDGET)):
        http = await server.client(await server.key_of(name))
        text = (await sent(http, query=query, retrieval_setting={"top_k": 50})).text
        assert seen in text
        assert hidden not in text


@pytest.mark.parametrize(("secret", "code"), [(None, 1001), ("sworn_wrong", 1002)])
async def test_who_has_no_key_is_told_so_in_difys_way(
    server: Serving, secret: str | None, code: int
) -> None:
    refused = await sent(await server.client(secret))
    assert (refused.status_code, refused.json()["error_code"]) == (401, code)


async def test_a_threshold_leaves_out_what_is_below(server: Serving) -> None:
    ana = await server.ana()
    setting = {"top_k": 10, "score_threshold": 0.9}
    scores = [r["score"] for r in (await sent(ana, retrieval_setting=setting)).json()["records"]]
    assert all(score >= 0.9 for score in scores)
    assert (await sent(ana, retrieval_setting={"top_k": 0})).status_code == 422
