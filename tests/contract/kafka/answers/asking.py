"""One question to a broker, put on the wire as it is, and its answer in words that brokers can be compared by."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from kio.schema.errors import ErrorCode
from roggia_devstack.wire import apis
from roggia_devstack.wire.apis import Api

from tests.support.batches import batch
from tests.support.wire import RawClient, connect

PATIENCE_S = 20.0
GROUP, TRANSACTION = 0, 1
_NOT_YET = (6, 14, 15, 16, 19, 51)
"""Not the leader yet, coordinator not ready, transaction still ending: Apache Kafka's first moments."""


class Asker:
    """A connection and names of its own; what every behaviour is given."""

    def __init__(self, client: RawClient, bootstrap: str) -> None:
        self._client = client
        self.bootstrap = bootstrap
        self._tag = secrets.token_hex(4)

    def name(self, stem: str) -> str:
        """A name that no other behaviour uses; the same for the same stem."""
        return f"{stem}.{self._tag}"

    async def ask(self, api: Api, version: int | None = None, **request: Any) -> Any:
        """Put a request in the highest version that devstack serves, or in `version`."""
        return await self._client.ask(api, api.highest if version is None else version, **request)

    async def patiently(self, api: Api, code: Callable[[Any], int], version: int | None = None, **request: Any) -> Any:
        """The same again and again while the answer's `code` says that the broker is not ready."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = await self.ask(api, version, **request)
            if code(answer) not in _NOT_YET or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.05)

    async def topic(self, stem: str = "t", partitions: int = 1, **config: str) -> str:
        """Make a topic and wait until it is led; settings have `_` for `.`."""
        name = self.name(stem)
        await self.ask(apis.CREATE_TOPICS, topics=[new_topic(name, partitions, config=config)], timeout=10_000)
        await self.seen(name, partitions)
        return name

    async def seen(self, name: str, partitions: int) -> None:
        """Wait until the broker tells of the topic with this many led partitions."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = (await self.metadata(name))["topics"][0]
            led = [part for part in found["partitions"] if part["error_code"] == 0 and part["leader_id"] >= 0]
            if found["error_code"] == 0 and len(led) == partitions:
                return
            assert time.monotonic() < deadline, f"topic {name} does not come"
            await asyncio.sleep(0.02)

    async def metadata(self, *names: str) -> Any:
        """Metadata of topics by name."""
        return await self.ask(
            apis.METADATA,
            topics=[{"name": name, "topic_id": None} for name in names],
            allow_auto_topic_creation=False,
            include_topic_authorized_operations=False,
        )

    async def coordinator(self, kind: int) -> None:
        """Wait until groups or transactions are coordinated."""

        def code(answer: Any) -> int:
            return int(answer["coordinators"][0]["error_code"])

        key = self.name("c")
        await self.patiently(apis.FIND_COORDINATOR, code, key_type=kind, coordinator_keys=[key])

    async def fill(self, topic: str, count: int) -> None:
        """Write `count` records, one batch each, to partition 0."""
        for _ in range(count):
            assert (await self.produce(topic, plain_batch()))[0] == "ok"

    async def produce(
        self, topic: str, records: bytes | None, partition: int = 0, *, acks: int = -1, tx: str | None = None
    ) -> tuple[str, int]:
        """Send bytes as a batch; (error, base offset)."""
        part = {"index": partition, "records": records}
        data = [{"name": topic, "partition_data": [part]}]

        def code(answer: Any) -> int:
            return int(answer["responses"][0]["partition_responses"][0]["error_code"])

        answer = await self.patiently(
            apis.PRODUCE, code, 9, transactional_id=tx, acks=acks, timeout=10_000, topic_data=data
        )
        return named(code(answer)), answer["responses"][0]["partition_responses"][0]["base_offset"]

    async def commit(self, group: str, topic: str, partition: int = 0, offset: int = 1, **changes: Any) -> str:
        """Commit an offset without being a member (or with what `changes` says); the error."""
        part = {"partition_index": partition, "committed_offset": offset, "committed_metadata": "m"}
        part |= {key: changes.pop(key) for key in ("committed_metadata",) if key in changes}
        request = {"group_id": group, "member_id": "", "generation_id_or_member_epoch": -1, **changes}

        def code(answer: Any) -> int:
            return int(answer["topics"][0]["partitions"][0]["error_code"])

        topics = [{"name": topic, "partitions": [part]}]
        return named(code(await self.patiently(apis.OFFSET_COMMIT, code, topics=topics, **request)))

    async def committed(self, group: str, topic: str, partition: int = 0) -> int:
        """The committed offset, or -1."""
        topics = [{"name": topic, "partition_indexes": [partition]}]
        answer = await self.patiently(
            apis.OFFSET_FETCH,
            lambda found: int(found["groups"][0]["error_code"]),
            groups=[{"group_id": group, "topics": topics}],
            require_stable=False,
        )
        return int(answer["groups"][0]["topics"][0]["partitions"][0]["committed_offset"])

    async def member(self, group: str, topics: Iterable[str] = ("t",), *, session_ms: int = 10_000) -> tuple[str, int]:
        """Join and sync as the only member of a group; (member id, generation)."""
        join = {
            "group_id": group,
            "session_timeout": session_ms,
            "rebalance_timeout": session_ms,
            "protocol_type": "consumer",
            "protocols": [{"name": "range", "metadata": subscription(topics)}],
        }
        code = _error_code
        first = await self.patiently(apis.JOIN_GROUP, code, member_id="", **join)
        second = await self.ask(apis.JOIN_GROUP, member_id=first["member_id"], **join)
        member_id, generation = second["member_id"], second["generation_id"]
        await self.ask(
            apis.SYNC_GROUP,
            group_id=group,
            generation_id=generation,
            member_id=member_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[{"member_id": member_id, "assignment": b""}],
        )
        return member_id, generation

    async def producer(self, transactional_id: str | None, timeout_ms: int = 60_000) -> tuple[int, int]:
        """A producer id and its epoch."""
        answer = await self.patiently(
            apis.INIT_PRODUCER_ID,
            _error_code,
            4,
            transactional_id=transactional_id,
            transaction_timeout=timeout_ms,
            producer_id=-1,
            producer_epoch=-1,
        )
        return answer["producer_id"], answer["producer_epoch"]


Ask = Callable[[Asker], Awaitable[str]]
Behaviours = dict[str, Ask]


@asynccontextmanager
async def asking(bootstrap: str) -> AsyncIterator[Asker]:
    """A connection for one behaviour."""
    client = await connect(bootstrap)
    try:
        yield Asker(client, bootstrap)
    finally:
        await client.close()


def named(code: int) -> str:
    """An error as Kafka calls it; "ok" for none."""
    return "ok" if code == 0 else ErrorCode(code).name.upper()


def _error_code(answer: Any) -> int:
    return int(answer["error_code"])


def new_topic(name: str, partitions: int = 1, **changes: Any) -> dict[str, Any]:
    """A topic in a CreateTopics request."""
    config = [{"name": key.replace("_", "."), "value": value} for key, value in changes.pop("config", {}).items()]
    topic = {"name": name, "num_partitions": partitions, "replication_factor": 1, "assignments": [], "configs": config}
    return topic | changes


def plain_batch(count: int = 1, **options: Any) -> bytes:
    """A batch of records with keys, made now."""
    options.setdefault("timestamp_ms", int(time.time() * 1000))
    return batch([(b"k", b"v" * 20)] * count, **options)


def subscription(topics: Iterable[str]) -> bytes:
    """A consumer's metadata (version 0): the topics that it reads."""
    names = [topic.encode() for topic in topics]
    listed = b"".join(len(name).to_bytes(2, "big") + name for name in names)
    return b"\0\0" + len(names).to_bytes(4, "big") + listed + b"\0\0\0\0"
