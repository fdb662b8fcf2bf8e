"""`roggia verify --repair` as a process against the real services: jobs of the operator, deletions through the lane."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from roggia_embedder.adapters.edge import EdgeStore
from roggia_runtime.findings import Kind

from tests.support.operated import operated
from tests.support.pipeline import Pipeline
from tests.support.spoiling import EdgeSpoiler, Vandal
from tests.support.verifying import COLLECTION, documents

DAMAGES = ("missing passage", "missing head", "orphan of the document", "orphan of an unknown document", "wrong tenant",
           "wrong model", "deleted head")  # fmt: skip


@pytest.fixture
async def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Pipeline, EdgeStore]]:
    """All services and an operator on a broker of their own; and the store that the index service opened."""
    async with operated(tmp_path, monkeypatch) as all_of_it:
        yield all_of_it.pipeline, all_of_it.store


async def roggia(pipeline: Pipeline, broker: str, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run `roggia verify --json`: exit status, lines, standard error."""
    where = ("--query-url", pipeline.address, "--bootstrap", broker, "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "roggia", "verify", *arguments, *where,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


@pytest.mark.timeout(300)
async def test_what_was_damaged_is_mended_through_the_stream(stack: tuple[Pipeline, EdgeStore]) -> None:
    """Damage exits 1 and is told; --repair mends it all, and the next run exits 0. A document
    that doc.changed has lost is told as beyond repair."""
    pipeline, store = stack
    bootstrap = pipeline.bootstrap
    for number in range(12):
        await pipeline.publish(f"d{number}", 2, f"# Document {number}\n\nSome words about number {number}.")
    await pipeline.settle()
    vandal = Vandal(EdgeSpoiler(store), COLLECTION, random.Random(3))
    held = await documents(store)
    wanted: dict[str, Kind] = {}
    for number, name in enumerate(DAMAGES):
        wanted |= vandal.spoil(name, *held[f"d{number}"]).says
    status, lines, err = await roggia(pipeline, bootstrap)
    assert status == 1, err
    assert {one["point_id"]: one["kind"] for one in lines if one["type"] == "finding"} == wanted

    status, lines, err = await roggia(pipeline, bootstrap, "--repair", "--yes")
    assert (status, lines[-1]) == (0, {"type": "repaired", "left": []}), err
    status, lines, err = await roggia(pipeline, bootstrap)
    assert (status, lines[-1]["clean"]) == (0, True), err
    assert {name: len(found) for name, (_, found) in (await documents(store)).items() if name.startswith("d")} == {
        name: len(found) for name, (_, found) in held.items()
    }


async def test_a_repair_without_a_terminal_needs_yes_or_is_a_dry_run(stack: tuple[Pipeline, EdgeStore]) -> None:
    """Nobody there to confirm: nothing is done, exit status 2, and the option is named. A dry run asks for nothing and
    leaves everything as it is."""
    pipeline, store = stack
    await pipeline.publish("d1", 2, "# One\n\nWords.")
    await pipeline.settle()
    Vandal(EdgeSpoiler(store), COLLECTION, random.Random(3)).spoil("missing head", *(await documents(store))["d1"])
    status, _, err = await roggia(pipeline, pipeline.bootstrap, "--repair")
    assert status == 2
    assert "--yes" in err
    for _ in range(2):
        status, lines, err = await roggia(pipeline, pipeline.bootstrap, "--repair", "--dry-run")
        assert (status, [one["type"] for one in lines], err) == (1, ["finding", "summary"], "")
