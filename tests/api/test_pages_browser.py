"""The pages of citations in Chromium: the cited words are marked, and nothing else happens."""

import re

import pytest
from support.browser import dom_of
from support.organisation import Installation, doc
from support.serving import serving

pytestmark = pytest.mark.slow

UNICODE = doc("handbook/unicode.md")


@pytest.mark.parametrize("words", ["Café closes at 18:00.", "🦁 schläft", "Ünïcode 🦉"])
async def test_the_cited_words_are_marked_whatever_stands_before_them(
    installation: Installation, words: str
) -> None:
    async with serving(installation, on_a_port=True) as server:
        ana = await server.ana()
        body = (await ana.get(f"/v1/documents/{UNICODE}")).json()
        start = body["text"].index(words)
        key = await server.key_of("ana")
        origin = server.base_url.replace("http://", f"http://any:{key}@")
        place = f"#char={start},{start + len(words)}"
        dom = await dom_of(f"{origin}/s/{UNICODE}/{body['version']}{place}")
    assert "".join(re.findall(r"<mark>(.*?)</mark>", dom, re.S)) == words


async def test_a_document_cannot_run_anything(installation: Installation) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    installation.file("handbook/evil.txt").write_text(f"Evil\n\n{evil}\n")
    await installation.sync()
    async with serving(installation, on_a_port=True) as server:
        ana = await server.ana()
        identity = doc("handbook/evil.txt")
        version = (await ana.get(f"/v1/documents/{identity}")).json()["version"]
        key = await server.key_of("ana")
        origin = server.base_url.replace("http://", f"http://any:{key}@")
        dom = await dom_of(f"{origin}/s/{identity}/{version}#char=0,4")
    assert "<mark>Evil</mark>" in dom.replace("<b>", "").replace("</b>", "")
    assert "<title>owned" not in dom
    assert "<img" not in dom
