"""Which slices a question belongs to: a model may gain on average and lose the questions that one tenant asks. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from roggia_runtime.questions import band, exact, words

from roggia_operator.evaluation.golden.model import GoldenQuery

EVERYTHING = "all"
IDENTIFIER = "identifier"


def slices(query: GoldenQuery) -> Iterator[str]:
    """Names of the slices, `EVERYTHING` first. Callers group scores by them; a name is `kind=value` or `identifier`."""
    shape = (words(query.query), exact(query.query))
    yield from located(query.tenant, query.domain, query.language, shape)
    yield from (f"tag={tag}" for tag in query.tags)


def located(tenant: str, domain: str, language: str | None, shape: tuple[int, bool]) -> Iterator[str]:
    """Slices of a question of which only the place, the language and the `shape` (words, names something exactly) are
    known: recorded searches have no text."""
    count, identifier = shape
    yield EVERYTHING
    yield f"tenant={tenant}"
    yield f"domain={tenant}/{domain}"
    if language:
        yield f"language={language}"
    yield f"length={band(count)}"
    if identifier:
        yield IDENTIFIER
