"""Documents, passages and deliveries for tests of the index, and the state that a set of deliveries must end in."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from roggia_embedder.indexing.writer import Delivery
from roggia_embedder.ports import Attributes, CollectionSpec, Document, Head, PartTally, Passage, VectorStore
from roggia_schemas.names import Version

DIMENSION = 8
COLLECTION = "kb_acme_docs__g1"
SPEC = CollectionSpec(name=COLLECTION, generation=1, model="fake-1", dimension=DIMENSION)


def document(doc_id: str, tenant_id: str = "acme", domain: str = "docs") -> Document:
    """A document of the tenant that most tests use."""
    return Document(tenant_id, domain, doc_id)


def chunk_id(owner: Document, text: str) -> str:
    """An id that depends on the document and the text alone, as ingest's do."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\0".join((*owner, text))))


def vector(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """A unit vector that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    row = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return row / np.linalg.norm(row)


def passage(owner: Document, version: Version, text: str, **attributes: object) -> Passage:
    """A passage whose vectors follow from its text; `attributes` are those of `Attributes`."""
    values = {"acl": ("*",), "language": "en", **attributes}
    held = Attributes(chunk_id=chunk_id(owner, text), document=owner, version=version, **values)
    return Passage(held, text, vector(text))


@dataclass(frozen=True)
class Content:
    """What one version of a document says."""

    texts: tuple[str, ...]
    acl: tuple[str, ...] = ("*",)
    language: str = "en"
    title: str = ""
    deleted: bool = False


def deliveries(owner: Document, version: Version, content: Content, parts: int = 1) -> list[Delivery]:
    """The version, cut into parts of nearly equal size."""
    made = [
        passage(owner, version, text, acl=content.acl, language=content.language, title=content.title or None)
        for text in content.texts
    ]
    return [
        Delivery(
            document=owner,
            version=version,
            deleted=content.deleted,
            total=len(made),
            digest=hashlib.sha256(repr(content).encode()).hexdigest(),
            acl=content.acl,
            part=part,
            tally=PartTally(len(made[part::parts]), 0),
            passages=tuple(made[part::parts]),
        )
        for part in range(parts)
    ]


def brief(found: Passage) -> tuple[object, ...]:
    """What identifies a passage's content in comparisons."""
    held = found.attributes
    return (held.chunk_id, held.version, found.text, held.acl, held.language, held.title)


def expected(versions: Mapping[Document, Mapping[Version, Content]]) -> set[tuple[object, ...]]:
    """Passages that must be there, and no others, when every version of every document was delivered."""
    rows: set[tuple[object, ...]] = set()
    for owner, contents in versions.items():
        newest = max(contents)
        for delivery in deliveries(owner, newest, contents[newest]):
            rows.update(brief(made) for made in delivery.passages)
    return rows


async def contents(
    store: VectorStore, collection: str = COLLECTION
) -> tuple[dict[Document, Head], set[tuple[object, ...]]]:
    """Heads, and what `brief` says of every passage in the store."""
    heads: dict[Document, Head] = {}
    rows: list[tuple[object, ...]] = []
    async for found in store.scan(collection):
        if isinstance(found, Head):
            heads[found.document] = found
        else:
            rows.append(brief(found))
    assert len(rows) == len(set(rows))
    return heads, set(rows)
