"""Rollback: from the command until every reader is on the old generation, with everything written meanwhile.

    python -m tests.bench.query.bench_rollback [--times 20]

Three query processes that never stop being asked, one process of each other service, Apache Kafka (KAFKA_HOME), and
PostgreSQL with pgvector. Reading the record and writing the wish count; starting a command line does not.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import median

from tests.support.kafka import find_java
from tests.support.measures import report
from tests.support.migration.ensemble import Ensemble
from tests.support.migration.rollback import Rehearsal, RolledBack
from tests.support.pgvector import installation
from tests.support.postgres import running
from tests.support.registry import Registry
from tests.support.storm.nursery import Nursery
from tests.support.storm.run import Ground


def measure(times: int, root: Path) -> list[RolledBack]:
    """Start everything, go over and back."""
    found = installation()
    if found is None:
        raise SystemExit("pgserver is not installed: pip install pgserver")
    (root / "nursery").mkdir()
    ground = Ground(find_java().broker(root / "broker"), Registry(root / "registry"), Nursery(root / "nursery"))
    try:
        with running(found) as postgres:
            ground.broker.start()
            ground.registry.start()
            ensemble = Ensemble(ground, root / "services", postgres.new_database())
            return asyncio.run(Rehearsal(ensemble).run(times))
    finally:
        ground.broker.kill()
        ground.registry.kill()
        ground.nursery.close()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        found = measure(times, Path(folder))
    note = f"{times} times, 3 query processes, a document is written before each"
    report("rollback: until the record says so, median", median(one.decided_s for one in found), "s", note=note)
    report("rollback: until every reader is back, median", median(one.readers_s for one in found), "s", note=note)
    report("rollback: until every reader is back, longest", max(one.readers_s for one in found), "s", at_most=1)
    report("rollback: answers by the wrong generation afterwards", sum(one.late for one in found), at_most=0)


if __name__ == "__main__":
    main()
