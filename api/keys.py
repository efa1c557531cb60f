"""The operator's key, made at first start, for whoever runs the installation on this machine."""

import os

from rag.adapters.store.journal import SqlJournal
from rag.domain.document import Principal
from rag.settings import Paths, Settings


def operator_principal(settings: Settings) -> Principal:
    """Who runs the installation: a member of every group that its settings name."""
    groups = {g for silo in settings.silos for rule in silo.access for g in rule.groups}
    return Principal(id="operator", groups=frozenset(groups - {"*"}))


async def ensure_operator_key(journal: SqlJournal, settings: Settings) -> None:
    """Create the key once; deleting the file makes a new one at the next start."""
    path = Paths(settings.data_dir).operator_key
    if path.exists():
        return
    _, secret = await journal.create_key(
        "operator", operator_principal(settings), ("ask", "operate")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret + "\n")
