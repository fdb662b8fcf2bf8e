"""The embed role's worker of one generation: its model, loaded first, then its own loop over the chunk log, and a head
start beside it while the generation fills."""

from __future__ import annotations

import asyncio

import structlog
from roggia_runtime.loop import ConsumerLoop

from roggia_embedder.generations.encoding import Ahead, EmbedParts, Encoding
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.while_filling import WhileFilling

log = structlog.get_logger()


class EmbedWorker:
    """Loads the model, then reads the log as group `roggia.embed.g<N>`. State, pause and rate are looked up in `view`
    with every batch."""

    def __init__(self, hosted: Hosted, view: View, parts: EmbedParts) -> None:
        self._hosted, self._view, self._parts = hosted, view, parts
        self._stopping = asyncio.Event()
        self._loop: ConsumerLoop | None = None
        self._ahead: WhileFilling | None = None
        self.fingerprint = ""
        """The loaded model's; empty until then."""

    async def run(self) -> None:
        """Work until `stop`. Raises what the model or the loop raises, and nothing that befalls the head start."""
        model = await asyncio.to_thread(self._parts.load, self._hosted.model)
        self.fingerprint = self._parts.fingerprints[self._hosted.number] = model.fingerprint
        log.info("model_loaded", generation=self._hosted.number, model=model.fingerprint)
        if self._stopping.is_set():
            return
        encoding, ahead = Encoding(model, self._hosted, self._now, self._parts), self._parts.ahead
        if ahead is not None:
            await self._with_head_start(encoding, ahead)
            return
        self._loop = self._parts.loop(self._hosted, encoding.log_pass(), None)
        await self._loop.run()

    async def _with_head_start(self, encoding: Encoding, ahead: Ahead) -> None:
        lane = ahead.lane(self._hosted, encoding.lane(), encoding.share)
        what = f"embed: head start of {self._hosted.label}"
        self._ahead = WhileFilling(lambda: self._now().filling, lane.make, what, ahead.patience_s)
        self._loop = self._parts.loop(self._hosted, encoding.log_pass(), lane.assigned)
        beside = asyncio.create_task(self._ahead.run())
        try:
            await self._loop.run()
        finally:
            self._ahead.stop()
            await beside

    def stop(self) -> None:
        """End `run`; a model that is being loaded is loaded first."""
        self._stopping.set()
        for worker in (self._ahead, self._loop):
            if worker is not None:
                worker.stop()

    def health(self) -> list[str]:
        """What is not ready."""
        return ["embed: loading the model"] if self._loop is None else self._loop.health()

    def notes(self) -> list[str]:
        """What is wrong although it works, and a wait on purpose."""
        now = self._now()
        waits = [f"embed: {now.label} is paused"] if now.filling and now.paused else []
        workers = [worker for worker in (self._loop, self._ahead) if worker is not None]
        return [*(note for worker in workers for note in worker.notes()), *waits]

    def _now(self) -> Hosted:
        return self._view.get(self._hosted.number) or self._hosted
