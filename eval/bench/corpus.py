"""Documents and questions to measure on, the same for the same seed.

Sentences are recombined, their numbers drawn anew and some of their words exchanged, so that no
two chunks are alike while lengths and frequencies of words stay those of real text. They come
from the demo organisation, or, where `SWORN_DATASETS` names a folder with them, from SQuAD and
the Sourcegraph handbook.
"""

import json
import lzma
import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from eval.bench.common import DEMO, QUESTIONS
from eval.gold import read_questions
from rag.domain.words import STOP_WORDS, sentence_spans

VARIABLE: Final = "SWORN_DATASETS"
_WORD: Final = re.compile(r"[A-Za-z]{4,}")
_NUMBER: Final = re.compile(r"\d+")
_READABLE: Final = ("*.md", "*.txt")
_SENTENCE_CHARS: Final = range(40, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph as it would be indexed, under a title."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and the places of the passages that answer it."""

    question: str
    gold: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Real passages with real questions about them."""

    name: str
    passages: Sequence[Passage]
    questions: Sequence[Asked]


def datasets() -> Path | None:
    """The folder of public datasets, if there is one."""
    given = os.environ.get(VARIABLE, "")
    folder = Path(given) / "retrieval" if given else None
    return folder if folder is not None and folder.is_dir() else None


@cache
def sentences() -> tuple[str, ...]:
    """Real sentences to recombine."""
    passages = collection().passages
    found = (span.of(p.text) for p in passages for span in sentence_spans(p.text))
    fitting = (" ".join(s.split()) for s in found if len(s) in _SENTENCE_CHARS)
    return tuple(dict.fromkeys(s for s in fitting if s[:1].isalnum()))


@cache
def _vocabulary() -> tuple[str, ...]:
    """Every content word as often as it occurs, so that drawing keeps the frequencies."""
    words = (w for s in sentences() for w in _WORD.findall(s))
    return tuple(w for w in words if w.casefold() not in STOP_WORDS)


def sentence(rng: random.Random, exchange: float = 0.2) -> str:
    """A sentence that nobody wrote: `exchange` is the share of content words drawn anew."""
    text = _NUMBER.sub(
        lambda m: str(rng.randrange(10 ** len(m.group()[:6]))), rng.choice(sentences())
    )
    words = _vocabulary()
    return _WORD.sub(
        lambda m: (
            rng.choice(words)
            if m.group().casefold() not in STOP_WORDS and rng.random() < exchange
            else m.group()
        ),
        text,
    )


def paragraph(rng: random.Random, chars: int, exchange: float = 0.2) -> str:
    """Sentences up to about `chars` characters."""
    text = sentence(rng, exchange)
    while len(text) < chars:
        text += " " + sentence(rng, exchange)
    return text


def document(rng: random.Random, chars: int) -> str:
    """A Markdown document of about `chars` characters, in sections."""
    parts = [f"# {_heading(rng)}"]
    size = 0
    while size < chars:
        parts.append(f"## {_heading(rng)}")
        for _ in range(rng.randint(2, 5)):
            parts.append(paragraph(rng, rng.randint(200, 700)))
            size += len(parts[-1])
    return "\n\n".join(parts) + "\n"


def _heading(rng: random.Random) -> str:
    return " ".join(rng.choices(_vocabulary(), k=3)).capitalize()


def handbook(n: int, seed: int) -> list[bytes] | None:
    """`n` files of a real handbook, None where it is not there."""
    folder = datasets()
    if folder is None:
        return None
    files = sorted((folder / "sourcegraph_handbook").rglob("*.md"))
    return [p.read_bytes() for p in random.Random(seed).sample(files, min(n, len(files)))] or None


def write_files(folder: Path, n: int, chars: int, seed: int) -> int:
    """`n` Markdown files in folders of 500; returns their characters. Real ones where there are."""
    rng = random.Random(seed)
    real = handbook(n, seed) or []
    total = 0
    for i in range(n):
        below = folder / f"{i // 500:03d}"
        below.mkdir(parents=True, exist_ok=True)
        data = real[i] if i < len(real) else document(rng, chars).encode()
        (below / f"{i:06d}.md").write_bytes(data)
        total += len(data.decode(errors="replace"))
    return total


# --- passages with questions ----------------------------------------------------------------------


@cache
def collection() -> Collection:
    """SQuAD where it is there, else the demo organisation."""
    folder = datasets()
    files = sorted((folder / "squad").glob("*.json*")) if folder is not None else []
    return _squad(files) if files else _demo()


def _squad(files: Sequence[Path]) -> Collection:
    passages: list[Passage] = []
    asked: list[Asked] = []
    for path in files:
        opened = lzma.open if path.suffix == ".xz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            articles: list[dict[str, Any]] = json.load(file)["data"]
        for article in articles:
            for para in article["paragraphs"]:
                gold = frozenset({len(passages)})
                title = str(article["title"]).replace("_", " ")
                passages.append(Passage(title=title, text=para["context"]))
                asked.extend(
                    Asked(question=q["question"].strip(), gold=gold)
                    for q in para["qas"]
                    if not q.get("is_impossible")
                )
    return Collection(name="SQuAD", passages=passages, questions=asked)


def _demo() -> Collection:
    passages: list[Passage] = []
    where: dict[str, list[int]] = {}
    files = sorted(p for pattern in _READABLE for p in DEMO.rglob(pattern))
    for path in files:
        key = path.relative_to(DEMO).as_posix()
        for text in _paragraphs(path.read_text(encoding="utf-8", errors="replace")):
            where.setdefault(key, []).append(len(passages))
            passages.append(Passage(title=path.stem.replace("-", " "), text=text))
    asked: list[Asked] = []
    for question in read_questions(QUESTIONS):
        gold = frozenset(
            i
            for e in question.evidence
            for i in where.get(e.document, ())
            if " ".join(e.quote.split()) in " ".join(passages[i].text.split())
        )
        if gold:
            asked.append(Asked(question=question.question, gold=gold))
    return Collection(name="demo", passages=passages, questions=asked)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, joined up to about 600 characters."""
    held = ""
    for part in re.split(r"\n\s*\n", text):
        held = f"{held}\n\n{part.strip()}".strip()
        if len(held) > 600:
            yield held
            held = ""
    if held:
        yield held
