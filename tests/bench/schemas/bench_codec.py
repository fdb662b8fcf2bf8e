"""Cost of the codec per record, as ratios to fastavro and to confluent-kafka's serdes, all in one run.

usage: python -m tests.bench.schemas.bench_codec [--seconds N]

Prints one JSON line per figure: `ratio` is our time over the baseline's, below 1 is faster. Each figure is the median
of rounds in which ours and the baseline's runs alternate, in CPU time of this thread, so that a busy machine disturbs
neither.

Ours gives and takes checked, frozen events. The baselines give and take plain dicts: fastavro on parsed schemas with
logical types left out (its fastest way), confluent-kafka with its registry in memory. Vectors start and end as numpy
arrays on every side.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import fastavro
import msgspec
import numpy as np
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from roggia_schemas import bundled, topics
from roggia_schemas.codec import Codec
from roggia_schemas.layout import without_logical_types
from roggia_schemas.wiretypes import Event

from tests.support.events import example, plain

_BATCH_S = 0.02


class Contest(NamedTuple):
    """One operation done by us and by a baseline, on the same event."""

    name: str
    baseline: str
    ours: Callable[[], object]
    theirs: Callable[[], object]


def main(arguments: Sequence[str] = ()) -> int:
    """Run every contest and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    seconds = parser.parse_args(arguments).seconds
    for contest in contests():
        ratio, ours_us, theirs_us = measure(contest, seconds)
        figure = {"name": contest.name, "ratio": round(ratio, 3), "baseline": contest.baseline}
        print(json.dumps(figure | {"ours_us": round(ours_us, 1), "baseline_us": round(theirs_us, 1)}), flush=True)
    return 0


def contests() -> Iterator[Contest]:
    """Every event as the catalogue shows it, a realistic chunk set, and vectors of two sizes."""
    for file in topics.files():
        yield from _of(file.event, example(file.event))
    yield from _of("doc.chunked, 10 chunks of 1.5 kB", _chunk_set(10))
    for dimension in (384, 1536):
        yield from _of(f"doc.embedded, one vector of {dimension}", _vectors(1, dimension))
    yield from _of("doc.embedded, 20 vectors of 384", _vectors(20, 384))


def measure(contest: Contest, seconds: float) -> tuple[float, float, float]:
    """(median ratio, our median, the baseline's median), the last two in microseconds per record."""
    repeat = max(1, int(_BATCH_S / _time(contest.theirs, 3)))
    rounds: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds) < 5:
        rounds.append((_time(contest.ours, repeat), _time(contest.theirs, repeat)))
    ratio = statistics.median(ours / theirs for ours, theirs in rounds)
    ours, theirs = (statistics.median(column) * 1e6 for column in zip(*rounds, strict=True))
    return ratio, ours, theirs


def _time(work: Callable[[], object], repeat: int) -> float:
    start = time.thread_time()
    for _ in range(repeat):
        work()
    return max(time.thread_time() - start, 1e-9) / repeat


def _of(label: str, event: Event) -> Iterator[Contest]:
    codec, cls = Codec(), type(event)
    value = codec.encode(event)
    write, read = _fastavro(event)
    assert write() == value[5:]
    assert codec.decode(cls, value) == event
    yield Contest(f"codec.encode {label}", "fastavro", lambda: codec.encode(event), write)
    yield Contest(f"codec.decode {label}", "fastavro", lambda: codec.decode(cls, value), lambda: read(value))
    serialize, deserialize = _confluent(event)
    assert serialize()[5:] == value[5:]
    theirs = serialize()
    yield Contest(f"codec.encode {label}", "confluent-kafka", lambda: codec.encode(event), serialize)
    yield Contest(
        f"codec.decode {label}", "confluent-kafka", lambda: codec.decode(cls, value), lambda: deserialize(theirs)
    )


def _fastavro(event: Event) -> tuple[Callable[[], bytes], Callable[[bytes], object]]:
    schema = fastavro.parse_schema(without_logical_types(bundled.schema(event.EVENT)))
    fields = plain(event)
    vectors = getattr(event, "vectors", None)

    def write() -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, _given(fields, vectors))
        return out.getvalue()

    return write, lambda value: _taken(fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None))


def _confluent(event: Event) -> tuple[Callable[[], bytes], Callable[[bytes], object]]:
    topic = next(file.topic for file in topics.files() if file.event == event.EVENT).format(generation=1)
    client = SchemaRegistryClient.new_client({"url": "mock://"})
    text = bundled.schema_text(event.EVENT).strip()
    client.register_schema(bundled.subject(topic), Schema(text, "AVRO"))
    conf = {"subject.name.strategy.type": "TOPIC"}
    serializer = AvroSerializer(client, text, conf=conf | {"auto.register.schemas": False})
    deserializer = AvroDeserializer(client, conf=conf)
    context = SerializationContext(topic, MessageField.VALUE, [])
    fields, vectors = plain(event), getattr(event, "vectors", None)
    return (
        lambda: serializer(_given(fields, vectors), context),
        lambda value: _taken(deserializer(value, context)),
    )


def _given(fields: dict[str, Any], vectors: Any) -> dict[str, Any]:
    return fields if vectors is None else fields | {"vectors": vectors.tolist()}


def _taken(fields: Any) -> Any:
    if "vectors" in fields:
        fields["vectors"] = np.array(fields["vectors"], np.float32)
    return fields


def _chunk_set(count: int) -> Event:
    event = example("doc.chunked")
    chunk = msgspec.structs.replace(event.chunks[0], text="word " * 300)
    return msgspec.structs.replace(event, chunks=(chunk,) * count)


def _vectors(count: int, dimension: int) -> Event:
    event = example("doc.embedded")
    chunk = msgspec.structs.replace(event.chunks[0], text="word " * 300)
    vectors = np.random.default_rng(7).standard_normal(count * dimension).astype(np.float32)
    return msgspec.structs.replace(
        event, chunks=(chunk,) * count, chunk_ids=event.chunk_ids * count, dimension=dimension, vectors=vectors
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
