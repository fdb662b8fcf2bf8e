"""Content-defined chunking: a pure function from a normalised text to passages. See docs/design/chunking.md."""

from roggia_ingest.chunk.chunker import Chunker, Passage
from roggia_ingest.chunk.sizes import ChunkSizes
from roggia_ingest.chunk.tokens import TokenCounter

__all__ = ["ChunkSizes", "Chunker", "Passage", "TokenCounter"]
