"""Kafka's own ProducerPerformance and ConsumerPerformance against devstack and Apache Kafka, in one run.

usage: python -m tests.bench.devstack.bench_java_tools [--records N] [--rounds N]

Prints one JSON line per figure: the ratio of devstack to Apache Kafka, with both beside it; medians over the rounds, in
which the brokers take turns. Records have 1 KiB, producers are idempotent with `acks=all`. Needs KAFKA_HOME.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.clients import make_topic
from tests.support.kafka import Broker, JavaKafka, devstack_broker, find_java

_SIZE = 1024
_PRODUCED = re.compile(r"records sent, ([\d.]+) records/sec \(([\d.]+) MB/sec\).*?([\d.]+) ms 50th.*?([\d.]+) ms 99th")
_TOOLS = "org.apache.kafka.tools"
Row = dict[str, list[float]]


def main(arguments: Sequence[str] = ()) -> int:
    """Start both brokers, let the tools take turns, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000, help="records per round and broker")
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    options = parser.parse_args(arguments)
    if not os.environ.get("KAFKA_HOME") or shutil.which("java") is None:
        sys.stdout.write("KAFKA_HOME or java is missing: there is nothing to compare with\n")
        return 0
    java = find_java()
    with tempfile.TemporaryDirectory() as folder:
        brokers = [devstack_broker(Path(folder, "devstack")), java.broker(Path(folder, "apache"))]
        try:
            for broker in brokers:
                broker.start()
                _round(java, broker, {}, options.records // 10)
            figures: dict[str, Row] = {broker.kind: {} for broker in brokers}
            for number in range(options.rounds):
                for broker in brokers if number % 2 else brokers[::-1]:
                    _round(java, broker, figures[broker.kind], options.records)
        finally:
            for broker in brokers:
                broker.kill()
    _print(figures)
    return 0


def _round(java: JavaKafka, broker: Broker, row: Row, records: int) -> None:
    topic = make_topic(broker.bootstrap, f"bench.{secrets.token_hex(4)}", 1)
    load = ("--topic", topic, "--num-records", str(records), "--record-size", str(_SIZE), "--throughput", "-1")
    properties = [f"bootstrap.servers={broker.bootstrap}", "acks=all", "batch.size=65536", "linger.ms=5"]
    said = java.tool(f"{_TOOLS}.ProducerPerformance", *load, "--command-property", *properties)
    found = _PRODUCED.findall(said)[-1]
    for name, value in zip(("produce", "produce MB", "produce p50", "produce p99"), found, strict=True):
        row.setdefault(name, []).append(float(value))
    server = ("--bootstrap-server", broker.bootstrap)
    said = java.tool(
        f"{_TOOLS}.ConsumerPerformance", *server, "--topic", topic, "--num-records", str(records), "--timeout", "60000"
    )
    header, *rows = (line.split(", ") for line in said.strip().splitlines() if ", " in line)
    values = [one for one in rows if len(one) == len(header)]
    assert values, f"ConsumerPerformance said nothing of use:\n{said}"
    row.setdefault("consume", []).append(float(values[-1][header.index("fetch.nMsg.sec")]))


def _print(figures: dict[str, Row]) -> None:
    units = {"produce": "records/s", "produce p50": "ms", "produce p99": "ms", "consume": "records/s while fetching"}
    for name, unit in units.items():
        ours, theirs = (figures[kind][name] for kind in ("devstack", "apache"))
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True) if other)
        shown = {
            "devstack": f"{statistics.median(ours):,.0f} {unit}",
            "apache": f"{statistics.median(theirs):,.0f} {unit}",
        }
        line = {"name": f"Java tools: {name}", "ratio": float(f"{ratio:.3g}"), "baseline": "Apache Kafka", **shown}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
