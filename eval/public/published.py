"""Figures of others to stand beside ours. Copied, not measured here; each says how it differs."""

from dataclasses import dataclass
from typing import Final

_GIVEN: Final = "the paragraph is given, not searched for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A figure of another system for a set, in the set's own unit; `source` says whose."""

    set: str
    figure: str
    value: str
    system: str
    source: str


ANCHORS: Final = (
    Anchor(
        set="squad", figure="F1", value="50.1", system="abstaining always",
        source="5,945 of the 11,873 questions of SQuAD 2.0 dev have no answer",
    ),
    Anchor(
        set="squad", figure="F1", value="70 to 82",
        system=f"readers of MiniLM's size, fine-tuned; {_GIVEN}",
        source="model cards of deepset/tinyroberta-squad2 (82.0) and of others of that size",
    ),
    Anchor(
        set="squad", figure="F1", value="89.5", system=f"people; {_GIVEN}",
        source="Rajpurkar et al. (2018)",
    ),
)  # fmt: skip


def anchors(set_: str) -> tuple[Anchor, ...]:
    """Those of a set."""
    return tuple(a for a in ANCHORS if a.set == set_)
