"""The commands and programs of docs/integrations/ do what the pages say."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.organisation import LEAVE, Installation, installed
from support.serving import Serving, quoting, serving

PAGES = Path(__file__).parents[2] / "docs" / "integrations"
RUNNERS = {"python": [sys.executable, "-c"], "sh": ["/bin/sh", "-c"]}


def programs() -> list[pytest.param]:
    found = []
    for page in sorted(PAGES.glob("*.md")):
        blocks = re.findall(r"^```(python|sh)\n(.*?)^```", page.read_text(), re.S | re.M)
        assert blocks, page
        found += [pytest.param(*b, id=f"{page.stem}-{n}") for n, b in enumerate(blocks)]
    return found


@pytest.fixture
async def port(tmp_path: Path, model_cache: Path) -> AsyncIterator[Serving]:
    installation: Installation = installed(tmp_path / "organisation", model_cache)
    async with serving(installation, on_a_port=True) as running:
        running.use(generator=quoting(LEAVE))
        yield running


@pytest.mark.parametrize(("language", "program"), programs())
async def test_what_a_page_shows_runs(port: Serving, language: str, program: str) -> None:
    environment = {
        **os.environ,
        "SWORN_URL": port.base_url,
        "SWORN_API_KEY": await port.key_of("ana"),
    }
    process = await asyncio.create_subprocess_exec(
        *RUNNERS[language], program, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert LEAVE in out.decode()
