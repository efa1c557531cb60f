"""Questions that grant too much, ask of another day, or name a thing only by describing it."""

from collections.abc import Sequence

import pytest
from support.organisation import MEALS
from support.serving import Serving, pointer_to, quoting

from rag.domain.claim import Draft, DraftPart, Evidence
from rag.domain.words import Span
from rag.testing.fakes import ScriptedGenerator

OFFICER = "role: Data protection officer | name: Jana Novak | phone: 4711"
MONITORS = "Monitors are not replaced on request."


def knowing(question: str, evidence: Sequence[Evidence]) -> Draft:
    """Knows the role by its name and the phone by the person, never both at once."""
    named = "Jana Novak" in question
    if not named and not question.startswith("Who is"):
        return Draft(parts=())
    pointer = pointer_to(OFFICER, evidence)
    if pointer is None:
        return Draft(parts=())
    said = "4711" if named else "Jana Novak"
    at = OFFICER.index(said)
    part = DraftPart(text=OFFICER, pointers=(pointer,), short=Span(at, at + len(said)))
    return Draft(parts=(part,))


async def test_what_is_only_described_is_found_first(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=ScriptedGenerator(knowing))
    question = "What is the phone number of the person who is data protection officer?"
    body = (await ana.post("/v1/answers", json={"question": question})).json()
    assert body["status"] == "answered"
    assert [p["question"] for p in body["parts"]] == [
        "Who is data protection officer?", "What is the phone number of Jana Novak?",
    ]  # fmt: skip
    (claim,) = body["claims"]
    assert claim["text"] == OFFICER
    assert "bridge" in [a["step"] for a in body["activity"]]


async def test_the_short_answer_stands_in_the_text(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=ScriptedGenerator(knowing))
    question = "Who is the data protection officer?"
    body = (await ana.post("/v1/answers", json={"question": question})).json()
    short = body["claims"][0]["short_answer"]
    assert short["text"] == "Jana Novak"
    assert body["text"][short["start_char"] : short["end_char"]] == "Jana Novak"


async def test_what_the_sources_deny_is_said_instead(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting())
    question = "Since monitors are replaced on request, where do I get one?"
    body = (await ana.post("/v1/answers", json={"question": question})).json()
    assert body["status"] == "abstained"
    assert "say otherwise" in body["reason"]
    (claim,) = body["claims"]
    assert claim["text"] == MONITORS == body["citations"][0]["cited_text"]
    assert {c["outcome"] for c in claim["checks"]} == {"passed"}
    assert body["text"][claim["start_char"] : claim["end_char"]] == MONITORS


async def test_what_the_asker_may_not_read_corrects_nothing(server: Serving) -> None:
    server.installation.file("vault/people/cases.txt").write_text("Tern lamps are not lent out.\n")
    await server.installation.sync()
    server.use(generator=quoting())
    question = "Since tern lamps are lent out, who has one?"
    for client, status in ((await server.ben(), 1), (await server.ana(), 0)):
        body = (await client.post("/v1/answers", json={"question": question})).json()
        assert (body["status"], len(body["claims"])) == ("abstained", status)


@pytest.mark.parametrize(
    ("day", "status"), [("as of 2019", "abstained"), ("as of 2100", "answered")]
)
async def test_newer_documents_do_not_answer_for_an_older_day(
    server: Serving, day: str, status: str
) -> None:
    ana = await server.ana()
    server.use(generator=quoting(MEALS))
    question = f"Up to how much are meals refunded {day}?"
    body = (await ana.post("/v1/answers", json={"question": question})).json()
    assert body["status"] == status
    assert ("newer" in body["reason"]) == (status == "abstained")
