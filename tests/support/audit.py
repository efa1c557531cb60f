"""The whole index as a plain value, so that two builds of it can be compared; and its invariants."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from rag.adapters.chroma import ChromaIndex
from rag.adapters.store.rows import elements_from_row
from rag.domain.ids import digest_text


def dump_catalog(path: Path) -> dict[str, Any]:
    """Documents by silo and key, with spans, digests, access and postings; ids are left out."""
    # Not immutable: the writer may be alive.
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.execute("BEGIN")
        connection.execute(
            "CREATE VIRTUAL TABLE temp.instance USING fts5vocab('main', 'posting', 'instance')"
        )
        postings = _postings(connection)
        documents = {
            f"{silo}/{key}": {
                "title": title, "state": state, "error": error, "access": groups,
                "raw": raw, "version": digest,
                "chunks": _chunks(connection, document_id, postings),
            }
            for document_id, silo, key, title, state, error, groups, raw, digest in
            connection.execute(_DOCUMENTS)
        }  # fmt: skip
        return {
            "documents": documents,
            "postings_of_nobody": sorted(postings),
            "pending": connection.execute(
                "SELECT count(*) FROM chunk WHERE parent_id IS NOT NULL AND indexed = 0"
            ).fetchone()[0],
            "to_sweep": connection.execute("SELECT count(*) FROM sweep").fetchone()[0],
        }
    finally:
        connection.close()


_DOCUMENTS = """
    SELECT d.id, d.silo, d.key, d.title, d.state, d.error_code, a.groups, d.raw_digest, v.digest
    FROM document d JOIN access a ON a.id = d.access_id
    LEFT JOIN version v ON v.id = d.version_id ORDER BY d.silo, d.key
"""
_CHUNKS = """
    SELECT id, parent_id, start_char, end_char, text_digest, header FROM chunk
    WHERE document_id = ? ORDER BY parent_id IS NOT NULL, start_char
"""


def _postings(connection: sqlite3.Connection) -> dict[int, str]:
    """Digest of the terms of each posting, with their places, by parent."""
    found: dict[int, list[str]] = {}
    # Contentless tables keep no text; their terms with places are all that they know.
    for term, parent, column, offset in connection.execute(
        "SELECT term, doc, col, offset FROM temp.instance ORDER BY doc, col, offset"
    ):
        found.setdefault(parent, []).append(f"{column}:{offset}:{term}")
    return {parent: digest_text(" ".join(terms)) for parent, terms in found.items()}


def _chunks(
    connection: sqlite3.Connection, document_id: str, postings: dict[int, str]
) -> list[dict[str, Any]]:
    parents: dict[int, dict[str, Any]] = {}
    for row in connection.execute(_CHUNKS, (document_id,)).fetchall():
        chunk_id, parent_id, start, end, digest, header = row
        if parent_id is None:
            parents[chunk_id] = {
                "span": (start, end), "text": digest, "header": header,
                "posting": postings.pop(chunk_id, None), "children": [],
            }  # fmt: skip
        else:
            parents[parent_id]["children"].append((start, end, digest))
    return list(parents.values())


def check_spans(path: Path) -> int:
    """Invariant I2 over the whole catalog; returns the number of chunks looked at."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.execute("BEGIN")
        rows = connection.execute(_LIVE).fetchall()
        spans = {row[0]: (row[2], row[3]) for row in rows}
        versions = {row[0]: row[5] for row in rows}
        for chunk_id, parent_id, start, end, digest, version, body, version_id, current in rows:
            assert digest_text(body[start:end]) == digest, "a span slices back to its text"
            assert digest_text(body) == version, "a version's digest is that of its text"
            assert version_id == current, "live chunks are of the current version"
            if parent_id is not None:
                first, last = spans[parent_id]
                assert first <= start < end <= last, "a child lies inside its parent"
                assert versions[parent_id] == versions[chunk_id], "and in the same version"
        for body, elements in connection.execute(_ELEMENTS):
            for element in elements_from_row(elements):
                start, end = element.span.start, element.span.end
                assert body[start:end].strip(), "an element has text"
                assert body[:start].endswith("\n") or start == 0, "it begins a line"
                assert body[end : end + 1] in ("", "\n"), "and ends one"
        return len(rows)
    finally:
        connection.close()


_LIVE = """
    SELECT c.id, c.parent_id, c.start_char, c.end_char, c.text_digest, v.digest, t.body, v.id,
           d.version_id
    FROM chunk c JOIN version v ON v.id = c.version_id JOIN canonical t ON t.digest = v.digest
    JOIN document d ON d.id = c.document_id
"""
_ELEMENTS = "SELECT t.body, v.elements FROM version v JOIN canonical t ON t.digest = v.digest"


async def check_vectors(path: Path, index: ChromaIndex) -> int:
    """The vector index holds exactly the live children, each with its kept vector."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        kept = dict(
            connection.execute(
                "SELECT c.id, v.body FROM chunk c JOIN vector v USING (text_digest) "
                "WHERE c.parent_id IS NOT NULL"
            )
        )
        n_live = connection.execute(
            "SELECT count(*) FROM chunk WHERE parent_id IS NOT NULL"
        ).fetchone()[0]
    finally:
        connection.close()
    assert len(kept) == n_live, "every live child has a kept vector"
    held = await index.ids()
    assert held == set(kept), "the vector index holds the live children, no more, no less"
    vectors = await index.vectors(sorted(held))
    for chunk_id, body in kept.items():
        a, b = np.frombuffer(body, "<f4"), np.frombuffer(vectors[chunk_id], "<f4")
        assert np.allclose(a, b, atol=1e-5), "a vector in the index is the kept one"
    return len(held)
