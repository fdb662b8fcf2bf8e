"""What the commands of `roggia dlq` share: options, and a connection to look through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias, TypeVar

import typer
from msgspec import structs
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.remedies import KINDS
from roggia_operator.dlq.selection import Selection, dlqs, kind
from roggia_operator.times import moment
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec

from roggia.cli.connected import codec_of
from roggia.connection import Connection
from roggia.publishing.publisher import kafka_settings

T = TypeVar("T")
Look: TypeAlias = Callable[[KafkaLog, EventCodec], Awaitable[T]]

Topic: TypeAlias = Annotated[str, typer.Argument(help="Only this DLQ; a live topic means its DLQ and its lane's.")]
Stage: TypeAlias = Annotated[str, typer.Option("--stage", help="Only letters of this stage.")]
Kind: TypeAlias = Annotated[
    str, typer.Option("--kind", callback=kind, help=f"Only letters of this kind: {', '.join(KINDS)}.")
]
TenantOf: TypeAlias = Annotated[str, typer.Option("--tenant", help="Only this tenant's letters, by the key.")]
Since: TypeAlias = Annotated[
    str, typer.Option("--since", help="Only letters that came since: 30m, 2h, 7d ago, or an ISO time.")
]
Until: TypeAlias = Annotated[str, typer.Option("--until", help="Only letters that came before; written as --since.")]


async def looking(where: Connection, look: Look[T]) -> T:
    """Connect, look, disconnect."""
    async with codec_of(where, "dlq") as codec, KafkaLog(kafka_settings(where)) as log:
        return await look(log, codec)


async def within(log: KafkaLog, topic: str, meant: Selection) -> Selection:
    """The selection, narrowed to a topic's DLQs where one is named. Raises `SelectionError`."""
    return structs.replace(meant, topics=dlqs(tuple(await log.partitions()), topic)) if topic else meant


def moment_of(option: str, text: str) -> int | None:
    """A time that may be missing. Raises `SelectionError`."""
    return moment(option, text, now_ms()) if text else None
