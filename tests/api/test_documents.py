"""Browsing what may be cited: pages, texts, versions; and the machine's description of all of it."""

import json
from typing import Any

import jsonschema
import pytest
from support.organisation import LEAVE, MEALS, doc
from support.serving import Serving, quoting

from rag.domain.ids import digest_text

LEAVE_ID = doc("handbook/leave.md")


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 10, 200])
async def test_pages_hold_every_document_once(server: Serving, limit: int) -> None:
    ana = await server.ana()
    seen: list[str] = []
    after, n_pages = "", 0
    while True:
        params = {"limit": limit, "after": after}
        page = (await ana.get("/v1/documents", params=params)).json()
        assert len(page["documents"]) <= limit
        seen += [d["id"] for d in page["documents"]]
        n_pages += 1
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == sorted(set(seen))
    assert len(seen) == 9
    assert n_pages <= 9 // limit + 1


async def test_a_page_can_be_of_one_silo(server: Serving) -> None:
    ana = await server.ana()
    for silo, n_documents in (("handbook", 7), ("vault", 2), ("no-such", 0)):
        page = (await ana.get("/v1/documents", params={"silo": silo})).json()
        assert [d["silo"] for d in page["documents"]] == [silo] * n_documents


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"limit": -1}])
async def test_a_page_size_out_of_range_is_refused(server: Serving, params: dict[str, str]) -> None:
    ana = await server.ana()
    response = await ana.get("/v1/documents", params=params)
    assert (response.status_code, response.json()["code"]) == (422, "bad_request")


async def test_a_document_is_its_text_elements_and_versions(server: Serving) -> None:
    ana = await server.ana()
    body = (await ana.get(f"/v1/documents/{LEAVE_ID}")).json()
    assert body["document"]["key"] == "leave.md"
    assert body["document"]["title"] == "Annual leave"
    assert body["version"] == body["document"]["version"] == digest_text(body["text"])
    assert LEAVE in body["text"]
    headings = [e for e in body["elements"] if e["kind"] == "heading"]
    texts = [body["text"][e["start_char"] : e["end_char"]] for e in headings]
    assert texts == ["Annual leave", "Requests"]
    assert [v["retired_at"] for v in body["versions"]] == [None]


async def test_after_edits_every_version_can_still_be_read(server: Serving) -> None:
    ana = await server.ana()
    path = server.installation.file("handbook/leave.md")
    texts = []
    for days in (28, 30, 31):
        path.write_text(f"# Annual leave\n\nEmployees get {days} days.\n")
        await server.installation.sync()
        body = (await ana.get(f"/v1/documents/{LEAVE_ID}")).json()
        texts.append((body["version"], body["text"]))
        assert f"{days} days" in body["text"]
    assert len(body["versions"]) == 4
    assert [v["digest"] for v in body["versions"]][:3] == [digest for digest, _ in texts[::-1]]
    assert [v["retired_at"] is None for v in body["versions"]] == [True, False, False, False]
    for digest, text in texts:
        params = {"version": digest}
        found = (await ana.get(f"/v1/documents/{LEAVE_ID}", params=params)).json()
        assert (found["version"], found["text"]) == (digest, text)
    unknown = await ana.get(f"/v1/documents/{LEAVE_ID}", params={"version": digest_text("x")})
    assert unknown.status_code == 404
    other = doc("handbook/travel.md")
    foreign = await ana.get(f"/v1/documents/{other}", params={"version": texts[0][0]})
    assert foreign.status_code == 404


async def test_a_removed_document_is_gone_with_its_versions(server: Serving) -> None:
    ana = await server.ana()
    version = (await ana.get(f"/v1/documents/{LEAVE_ID}")).json()["version"]
    server.installation.file("handbook/leave.md").unlink()
    await server.installation.sync()
    for params in ({}, {"version": version}):
        assert (await ana.get(f"/v1/documents/{LEAVE_ID}", params=params)).status_code == 404
    assert len((await ana.get("/v1/documents")).json()["documents"]) == 8


async def test_what_cannot_be_read_is_shown_to_operators_only(server: Serving) -> None:
    server.installation.file("handbook/damaged.pdf").write_bytes(b"%PDF-1.4 nothing of the sort")
    await server.installation.sync()
    ana, operator = await server.ana(), await server.operator()
    silos = (await operator.get("/v1/silos")).json()
    (quarantined,) = silos["quarantined"]
    assert (quarantined["silo"], quarantined["key"]) == ("handbook", "damaged.pdf")
    assert quarantined["detail"]
    assert "damaged" not in (await ana.get("/v1/silos")).text
    assert "damaged" not in (await ana.get("/v1/documents")).text
    assert (await ana.get(f"/v1/documents/{doc('handbook/damaged.pdf')}")).status_code == 404


# --- the description ----------------------------------------------------------------------------------


def schema_of(api: dict[str, Any], path: str, method: str, status: str) -> dict[str, Any]:
    content = api["paths"][path][method]["responses"][status]["content"]
    return {**content["application/json"]["schema"], "components": api["components"]}


async def test_responses_are_as_described(server: Serving) -> None:
    ana, operator = await server.ana(), await server.operator()
    server.use(generator=quoting(MEALS))
    api = (await ana.get("/openapi.json")).json()
    answered = await ana.post("/v1/answers", json={"question": "meals refunded"})
    created = await operator.post("/v1/keys", json={"name": "x", "principal": "x"})
    queued = await operator.post("/v1/silos/vault/sync")
    cases = [
        ("/v1/answers", "post", answered),
        ("/v1/answers/{answer_id}", "get", await ana.get(f"/v1/answers/{answered.json()['id']}")),
        ("/v1/answers", "post", await ana.post("/v1/answers", json={})),
        ("/v1/answers", "post", await (await server.client(None)).post("/v1/answers", json={"question": "x"})),
        ("/v1/documents", "get", await ana.get("/v1/documents")),
        ("/v1/documents/{document_id}", "get", await ana.get(f"/v1/documents/{LEAVE_ID}")),
        ("/v1/documents/{document_id}", "get", await ana.get("/v1/documents/doc_none")),
        ("/v1/silos", "get", await ana.get("/v1/silos")),
        ("/v1/silos", "get", await operator.get("/v1/silos")),
        ("/v1/keys", "get", await operator.get("/v1/keys")),
        ("/v1/keys", "post", created),
        ("/v1/keys", "get", await ana.get("/v1/keys")),
        ("/v1/silos/{silo_id}/sync", "post", queued),
        ("/v1/requests/{number}", "get", await operator.get(queued.json()["url"])),
        ("/healthz", "get", await ana.get("/healthz")),
    ]  # fmt: skip
    statuses = set()
    for path, method, response in cases:
        statuses.add(response.status_code)
        schema = schema_of(api, path, method, str(response.status_code))
        jsonschema.validate(response.json(), schema)
    assert statuses == {200, 201, 202, 401, 403, 404, 422}


async def test_the_description_has_examples_that_are_accepted(server: Serving) -> None:
    ana = await server.ana()
    api = (await ana.get("/openapi.json")).json()
    examples = api["components"]["schemas"]["AnswerRequest"]["examples"]
    assert examples
    for example in examples:
        assert (await ana.post("/v1/answers", json=example)).is_success
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing"


async def test_the_description_names_no_document_and_no_silo(server: Serving) -> None:
    text = json.dumps((await (await server.client(None)).get("/openapi.json")).json())
    for name in ("handbook", "vault", "quokka", str(server.installation.root)):
        assert name not in text
