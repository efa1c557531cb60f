"""Claims that a person has labelled: what an installation calibrates its judge on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.ids import Digest, digest_text

LABELS: Final = ("supported", "unsupported")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledClaim:
    """A claim with its evidence, and whether a person found it supported.

    `source` is what makes claims alike: the question or the text that they answer. Whole
    sources are the unit of calibration.
    """

    pair: JudgePair
    source: str
    supported: bool

    @property
    def key(self) -> Digest:
        """The same for the same claim, context and evidence."""
        return pair_key(self.pair)


def pair_key(pair: JudgePair) -> Digest:
    """What names a pair."""
    return digest_text(json.dumps([pair.claim, pair.context, pair.evidence]))


def labelled_row(claim: LabelledClaim) -> dict[str, Any]:
    """One line of the file."""
    return {
        "claim": claim.pair.claim, "context": claim.pair.context, "evidence": claim.pair.evidence,
        "source": claim.source, "label": LABELS[0] if claim.supported else LABELS[1],
    }  # fmt: skip


def labelled_from(row: Mapping[str, Any]) -> LabelledClaim:
    """What `labelled_row` gave; `context` and `source` may be missing.

    Raises:
        ValueError: a field is missing or no text, or the label is none of the two.
    """
    texts = [row.get("claim"), row.get("context", ""), row.get("evidence"), row.get("source", "")]
    if not all(isinstance(t, str) for t in texts) or not texts[0] or not texts[2]:
        raise ValueError("`claim` and `evidence` must be texts")
    if row.get("label") not in LABELS:
        raise ValueError(f"`label` must be one of {', '.join(LABELS)}")
    claim, context, evidence, source = map(str, texts)
    pair = JudgePair(claim=claim, context=context, evidence=evidence)
    return LabelledClaim(
        pair=pair, source=source or context or claim, supported=row["label"] == LABELS[0]
    )


def labelled_lines(lines: Sequence[str], where: Path) -> list[LabelledClaim]:
    """The claims of a JSONL file; of a pair labelled twice the last label counts.

    Raises:
        ConfigError: a line is no labelled claim; names the line.
    """
    found: dict[Digest, LabelledClaim] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            claim = labelled_from(row if isinstance(row, dict) else {})
        except ValueError as exc:
            raise ConfigError(
                f"{where}, line {number}: {exc}",
                remedy='each line is {"claim": ..., "evidence": ..., "label": "supported"}',
            ) from exc
        found[claim.key] = claim
    return list(found.values())
