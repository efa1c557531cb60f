"""The operator's key, made at first start, for whoever runs the installation on this machine."""

import os
from typing import Final

from rag.adapters.store.journal import SqlJournal
from rag.domain.document import Principal
from rag.domain.errors import Unauthenticated
from rag.settings import Paths, Settings

NAME: Final = "operator"


def operator_principal(settings: Settings) -> Principal:
    """Who runs the installation: a member of every group that its settings name."""
    groups = {g for silo in settings.silos for rule in silo.access for g in rule.groups}
    return Principal(id="operator", groups=frozenset(groups - {"*"}))


async def ensure_operator_key(journal: SqlJournal, settings: Settings) -> None:
    """See to it that the file holds a key that works, with the groups of today's settings.

    Deleting the file makes a new key at the next start; the old one then opens nothing.
    """
    path, principal = Paths(settings.data_dir).operator_key, operator_principal(settings)
    if path.exists():
        try:
            key = await journal.authenticate(path.read_text().strip())
            if key.principal.groups != principal.groups:
                await journal.set_groups(key.id, principal.groups)
            return
        except Unauthenticated:
            path.unlink()
    for old in await journal.keys():
        if old.principal.id == principal.id and old.name == NAME and old.revoked_at is None:
            await journal.revoke_key(old.id)
    _, secret = await journal.create_key(NAME, principal, ("ask", "operate"))
    path.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret + "\n")
