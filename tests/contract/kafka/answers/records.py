"""What a broker answers to record batches, sound and broken, and to those who fetch them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

from roggia_devstack.storage.batch import HEADER, Header, build, parse
from roggia_devstack.storage.compression import compress
from roggia_devstack.storage.crc import crc32c
from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import Ask, Asker, Behaviours, named, plain_batch
from tests.support.clients import RawConnection

Bend = Callable[[bytes], bytes]


def _producing(bend: Bend = bytes, *, acks: int = -1, partition: int = 0, unknown: bool = False, **config: str) -> Ask:
    async def ask(asker: Asker) -> str:
        topic = asker.name("u") if unknown else await asker.topic(**config)
        said = (await asker.produce(topic, bend(plain_batch(3)), partition, acks=acks))[0]
        after = "" if unknown else f"; then {(await asker.produce(topic, plain_batch()))[0]}"
        return said + after

    return ask


def _header(**changes: int) -> Bend:
    """The same batch with other header fields and a correct checksum."""

    def bend(batch: bytes) -> bytes:
        header = parse(batch)
        assert header is not None
        return build(header._replace(**changes), batch[HEADER.size :])

    return bend


def _body(change: Bend, codec: int = 0) -> Bend:
    """The same header around other records, compressed, with a correct checksum."""

    def bend(batch: bytes) -> bytes:
        header = parse(batch)
        assert header is not None
        return build(header._replace(attributes=codec), compress(codec, change(batch[HEADER.size :])))

    return bend


def _keyless(batch: bytes) -> bytes:
    """A record without a key, alone."""
    header = parse(batch)
    assert header is not None
    record = bytes([0, 0, 0, 1, 2, ord("v"), 0])
    return build(header._replace(record_count=1, last_offset_delta=0), bytes([len(record) << 1]) + record)


def _flip(batch: bytes) -> bytes:
    return batch[:-1] + bytes([batch[-1] ^ 1])


def _old_format(batch: bytes) -> bytes:
    """A message of format 1: no batch header."""
    content = struct.pack(">bbqii", 1, 0, 0, -1, 1) + b"v"
    return struct.pack(">qiI", 0, len(content) + 4, crc32c(content)) + content


def _length(change: int) -> Bend:
    def bend(batch: bytes) -> bytes:
        header = parse(batch)
        assert header is not None
        return batch[:8] + struct.pack(">i", header.length + change) + batch[12:]

    return bend


async def _empty(asker: Asker) -> str:
    return (await asker.produce(await asker.topic(), b""))[0]


async def _null(asker: Asker) -> str:
    return (await asker.produce(await asker.topic(), None))[0]


def _sequences(*batches: tuple[int, int]) -> Ask:
    """Batches of an idempotent producer: (epoch, first sequence), each of one record."""

    async def ask(asker: Asker) -> str:
        topic = await asker.topic()
        pid, _ = await asker.producer(None)
        answers = [
            await asker.produce(topic, plain_batch(producer=(pid, epoch, sequence))) for epoch, sequence in batches
        ]
        return ", ".join(f"{said} at {offset}" if said == "ok" else said for said, offset in answers)

    return ask


def _fetching(offset: int, *, partition: int = 0, by_id: uuid.UUID | None = None, session: int = 0) -> Ask:
    async def ask(asker: Asker) -> str:
        topic = await asker.topic()
        await asker.fill(topic, 3)
        found = (await asker.metadata(topic))["topics"][0]
        part = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20}
        answer = await asker.ask(
            apis.FETCH, 13, replica_id=-1, max_wait=1, min_bytes=1, max_bytes=1 << 20, isolation_level=0,
            session_id=session, session_epoch=1 if session else -1,
            topics=[{"topic_id": by_id or found["topic_id"], "partitions": [part]}], forgotten_topics_data=[],
        )  # fmt: skip
        if answer["error_code"]:
            return named(answer["error_code"])
        got = answer["responses"][0]["partitions"][0]
        first: Header | None = parse(got["records"]) if got["records"] else None
        base = "no records" if first is None else f"from {first.base_offset}"
        return f"{named(got['error_code'])}, {base}, high watermark {got['high_watermark']}"

    return ask


def _api(key: int, version: int, body: bytes = b"") -> Ask:
    async def ask(asker: Asker) -> str:
        with RawConnection(asker.bootstrap) as raw:
            message = struct.pack(">hhih4s", key, version, 1, 4, b"test") + body
            raw.write(struct.pack(">i", len(message)) + message)
            return "closes the connection" if raw.closed() else "answers"

    return ask


async def _future_api_versions(asker: Asker) -> str:
    with RawConnection(asker.bootstrap) as raw:
        answer = raw.call(18, 99, b"\0")
        code, count = struct.unpack_from(">hi", answer)
        return f"{named(code)}, in version 0, naming {'APIs' if count else 'nothing'}"


async def _cluster(asker: Asker) -> str:
    answer = await asker.ask(
        apis.DESCRIBE_CLUSTER, include_cluster_authorized_operations=False, include_fenced_brokers=False
    )
    return f"{named(answer['error_code'])}, {len(answer['brokers'])} broker, controller {answer['controller_id']}"


BEHAVIOURS: Behaviours = {
    "Produce: a batch": _producing(),
    "Produce: acks 1": _producing(acks=1),
    "Produce: acks 2": _producing(acks=2),
    "Produce: an unknown topic": _producing(unknown=True),
    "Produce: an unknown partition": _producing(partition=4),
    "Produce: no bytes": _empty,
    "Produce: null": _null,
    "Produce: a wrong checksum": _producing(_flip),
    "Produce: two batches for one partition": _producing(lambda batch: batch * 2),
    "Produce: bytes after the batch": _producing(lambda batch: batch + b"rest"),
    "Produce: a batch cut short": _producing(lambda batch: batch[:-5]),
    "Produce: a length that is too large": _producing(_length(1000)),
    "Produce: a length that is too small": _producing(_length(-10)),
    "Produce: a negative length": _producing(_length(-10_000)),
    "Produce: message format 1": _producing(_old_format),
    "Produce: a count of 0": _producing(_header(record_count=0)),
    "Produce: a negative count": _producing(_header(record_count=-1)),
    "Produce: a count above what the offsets say": _producing(_header(record_count=9)),
    "Produce: a count of two thousand million": _producing(
        _header(record_count=2**31 - 1, last_offset_delta=2**31 - 2)
    ),
    "Produce: a negative last offset": _producing(_header(last_offset_delta=-5)),
    "Produce: a control batch": _producing(_header(attributes=0x20)),
    "Produce: a compression that there is not": _producing(_header(attributes=7)),
    "Produce: transactional without a producer id": _producing(_header(attributes=0x10)),
    "Produce: said to be gzip, and not": _producing(_header(attributes=1)),
    "Produce: said to be zstd, and not, to a compacted topic": _producing(
        _header(attributes=4), cleanup_policy="compact"
    ),
    "Produce: no key, to a compacted topic": _producing(_keyless, cleanup_policy="compact"),
    "Produce: records that are nonsense": _producing(_body(lambda body: b"\xff" * len(body))),
    "Produce: records with bytes left over": _producing(_body(lambda body: body + b"\0\0")),
    "Produce: gzip, nonsense inside": _producing(_body(lambda body: b"\xff" * len(body), codec=1)),
    "Produce: larger than max.message.bytes": _producing(max_message_bytes="60"),
    "Produce: idempotent, in order": _sequences((0, 0), (0, 1), (0, 2)),
    "Produce: idempotent, sent again": _sequences((0, 0), (0, 1), (0, 0)),
    "Produce: idempotent, a gap": _sequences((0, 0), (0, 5)),
    "Produce: idempotent, the first is not 0": _sequences((0, 5)),
    "Produce: idempotent, a new epoch": _sequences((0, 0), (1, 0)),
    "Produce: idempotent, a new epoch that does not begin at 0": _sequences((0, 0), (1, 4)),
    "Produce: idempotent, a past epoch": _sequences((1, 0), (0, 1)),
    "Fetch: from the start": _fetching(0),
    "Fetch: from the middle": _fetching(1),
    "Fetch: at the end": _fetching(3),
    "Fetch: beyond the end": _fetching(4),
    "Fetch: a negative offset": _fetching(-1),
    "Fetch: an unknown partition": _fetching(0, partition=4),
    "Fetch: an unknown topic id": _fetching(0, by_id=uuid.UUID(int=7)),
    "Fetch: a session that there is not": _fetching(0, session=77),
    "ApiVersions: a version from the future": _future_api_versions,
    "Any: an API that there is not": _api(999, 0),
    "Any: a negative API": _api(-1, 0),
    "Any: a version from the future": _api(3, 99),
    "Any: a negative version": _api(3, -1),
    "Any: a body cut short": _api(3, 12),
    "Any: an array of two thousand million": _api(3, 4, b"\x7f\xff\xff\xff"),
    "Any: an array of -5": _api(3, 4, b"\xff\xff\xff\xfb\0"),
    "DescribeCluster: the cluster": _cluster,
}
