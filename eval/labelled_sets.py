"""Labelled sets that a judge is measured on, from the folder named by SWORN_DATASETS or a file.

Each reader says how the set's labels become two: the evidence supports the claim, or it does not.
`group` of a row is the source that its claims share: intervals and halves never cut through one.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.labelled import labelled_lines
from rag.models.judge_logistic import data
from rag.models.judge_logistic.data import Row

_SEED: Final = 1
_CONDAQA: Final = "test/condaqa/condaqa_dev.json"
_HALUEVAL: Final = tuple(f"test/halueval/qa_{n}-turn_data.json" for n in ("one", "multi"))
# CondaQA's kinds of edits of a passage.
_PARAPHRASED, _AFFIRMED = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """Claims with labels. `is_answers` where they are the sentences of whole answers."""

    name: str
    title: str
    rows: tuple[Row, ...]
    is_answers: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """A set whose file is not in the folder."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """`paths` lie in the folder `verification`; all of them are needed."""

    title: str
    paths: tuple[str, ...]
    read: Callable[[Path], Iterator[Row]]
    is_answers: bool = False
    note: str = ""


def load(name: str, limit: int | None = None) -> LabelledSet | NotThere:
    """A set by its name in `READERS`; with a limit, whole sources of it until so many claims.

    Raises:
        ConfigError: SWORN_DATASETS is not set, or the set has another form.
    """
    reader = READERS[name]
    root = data.folder()
    for path in reader.paths:
        if not (root / path).exists():
            return NotThere(name=name, path=f"verification/{path}")
    try:
        rows = tuple(reader.read(root))
        if not rows:
            raise ValueError("no claims")
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"the set {name} has another form: {exc!r}", remedy="check its version"
        ) from exc
    return LabelledSet(
        name=name, title=reader.title, rows=limited(rows, limit), is_answers=reader.is_answers,
        note=reader.note,
    )  # fmt: skip


def load_file(path: Path, limit: int | None = None) -> LabelledSet:
    """A set of one's own, in the form that `sworn calibrate` reads (rag/domain/labelled.py).

    Raises:
        ConfigError: not there, or a line is no labelled claim; the message names the line.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}") from exc
    if not (claims := labelled_lines(lines, path)):
        raise ConfigError(f"no labelled claims in {path}")
    rows = [Row(pair=c.pair, supported=c.supported, group=c.source, answer=c.key) for c in claims]
    return LabelledSet(name=path.stem, title=path.name, rows=limited(rows, limit))


def limited(rows: Sequence[Row], limit: int | None) -> tuple[Row, ...]:
    """Whole sources, in a fixed random order, until there are `limit` rows."""
    if limit is None or len(rows) <= limit:
        return tuple(rows)
    groups = list(dict.fromkeys(r.group for r in rows))
    random.Random(_SEED).shuffle(groups)  # noqa: S311 - a fixed draw, no secret
    chosen: list[Row] = []
    for group in groups:
        if len(chosen) >= limit:
            break
        chosen += [r for r in rows if r.group == group]
    return tuple(chosen)


def held_out_answers(root: Path) -> Iterator[Row]:
    """Sentences of answers of the 120 training sources that no judge of ours was trained on."""
    rows = data.ragtruth_train(root)
    dev = data.dev_groups(rows)
    yield from (r for r in rows if r.group in dev)


def _row(
    claim: str, context: str, evidence: str, *, supported: bool, group: str, answer: str,
    refuted: bool = False,
) -> Row:  # fmt: skip
    pair = JudgePair(claim=claim, context=context, evidence=evidence)
    return Row(pair=pair, supported=supported, group=group, answer=answer, refuted=refuted)


def _qags(path: str) -> Callable[[Path], Iterator[Row]]:
    """Sentences of summaries; supported when most of the three annotators said so.

    Source: Wang et al., "Asking and Answering Questions to Evaluate the Factual Consistency of
    Summaries" (2020).
    """

    def read(root: Path) -> Iterator[Row]:
        for n, line in enumerate(_lines(root / path)):
            for i, sentence in enumerate(line["summary_sentences"]):
                said = [r["response"] == "yes" for r in sentence["responses"]]
                yield _row(
                    sentence["sentence"], "", line["article"], supported=sum(said) * 2 > len(said),
                    group=f"{path} {n}", answer=f"{n}.{i}",
                )  # fmt: skip

    return read


def _halueval(root: Path) -> Iterator[Row]:
    """The right answer is supported, the hallucinated ones (of two ways to make them) are not.

    The answer is the claim, the question its context. Right answers have two words on average
    and hallucinated ones ten, so compare with what length alone gives.

    Source: Li et al., "HaluEval" (2023); of its QA part the 500 unfiltered samples.
    """
    for path in _HALUEVAL:
        for n, line in enumerate(_lines(root / path)):
            said = {"hallucinated_answer": False}
            if path == _HALUEVAL[0]:
                # The right answers are the same in both files.
                said["right_answer"] = True
            for key, supported in said.items():
                yield _row(
                    line[key], line["question"], line["knowledge"], supported=supported,
                    group=line["knowledge"], answer=f"{path} {n} {key}",
                )  # fmt: skip


def _condaqa_questions(root: Path) -> Iterator[Row]:
    """A question and `Yes.` as one claim: supported when the answer is YES.

    NO and DON'T KNOW are not supported; the few other answers (`more`, a place) are left out.

    Source: Ravichander et al., "CONDAQA" (2022), development split.
    """
    for line in _lines(root / _CONDAQA):
        if line["label"] in ("YES", "NO", "DON'T KNOW"):
            question = line["sentence2"].strip()
            yield _row(
                f"{question} Yes.", question, line["sentence1"], supported=line["label"] == "YES",
                group=str(line["PassageID"]), refuted=line["label"] == "NO",
                answer=f"{line['SampleID']}",
            )  # fmt: skip


def _condaqa_edits(root: Path) -> Iterator[Row]:
    """The sentence with the negation as the claim, the passage after an edit as the evidence.

    Supported where the edit was a paraphrase, not where it turned the negation round. Edits of
    the negation's scope are left out, as is the passage itself, where the sentence stands.
    """
    seen: set[tuple[object, ...]] = set()
    for line in _lines(root / _CONDAQA):
        key = (line["PassageID"], line["PassageEditID"])
        if key in seen or line["PassageEditID"] not in (_PARAPHRASED, _AFFIRMED):
            continue
        seen.add(key)
        fine = line["PassageEditID"] == _PARAPHRASED
        yield _row(
            line["original sentence"], "", line["sentence1"], supported=fine, refuted=not fine,
            group=str(line["PassageID"]), answer=f"{key}",
        )  # fmt: skip


def _nan_nli(root: Path) -> Iterator[Row]:
    """The hypothesis as the claim, the premise as the evidence; only entailment supports.

    Source: Truong et al., "Not another Negation Benchmark" (2022).
    """
    with (root / "test/nan-nli/nan.csv").open(encoding="utf-8", newline="") as file:
        for n, line in enumerate(csv.DictReader(file)):
            yield _entailment(line["premise"], line["hypothesis"], line["label"], n)


def _sick(root: Path) -> Iterator[Row]:
    """Sentence B as the claim, sentence A as the evidence; only entailment supports.

    Sources are the sentences A; a sentence may also stand as B of another source.

    Source: Marelli et al., "A SICK cure for the evaluation of compositional distributional
    semantic models" (2014).
    """
    with (root / "test/sick/SICK_test_annotated.txt").open(encoding="utf-8", newline="") as file:
        for n, line in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)):
            label = line["entailment_judgment"].lower()
            yield _entailment(line["sentence_A"], line["sentence_B"], label, n)


def _entailment(premise: str, hypothesis: str, label: str, n: int) -> Row:
    if label not in ("entailment", "neutral", "contradiction"):
        raise ValueError(f"label {label!r}")
    return _row(
        hypothesis, "", premise, supported=label == "entailment", group=premise, answer=str(n),
        refuted=label == "contradiction",
    )  # fmt: skip


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


READERS: Final[dict[str, _Reader]] = {
    "ragtruth_dev": _Reader(
        title="RAGTruth QA, held-out development sources",
        paths=("train/ragtruth/lrp4rag_qa/QA.jsonl",), read=held_out_answers, is_answers=True,
        note="thresholds are chosen on these sources: in-sample for them",
    ),
    "ragtruth": _Reader(
        title="RAGTruth QA test", paths=("test/ragtruth/raglens_qa_test/QA-test.jsonl",),
        read=lambda root: iter(data.ragtruth_test(root)), is_answers=True,
    ),
    "qags_cnndm": _Reader(
        title="QAGS, CNN/DM summaries", paths=("test/qags/mturk_cnndm.jsonl",),
        read=_qags("test/qags/mturk_cnndm.jsonl"),
    ),
    "qags_xsum": _Reader(
        title="QAGS, XSum summaries", paths=("test/qags/mturk_xsum.jsonl",),
        read=_qags("test/qags/mturk_xsum.jsonl"),
    ),
    "halueval_qa": _Reader(
        title="HaluEval QA", paths=_HALUEVAL, read=_halueval,
        note="right answers are much shorter than hallucinated ones",
    ),
    "condaqa": _Reader(
        title="CondaQA dev, questions with yes", paths=(_CONDAQA,), read=_condaqa_questions,
        note="a question is an odd claim",
    ),
    "condaqa_edits": _Reader(
        title="CondaQA dev, edited negations", paths=(_CONDAQA,),
        read=_condaqa_edits,
    ),
    "nan_nli": _Reader(title="NaN-NLI", paths=("test/nan-nli/nan.csv",), read=_nan_nli),
    "sick": _Reader(
        title="SICK test", paths=("test/sick/SICK_test_annotated.txt",), read=_sick,
        note="non-commercial licence: measured on, never trained on",
    ),
}  # fmt: skip
"""Every set by its name."""
