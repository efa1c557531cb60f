"""The difference between what is recorded of a silo and what a listing found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kit.connector import Listing, lies_under
from rag.domain.change import Change, Removed, ScanCompleted, Upserted
from rag.domain.document import DocumentRef
from rag.domain.ids import SiloId

_BRAKE: Final = "delete brake: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """How much may vanish in one scan: both more than `share` and more than `floor` is too much.

    A share that lost its mount looks like a mass deletion. The brake does not release by itself:
    the next scan meets it again until the documents are back or the operator says that they
    are gone (`Brake(share=1.0)`).
    """

    share: float = 0.5
    floor: int = 20

    def holds(self, n_vanished: int, n_recorded: int) -> bool:
        """Whether the removal of `n_vanished` of `n_recorded` documents must wait."""
        return n_vanished > self.floor and n_vanished > self.share * n_recorded


RELEASED: Final = Brake(share=1.0)
"""The operator has confirmed the removals."""


def changes(
    silo: SiloId,
    recorded: Mapping[str, str],
    listing: Listing,
    brake: Brake,
    *,
    n_recorded: int | None = None,
) -> tuple[Change, ...]:
    """What must happen so that the record agrees with the listing.

    New and different signatures are upserted, in listing order; then what vanished is removed,
    by key, and only when the listing is complete and the brake lets go. The last change is a
    `ScanCompleted` when the listing had no prefix, or when the brake held (see `braked`).

    `recorded` is key to signature, at least of all documents under the listing's prefix. The
    brake measures against the whole silo: `n_recorded` says how many documents it has where
    `recorded` holds fewer.
    """
    upserted = [
        Upserted(ref=DocumentRef(silo=silo, key=key, signature=signature))
        for key, signature in _different(recorded, listing.entries)
    ]
    total = len(recorded) if n_recorded is None else n_recorded
    vanished = _vanished(recorded, listing)
    if brake.holds(len(vanished), total):
        detail = f"{_BRAKE}{len(vanished)} of {total} documents vanished at once; none is removed"
        return (*upserted, _completed(silo, listing, complete=False, detail=detail))
    removed = [Removed(silo=silo, key=key, reason="gone") for key in sorted(vanished)]
    if listing.prefix:
        return (*upserted, *removed)
    ended = _completed(silo, listing, complete=listing.complete, detail=listing.detail)
    return (*upserted, *removed, ended)


def braked(found: Sequence[Change]) -> bool:
    """Whether the delete brake held removals back in this result of `changes`."""
    last = found[-1] if found else None
    return isinstance(last, ScanCompleted) and last.detail.startswith(_BRAKE)


def _different(recorded: Mapping[str, str], found: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    if found == recorded:  # the usual case, at a tenth of the price
        return ()
    return ((key, signature) for key, signature in found.items() if recorded.get(key) != signature)


def _vanished(recorded: Mapping[str, str], listing: Listing) -> set[str]:
    if not listing.complete:
        return set()
    missing = recorded.keys() - listing.entries.keys()
    return {key for key in missing if lies_under(key, listing.prefix)}


def _completed(silo: SiloId, listing: Listing, *, complete: bool, detail: str) -> ScanCompleted:
    return ScanCompleted(
        silo=silo, complete=complete, n_documents=len(listing.entries), detail=detail
    )
