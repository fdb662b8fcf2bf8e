"""How generations answer queries: read from the metrics of every process of the query role."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from roggia_runtime.errors import UnavailableError

from roggia_operator.generations.alarms import Counts

REQUESTS, SECONDS = "roggia_query_generation_requests_total", "roggia_query_generation_seconds_bucket"
"""Requests by generation and outcome (`ok`, `empty`: no result, `error`), and how long they took by generation."""
_TIMEOUT_S = 5.0


@dataclass(slots=True)
class _Sum:
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[float, int] = field(default_factory=lambda: defaultdict(int))


class QueryMetrics:
    """`urls` are addresses of the query role's health and metrics; without one there is nothing to read."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)

    async def counts(self) -> Mapping[int, Counts]:
        """The sum over all of them. Raises `UnavailableError` when one does not answer: a part would mislead."""
        return summed(await asyncio.gather(*(self._text(url) for url in self._urls)))

    async def _text(self, url: str) -> str:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{url}/metrics") as reply:
                body = await reply.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"no query role answers at {url}/metrics ({type(error).__name__})") from error
        if reply.status != 200:
            raise UnavailableError(f"{url}/metrics answers {reply.status}")
        return body.decode()


def summed(texts: Sequence[str]) -> dict[int, Counts]:
    """Counts by generation out of what several processes show. Raises `UnavailableError` for other pages."""
    sums: dict[int, _Sum] = defaultdict(_Sum)
    try:
        for text in texts:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    _add(sums, sample.name, sample.labels, sample.value)
    except ValueError as error:
        raise UnavailableError(f"metrics of the query role cannot be read: {error}") from error
    return {number: _counts(found) for number, found in sums.items()}


def _add(sums: dict[int, _Sum], name: str, labels: Mapping[str, str], value: float) -> None:
    if name == REQUESTS:
        sums[int(labels["generation"])].outcomes[labels["outcome"]] += int(value)
    elif name == SECONDS:
        sums[int(labels["generation"])].seconds[float(labels["le"])] += int(value)


def _counts(found: _Sum) -> Counts:
    by = found.outcomes
    return Counts(sum(by.values()), by["error"], by["empty"], dict(found.seconds))
