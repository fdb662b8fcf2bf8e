"""Search and ask over the embedded engine, on an index that the product's own writer wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.indexing.writer import Delivery, IndexWriter
from roggia_embedder.ports import Document, PartTally, Passage
from roggia_embedder.query import api
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_runtime.clock import now_ms
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed
from roggia_schemas.names import Version

from tests.support.index import chunk_id
from tests.support.query import WordsModel, binding, passage, spec

MODEL = WordsModel(dimension=256)
BOUND = binding(MODEL)
HOUR = 3_600_000
KEYS = Document("acme", "docs", "keys.md")
BREAD = Document("acme", "docs", "bread.md")
SECRET = Document("acme", "docs", "secret.md")
TEXT = "Signing keys are rotated every month. Old keys are kept for a year."


async def publish(event: RetrievalServed, parent: Headers) -> None:
    """Nobody listens."""


class Index:
    """An Edge store, its writer, and the query role over it."""

    def __init__(self, root: Path) -> None:
        self.store, self.catalogue = EdgeStore(root), EdgeCatalogue(root)
        self.writer = IndexWriter(self.store, now_ms)
        self.role = QueryRole(Stores.alone(self.store, self.catalogue), [MODEL], publish, QuerySettings(threshold=0.3))

    async def write(self, document: Document, revision: int, *texts: str, **attributes: object) -> None:
        """One revision of a document; no text means that it is deleted."""
        version = Version(revision)
        made = tuple(self._passage(document, version, text, attributes) for text in texts)
        acl = made[0].attributes.acl if made else ()
        tally = PartTally(len(made), 0)
        digest = "".join(p.attributes.chunk_id for p in made)
        delivery = Delivery(document, version, not made, len(made), digest, acl, 0, tally, made)
        await self.writer.write(BOUND.collection, [delivery])

    async def find(self, query: str, **changes: object) -> list[str]:
        """Ids of the documents found, best first."""
        request = api.SearchRequest(tenant="acme", domain="docs", query=query, **changes)  # type: ignore[arg-type]
        return [p.doc_id for p in (await self.role.service.search(request)).results]

    @staticmethod
    def _passage(document: Document, version: Version, text: str, attributes: dict[str, object]) -> Passage:
        return passage(MODEL, chunk_id(document, text), text, document=document, version=version, **attributes)


@pytest_asyncio.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    """Three documents, one of them for operators only."""
    made = Index(tmp_path)
    await made.role.start()
    await made.store.ensure_collection(spec(BOUND))
    await made.catalogue.bind(BOUND)
    await made.write(KEYS, 1, TEXT, title="Keys", source="wiki", heading_path=("Security",), metadata={"team": "ops"})
    await made.write(BREAD, 1, "Bread needs flour and water.", language="de")
    await made.write(SECRET, 1, "The signing keys of the vault.", acl=("ops",))
    yield made
    await made.role.stop()
    await made.store.close()


async def test_every_mode_finds_and_ranks(index: Index) -> None:
    """Hybrid, dense and lexical each put the right document first, with everything that a client shows."""
    for mode in api.Mode:
        assert (await index.find("signing keys rotated", mode=mode))[0] == "keys.md"
    request = api.SearchRequest(tenant="acme", domain="docs", query="signing keys rotated", k=1)
    best = (await index.role.service.search(request)).results[0]
    assert (best.title, best.source, best.heading_path, best.metadata) == (
        "Keys",
        "wiki",
        ("Security",),
        {"team": "ops"},
    )


async def test_answer_cites_the_engine_s_passage(index: Index) -> None:
    """The answer quotes a sentence of the passage that the engine returned."""
    answer = await index.role.service.ask(
        api.SearchRequest(tenant="acme", domain="docs", query="how often are signing keys rotated")
    )
    assert answer.answer.startswith("Signing keys are rotated every month. [1]")
    assert answer.citations[0].doc_id == "keys.md"


async def test_groups_filters_and_k(index: Index) -> None:
    """ACL, language, source and metadata narrow a search in every mode; k bounds it."""
    for mode in api.Mode:
        assert "secret.md" not in await index.find("signing keys", mode=mode)
        assert "secret.md" in await index.find("signing keys", mode=mode, groups=("ops",))
        assert await index.find("signing keys bread", mode=mode, filters=api.Filters(language="de")) == ["bread.md"]
        assert await index.find("signing keys bread", mode=mode, filters=api.Filters(source="wiki")) == ["keys.md"]
        wanted = api.Filters(metadata={"team": "ops"})
        assert await index.find("signing keys bread", mode=mode, filters=wanted) == ["keys.md"]
        assert len(await index.find("signing keys bread", mode=mode, k=1)) == 1


async def test_deleted_and_expired_are_never_found(index: Index) -> None:
    """After a deletion or past its expiry a document is gone in every mode, also when older revisions are replayed."""
    await index.write(KEYS, 2)
    await index.write(KEYS, 1, TEXT)
    await index.write(BREAD, 2, "Bread needs flour and salt.", expires_at=now_ms() - HOUR)
    for mode in api.Mode:
        assert await index.find("signing keys bread flour", mode=mode) == []


async def test_index_survives_a_restart(tmp_path: Path) -> None:
    """A query role that opens the folder again resolves and finds the same."""
    first = Index(tmp_path)
    await first.role.start()
    await first.store.ensure_collection(spec(BOUND))
    await first.catalogue.bind(BOUND)
    await first.write(KEYS, 1, TEXT)
    await first.role.stop()
    await first.store.close()
    second = Index(tmp_path)
    await second.role.start()
    assert await second.find("signing keys") == ["keys.md"]
    await second.role.stop()
    await second.store.close()
