"""The ports' real ends. Each raises only errors of `rag.domain.errors`."""
