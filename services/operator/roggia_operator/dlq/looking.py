"""What operators ask about dead letters, answered in one call each. For the command line and the console."""

from __future__ import annotations

from typing import Any

from roggia_runtime.codec import EventCodec

from roggia_operator.dlq import reading
from roggia_operator.dlq.groups import Group, grouped
from roggia_operator.dlq.jobs import ledger_of, read_jobs
from roggia_operator.dlq.letters import Place
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.selection import Selection
from roggia_operator.dlq.shown import letter_in_full
from roggia_operator.errors import SelectionError
from roggia_operator.jobs.table import Job


class DeadLetters:
    """Looks; changes nothing. Every call raises `UnavailableError` or `AdminError` when Kafka does not answer."""

    def __init__(self, log: Log, codec: EventCodec) -> None:
        self._log = log
        self._codec = codec

    async def groups(self, selection: Selection, *, newest: int = 0, every: bool = False) -> list[Group]:
        """Groups with open letters, or `every` group; of the newest `newest` letters per DLQ partition, 0 for all."""
        ledger = ledger_of(await self.jobs())
        found = await grouped(reading.letters(self._log, selection, newest=newest), ledger)
        return [group for group in found if every or group.open]

    async def letter(self, place: Place) -> dict[str, Any]:
        """One letter in full. Raises `SelectionError` when there is none at that place."""
        record = await reading.record_at(self._log, place)
        return await letter_in_full(record, self._codec, ledger_of(await self.jobs()))

    async def example(self, fingerprint: str) -> tuple[Group, dict[str, Any]]:
        """The group of a fingerprint and its example in full. Raises `SelectionError` when no letter has it."""
        found = await self.groups(Selection(fingerprint=fingerprint), every=True)
        if not found:
            raise SelectionError(f"CAUSE: no dead letter has {fingerprint!r}; `roggia dlq list --all` shows them")
        return found[0], await self.letter(found[0].example.place)

    async def jobs(self) -> list[Job]:
        """Every redrive and drop, the oldest first."""
        return await read_jobs(self._log, self._codec)
