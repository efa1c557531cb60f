"""Child of the bench `indexing`: a stock LlamaIndex pipeline, with its defaults.

SimpleDirectoryReader, SentenceSplitter, HuggingFaceEmbedding of the same model, and Chroma in
the process. Imports and loading the model are not timed, as they are not for Sworn.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}


def main(given: Path, answer: Path) -> None:
    """Index the folder and write how long it took."""
    import chromadb
    from chromadb.config import Settings
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    values = json.loads(given.read_text())
    model = HuggingFaceEmbedding(model_name=values["model"])
    model.get_text_embedding_batch(["warm"] * 8)
    client = chromadb.PersistentClient(values["store"], Settings(anonymized_telemetry=False))
    store = ChromaVectorStore(chroma_collection=client.get_or_create_collection("peer"))
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), model], vector_store=store)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    documents = SimpleDirectoryReader(values["folder"], recursive=True).load_data()
    nodes = pipeline.run(documents=documents)
    seconds = time.perf_counter() - started_s
    cpu_s = time.process_time() - started_cpu_s
    found = {"seconds": seconds, "cpu_s": cpu_s, "chunks": len(nodes)}
    answer.write_text(json.dumps(found | _read(nodes, model)))


def _read(nodes: list[Any], model: Any) -> dict[str, int]:
    """Characters given to the model, and those it read: it cuts at its longest input."""
    from llama_index.core.schema import MetadataMode

    transformer = model._model  # noqa: SLF001 - it is offered nowhere else
    tokenizer, longest = transformer.tokenizer, transformer.max_seq_length
    chars = read = 0
    for node in nodes:
        text = node.get_content(metadata_mode=MetadataMode.EMBED)
        ends = tokenizer(text, return_offsets_mapping=True, truncation=True, max_length=longest)
        chars += len(text)
        read += max(end for _, end in ends["offset_mapping"])
    return {"chars": chars, "chars_read": read}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
