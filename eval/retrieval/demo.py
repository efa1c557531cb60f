"""The demo organisation's own questions, over its own documents with their access rules."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from eval.gold import GoldQuestion
from eval.installation import indexed
from eval.retrieval.sets import Asked, Document, Gold, RetrievalSet, drawn
from eval.retrieval.vectors import KeptVectors
from rag.adapters.store import rows
from rag.adapters.store import tables as t
from rag.adapters.store.catalog_reader import SqlCatalogReader
from rag.domain.document import ParsedDocument
from rag.domain.ids import Digest
from rag.settings import Paths, Settings

NAME: Final = "gold"
MEASURES: Final = ("recall@8", "documents@8", "all@8", "MRR@8")


async def demo_set(
    settings: Settings, questions: Sequence[GoldQuestion], kept: KeptVectors, limit: int | None
) -> RetrievalSet:
    """Index the silos into `settings.data_dir`, and take documents, access and vectors from there.

    Raises:
        StoreUnavailable: the silos could not be indexed.
    """
    await indexed(settings)
    reader = SqlCatalogReader(Paths(settings.data_dir).catalog, kept.digest)
    try:
        documents = await reader.query(live_documents)
        kept.keep(await reader.query(lambda c: vectors_of(c, kept.digest)))
    finally:
        await reader.aclose()
    asked = [gold_asked(q) for q in questions if q.abstain is None and q.evidence]
    return RetrievalSet(
        name=NAME, title="The demo organisation's questions", documents=documents,
        asked=drawn(asked, limit), measures=MEASURES, has_long_documents=True, has_titles=True,
        is_selected=True,
    )  # fmt: skip


def gold_asked(question: GoldQuestion) -> Asked:
    """An answerable question: its quotations are the gold."""
    return Asked(
        id=question.id, question=question.question, source=question.id, part=question.kind,
        groups=question.groups,
        gold=tuple(Gold(document=e.document, quote=e.quote) for e in question.evidence),
    )  # fmt: skip


def live_documents(connection: Connection) -> tuple[Document, ...]:
    """Every live document of a catalog as its parser read it."""
    statement = (
        select(
            t.document.c.silo, t.document.c.key, t.document.c.title, t.access.c.groups,
            t.version.c.elements, t.version.c.parser, t.canonical.c.body,
        )
        .join(t.version, t.version.c.id == t.document.c.version_id)
        .join(t.canonical, t.canonical.c.digest == t.version.c.digest)
        .join(t.access, t.access.c.id == t.document.c.access_id)
        .where(t.document.c.state == "live")
        .order_by(t.document.c.silo, t.document.c.key)
    )  # fmt: skip
    return tuple(
        Document(
            key=row.key, silo=row.silo, groups=frozenset(json.loads(row.groups)),
            parsed=ParsedDocument(
                text=row.body, elements=rows.elements_from_row(row.elements), title=row.title,
                parser=row.parser,
            ),
        )
        for row in connection.execute(statement)
    )  # fmt: skip


def vectors_of(connection: Connection, model: Digest) -> dict[Digest, bytes]:
    """The vectors that a catalog keeps for a model, by text digest."""
    statement = (
        select(t.vector.c.text_digest, t.vector.c.body)
        .join(t.model, t.model.c.id == t.vector.c.model_id)
        .where(t.model.c.digest == model)
    )
    return {Digest(digest): body for digest, body in connection.execute(statement)}
