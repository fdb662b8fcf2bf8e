"""What the embed role does for one generation, twice over one model and one cache: for its log pass, and for a head
start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from roggia_runtime.consumer.session import OnAssigned
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.records import Handler
from roggia_runtime.tenancy import Tenants
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel

from roggia_embedder.embedding.in_hand import InHand
from roggia_embedder.embedding.metering import Meter, Metering
from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import Encode, VectorSupply
from roggia_embedder.generations import metrics
from roggia_embedder.generations.hosted import Hosted
from roggia_embedder.generations.lane import Lane
from roggia_embedder.generations.pace import Held, HeldLane, Pace
from roggia_embedder.generations.share import CountedModel, EncoderShare
from roggia_embedder.generations.turns import TurnEncoder, Turns
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_embedder.ports import EmbeddingModel, Matrix, VectorCache
from roggia_embedder.ports.codec import EventCodec

TURNS = 2
"""Turns that a filling generation makes of what would be one encoding batch. What serves waits for a turn; and over the
some 160 texts of one event batch, smaller turns pad less: 3 to 5 % of the encoder's time on a CPU
(`bench_reembed`)."""
Load = Callable[[GenerationModel], EmbeddingModel]
"""Blocking: seconds. Raises `ModelLoadError` or `ModelUnavailableError`."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How head starts are made here. `share`: of the texts that both encode, so much at most is the lane's while the
    log pass has work. `patience_s`: seconds that a lane has for its last batch."""

    lane: Callable[[Hosted, Handler, EncoderShare], Lane]
    share: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class EmbedParts:
    """What the generations of one process share. `loop` makes the loop of one generation with a handler. `ahead` is
    None where nothing has a head start."""

    codec: EventCodec
    cache: VectorCache
    tenants: Tenants
    turns: Turns
    load: Load
    loop: Callable[[Hosted, Handler, OnAssigned | None], ConsumerLoop]
    part_bytes: int
    batch_tokens: int
    ahead: Ahead | None = None
    metering: Metering = field(default_factory=Metering)
    fingerprints: dict[int, str] = field(default_factory=dict)
    """Of the models that were loaded, by generation."""


class Encoding:
    """The handlers of one generation. No text is computed by both: what one has in hand, the other waits for."""

    def __init__(self, model: EmbeddingModel, hosted: Hosted, now: Callable[[], Hosted], parts: EmbedParts) -> None:
        self._model, self._hosted, self._now, self._parts = model, hosted, now, parts
        self._pace, self._in_hand = Pace(), InHand()
        self.share = EncoderShare() if parts.ahead is None else EncoderShare(parts.ahead.share)

    def log_pass(self) -> Handler:
        """Judges what the loop brings."""
        meter = self._meter(lambda: self._now().filling)
        counted = self._counted("log", self.share.log, meter)
        encode = _telling(self.share, self._turns(counted, lambda: self._now().filling))
        return Held(self._handler(counted, encode, meter), self._now, self._pace, self._parts.turns, self.share.waits)

    def lane(self) -> Handler:
        """Judges for a head start: a turn at a time, within the same rate."""
        meter = self._meter(lambda: True)
        counted = self._counted("lane", self.share.lane, meter)
        return HeldLane(self._handler(counted, self._turns(counted, lambda: True), meter), self._now, self._pace)

    def _meter(self, aside: Callable[[], bool]) -> Meter | None:
        return self._parts.metering.meter(self._model, aside)

    def _counted(self, by: str, told: Callable[[int], None], meter: Meter | None) -> CountedModel:
        texts = metrics.TEXTS.labels(self._hosted.number, by)

        def encoded(count: int) -> None:
            texts.inc(count)
            told(count)

        return CountedModel(meter or self._model, encoded)

    def _turns(self, model: EmbeddingModel, filling: Callable[[], bool]) -> Encode:
        budget = max(1, self._parts.batch_tokens // TURNS)
        return TurnEncoder(self._parts.turns, model, budget, filling, self._pace.spent)

    def _handler(self, model: EmbeddingModel, encode: Encode, meter: Meter | None) -> Handler:
        parts, hosted = self._parts, self._hosted
        return EmbedHandler(
            topic=topics.doc_embedded(hosted.number),
            codec=parts.codec,
            supply=VectorSupply(model, parts.cache, encode, self._in_hand, meter),
            target=Target(hosted.number, model.fingerprint, model.dimension, parts.part_bytes),
            window=model.window,
            tenants=parts.tenants,
            selection=hosted.selection,
        )


def _telling(share: EncoderShare, encode: Encode) -> Encode:
    """While the log pass waits for the encoder it does not rest."""

    async def told(texts: Sequence[str]) -> Matrix:
        with share.working():
            return await encode(texts)

    return told
