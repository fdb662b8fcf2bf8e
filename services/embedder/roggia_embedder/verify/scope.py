"""Which collections a run compares with the log, and which of the log's documents they answer for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from roggia_runtime.findings import VerifyRequest
from roggia_runtime.generations import holds
from roggia_schemas.names import alias_name, check_slug

from roggia_embedder.ports import CollectionSpec
from roggia_embedder.verify.errors import BadRequestError

_NAME = re.compile(r"kb_(?P<tenant>[a-z0-9-]+)_(?P<domain>[a-z0-9-]+)__(?P<suffix>[a-z0-9-]+)\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """One collection. `spec` is None where the log needs one that the store does not have."""

    name: str
    tenant: str
    domain: str
    spec: CollectionSpec | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything with one suffix (`g<N>`, or that of another build), narrowed to a tenant, a domain, documents.

    `selection` names the knowledge bases that the generation holds; empty: all of them.
    """

    suffix: str
    tenant: str = ""
    domain: str = ""
    doc_ids: frozenset[str] = frozenset()
    selection: tuple[str, ...] = ()

    def wants(self, tenant: str, doc_id: str) -> bool:
        """Whether a document of the log is to be checked. Its domain does not matter: it may have left one."""
        return self.tenant in ("", tenant) and (not self.doc_ids or doc_id in self.doc_ids)

    def covers(self, tenant: str, domain: str) -> bool:
        """Whether the collection of this tenant and domain is to be checked."""
        asked = self.tenant in ("", tenant) and self.domain in ("", domain)
        return asked and holds(self.selection, tenant, domain)

    def place(self, tenant: str, domain: str) -> Place:
        """The collection of a tenant and domain, which the store does not have."""
        return Place(f"{alias_name(tenant, domain)}__{self.suffix}", tenant, domain, None)

    def places(self, specs: Sequence[CollectionSpec]) -> list[Place]:
        """The collections of a store that are to be checked, by name."""
        found = []
        for spec in sorted(specs, key=lambda spec: spec.name):
            parts = _NAME.match(spec.name)
            if parts and parts["suffix"] == self.suffix and self.covers(parts["tenant"], parts["domain"]):
                found.append(Place(spec.name, parts["tenant"], parts["domain"], spec))
        return found


def scope_of(request: VerifyRequest, generation: int, selection: tuple[str, ...] = ()) -> Scope:
    """The scope of a request to one generation. Raises `BadRequestError` naming the field."""
    tenant, domain, suffix = request.tenant, request.domain, f"g{generation}"
    if request.collection:
        parts = _NAME.match(request.collection)
        if parts is None:
            raise BadRequestError("collection", f"{request.collection!r} is not kb_<tenant>_<domain>__<suffix>")
        if tenant not in ("", parts["tenant"]) or domain not in ("", parts["domain"]):
            raise BadRequestError("collection", f"{request.collection} is of another tenant or domain than asked for")
        tenant, domain, suffix = parts["tenant"], parts["domain"], parts["suffix"]
    for field, value in (("tenant", tenant), ("domain", domain)):
        check_slug(field, value) if value else None
    if request.doc_ids and not tenant:
        raise BadRequestError("doc_ids", "documents are named within a tenant; name the tenant too")
    return Scope(suffix, tenant, domain, frozenset(request.doc_ids), selection)
