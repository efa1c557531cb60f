"""A small organisation of twelve documents in two silos, indexed once by the real belt.

Tests take a copy of it, which costs milliseconds; parsers, catalog and embedder are the real ones.
The words QUOKKA, WOMBAT and NARWHAL stand only in the documents of finance, of people, and of
nobody at all, in their text, title, heading and file name.
"""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.lanes import Batch
from connectors.runner import build_indexer, sync_once
from rag.adapters.clock import SystemClock
from rag.adapters.embedding.onnx_embedder import OnnxEmbedder
from rag.adapters.parsers.process import ParserPool
from rag.adapters.store.catalog_writer import SqlCatalogWriter
from rag.domain.document import Principal
from rag.domain.ids import DocumentId, SiloId, document_id
from rag.settings import Paths, Settings, load_settings
from rag.testing.fakes import MemoryVectorIndex
from rag.wiring import IngestHouse, build_embedder, open_journal
from support.house import HereParser

QUOKKA, WOMBAT, NARWHAL = "quokkafin", "wombatppl", "narwhalsec"

LEAVE = "Full-time employees get 28 days of annual leave per year."
CARRY = "Up to 5 unused days may be carried over until 31 March."
MEALS = "Meals are refunded up to 40 euros a day."
HOTEL = "Hotels are refunded up to 150 euros a night."
BUDGET = "The travel budget of quokkafin is 90,000 euros."
BONUS = "The yearly bonus of wombatppl is 2,500 euros."
MERGER = "The merger with narwhalsec closes on 4 July 2027."

DOCUMENTS: Final[Mapping[str, str]] = {
    "handbook/leave.md": f"# Annual leave\n\n{LEAVE} {CARRY}\n\nPart-time employees get a share"
    " of that.\n\n## Requests\n\nLeave is requested in the portal two weeks ahead.\n",
    "handbook/travel.md": f"# Travel\n\n{MEALS} {HOTEL}\n\nTrips over 2,000 euros are approved by"
    " the head of department.\n",
    "handbook/security.md": "# Passwords\n\nA password has at least 14 characters.\n\n"
    "Laptops are locked when nobody sits at them.\n",
    "handbook/remote.html": "<html><head><title>Remote work</title></head><body><h1>Remote work</h1>"
    "<p>Remote work is possible on 3 days a week.</p>"
    "<p>The office is open from 7:00 to 20:00.</p></body></html>",
    "handbook/contacts.csv": "role,name,phone\nData protection officer,Jana Novak,4711\n"
    "First aider,Tom Okafor,4712\n",
    "handbook/unicode.md": "# Ünïcode 🦉\n\nDer Löwe 🦁 schläft nachts. Café closes at 18:00."
    " The 🦉 stays.\n",
    "handbook/devices.txt": "Devices\n\nPhones are replaced every 3 years. Monitors are not"
    " replaced on request.\n",
    f"vault/finance/{QUOKKA}-budget.md": f"# Budget {QUOKKA}\n\n{BUDGET}\n",
    f"vault/finance/{QUOKKA}-suppliers.csv": f"supplier,limit\n{QUOKKA} paper,1200\n",
    f"vault/people/{WOMBAT}-bonus.md": f"# Bonus {WOMBAT}\n\n{BONUS}\n",
    f"vault/people/{WOMBAT}-cases.txt": f"Cases\n\nCase {WOMBAT} was closed in May 2025.\n",
    f"vault/sealed/{NARWHAL}-merger.md": f"# Merger {NARWHAL}\n\n{MERGER}\n",
}

SETTINGS: Final = """
data_dir = "state"

[server]
port = 0

[verification]
judge_timeout_s = 5.0

[[silos]]
id = "handbook"
root = "handbook"
open_to_all = true

[[silos]]
id = "vault"
root = "vault"
access = [
    { glob = "finance/**", groups = ["finance"] },
    { glob = "people/**", groups = ["people"] },
]
"""

ANA: Final = Principal(id="ana", groups=frozenset({"finance"}))
BEN: Final = Principal(id="ben", groups=frozenset({"people"}))
OPERATOR: Final = Principal(id="operator", groups=frozenset({"finance", "people"}))

T = TypeVar("T")


def write_documents(root: Path) -> None:
    """The documents and the settings file, in `root`."""
    for name, text in DOCUMENTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "sworn.toml").write_text(SETTINGS, encoding="utf-8")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a loop of its own, whatever loop the caller has."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()


class SharedEmbedder(OnnxEmbedder):
    """The real embedder; loaded once, it outlives every house it works in."""

    async def aclose(self) -> None:
        """Stays open."""


@cache
def shared_embedder(models: Path) -> OnnxEmbedder:
    settings = Settings(embedder={"cache_dir": models})  # type: ignore[arg-type]
    embedder = build_embedder(settings)
    embedder.__class__ = SharedEmbedder
    return embedder


@dataclass(frozen=True)
class Installation:
    """One copy of the organisation: its silos, its settings and its data folder."""

    root: Path
    models: Path

    @property
    def settings(self) -> Settings:
        settings = load_settings(self.root / "sworn.toml")
        embedder = settings.embedder.model_copy(update={"cache_dir": self.models})
        return settings.model_copy(update={"embedder": embedder})

    @property
    def paths(self) -> Paths:
        return Paths(self.root / "state")

    def file(self, name: str) -> Path:
        """The file of a document, named like `handbook/leave.md`."""
        return self.root / name

    def configure(self, old: str, new: str) -> None:
        """Replace a piece of the settings file."""
        path = self.root / "sworn.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[SqlCatalogWriter]:
        """The catalog's writer, for what the indexer would do."""
        digest = shared_embedder(self.models).digest
        catalog = SqlCatalogWriter(self.paths.catalog, SystemClock(), digest)
        try:
            yield catalog
        finally:
            await catalog.aclose()

    async def sync(
        self, *, release_brake: bool = False, parsers: type[ParserPool] = HereParser
    ) -> dict[SiloId, Batch]:
        """Reconcile all silos once, by the indexer's own code."""
        async with self.writer() as catalog:
            parser = parsers(n_children=1, timeout_s=30.0, memory_bytes=2**31)
            house = IngestHouse(
                catalog=catalog,
                parser=parser,
                embedder=shared_embedder(self.models),
                index=MemoryVectorIndex(),  # type: ignore[arg-type]
            )
            try:
                indexer = build_indexer(self.settings, house)
                return await sync_once(indexer, list(indexer.silos), release_brake=release_brake)
            finally:
                await parser.aclose()


def doc(name: str) -> DocumentId:
    """The id of a document named like `handbook/leave.md`."""
    silo, _, key = name.partition("/")
    return document_id(SiloId(silo), key)


@cache
def _built(models: Path) -> Path:
    root = Path(tempfile.mkdtemp(prefix="sworn-organisation-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    write_documents(root)
    installation = Installation(root, models)
    run_apart(installation.sync(parsers=ParserPool))

    async def make_journal() -> None:
        await open_journal(installation.settings).aclose()

    run_apart(make_journal())
    return root


def installed(target: Path, models: Path) -> Installation:
    """A fresh copy of the indexed organisation in `target`."""
    # Times are kept: an unchanged file must look unchanged to the next reconciliation.
    shutil.copytree(_built(models), target, dirs_exist_ok=True)
    return Installation(target, models)
