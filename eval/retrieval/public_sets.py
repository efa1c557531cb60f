"""The public sets, from the folder `retrieval` of the one that SWORN_DATASETS names.

Each reader says what a document and what the gold is. Ready chunks are documents of their own, as
their authors retrieve them; what is long anyway comes whole, so that our chunking is measured too.
"""

import csv
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, fromstring

from eval.retrieval.ideas import misspelt
from eval.retrieval.sets import (
    Asked,
    Document,
    Gold,
    NotThere,
    Places,
    RetrievalSet,
    drawn,
    plain_document,
)
from rag.domain.errors import ConfigError

VARIABLE: Final = "SWORN_DATASETS"
_SQUAD: Final = "squad/dev-2.0-first17.json"
_SQUAD_SAMPLE: Final = 1_000
_SEED: Final = 1
_CHUNKING: Final = "chunking_eval/questions_df.csv"
_HOP_TYPES: Final = ("inference_query", "comparison_query", "temporal_query")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    documents: tuple[Document, ...]
    asked: tuple[Asked, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """`paths` lie in the folder `retrieval`; all of them are needed."""

    title: str
    paths: tuple[str, ...]
    read: Callable[[Path], _Read]
    measures: tuple[str, ...]
    has_long_documents: bool = False
    has_titles: bool = False


def folder() -> Path | None:
    """The folder of retrieval sets, None where there is none."""
    given = os.environ.get(VARIABLE, "")
    return Path(given) / "retrieval" if given else None


def load(name: str, limit: int | None = None) -> RetrievalSet | NotThere:
    """A set by its name in `READERS`; with a limit, so many of its questions, all documents.

    Raises:
        ConfigError: the set has another form.
    """
    reader = READERS[name]
    if (root := folder()) is None:
        return NotThere(name=name, path=f"retrieval/{reader.paths[0]}")
    for path in reader.paths:
        if not (root / path).exists():
            return NotThere(name=name, path=f"retrieval/{path}")
    try:
        found = reader.read(root)
        if not found.asked:
            raise ValueError("no questions")
    except (OSError, ValueError, KeyError, TypeError, SyntaxError) as exc:
        raise ConfigError(
            f"the set {name} has another form: {exc!r}", remedy="check its version"
        ) from exc
    return RetrievalSet(
        name=name, title=reader.title, documents=found.documents,
        asked=drawn(found.asked, limit), measures=reader.measures,
        has_long_documents=reader.has_long_documents, has_titles=reader.has_titles,
        note=found.note,
    )  # fmt: skip


def _squad_paragraphs(root: Path) -> _Read:
    """Paragraphs as documents under their article's title; the question's own one is the gold.

    Source: Rajpurkar et al., "Know What You Don't Know" (2018); of the answerable questions a
    fixed draw.
    """
    documents: list[Document] = []
    asked: list[Asked] = []
    for title, paragraphs in _articles(root):
        for paragraph in paragraphs:
            document = plain_document(f"squad{len(documents)}.txt", paragraph["context"], title)
            documents.append(document)
            asked += [
                Asked(
                    id=q["id"], question=q["question"], gold=(Gold(document=document.name),),
                    source=document.name,
                )
                for q in paragraph["qas"] if not q["is_impossible"]
            ]  # fmt: skip
    return _Read(documents=tuple(documents), asked=_sampled(asked))


def _squad_typos(root: Path) -> _Read:
    """The same, with questions as people type them in a hurry (eval/retrieval/ideas.py)."""
    found = _squad_paragraphs(root)
    asked = tuple(replace(a, question=misspelt(a.question, a.id)) for a in found.asked)
    return replace(found, asked=asked)


def _squad_articles(root: Path) -> _Read:
    """The same questions over whole articles; the gold is the first annotated answer's place."""
    documents: list[Document] = []
    asked: list[Asked] = []
    n_lost = 0
    for title, paragraphs in _articles(root):
        source = "\n\n".join(p["context"] for p in paragraphs)
        document = plain_document(f"article{len(documents)}.txt", source, title)
        documents.append(document)
        places = Places(source, document.parsed.text)
        start = 0
        for n, paragraph in enumerate(paragraphs):
            for q in paragraph["qas"]:
                if q["is_impossible"]:
                    continue
                answer = q["answers"][0]
                span = places.find(answer["text"], start + int(answer["answer_start"]))
                n_lost += span is None
                # In place of one that is lost, the document: the draw stays the same.
                gold = Gold(document=document.name, span=span)
                asked.append(
                    Asked(id=q["id"], question=q["question"], gold=(gold,), source=f"{title} {n}")
                )
            start += len(paragraph["context"]) + 2
    kept = tuple(a for a in _sampled(asked) if a.gold[0].span is not None)
    note = f"{n_lost} answers not found in the canonical text" if n_lost else ""
    return _Read(documents=tuple(documents), asked=kept, note=note)


def _articles(root: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for article in json.loads((root / _SQUAD).read_text("utf-8"))["data"]:
        yield article["title"].replace("_", " "), article["paragraphs"]


def _sampled(asked: list[Asked]) -> tuple[Asked, ...]:
    rng = random.Random(_SEED)  # noqa: S311 - a fixed draw, no secret
    chosen = rng.sample(asked, min(_SQUAD_SAMPLE, len(asked)))
    return tuple(chosen)


def _anthropic_code(root: Path) -> _Read:
    """Chunks of code as documents; pass@k is the mean share of a query's golden ones in the top k.

    Source: Anthropic, "Introducing Contextual Retrieval" (2024), and the cookbook with its data.
    """
    folder_ = root / "anthropic_code"
    documents: list[Document] = []
    names: dict[tuple[str, int], str] = {}
    for entry in json.loads((folder_ / "codebase_chunks.json").read_text("utf-8")):
        for piece in entry["chunks"]:
            key = f"code{len(documents)}.txt"
            documents.append(plain_document(key, piece["content"], is_code=True))
            names[entry["original_uuid"], piece["original_index"]] = documents[-1].name
    asked = tuple(
        Asked(
            id=str(n), question=row["query"], source=row["golden_doc_uuids"][0],
            gold=tuple(Gold(document=names[uuid, i]) for uuid, i in row["golden_chunk_uuids"]),
        )
        for n, row in enumerate(_lines(folder_ / "evaluation_set.jsonl"))
    )  # fmt: skip
    return _Read(documents=tuple(documents), asked=asked)


def _chunking_eval(root: Path) -> _Read:
    """Five whole corpora, searched together; the gold are excerpts as spans.

    Source: Smith & Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024).
    """
    documents: dict[str, Document] = {}
    places: dict[str, Places] = {}
    for path in sorted((root / "chunking_eval/corpora").glob("*.md")):
        source = path.read_text("utf-8")
        documents[path.stem] = plain_document(
            f"{path.stem}.txt", source, path.stem.replace("_", " ")
        )
        places[path.stem] = Places(source, documents[path.stem].parsed.text)
    asked: list[Asked] = []
    n_lost = 0
    with (root / _CHUNKING).open(encoding="utf-8", newline="") as file:
        for n, row in enumerate(csv.DictReader(file)):
            corpus = row["corpus_id"]
            found = [
                places[corpus].find(r["content"], int(r["start_index"]))
                for r in json.loads(row["references"])
            ]
            spans = [span for span in found if span is not None]
            n_lost += len(found) - len(spans)
            if spans:
                name = documents[corpus].name
                asked.append(
                    Asked(
                        id=str(n), question=row["question"], source=str(n), part=corpus,
                        gold=tuple(Gold(document=name, span=s) for s in spans),
                    )
                )  # fmt: skip
    note = f"{n_lost} excerpts not found in the canonical text" if n_lost else ""
    return _Read(documents=tuple(documents.values()), asked=tuple(asked), note=note)


def _multihop(root: Path) -> _Read:
    """Each evidence sentence as a document under "source | title | date"; all of a question's count.

    The articles are not there, so this is easier than the published task and not comparable.

    Source: Tang & Yang, "MultiHop-RAG" (2024), a sample of 500 questions.
    """
    folder_ = root / "multihop_rag_500"
    truth: Mapping[str, Any] = json.loads((folder_ / "ground_truth.json").read_text("utf-8"))
    documents: dict[str, Document] = {}
    asked: list[Asked] = []
    for row in json.loads((folder_ / "queries.json").read_text("utf-8"))["queries"]:
        if row["question_type"] not in _HOP_TYPES:
            continue
        facts = truth[row["id"]]["evidence_list"]
        for fact in facts:
            title = f"{fact['source']} | {fact['title']} | {fact['published_at'][:10]}"
            key = f"fact{len(documents)}.txt"
            if fact["fact"] not in documents:
                documents[fact["fact"]] = plain_document(key, fact["fact"], title)
        names = dict.fromkeys(documents[f["fact"]].name for f in facts)
        asked.append(
            Asked(
                id=row["id"], question=row["question"], source=facts[0]["title"],
                gold=tuple(Gold(document=name) for name in names),
            )
        )  # fmt: skip
    return _Read(documents=tuple(documents.values()), asked=tuple(asked))


def _cranfield(root: Path) -> _Read:
    """Abstracts of aerodynamics with binary judgements; the judgements count queries from 1.

    Source: Cleverdon, "The Cranfield tests on index language devices" (1967).
    """
    folder_ = root / "cranfield"
    documents: dict[str, Document] = {}
    for node in _xml(folder_ / "cran.all.1400.xml"):
        number, title = _text(node, "docno"), " ".join(_text(node, "title").split())
        if text := _text(node, "text"):
            documents[number] = plain_document(f"cran{number}.txt", text, title)
    relevant: dict[int, list[str]] = {}
    for line in (folder_ / "cranqrel.trec.txt").read_text("utf-8").splitlines():
        query, _, document, grade = line.split()
        if int(grade) > 0 and document in documents:
            relevant.setdefault(int(query), []).append(documents[document].name)
    asked = tuple(
        Asked(
            id=str(n), question=" ".join(_text(node, "title").split()), source=str(n),
            gold=tuple(Gold(document=d) for d in relevant[n]),
        )
        for n, node in enumerate(_xml(folder_ / "cran.qry.xml"), 1) if n in relevant
    )  # fmt: skip
    return _Read(documents=tuple(documents.values()), asked=asked)


def _cisi(root: Path) -> _Read:
    """Abstracts of library science; queries are sentences or whole abstracts.

    Source: Fox, "Characterization of two new experimental collections" (1983).
    """
    folder_ = root / "cisi"
    documents = {
        number: plain_document(
            f"cisi{number}.txt", f"{fields['T']}\n\n{fields['W']}", " ".join(fields["T"].split())
        )
        for number, fields in _smart(folder_ / "CISI.ALL")
    }
    relevant: dict[str, list[str]] = {}
    for line in (folder_ / "CISI.REL").read_text("utf-8").splitlines():
        if line.strip():
            query, document, *_ = line.split()
            relevant.setdefault(query, []).append(documents[document].name)
    asked = tuple(
        Asked(
            id=number, question=" ".join(f"{fields['T']} {fields['W']}".split()), source=number,
            gold=tuple(Gold(document=d) for d in dict.fromkeys(relevant[number])),
        )
        for number, fields in _smart(folder_ / "CISI.QRY") if number in relevant
    )  # fmt: skip
    return _Read(documents=tuple(documents.values()), asked=asked)


def _smart(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Records in the form of the SMART system: `.I number`, then a letter for each field."""
    for record in re.split(r"^\.I ", path.read_text("utf-8", "replace"), flags=re.MULTILINE)[1:]:
        number, _, rest = record.partition("\n")
        fields = {"T": "", "W": ""}
        for part in re.split(r"^\.(?=[A-Z]\s*$)", rest, flags=re.MULTILINE)[1:]:
            letter, _, text = part.partition("\n")
            fields[letter.strip()] = text.strip()
        yield number.strip(), fields


def _xml(path: Path) -> Iterator[Element]:
    """The records of a file that may lack the element around them, or open with it."""
    text = re.sub(r"<\?xml[^>]*\?>|</?xml>", "", path.read_text("utf-8"))
    yield from fromstring(f"<all>{text}</all>")  # noqa: S314 - our own files


def _text(node: Element, name: str) -> str:
    return (node.findtext(name) or "").strip()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


READERS: Final[Mapping[str, _Reader]] = {
    "squad": _Reader(
        title="SQuAD 2.0 dev, 17 articles, paragraphs as documents", paths=(_SQUAD,),
        read=_squad_paragraphs, measures=("nDCG@10", "hit@1", "hit@5", "hit@20", "MRR@10"),
        has_titles=True,
    ),
    "squad_typos": _Reader(
        title="SQuAD paragraphs, one letter wrong in each question", paths=(_SQUAD,),
        read=_squad_typos, measures=("nDCG@10", "hit@1", "hit@5", "hit@20", "MRR@10"),
    ),
    "squad_articles": _Reader(
        title="SQuAD 2.0 dev, the same articles whole", paths=(_SQUAD,),
        read=_squad_articles, measures=("MRR@10", "hit@1", "hit@5", "chars@4000", "chars@8000"),
        has_long_documents=True, has_titles=True,
    ),
    "anthropic_code": _Reader(
        title="Anthropic's code chunks",
        paths=("anthropic_code/codebase_chunks.json", "anthropic_code/evaluation_set.jsonl"),
        read=_anthropic_code, measures=("recall@10", "recall@5", "recall@20", "nDCG@10"),
    ),
    "chunking_eval": _Reader(
        title="Chroma's chunking evaluation, five corpora",
        paths=(_CHUNKING, "chunking_eval/corpora"), read=_chunking_eval,
        measures=("chars@8000", "chars@4000", "hit@1", "MRR@10"), has_long_documents=True,
    ),
    "multihop_rag_500": _Reader(
        title="MultiHop-RAG, 429 questions over 438 facts",
        paths=("multihop_rag_500/queries.json", "multihop_rag_500/ground_truth.json"),
        read=_multihop, measures=("nDCG@10", "all@10", "recall@10"),
        has_titles=True,
    ),
    "cranfield": _Reader(
        title="Cranfield",
        paths=("cranfield/cran.all.1400.xml", "cranfield/cran.qry.xml",
               "cranfield/cranqrel.trec.txt"),
        read=_cranfield, measures=("nDCG@10", "recall@100"),
    ),
    "cisi": _Reader(
        title="CISI", paths=("cisi/CISI.ALL", "cisi/CISI.QRY", "cisi/CISI.REL"),
        read=_cisi, measures=("nDCG@10", "recall@100"),
    ),
}  # fmt: skip
"""Every public set by its name."""
