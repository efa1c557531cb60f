"""Where a command does its work: at the running server, or in this process under the lock."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from rag.adapters.folder_lock import folder_lock
from rag.domain.errors import BadRequest, ConfigError, RagError, StoreUnavailable
from rag.settings import Paths, Settings

if TYPE_CHECKING:
    # Stores cost half a second to import, and most commands only talk to the server.
    from rag.adapters.store.journal import SqlJournal
    from rag.wiring import AnswerHouse


def server_url(settings: Settings) -> str | None:
    """The URL of the server that runs on this data folder, None when none answers."""
    path = Paths(settings.data_dir).run / "serve.json"
    try:
        url = str(json.loads(path.read_text())["url"])
        httpx.get(f"{url}/healthz", timeout=2.0).raise_for_status()
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return url


def operator_key(settings: Settings) -> str:
    """The operator's secret.

    Raises:
        ConfigError: it was never made, or may not be read.
    """
    path = Paths(settings.data_dir).operator_key
    try:
        return path.read_text().strip()
    except OSError as exc:
        raise ConfigError(
            f"cannot read the operator's key {path}: {exc.strerror}",
            remedy="start the server once, or pass --key",
        ) from exc


def client(url: str, key: str) -> httpx.Client:
    """A client for the running server."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=120.0)


def sent(response: httpx.Response) -> Any:
    """The body of a good response; a problem becomes our error again."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    message = problem.get("detail") or f"the server answered {response.status_code}"
    kind: type[RagError] = StoreUnavailable if response.status_code == 503 else BadRequest
    raise kind(message, remedy=problem.get("remedy", ""))


@asynccontextmanager
async def own_journal(settings: Settings) -> AsyncIterator["SqlJournal"]:
    """The journal, while no server runs; holds the data folder."""
    from api.keys import ensure_operator_key
    from rag.wiring import open_journal

    with folder_lock(settings.data_dir, "a sworn command"):
        journal = open_journal(settings)
        await ensure_operator_key(journal, settings)
        try:
            yield journal
        finally:
            await journal.aclose()


@asynccontextmanager
async def own_house(settings: Settings) -> AsyncIterator["AnswerHouse"]:
    """Journal and belt two, while no server runs; vectors are scanned exactly."""
    from rag.wiring import open_answers

    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(own_journal(settings))
        yield await stack.enter_async_context(open_answers(settings, journal, None))
