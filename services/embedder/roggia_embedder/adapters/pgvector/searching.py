"""Search in one collection: dense by pgvector, lexical by postings, both under the same condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roggia_embedder.adapters import payload
from roggia_embedder.adapters.fusion import Ranking, fuse, ranked
from roggia_embedder.adapters.pgvector.database import Held, size
from roggia_embedder.adapters.pgvector.rows import label, point_payload, term
from roggia_embedder.adapters.pgvector.schema import SCHEMA
from roggia_embedder.adapters.pgvector.text import stored
from roggia_embedder.ports import Hit, SearchRequest
from roggia_embedder.tuning import IndexTuning

_MOST_EF = 1_000
"""pgvector's largest `hnsw.ef_search`."""
_EF_PER_HIT = 4
"""A filter that leaves a quarter of the points still fills a search's limit from the index."""
_TRIES = 3
"""How often is searched while what was found is replaced before it is read: an edited document must not go missing."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a passage must be to be seen, as SQL over `p`, and the parameters that it uses, from $1 on."""

    sql: str
    values: tuple[object, ...]

    def next(self, place: int = 1) -> str:
        """A parameter behind those of the condition."""
        return f"${len(self.values) + place}"


def visible(request: SearchRequest) -> Condition:
    """Tenant, ACL, expiry and the caller's filters."""
    asked = request.filters
    parts = ["p.tenant_id = $1", "p.acl && $2::text[]", "(p.expires_at IS NULL OR p.expires_at > $3)"]
    values: list[object] = [request.tenant_id, ["*", *map(stored, request.groups)], request.now_ms]
    for column, value in (("lang", asked.language), ("source", asked.source)):
        if value is not None:
            values.append(stored(value))
            parts.append(f"p.{column} = ${len(values)}")
    if asked.metadata:
        values.append([label(key, value) for key, value in asked.metadata.items()])
        parts.append(f"p.labels @> ${len(values)}::text[]")
    return Condition(" AND ".join(parts), tuple(values))


class Search:
    """One search, on one connection in a transaction; each statement sees what is committed when it starts."""

    def __init__(self, connection: Any, at: Held, request: SearchRequest, tuning: IndexTuning) -> None:
        self._connection, self._at, self._request, self._tuning = connection, at, request, tuning
        self._seen = visible(request)

    async def hits(self, version: tuple[int, ...]) -> list[Hit]:
        """At most `k`, best first. `version` is pgvector's."""
        request, both = self._request, self._request.dense is not None and self._request.lexical is not None
        limit = max(request.k, request.candidates) if both else request.k
        await self._connection.execute(self._settings(version, limit))
        found: list[Hit] = []
        for _ in range(_TRIES):
            scored = (await self._ranked(limit))[: request.k]
            found = await self._hits(scored)
            if len(found) == len(scored):
                break
        return found

    async def _ranked(self, limit: int) -> Ranking:
        rankings = []
        if self._request.dense is not None:
            rankings.append(await self._dense(limit))
        if self._request.lexical is not None:
            rankings.append(await self._lexical(limit))
        return fuse(rankings)

    def _settings(self, version: tuple[int, ...], limit: int) -> str:
        ef = min(_MOST_EF, max(self._tuning.ef, _EF_PER_HIT * limit))
        settings = {
            "hnsw.ef_search": ef,
            "ivfflat.probes": min(self._tuning.probes, self._tuning.lists),
            "plan_cache_mode": "force_custom_plan",  # which index pays depends on who asks
            "jit": "off",  # costs more than a search
        }
        if version >= (0, 8):
            settings |= {"hnsw.iterative_scan": "strict_order", "ivfflat.iterative_scan": "relaxed_order"}
        return "; ".join(f"SET LOCAL {name} = {value}" for name, value in settings.items())

    async def _dense(self, limit: int) -> Ranking:
        """By the index, if there is one and it finds `limit` passages that may be seen; exactly otherwise, or if asked.

        An index answers with the nearest points and the condition is applied to those: where it removes too many, the
        rest of what may be seen was never looked at. Few may be seen then, or nearly, so that an exact look is cheap.
        """
        where = f"SELECT ann FROM {SCHEMA}.collections WHERE number = $1"
        if not self._request.exact and await self._connection.fetchval(where, self._at.number):
            found = await self._nearest("b.dense <=> {query}", limit)
            if len(found) >= limit:
                return found
        return await self._nearest("(b.dense <=> {query}) + 0, p.chunk_id", limit)  # no index has this order

    async def _nearest(self, order: str, limit: int) -> Ranking:
        assert self._request.dense is not None  # noqa: S101  # asked before
        query = f"{self._seen.next()}::real[]::vector"
        rows = await self._connection.fetch(
            f"""SELECT p.chunk_id, 1 - (b.dense <=> {query}) AS score
                FROM {self._at.table("bodies")} AS b JOIN {self._at.table("points")} AS p USING (number)
                WHERE {self._seen.sql} ORDER BY {order.format(query=query)} LIMIT {limit}""",
            *self._seen.values,
            self._request.dense.tolist(),
        )
        return _ranking(rows)

    async def _lexical(self, limit: int) -> Ranking:
        """BM25, exactly: how many passages hold a term is counted in the index, whoever may see them.

        Passages are looked up best first, one by one (`OFFSET 0` says so to the planner), until enough may be seen: on
        tables without statistics it would otherwise compare every passage with every other.
        """
        words = self._request.lexical
        assert words is not None  # noqa: S101  # asked before
        terms, weights, total = (self._seen.next(place) for place in (1, 2, 3))
        postings, points = self._at.table("terms"), self._at.table("points")
        rows = await self._connection.fetch(
            f"""WITH asked AS MATERIALIZED (
                    SELECT term, weight, (SELECT count(*) FROM {postings} AS t WHERE t.term = q.term) AS n
                    FROM unnest({terms}::integer[], {weights}::float8[]) AS q (term, weight)),
                rare AS MATERIALIZED (
                    SELECT term, weight * ln(1 + (greatest({total}, n) - n + 0.5) / (n + 0.5)) AS weight
                    FROM asked WHERE n > 0),
                scored AS MATERIALIZED (
                    SELECT t.number, sum(rare.weight * t.weight) AS score
                    FROM rare JOIN {postings} AS t USING (term) GROUP BY t.number ORDER BY score DESC, t.number)
                SELECT chunk_id, score FROM scored CROSS JOIN LATERAL (SELECT chunk_id FROM {points} AS p
                    WHERE p.number = scored.number AND {self._seen.sql} OFFSET 0) AS p
                WHERE score > 0 LIMIT {limit}""",
            *self._seen.values,
            [term(number) for number in words.indices.tolist()],
            words.values.tolist(),
            await size(self._connection, self._at),
        )
        return _ranking(rows)

    async def _hits(self, scored: Ranking) -> list[Hit]:
        """What was found, read under the condition once more: what was narrowed meanwhile stays unseen."""
        rows = await self._connection.fetch(
            f"""SELECT p.*, b.model, b.text
                FROM {self._at.table("points")} AS p JOIN {self._at.table("bodies")} AS b USING (number)
                WHERE {self._seen.sql} AND p.chunk_id = ANY ({self._seen.next()}::uuid[])""",
            *self._seen.values,
            [chunk_id for chunk_id, _ in scored],
        )
        found = {held["chunk_id"]: held for held in map(point_payload, rows)}
        return [payload.hit_from(found[chunk_id], score) for chunk_id, score in scored if chunk_id in found]


def _ranking(rows: Sequence[Any]) -> Ranking:
    return ranked([(str(row["chunk_id"]), float(row["score"])) for row in rows])
