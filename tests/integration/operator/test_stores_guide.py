"""docs/how-to/stores.md, as it stands: an index moves from the embedded engine to PostgreSQL on a running stack."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from roggia_embedder.settings import EmbedderOptions
from roggia_runtime.settings import load

from tests.support.guides import Guide, call
from tests.support.kafka import DEVSTACK_ENV, devstack_broker
from tests.support.pipeline import Pipeline, running
from tests.support.replaying import Operator

GUIDE = Guide("stores.md")


@pytest.mark.timeout(400)
async def test_the_guides_commands_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pgvector_dsn: str
) -> None:
    """In the guide's order, with the settings that it shows, and another model than the bundled one for its speed:
    planned, filled, cut over, back, again, and the old one retired; a name that nobody knows is refused."""
    broker = devstack_broker(tmp_path / "broker", **DEVSTACK_ENV)
    broker.start()
    try:
        async with running(
            broker.bootstrap, tmp_path / "data", stores=_named(pgvector_dsn), retire_grace_s=0
        ) as pipeline:
            monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", broker.bootstrap)
            monkeypatch.setenv("ROGGIA_QUERY_URL", pipeline.address)
            monkeypatch.delenv("ROGGIA_REGISTRY_URL", raising=False)
            operator = Operator(
                broker, tmp_path / "operator.log", ROGGIA_OPERATOR_CONSOLE_INDEX_URL=pipeline.address,
                ROGGIA_OPERATOR_GENERATIONS_GRACE_S="0", ROGGIA_OPERATOR_GENERATIONS_AGAIN_S="0.5",
                ROGGIA_OPERATOR_GENERATIONS_TICK_S="0.2",
            )  # fmt: skip
            await asyncio.to_thread(operator.start)
            try:
                for number in range(5):
                    await pipeline.publish(f"doc-{number}.md", 1, f"# Gate {number}\n\nThe keeper of gate {number}.")
                await pipeline.settle()
                await _moved(pipeline)
            finally:
                operator.kill()
    finally:
        broker.kill()


async def _moved(pipeline: Pipeline) -> None:
    dry, plan = GUIDE.commands("generation plan")
    assert "planned" in await _said(dry)
    assert "'gp': the index service has pg" in await _said(plan.replace("--store pg", "--store gp"), 2)
    assert (await _said(plan)).startswith("g2\n")
    await _said(*GUIDE.commands("generation show"))
    assert re.search(r"store +pg", await _said("generation show 2"))
    await _said(*GUIDE.commands("verify"))
    first, again = GUIDE.commands("generation promote")
    assert "LIVE: serves" in await _said(first)
    assert await _stores(pipeline) == {"": False, "pg": True}
    assert "g2 rolled back" in await _said(*GUIDE.commands("generation rollback"))
    assert await _stores(pipeline) == {"": True, "pg": False}
    assert "LIVE: serves" in await _said(again)
    await _said(*GUIDE.commands("generation retire"))
    async with asyncio.timeout(30):
        while await _stores(pipeline) != {"pg": True}:
            await asyncio.sleep(0.05)


async def _stores(pipeline: Pipeline) -> dict[str, bool]:
    """The stores that hold something, and whether readers get it."""
    return {one.store: one.serves for one in (await pipeline.collections()).values()}


def _named(dsn: str) -> dict[str, str]:
    """The settings of the guide, read as a service reads them; then the name, for this machine's database."""
    (block,) = GUIDE.blocks("bash")
    shown = dict(re.findall(r"^export (ROGGIA_\w+)='(.*)'$", block, re.MULTILINE))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shown.items():
            patch.setenv(name, value)
        options = load(EmbedderOptions)
    assert list(options.stores) == list(options.store_keys)
    return dict.fromkeys(options.stores, dsn)


async def _said(command: str, status: int = 0) -> str:
    return await asyncio.to_thread(call, command.replace("bundled:all-MiniLM-L6-v2", "stub:0"), status)
