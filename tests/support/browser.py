"""A real browser, to see pages as people do."""

import asyncio
import shutil
import tempfile

import pytest

REMEDY = "no Chromium here: apt-get install --no-install-recommends chromium"


async def dom_of(url: str, wait_ms: int = 5_000) -> str:
    """The page's DOM after its scripts have run; skips where there is no browser."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip(REMEDY)
    with tempfile.TemporaryDirectory(prefix="sworn-browser-") as profile:
        process = await asyncio.create_subprocess_exec(
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={profile}", f"--virtual-time-budget={wait_ms}", "--dump-dom", url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 90)
    return out.decode()
