"""One request: the index resolved once, the query encoded by that index's model, the filters always on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roggia_embedder.adapters.memory import MemoryCatalogue
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.ports import CollectionSpec, Document, Hit, IndexBinding, SearchRequest, model_stamp
from roggia_embedder.query import api
from roggia_embedder.query.errors import (
    IndexUnavailableError,
    ModelNotLoadedError,
    QueryTooLongError,
    UnknownGenerationError,
    UnknownIndexError,
)
from roggia_embedder.query.models import Models
from roggia_embedder.query.search import Searcher
from roggia_runtime.errors import UnavailableError

from tests.support.query import RecordingStore, WordsModel, binding, passage, spec

NOW = 1_000_000
MODEL = WordsModel()


class CountingCatalogue(MemoryCatalogue):
    """Counts resolutions, and switches to another generation after the first when told."""

    def __init__(self) -> None:
        super().__init__()
        self.resolved = 0
        self.then: IndexBinding | None = None

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        self.resolved += 1
        answer = await super().resolve(tenant_id, domain)
        if self.then is not None:
            await self.bind(self.then)
        return answer


async def searcher(
    catalogue: MemoryCatalogue, store: RecordingStore, *models: WordsModel, bound: IndexBinding | None = None
) -> Searcher:
    """A searcher over two English passages and one German one, all open to tenant acme."""
    bound = bound or binding(MODEL)
    await store.ensure_collection(spec(bound))
    await catalogue.bind(bound)
    german = passage(MODEL, "c3", "Die Schlüssel werden monatlich gewechselt", language="de", source="handbuch")
    await store.upsert(
        bound.collection,
        [
            passage(MODEL, "c1", "Rotate the signing keys every month", title="Keys", metadata={"team": "ops"}),
            passage(MODEL, "c2", "Bread needs flour water and salt", document=Document("acme", "docs", "doc-2")),
            german,
        ],
    )
    loaded = Models(models or (MODEL,))
    await loaded.start()
    return Searcher(catalogue, store, loaded, now_ms=lambda: NOW, languages=("en", "de"))


def request(query: str = "rotating keys", **changes: object) -> api.SearchRequest:
    """A request of tenant acme."""
    return api.SearchRequest(tenant="acme", domain="docs", query=query, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", list(api.Mode))
async def test_each_mode_finds_the_passage(mode: api.Mode) -> None:
    """Hybrid, dense and lexical all put the passage about keys first, as the client will see it."""
    found = await (await searcher(MemoryCatalogue(), RecordingStore())).search(request("rotate keys", mode=mode))
    best = found.passages[0]
    assert (best.chunk_id, best.doc_id, best.title, best.revision) == ("c1", "doc-1", "Keys", 1)
    assert best.metadata == {"team": "ops"}


@pytest.mark.parametrize(
    ("mode", "dense", "words"),
    [(api.Mode.HYBRID, True, True), (api.Mode.DENSE, True, False), (api.Mode.LEXICAL, False, True)],
)
async def test_mode_decides_what_the_store_is_asked(mode: api.Mode, dense: bool, words: bool) -> None:
    """The store gets the vectors of the mode, and tenant, groups, time, k and filters in every mode."""
    store = RecordingStore()
    service = await searcher(MemoryCatalogue(), store)
    await service.search(
        request(mode=mode, groups=("ops",), k=7, filters=api.Filters(language="en", source="s", metadata={"a": "b"}))
    )
    collection, asked = store.asked[0]
    assert collection == "kb_acme_docs__g1"
    assert (asked.dense is not None, asked.lexical is not None) == (dense, words)
    assert (asked.tenant_id, asked.groups, asked.k, asked.now_ms) == ("acme", ("ops",), 7, NOW)
    assert (asked.filters.language, asked.filters.source, dict(asked.filters.metadata)) == ("en", "s", {"a": "b"})


async def test_lexical_search_needs_no_model() -> None:
    """A lexical search encodes nothing, so it works while no model of the index is loaded."""
    store = RecordingStore()
    service = await searcher(MemoryCatalogue(), store, WordsModel("other"))
    found = await service.search(request("keys", mode=api.Mode.LEXICAL))
    assert [p.chunk_id for p in found.passages] == ["c1"]
    assert found.vector is None


async def test_words_are_stemmed_in_the_languages_of_the_index() -> None:
    """A query without a language meets passages of every configured language by their stems."""
    service = await searcher(MemoryCatalogue(), RecordingStore())
    found = await service.search(request("wechselte gewechselten Schlüsseln", mode=api.Mode.LEXICAL))
    assert [p.chunk_id for p in found.passages] == ["c3"]


async def test_unknown_index_is_a_404_that_names_both() -> None:
    """A tenant and domain with no index are refused with both names and what to do."""
    service = await searcher(MemoryCatalogue(), RecordingStore())
    with pytest.raises(UnknownIndexError, match="'acme' has no index 'docs2'") as caught:
        await service.search(api.SearchRequest(tenant="acme", domain="docs2", query="keys"))
    assert (caught.value.status, caught.value.field) == (404, "domain")


async def test_query_is_never_encoded_by_another_model() -> None:
    """When the index's model is not loaded the request is refused, naming both models, and nothing is encoded."""
    other = WordsModel("other")
    store = RecordingStore()
    service = await searcher(MemoryCatalogue(), store, other)
    with pytest.raises(ModelNotLoadedError) as caught:
        await service.search(request())
    assert MODEL.fingerprint in caught.value.message
    assert other.fingerprint in caught.value.message
    assert caught.value.status == 503
    assert (other.encoded, store.asked) == ([], [])


async def test_model_that_still_loads_is_a_503() -> None:
    """Until the model is loaded a request is refused with the advice to wait."""
    models = Models([MODEL])
    service = Searcher(MemoryCatalogue(), RecordingStore(), models, now_ms=lambda: NOW)
    assert models.loading()
    with pytest.raises(ModelNotLoadedError, match="has loaded none: wait until it is ready"):
        service.model(binding(MODEL))


async def test_index_is_resolved_once_per_request() -> None:
    """An alias that is switched in the middle of a request changes nothing in it: model and collection stay a pair."""
    catalogue = CountingCatalogue()
    store = RecordingStore()
    newer = WordsModel("newer")
    service = await searcher(catalogue, store, MODEL, newer)
    catalogue.then = binding(newer, generation=2)
    before = len(newer.encoded)
    found = await service.search(request())
    assert catalogue.resolved == 1
    assert (found.binding.generation, store.asked[0][0], len(newer.encoded)) == (1, "kb_acme_docs__g1", before)


async def test_long_query_is_refused_not_cut() -> None:
    """A query beyond the window is refused with its size, the window and a remedy; lexical mode takes it."""
    service = await searcher(MemoryCatalogue(), RecordingStore())
    words = " ".join(f"word{i}" for i in range(80))
    with pytest.raises(QueryTooLongError, match="82 tokens do not fit the model's window of 64") as caught:
        await service.search(request(words))
    assert (caught.value.field, caught.value.status) == ("query", 400)
    assert (await service.search(request(words, mode=api.Mode.LEXICAL))).passages == ()


async def test_query_without_a_word_of_the_index_finds_nothing_lexically() -> None:
    """One endless run of letters is no word: lexical search answers with nothing instead of failing."""
    service = await searcher(MemoryCatalogue(), RecordingStore())
    assert (await service.search(request("x" * 70, mode=api.Mode.LEXICAL))).passages == ()


class DownStore(RecordingStore):
    """Does not answer."""

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        raise StoreUnavailableError("connection refused")


class DownCatalogue(MemoryCatalogue):
    """Does not answer."""

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        raise UnavailableError("connection refused")


async def test_store_or_catalogue_that_is_down_is_a_503() -> None:
    """What may answer later is refused as unavailable, not as the client's fault."""
    with pytest.raises(IndexUnavailableError, match="vector store does not answer"):
        await (await searcher(MemoryCatalogue(), DownStore())).search(request())
    with pytest.raises(IndexUnavailableError, match="catalogue does not answer") as caught:
        await (await searcher(DownCatalogue(), RecordingStore())).search(request())
    assert caught.value.status == 503


async def test_collection_that_is_gone_is_a_503() -> None:
    """An alias whose collection is being replaced is unavailable for the moment."""
    catalogue, store = MemoryCatalogue(), RecordingStore()
    service = await searcher(catalogue, store)
    await catalogue.bind(replace(binding(MODEL), collection="kb_acme_docs__g9"))
    with pytest.raises(IndexUnavailableError, match="kb_acme_docs__g9"):
        await service.search(request())


async def two(canary: int | None = None) -> tuple[Searcher, WordsModel, WordsModel]:
    """Generation 1 serves, generation 2 of another model of the same dimension is there too."""
    catalogue, store, other = MemoryCatalogue(), RecordingStore(), WordsModel("other")
    await searcher(catalogue, store)
    second = binding(other, generation=2)
    await store.ensure_collection(spec(second))
    await store.upsert(
        second.collection, [replace(passage(other, "c9", "Rotate keys"), model=model_stamp(other.fingerprint))]
    )
    loaded = Models((MODEL, other))
    await loaded.start()
    return Searcher(catalogue, store, loaded, now_ms=lambda: NOW, canary=lambda *_: canary), MODEL, other


async def test_a_request_may_name_its_generation() -> None:
    """It is answered by that one and its model, whichever serves; one that is not there is refused by name."""
    service, _, other = await two()
    found = await service.search(request(generation=2))
    assert (found.binding.generation, found.binding.model, found.passages[0].chunk_id) == (2, other.fingerprint, "c9")
    assert (await service.search(request())).binding.generation == 1
    with pytest.raises(UnknownGenerationError, match="no collection of generation 3") as caught:
        await service.search(request(generation=3))
    assert (caught.value.status, caught.value.field) == (404, "generation")


async def test_a_canary_answers_if_it_can() -> None:
    """The chosen query goes to it; where it has no collection or no model, or its store does not answer, the one that
    serves answers."""

    class Half(RecordingStore):
        async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
            if name.endswith("g2"):
                raise StoreUnavailableError("the store of generation 2 is away")
            return await super().spec(name, fresh=fresh)

    assert (await (await two(canary=2))[0].search(request())).binding.generation == 2
    assert (await (await two(canary=3))[0].search(request())).binding.generation == 1
    catalogue, store = MemoryCatalogue(), RecordingStore()
    await searcher(catalogue, store)
    await store.ensure_collection(spec(binding(WordsModel("other"), generation=2)))
    models = Models([MODEL])
    await models.start()
    alone = Searcher(catalogue, store, models, now_ms=lambda: NOW, canary=lambda *_: 2)
    assert (await alone.search(request())).binding.generation == 1
    catalogue, store = MemoryCatalogue(), Half()
    await searcher(catalogue, store)
    apart = Searcher(catalogue, store, models, now_ms=lambda: NOW, canary=lambda *_: 2)
    assert (await apart.search(request())).binding.generation == 1


async def test_exact_search_is_asked_of_the_store() -> None:
    """Only when the request wants it."""
    store = RecordingStore()
    service = await searcher(MemoryCatalogue(), store)
    await service.search(request(exact=True))
    await service.search(request())
    assert [asked.exact for _, asked in store.asked] == [True, False]


async def test_an_alias_is_not_believed_about_the_model() -> None:
    """What the collection itself says decides which model encodes."""
    catalogue, store, other = MemoryCatalogue(), RecordingStore(), WordsModel("other")
    service = await searcher(catalogue, store, MODEL, other)
    await catalogue.bind(replace(binding(MODEL), model=other.fingerprint, generation=7))
    found = await service.search(request())
    assert (found.binding.model, found.binding.generation) == (MODEL.fingerprint, 1)


async def test_passages_of_another_model_are_no_answer() -> None:
    """A collection whose passages another model made than it says is refused, never answered from."""
    catalogue, store = MemoryCatalogue(), RecordingStore()
    service = await searcher(catalogue, store)
    await store.upsert("kb_acme_docs__g1", [replace(passage(MODEL, "c8", "rotating keys"), model="feedbeef")])
    with pytest.raises(IndexUnavailableError, match="vectors of another model"):
        await service.search(request())
    assert len(store.asked) == 3
