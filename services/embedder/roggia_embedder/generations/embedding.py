"""The embed role's worker of one generation: its model, loaded first, then its own loop over the chunk log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.records import Handler
from roggia_runtime.tenancy import Tenants
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel

from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import VectorSupply
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.pace import Held, Pace
from roggia_embedder.generations.turns import TurnEncoder, Turns
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_embedder.ports import EmbeddingModel, VectorCache
from roggia_embedder.ports.codec import EventCodec

Load = Callable[[GenerationModel], EmbeddingModel]
"""Blocking: seconds. Raises `ModelLoadError` or `ModelUnavailableError`."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EmbedParts:
    """What the generations of one process share. `loop` makes the loop of one generation with a handler."""

    codec: EventCodec
    cache: VectorCache
    tenants: Tenants
    turns: Turns
    load: Load
    loop: Callable[[Hosted, Handler], ConsumerLoop]
    part_bytes: int
    batch_tokens: int
    fingerprints: dict[int, str] = field(default_factory=dict)
    """Of the models that were loaded, by generation."""


class EmbedWorker:
    """Loads the model, then reads the log as group `roggia.embed.g<N>`. State, pause and rate are looked up in `view`
    with every batch."""

    def __init__(self, hosted: Hosted, view: View, parts: EmbedParts) -> None:
        self._hosted, self._view, self._parts = hosted, view, parts
        self._stopping = asyncio.Event()
        self._loop: ConsumerLoop | None = None
        self.fingerprint = ""
        """The loaded model's; empty until then."""

    async def run(self) -> None:
        """Work until `stop`. Raises what the model or the loop raises."""
        model = await asyncio.to_thread(self._parts.load, self._hosted.model)
        self.fingerprint = self._parts.fingerprints[self._hosted.number] = model.fingerprint
        log.info("model_loaded", generation=self._hosted.number, model=model.fingerprint)
        if self._stopping.is_set():
            return
        self._loop = self._parts.loop(self._hosted, self._handler(model))
        await self._loop.run()

    def stop(self) -> None:
        """End `run`; a model that is being loaded is loaded first."""
        self._stopping.set()
        if self._loop is not None:
            self._loop.stop()

    def health(self) -> list[str]:
        """What is not ready."""
        return ["embed: loading the model"] if self._loop is None else self._loop.health()

    def notes(self) -> list[str]:
        """What is wrong although it works, and a wait on purpose."""
        now = self._now()
        waits = [f"embed: {now.label} is paused"] if now.filling and now.paused else []
        return waits if self._loop is None else [*self._loop.notes(), *waits]

    def _now(self) -> Hosted:
        return self._view.get(self._hosted.number) or self._hosted

    def _handler(self, model: EmbeddingModel) -> Handler:
        parts, hosted, pace = self._parts, self._hosted, Pace()
        encode = TurnEncoder(parts.turns, model, parts.batch_tokens, lambda: self._now().filling, pace.spent)
        handler = EmbedHandler(
            topic=topics.doc_embedded(hosted.number),
            codec=parts.codec,
            supply=VectorSupply(model, parts.cache, encode),
            target=Target(hosted.number, model.fingerprint, model.dimension, parts.part_bytes),
            window=model.window,
            tenants=parts.tenants,
            selection=hosted.selection,
        )
        return Held(handler, self._now, pace, parts.turns)
