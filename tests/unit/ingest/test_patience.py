"""How long a content server may hold up its partition."""

from __future__ import annotations

import pytest
from roggia_ingest.adapters.patience import PatientSource
from roggia_ingest.errors import ContentError, ContentUnavailableError
from roggia_schemas.events import ContentRef

REF = ContentRef(uri="https://content.example.org/a", sha256="0" * 64, size=1)
OTHER = ContentRef(uri="https://content.example.org/b", sha256="0" * 64, size=1)


class Flaky:
    """A source that is down while told so."""

    down = True

    async def fetch(self, _ref: ContentRef) -> bytes:
        """Content, or unavailable."""
        if self.down:
            raise ContentUnavailableError("content_ref.uri: does not answer")
        return b"x"


class Clock:
    """Seconds that a test sets."""

    time = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.time


async def test_an_outage_is_waited_for_and_then_the_document_is_given_up() -> None:
    """Within patience the stage waits; beyond it the document is refused by name, and only that document."""
    clock = Clock()
    source = PatientSource(Flaky(), 900, clock)
    for clock.time in (0.0, 300.0, 899.0):
        with pytest.raises(ContentUnavailableError):
            await source.fetch(REF)
    clock.time = 900.0
    with pytest.raises(ContentError, match="unavailable for 900 s"):
        await source.fetch(REF)
    with pytest.raises(ContentUnavailableError):
        await source.fetch(OTHER)


async def test_an_answer_ends_the_count() -> None:
    """A server that came back has all of its time again."""
    clock, flaky = Clock(), Flaky()
    source = PatientSource(flaky, 900, clock)
    with pytest.raises(ContentUnavailableError):
        await source.fetch(REF)
    flaky.down = False
    assert await source.fetch(REF) == b"x"
    flaky.down, clock.time = True, 1_000.0
    with pytest.raises(ContentUnavailableError):
        await source.fetch(REF)
