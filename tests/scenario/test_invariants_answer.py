"""The invariants of answering, each proved on the whole belt behind the real HTTP door.

The catalog, the embedder, the judge, the journal and the signer are the real ones; the generator
is scripted wherever it has to lie.
"""

import ast
import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest
import rfc8785
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.making import EVERY_KIND
from support.organisation import (
    ANA,
    BEN,
    BONUS,
    BUDGET,
    CARRY,
    HOTEL,
    LEAVE,
    MEALS,
    MERGER,
    NARWHAL,
    QUOKKA,
    WOMBAT,
    Installation,
    doc,
    installed,
)
from support.serving import Serving, parse_sse, pointer_to, quoting, serving

from rag.adapters.signer import PUBLIC, Ed25519Signer, load_public_key, verify_receipt
from rag.answer.decision import MARK
from rag.answer.sealing import seal
from rag.domain.budget import Allowance
from rag.domain.change import Removed
from rag.domain.claim import (
    Draft,
    DraftPart,
    Evidence,
    Judgement,
    JudgePair,
    Pointer,
)
from rag.domain.document import DocumentRef, Principal
from rag.domain.errors import ModelUnavailable, ReceiptInvalid
from rag.domain.ids import Digest, SiloId, digest_text
from rag.domain.words import Span
from rag.telemetry import configure_logging
from rag.testing.fakes import BrokenJudge, ScriptedGenerator, UnsafeAcceptAll

ROOT = Path(__file__).parent.parent.parent
QUESTION = "What is refunded for meals and how many days of annual leave do employees get?"


@pytest.fixture
def installation(tmp_path: Path, model_cache: Path) -> Installation:
    """A copy of the indexed organisation."""
    return installed(tmp_path / "organisation", model_cache)


@pytest.fixture
async def server(installation: Installation) -> AsyncIterator[Serving]:
    """The API over it, in this process."""
    async with serving(installation) as running:
        yield running


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that our processes would write to their logs, at the most talkative level."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("debug")
    yield stream
    structlog.reset_defaults()


async def ask(http: httpx.AsyncClient, question: str = QUESTION, **fields: Any) -> dict[str, Any]:
    response = await http.post("/v1/answers", json={"question": question, **fields})
    assert response.is_success, response.text
    return dict(response.json())


# --- I1: nothing leaves without a verdict ---------------------------------------------------------

# What the generator says, and the piece of it that stands in no document.
Lie = tuple[str, str]

WRONG_NUMBER = ("Full-time employees get 97,310 days of annual leave per year.", "97,310")
WRONG_NAME = ("The data protection officer is Napoleon Brandtson.", "Brandtson")
WRONG_UNIT = ("Meals are refunded up to 40 dollars a day.", "40 dollars")
WRONG_DATE = ("Up to 5 unused days may be carried over until 17 August.", "17 August")
NEGATION = ("Meals are not refunded up to 40 euros a day.", "are not refunded")
INVENTED = ("The canteen serves smoked sturgeon.", "sturgeon")
TRAILING = (f"{HOTEL} The canteen serves smoked sturgeon.", "sturgeon")
UNCITED = ("Remote work is possible on 3 days a week.", "Remote work is possible")
NOT_SHOWN = ("Phones are replaced every 3 years.", "Phones are replaced")
OUTSIDE = ("Monitors are not replaced on request.", "Monitors are not")
QUESTION_LIE = ("Did you know that the canteen serves smoked sturgeon?", "sturgeon")
REMARK_LIE = ("The documents do not mention that the canteen serves smoked sturgeon.", "sturgeon")


def citing_meals(text: str, shown: Sequence[Evidence]) -> DraftPart:
    """Cites a passage that is there, whatever the text says."""
    place = pointer_to(MEALS, shown)
    assert place is not None
    return DraftPart(text=text, pointers=(Pointer(evidence=place.evidence, span=None),))


def citing_leave(text: str, shown: Sequence[Evidence]) -> DraftPart:
    place = pointer_to(LEAVE, shown)
    assert place is not None
    return DraftPart(text=text, pointers=(Pointer(evidence=place.evidence, span=None),))


def quoting_meals(text: str, shown: Sequence[Evidence]) -> DraftPart:
    """Claims to be a quotation and names the place of another text."""
    place = pointer_to(MEALS, shown)
    assert place is not None
    return DraftPart(text=text, pointers=(place,))


def quoting_other_words(text: str, shown: Sequence[Evidence]) -> DraftPart:
    """Gives the place of one text and the words of another."""
    place = pointer_to(MEALS, shown)
    assert place is not None
    return DraftPart(text=text, pointers=(replace(place, quote=text),))


def uncited(text: str, shown: Sequence[Evidence]) -> DraftPart:
    return DraftPart(text=text, pointers=())


def citing_nothing_shown(text: str, shown: Sequence[Evidence]) -> DraftPart:
    return DraftPart(text=text, pointers=(Pointer(evidence=len(shown), span=None),))


def citing_before_the_first(text: str, shown: Sequence[Evidence]) -> DraftPart:
    return DraftPart(text=text, pointers=(Pointer(evidence=-1, span=None),))


def citing_outside(text: str, shown: Sequence[Evidence]) -> DraftPart:
    end = shown[0].span.end
    return DraftPart(text=text, pointers=(Pointer(evidence=0, span=Span(end - 3, end + 30)),))


def citing_empty_span(text: str, shown: Sequence[Evidence]) -> DraftPart:
    start = shown[0].span.start
    return DraftPart(text=text, pointers=(Pointer(evidence=0, span=Span(start, start)),))


LIES = [
    pytest.param(WRONG_NUMBER, citing_leave, 7, id="wrong_number"),
    pytest.param(WRONG_NUMBER, quoting_meals, 7, id="wrong_number_quoted"),
    pytest.param(WRONG_NAME, citing_meals, 7, id="wrong_name"),
    pytest.param(WRONG_UNIT, citing_meals, 7, id="wrong_unit"),
    pytest.param(WRONG_DATE, citing_leave, 7, id="wrong_date"),
    pytest.param(NEGATION, citing_meals, 7, id="negation"),
    pytest.param(INVENTED, citing_meals, 7, id="invented"),
    pytest.param(TRAILING, citing_meals, 7, id="invented_after_the_truth"),
    pytest.param(TRAILING, quoting_meals, 7, id="invented_inside_a_quotation"),
    pytest.param(UNCITED, uncited, 5, id="no_citation"),
    pytest.param(NOT_SHOWN, citing_nothing_shown, 1, id="evidence_not_shown"),
    pytest.param(NOT_SHOWN, citing_before_the_first, 1, id="evidence_before_the_first"),
    pytest.param(OUTSIDE, citing_outside, 4, id="span_outside"),
    pytest.param(OUTSIDE, citing_empty_span, 4, id="span_empty"),
    pytest.param(OUTSIDE, quoting_other_words, 4, id="other_words_at_the_span"),
    pytest.param(QUESTION_LIE, citing_meals, None, id="hidden_in_a_question"),
    pytest.param(REMARK_LIE, citing_meals, None, id="hidden_in_a_remark"),
]


async def every_transport(server: Serving, http: httpx.AsyncClient, **fields: Any) -> list[bytes]:
    """All bytes that leave for one question, by every way out, headers included."""
    request = {"question": QUESTION, **fields}
    answered = await http.post("/v1/answers", json=request)
    body = answered.json()
    left = [answered]
    left.append(await http.get(f"/v1/answers/{body['id']}"))
    left.append(await http.get(body["receipt"]["url"]))
    streamed = await http.post("/v1/answers", json={**request, "stream": True})
    left.append(streamed)
    last = json.loads(parse_sse(streamed.text)[-1][1])
    left.append(await http.get(f"/v1/answers/{last['id']}"))
    left.append(await http.get(last["receipt"]["url"]))
    assert all(r.status_code == 200 for r in left), [r.text for r in left]
    return [r.content + str(r.headers).encode() for r in left]


def journal_bytes(installation: Installation) -> bytes:
    """The journal as it lies on the disk."""
    return b"".join(p.read_bytes() for p in installation.paths.data.glob("journal.sqlite*"))


@pytest.mark.parametrize(("lie", "cite", "step"), LIES)
async def test_i1_a_lie_leaves_by_no_transport(
    server: Serving, lie: Lie, cite: Any, step: int | None
) -> None:
    said, telling = lie
    ana = await server.ana()

    def beside_the_truth(question: str, shown: Sequence[Evidence]) -> Draft:
        return Draft(parts=(citing_meals(MEALS, shown), cite(said, shown)))

    server.use(generator=ScriptedGenerator(beside_the_truth))
    for left in await every_transport(server, ana):
        assert telling.encode() not in left
    body = await ask(ana)
    assert MEALS in body["text"]
    assert [w["step"] for w in body["withheld"]] == ([] if step is None else [step])

    def alone(question: str, shown: Sequence[Evidence]) -> Draft:
        return Draft(parts=(cite(said, shown),))

    server.use(generator=ScriptedGenerator(alone))
    # After a truth in the same part there is something to say.
    abstains = HOTEL not in said or cite is quoting_meals
    for left in await every_transport(server, ana):
        assert telling.encode() not in left
        assert (b"abstained" in left) == abstains or HOTEL.encode() in left
    assert telling.encode() not in journal_bytes(server.installation)


@pytest.mark.parametrize(("lie", "cite", "step"), LIES)
async def test_i1_under_mark_a_lie_leaves_only_with_its_mark_and_verdict(
    server: Serving, lie: Lie, cite: Any, step: int | None
) -> None:
    said, telling = lie
    ana = await server.ana()
    server.use(
        generator=ScriptedGenerator(
            lambda question, shown: Draft(parts=(citing_meals(MEALS, shown), cite(said, shown)))
        )
    )
    body = await ask(ana, policy="mark")
    lies = [line for line in body["text"].splitlines() if telling in line]
    assert len(lies) == 1
    assert lies[0].startswith(MARK)
    claims = [c for c in body["claims"] if telling in c["text"]]
    assert len(claims) == 1
    assert claims[0]["label"] != "supported"
    assert claims[0]["citations"] == []
    failed = next(c for c in claims[0]["checks"] if c["outcome"] != "passed")
    assert failed["step"] == (5 if step is None else step)
    assert body["text"][claims[0]["start_char"] : claims[0]["end_char"]] == claims[0]["text"]
    receipt = (await ana.get(body["receipt"]["url"])).json()
    sworn = [c for c in receipt["body"]["claims"] if telling in c["text"]]
    assert [c["label"] for c in sworn] == [claims[0]["label"]]
    streamed = await ana.post(
        "/v1/answers", json={"question": QUESTION, "policy": "mark", "stream": True}
    )
    for name, data in parse_sse(streamed.text):
        if telling not in data:
            continue
        assert name in {"claim", "answer"}
        event = json.loads(data)
        if name == "claim":
            assert event["label"] != "supported"


async def test_i1_what_the_generator_gives_as_its_reason_does_not_leave(server: Serving) -> None:
    ana = await server.ana()
    server.use(
        generator=ScriptedGenerator(
            lambda question, shown: Draft(parts=(), reason="the canteen serves smoked sturgeon")
        )
    )
    for left in await every_transport(server, ana):
        assert b"sturgeon" not in left
        assert b"abstained" in left


async def test_i1_no_step_before_the_judge_leans_on_the_judge(server: Serving) -> None:
    """Even a judge that accepts everything passes no wrong citation, and no fact that may veto."""
    ana = await server.ana()
    server.options(vetoes=EVERY_KIND)
    with warnings.catch_warnings(action="ignore"):
        judge = UnsafeAcceptAll()
    wrong = [
        (WRONG_NUMBER, citing_leave), (WRONG_NAME, citing_meals), (WRONG_UNIT, citing_meals),
        (WRONG_DATE, citing_leave), (NEGATION, citing_meals), (UNCITED, uncited),
        (NOT_SHOWN, citing_nothing_shown), (OUTSIDE, citing_outside),
    ]  # fmt: skip
    server.use(
        judge=judge,
        generator=ScriptedGenerator(
            lambda question, shown: Draft(
                parts=tuple(cite(said, shown) for (said, _), cite in wrong)
            )
        ),
    )
    for left in await every_transport(server, ana):
        assert b"abstained" in left
        for (_, telling), _ in wrong:
            assert telling.encode() not in left


async def test_i1_an_empty_draft_is_an_abstention(server: Serving) -> None:
    server.use(generator=ScriptedGenerator(lambda question, shown: Draft(parts=())))
    body = await ask(await server.ana())
    assert body["status"] == "abstained"
    assert (body["claims"], body["citations"]) == ([], [])


# --- I2: every citation is where it says ------------------------------------------------------------


async def assert_citations_hold(http: httpx.AsyncClient, body: Mapping[str, Any]) -> None:
    for citation in body["citations"]:
        url = f"/v1/documents/{citation['source']['document_id']}"
        found = (await http.get(url, params={"version": citation["version"]})).json()
        text = found["text"]
        start, end = citation["start_char_index"], citation["end_char_index"]
        assert text[start:end] == citation["cited_text"] != ""
        assert digest_text(text) == citation["version"] == found["version"]
        assert text[:start].endswith(citation["prefix"])
        assert text[end:].startswith(citation["suffix"])
        page = await http.get(citation["source"]["url"].partition("#")[0])
        assert escape(citation["cited_text"]) in page.text
        assert citation["source"]["url"].endswith(f"#char={start},{end}")
        receipt = (await http.get(body["receipt"]["url"])).json()
        sworn = [c for c in receipt["body"]["citations"] if c["start_char"] == start]
        assert any(c["quote"] == citation["cited_text"] for c in sworn)


async def test_i2_citations_are_the_text_at_their_span(server: Serving) -> None:
    ana = await server.ana()
    for sentence, question in (
        (LEAVE, "annual leave days"),
        (CARRY, "days carried over"),
        ("Café closes at 18:00.", "When does the café close?"),
        ("Remote work is possible on 3 days a week.", "remote work"),
        (BUDGET, "travel budget"),
    ):
        server.use(generator=quoting(sentence))
        body = await ask(ana, question)
        assert body["status"] == "answered"
        assert [c["cited_text"] for c in body["citations"]] == [sentence]
        await assert_citations_hold(ana, body)


async def test_i2_a_claim_without_a_quotation_is_cited_where_it_was_judged(server: Serving) -> None:
    ana = await server.ana()
    server.use(
        generator=ScriptedGenerator(
            lambda question, shown: Draft(parts=(citing_leave(LEAVE, shown),))
        )
    )
    body = await ask(ana)
    assert body["citations"]
    await assert_citations_hold(ana, body)


async def test_i2_the_shipped_generator_cites_what_is_there(server: Serving) -> None:
    ana = await server.ana()
    body = await ask(ana, "How many days of annual leave do full-time employees get?")
    assert body["status"] != "abstained"
    assert "28 days" in body["text"]
    await assert_citations_hold(ana, body)


async def test_i2_an_old_citation_still_holds_after_an_edit(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(LEAVE, LEAVE.replace("28", "30")))
    before = await ask(ana)
    path = server.installation.file("handbook/leave.md")
    path.write_text(path.read_text().replace("28 days", "30 days"))
    await server.installation.sync()
    after = await ask(ana)
    assert [c["cited_text"] for c in after["citations"]] == [LEAVE.replace("28", "30")]
    assert before["citations"][0]["version"] != after["citations"][0]["version"]
    await assert_citations_hold(ana, before)
    await assert_citations_hold(ana, after)


# --- I3: what changed while we answered is not cited -----------------------------------------------


class Meanwhile(ScriptedGenerator):
    """Quotes the leave policy, after something has happened to it."""

    def __init__(self, happens: Any) -> None:
        super().__init__(quoting(LEAVE)._write)
        self._happens = happens

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        draft = await super().generate(question, evidence, allowance)
        happens, self._happens = self._happens, None
        if happens is not None:
            assert draft.parts, "the document is found before it changes"
            await happens()
        return draft


async def assert_not_cited(server: Serving, happens: Any, step: int) -> None:
    ana = await server.ana()
    server.use(generator=Meanwhile(happens))
    body = await ask(ana)
    assert body["status"] == "abstained"
    assert [w["step"] for w in body["withheld"]] == [step]
    assert body["citations"] == []
    assert LEAVE not in json.dumps(body)


async def test_i3_a_document_removed_meanwhile_is_not_cited(server: Serving) -> None:
    async def remove() -> None:
        async with server.installation.writer() as catalog:
            change = Removed(silo=SiloId("handbook"), key="leave.md", reason="gone")
            assert await catalog.remove(change)

    await assert_not_cited(server, remove, step=2)


async def test_i3_a_document_changed_meanwhile_is_not_cited_in_its_old_text(
    server: Serving,
) -> None:
    async def change() -> None:
        path = server.installation.file("handbook/leave.md")
        path.write_text(path.read_text().replace("28 days", "30 days"))
        await server.installation.sync()

    await assert_not_cited(server, change, step=2)


async def test_i3_a_passage_kept_meanwhile_is_not_cited_in_the_old_version(
    server: Serving,
) -> None:
    """Its chunk lives on with the same words, but in another version of the document."""

    async def change_below() -> None:
        path = server.installation.file("handbook/leave.md")
        path.write_text(path.read_text() + "\n## News\n\nThere are news.\n")
        await server.installation.sync()

    await assert_not_cited(server, change_below, step=2)


async def test_i3_a_document_closed_meanwhile_is_not_cited(server: Serving) -> None:
    async def close() -> None:
        async with server.installation.writer() as catalog:
            await catalog.deny_all(SiloId("handbook"))

    await assert_not_cited(server, close, step=3)


async def test_i3_a_document_unreadable_meanwhile_is_not_cited(server: Serving) -> None:
    async def damage() -> None:
        server.installation.file("handbook/leave.md").write_bytes(b"\xff\xfe\x00" * 50)
        async with server.installation.writer() as catalog:
            ref = DocumentRef(silo=SiloId("handbook"), key="leave.md", signature="")
            await catalog.quarantine(ref, "test", "parse_failed", "damaged")

    await assert_not_cited(server, damage, step=2)


async def test_i3_after_the_removal_nothing_finds_it(server: Serving) -> None:
    ana = await server.ana()
    server.installation.file("handbook/leave.md").unlink()
    await server.installation.sync()
    body = await ask(ana, "How many days of annual leave do full-time employees get?")
    assert "28 days" not in json.dumps(body)
    assert (await ana.get(f"/v1/documents/{doc('handbook/leave.md')}")).status_code == 404


# --- I4: nobody sees what they may not read ---------------------------------------------------------

# What must never reach finance; and, the other way round, people.
HIDDEN_FROM_ANA = (
    WOMBAT, NARWHAL, BONUS, MERGER, "2,500", "4 July", "merger", "bonus", "people/", "sealed",
    doc(f"vault/people/{WOMBAT}-bonus.md"), doc(f"vault/people/{WOMBAT}-cases.txt"),
    doc(f"vault/sealed/{NARWHAL}-merger.md"),
)  # fmt: skip
HIDDEN_FROM_BEN = (
    QUOKKA, NARWHAL, BUDGET, MERGER, "90,000", "4 July", "merger", "finance/", "sealed",
    doc(f"vault/finance/{QUOKKA}-budget.md"), doc(f"vault/finance/{QUOKKA}-suppliers.csv"),
    doc(f"vault/sealed/{NARWHAL}-merger.md"),
)  # fmt: skip
PROBING = (
    "What is the yearly bonus?",
    "What is the travel budget?",
    "When does the deal close?",
    "Which case was closed in May 2025?",
    "How many days of annual leave do full-time employees get?",
)


async def requests_of(
    http: httpx.AsyncClient, foreign: Mapping[str, str]
) -> dict[tuple[str, str], list[httpx.Response]]:
    """Every endpoint, asked with everything that a curious caller could try."""
    hidden = [doc(name) for name in foreign.values() if "/" in name]
    made: dict[tuple[str, str], list[httpx.Response]] = {}

    async def send(method: str, template: str, path: str, **options: Any) -> None:
        response = await http.request(method, path, **options)
        made.setdefault((method, template), []).append(response)

    for question in PROBING:
        for extra in ({}, {"policy": "mark"}, {"stream": True}, {"silos": ["vault"]}):
            await send("POST", "/v1/answers", "/v1/answers", json={"question": question, **extra})
        asked = {"messages": [{"role": "user", "content": question}]}
        for extra in ({}, {"stream": True}):
            for door in ("/v1/chat/completions", "/v1/messages"):
                await send("POST", door, door, json={**asked, **extra})
        for knowledge in ("all", "vault", "no-such"):
            body = {"knowledge_id": knowledge, "query": question}
            await send("POST", "/retrieval", "/retrieval", json=body)
    await send("GET", "/v1/models", "/v1/models")
    for document in hidden:
        page = f"/s/{document}/{digest_text('nothing')}"
        await send("GET", "/s/{document_id}/{version}", page)
    await send("POST", "/v1/answers", "/v1/answers", json={"question": "x", "nonsense": 1})
    await send("POST", "/v1/answers", "/v1/answers", content=b"{")
    await send("POST", "/v1/answers", "/v1/answers", json={"question": "x", "silos": ["no-such"]})
    # What is asked is echoed, so it must not be what is hidden.
    for text in ("The yearly sum is 9,999 euros.", "The deal closes on 5 July. A case was closed."):
        for extra in ({}, {"facts": []}, {"groundingSpec": {"citationThreshold": 0.000001}}):
            await send("POST", "/v1/check", "/v1/check", json={"answerCandidate": text, **extra})
    await send("GET", "/v1/answers/{answer_id}", f"/v1/answers/{foreign['answer']}")
    await send("GET", "/v1/receipts/{digest}", f"/v1/receipts/{foreign['receipt']}")
    for params in ({}, {"limit": 1}, {"silo": "vault"}, {"after": "doc_"}):
        await send("GET", "/v1/documents", "/v1/documents", params=params)
    for document in hidden:
        version = digest_text("nothing")
        for params in ({}, {"version": version}):
            await send(
                "GET", "/v1/documents/{document_id}", f"/v1/documents/{document}", params=params
            )
    await send("GET", "/v1/silos", "/v1/silos")
    await send("POST", "/v1/silos/{silo_id}/sync", "/v1/silos/vault/sync", json={})
    await send("POST", "/v1/silos/{silo_id}/sync", "/v1/silos/no-such/sync", json={})
    await send("POST", "/v1/indexes/rebuild", "/v1/indexes/rebuild")
    await send("GET", "/v1/requests/{number}", "/v1/requests/1")
    await send("GET", "/v1/keys", "/v1/keys")
    await send("POST", "/v1/keys", "/v1/keys", json={"name": "a", "principal": "ben"})
    await send("DELETE", "/v1/keys/{key_id}", "/v1/keys/abc")
    await send("GET", "/healthz", "/healthz")
    await send("GET", "/readyz", "/readyz")
    await send("GET", "/openapi.json", "/openapi.json")
    await send("GET", "/docs", "/docs")
    await send("GET", "/nowhere", "/nowhere")
    await send("PATCH", "/v1/documents", "/v1/documents")
    return made


def strings_in(response: httpx.Response) -> str:
    """Everything that the caller can read: body, decoded JSON, headers."""
    return response.text + json.dumps(str(response.headers)) + response.reason_phrase


def without(text: str, *asked: str) -> str:
    """`text` without what the caller has sent: an echo of one's own words gives nothing away."""
    for piece in asked:
        text = text.replace(piece, "")
    return text


@pytest.mark.parametrize("who", ["ana", "ben"])
async def test_i4_no_endpoint_shows_anything_hidden(server: Serving, who: str) -> None:
    ana, ben = await server.ana(), await server.ben()
    server.use(generator=quoting(BUDGET, BONUS, MERGER, LEAVE))
    me, other = (ana, ben) if who == "ana" else (ben, ana)
    hidden = HIDDEN_FROM_ANA if who == "ana" else HIDDEN_FROM_BEN
    theirs = await ask(other, "yearly bonus" if who == "ana" else "travel budget")
    assert theirs["citations"], "the other one does see it"
    foreign = {
        "answer": theirs["id"],
        "receipt": theirs["receipt"]["digest"],
        "one": f"vault/people/{WOMBAT}-bonus.md" if who == "ana" else f"vault/finance/{QUOKKA}-budget.md",
        "two": f"vault/sealed/{NARWHAL}-merger.md",
    }  # fmt: skip
    sent = [doc(foreign["one"]), doc(foreign["two"]), foreign["answer"], foreign["receipt"]]
    made = await requests_of(me, foreign)
    for (method, template), responses in made.items():
        for response in responses:
            # Two doors show the question as it was understood: the asker's own words.
            seen = without(strings_in(response), *sent, *PROBING)
            for secret in hidden:
                assert secret not in seen, f"{method} {template}: {secret}"
    documented = {
        (method.upper(), path)
        for path, methods in server.app.openapi()["paths"].items()
        for method in methods
    }
    assert documented <= made.keys(), "an endpoint that this test does not know"


async def test_i4_counts_are_those_of_a_catalog_without_the_hidden(server: Serving) -> None:
    """Hidden documents change nothing that their non-reader can see, not even a number."""
    ana = await server.ana()
    server.use(generator=quoting(LEAVE, BUDGET))

    async def seen() -> list[Any]:
        rows: list[Any] = []
        for question in (*PROBING, QUESTION):
            body = await ask(ana, question)
            rows.append(
                [body["status"], body["text"], body["reason"], body["withheld"],
                 [(a["step"], a["count"]) for a in body["activity"]],
                 [c["source"]["document_id"] for c in body["citations"]]]
            )  # fmt: skip
        rows.append((await ana.get("/v1/documents")).json())
        rows.extend(
            (s["id"], s["n_documents"], s["n_chunks"])
            for s in (await ana.get("/v1/silos")).json()["silos"]
        )
        return rows

    before = await seen()
    assert ("vault", 2, 2) in before
    async with server.installation.writer() as catalog:
        for key in (f"people/{WOMBAT}-bonus.md", f"people/{WOMBAT}-cases.txt",
                    f"sealed/{NARWHAL}-merger.md"):  # fmt: skip
            assert await catalog.remove(Removed(silo=SiloId("vault"), key=key, reason="gone"))
    assert await seen() == before


async def test_i4_what_is_hidden_is_not_found_in_the_same_words_as_what_is_not_there(
    server: Serving,
) -> None:
    ana, ben = await server.ana(), await server.ben()
    server.use(generator=quoting(BONUS))
    theirs = await ask(ben, "yearly bonus")
    pairs = [
        ("/v1/answers/{}", theirs["id"], "ans_" + "0" * 32),
        ("/v1/receipts/{}", theirs["receipt"]["digest"], "sha256:" + "0" * 64),
        ("/v1/documents/{}", doc(f"vault/people/{WOMBAT}-bonus.md"), "doc_" + "a" * 26),
        ("/v1/documents/{}", doc(f"vault/sealed/{NARWHAL}-merger.md"), "doc_" + "a" * 26),
    ]
    for template, hidden, unknown in pairs:
        one, two = await ana.get(template.format(hidden)), await ana.get(template.format(unknown))
        assert one.status_code == two.status_code == 404
        assert one.text.replace(hidden, "X") == two.text.replace(unknown, "X")
        same = {k: v for k, v in one.headers.items() if k != "content-length"}
        assert same == {k: v for k, v in two.headers.items() if k != "content-length"}


async def test_i4_an_answer_is_its_askers_alone(server: Serving) -> None:
    """Also where every source may be read by all, and where nothing was cited."""
    ana, ben = await server.ana(), await server.ben()
    for sentences in ((LEAVE,), ()):
        server.use(generator=quoting(*sentences))
        theirs = await ask(ben, "annual leave days")
        for template, name in (
            ("/v1/answers/{}", theirs["id"]),
            ("/v1/receipts/{}", theirs["receipt"]["digest"]),
        ):
            assert (await ben.get(template.format(name))).status_code == 200
            refused = await ana.get(template.format(name))
            unknown = await ana.get(template.format("x"))
            assert refused.status_code == unknown.status_code == 404
            assert refused.text.replace(name, "x") == unknown.text


async def test_i4_a_silo_without_a_readable_document_is_as_unknown_as_any(server: Serving) -> None:
    stranger = await server.client(await server.key(Principal(id="cara")))
    said = []
    for silo in ("vault", "no-such"):
        asked = {"question": QUESTION, "silos": [silo]}
        response = await stranger.post("/v1/answers", json=asked)
        assert response.status_code == 404
        said.append(response.text.replace(silo, "X"))
        page = await stranger.get("/v1/documents", params={"silo": silo})
        assert page.json() == {"documents": [], "next": None}
    assert said[0] == said[1]
    assert [s["id"] for s in (await stranger.get("/v1/silos")).json()["silos"]] == ["handbook"]


async def test_i4_access_taken_away_takes_the_stored_answer_too(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(BUDGET))
    body = await ask(ana, "travel budget")
    urls = [
        f"/v1/answers/{body['id']}",
        body["receipt"]["url"],
        body["citations"][0]["source"]["url"],
    ]
    for url in urls:
        assert (await ana.get(url)).status_code == 200
    server.installation.configure('groups = ["finance"]', 'groups = ["treasury"]')
    await server.installation.sync()
    for url in urls:
        gone = await ana.get(url)
        assert gone.status_code == 404
        assert QUOKKA not in gone.text
    listed = (await ana.get("/v1/documents")).json()["documents"]
    assert {d["silo"] for d in listed} == {"handbook"}
    assert [s["id"] for s in (await ana.get("/v1/silos")).json()["silos"]] == ["handbook"]


async def test_i4_a_withheld_claim_does_not_keep_what_its_evidence_said(server: Serving) -> None:
    """A receipt of an abstention names no document, so nothing takes it away when access is."""
    ana = await server.ana()

    def write(question: str, shown: Sequence[Evidence]) -> Draft:
        place = pointer_to(BUDGET, shown)
        assert place is not None
        text = "The travel budget of quokkafin is 77,000 euros."
        return Draft(parts=(DraftPart(text=text, pointers=(replace(place, span=None),)),))

    server.use(generator=ScriptedGenerator(write))
    body = await ask(ana, "travel budget")
    assert body["withheld"]
    assert "77,000" not in (await ana.get(f"/v1/answers/{body['id']}")).text
    kept = (await ana.get(body["receipt"]["url"])).text
    for secret in (QUOKKA, "90,000", "77,000"):
        assert secret not in kept


async def test_i4_a_misspelt_word_is_guessed_from_what_the_asker_may_read(server: Serving) -> None:
    catalog = server.room.opened().ports.catalog
    asked = ("quokkafim", "emploiees", "leave", "wombatplp")
    for who, known in ((ANA, {"quokkafim": "quokkafin"}), (BEN, {"wombatplp": "wombatppl"})):
        async with catalog.snapshot(who, None) as snapshot:
            assert await snapshot.respelt(asked) == {"emploiees": "employee", **known}


CANARY = "xylocarpcanary"


async def test_i4_logs_and_errors_hold_no_text(
    installation: Installation, logs: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    installation.file("vault/sealed/canary.md").write_text(f"# {CANARY}\n\nThe {CANARY} sleeps.\n")
    installation.file("vault/people/broken.pdf").write_bytes(b"%PDF-1.4 " + CANARY.encode())
    await installation.sync()
    async with serving(installation, raise_bugs=False) as server:
        ana, operator = await server.ana(), await server.operator()
        server.use(generator=quoting(LEAVE))
        seen = [
            await ana.post("/v1/answers", json={"question": f"Where does the {CANARY} sleep?"}),
            await ana.post(
                "/v1/answers", json={"question": f"{CANARY} annual leave", "stream": True}
            ),
            await ana.post("/v1/answers", json={"question": CANARY * 1000}),
            await (await server.client(f"sworn_{CANARY}")).get("/v1/documents"),
            await (await server.client(f"sworn_{CANARY}")).post(
                "/v1/answers", json={"question": CANARY}
            ),
            await ana.get("/v1/documents", params={"silo": "vault"}),
        ]
        server.use(judge=BrokenJudge())
        seen.append(await ana.post("/v1/answers", json={"question": f"{CANARY} annual leave"}))
        server.use(generator=Failing(ModelUnavailable("no model")))
        seen.append(await ana.post("/v1/answers", json={"question": f"{CANARY} annual leave"}))
        server.use(generator=Failing(KeyError(f"a bug of ours that quotes {CANARY}")))
        for stream in (False, True):
            asked = {"question": f"{CANARY} annual leave", "stream": stream}
            seen.append(await ana.post("/v1/answers", json=asked))
        server.use(generator=quoting(LEAVE))
        # A catalog that breaks while it is read: the driver's errors carry statement and values.
        break_catalog(installation)
        seen.append(await ana.post("/v1/answers", json={"question": f"{CANARY} annual leave"}))
        assert seen[-1].status_code >= 500
        assert (await operator.get("/healthz")).status_code == 200
        for response in seen:
            assert CANARY not in strings_in(response)
        for secret in server.secrets.values():
            assert secret not in logs.getvalue()
    written = logs.getvalue() + caplog.text
    assert "document.committed" in written, "the logs were captured"
    assert "request.failed" in written
    assert written.count("request.bug") == 2
    assert "KeyError" in written
    for hidden in (CANARY, QUOKKA, WOMBAT, NARWHAL, LEAVE, MERGER):
        assert hidden not in written


class Failing:
    """A generator whose world is broken."""

    name = "failing"
    digest = digest_text("failing")

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def generate(
        self, question: str, evidence: Sequence[Evidence], allowance: Allowance
    ) -> Draft:
        raise self._error


def break_catalog(installation: Installation) -> None:
    """Drop the lexical index from under the reader."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(installation.paths.catalog)) as connection:
        connection.execute("DROP TABLE posting")
        connection.commit()


# --- I8: a judge that cannot judge passes nothing ---------------------------------------------------


class Judging:
    """A judge with a method of its own."""

    name = "judging"
    digest = digest_text("judging")
    threshold = 0.5
    calibration: Mapping[str, str | float] = {"risk": 0.05, "set": "none", "size": 0}

    def __init__(self, give: Any) -> None:
        self._give = give

    async def judge(self, pairs: Sequence[JudgePair]) -> Sequence[Judgement]:
        return list(self._give(pairs))

    async def ping(self) -> None:
        """Always there."""


def sure(pair: JudgePair) -> Judgement:
    return Judgement(
        p_supported=1.0, p_refuted=0.0, flagged=(), evidence_span=Span(0, len(pair.evidence))
    )


JUDGES = [
    pytest.param(lambda: BrokenJudge(), id="fails"),
    pytest.param(lambda: BrokenJudge(hangs=True), id="hangs"),
    pytest.param(lambda: Judging(lambda pairs: [sure(p) for p in pairs[:-1]]), id="too_few"),
    pytest.param(lambda: Judging(lambda pairs: []), id="none"),
    pytest.param(lambda: Judging(lambda pairs: [sure(p) for p in [*pairs, *pairs]]), id="too_many"),
]


@pytest.mark.parametrize("policy", ["strict", "mark"])
@pytest.mark.parametrize("judge", JUDGES)
async def test_i8_a_judge_that_cannot_judge_means_abstention(
    server: Serving, judge: Any, policy: str
) -> None:
    ana = await server.ana()
    server.use(judge=judge(), generator=quoting(MEALS, LEAVE))
    server.options(judge_timeout_s=0.05)
    body = await ask(ana, policy=policy)
    assert body["status"] == "abstained"
    assert {(w["label"], w["step"]) for w in body["withheld"]} == {("unchecked", 7)}
    assert len(body["withheld"]) == 2
    assert MEALS not in json.dumps(body)
    assert next(a["elapsed_ms"] for a in body["activity"] if a["step"] == "judge") < 4000


@pytest.mark.parametrize(
    "give",
    [
        pytest.param(lambda pairs: [replace(sure(p), p_supported=float("nan")) for p in pairs],
                     id="not_a_number"),
        pytest.param(lambda pairs: 1 / 0, id="bug"),
    ],
)  # fmt: skip
async def test_i8_a_judge_that_gives_nonsense_passes_nothing(
    installation: Installation, give: Any, logs: io.StringIO
) -> None:
    async with serving(installation, raise_bugs=False) as server:
        ana = await server.ana()
        server.use(judge=Judging(give), generator=quoting(MEALS))
        response = await ana.post("/v1/answers", json={"question": QUESTION})
        assert MEALS not in response.text
        assert response.status_code == 500 or response.json()["status"] == "abstained"
        streamed = await ana.post("/v1/answers", json={"question": QUESTION, "stream": True})
        assert MEALS not in streamed.text


class NoEmbedder:
    """An embedder whose model is gone."""

    name = "none"
    digest: Digest = digest_text("none")

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        raise ModelUnavailable("the weights are gone")


async def test_i8_without_the_embedder_the_answer_says_so(server: Serving) -> None:
    ana = await server.ana()
    server.use(embedder=NoEmbedder(), generator=quoting(MEALS))
    response = await ana.post("/v1/answers", json={"question": QUESTION})
    assert response.status_code == 206
    body = response.json()
    assert body["degraded"] == ["embedder"]
    assert {c["label"] for c in body["claims"]} == {"supported"}
    receipt = (await ana.get(body["receipt"]["url"])).json()
    assert receipt["body"]["degraded"] == ["embedder"]


# --- I9: a receipt verifies offline, and any change of it is found -----------------------------------


async def a_receipt(server: Serving) -> str:
    ana = await server.ana()
    server.use(
        generator=ScriptedGenerator(
            lambda question, shown: Draft(
                parts=(*quoting(MEALS, LEAVE)._write(question, shown).parts,
                       citing_leave(WRONG_NUMBER[0], shown))
            )
        )
    )  # fmt: skip
    body = await ask(ana)
    assert body["status"] == "partial"
    return (await ana.get(body["receipt"]["url"])).text


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in it that has no parts, and of every empty collection."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from leaves(part, (*path, number))
    else:
        yield path


def changed(receipt: str, path: tuple[Any, ...], change: Any) -> str:
    values = json.loads(receipt)
    inner = values
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = change(inner[path[-1]])
    return rfc8785.dumps(values).decode()


def otherwise(value: Any) -> Any:
    match value:
        case str():
            return value[:-1] + ("y" if value.endswith("x") else "x")
        case bool():
            return not value
        case int() | float():
            return value + 1
        case None:
            return 0
        case _:
            return ["x"]


async def test_i9_every_changed_field_is_found(server: Serving) -> None:
    receipt = await a_receipt(server)
    key = load_public_key(server.installation.paths.keys / PUBLIC)
    assert verify_receipt(receipt, key)["type"] == "sworn-receipt/1"
    paths = list(leaves(json.loads(receipt)))
    assert len(paths) > 60
    for path in paths:
        forged = changed(receipt, path, otherwise)
        assert forged != receipt
        with pytest.raises(ReceiptInvalid):
            verify_receipt(forged, key)
        # A forger would also write the digest anew; the signature gives it away.
        values = json.loads(forged)
        values["digest"] = digest_text(rfc8785.dumps(values["body"]).decode())
        again = rfc8785.dumps(values).decode()
        if again != receipt:
            with pytest.raises(ReceiptInvalid):
                verify_receipt(again, key)


async def test_i9_every_changed_byte_is_found(server: Serving) -> None:
    receipt = await a_receipt(server)
    key = load_public_key(server.installation.paths.keys / PUBLIC)
    # Every byte of digest and signature, every eleventh of the long body before them.
    n_body = receipt.index('"digest":"sha256:', receipt.rindex("}],"))
    for at in (*range(0, n_body, 11), *range(n_body, len(receipt))):
        char = receipt[at]
        forged = receipt[:at] + ("0" if char != "0" else "1") + receipt[at + 1 :]
        with pytest.raises(ReceiptInvalid):
            verify_receipt(forged, key)
    # Base64 has letters with bits that no byte holds: each way to write them must be refused.
    value = json.loads(receipt)["signature"]["value"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    for at in range(len(value) - 4, len(value)):
        for letter in letters:
            other = value[:at] + letter + value[at + 1 :]
            if other != value:
                with pytest.raises(ReceiptInvalid):
                    verify_receipt(receipt.replace(value, other), key)


async def test_i9_other_forms_of_a_receipt_are_refused(server: Serving) -> None:
    receipt = await a_receipt(server)
    key = load_public_key(server.installation.paths.keys / PUBLIC)
    values = json.loads(receipt)
    extra_inside = json.loads(receipt)
    extra_inside["body"]["note"] = "x"
    extra_signature = json.loads(receipt)
    extra_signature["signature"]["note"] = "x"
    no_signature = {k: v for k, v in values.items() if k != "signature"}
    forged = [
        rfc8785.dumps({**values, "note": "x"}).decode(),
        rfc8785.dumps(extra_inside).decode(),
        rfc8785.dumps(extra_signature).decode(),
        rfc8785.dumps(no_signature).decode(),
        json.dumps(values, indent=1),
        json.dumps(dict(reversed(values.items())), separators=(",", ":"), ensure_ascii=False),
        " " + receipt,
        receipt + " ",
        receipt + receipt,
        receipt.replace('{"body":', '{"body":{},"body":', 1),
        "", "null", "[]", "3", '"receipt"', "{}", "NaN", "[" * 100_000, "\x00",
        rfc8785.dumps({**values, "signature": None}).decode(),
        rfc8785.dumps({**values, "signature": []}).decode(),
        rfc8785.dumps({**values, "body": None}).decode(),
        rfc8785.dumps({**values, "body": []}).decode(),
    ]  # fmt: skip
    forged += [receipt[:end] for end in range(0, len(receipt), 97)]
    for text in forged:
        with pytest.raises(ReceiptInvalid):
            verify_receipt(text, key)


async def test_i9_another_key_is_refused(server: Serving) -> None:
    receipt = await a_receipt(server)
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(ReceiptInvalid, match="another key"):
        verify_receipt(receipt, stranger.public_key())
    # Signed anew by a stranger who claims to be us.
    values = json.loads(receipt)
    signed, _ = seal(values["body"], Ed25519Signer(stranger))
    forged = json.loads(signed)
    forged["signature"]["key_id"] = values["signature"]["key_id"]
    key = load_public_key(server.installation.paths.keys / PUBLIC)
    with pytest.raises(ReceiptInvalid):
        verify_receipt(rfc8785.dumps(forged).decode(), key)


async def test_i9_a_receipt_verifies_in_an_empty_folder_with_the_public_key_alone(
    server: Serving, tmp_path: Path
) -> None:
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    receipt = await a_receipt(server)
    (empty / "receipt.json").write_text(receipt)
    (empty / "key.pub").write_bytes((server.installation.paths.keys / PUBLIC).read_bytes())

    def verify() -> subprocess.CompletedProcess[str]:
        command = ["verify", "receipt.json", "--public-key", "key.pub", "--json"]
        return subprocess.run(
            [sys.executable, "-m", "api.cli.main", *command],
            cwd=empty, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    done = verify()
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (0, True), done.stderr
    (empty / "receipt.json").write_text(receipt.replace("40 euros", "50 euros", 1))
    done = verify()
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (1, False), done.stderr


# --- I10: nothing leaves the machine ------------------------------------------------------------------

# Names in formats and documentation, never connected to.
NAMES_ONLY = re.compile(r"^(www\.w3\.org|schemas\.[a-z]+\.(com|org)|purl\.org|example\.(com|org))$")


def test_i10_no_code_names_a_host_but_loopback() -> None:
    found = []
    for package in ("rag", "api", "connectors"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                    continue
                hosts = re.findall(r"(?:https?|wss?|ftp)://\[?([\w.-]+)", node.value)
                found += [
                    f"{path.relative_to(ROOT)}:{node.lineno}: {host}"
                    for host in hosts
                    if host not in {"127.0.0.1", "localhost", "::1"} and not NAMES_ONLY.match(host)
                ]
    assert found == []


BLOCKER = '''
"""Ends any Python process that looks for a way off this machine, and says so in a file."""
import os, socket, sys

def _refuse(what):
    with open(os.environ["SWORN_TEST_CALLS"], "a") as file:
        file.write(f"{sys.argv} {what}\\n")
    os._exit(99)

def _local(address):
    if not isinstance(address, tuple):
        return True
    return address[0] in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")

class _Socket(socket.socket):
    def connect(self, address):
        _local(address) or _refuse(address)
        return super().connect(address)
    def connect_ex(self, address):
        _local(address) or _refuse(address)
        return super().connect_ex(address)
    def sendto(self, data, *rest):
        _local(rest[-1]) or _refuse(rest[-1])
        return super().sendto(data, *rest)

_real = socket.getaddrinfo
def _getaddrinfo(host, *rest, **named):
    host in (None, "127.0.0.1", "::1", "localhost", "", b"127.0.0.1", b"localhost") or _refuse(host)
    return _real(host, *rest, **named)

socket.socket, socket.getaddrinfo = _Socket, _getaddrinfo
with open(os.environ["SWORN_TEST_CALLS"] + ".seen", "a") as file:
    file.write(" ".join(sys.orig_argv) + "\\n")
'''


@pytest.mark.slow
def test_i10_every_child_answers_with_the_network_blocked(
    tmp_path: Path, model_cache: Path
) -> None:
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(BLOCKER)
    root = tmp_path / "organisation"
    root.mkdir()
    from support.organisation import write_documents

    write_documents(root)
    calls = tmp_path / "calls"
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "SWORN_TEST_CALLS": str(calls),
        "PYTHONPATH": f"{blocker}{os.pathsep}{ROOT}", "SWORN__EMBEDDER__CACHE_DIR": str(model_cache),
    }  # fmt: skip

    def sworn(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.cli.main", *words],
            cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    probe = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    assert subprocess.run([sys.executable, "-c", probe], env=env, check=False).returncode == 99
    calls.unlink()
    done = sworn("sync", "--json")
    assert done.returncode == 0, done.stderr
    assert {silo: row["added"] for silo, row in json.loads(done.stdout).items()} == {
        "handbook": 7,
        "vault": 5,
    }
    done = sworn("ask", "--json", "How many days of annual leave do full-time employees get?")
    assert done.returncode == 0, done.stderr
    assert "28 days" in json.loads(done.stdout)["text"]
    # Parsers run with an environment of their own, and their own tests hold them offline.
    assert "connectors sync" in Path(f"{calls}.seen").read_text()
    assert not calls.exists(), calls.read_text()
