"""Training and test pairs for the first judge, read from the folder named by SWORN_DATASETS.

The guard is here: a source of the official test split, or one that overlaps it, never becomes
a training row.
"""

import ast
import csv
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rag.domain.claim import JudgePair
from rag.domain.errors import ConfigError
from rag.domain.extraction import facts, segments
from rag.domain.words import Span, sentence_spans

SEED: Final = 20_240_131
DEV_SOURCES: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A pair with its label.

    `group` is the source that all its rows share, `answer` the answer it is a sentence of.
    `is_implicit` marks a sentence that is unsupported only by what annotators called implicitly
    true; `is_masked` one of an answer marked as truncated or as a wrong refusal. `flagged` are
    the annotated words, spans in the claim; None where words were not annotated.
    """

    pair: JudgePair
    supported: bool
    group: str
    answer: str
    refuted: bool = False
    is_implicit: bool = False
    is_masked: bool = False
    flagged: tuple[Span, ...] | None = None


class LeakedSource(ConfigError):
    """A training row comes from the test split or from text that overlaps it."""

    code = "leaked_source"


def folder() -> Path:
    """The folder of data sets.

    Raises:
        ConfigError: SWORN_DATASETS is not set or names no folder.
    """
    root = os.environ.get("SWORN_DATASETS", "")
    if not root or not Path(root).is_dir():
        raise ConfigError("no data sets", remedy="set SWORN_DATASETS to their folder")
    return Path(root) / "verification"


def ragtruth_train(root: Path) -> list[Row]:
    """Sentences of the answers of the official QA training split, without blocked sources.

    Raises:
        LeakedSource: a row of the training split has a source id of the test split.
    """
    base = root / "train" / "ragtruth"
    blocked = blocked_ids(base)
    sources = {str(d["source_id"]): d for d in _lines(base / "lrp4rag_qa" / "QA.jsonl")}
    rows: list[Row] = []
    for path in sorted((base / "lrp4rag_qa").glob("*hallucination.jsonl")):
        for answer in _lines(path):
            key = str(answer["source_id"])
            if answer["split"] != "train" or key in blocked:
                continue
            info = _literal(sources[key]["source_info"])
            rows += sentences(answer, info["question"], info["passages"], key)
    guard({row.group for row in rows}, test_ids(base))
    return rows


def ragtruth_test(root: Path) -> list[Row]:
    """Sentences of the 900 answers of the official QA test split; all quality values."""
    rows: list[Row] = []
    path = root / "test" / "ragtruth" / "raglens_qa_test" / "QA-test.jsonl"
    for i, answer in enumerate(_lines(path)):
        prompt = str(answer["input"])
        question, passages = _from_prompt(prompt)
        labelled = {
            "response": answer["output"],
            "labels": answer["hall_info"],
            "id": f"test-{i}",
            "quality": "good",
        }
        rows += sentences(labelled, question, passages, passages[:200])
    return rows


def test_ids(base: Path) -> frozenset[str]:
    """Source ids of the official test split."""
    listed = json.loads((base / "test_source_ids.json").read_text("utf-8"))
    return frozenset(map(str, listed["source_ids"]))


def blocked_ids(base: Path) -> frozenset[str]:
    """Source ids that may not be trained on: the test split and what overlaps it."""
    listed = json.loads((base / "overlap_blocklist.json").read_text("utf-8"))
    overlapping = (
        str(e["item"]) for rows in listed.values() if isinstance(rows, list) for e in rows
    )
    return test_ids(base) | frozenset(overlapping)


def guard(used: set[str], forbidden: frozenset[str]) -> None:
    """Refuse to go on when a forbidden source is used.

    Raises:
        LeakedSource: the two share an id.
    """
    if leaked := used & forbidden:
        raise LeakedSource(f"{len(leaked)} sources of the test split among the training rows")


def dev_groups(rows: list[Row]) -> frozenset[str]:
    """The development sources: a fixed draw of `DEV_SOURCES`, in whole sources."""
    groups = sorted({r.group for r in rows})
    return frozenset(random.Random(SEED).sample(groups, DEV_SOURCES))  # a fixed draw, no secret


def edited(rows: list[Row], limit: int) -> list[Row]:
    """Supported sentences with one fact changed, which makes them unsupported.

    The unedited twin stays among the training rows, so that the wording alone decides nothing.
    """
    rng = random.Random(SEED)  # a fixed draw, no secret
    made: list[Row] = []
    for row in rng.sample(rows, len(rows)):
        if len(made) == limit:
            break
        if not row.supported or row.is_masked:
            continue
        changed = _edit(row, rng)
        if changed is not None and changed not in row.pair.evidence:
            pair = replace(row.pair, claim=changed)
            made.append(replace(row, pair=pair, supported=False, answer=f"{row.answer}-edited"))
    return made


def misplaced(rows: list[Row], limit: int) -> list[Row]:
    """Supported sentences shown with another source's passages: not in the source."""
    rng = random.Random(SEED + 1)  # a fixed draw, no secret
    good = [r for r in rows if r.supported and not r.is_masked and len(r.pair.claim) > 40]
    made: list[Row] = []
    for one, other in zip(rng.sample(good, limit), rng.sample(good, limit), strict=True):
        if one.group != other.group:
            pair = replace(one.pair, evidence=other.pair.evidence)
            made.append(replace(one, pair=pair, supported=False, answer=f"{one.answer}-misplaced"))
    return made


def copied(rows: list[Row], limit: int) -> list[Row]:
    """Sentences of the passages themselves, as claims about those passages."""
    rng = random.Random(SEED + 2)  # a fixed draw, no secret
    first = {r.group: r for r in rows}
    made: list[Row] = []
    for group in sorted(first):
        row = first[group]
        evidence = row.pair.evidence
        spans = [s for s in sentence_spans(evidence) if 30 <= len(s) <= 300]
        for span in rng.sample(spans, min(2, len(spans))):
            pair = replace(row.pair, claim=span.of(evidence))
            made.append(
                Row(pair=pair, supported=True, group=group, answer=f"{group}-copied-{span.start}")
            )
    return rng.sample(made, min(limit, len(made)))


def refutation(root: Path, limit: int) -> list[Row]:
    """Pairs that are refuted or not: FEVER, human counterfactual edits, Factcheck-GPT stances."""
    train = root / "train"
    rng = random.Random(SEED + 3)  # a fixed draw, no secret
    rows = [*fever_rows(train / "fever_dev_pairs"), *_counterfactual(train / "cad_nli")]
    rows = rng.sample(rows, min(limit, len(rows)))
    return [*rows, *_stances(train / "factcheck_gpt")]


def fever_rows(base: Path) -> Iterator[Row]:
    names = ("dev.raw.input0", "dev.raw.input1", "dev.label")
    columns = [(base / n).read_text("utf-8").splitlines() for n in names]
    for evidence, claim, label in zip(*columns, strict=True):
        refuted = label != "entailment"
        pair = JudgePair(claim=claim, context="", evidence=untokenised(evidence))
        yield Row(
            pair=pair, supported=not refuted, refuted=refuted, group=f"fever {claim}", answer=""
        )


def _counterfactual(base: Path) -> Iterator[Row]:
    path = base / "NLI__all_combined__train.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            pair = JudgePair(claim=line["sentence2"], context="", evidence=line["sentence1"])
            label = line["gold_label"]
            yield Row(
                pair=pair,
                supported=label == "entailment",
                refuted=label == "contradiction",
                group=f"cad {line['sentence2']}",
                answer="",
            )


def _stances(base: Path) -> Iterator[Row]:
    for line in _lines(base / "subtask3_claim_evidence_stance.jsonl"):
        pair = JudgePair(claim=line["claim"], context="", evidence=line["evidence"])
        stance = str(line["stance"])
        yield Row(
            pair=pair,
            supported="support" in stance and "partial" not in stance,
            refuted=stance.startswith("refute"),
            group=f"stance {line['claim']}",
            answer="",
        )


def sentences(answer: dict[str, Any], question: str, passages: str, group: str) -> Iterator[Row]:
    response = str(answer["response"])
    labels = _literal(answer["labels"])
    evidence = re.sub(r"(?m)^passage \d+:", "", passages).strip()
    previous = ""
    for span in segments(response):
        text = span.of(response)
        hits = [x for x in labels if int(x["start"]) < span.end and span.start < int(x["end"])]
        implicit = bool(hits) and all(x.get("implicit_true") for x in hits)
        pair = JudgePair(claim=text, context=f"{question}\n{previous}".strip(), evidence=evidence)
        yield Row(
            pair=pair,
            supported=not hits,
            group=group,
            answer=str(answer["id"]),
            is_implicit=implicit,
            is_masked=answer["quality"] != "good",
            refuted=any("Conflict" in str(x.get("label_type", "")) for x in hits),
            flagged=tuple(
                Span(
                    max(0, int(x["start"]) - span.start), min(len(span), int(x["end"]) - span.start)
                )
                for x in hits
            ),
        )
        previous = text


def _from_prompt(prompt: str) -> tuple[str, str]:
    question = re.search(r"following question:\n(.*?)\nBear in mind", prompt, re.DOTALL)
    passages = re.search(r"three passages:\n(.*?)\n\s*In case the passages", prompt, re.DOTALL)
    if question is None or passages is None:
        raise ConfigError("a test row has another form", remedy="check the data set's version")
    return question.group(1), passages.group(1)


def _edit(row: Row, rng: random.Random) -> str | None:
    claim = row.pair.claim
    found = facts(claim)
    options = [
        *(("number", q.span) for q in found.quantities if not q.is_implied and not q.is_worded),
        *(("date", d.span) for d in found.dates),
        *(("name", n.span) for n in found.names if n.kind in {"proper", "acronym"}),
    ]
    verb = re.search(r"\b(?:is|are|can|should|must|will|may)\b(?! not)", claim)
    # "Here are not the steps" is no assertion turned round, just odd.
    asserts = len(found.words) >= 6 and not re.search(
        r"passage|:$|\bhere\b|\bfollow", claim, re.IGNORECASE
    )
    if verb and asserts and (not options or rng.random() < 0.25):
        return f"{claim[: verb.end()]} not{claim[verb.end() :]}"
    if not options:
        return None
    kind, span = rng.choice(options)
    if kind == "name":
        others = [
            n.span.of(row.pair.evidence)
            for n in facts(row.pair.evidence).names
            if n.kind in {"proper", "acronym"} and not set(n.parts) & set(found.words)
        ]
        new = rng.choice(others) if others else None
        return claim[: span.start] + new + claim[span.end :] if new else None
    digit = rng.choice(list(re.finditer(r"\d", span.of(claim))) or [None])
    if digit is None:
        return None
    other = rng.choice([d for d in "123456789" if d != digit.group()])
    at = span.start + digit.start()
    return claim[:at] + other + claim[at + 1 :]


def untokenised(text: str) -> str:
    """Penn Treebank tokens as they were written."""
    for token, plain in (("-LRB-", "("), ("-RRB-", ")"), ("-LSB-", "["), ("-RSB-", "]")):
        text = text.replace(token, plain)
    text = re.sub(r"``|''", '"', text)
    text = re.sub(r"\s+([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", text)
    return re.sub(r"\s+('s|n't|'re|'ve)\b", r"\1", text)


def _literal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return ast.literal_eval(value)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
