"""`sworn calibrate`."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from api.cli.common import add_command, add_json, print_json, settings_of
from api.cli.review import read_labelled
from rag.adapters.judge.calibrated import Scorer, calibration_row, write_calibration
from rag.answer.calibrating import RISK, Scored, calibrated, share_unsupported
from rag.domain.calibration import Calibration, Point
from rag.domain.claim import Judgement
from rag.domain.errors import ConfigError
from rag.domain.labelled import LabelledClaim
from rag.settings import Paths
from rag.wiring import load_scorer

EXAMPLES = """
  sworn calibrate labelled.jsonl                 at most 5 % of the returned claims unsupported
  sworn calibrate labelled.jsonl --risk 0.02     stricter
  sworn calibrate labelled.jsonl --dry-run       only say what it would give
"""
_BATCH: Final = 32


def add_to(commands: Any) -> None:
    parser = add_command(
        commands, "calibrate", run,
        "choose the judge's thresholds on claims that were labelled here (see `sworn review`)",
        EXAMPLES,
    )  # fmt: skip
    parser.add_argument("file", type=Path, help="JSONL that `sworn review` wrote")
    parser.add_argument("--risk", type=_share, default=RISK, help=f"default {RISK}")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Writes `calibration.json` into the data folder; a server uses it from its next start on."""
    settings = settings_of(arguments)
    labelled = read_labelled(arguments.file)
    scorer = load_scorer(settings.judge)
    if all(c.supported for c in labelled):
        raise ConfigError(
            "no claim is labelled unsupported: any threshold would seem good enough",
            remedy="label claims that the evidence does not support, too",
        )
    claims, unread = asyncio.run(_scored(scorer, labelled))
    found = calibrated(claims, f"installation: {arguments.file.name}", arguments.risk)
    _require_risk(found, arguments.risk)
    path = Paths(settings.data_dir).calibration
    if not arguments.dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_calibration(path, scorer.digest, found)
    rows = [_row(point, found.points[point], claims) for point in Point if point in found.points]
    if arguments.json:
        print_json(
            calibration_row(found) | {"judge": scorer.digest, "figures": rows, "unread": unread}
        )
        return 0
    print(f"{found.n_claims} claims of {found.n_sources} sources, judged by {scorer.name}")
    for row in rows:
        print(
            f"  {row['point']:6} threshold {row['threshold']:.3f}: returns {row['returned']:.1%}"
            f" of the claims, {row['unsupported']:.1%} of those unsupported"
        )
    if unread:
        print(f"  {unread} claims could not be judged and do not count")
    print("nothing written" if arguments.dry_run else f"written: {path} (restart the server)")
    return 0


async def _scored(scorer: Scorer, labelled: Sequence[LabelledClaim]) -> tuple[list[Scored], int]:
    """Labelled claims with their scores, and how many could not be judged."""
    claims: list[Scored] = []
    try:
        for start in range(0, len(labelled), _BATCH):
            some = labelled[start : start + _BATCH]
            judgements = await scorer.judge([c.pair for c in some])
            claims += [
                Scored(score=j.p_supported, supported=c.supported, group=c.source, answer=c.source)
                for c, j in zip(some, judgements, strict=True)
                if isinstance(j, Judgement)
            ]
    finally:
        await scorer.aclose()
    return claims, len(labelled) - len(claims)


def _require_risk(found: Calibration, risk: float) -> None:
    if Point.RISK in found.points:
        return
    # With n sources the bound is at least 1 / (n + 1), whatever the judge.
    needed = int(1 / risk)
    raise ConfigError(
        f"no threshold keeps a risk of {risk:.0%} on {found.n_claims} claims of"
        f" {found.n_sources} sources",
        remedy=f"label claims of more than {needed} questions or texts, or allow a higher --risk",
    )


def _row(point: Point, threshold: float, claims: Sequence[Scored]) -> dict[str, Any]:
    unsupported, returned = share_unsupported(claims, threshold)
    return {
        "point": point.value, "threshold": threshold, "returned": returned,
        "unsupported": unsupported,
    }  # fmt: skip


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value
