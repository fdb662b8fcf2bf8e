"""The HTTP applications of the services on fakes, in this process; every one is to bear whatever comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from roggia_devstack.registry.book import SchemaBook
from roggia_devstack.registry.http import application as registry_application
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Document
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_embedder.verify.http import routes
from roggia_embedder.verify.verifier import Verifier
from roggia_operator.console.access import Access
from roggia_operator.console.app import application as console_application
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http import application
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed
from starlette.types import ASGIApp

from tests.support.console import FakeActions, FakeLooking
from tests.support.console_audit import FakeAuditing
from tests.support.query import RecordingStore, WordsModel, binding, passage, spec
from tests.support.stream import Stream, StreamLog
from tests.support.verifying import AT_ONCE

TOKEN = "a token of a test"
HOSTS = hosts_of("127.0.0.1", "")


@asynccontextmanager
async def query_app(store: MemoryStore | None = None) -> AsyncIterator[ASGIApp]:
    """Search, ask, collections and verify over two passages, in a store that keeps what it was asked unless given."""
    model, store, catalogue = WordsModel(dimension=256), store or RecordingStore(), MemoryCatalogue()
    bound = binding(model)
    await store.ensure_collection(spec(bound))
    await catalogue.bind(bound)
    texts = {"doc-1": "Signing keys are rotated every month.", "doc-2": "Bread needs flour and water."}
    points = [passage(model, doc_id, text, document=Document("acme", "docs", doc_id)) for doc_id, text in texts.items()]
    await store.upsert(bound.collection, points)

    async def publish(_event: RetrievalServed, _parent: Headers) -> None:
        return

    role = QueryRole(Stores.alone(store, catalogue), [model], publish, QuerySettings(threshold=0.3))
    await role.start()
    empty = Stream(MemoryStore(), MemoryCatalogue())
    verifier = Verifier(empty.store, lambda: StreamLog(empty), 1, AT_ONCE)
    yield application(list, [*routes(verifier), *role.routes], hosts=HOSTS, hosts_setting="ROGGIA_QUERY__HOSTS")
    await role.stop()


@asynccontextmanager
async def registry_app(folder: Path) -> AsyncIterator[ASGIApp]:
    """A registry with one schema, `known` version 1."""
    book = SchemaBook(folder)
    book.register("known", '"string"')
    yield registry_application(book, HOSTS)
    book.close()


@asynccontextmanager
async def console_app(_folder: Path) -> AsyncIterator[ASGIApp]:
    """The console on made-up operations."""
    yield console_application(FakeLooking(), FakeActions(), FakeAuditing(), Access(TOKEN))


def client(app: ASGIApp) -> httpx.AsyncClient:
    """A client in this process. What the application raises, the test sees."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
