"""Who gets in: keys, scopes, and nothing said about why not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.organisation import ANA, OPERATOR
from support.serving import Serving

from rag.testing.fakes import FakeClock

OPEN = {"/healthz", "/readyz"}


async def test_every_endpoint_but_health_wants_a_key(server: Serving) -> None:
    stranger = await server.client(None)
    n_closed = 0
    for path, methods in server.app.openapi()["paths"].items():
        for method in methods:
            url = path.replace("{number}", "1").replace("{", "").replace("}", "")
            # A body that is not valid either: who may not ask learns nothing about bodies.
            response = await stranger.request(method, url)
            if path in OPEN:
                assert response.status_code == 200
                continue
            n_closed += 1
            assert response.status_code == 401, (method, path, response.text)
            if path.startswith("/s/"):
                # A page: browsers ask for the key as a password.
                assert response.headers["www-authenticate"].startswith("Basic ")
                continue
            if path == "/retrieval":
                assert response.json()["error_code"] == 1001
                continue
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["code"] == "unauthenticated"
    assert n_closed >= 11


@pytest.mark.parametrize(
    "header",
    [
        {"Authorization": "Bearer sworn_000000000000_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YW5hOmFuYQ=="},
        {"Authorization": "Bearer \u00e9".encode()},
        {"X-API-Key": "sworn_wrong"},
        {"X-API-Key": "' OR 1=1 --"},
    ],
)
async def test_a_wrong_key_opens_nothing(server: Serving, header: Any) -> None:
    stranger = await server.client(None)
    response = await stranger.get("/v1/documents", headers=header)
    assert response.status_code == 401
    assert "wrong" not in response.text


async def test_a_key_works_in_both_headers(server: Serving) -> None:
    secret = await server.key(ANA)
    stranger = await server.client(None)
    for header in ({"Authorization": f"bearer {secret}"}, {"X-API-Key": secret}):
        assert (await stranger.get("/v1/documents", headers=header)).status_code == 200


async def test_a_revoked_key_opens_nothing_from_then_on(server: Serving) -> None:
    ana, operator = await server.ana(), await server.operator()
    keys = (await operator.get("/v1/keys")).json()
    key = next(k for k in keys if k["principal"] == "ana")
    assert (await ana.get("/v1/documents")).status_code == 200
    assert (await operator.delete(f"/v1/keys/{key['id']}")).status_code == 204
    refused = await ana.get("/v1/documents")
    assert refused.status_code == 401
    wrong = await (await server.client("sworn_wrong")).get("/v1/documents")
    assert refused.text == wrong.text
    again = await operator.delete(f"/v1/keys/{key['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


async def test_an_expired_key_opens_nothing(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(server.room.journal, "_clock", clock)
    ana = await server.client(await server.key(ANA, lifetime=timedelta(days=1)))
    assert (await ana.get("/v1/documents")).status_code == 200
    clock.pass_time(timedelta(hours=23, minutes=59))
    assert (await ana.get("/v1/documents")).status_code == 200
    clock.pass_time(timedelta(minutes=1))
    assert (await ana.get("/v1/documents")).status_code == 401


async def test_asking_does_not_permit_operating(server: Serving) -> None:
    ana = await server.ana()
    for method, path in (
        ("GET", "/v1/keys"),
        ("POST", "/v1/indexes/rebuild"),
        ("POST", "/v1/silos/vault/sync"),
        ("GET", "/v1/requests/1"),
        ("DELETE", "/v1/keys/abc"),
    ):
        response = await ana.request(method, path)
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed"), path
    silos = (await ana.get("/v1/silos")).json()
    assert silos["quarantined"] is None
    assert silos["n_waiting"] is None
    assert {s["error"] for s in silos["silos"]} == {None}


async def test_operating_does_not_permit_asking(server: Serving) -> None:
    http = await server.client(await server.key(OPERATOR, ("operate",)))
    for method, path in (("GET", "/v1/documents"), ("GET", "/v1/answers/x")):
        response = await http.request(method, path)
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")
    assert (await http.post("/v1/answers", json={"question": "x"})).status_code == 403


async def test_a_created_key_is_shown_once_and_works(server: Serving) -> None:
    operator = await server.operator()
    asked = {"name": "bot", "principal": "bot", "groups": ["finance"], "lifetime_days": 2}
    created = await operator.post("/v1/keys", json=asked)
    assert created.status_code == 201
    body = created.json()
    assert body["scopes"] == ["ask"]
    assert datetime.fromisoformat(body["expires_at"]) > datetime.now(UTC) + timedelta(days=1.9)
    bot = await server.client(body["secret"])
    assert (await bot.get("/v1/documents")).status_code == 200
    assert (await bot.get("/v1/keys")).status_code == 403
    listed = (await operator.get("/v1/keys")).json()
    assert body["id"] in {k["id"] for k in listed}
    assert body["secret"] not in str(listed)
    assert all("secret" not in k for k in listed)
    data = server.installation.paths.data
    stored = b"".join(p.read_bytes() for p in data.glob("journal.sqlite*"))
    assert body["secret"].rsplit("_", 1)[1].encode() not in stored


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "", "principal": "x"},
        {"name": "x"},
        {"name": "x", "principal": "x", "scopes": ["root"]},
        {"name": "x", "principal": "x", "lifetime_days": 0},
        {"name": "x", "principal": "x", "group": ["finance"]},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(server: Serving, wrong: dict[str, str]) -> None:
    operator = await server.operator()
    n_before = len((await operator.get("/v1/keys")).json())
    response = await operator.post("/v1/keys", json=wrong)
    assert (response.status_code, response.json()["code"]) == (422, "bad_request")
    assert len((await operator.get("/v1/keys")).json()) == n_before


async def test_the_operators_key_is_for_its_owner_alone(server: Serving) -> None:
    path = server.installation.paths.keys / "operator.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    http = await server.client(path.read_text().strip())
    silos = (await http.get("/v1/silos")).json()
    assert {s["id"]: s["n_documents"] for s in silos["silos"]} == {"handbook": 7, "vault": 4}
