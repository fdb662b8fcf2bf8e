"""A living document of the corpus, reduced to what golden sets and manifests need. No texts are kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from roggia_schemas.events import DocChunked

from roggia_operator.evaluation.golden.words import Hashes, first_sentence, hashed


@dataclass(frozen=True, slots=True)
class Document:
    """`words`: hashes of the distinct words of its passages. `texts`: SHA-256 of its passages, in order."""

    tenant: str
    domain: str
    doc_id: str
    revision: int
    epoch: int
    content_sha256: str
    acl: tuple[str, ...]
    title: str = ""
    sentence: str = ""
    language: str = ""
    texts: tuple[str, ...] = ()
    words: Hashes = field(default_factory=lambda: np.array([], dtype=np.uint32), compare=False)


def document(event: DocChunked) -> Document:
    """The document of an event that is no deletion."""
    chunks = sorted(event.chunks, key=lambda chunk: chunk.ordinal)
    return Document(
        tenant=event.tenant_id,
        domain=event.domain,
        doc_id=event.doc_id,
        revision=event.revision,
        epoch=event.epoch,
        content_sha256=event.content_sha256 or "",
        acl=tuple(sorted(event.acl)),
        title=event.title or "",
        sentence=first_sentence(chunks[0].text) if chunks else "",
        language=event.language or "",
        texts=tuple(chunk.text_sha256 for chunk in chunks),
        words=hashed(chunk.text for chunk in chunks),
    )
