"""What can be done to a pipeline under way. Each fault begins at once; what it returns ends it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.storm import store_faults
from tests.support.storm.plan import SCALED, Step
from tests.support.storm.replaying import replay_some
from tests.support.storm.scene import End, Fault, Scene

_LOCK_PATIENCE_S = 20.0


async def _kill(scene: Scene, step: Step) -> None:
    name = scene.crew.of(step.target)[0]
    scene.crew.kill(name)
    await asyncio.to_thread(scene.crew.start, name)


async def _terminate(scene: Scene, step: Step) -> None:
    name = scene.crew.of(step.target)[0]
    await _awake(scene, name)
    await scene.crew.leave(name)
    await asyncio.to_thread(scene.crew.start, name)


async def _freeze(scene: Scene, step: Step) -> End:
    """SIGSTOP; where others may take over meanwhile, there is another. Awake again, the process is a zombie."""
    crew = scene.crew
    awake = [name for name in crew.of(step.target) if name not in crew.frozen]
    if step.target in SCALED and len(awake) == 1:
        await asyncio.to_thread(crew.start, crew.another(step.target))
    name = awake[0] if awake else crew.of(step.target)[0]
    crew.freeze(name)

    async def end() -> None:
        crew.wake(name)

    return end


async def _scale_out(scene: Scene, step: Step) -> None:
    """To three processes."""
    fresh = [name for number in (2, 3) if (name := f"{step.target}-{number}") not in scene.crew.processes]
    await asyncio.gather(*(asyncio.to_thread(scene.crew.start, name) for name in fresh))


async def _scale_in(scene: Scene, step: Step) -> None:
    """To one process: SIGTERM to the others, after which they stay away."""
    for name in scene.crew.of(step.target)[1:]:
        await _awake(scene, name)
        await scene.crew.leave(name)
        del scene.crew.processes[name]


async def _awake(scene: Scene, name: str) -> None:
    while name in scene.crew.frozen:
        await asyncio.sleep(0.1)


async def _broker_killed(scene: Scene, _step: Step) -> End:
    await asyncio.to_thread(scene.broker.kill)
    return lambda: asyncio.to_thread(scene.broker.start)


async def _broker_stopped(scene: Scene, _step: Step) -> End:
    await asyncio.to_thread(scene.broker.stop)
    return lambda: asyncio.to_thread(scene.broker.start)


async def _broker_frozen(scene: Scene, _step: Step) -> End:
    scene.broker.freeze()

    async def end() -> None:
        scene.broker.wake()

    return end


async def _locked(scene: Scene, step: Step) -> End:
    """Hold the write lock of a database from a connection of our own."""
    name = {"catalogue": "catalogue.sqlite3", "cache": "vectors.sqlite3"}[step.target]
    connection = await asyncio.to_thread(_lock, scene.disk.folder / name)

    async def end() -> None:
        connection.execute("ROLLBACK")
        connection.close()

    return end


def _lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_LOCK_PATIENCE_S, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def _store(scene: Scene, step: Step) -> End:
    store_faults.tell(scene.store_faults, step.target, scene.plan.seed)

    async def end() -> None:
        scene.store_faults.unlink()

    return end


async def _disk_full(scene: Scene, _step: Step) -> End:
    """Fill the disk of catalogue and cache; their logs are cut first, so that the next write needs room."""
    await asyncio.to_thread(_cut_logs, scene.disk.folder)
    await asyncio.to_thread(scene.disk.fill)

    async def end() -> None:
        scene.disk.empty()

    return end


def _cut_logs(folder: Path) -> None:
    for path in folder.glob("*.sqlite3"):
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            continue
        finally:
            connection.close()


async def _registry_down(scene: Scene, _step: Step) -> End:
    await asyncio.to_thread(scene.registry.kill)
    return lambda: asyncio.to_thread(scene.registry.start)


async def _replay(scene: Scene, step: Step) -> None:
    await scene.reachable()
    topic, how = step.target.split()
    scene.replayed += await replay_some(scene.crew, topic, how, f"job-{step.after}")


FAULTS: Final[Mapping[str, Fault]] = {
    "kill -9": _kill,
    "SIGTERM": _terminate,
    "freeze": _freeze,
    "scale out": _scale_out,
    "scale in": _scale_in,
    "broker kill -9": _broker_killed,
    "broker SIGTERM": _broker_stopped,
    "broker freeze": _broker_frozen,
    "lock": _locked,
    "store": _store,
    "disk full": _disk_full,
    "registry down": _registry_down,
    "replay": _replay,
}
