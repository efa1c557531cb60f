"""Text to vectors: a sentence-transformers model, exported once and run by ONNX Runtime."""
