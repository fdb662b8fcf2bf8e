"""Embedding models: sentence-transformers on torch or ONNX, OpenAI-compatible servers, TEI, and a stub named so."""
