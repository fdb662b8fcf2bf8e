"""Batches with a header name that is not UTF-8, as a client in another language may write them; aiokafka cannot."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from roggia_runtime.clock import now_ms

NAME, ESCAPED = b"na\xefve", r"na\xefve"
_PLACE = "na@ve"


def builder(codec: int = 0, *, producer_id: int = -1, size: int = 1 << 20) -> _DefaultRecordBatchBuilderPy:
    """An empty batch; transactional where it has a producer."""
    transactional = int(producer_id >= 0)
    return _DefaultRecordBatchBuilderPy(2, codec, transactional, producer_id, 0 if transactional else -1, 0, size)


def append(batch: _DefaultRecordBatchBuilderPy, values: Sequence[tuple[bytes, bool]], at_ms: int = 1_000) -> None:
    """Add records of key `k`, each with a header `x`; those marked True have another one that is named `NAME`."""
    for number, (value, foreign) in enumerate(values):
        headers: list[tuple[str, bytes | None]] = [("x", b"1")]
        batch.append(number, at_ms + number, b"k", value, headers + [(_PLACE, None)] * foreign)
    batch._buffer[:] = batch._buffer.replace(_PLACE.encode(), NAME)


def built(batch: _DefaultRecordBatchBuilderPy, base_offset: int) -> bytes:
    """The batch as a broker keeps it, from this offset on."""
    return base_offset.to_bytes(8) + bytes(batch.build())[8:]


async def produce(bootstrap: str, topic: str, values: Sequence[tuple[bytes, bool]]) -> None:
    """Produce one such batch to partition 0."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as client:
        batch = client.create_batch()
        batch._builder, batch._relative_offset = builder(), len(values)
        append(batch._builder, values, now_ms())
        batch.close()
        await (await client.send_batch(batch, topic, partition=0))
