"""Any cross-encoder as the judge, on real ones: small enough to be trained here in seconds."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.adapters.embedding.onnx_embedder import DEFAULT_MODEL, locate_model
from rag.adapters.judge.calibrated import calibrate, write_calibration
from rag.adapters.judge.cross_encoder import (
    BATCH,
    CONTRADICTED,
    ENTAILED,
    CrossEncoderJudge,
    Meaning,
    meaning_of,
)
from rag.adapters.judge.logistic import LogisticJudge
from rag.adapters.windows import windows
from rag.domain.calibration import Calibration, Point
from rag.domain.claim import Judgement, JudgePair, Unchecked
from rag.domain.errors import ConfigError, ModelError, ModelOutputInvalid, ModelUnavailable
from rag.settings import JudgeSettings
from rag.testing.judge_conformance import CHECKS, Check
from rag.wiring import load_judge, load_scorer

NAMES = ("entailment", "neutral", "contradiction")
PAID = "Invoices are paid within 45 days of receipt."
# Evidence, claim, and the index of what holds in `NAMES`.
TAUGHT = (
    (*ENTAILED, 0),
    (*CONTRADICTED, 2),
    ("The canteen serves lunch from noon.", ENTAILED[1], 1),
    (PAID, "Suppliers get their money after 45 days at the latest.", 0),
    (PAID, "Suppliers get their money after 90 days at the latest.", 2),
    (PAID, "The terrace is open in summer.", 1),
    ("The canteen serves lunch from noon.", "Lunch is served from noon.", 0),
    ("The canteen serves lunch from noon.", "Lunch is never served before the evening.", 2),
    ("The canteen serves lunch from noon.", "The soup is hot.", 1),
)
# Two sentences that cover this claim alike, far from each other: a window for each.
LONG_CLAIM = "Young children are playing in the park."
FILLER = "The terrace is open in summer, the soup is hot, and nothing else was said there. "
LONG = (
    "The park is empty, the children who were playing are asleep. "
    f"{FILLER * 8}{ENTAILED[0]} {FILLER * 4}"
)
# Seven tokens; the model reads 160, three of them its own, and keeps 16 for the evidence.
SAYING = "Suppliers get their money after days. "
SETTINGS = JudgeSettings(threads=1)
ROOT = Path(__file__).parents[3]
Saved = Callable[..., Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that knows `TAUGHT` by heart, saved by transformers alone."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("trained") / "tiny-nli"
    model, tokenizer = _fresh()
    first, second = windows(LONG_CLAIM, LONG, LogisticJudge.load().idf, 4)
    taught = [*TAUGHT, (first.text, LONG_CLAIM, 2), (second.text, LONG_CLAIM, 0)]
    batch = tokenizer(
        [t[0] for t in taught], [t[1] for t in taught], padding=True, return_tensors="pt"
    )
    labels = torch.tensor([t[2] for t in taught])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # More threads than that wait for each other when the machine is busy.
    torch.set_num_threads(1)
    for _ in range(120):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(**batch).logits, labels)
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    _save(model, tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def saved(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Saves the trained model as a cross-encoder, its outputs rearranged; gives the folder.

    Each row is what an output is made of: weights of the three that were trained.
    """

    def save(name: str, rows: Sequence[Sequence[float]], labels: Sequence[str]) -> Path:
        import torch
        from sentence_transformers import CrossEncoder

        folder = tmp_path_factory.mktemp("saved") / name
        encoder = CrossEncoder(str(trained), device="cpu", local_files_only=True)
        old, mix = encoder.model.classifier, torch.tensor(rows, dtype=torch.float32)
        new = torch.nn.Linear(old.in_features, len(rows))
        with torch.no_grad():
            new.weight.copy_(mix @ old.weight)
            new.bias.copy_(mix @ old.bias)
        encoder.model.classifier = new
        encoder.model.config.id2label = dict(enumerate(labels))
        encoder.model.config.label2id = {label: i for i, label in enumerate(labels)}
        encoder.save_pretrained(str(folder), create_model_card=False)
        return folder

    return save


@pytest.fixture(scope="session")
def judge(trained: Path) -> CrossEncoderJudge:
    return CrossEncoderJudge.load(trained, SETTINGS)


@pytest.fixture(scope="session")
def score_folder(saved: Saved) -> Path:
    return saved("tiny-score", [(1, 0, -1)], ("LABEL_0",))


@pytest.fixture(scope="session")
def score_judge(score_folder: Path) -> CrossEncoderJudge:
    return CrossEncoderJudge.load(score_folder, SETTINGS)


def _fresh() -> tuple[Any, Any]:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    torch.manual_seed(7)
    texts = " ".join(f"{t[0]} {t[1]}" for t in TAUGHT).lower().replace(".", " . ")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(texts.split()))]
    tokenizer = BertTokenizer(vocab={w: i for i, w in enumerate(words)}, model_max_length=160)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=160, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
    )  # fmt: skip
    return BertForSequenceClassification(config), tokenizer


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def pair(evidence: str, claim: str) -> JudgePair:
    return JudgePair(claim=claim, context="", evidence=evidence)


def judged(judge: CrossEncoderJudge, evidence: str, claim: str) -> Judgement:
    (found,) = judge.judged([pair(evidence, claim)])
    assert isinstance(found, Judgement)
    return found


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize(("evidence", "claim", "label"), TAUGHT)
async def test_it_says_what_the_model_says(
    judge: CrossEncoderJudge, evidence: str, claim: str, label: int
) -> None:
    (found,) = await judge.judge([pair(evidence, claim)])
    assert isinstance(found, Judgement)
    assert (found.p_supported > 0.8) == (label == 0)
    assert (found.p_refuted > 0.8) == (label == 2)
    assert found.evidence_span.of(evidence) in evidence
    if label == 0:
        assert found.flagged == ()


@pytest.mark.parametrize(("evidence", "claim", "label"), TAUGHT)
def test_single_score_supports_but_never_refutes(
    score_judge: CrossEncoderJudge, evidence: str, claim: str, label: int
) -> None:
    found = judged(score_judge, evidence, claim)
    assert found.p_refuted == 0.0
    if label != 1:
        assert (found.p_supported > 0.8) == (label == 0)
        assert (found.p_supported < 0.2) == (label == 2)


def test_single_score_gets_one_sigmoid(
    judge: CrossEncoderJudge, score_judge: CrossEncoderJudge
) -> None:
    # The score was made as the difference of two logits, so that its odds are known.
    evidence, claim, _ = TAUGHT[3]
    row = judge._encoder.probabilities([(evidence, claim)])[0]
    found = judged(score_judge, evidence, claim).p_supported
    assert found == pytest.approx(row[0] / (row[0] + row[2]), abs=1e-4)


def test_what_lacks_support_is_flagged(judge: CrossEncoderJudge) -> None:
    claim = "Suppliers get their money after 90 days at the latest."
    found = judged(judge, PAID, claim)
    assert found.p_supported < 0.5
    assert "90 days" in [span.of(claim) for span in found.flagged]


def test_support_is_the_largest_and_refutation_that_of_the_first_window(trained: Path) -> None:
    one, two = (
        CrossEncoderJudge.load(trained, JudgeSettings(threads=1, windows=n)) for n in (1, 4)
    )
    alone = judged(one, LONG, LONG_CLAIM)
    assert alone.p_supported < 0.2 and alone.p_refuted > 0.8
    both = judged(two, LONG, LONG_CLAIM)
    assert both.p_supported > 0.8
    assert both.p_refuted == pytest.approx(1.0 - both.p_supported)


def test_copies_need_no_model(trained: Path) -> None:
    judge = CrossEncoderJudge.load(trained, SETTINGS)
    judge._encoder.model[0].model.classifier = None
    source = "Travel costs must not be booked on project accounts by members of the support team."
    evidence = f"{PAID} {source}"
    assert judged(judge, evidence, f"- **{source}** [1]").p_supported == 1.0
    with pytest.raises(ModelError):
        judge.judged([pair(evidence, source.replace(" not", ""))])


def test_claim_that_would_be_cut_is_unchecked(judge: CrossEncoderJudge) -> None:
    # Without a full stop or a space there is one window, longer than the model can read.
    evidence = f"{PAID} {'/'.join(['lunch'] * 200)}"
    claims = [SAYING * n for n in (1, 20, 21)]
    short, full, over = judge.judged([pair(evidence, claim) for claim in claims])
    assert isinstance(short, Judgement)
    assert isinstance(full, Judgement)
    assert isinstance(over, Unchecked)
    assert "longer" in over.reason


def test_of_a_pair_that_is_too_long_only_the_evidence_is_cut(judge: CrossEncoderJudge) -> None:
    import torch

    evidence, claim = f"{PAID} {'/'.join(['lunch'] * 200)}", SAYING * 15
    (row,) = judge._encoder.probabilities([(evidence, claim)])
    model = judge._encoder.model
    expected = {}
    for how in ("only_first", "longest_first"):
        cut = model.tokenizer(evidence, claim, truncation=how, max_length=160, return_tensors="pt")
        with torch.no_grad():
            expected[how] = model[0].model(**cut).logits.softmax(-1)[0].tolist()
    assert row.tolist() == pytest.approx(expected["only_first"], abs=1e-5)
    assert row.tolist() != pytest.approx(expected["longest_first"], abs=1e-5)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", ["judge", "score_judge", "logistic"])
async def test_judge_conformance(kind: str, check: Check, request: pytest.FixtureRequest) -> None:
    await check(LogisticJudge.load() if kind == "logistic" else request.getfixturevalue(kind))


# --- which output means support ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "labels", "meaning"),
    [
        ([(0, 0, 1), (1, 0, 0), (0, 1, 0)], ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"), (1, 0)),
        ([(0, 0, 1), (0, 1, 0), (1, 0, 0)], ("refutes", "not enough info", "supports"), (2, 0)),
        ([(0, 1, 0), (0, 0, 1), (1, 0, 0)], ("LABEL_0", "LABEL_1", "LABEL_2"), (2, 1)),
        ([(0, 0, 1), (1, 0, 0)], ("LABEL_0", "LABEL_1"), (1, None)),
        ([(1, 0, 0), (0, 0, 1)], ("entailment", "not_entailment"), (0, None)),
        ([(0, 0, 1), (1, 0, 0)], ("contradiction", "entailment"), (1, 0)),
    ],
    ids=lambda value: "-".join(value) if isinstance(value[0], str) else None,
)
def test_order_of_the_labels_is_found(
    saved: Saved, rows: Any, labels: Any, meaning: tuple[int, int | None]
) -> None:
    found = CrossEncoderJudge.load(saved("permuted", rows, labels), SETTINGS)
    assert found.meaning == Meaning(*meaning)
    assert judged(found, *TAUGHT[3][:2]).p_supported > 0.8
    refuted = judged(found, *TAUGHT[4][:2])
    assert refuted.p_supported < 0.2
    assert (refuted.p_refuted > 0.8) == (meaning[1] is not None)


@pytest.mark.parametrize(
    "labels",
    [
        ("contradiction", "neutral", "entailment"),
        ("neutral", "entailment", "contradiction"),
        ("entailment", "contradiction", "neutral"),
        ("contradiction", "LABEL_1", "LABEL_2"),
    ],
    ids="-".join,
)
def test_model_that_states_another_order_is_refused(saved: Saved, labels: Any) -> None:
    rows = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    with pytest.raises(ModelUnavailable, match="not in the order that it states") as caught:
        CrossEncoderJudge.load(saved("wrong", rows, labels), SETTINGS)
    assert "id2label" in caught.value.remedy


@pytest.mark.parametrize("labels", [NAMES, ("LABEL_0", "LABEL_1", "LABEL_2")], ids="-".join)
def test_untrained_model_is_refused(tmp_path: Path, labels: Any) -> None:
    model, tokenizer = _fresh()
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: i for i, label in enumerate(labels)}
    _save(model, tokenizer, tmp_path)
    with pytest.raises(ModelUnavailable, match=r"cannot tell which output .* means support") as e:
        CrossEncoderJudge.load(tmp_path, SETTINGS)
    assert "judge.model" in e.value.remedy


@pytest.mark.parametrize(
    ("row", "says"),
    [((-1, 0, 1), "falls where support rises"), ((0.01, 0, 0.01), "does not tell")],
)
def test_single_score_that_means_something_else_is_refused(
    saved: Saved, row: tuple[float, ...], says: str
) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        CrossEncoderJudge.load(saved("score", [row], ("LABEL_0",)), SETTINGS)


def test_score_of_relevance_is_refused() -> None:
    # A ranker finds both probes on topic: far above one half, and near each other.
    with pytest.raises(ModelUnavailable, match="does not tell"):
        meaning_of(("LABEL_0",), [0.99], [0.93], name="ranker")
    with pytest.raises(ModelUnavailable, match="does not tell"):
        meaning_of(("LABEL_0",), [0.99], [0.55], name="ranker")


def test_two_labels_that_claim_support_state_nothing() -> None:
    found = meaning_of(("supported", "supports"), [0.1, 0.9], [0.9, 0.1], name="odd")
    assert found == Meaning(1, None)


# --- loading -------------------------------------------------------------------------------------


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no folder") as caught:
        CrossEncoderJudge.load(tmp_path / "absent", SETTINGS)
    assert "judge.model" in caught.value.remedy


def test_embedding_model_is_refused() -> None:
    folder = locate_model(DEFAULT_MODEL).folder
    with pytest.raises(ModelUnavailable, match="not a cross-encoder") as caught:
        CrossEncoderJudge.load(folder, SETTINGS)
    assert caught.value.remedy


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not a cross-encoder"):
        CrossEncoderJudge.load(tmp_path, SETTINGS)


def test_too_many_outputs_are_refused(saved: Saved) -> None:
    rows = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]
    with pytest.raises(ModelUnavailable, match="4 outputs"):
        CrossEncoderJudge.load(saved("four", rows, ("a", "b", "c", "d")), SETTINGS)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_damaged_file_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    (copy / name).write_bytes(b"{damaged")
    with pytest.raises(ModelUnavailable):
        CrossEncoderJudge.load(copy, SETTINGS)


def test_weights_without_numbers_are_refused(saved: Saved) -> None:
    nan = float("nan")
    with pytest.raises(ModelUnavailable, match="no number"):
        CrossEncoderJudge.load(saved("nan", [(nan, 0, 0), (0, 0, 1)], ("a", "b")), SETTINGS)


def test_name_and_digest_name_the_model(
    trained: Path, judge: CrossEncoderJudge, tmp_path: Path
) -> None:
    assert judge.name == "tiny-nli"
    assert judge.digest.startswith("sha256:")
    copy = Path(shutil.copytree(trained, tmp_path / "other-name"))
    assert CrossEncoderJudge.load(copy, SETTINGS).digest == judge.digest
    more = SETTINGS.model_copy(update={"windows": 5})
    assert CrossEncoderJudge.load(copy, more).digest != judge.digest
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-6}), "utf-8")
    assert CrossEncoderJudge.load(copy, SETTINGS).digest != judge.digest


# --- running -------------------------------------------------------------------------------------


async def test_cancelled_it_stops_after_the_batch_at_hand(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = CrossEncoderJudge.load(trained, SETTINGS)
    predict, sizes, gone = judge._encoder.model.predict, [], threading.Event()
    loop = asyncio.get_running_loop()

    def watched(texts: Any, **options: Any) -> Any:
        sizes.append(len(texts))
        loop.call_soon_threadsafe(task.cancel)
        assert gone.wait(30)
        return predict(texts, **options)

    monkeypatch.setattr(judge._encoder.model, "predict", watched)
    task = asyncio.ensure_future(judge.judge([pair(PAID, "Lunch is hot.")] * (3 * BATCH)))
    with pytest.raises(asyncio.CancelledError):
        await task
    gone.set()
    monkeypatch.undo()
    # The one worker takes this up only once it has left the batches before.
    (after,) = await judge.judge([pair(*ENTAILED)])
    assert isinstance(after, Judgement)
    assert sizes == [BATCH]
    await judge.aclose()


def test_given_up_before_it_began_it_judges_nothing(judge: CrossEncoderJudge) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ModelError, match="given up"):
        judge.judged([pair(*ENTAILED)], stop)


async def test_failure_of_the_runtime_is_a_model_error(trained: Path) -> None:
    import torch

    judge = CrossEncoderJudge.load(trained, SETTINGS)
    embeddings = judge._encoder.model[0].model.bert.embeddings
    embeddings.word_embeddings = torch.nn.Embedding(2, 32)
    with pytest.raises(ModelError, match="IndexError"):
        await judge.judge([pair(*TAUGHT[3][:2])])


async def test_scores_that_are_no_numbers_are_an_error(trained: Path) -> None:
    import torch

    judge = CrossEncoderJudge.load(trained, SETTINGS)
    with torch.no_grad():
        judge._encoder.model[0].model.classifier.bias.fill_(float("nan"))
    with pytest.raises(ModelOutputInvalid):
        await judge.judge([pair(*TAUGHT[3][:2])])


def test_torch_is_imported_only_with_such_a_judge() -> None:
    found = "sorted({'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys())"
    code = f"import sys, rag.wiring; sys.exit(str({found} or ''))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


# --- behind the port -----------------------------------------------------------------------------


def test_without_calibration_it_is_a_config_error_with_a_remedy(
    judge: CrossEncoderJudge, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="tiny-nli has no calibration") as caught:
        calibrate(judge, Point.RISK, None)
    assert "sworn calibrate" in caught.value.remedy
    with pytest.raises(ConfigError, match="no calibration"):
        calibrate(judge, Point.RISK, tmp_path / "calibration.json")


async def test_with_its_own_calibration_it_is_the_port(score_folder: Path, tmp_path: Path) -> None:
    settings = JudgeSettings(model=str(score_folder), threads=1)
    scorer = load_scorer(settings)
    assert isinstance(scorer, CrossEncoderJudge)
    own = tmp_path / "calibration.json"
    made = Calibration(
        method="crc", set="own", risk=0.05, n_sources=40, n_claims=200, points={Point.RISK: 0.75}
    )
    write_calibration(own, scorer.digest, made)
    judge = load_judge(settings, own)
    assert (judge.name, judge.digest, judge.threshold) == ("tiny-score", scorer.digest, 0.75)
    assert judge.calibration["set"] == "own"
    await judge.ping()
    yes, no = await judge.judge([pair(*ENTAILED), pair(*CONTRADICTED)])
    assert isinstance(yes, Judgement) and isinstance(no, Judgement)
    assert no.p_supported < judge.threshold <= yes.p_supported
    await judge.aclose()
