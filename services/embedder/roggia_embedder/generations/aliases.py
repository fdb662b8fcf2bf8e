"""Which alias must point where, and which collections may go: from the record and from what there is. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from roggia_schemas.names import alias_name, collection_name

from roggia_embedder.ports import CollectionSpec, IndexBinding

_SUFFIX = re.compile(r"__g([1-9]\d{0,9})\Z")


class KnowledgeBase(NamedTuple):
    """What one alias is for."""

    tenant_id: str
    domain: str


def knowledge_base(collection: str, generation: int) -> KnowledgeBase | None:
    """Whose collection it is; None for a side collection, and for what is none of ours."""
    tenant_id, _, rest = collection.removeprefix("kb_").partition("_")
    domain, _, _ = rest.rpartition("__")
    found = KnowledgeBase(tenant_id, domain)
    return found if f"kb_{tenant_id}_{domain}__g{generation}" == collection else None


def generation_of(collection: str) -> int | None:
    """The generation in a collection's name; None for a side collection, and for what is none of ours."""
    found = _SUFFIX.search(collection)
    return int(found[1]) if found else None


def switches(
    specs: Sequence[CollectionSpec], bindings: Sequence[IndexBinding], serving: Callable[[str, str], int]
) -> list[IndexBinding]:
    """The aliases to be moved now, each with where to. One whose serving generation has no collection yet stays."""
    held = {binding.alias: binding for binding in bindings}
    there: dict[KnowledgeBase, dict[int, CollectionSpec]] = defaultdict(dict)
    for spec in specs:
        owner = knowledge_base(spec.name, spec.generation)
        if owner is not None:
            there[owner][spec.generation] = spec
    wanted = [
        bound(alias_name(*owner), generations[serving(*owner)])
        for owner, generations in there.items()
        if serving(*owner) in generations
    ]
    return sorted((one for one in wanted if held.get(one.alias) != one), key=lambda one: one.alias)


def surplus(
    elsewhere: Sequence[IndexBinding], bindings: Sequence[IndexBinding], serving: Callable[[str, str], int]
) -> list[str]:
    """Aliases among `bindings` that one of another store has taken over: that points at the generation that serves,
    this one does not. `elsewhere` are the bindings of that store."""
    taken = {one.alias for one in elsewhere if _serves(one, serving)}
    return [one.alias for one in bindings if one.alias in taken and not _serves(one, serving)]


def _serves(binding: IndexBinding, serving: Callable[[str, str], int]) -> bool:
    owner = knowledge_base(binding.collection, binding.generation)
    return owner is not None and serving(*owner) == binding.generation


def disposable(
    specs: Sequence[CollectionSpec], bindings: Sequence[IndexBinding], retired: Collection[int]
) -> list[CollectionSpec]:
    """Collections of retired generations to which no alias points."""
    used = {binding.collection for binding in bindings}
    return [
        spec
        for spec in specs
        if spec.generation in retired
        and spec.name not in used
        and knowledge_base(spec.name, spec.generation) is not None
    ]


def bound(alias: str, spec: CollectionSpec) -> IndexBinding:
    """An alias on a collection, in the collection's own words."""
    return IndexBinding(alias, spec.name, spec.generation, spec.model, spec.dimension)


def pinned(owner: KnowledgeBase, generation: int) -> tuple[str, str]:
    """Alias and collection of one generation of a knowledge base."""
    return alias_name(*owner), collection_name(*owner, generation)


def unused(fingerprints: Mapping[int, str], retired: Mapping[int, str]) -> set[str]:
    """Fingerprints of retired generations that no followed one has. Nothing while a followed one's is not known."""
    if not all(fingerprints.values()):
        return set()
    return {fingerprint for fingerprint in retired.values() if fingerprint} - set(fingerprints.values())
