"""Every error is an RFC 9457 problem with a stable code."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from support.organisation import Installation
from support.serving import Serving, serving

from api import problems
from rag.domain import errors
from rag.domain.errors import RagError, StoreUnavailable

FIELDS = {"type", "title", "status", "code", "detail", "remedy"}


def subclasses(kind: type[RagError]) -> Iterator[type[RagError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


# Those of the domain: tests elsewhere may have made their own.
KINDS = [k for k in dict.fromkeys(subclasses(RagError)) if k.__module__ == errors.__name__]


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.keys() >= FIELDS
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:sworn:problem:{code}"
    assert body["title"]


def test_every_code_is_mapped_and_every_mapping_is_a_code() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes)), "two errors share a code"
    assert set(codes) == problems.STATUS.keys()
    assert set(problems.STATUS.values()) <= problems.TITLES.keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_every_error_leaves_as_its_problem(kind: type[RagError]) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise kind("what happened", remedy="what to do")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sworn.test") as http:
        response = await http.get("/")
    assert_problem(response, problems.STATUS[kind.code], kind.code)
    assert ("retry-after" in response.headers) == kind.retryable
    hidden = response.status_code == 500
    assert ("what happened" in response.text) == (not hidden)
    assert ("what to do" in response.text) == (not hidden)


def test_what_may_be_tried_again_says_so_by_its_status() -> None:
    for kind in KINDS:
        if kind.retryable:
            assert problems.STATUS[kind.code] == 503, kind.__name__


async def test_a_bug_says_nothing_about_itself() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise RuntimeError("inner secrets")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sworn.test") as http:
        response = await http.get("/")
    assert_problem(response, 500, "internal")
    assert "secrets" not in response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": 3}, "question"),
        ({"question": "x", "policy": "lenient"}, "policy"),
        ({"question": "x", "silos": "handbook"}, "silos"),
        ({"question": "x", "stream": "perhaps"}, "stream"),
        ({"question": "x", "sillos": ["handbook"]}, "sillos"),
        ({"question": "x", "as": "admin"}, "as"),
    ],
)
async def test_a_body_that_is_not_valid_names_its_field(
    server: Serving, body: dict[str, object], field: str
) -> None:
    ana = await server.ana()
    response = await ana.post("/v1/answers", json=body)
    assert_problem(response, 422, "bad_request")
    assert field in response.json()["detail"]
    assert [e["field"] for e in response.json()["errors"]] == [field]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"question"'])
async def test_a_body_that_is_no_question_is_refused(server: Serving, content: bytes) -> None:
    ana = await server.ana()
    headers = {"Content-Type": "application/json"}
    response = await ana.post("/v1/answers", content=content, headers=headers)
    assert_problem(response, 422, "bad_request")


async def test_a_body_over_the_limit_is_not_read(installation: Installation) -> None:
    installation.configure("[server]", "[server]\nbody_max_bytes = 2048")
    async with serving(installation) as server:
        ana = await server.ana()
        response = await ana.post("/v1/answers", json={"question": "x" * 4000})
        assert_problem(response, 413, "too_large")

        async def endless() -> object:
            yield b'{"question": "'
            for _ in range(1000):
                yield b"x" * 1000

        # Without a length announced.
        response = await ana.post("/v1/answers", content=endless())
        assert_problem(response, 413, "too_large")


async def test_a_question_over_the_limit_is_refused(installation: Installation) -> None:
    installation.configure("[server]", "[server]\nquestion_max_chars = 40")
    async with serving(installation) as server:
        ana = await server.ana()
        assert (await ana.post("/v1/answers", json={"question": "\u00e9" * 40})).is_success
        response = await ana.post("/v1/answers", json={"question": "x" * 41, "stream": True})
        assert_problem(response, 422, "question_too_long")


async def test_an_unknown_silo_is_not_found(server: Serving) -> None:
    ana, operator = await server.ana(), await server.operator()
    asked = {"question": "leave", "silos": ["handbook", "no-such"]}
    assert_problem(await ana.post("/v1/answers", json=asked), 404, "not_found")
    assert_problem(await operator.post("/v1/silos/no-such/sync"), 404, "not_found")


async def test_paths_and_methods_that_are_not_there(server: Serving) -> None:
    ana = await server.ana()
    assert_problem(await ana.get("/v1/nothing"), 404, "not_found")
    assert_problem(await ana.put("/v1/answers", json={}), 405, "bad_request")


async def test_before_anything_is_indexed_it_says_not_ready(server: Serving) -> None:
    ana = await server.ana()
    house, server.room.house, server.room.trouble = server.room.house, None, "starting"
    for request in (
        ana.post("/v1/answers", json={"question": "x"}),
        ana.get("/v1/documents"),
        ana.get("/v1/silos"),
    ):
        response = await request
        assert_problem(response, 503, StoreUnavailable.code)
        assert response.headers["retry-after"]
    ready = await ana.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["ports"]["catalog"] == {"ok": False, "detail": "starting"}
    assert (await ana.get("/healthz")).json() == {"status": "alive"}
    server.room.house = house


async def test_every_response_carries_the_security_headers(server: Serving) -> None:
    ana = await server.ana()
    for response in (
        await ana.get("/v1/documents"),
        await ana.get("/nowhere"),
        await ana.post("/v1/answers", json={"question": "x", "stream": True}),
        await (await server.client(None)).get("/v1/documents"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers
