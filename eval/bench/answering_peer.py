"""Child of the bench `answering`: stock LlamaIndex over an installation's texts and vectors.

Its index is asked as its documentation does it: `VectorStoreIndex` and `as_query_engine()`, all
defaults. Once over its own store in memory, once over Chroma in the process. Questions come as
lines on standard input, and each is answered by a line: the seconds that `query` took.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from eval.bench.installation import Installation, Probe
from rag.ports import Embedder
from rag.wiring import build_embedder

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}

KINDS: Final = ("memory", "chroma")
COLLECTION: Final = "answering"
_CHILDREN: Final = """
    SELECT substr(canonical.body, chunk.start_char + 1, chunk.end_char - chunk.start_char),
           vector.body
    FROM chunk JOIN version ON version.id = chunk.version_id
               JOIN canonical ON canonical.digest = version.digest
               JOIN vector ON vector.text_digest = chunk.text_digest
    WHERE chunk.parent_id IS NOT NULL ORDER BY chunk.id
"""


def main(folder: Path, model_url: str) -> None:
    """Make both engines, say how many texts they hold, and answer until the input ends."""
    made = Installation(folder)
    probe = Probe(made)
    nodes = nodes_of(probe.rows(_CHILDREN))
    generation = probe.one("SELECT value FROM meta WHERE key = 'generation'")
    store = folder / f"peer-{generation}"
    probe.close()
    with asyncio.Runner() as runner:
        model = adapted(build_embedder(made.settings), runner)
        engines = {
            "memory": engine(nodes, model, model_url),
            "chroma": engine(nodes, model, model_url, in_chroma(store, nodes)),
        }
        n = len(nodes)
        del nodes
        _say({"n": n})
        for line in sys.stdin:
            asked = json.loads(line)
            started_s = time.perf_counter()
            found = engines[asked["kind"]].query(asked["question"])
            taken_s = time.perf_counter() - started_s
            _say({"seconds": taken_s, "n_sources": len(found.source_nodes)})


def _say(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


def nodes_of(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """A node for each text, with the vector that is there already."""
    from llama_index.core.schema import TextNode

    return [
        TextNode(text=text, embedding=np.frombuffer(vector, dtype="<f4").tolist())
        for text, vector in rows
    ]


def adapted(embedder: Embedder, runner: asyncio.Runner) -> Any:
    """Our embedder as one of LlamaIndex's, so that both sides spend the same on a question."""
    from llama_index.core.embeddings import BaseEmbedding

    class Same(BaseEmbedding):  # type: ignore[misc] # the library has no types that are read
        """Asks ours, one text at a time."""

        def _get_text_embedding(self, text: str) -> list[float]:
            vector = runner.run(embedder.embed([text]))[0]
            found: list[float] = np.frombuffer(vector, dtype="<f4").tolist()
            return found

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return Same(model_name=embedder.name)


def engine(nodes: Sequence[Any], model: Any, model_url: str, store: Any = None) -> Any:
    """The stock query engine; over `store`, which holds the nodes already, or over its own."""
    from llama_index.core import VectorStoreIndex
    from llama_index.llms.openai_like import OpenAILike

    llm = OpenAILike(model="scripted", api_base=model_url, api_key="none", is_chat_model=True)
    if store is None:
        index = VectorStoreIndex(nodes=list(nodes), embed_model=model)
    else:
        index = VectorStoreIndex.from_vector_store(store, embed_model=model)
    return index.as_query_engine(llm=llm)


def in_chroma(folder: Path, nodes: Sequence[Any]) -> Any:
    """The nodes in a Chroma of their own; what an earlier run has put there is used."""
    import chromadb
    from chromadb.config import Settings
    from llama_index.vector_stores.chroma import ChromaVectorStore

    for old in folder.parent.glob("peer-*"):
        if old != folder:
            shutil.rmtree(old)
    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection(COLLECTION)
    if collection.count() != len(nodes):
        client.delete_collection(COLLECTION)
        collection = client.create_collection(COLLECTION)
        store, step = ChromaVectorStore(chroma_collection=collection), client.get_max_batch_size()
        # The store cuts its batches for a larger limit than Chroma has.
        for start in range(0, len(nodes), step):
            store.add(list(nodes[start : start + step]))
    return ChromaVectorStore(chroma_collection=collection)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
