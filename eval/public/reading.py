"""Readers of the sets of plain questions, from the folder `retrieval` of `SWORN_DATASETS`."""

import json
from pathlib import Path
from typing import Any, Final

from eval.public.sets import Asked, QuestionSet
from eval.retrieval.public_sets import load as load_retrieval
from eval.retrieval.sets import Document, RetrievalSet, plain_document

SQUAD: Final = "squad/dev-2.0-first17.json"
TIMEQA: Final = "timeqa/human_annotated_test.json"
MULTIHOP: Final = "multihop_rag_500/queries.json"
MULTIHOP_GOLD: Final = "multihop_rag_500/ground_truth.json"
_NULL: Final = "null_query"


def read_squad(root: Path) -> QuestionSet:
    """Every question over every paragraph: nobody says which one a question was written for.

    Source: Rajpurkar et al., "Know What You Don't Know" (2018).
    """
    asked = [
        Asked(
            id=q["id"], question=q["question"].strip(), source=f"{article['title']} {n}",
            gold=tuple(dict.fromkeys(a["text"] for a in q["answers"] if not q["is_impossible"])),
            part="NoAns" if q["is_impossible"] else "HasAns",
        )
        for article in json.loads((root / SQUAD).read_text("utf-8"))["data"]
        for n, paragraph in enumerate(article["paragraphs"])
        for q in paragraph["qas"]
    ]  # fmt: skip
    return QuestionSet(
        name="squad", title="SQuAD 2.0 dev, 17 articles, over all paragraphs",
        documents=_documents("squad"), asked=tuple(asked),
    )  # fmt: skip


def read_timeqa(root: Path) -> QuestionSet:
    """Questions about a time, over all pages whole; where the page does not tell, nothing is right.

    Source: Chen et al., "A Dataset for Answering Time-Sensitive Questions" (2021), human test.
    """
    documents: list[Document] = []
    asked: list[Asked] = []
    for page in json.loads((root / TIMEQA).read_text("utf-8")):
        title = page["paras"][0]
        key = f"page{len(documents)}.txt"
        documents.append(plain_document(key, "\n\n".join(page["paras"]), title))
        for n, (question, answers) in enumerate(page["questions"]):
            gold = tuple(dict.fromkeys(a["answer"] for a in answers if a["answer"].strip()))
            asked.append(
                Asked(
                    id=f"{page['index']} {n}", question=question, gold=gold, source=page["link"],
                    part="answerable" if gold else "unanswerable",
                )
            )  # fmt: skip
    return QuestionSet(
        name="timeqa", title="TimeQA, human test, over all pages", documents=tuple(documents),
        asked=tuple(asked),
    )  # fmt: skip


def read_multihop(root: Path) -> QuestionSet:
    """Questions over several facts; those of type null have no answer among them.

    An extractive answer can never be "yes": those questions measure whether it stays silent.

    Source: Tang & Yang, "MultiHop-RAG" (2024), a sample of 500 questions.
    """
    truth: dict[str, Any] = json.loads((root / MULTIHOP_GOLD).read_text("utf-8"))
    asked = [
        Asked(
            id=row["id"], question=row["question"], part=row["question_type"],
            gold=() if row["question_type"] == _NULL else (truth[row["id"]]["answer"],),
            source=next((f["title"] for f in truth[row["id"]]["evidence_list"]), row["id"]),
        )
        for row in json.loads((root / MULTIHOP).read_text("utf-8"))["queries"]
    ]  # fmt: skip
    return QuestionSet(
        name="multihop", title="MultiHop-RAG, 500 questions over 438 facts",
        documents=_documents("multihop_rag_500"), asked=tuple(asked),
    )  # fmt: skip


def _documents(name: str) -> tuple[Document, ...]:
    """The documents of a set of retrieval: the same ones are searched there and here."""
    found = load_retrieval(name)
    assert isinstance(found, RetrievalSet)
    return found.documents
