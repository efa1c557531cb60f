"""Keys, answers and requests in the journal."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from rag.adapters.store.journal import SqlJournal
from rag.adapters.store.requests import RequestReader
from rag.domain.document import Principal
from rag.domain.errors import NotFound, StoreError, Unauthenticated
from rag.domain.ids import AnswerId, digest_text
from rag.testing.fakes import FakeClock

ANA = Principal(id="ana", groups=frozenset({"staff", "hr"}))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqlJournal]:
    opened = SqlJournal(tmp_path / "journal.sqlite", clock)
    yield opened
    await opened.aclose()


async def test_a_key_opens_as_its_principal(journal: SqlJournal) -> None:
    made, secret = await journal.create_key("laptop", ANA, ["ask"])
    key = await journal.authenticate(secret)
    assert key == made
    assert (key.principal, key.scopes, key.expires_at) == (ANA, {"ask"}, None)


async def test_the_secret_is_nowhere_in_the_file(journal: SqlJournal, tmp_path: Path) -> None:
    _, secret = await journal.create_key("laptop", ANA, ["ask"])
    random_part = secret.rsplit("_", 1)[-1]
    stored = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"laptop" in stored
    assert secret.encode() not in stored
    assert random_part.encode() not in stored


async def test_a_revoked_key_opens_nothing_and_is_revoked_once(journal: SqlJournal) -> None:
    key, secret = await journal.create_key("laptop", ANA, ["ask"])
    await journal.revoke_key(key.id)
    with pytest.raises(Unauthenticated):
        await journal.authenticate(secret)
    with pytest.raises(NotFound):
        await journal.revoke_key(key.id)
    with pytest.raises(NotFound):
        await journal.revoke_key("no such key")
    (kept,) = await journal.keys()
    assert kept.revoked_at is not None


async def test_a_key_ends_at_the_moment_it_expires(journal: SqlJournal, clock: FakeClock) -> None:
    _, secret = await journal.create_key("visit", ANA, ["ask"], timedelta(hours=1))
    clock.pass_time(timedelta(minutes=59))
    await journal.authenticate(secret)
    clock.pass_time(timedelta(minutes=1))
    with pytest.raises(Unauthenticated):
        await journal.authenticate(secret)


@pytest.mark.parametrize("secret", ["", "sworn_x_y", "\0", "é" * 100])
async def test_an_unknown_secret_opens_nothing(journal: SqlJournal, secret: str) -> None:
    await journal.create_key("laptop", ANA, ["ask"])
    with pytest.raises(Unauthenticated) as caught:
        await journal.authenticate(secret)
    assert secret not in str(caught.value) or not secret


async def test_keys_are_listed_oldest_first(journal: SqlJournal, clock: FakeClock) -> None:
    for name in ("one", "two", "three"):
        await journal.create_key(name, ANA, ["ask"])
        clock.pass_time(timedelta(seconds=1))
    assert [key.name for key in await journal.keys()] == ["one", "two", "three"]


async def test_answer_and_receipt_are_kept_together_or_not_at_all(journal: SqlJournal) -> None:
    digest = digest_text("receipt")
    await journal.store(AnswerId("a1"), ANA, "body", "receipt", digest)
    stored = await journal.answer("a1")
    assert (stored.body, stored.principal, stored.groups) == ("body", "ana", {"staff", "hr"})
    assert await journal.receipt(digest) == (stored, "receipt")
    with pytest.raises(StoreError):
        await journal.store(AnswerId("a2"), ANA, "body", "receipt", digest)
    with pytest.raises(NotFound):
        await journal.answer("a2")
    with pytest.raises(NotFound):
        await journal.receipt(digest_text("another"))


async def test_requests_are_read_once_and_in_order(journal: SqlJournal, tmp_path: Path) -> None:
    reader = RequestReader(tmp_path / "journal.sqlite")
    for silo in ("a", "b"):
        await journal.request("sync", silo, ANA, {"allow_removals": silo == "b"})
    first, second = await reader.after(0)
    assert (first.silo, second.silo) == ("a", "b")
    assert second.options == {"allow_removals": True}
    assert [r.id for r in await reader.after(first.id)] == [second.id]
    assert await reader.after(second.id) == []


async def test_no_journal_yet_means_no_requests(tmp_path: Path) -> None:
    assert await RequestReader(tmp_path / "journal.sqlite").after(0) == []
