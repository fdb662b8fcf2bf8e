"""Conditions, in the form that Weaviate's REST interface has for them, and the same as GraphQL. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from roggia_schemas.names import Version

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.weaviate.client import Json
from roggia_embedder.ports import Document, SearchRequest, head_id


def keyword(text: str) -> str:
    """A text as a filter's value. Quoted: Weaviate trims white space, and `staff ` is another group than `staff`."""
    return json.dumps(text, ensure_ascii=False)


def equal(path: str, value: str | float) -> Json:
    """The property has this value."""
    return _clause("Equal", path, value)


def below(path: str, value: float) -> Json:
    """The property is lower."""
    return _clause("LessThan", path, value)


def above(path: str, value: float) -> Json:
    """The property is higher."""
    return _clause("GreaterThan", path, value)


def any_of(path: str, values: Sequence[str]) -> Json:
    """The property has, or holds, one of the values."""
    return {"operator": "ContainsAny", "path": [path], "valueTextArray": list(values)}


def every(*operands: Json) -> Json:
    """All of them."""
    return operands[0] if len(operands) == 1 else {"operator": "And", "operands": list(operands)}


def either(*operands: Json) -> Json:
    """One of them."""
    return {"operator": "Or", "operands": list(operands)}


def older(version: Version) -> Json:
    """Stored version < `version`. Numbers are doubles: exact below 2^53."""
    tie = every(equal("revision", version.revision), below("epoch", version.epoch))
    return either(below("revision", version.revision), tie)


def claiming(doc_ids: Sequence[str]) -> Json:
    """Points, heads included, that name one of these documents."""
    return any_of("doc_id", [keyword(doc_id) for doc_id in doc_ids])


def passages_of(documents: Sequence[Document]) -> Json:
    """Passages of these documents. By the id of their heads: an id's white space counts."""
    return every(equal("kind", payload.PASSAGE), any_of("owner", [head_id(document) for document in documents]))


def visible(request: SearchRequest) -> Json:
    """What a search may return at all."""
    asked = request.filters
    clauses = [
        equal("kind", payload.PASSAGE),
        equal("tenant_id", keyword(request.tenant_id)),
        any_of("acl", [keyword(group) for group in ("*", *request.groups)]),
        above("expires_at", request.now_ms),
    ]
    clauses += [
        equal(path, keyword(value)) for path, value in _wanted(asked.language, asked.source) if value is not None
    ]
    clauses += [any_of("labels", [payload.label(key, value)]) for key, value in asked.metadata.items()]
    return every(*clauses)


def _wanted(language: str | None, source: str | None) -> Sequence[tuple[str, str | None]]:
    return (("lang", language), ("source", source))


def _clause(operator: str, path: str, value: str | float) -> Json:
    if isinstance(value, str):
        return {"operator": operator, "path": [path], "valueText": value}
    return {"operator": operator, "path": [path], "valueNumber": value}


def get(name: str, arguments: Json, fields: str) -> str:
    """A GraphQL query for objects of one class."""
    return f"{{ Get {{ {name}({_arguments(arguments)}) {{ {fields} }} }} }}"


def count(name: str, where: Json | None = None) -> str:
    """A GraphQL query for a number of objects."""
    condition = f"({_arguments({'where': where})})" if where else ""
    return f"{{ Aggregate {{ {name}{condition} {{ meta {{ count }} }} }} }}"


def _arguments(arguments: Json) -> str:
    return ", ".join(f"{name}: {_literal(name, value)}" for name, value in arguments.items())


def _literal(name: str, value: Any) -> str:
    if isinstance(value, dict):
        # GraphQL has one name for a text and for several.
        renamed = {key.removesuffix("Array"): held for key, held in value.items()}
        return f"{{{_arguments(renamed)}}}"
    if name == "operator":
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(_literal('', one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)
