"""What the indexer is doing, in a small file that anyone on the machine may read."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rag.domain.change import ScanCompleted
from rag.domain.ids import SiloId


@dataclass(slots=True)
class SiloStatus:
    """What the indexer knows of one silo; texts are empty when there is nothing to say."""

    error: str = ""
    detail: str = ""
    last_diff: str = ""
    last_scan: ScanCompleted | None = None

    @property
    def troubles(self) -> dict[str, str]:
        """What an operator should know; empty strings when all is well."""
        return {"error": self.error, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerStatus:
    """Work that waits: changes not yet citable, the age of the oldest, vectors to come."""

    n_waiting: int
    lag_s: float
    n_vectors_pending: int
    silos: Mapping[SiloId, SiloStatus] = field(default_factory=dict)


def write_status(path: Path, status: IndexerStatus) -> None:
    """Replace the file as a whole; nothing depends on it surviving a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_suffix(".tmp")
    work.write_text(json.dumps(asdict(status)), encoding="utf-8")
    os.replace(work, path)


def read_status(path: Path) -> IndexerStatus | None:
    """The last written status, None when no indexer ever ran here."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    silos = {SiloId(k): _silo_status(v) for k, v in values.pop("silos").items()}
    return IndexerStatus(**values, silos=silos)


def _silo_status(values: dict[str, object]) -> SiloStatus:
    return SiloStatus(
        error=str(values["error"]), detail=str(values["detail"]), last_diff=str(values["last_diff"])
    )
