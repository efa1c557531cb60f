"""Where each part's thresholds come from: its own model, the development sources, or nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eval.labelled_sets import LabelledSet
from eval.verify.scorers import FP32, JUDGE, RULES, STEP_6, Opened, Parts
from rag.adapters.judge.logistic import LogisticJudge
from rag.answer.calibrating import RISK, Scored, controlled_threshold
from rag.domain.calibration import Calibration, Point
from rag.models.judge_logistic.calibrate import best_f1

DEVELOPMENT: Final = "ragtruth_dev"
# Above every score: where no threshold keeps the risk, nothing passes.
NOTHING_PASSES: Final = 1.0 + 1e-9
_NOWHERE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Of one part: at or above `support` a claim passes; an answer with one below `f1` is faulty.

    `chosen` says where each comes from.
    """

    support: float
    f1: float
    chosen: tuple[str, str] = ("given", "given")


def claims_of(
    labelled: LabelledSet, scores: Sequence[Parts], part: str, *, lenient: bool = False
) -> list[Scored]:
    """The set's claims with a part's probability; `lenient` takes what is implicitly true as so."""
    return [
        Scored(
            score=parts[part].p_supported,
            supported=row.supported or (lenient and row.is_implicit),
            group=row.group,
            answer=f"{row.group}\0{row.answer}",
        )
        for row, parts in zip(labelled.rows, scores, strict=True)
    ]


def thresholds_of(
    opened: Opened,
    parts: Sequence[str],
    point: Point,
    development: tuple[LabelledSet, Sequence[Parts]] | None,
    given_f1: float | None = None,
) -> dict[str, Thresholds]:
    """For each part what its model states; what it does not state as training would choose it.

    `development` are the scores of the sources kept for that, if they were scored; without them
    0.5 takes the place. `given_f1` goes before what the judge itself states.
    """
    shipped = opened.judge.shipped
    of_support: dict[str, Calibration | None] = dict.fromkeys((JUDGE, STEP_6, FP32), shipped)
    of_support[RULES] = LogisticJudge.load().shipped
    of_f1 = dict(opened.stated_f1)
    if given_f1 is not None:
        of_f1 |= dict.fromkeys((JUDGE, STEP_6, FP32), given_f1)
    found: dict[str, Thresholds] = {}
    for part in parts:
        stated = of_support.get(part)
        support = _point(stated, point)
        f1 = of_f1.get(part)
        own = _developed(part, development)
        found[part] = Thresholds(
            support=own.support if support is None else support,
            f1=own.f1 if f1 is None else f1,
            chosen=(
                own.chosen[0] if support is None else "the model",
                own.chosen[1] if f1 is None else "the model" if given_f1 is None else "given",
            ),
        )
    return found


def _point(calibration: Calibration | None, point: Point) -> float | None:
    return None if calibration is None else calibration.points.get(point)


def _developed(part: str, development: tuple[LabelledSet, Sequence[Parts]] | None) -> Thresholds:
    """As in training: implicitly true claims count as sound for F1, not for support."""
    if development is None:
        nowhere = "nowhere: 0.5"
        return Thresholds(support=_NOWHERE, f1=_NOWHERE, chosen=(nowhere, nowhere))
    support = controlled_threshold(claims_of(*development, part), RISK)
    return Thresholds(
        support=NOTHING_PASSES if support is None else support,
        f1=best_f1(claims_of(*development, part, lenient=True)),
        chosen=("development sources", "development sources"),
    )


def described(thresholds: Mapping[str, Thresholds]) -> list[str]:
    """A line for each part."""
    return [
        f"{part}: passes at {t.support:.3f} (from {t.chosen[0]}), "
        f"faulty below {t.f1:.3f} (from {t.chosen[1]})"
        for part, t in thresholds.items()
    ]
