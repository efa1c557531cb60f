"""Claims of the demo organisation: its gold answers and the sentences they are quoted from."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eval.gold import GoldQuestion
from eval.metrics import normal
from rag.adapters.parsers.process import ParserPool
from rag.domain.claim import JudgePair
from rag.domain.document import Access, ParsedDocument, RawDocument
from rag.domain.errors import ConfigError
from rag.domain.ids import SiloId, digest_bytes
from rag.domain.words import STOP_WORDS, words
from rag.ingest.chunking import ChunkSizes, chunk
from rag.models.judge_logistic.data import Row
from rag.settings import Settings

ANSWER: Final = "answer"
SENTENCE: Final = "sentence"
_SENTENCE_WORDS_MIN: Final = 5


async def documents(
    questions: Sequence[GoldQuestion], settings: Settings
) -> dict[str, ParsedDocument]:
    """The documents that the gold names as evidence, as they would be indexed.

    Raises:
        ConfigError: one of them is in none of the silos.
        DocumentError: one cannot be read.
    """
    names = sorted({e.document for q in questions for e in q.evidence})
    roots = {silo.id: silo.root for silo in settings.silos}
    pool = ParserPool(timeout_s=settings.ingest.parse_timeout_s)
    try:
        return {name: await pool.parse(_raw(name, roots)) for name in names}
    finally:
        await pool.aclose()


def gold_rows(
    questions: Sequence[GoldQuestion], parsed: Mapping[str, ParsedDocument]
) -> tuple[list[Row], int]:
    """True claims with the passages that hold the gold quotations, and how many were left out.

    Each answer is a claim in the context of its question, and each quotation that is a sentence
    is one. Left out are answers that name nothing (yes, no) and quotations in no one passage.
    """
    passages = {
        name: [p.span.of(d.text) for p in chunk(d, name.partition("/")[2], ChunkSizes())]
        for name, d in parsed.items()
    }
    rows: list[Row] = []
    n_left_out = 0
    for question in questions:
        if question.abstain is not None or not question.evidence:
            continue
        found = [_passage(e.quote, passages[e.document]) for e in question.evidence]
        if None in found:
            n_left_out += 1
            continue
        made = list(_rows(question, "\n\n".join(dict.fromkeys(filter(None, found)))))
        rows += made
        n_left_out += not made
    return rows, n_left_out


def _rows(question: GoldQuestion, evidence: str) -> Iterator[Row]:
    answer = question.accept[0]
    if any(w not in STOP_WORDS and w != "yes" for w in words(answer)):
        yield _row(answer, question.question, evidence, question.id, ANSWER)
    for n, quoted in enumerate(question.evidence):
        quote = quoted.quote.strip()
        if len(words(quote)) >= _SENTENCE_WORDS_MIN and quote.endswith((".", "!")):
            yield _row(quote, question.question, evidence, question.id, f"{SENTENCE} {n}")


def _row(claim: str, context: str, evidence: str, group: str, kind: str) -> Row:
    pair = JudgePair(claim=claim, context=context, evidence=evidence)
    return Row(pair=pair, supported=True, group=group, answer=kind)


def _passage(quote: str, passages: Sequence[str]) -> str | None:
    wanted = normal(quote)
    return next((p for p in passages if wanted in normal(p)), None)


def _raw(name: str, roots: Mapping[str, Path]) -> RawDocument:
    silo, _, key = name.partition("/")
    try:
        path = roots[silo] / key
        content = path.read_bytes()
    except (KeyError, OSError) as exc:
        raise ConfigError(
            f"the gold names {name}, which is in no silo", remedy="give the settings of its silos"
        ) from exc
    now = datetime.now(UTC)
    return RawDocument(
        silo=SiloId(silo), key=key, uri=path.as_uri(), data=content, digest=digest_bytes(content),
        media_type="", modified_at=now, signature="", access=Access(),
    )  # fmt: skip
