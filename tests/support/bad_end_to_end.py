"""Bad events among good ones through the running ingest service: what must be in the dead-letter topic, and what not.

Records without a key are left out: on a compacted topic the broker itself refuses them.
"""

from __future__ import annotations

import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics

from tests.support.bad_events import ALLOWED_HOST, BadEvent, anchor, generate
from tests.support.chaos import Run
from tests.support.fleet import Fleet, apply_topics
from tests.support.ingesting import change
from tests.support.kafka import Broker
from tests.support.workload import Workload

GOOD_EVERY = 10
_LIMITS_RAISED = {"ROGGIA_INGEST_DLQ__MAX_RECORDS": "1000000", "ROGGIA_INGEST_DLQ__MAX_SHARE": "1"}


async def verify_bad_events(broker: Broker, data: Path, count: int, settle_s: float) -> None:
    """Every bad event is a dead letter that names its field, or a counted drop; every good one arrives; no crash."""
    root = data / "content"
    root.mkdir(parents=True)
    fleet = fleet_for(broker, data, root, _LIMITS_RAISED)
    run = Run(fleet, Workload(()))
    bad = [event for event in generate(count, 7, root) if event.key is not None]
    await apply_topics(fleet.kafka)
    fleet.start("ingest")
    try:
        await run.publish(list(_records(bad)))
        await fleet.consumed("roggia.ingest", settle_s)
        _check_dead(bad, await run.fleet.records(topics.dlq(topics.DOC_CHANGED)))
        await _check_good(run, len(bad))
        assert _dropped(fleet) == Counter(event.drop for event in bad if event.drop)
        fleet.stop_all()
    finally:
        fleet.kill_all()


def fleet_for(broker: Broker, data: Path, root: Path, more: dict[str, str]) -> Fleet:
    """Processes that may read content below `root`."""
    allowed = {"ROGGIA_INGEST_CONTENT_ROOT": str(root), "ROGGIA_INGEST_CONTENT_HOSTS": ALLOWED_HOST}
    return Fleet(broker, data, environment=allowed | more)


def _records(bad: Sequence[BadEvent]) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    codec = EventCodec(RegistrySettings(), source="/test")
    good = [anchor(), *(change(f"good/{number}") for number in range(0, len(bad), GOOD_EVERY))]
    outputs = [codec.output(topics.DOC_CHANGED, event) for event in good]
    yield topics.DOC_CHANGED, outputs[0].key, outputs[0].value
    for number, event in enumerate(bad):
        yield topics.DOC_CHANGED, event.key, event.value
        if number % GOOD_EVERY == 0:
            between = outputs[1 + number // GOOD_EVERY]
            yield topics.DOC_CHANGED, between.key, between.value


def _check_dead(bad: Sequence[BadEvent], letters: Sequence[Record]) -> None:
    want = Counter((event.key, event.value) for event in bad if event.kind)
    assert Counter((letter.key, letter.value) for letter in letters) == want
    fates = {(event.key, event.value): event for event in bad if event.kind}
    for letter in letters:
        fate, headers = fates[letter.key, letter.value], dict(letter.headers)
        told = (headers["roggia_dlq_kind"].decode(), headers["roggia_dlq_field"].decode())
        assert told[0] == fate.kind, (fate.name, told)
        assert not fate.field or told[1] == fate.field, (fate.name, told)
        assert told[1] in headers["__dlq.errors.message"].decode(), fate.name
        assert headers["__dlq.errors.topic"] == b"doc.changed"


async def _check_good(run: Run, count: int) -> None:
    want = {b"acme/anchor", *(f"acme/good/{number}".encode() for number in range(0, count, GOOD_EVERY))}
    assert {record.key for record in await run.fleet.records(topics.doc_chunked(1))} == want


def _dropped(fleet: Fleet) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{fleet.processes['ingest'].port}/metrics", timeout=10) as page:
        lines = [
            line for line in page.read().decode().splitlines() if line.startswith("roggia_consumer_dropped_total{")
        ]
    return Counter({line.split('reason="')[1].split('"')[0]: int(float(line.rsplit(" ", 1)[1])) for line in lines})
