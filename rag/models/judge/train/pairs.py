"""Training pairs from the folder named by SWORN_DATASETS: what is read, labelled and made.

Only sets whose licence lets weights be shipped are read (the model card lists them). The guard
of `rag.models.judge_logistic.data` keeps sources of the official test split out.
"""

import csv
import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from random import Random
from typing import Any, Final

from rag.domain.extraction import segments
from rag.domain.words import STOP_WORDS, Span, word_spans
from rag.models.judge.train.edits import Edit, broken, kept
from rag.models.judge_logistic import data

SEED: Final = data.SEED
FUSION_SOURCES: Final = 120
_SQUAD_WORDS: Final = 90
# One source in so many.
_WATCHED: Final = 25


class Target(IntEnum):
    """FEVER's three labels; `UNSUPPORTED` where a set does not tell the last two apart."""

    SUPPORTED = 0
    REFUTED = 1
    NOT_ENOUGH_INFO = 2
    UNSUPPORTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A claim, what it is read with, its label; `flagged` None where no words are marked.

    `group` is what a split may not cut through: the source of the pair.
    """

    set: str
    group: str
    claim: str
    context: str
    evidence: str
    target: Target
    flagged: tuple[Span, ...] | None = None


def general(datasets: Path) -> dict[str, list[Pair]]:
    """The first stage: learning to read two texts together, in quantity."""
    train = datasets / "verification" / "train"
    rng = Random(SEED)
    fever = list(_fever(train))
    told = {p.claim for p in fever}
    return {
        "squad answers": list(squad_answers(datasets, rng, 16_000)),
        "squad sentences": list(squad_sentences(datasets, rng, 26_000)),
        "fever": fever,
        "fever nli": [p for p in _fever_nli(train) if p.claim not in told][:9_000],
        "snli": _sample(_snli(train), 6_000, rng),
        "mnli": _sample(_mnli(train), 9_000, rng),
        "counterfactual": _sample(_counterfactual(train), 6_000, rng),
    }


def answers(datasets: Path) -> dict[str, list[Pair]]:
    """The second stage: sentences of generated answers and summaries, and minimal pairs of them."""
    root = datasets / "verification"
    train = root / "train"
    rng = Random(SEED + 1)
    rows = ragtruth(root)
    held = held_sources(rows)
    fit = [p for p in rows if p.group not in held]
    more = [p for p in _faithjudge(train) if p.group not in held]
    data.guard({p.group for p in (*fit, *more)}, data.test_ids(train / "ragtruth"))
    written = [*_defacto(train), *_fib(train), *_summedits(train), *_bump(train)]
    sound = [p for p in fit if p.target is Target.SUPPORTED]
    return {
        "ragtruth": [*fit, *more],
        "ragtruth edited": list(edited(rng.sample(sound, 9_000), rng, 1)),
        "ragtruth dropped": list(dropped(rng.sample(sound, 4_000), rng, 2_500)),
        "ragtruth misplaced": list(misplaced(sound, rng, 2_000)),
        "summaries": written,
        "summaries edited": list(
            edited([p for p in written if p.target is Target.SUPPORTED], rng, 1)
        ),
        "factcg": list(_factcg(train)),
        "stances": list(_stances(train)),
        "wice": list(_wice(train)),
        "begin": list(_begin(train)),
    }


def natural(datasets: Path) -> list[Pair]:
    """Pairs of the other sets as their authors made them: nothing edited, RAGTruth left out."""
    train = datasets / "verification" / "train"
    return [
        *_fever(train), *_mnli(train), *_factcg(train), *_stances(train), *_wice(train),
        *_defacto(train), *_fib(train), *_summedits(train), *_bump(train),
    ]  # fmt: skip


def is_watched(group: str) -> bool:
    """Whether a source is kept from training to watch the loss by, or for the fusion."""
    return hashlib.sha256(group.encode()).digest()[0] % _WATCHED == 0


def held_sources(rows: Sequence[Pair]) -> dict[str, str]:
    """Sources kept from training: `dev` for thresholds and choices, `fusion` for the fusion."""
    groups = sorted({p.group for p in rows})
    dev = sorted(Random(SEED).sample(groups, data.DEV_SOURCES))
    rest = [g for g in groups if g not in set(dev)]
    fusion = Random(SEED + 7).sample(rest, FUSION_SOURCES)
    return dict.fromkeys(dev, "dev") | dict.fromkeys(fusion, "fusion")


def ragtruth(root: Path) -> list[Pair]:
    """Sentences of the QA training answers, those of truncated or refusing ones left out."""
    return [from_row(r) for r in data.ragtruth_train(root) if not r.is_masked]


def from_row(row: data.Row) -> Pair:
    """The pair of a row of RAGTruth."""
    target = Target.SUPPORTED if row.supported else Target.NOT_ENOUGH_INFO
    if row.refuted:
        target = Target.REFUTED
    return Pair(
        set="ragtruth", group=row.group, claim=row.pair.claim, context=row.pair.context,
        evidence=row.pair.evidence, target=target, flagged=row.flagged,
    )  # fmt: skip


def squad_answers(datasets: Path, rng: Random, limit: int) -> Iterator[Pair]:
    """A question's answer as the claim: the true one, another of its kind, or no answer there."""
    n = 0
    for title, context, questions in _squad(datasets, rng):
        for question, start, text in questions:
            if n >= limit:
                return
            window, _ = _around(context, start)
            if text not in window or len(text) > 80:
                continue
            whole = Pair(
                set="squad answers", group=title, claim=text, context=question, evidence=window,
                target=Target.SUPPORTED, flagged=(),
            )  # fmt: skip
            kinds = [t for _, _, t in questions if _kind(t) == _kind(text)]
            others = sorted({t for t in kinds if t not in text and text not in t and t in window})
            yield whole
            n += 1
            if others:
                other = rng.choice(others)
                yield replace(
                    whole, claim=other, target=Target.UNSUPPORTED, flagged=(Span(0, len(other)),)
                )
                n += 1
            elif len(rest := _without(window, text)) > 80:
                yield replace(whole, evidence=rest, target=Target.NOT_ENOUGH_INFO, flagged=None)
                n += 1


def squad_sentences(datasets: Path, rng: Random, limit: int) -> Iterator[Pair]:
    """Sentences of encyclopaedia paragraphs: as they stand, edited, and with their source gone."""
    n = 0
    for title, context, _ in _squad(datasets, rng):
        spans = [s for s in segments(context) if 40 <= len(s) <= 260]
        if len(spans) < 3:
            continue
        for span in rng.sample(spans, min(2, len(spans))):
            claim = span.of(context)
            window, _ = _around(context, span.start)
            if claim not in window:
                continue
            whole = Pair(
                set="squad sentences", group=title, claim=claim, context="", evidence=window,
                target=Target.SUPPORTED, flagged=(),
            )  # fmt: skip
            made = list(edited([whole], rng, 2))
            if rng.random() < 0.15:
                rest = window.replace(claim, " ")
                made.append(
                    replace(whole, evidence=rest, target=Target.NOT_ENOUGH_INFO, flagged=None)
                )
            yield from made
            n += len(made)
        if n >= limit:
            return


def edited(pairs: Iterable[Pair], rng: Random, n_broken: int) -> Iterator[Pair]:
    """Each pair with `n_broken` breaking edits, and a harmless edit or itself as their twin."""
    counts: dict[str, int] = {}
    for pair in pairs:
        options = list(broken(pair.claim, pair.evidence, rng))
        # Rare kinds first, so that no kind is drowned by another.
        options.sort(key=lambda e: counts.get(e.kind, 0) + rng.random())
        if not options:
            continue
        for edit in options[:n_broken]:
            counts[edit.kind] = counts.get(edit.kind, 0) + 1
            yield _applied(pair, edit)
        harmless = list(kept(pair.claim, pair.evidence, rng))
        if harmless and rng.random() < 0.6:
            yield _applied(pair, rng.choice(harmless))
        else:
            yield replace(pair, set=f"{pair.set} edited")


def dropped(pairs: Iterable[Pair], rng: Random, limit: int) -> Iterator[Pair]:
    """The sentences that carry the claim taken out of the evidence, the rest left in."""
    n = 0
    for pair in pairs:
        words = _content(pair.claim)
        if len(words) < 4:
            continue
        spans = segments(pair.evidence)
        share = [len(words & _content(s.of(pair.evidence))) / len(words) for s in spans]
        gone = [i for i, x in enumerate(share) if x >= 0.5]
        if not gone or len(gone) > len(spans) / 2:
            continue
        rest = " ".join(s.of(pair.evidence) for i, s in enumerate(spans) if i not in gone)
        left = len(words & _content(rest)) / len(words)
        if left > 0.6 or len(rest) < 80:
            continue
        n += 1
        yield replace(
            pair, set=f"{pair.set} dropped", evidence=rest, flagged=None,
            target=Target.NOT_ENOUGH_INFO,
        )  # fmt: skip
        if n == limit:
            return


def misplaced(pairs: Sequence[Pair], rng: Random, limit: int) -> Iterator[Pair]:
    """A claim with the passages of the other question that are most like it."""
    first = list({p.group: p for p in pairs}.values())
    known = [(_content(p.context) | _content(p.evidence), p) for p in first]
    for pair in rng.sample([p for p in pairs if len(_content(p.claim)) >= 4], limit):
        words = _content(pair.claim) | _content(pair.context)
        some = rng.sample(known, 60)
        _, other = max(
            (x for x in some if x[1].group != pair.group), key=lambda x: len(words & x[0])
        )
        yield replace(
            pair, set=f"{pair.set} misplaced", evidence=other.evidence, flagged=None,
            target=Target.NOT_ENOUGH_INFO,
        )  # fmt: skip


def _applied(pair: Pair, edit: Edit) -> Pair:
    target = Target.REFUTED if edit.refuted else Target.UNSUPPORTED
    return replace(
        pair, set=f"{pair.set} edited", claim=edit.claim, flagged=edit.flagged,
        target=Target.SUPPORTED if edit.supported else target,
    )  # fmt: skip


def _fever(train: Path) -> Iterator[Pair]:
    for row in data.fever_rows(train / "fever_dev_pairs"):
        yield Pair(
            set="fever", group=f"fever {row.pair.claim}", claim=row.pair.claim, context="",
            evidence=row.pair.evidence, flagged=() if row.supported else None,
            target=Target.SUPPORTED if row.supported else Target.REFUTED,
        )  # fmt: skip


def _fever_nli(train: Path) -> Iterator[Pair]:
    seen: set[str] = set()
    for name in ("dev", "test"):
        path = train / "docnli" / f"Data__binary-FEVER-NLI__{name}.txt"
        for line in path.read_text("utf-8").splitlines():
            label, evidence, claim = line.split("\t")
            if claim in seen:
                continue
            seen.add(claim)
            fine = label == "entailment"
            yield Pair(
                set="fever nli", group=f"fever {claim}", claim=data.untokenised(claim),
                context="", evidence=data.untokenised(evidence), flagged=() if fine else None,
                target=Target.SUPPORTED if fine else Target.UNSUPPORTED,
            )  # fmt: skip


_NLI: Final = {
    "entailment": Target.SUPPORTED,
    "contradiction": Target.REFUTED,
    "neutral": Target.NOT_ENOUGH_INFO,
    "not_entailment": Target.UNSUPPORTED,
}


def _nli(name: str, premise: str, hypothesis: str, label: str) -> Pair:
    target = _NLI[label]
    return Pair(
        set=name, group=f"{name} {premise}", claim=data.untokenised(hypothesis), context="",
        evidence=data.untokenised(premise), target=target,
        flagged=() if target is Target.SUPPORTED else None,
    )  # fmt: skip


def _snli(train: Path) -> Iterator[Pair]:
    base = train / "snli_dev_test"
    for part in ("dev", "test"):
        columns = [
            (base / f"{n}.{part}").read_text("utf-8").splitlines() for n in ("s1", "s2", "labels")
        ]
        for premise, hypothesis, label in zip(*columns, strict=True):
            if label in _NLI:
                yield _nli("snli", premise, hypothesis, label)


def _mnli(train: Path) -> Iterator[Pair]:
    with (train / "nli_datasets" / "nli_datasets__mnli__dev.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["label"] in _NLI:
                yield _nli("mnli", line["premise"], line["hypothesis"], line["label"])


def _counterfactual(train: Path) -> Iterator[Pair]:
    path = train / "cad_nli" / "NLI__all_combined__train.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield _nli("counterfactual", line["sentence1"], line["sentence2"], line["gold_label"])


def _faithjudge(train: Path) -> Iterator[Pair]:
    base = train / "ragtruth"
    blocked = data.blocked_ids(base)
    for task in ("qa", "summary"):
        for line in _lines(base / "faithjudge_train" / f"ragtruth_{task}.jsonl"):
            key = str(line["source_id"])
            if key in blocked:
                continue
            source = line["source"]
            is_qa = task == "qa"
            question = source["question"] if is_qa else ""
            passages = source["passages"] if is_qa else source
            for n, response in enumerate(line["responses"]):
                if is_qa and "gpt" not in response["model"]:
                    continue  # The others are among the QA training answers already.
                answer = response | {"id": f"faithjudge-{key}-{n}", "quality": "good"}
                for row in data.sentences(answer, question, passages, key):
                    yield from_row(row)


def _defacto(train: Path) -> Iterator[Pair]:
    for part in ("train", "val", "test"):
        for line in _lines(train / "defacto" / f"{part}.jsonl"):
            group = f"xsum {line['doc_id']}"
            feedback = line["feedback"] if isinstance(line["feedback"], dict) else {}
            wrong = Target.REFUTED if line["intrinsic_error"] else Target.UNSUPPORTED
            yield _summary(
                "defacto", group, line["candidate"], line["article"],
                wrong if line["has_error"] else Target.SUPPORTED,
            )  # fmt: skip
            if line["has_error"] and (mended := str(feedback.get("summary") or "").strip()):
                yield _summary("defacto", group, mended, line["article"], Target.SUPPORTED)


def _fib(train: Path) -> Iterator[Pair]:
    seen: set[tuple[str, str]] = set()
    for path in sorted((train / "fib").glob("*xsum*.jsonl")):
        for line in _lines(path):
            for n, choice in enumerate(line["list_choices"]):
                if (line["id"], choice) in seen or (n != line["lbl"] and "factcc" not in path.name):
                    continue
                seen.add((line["id"], choice))
                yield _summary(
                    "fib", f"xsum {line['id']}", choice, line["input"],
                    Target.SUPPORTED if n == line["lbl"] else Target.UNSUPPORTED,
                )  # fmt: skip


def _summedits(train: Path) -> Iterator[Pair]:
    for path in sorted((train / "summedits").glob("*.json")):
        for line in json.loads(path.read_text("utf-8")):
            fine = line["label"] == 1
            # Several edits in one summary: its sentences are not labelled one by one.
            yield _summary(
                "summedits", f"{path.stem} {line['doc'][:80]}", line["summary"], line["doc"],
                Target.SUPPORTED if fine else Target.UNSUPPORTED,
            )  # fmt: skip


def _bump(train: Path) -> Iterator[Pair]:
    blocked = _blocked(train, "bump")
    for n in (1, 2):
        path = train / "bump" / f"task{n}_dataset.json"
        for line in json.loads(path.read_text("utf-8")):
            if f"task{n}:article_id={line['article_id']}" in blocked:
                continue
            group = f"bump {line['article_id']}"
            pairs = (
                ("reference_summary", Target.SUPPORTED),
                ("edited_summary", Target.UNSUPPORTED),
            )
            for key, target in pairs:
                if line.get(key):
                    yield _summary("bump", group, line[key], line["article"], target)


def _summary(name: str, group: str, claim: str, article: str, target: Target) -> Pair:
    return Pair(
        set=name, group=group, claim=claim.strip(), context="", evidence=article, target=target,
        flagged=() if target is Target.SUPPORTED else None,
    )  # fmt: skip


def _factcg(train: Path) -> Iterator[Pair]:
    for path in sorted((train / "factcg_synth").glob("*.json")):
        for n, line in enumerate(_json_or_lines(path)):
            if not line["text_a"].strip():
                continue
            claim = " ".join(line["text_b"])
            target = Target.SUPPORTED if line["orig_label"] == 1 else Target.UNSUPPORTED
            group = f"factcg {path.stem} {n // 2} {line['text_a'][:60]}"
            yield _summary("factcg", group, claim, line["text_a"], target)


def _stances(train: Path) -> Iterator[Pair]:
    targets = {
        "completely-support": Target.SUPPORTED,
        "partially-support": Target.NOT_ENOUGH_INFO,
        "irrelevant": Target.NOT_ENOUGH_INFO,
        "refute": Target.REFUTED,
    }
    path = train / "factcheck_gpt" / "subtask3_claim_evidence_stance.jsonl"
    for line in _lines(path):
        claim = line["claim"]
        yield _summary(
            "stances", f"stance {claim}", claim, line["evidence"], targets[line["stance"]]
        )


def _wice(train: Path) -> Iterator[Pair]:
    path = train / "wice" / "code_and_resources__entailment_inputs__oracle_chunks__claim__dev.jsonl"
    for line in _lines(path):
        fine = line["label"] == "supported"
        yield _summary(
            "wice", f"wice {line['claim'][:60]}", line["claim"], "\n".join(line["evidence"]),
            Target.SUPPORTED if fine else Target.NOT_ENOUGH_INFO,
        )  # fmt: skip
    for line in _lines(train / "wice" / "data__non_supported_tokens__train.jsonl"):
        claim, at, flagged = line["claim"], 0, []
        for token, unsupported in zip(
            line["claim_tokens"], line["non_supported_spans"], strict=True
        ):
            start = claim.find(token, at)
            if start < 0:
                break
            at = start + len(token)
            if unsupported:
                flagged.append(Span(start, at))
        else:
            chosen = sorted({i for group in line["supporting_sentences"] for i in group})
            near = sorted({j for i in chosen for j in (i - 1, i, i + 1)})
            text = "\n".join(line["evidence"][i] for i in near if 0 <= i < len(line["evidence"]))
            if text:
                yield Pair(
                    set="wice", group=f"wice {claim[:60]}", claim=claim, context="",
                    evidence=text, target=Target.NOT_ENOUGH_INFO, flagged=tuple(flagged),
                )  # fmt: skip


def _begin(train: Path) -> Iterator[Pair]:
    with (train / "begin" / "begin_dev_wow.tsv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            fine = line["begin_label"] == "Fully attributable"
            yield replace(
                _summary(
                    "begin", f"begin {line['knowledge']}", line["response"], line["knowledge"],
                    Target.SUPPORTED if fine else Target.NOT_ENOUGH_INFO,
                ),
                context=line["message"],
            )  # fmt: skip


def _squad(datasets: Path, rng: Random) -> Iterator[tuple[str, str, list[tuple[str, int, str]]]]:
    """Title, paragraph and its questions with the place and text of their answer, shuffled."""
    with lzma.open(datasets / "retrieval" / "squad" / "train-1.1.json.xz") as file:
        articles = json.load(file)["data"]
    paragraphs = [(a["title"], p) for a in articles for p in a["paragraphs"]]
    rng.shuffle(paragraphs)
    for title, paragraph in paragraphs:
        questions = [
            (q["question"].strip(), q["answers"][0]["answer_start"], q["answers"][0]["text"])
            for q in paragraph["qas"]
        ]
        rng.shuffle(questions)
        yield f"squad {title}", paragraph["context"], questions[:3]


def _around(context: str, at: int) -> tuple[str, int]:
    """Whole sentences around a place, no longer than a window, and where they begin."""
    spans = segments(context)
    here = next((i for i, s in enumerate(spans) if s.start <= at < s.end), 0)
    first = last = here
    size = len(word_spans(spans[here].of(context)))
    while True:
        grown = [
            (i, len(word_spans(spans[i].of(context))))
            for i in (first - 1, last + 1)
            if 0 <= i < len(spans)
        ]
        fitting = [(i, n) for i, n in grown if size + n <= _SQUAD_WORDS]
        if not fitting or last - first >= 3:
            start = spans[first].start
            return context[start : spans[last].end], start
        i, n = fitting[0]
        first, last, size = min(first, i), max(last, i), size + n


def _without(window: str, text: str) -> str:
    return " ".join(s.of(window) for s in segments(window) if text not in s.of(window))


def _kind(text: str) -> str:
    if re.search(r"\d", text):
        return "figure"
    return "name" if text[:1].isupper() else "words"


def _content(text: str) -> frozenset[str]:
    found = (s.of(text).casefold() for s in word_spans(text))
    return frozenset(w for w in found if w not in STOP_WORDS)


def _sample(pairs: Iterable[Pair], n: int, rng: Random) -> list[Pair]:
    found = list(pairs)
    return rng.sample(found, min(n, len(found)))


def _blocked(train: Path, name: str) -> frozenset[str]:
    listed = json.loads((train / "ragtruth" / "overlap_blocklist.json").read_text("utf-8"))
    return frozenset(str(e["item"]) for e in listed.get(name, []))


def _json_or_lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8")
    try:
        return list(json.loads(text))
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
