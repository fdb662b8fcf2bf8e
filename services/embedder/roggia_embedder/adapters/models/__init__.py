"""Embedding models: sentence-transformers, any OpenAI-compatible server, and an openly named stub."""
