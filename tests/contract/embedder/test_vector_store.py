"""One suite for every vector store: what `VectorStore` and `IndexCatalogue` promise, whatever stands behind them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from roggia_embedder import lexical
from roggia_embedder.adapters.edge import EdgeCatalogue
from roggia_embedder.adapters.memory import MemoryCatalogue
from roggia_embedder.errors import ModelMismatchError, UnknownCollectionError
from roggia_embedder.indexing.writer import Complete, IndexWriter
from roggia_embedder.ports import (
    CollectionSpec,
    Filters,
    Head,
    IndexBinding,
    PartNote,
    PartTally,
    Passage,
    SearchRequest,
    VectorStore,
    model_stamp,
)
from roggia_schemas.names import MAX_REVISION, Version

from tests.support.index import COLLECTION, DIMENSION, SPEC, Content, contents, deliveries, document, passage, vector

OLD, NEW = Version(7, 1), Version(7, 2)
DOC = document("a")


def head(version: Version, **changes: object) -> Head:
    """A head of document `a`."""
    values = {"deleted": False, "total": 1, "digest": "d", "before": 3, "written_at": 50, **changes}
    return Head(document=DOC, version=version, **values)


async def the_head(store: VectorStore) -> Head:
    """The head of document `a`."""
    return (await store.read_heads(COLLECTION, [DOC, document("absent")]))[DOC]


async def the_passages(store: VectorStore) -> dict[str, Passage]:
    """All passages, by text."""
    return {found.text: found async for found in store.scan(COLLECTION) if isinstance(found, Passage)}


def search(text: str | None = None, words: str | None = None, **changes: object) -> SearchRequest:
    """A request of tenant acme that admits group staff."""
    return SearchRequest(
        **{
            "tenant_id": "acme",
            "groups": ("staff",),
            "k": 10,
            "now_ms": 1_000,
            "dense": None if text is None else vector(text),
            "lexical": None if words is None else lexical.encode_query(words, ["en"]),
            **changes,
        }
    )


VERSIONS = [
    (Version(1), Version(2)),
    (Version(9, 5), Version(10, 0)),
    (Version(7, 1), Version(7, 2)),
    (Version(MAX_REVISION - 1, 3), Version(MAX_REVISION, 0)),
    (Version(MAX_REVISION, 0), Version(MAX_REVISION, 2**31 - 1)),
]


@pytest.mark.parametrize(("low", "high"), VERSIONS)
async def test_a_head_only_moves_up(store: VectorStore, low: Version, high: Version) -> None:
    """A head is replaced by a higher version and by no other, exactly, up to the largest revision."""
    await store.write_heads(COLLECTION, [head(low)])
    await store.write_heads(COLLECTION, [head(high, total=4, deleted=True, tallies={0: PartTally(3, 1)})])
    for version in (low, high):
        await store.write_heads(COLLECTION, [head(version, digest="late")])
    assert await the_head(store) == head(high, total=4, deleted=True, tallies={0: PartTally(3, 1)})


@pytest.mark.parametrize(("low", "high"), VERSIONS)
async def test_passages_only_move_up(store: VectorStore, low: Version, high: Version) -> None:
    """Upserts and bumps change a passage below their version and leave any other alone."""
    await store.upsert(COLLECTION, [passage(DOC, low, "x", title="low")])
    await store.upsert(COLLECTION, [passage(DOC, high, "x", title="high")])
    for version in (low, high):
        late = passage(DOC, version, "x", title="late")
        await store.upsert(COLLECTION, [late])
        await store.bump(COLLECTION, [late.attributes])
    held = (await the_passages(store))["x"].attributes
    assert (held.version, held.title) == (high, "high")


async def test_a_dropped_collection_is_gone_with_its_alias_and_can_be_made_again(pair: tuple) -> None:
    """Dropping removes points and collection; an alias is unbound; both may be done twice."""
    store, catalogue = pair
    await store.write_heads(COLLECTION, [head(OLD)])
    binding = IndexBinding("kb_acme_docs", COLLECTION, SPEC.generation, SPEC.model, SPEC.dimension)
    await catalogue.bind(binding)
    for _ in range(2):
        await catalogue.unbind(binding.alias)
        await store.drop_collection(COLLECTION)
    assert COLLECTION not in [spec.name for spec in await store.collections()]
    assert await catalogue.resolve("acme", "docs") is None
    with pytest.raises(UnknownCollectionError):
        await store.read_heads(COLLECTION, [DOC])
    await store.ensure_collection(SPEC)
    assert await store.read_heads(COLLECTION, [DOC]) == {}


async def test_a_replaced_head_keeps_nothing_of_the_old_one(store: VectorStore) -> None:
    """Tallies, deletion and completion of an old version do not leak into a new one."""
    await store.write_heads(COLLECTION, [head(OLD, deleted=True, tallies={3: PartTally(1, 2)})])
    await store.mark_indexed(COLLECTION, {DOC: OLD}, 60)
    assert (await the_head(store)).indexed_at == 60
    await store.write_heads(COLLECTION, [head(NEW)])
    assert await the_head(store) == head(NEW)


async def test_marks_and_tallies_meet_their_own_version_only(store: VectorStore) -> None:
    """`mark_indexed` works once, and neither it nor `note_parts` touches a head of another version."""
    await store.write_heads(COLLECTION, [head(NEW, tallies={0: PartTally(1, 0)})])
    await store.mark_indexed(COLLECTION, {DOC: OLD}, 60)
    await store.note_parts(COLLECTION, [PartNote(DOC, OLD, 1, PartTally(9, 9)), PartNote(DOC, NEW, 1, PartTally(0, 2))])
    assert await the_head(store) == head(NEW, tallies={0: PartTally(1, 0), 1: PartTally(0, 2)})
    await store.mark_indexed(COLLECTION, {DOC: NEW}, 70)
    await store.mark_indexed(COLLECTION, {DOC: NEW}, 80)
    assert (await the_head(store)).indexed_at == 70


async def test_a_passage_comes_back_as_it_was_written(store: VectorStore) -> None:
    """Every attribute and the vector survive, also odd texts, keys and absent values."""
    full = passage(
        DOC, NEW, "naïve ☃ \"quoted\" text", acl=("staff", "büro"), heading_path=("A", "B"), title="T", source="s://x",
        language="de", created_at=1, expires_at=2**41, metadata={"a.b": "1", 'q"k': "ü"},
    )  # fmt: skip
    bare = passage(DOC, NEW, "bare", language=None)
    await store.upsert(COLLECTION, [full, bare])
    held = await the_passages(store)
    for made in (full, bare):
        assert held[made.text].attributes == made.attributes
        assert held[made.text].dense == pytest.approx(made.dense, abs=1e-6)


async def test_a_bump_replaces_attributes_and_keeps_vectors(store: VectorStore) -> None:
    """After a bump everything but text, vectors and `since` is new; what became None is gone."""
    old = passage(DOC, OLD, "x", title="old", source="s", expires_at=5_000, metadata={"k": "v"}, heading_path=("H",))
    new = passage(DOC, NEW, "x", acl=("staff",), heading_path=("H", "I"))
    await store.upsert(COLLECTION, [old])
    await store.bump(COLLECTION, [new.attributes, passage(DOC, NEW, "absent").attributes])
    held = await the_passages(store)
    assert set(held) == {"x"}
    assert held["x"].attributes == new.attributes
    assert held["x"].dense == pytest.approx(old.dense, abs=1e-6)
    (state,) = await store.list_points(COLLECTION, [DOC])
    assert (state.version, state.since, state.acl) == (NEW, OLD, ("staff",))
    assert [hit.text for hit in await store.search(COLLECTION, search("x", filters=Filters(metadata={"k": "v"})))] == []


async def test_a_bump_asks_for_the_same_language(store: VectorStore) -> None:
    """Words are stemmed by language, so a passage of another language must be upserted, not bumped."""
    await store.upsert(COLLECTION, [passage(DOC, OLD, "x", language="de"), passage(DOC, OLD, "y", language=None)])
    await store.bump(COLLECTION, [passage(DOC, NEW, text, language="en").attributes for text in "xy"])
    assert {held.attributes.version for held in (await the_passages(store)).values()} == {OLD}
    await store.bump(COLLECTION, [passage(DOC, NEW, "y", language=None).attributes])
    assert (await the_passages(store))["y"].attributes.version == NEW


async def test_narrowing_changes_the_acl_alone(store: VectorStore) -> None:
    """`narrow` sets the ACL of passages below the version, by id, and nothing else."""
    await store.upsert(COLLECTION, [passage(DOC, OLD, "x", title="t"), passage(DOC, NEW, "y")])
    ids = {name: passage(DOC, OLD, name).attributes.chunk_id for name in "xyz"}
    await store.narrow(COLLECTION, ("staff",), dict.fromkeys(ids.values(), NEW))
    held = await the_passages(store)
    assert set(held) == {"x", "y"}
    assert held["x"].attributes == passage(DOC, OLD, "x", title="t", acl=("staff",)).attributes
    assert held["y"].attributes.acl == ("*",)


async def test_deleting_older_spares_heads_newer_and_others(store: VectorStore) -> None:
    """`delete_older` removes passages of that very document below the version, not the head, not other documents."""
    others = [document("b"), document("a", domain="other"), document("a", tenant_id="other")]
    await store.write_heads(COLLECTION, [head(OLD)])
    await store.upsert(COLLECTION, [passage(owner, OLD, "x") for owner in [DOC, *others]] + [passage(DOC, NEW, "y")])
    await store.delete_older(COLLECTION, {DOC: NEW})
    states = await store.list_points(COLLECTION, [DOC, *others])
    assert {(state.document, state.version) for state in states} == {(DOC, NEW), *((owner, OLD) for owner in others)}
    assert await store.point_count(COLLECTION) == 5
    assert await store.count(COLLECTION, DOC, NEW) == 1
    assert await store.count(COLLECTION, DOC, OLD) == 0


async def test_listing_reads_every_page(store: VectorStore) -> None:
    """A document of more points than one page holds is listed whole."""
    made = [passage(DOC, NEW, f"text {number}") for number in range(1_203)]
    await store.upsert(COLLECTION, made)
    assert len(await store.list_points(COLLECTION, [DOC])) == len(made)
    assert len(await the_passages(store)) == len(made)


async def test_only_old_finished_deletions_are_swept(store: VectorStore) -> None:
    """Sweeping removes heads of complete deletions before the time given, and counts them."""
    kinds = {"live": (False, 10), "fresh": (True, 90), "old": (True, 10), "unfinished": (True, 10)}
    for name, (deleted, written_at) in kinds.items():
        owner = document(name)
        await store.write_heads(COLLECTION, [Head(owner, NEW, deleted, 0, "d", 0, written_at)])
        if name != "unfinished":
            await store.mark_indexed(COLLECTION, {owner: NEW}, 10)
    assert await store.sweep_heads(COLLECTION, 50) == 1
    left = await store.read_heads(COLLECTION, [document(name) for name in kinds])
    assert {owner.doc_id for owner in left} == {"live", "fresh", "unfinished"}


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_search_shows_only_what_may_be_seen(store: VectorStore, mode: str) -> None:
    """Tenant, ACL, expiry and filters hold in every mode; heads are never found."""
    owner = document("d")
    hidden = [
        passage(document("d", tenant_id="rival"), NEW, "river rival"),
        passage(owner, NEW, "river board", acl=("board",)),
        passage(owner, NEW, "river nobody", acl=()),
        passage(owner, NEW, "river expired", expires_at=1_000),
    ]
    seen = [
        passage(owner, NEW, "river everyone", metadata={"a.b": "c"}, source="s", language="en"),
        passage(owner, NEW, "river staff", acl=("staff", "board"), expires_at=1_001),
    ]
    await store.write_heads(COLLECTION, [head(NEW)])
    await store.upsert(COLLECTION, hidden + seen)

    async def found(**changes: object) -> set[str]:
        text = None if mode == "lexical" else "river board"
        request = search(text, None if mode == "dense" else "rivers", **changes)
        return {hit.text for hit in await store.search(COLLECTION, request)}

    assert await found() == {"river everyone", "river staff"}
    assert await found(groups=()) == {"river everyone"}
    assert await found(filters=Filters(metadata={"a.b": "c"}, source="s", language="en")) == {"river everyone"}
    assert await found(filters=Filters(metadata={"a.b": "d"})) == set()
    assert await found(tenant_id="nobody") == set()


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_what_may_not_be_seen_takes_no_candidates_place(store: VectorStore, mode: str) -> None:
    """Better matches of others, more than there are candidates, keep nobody from finding what is theirs."""
    hidden = [passage(document(f"h{number}"), NEW, "river board", acl=("board",)) for number in range(120)]
    await store.upsert(COLLECTION, [*hidden, passage(DOC, NEW, "a river of the valley")])
    text, words = None if mode == "lexical" else "river board", None if mode == "dense" else "river board"
    found = await store.search(COLLECTION, search(text, words, groups=("staff",)))
    assert [hit.text for hit in found] == ["a river of the valley"]


async def test_ranking(store: VectorStore) -> None:
    """Dense search ranks by cosine, lexical by rare stemmed words, hybrid prefers what both find; k limits."""
    texts = ["a river of rivers and mills", "rivers in the valley", "the valley mill", "something else"]
    await store.upsert(COLLECTION, [passage(DOC, NEW, text) for text in texts])
    dense = await store.search(COLLECTION, search(texts[3]))
    assert dense[0].text == texts[3]
    assert dense[0].score == pytest.approx(1.0, abs=1e-5)
    lexical_hits = await store.search(COLLECTION, search(words="Rivers"))
    assert [hit.text for hit in lexical_hits] == texts[:2]
    hybrid = await store.search(COLLECTION, search(texts[1], "valley rivers", k=2))
    assert hybrid[0].text == texts[1]
    assert len(hybrid) == 2


async def test_collections_are_created_once(store: VectorStore) -> None:
    """Creating again is harmless; another model or dimension under the name is refused; absent names are errors."""
    await store.ensure_collection(SPEC)
    assert SPEC in await store.collections()
    for other in (CollectionSpec(COLLECTION, 1, "fake-2", DIMENSION), CollectionSpec(COLLECTION, 1, "fake-1", 9)):
        with pytest.raises(ModelMismatchError, match=COLLECTION):
            await store.ensure_collection(other)
    with pytest.raises(UnknownCollectionError, match="kb_acme_absent__g1"):
        await store.read_heads("kb_acme_absent__g1", [DOC])


async def test_an_alias_resolves_to_one_consistent_binding(pair: tuple) -> None:
    """Collection, generation, model and dimension come together; binding again changes nothing; unbound is None."""
    _, catalogue = pair
    binding = IndexBinding("kb_acme_docs", COLLECTION, 1, "fake-1", DIMENSION)
    for _ in range(2):
        await catalogue.bind(binding)
    assert await catalogue.resolve("acme", "docs") == binding
    assert await catalogue.resolve("acme", "absent") is None
    assert binding in await catalogue.bindings()


OTHER = CollectionSpec("kb_acme_docs__g2", 2, "fake-2", DIMENSION)


def bound(alias: str, spec: CollectionSpec) -> IndexBinding:
    """An alias on a collection."""
    return IndexBinding(alias, spec.name, spec.generation, spec.model, spec.dimension)


async def test_aliases_switch_together(pair: tuple) -> None:
    """However often several aliases are switched, a reader sees all of them before or all of them after."""
    store, catalogue = pair
    await store.ensure_collection(OTHER)
    names, seen, done = ("kb_acme_docs", "kb_acme_faq", "kb_acme_law"), [], False
    await catalogue.switch([bound(name, SPEC) for name in names])

    async def read() -> None:
        while not done:
            seen.append({held.generation for held in await catalogue.bindings() if held.alias in names})
            await asyncio.sleep(0)

    reader = asyncio.create_task(read())
    for spec in (OTHER, SPEC) * 5:
        await catalogue.switch([bound(name, spec) for name in reversed(names)])
        assert [await catalogue.resolve("acme", name[8:]) for name in names] == [bound(name, spec) for name in names]
    done = True
    await reader
    assert {frozenset(found) for found in seen} <= {frozenset({1}), frozenset({2})}
    await store.drop_collection(OTHER.name)


async def test_a_switch_to_what_does_not_exist_moves_nothing(pair: tuple) -> None:
    """Where aliases are kept beside the collections, one that is missing is an error and no alias has moved."""
    store, catalogue = pair
    if isinstance(catalogue, MemoryCatalogue | EdgeCatalogue):
        pytest.skip("this catalogue keeps aliases apart from collections")
    await catalogue.bind(bound("kb_acme_docs", SPEC))
    await store.ensure_collection(OTHER)
    absent = CollectionSpec("kb_acme_absent__g2", 2, "fake-2", DIMENSION)
    with pytest.raises(UnknownCollectionError):
        await catalogue.switch([bound("kb_acme_docs", OTHER), bound("kb_acme_faq", absent)])
    assert [held.collection for held in await catalogue.bindings()] == [COLLECTION]
    await store.drop_collection(OTHER.name)


async def test_a_collection_says_itself_what_it_holds(store: VectorStore) -> None:
    """The spec that a collection was made with is read back by its name, and none once it is dropped."""
    other = CollectionSpec("kb_acme_docs__g7", 7, "fake-7", DIMENSION)
    assert await store.spec(other.name) is None
    await store.ensure_collection(other)
    assert await store.spec(other.name) == other
    assert await store.spec(COLLECTION) == SPEC
    await store.drop_collection(other.name)
    assert await store.spec(other.name) is None


async def test_a_hit_names_the_model_of_its_vector(store: VectorStore) -> None:
    """Exact or not, what is found carries the stamp it was written with, so that a reader can tell another model's."""
    await store.upsert(COLLECTION, [replace(passage(DOC, OLD, "alpha"), model=model_stamp("fake-1"))])
    for exact in (False, True):
        asked = SearchRequest(tenant_id="acme", groups=(), k=1, now_ms=0, dense=vector("alpha"), exact=exact)
        (hit,) = await store.search(COLLECTION, asked)
        assert (hit.text, hit.model) == ("alpha", model_stamp("fake-1"))


async def test_the_protocol_end_to_end(store: VectorStore) -> None:
    """Two revisions, a late part of the first and a deletion give the counts and the contents that they should."""
    writer = IndexWriter(store, lambda: 99)
    first = deliveries(DOC, Version(1), Content(("one", "two", "three"), acl=("*",)), parts=2)
    second = deliveries(DOC, Version(2), Content(("two", "four"), acl=("staff",), title="new"))
    await writer.write(COLLECTION, first)
    (done,) = await writer.write(COLLECTION, second)
    assert done == Complete(chunks=2, added=1, kept=1, removed=2, embedded=2, cached=0, indexed_at=99)
    await writer.write(COLLECTION, first)
    heads, rows = await contents(store)
    assert {row[2] for row in rows} == {"two", "four"}
    assert heads[DOC].version == Version(2)
    (gone,) = await writer.write(COLLECTION, deliveries(DOC, Version(3), Content((), (), deleted=True)))
    assert gone == Complete(chunks=0, added=0, kept=0, removed=2, embedded=0, cached=0, indexed_at=99)
    await writer.write(COLLECTION, [*first, *second])
    assert (await contents(store))[1] == set()
