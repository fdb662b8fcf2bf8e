"""Whatever tenants and domains there are: a departure takes all of one tenant, and nothing of another."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.indexing.departures import Departures
from roggia_embedder.ports import CollectionSpec, Head, IndexBinding
from roggia_schemas.names import Version, alias_name

from tests.support.index import document, passage

NAMES = st.sampled_from(["a", "a-b", "ab", "b", "a-", "docs"])
HOLDINGS = st.sets(st.tuples(NAMES, NAMES, st.sampled_from(["g1", "g2", "trial"]), st.booleans()), max_size=12)
ONE = Version(1)


async def filled(holdings: set[tuple[str, str, str, bool]]) -> tuple[MemoryStore, MemoryCatalogue, set[str]]:
    """A store with a deleted document in each collection, and a living one where the last says so; those living."""
    store, catalogue, living = MemoryStore(), MemoryCatalogue(), set()
    for tenant, domain, suffix, lives in sorted(holdings):
        name = f"{alias_name(tenant, domain)}__{suffix}"
        await store.ensure_collection(CollectionSpec(name, 1, "fake-1", 4))
        await catalogue.bind(IndexBinding(alias_name(tenant, domain), name, 1, "fake-1", 4))
        gone = document("gone", tenant, domain)
        await store.write_heads(name, [Head(gone, ONE, deleted=True, total=0, digest="", before=0, written_at=1)])
        if lives:
            await store.upsert(name, [passage(document("there", tenant, domain), ONE, "text")])
            living.add(name)
    return store, catalogue, living


async def departed(holdings: set[tuple[str, str, str, bool]], tenant: str) -> None:
    """Check the state after a departure, and after another."""
    store, catalogue, living = await filled(holdings)
    before = {spec.name for spec in await store.collections()}
    ours = {name for name in before if name.startswith(f"kb_{tenant}_")}
    aliases = {one.alias for one in await catalogue.bindings()}
    departures = Departures(store, catalogue)
    assert await departures.remove(tenant) == len(ours - living)
    assert await departures.remove(tenant) == 0
    assert {spec.name for spec in await store.collections()} == before - (ours - living)
    left = {one.alias for one in await catalogue.bindings()}
    assert {one for one in aliases if not one.startswith(f"kb_{tenant}_")} <= left
    assert all(one.collection in before - (ours - living) for one in await catalogue.bindings())


@given(HOLDINGS, NAMES)
def test_a_departure_takes_what_holds_no_living_point_of_one_tenant_alone(
    holdings: set[tuple[str, str, str, bool]], tenant: str
) -> None:
    """Collections and aliases of the tenant go unless something lives there; names that begin alike stay."""
    asyncio.run(departed(holdings, tenant))
