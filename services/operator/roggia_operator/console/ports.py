"""What the console asks of the rest of the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from roggia_operator.console.audit_views import Costs, Inference, RecordPage, TenantMonth
from roggia_operator.console.generation_views import Generations
from roggia_operator.console.views import (
    CollectionRow,
    JobRow,
    Letter,
    LetterGroup,
    PartitionRow,
    Pipeline,
    Plan,
    RecordRow,
    TopicRow,
)


class Looking(Protocol):
    """Reads; changes nothing. Raises `OperatorError` or the runtime's errors, whose message is shown."""

    async def pipeline(self) -> Pipeline:
        """Stages, lag and freshness as last measured."""
        ...

    async def partitions(self) -> Sequence[PartitionRow]:
        """Every partition of every group."""
        ...

    async def topics(self) -> Sequence[TopicRow]:
        """Every topic."""
        ...

    async def tail(self, topic: str, last: int) -> Sequence[RecordRow]:
        """The newest `last` records of each partition, newest first, decoded. Raises `SelectionError`."""
        ...

    async def letters(self) -> Sequence[LetterGroup]:
        """Open dead letters by cause."""
        ...

    async def letter(self, topic: str, place: str) -> Letter:
        """One dead letter; `place` is PARTITION:OFFSET. Raises `SelectionError`."""
        ...

    async def jobs(self) -> Sequence[JobRow]:
        """Every job, newest first."""
        ...

    async def collections(self) -> Sequence[CollectionRow]:
        """Every collection of the index."""
        ...

    async def generations(self) -> Generations:
        """Every generation of the index, and which one each knowledge base gets. An index that does not answer is a
        problem that is told."""
        ...


class Auditing(Protocol):
    """Reads of the audit log. Raises the runtime's errors, and `SelectionError` for what is not there."""

    async def months(self) -> Sequence[TenantMonth]:
        """Newest month of every tenant."""
        ...

    async def costs(self, tenant: str, month: str) -> Costs:
        """One month of a tenant; the newest where `month` is empty."""
        ...

    async def records(self, tenant: str, filters: Mapping[str, str]) -> RecordPage:
        """A page of records; `filters` are day, model, status, late and cursor."""
        ...

    async def inference(self, event_id: str) -> Inference:
        """One record with its event and its proof."""
        ...


class Actions(Protocol):
    """Changes, each in two steps: a plan to confirm, and the start of exactly that plan."""

    async def plan(self, kind: str, form: Mapping[str, str]) -> Plan:
        """What would happen. Raises `SelectionError` naming the field of `form` that is wrong."""
        ...

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """Carry out a plan that was confirmed; return where to look (a path of the console)."""
        ...
