"""A stand-in for Weaviate: the requests that the adapter makes, answered as its documentation and source say.

**It is no Weaviate and proves nothing about one.** It shows that the adapter keeps the port's promises *if* the server
does what is written here. Filters are evaluated on stored properties, text filters on their trimmed values, as
Weaviate's `field` tokenization does; BM25 counts words by white space.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from graphql import ArgumentNode, FieldNode, parse, value_from_ast_untyped

LIMIT = 10_000


@dataclass
class FakeWeaviate:
    """Classes and objects in memory, and every request that came."""

    classes: dict[str, dict] = field(default_factory=dict)
    objects: dict[str, dict[str, dict]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    overlooked: set[str] = field(default_factory=set)
    """Ids that the graph does not lead to: a search by vector passes them by."""
    failing: Callable[[str, str], web.Response | None] = lambda *_: None

    def application(self) -> web.Application:
        """What to serve."""
        application = web.Application(client_max_size=2**28)
        application.router.add_route("*", "/v1/{path:.*}", self._serve)
        return application

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body))
        refused = self.failing(request.method, request.path)
        if refused is not None:
            return refused
        first, *rest = request.match_info["path"].split("/")
        handler = {"schema": self._schema, "graphql": self._graphql, "batch": self._batch, "objects": self._objects}
        return handler[first](request, rest, body)

    def _schema(self, request: web.Request, rest: list[str], body: Any) -> web.Response:
        if request.method == "POST":
            name = body["class"]
            if name in self.classes:
                return _error(422, f"class name {name} already exists")
            self.classes[name], self.objects[name] = body, {}
            return web.json_response(body)
        if not rest:
            return web.json_response({"classes": list(self.classes.values())})
        held = self.classes.get(rest[0])
        if request.method == "DELETE":
            self.classes.pop(rest[0], None)
            self.objects.pop(rest[0], None)
            return web.Response(status=200)
        return web.Response(status=404) if held is None else web.json_response(held)

    def _batch(self, request: web.Request, _rest: list[str], body: Any) -> web.Response:
        if request.method == "POST":
            for one in body["objects"]:
                self.objects[one["class"]][one["id"]] = one  # a real one makes a class that is missing
            return web.json_response([{**one, "result": {"status": "SUCCESS"}} for one in body["objects"]])
        held = self.objects[body["match"]["class"]]
        matches = [key for key, one in held.items() if _matches(one, body["match"]["where"])]
        for key in matches[:LIMIT]:
            del held[key]
        results = {"matches": len(matches), "limit": LIMIT, "successful": len(matches[:LIMIT]), "failed": 0}
        return web.json_response({**body, "results": results})

    def _objects(self, request: web.Request, rest: list[str], _body: Any) -> web.Response:
        if rest:
            one = self.objects.get(rest[0], {}).get(rest[1])
            return web.Response(status=404) if one is None else web.json_response(one)
        after, limit = request.query["after"], int(request.query["limit"])
        held = sorted(self.objects[request.query["class"]].items())
        return web.json_response({"objects": [one for key, one in held if key > after][:limit]})

    def _graphql(self, _request: web.Request, _rest: list[str], body: Any) -> web.Response:
        root = parse(body["query"]).definitions[0].selection_set.selections[0]
        asked = root.selection_set.selections[0]
        name = asked.name.value
        if name not in self.classes:
            return web.json_response({"errors": [{"message": f'Cannot query field "{name}" on type "GetObjectsObj".'}]})
        arguments = {argument.name.value: _value(argument) for argument in asked.arguments or ()}
        found = [one for one in self.objects[name].values() if _matches(one, arguments.get("where"))]
        if root.name.value == "Aggregate":
            return web.json_response({"data": {"Aggregate": {name: [{"meta": {"count": len(found)}}]}}})
        rows = self._ranked(name, found, arguments)[: min(arguments.get("limit", 25), LIMIT)]
        return web.json_response({"data": {"Get": {name: [_row(one, said, asked) for one, said in rows]}}})

    def _ranked(self, name: str, found: list[dict], arguments: Mapping[str, Any]) -> list[tuple[dict, dict]]:
        if "nearVector" in arguments:
            assert arguments["nearVector"]["targetVectors"] == ["dense"]
            query = np.asarray(arguments["nearVector"]["vector"])
            reached = [one for one in found if "vectors" in one and one["id"] not in self.overlooked]
            scored = [(one, float(1 - query @ np.asarray(one["vectors"]["dense"]))) for one in reached]
            return [(one, {"distance": d}) for one, d in sorted(scored, key=lambda pair: pair[1])]
        if "bm25" in arguments:
            assert arguments["bm25"]["properties"] == ["words"]
            scores = self._bm25(name, arguments["bm25"]["query"].split())
            scored = [(one, scores[one["id"]]) for one in found if scores.get(one["id"])]
            return [(one, {"score": str(s)}) for one, s in sorted(scored, key=lambda pair: -pair[1])]
        return [(one, {}) for one in found]

    def _bm25(self, name: str, terms: list[str]) -> dict[str, float]:
        held = {key: Counter(one["properties"]["words"].split()) for key, one in self.objects[name].items()}
        average = sum(count.total() for count in held.values()) / max(1, len(held))
        scores: Counter[str] = Counter()
        for term in terms:
            n = sum(term in count for count in held.values())
            idf = math.log(1 + (len(held) - n + 0.5) / (n + 0.5))
            for key, count in held.items():
                tf = count[term]
                scores[key] += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * count.total() / average)) if tf else 0.0
        return dict(scores)


def _value(node: ArgumentNode) -> Any:
    return value_from_ast_untyped(node.value)


def _row(one: dict, said: dict, asked: FieldNode) -> dict:
    row: dict[str, Any] = {}
    for wanted in asked.selection_set.selections:
        name = wanted.name.value
        if name == "_additional":
            known = {"id": one["id"], "vectors": one.get("vectors", {"dense": None}), **said}
            row[name] = {inner.name.value: known[inner.name.value] for inner in wanted.selection_set.selections}
        else:
            row[name] = one["properties"].get(name)
    return row


def _matches(one: dict, where: Any) -> bool:
    if where is None:
        return True
    operator = where["operator"]
    if operator in ("And", "Or"):
        return (all if operator == "And" else any)(_matches(one, operand) for operand in where["operands"])
    (path,) = where["path"]
    held = one["id"] if path == "id" else one["properties"].get(path)
    if "valueNumber" in where:
        wanted = where["valueNumber"]
        compare = {"Equal": held == wanted, "LessThan": held < wanted, "GreaterThan": held > wanted}
        return compare[operator]
    texts = {text.strip() for text in (held if isinstance(held, list) else [held]) if text is not None}
    asked = where.get("valueTextArray", where.get("valueText"))
    wanted_texts = {text.strip() for text in (asked if isinstance(asked, list) else [asked])}
    assert operator in ("Equal", "ContainsAny")
    return not texts.isdisjoint(wanted_texts)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": [{"message": message}]}, status=status)
