"""Where citations lead: the exact text as a page, for who may read it, whatever is in it."""

import base64
import html
import re

import httpx
from support.organisation import BUDGET, LEAVE, MEALS, doc
from support.serving import Serving, quoting

LEAVE_ID = doc("handbook/leave.md")


def text_of(page: str) -> str:
    """The canonical text, as a browser reads it."""
    main = re.search(r"<main>(.*)</main>", page, re.S)
    assert main
    return html.unescape(re.sub(r"</?(?:b|code)>", "", main[1]))


async def version_of(http: httpx.AsyncClient, document: str) -> tuple[str, str]:
    body = (await http.get(f"/v1/documents/{document}")).json()
    return body["version"], body["text"]


async def test_a_citation_leads_to_its_words(server: Serving) -> None:
    ana = await server.ana()
    server.use(generator=quoting(MEALS))
    body = (await ana.post("/v1/answers", json={"question": "What is paid for meals?"})).json()
    (citation,) = body["citations"]
    path, _, mark = citation["source"]["url"].partition("#char=")
    shown = await ana.get(path)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    start, end = map(int, mark.split(","))
    assert text_of(shown.text)[start:end] == MEALS
    assert citation["source_url"].startswith("file:")


async def test_every_document_is_shown_character_by_character(server: Serving) -> None:
    ana = await server.ana()
    for row in (await ana.get("/v1/documents")).json()["documents"]:
        version, text = await version_of(ana, row["id"])
        assert text_of((await ana.get(f"/s/{row['id']}/{version}")).text) == text


async def test_nothing_of_a_document_is_markup(server: Serving) -> None:
    evil = "<script>alert(1)</script> & <b>bold</b> \"'</main> javascript:x &lt;"
    server.installation.file("handbook/evil.txt").write_text(f"Evil\n\n{evil}\n")
    await server.installation.sync()
    ana = await server.ana()
    identity = doc("handbook/evil.txt")
    version, text = await version_of(ana, identity)
    shown = (await ana.get(f"/s/{identity}/{version}")).text
    assert evil in text
    assert text_of(shown) == text
    assert shown.count("<script>") == 1
    assert "<script>alert" not in shown


async def test_the_page_may_load_and_run_nothing_but_its_own(server: Serving) -> None:
    ana = await server.ana()
    version, _ = await version_of(ana, LEAVE_ID)
    shown = await ana.get(f"/s/{LEAVE_ID}/{version}")
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"(?:src|href)=\"(?!file:)", shown.text)


async def test_who_may_not_read_it_learns_nothing(server: Serving) -> None:
    ana, ben = await server.ana(), await server.ben()
    document = doc("vault/finance/quokkafin-budget.md")
    version, _ = await version_of(ana, document)
    assert BUDGET in (await ana.get(f"/s/{document}/{version}")).text
    hidden = await ben.get(f"/s/{document}/{version}")
    absent = await ben.get("/s/doc_none/sha256:0")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.content == absent.content


async def test_a_browser_sends_the_key_as_a_password(server: Serving) -> None:
    secret = await server.key_of("ana")
    nobody = await server.client(None)
    version, _ = await version_of(await server.ana(), LEAVE_ID)
    path = f"/s/{LEAVE_ID}/{version}"
    asked = await nobody.get(path)
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic ")
    assert LEAVE not in asked.text
    for password, status in ((secret, 200), ("wrong", 401)):
        sent = base64.b64encode(f"anna:{password}".encode()).decode()
        found = await nobody.get(path, headers={"Authorization": f"Basic {sent}"})
        assert found.status_code == status
    broken = await nobody.get(path, headers={"Authorization": "Basic %%%"})
    assert broken.status_code == 401


async def test_a_version_that_was_replaced_says_so(server: Serving) -> None:
    ana = await server.ana()
    version, _ = await version_of(ana, LEAVE_ID)
    path = f"/s/{LEAVE_ID}/{version}"
    assert "Replaced on" not in (await ana.get(path)).text
    server.installation.file("handbook/leave.md").write_text("# Annual leave\n\nNone any more.\n")
    await server.installation.sync()
    shown = (await ana.get(path)).text
    assert "Replaced on" in shown
    assert LEAVE in shown
