"""Promotion against a real MLflow server: the gate bypassed by hand, webhooks lost, the server away."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from roggia_operator.models import tags
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.generations import Standing, State, Wish
from roggia_operator.models.poller import Pace
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.role import Role, build
from roggia_operator.models.settings import ModelsOptions
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS, Draft, Evidence, Report, Verdict
from roggia_operator.models.webhook import PATH
from roggia_runtime.errors import ModelRegistryUnavailableError
from roggia_runtime.http import HttpServer, application
from roggia_runtime.settings import HttpSettings

from tests.support.guides import Guide
from tests.support.mlflow_server import MlflowServer
from tests.support.model_world import World
from tests.support.models import embedder
from tests.support.webhooks import signed_headers

SECRET = "one secret for this test"
PATIENCE_S = 60.0


class Ground:
    """A role over a real registry, with a controller in miniature."""

    def __init__(self, server: MlflowServer, poll_s: float) -> None:
        self.server, self.name = server, f"emb-{uuid.uuid4().hex[:8]}"  # noqa: TID251
        self.registry: ModelRegistry = MlflowRegistry(server.url)
        self.world = World()
        self.world.lacking = lambda _: []
        self.port = 0
        options = ModelsOptions(uri=server.url, poll_s=poll_s, webhook_secret=SECRET)
        self.role: Role = build(options, self._standings, self._take)

    def _standings(self) -> list[Standing]:
        """The controller goes on a step at every look."""
        self.world.advance()
        return list(self.world.standings)

    async def _take(self, wish: Wish) -> None:
        if wish.name == self.name:  # the server is shared with other tests
            self.world.take(wish)

    def log(self, count: int = 1) -> None:
        for number in range(count):
            self.registry.register(Draft(name=self.name, ref=embedder(f"{self.name}@{number:016x}")))

    def judge(self, version: int, verdict: Verdict = Verdict.PASS) -> None:
        held = next(one for one in self.registry.versions(self.name) if one.version == version)
        report = Report(name=self.name, version=version, verdict=verdict, manifest="m1",
                        fingerprint=held.ref.fingerprint)  # fmt: skip
        self.registry.set_tags(self.name, version, tags.of_gate(self.registry.file_report(report, Evidence())))

    @property
    def served(self) -> int:
        """The version that serves; 0 for the baseline."""
        return self.world.rows[self.world.serving()].version

    def aliases(self) -> dict[str, int]:
        return dict(next(one for one in self.registry.models() if one.name == self.name).aliases)

    async def promote(self, version: int) -> None:
        """The proper way, to the end."""
        await here(self.registry.set_alias, self.name, CANDIDATE, version)
        await until(lambda: any(r.version == version and r.state is State.SHADOW for r in self.world.standings))
        await here(self.judge, version)
        await here(self.registry.set_alias, self.name, CHAMPION, version)
        await until(lambda: self.served == version)


async def here(work: Callable[..., object], *arguments: object) -> None:
    """A blocking call, off the loop."""
    await asyncio.to_thread(work, *arguments)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(server: MlflowServer, poll_s: float = 0.2) -> AsyncIterator[Ground]:
    """A ground whose poller runs and whose HTTP server listens."""
    ground = Ground(server, poll_s)
    http = HttpServer(HttpSettings(port=0), application(ground.role.poller.health, ground.role.routes))
    await http.start()
    ground.port = http.port
    task = asyncio.create_task(ground.role.poller.run())
    try:
        yield ground
    finally:
        ground.role.poller.stop()
        await asyncio.wait_for(task, PATIENCE_S)
        await http.stop()


async def looked(ground: Ground, times: int) -> None:
    """Wait until the poller has ended so many more looks; the first of them may have begun before."""
    for _ in range(times):
        before = ground.role.poller.view.looked_s
        await until(lambda before=before: ground.role.poller.view.looked_s > before)  # type: ignore[misc]


async def test_promote_refuse_by_hand_flap_and_delete(mlflow_server: MlflowServer) -> None:
    """A promoted version serves; `champion` moved by hand to one that nobody judged, or that failed, changes nothing;
    flapping ends at the one that passed; without the alias it goes on serving."""
    async with running(mlflow_server) as ground:
        await here(ground.log, 3)
        await ground.promote(1)
        await ground.promote(2)
        await until(lambda: ground.aliases() == {CANDIDATE: 2, CHAMPION: 2, PREVIOUS: 1})
        await here(ground.registry.set_alias, ground.name, CHAMPION, 3)
        await until(lambda: any(ground.name in note for note in ground.role.poller.notes()))
        await here(ground.judge, 3, Verdict.FAIL)
        await until(lambda: any("the gate said fail" in note for note in ground.role.poller.notes()))
        assert ground.served == 2
        for version in (1, 2, 3, 1, 3, 1, 2):
            await here(ground.registry.set_alias, ground.name, CHAMPION, version)
        await looked(ground, 2)  # it serves 2 already: only who has looked since the last change has seen it
        await until(lambda: ground.served == 2 and not ground.role.poller.notes())
        await here(ground.registry.delete_alias, ground.name, CHAMPION)
        await asyncio.sleep(0.4)
        assert ground.served == 2


async def test_a_server_that_is_away_changes_nothing_and_is_taken_up_again(mlflow_server: MlflowServer) -> None:
    """Killed while it answers: notes say since when, nothing is wished. The alias moves in its database meanwhile, past
    the server and without a webhook; started again: that alias, which passed, serves."""
    async with running(mlflow_server) as ground:
        await here(ground.log, 2)
        await ground.promote(1)
        await here(ground.registry.set_alias, ground.name, CANDIDATE, 2)
        await until(lambda: any(r.version == 2 and r.state is State.SHADOW for r in ground.world.standings))
        await here(ground.judge, 2)
        asking = [asyncio.create_task(here(hammer, ground)) for _ in range(3)]
        await asyncio.sleep(0.3)
        await here(mlflow_server.kill)
        await asyncio.gather(*asking)
        try:
            await until(lambda: any("ago holds" in note for note in ground.role.poller.notes()))
            rows = dict(ground.world.rows)
            await asyncio.sleep(0.4)
            assert (ground.world.rows, ground.served) == (rows, 1)
            await here(MlflowRegistry(f"sqlite:///{mlflow_server.database}").set_alias, ground.name, CHAMPION, 2)
        finally:
            await here(mlflow_server.start)
        await until(lambda: ground.served == 2)
        assert not ground.role.poller.view.trouble


def hammer(ground: Ground) -> None:
    """Set an alias to what it is, until the server does not answer any more."""
    with suppress(ModelRegistryUnavailableError):
        while True:
            ground.registry.set_alias(ground.name, CANDIDATE, 2)


async def test_deliveries_that_lie_change_nothing(mlflow_server: MlflowServer) -> None:
    """Forged, repeated, late, out of order, each saying that `champion` moved: what is looked at is the registry. One
    with the secret wakes; a forged one does not even that."""
    async with running(mlflow_server, poll_s=3600) as ground, httpx.AsyncClient() as http:
        await here(ground.log, 1)
        url, body = f"http://127.0.0.1:{ground.port}{PATH}", f'{{"name":"{ground.name}","version":"1"}}'

        async def deliver(secret: str, delivery: str, age_s: int = 0) -> int:
            made = signed_headers(secret, delivery, body, int(time.time()) - age_s)
            return (await http.post(url, content=body, headers=made)).status_code

        await until(lambda: ground.role.poller.view.looked_s > 0)
        looked = ground.role.poller.view.looked_s
        assert [await deliver("a guess at the secret", "d1"), await deliver(SECRET, "d2", 3600)] == [401, 401]
        await asyncio.sleep(0.4)
        assert ground.role.poller.view.looked_s == looked
        for delivery, age_s in (("d3", 0), ("d3", 0), ("d4", 200), ("d5", 100)):
            assert await deliver(SECRET, delivery, age_s) == 200
        await until(lambda: ground.role.poller.view.looked_s > looked)
        assert (ground.aliases(), ground.served, len(ground.world.rows)) == ({}, 0, 1)


async def test_a_server_that_hangs_does_not_hold_the_poller(
    mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and answers nothing: within the time limit it counts as away; then it is taken up again."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    async with running(mlflow_server) as ground:
        await here(ground.log, 1)
        await until(lambda: ground.role.poller.view.looked_s > 0)
        mlflow_server.freeze()
        try:
            await until(lambda: bool(ground.role.poller.view.trouble))
        finally:
            mlflow_server.wake()
        await ground.promote(1)
        assert not ground.role.poller.view.trouble


async def test_mlflows_own_webhook_wakes_the_poller(
    mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made as the guide makes it, with an hour between looks: an alias set in MLflow is acted on at once."""
    async with running(mlflow_server, poll_s=3600) as ground:
        await here(ground.log, 1)
        monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_URI", mlflow_server.url)
        monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("OPERATOR_URL", f"http://127.0.0.1:{ground.port}")
        (snippet,) = Guide("models.md").blocks("python")
        await asyncio.to_thread(exec, snippet, {})
        client = ground.registry._at.client  # type: ignore[attr-defined]
        (made,) = await asyncio.to_thread(client.list_webhooks)
        try:
            await asyncio.sleep(1.5)  # longer than the server remembers that it had no webhooks
            await here(ground.registry.set_alias, ground.name, CANDIDATE, 1)
            await until(lambda: len(ground.world.rows) == 2)
        finally:
            await asyncio.to_thread(client.delete_webhook, made.webhook_id)


def test_settings_name_what_is_wrong() -> None:
    """An address that is none is refused with its field."""
    with pytest.raises(ValueError, match="uri"):
        ModelsOptions(uri="postgres://x")
    assert Pace().every_s == ModelsOptions(uri="sqlite:///x").poll_s
