"""The head start of a generation as its host runs it: scores of documents, read while they are needed, and the lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.session import OnAssigned
from roggia_runtime.records import Handler
from roggia_runtime.service import Worker
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.tables import Table
from roggia_schemas import topics
from roggia_schemas.events import DocPopularity

from roggia_embedder.generations.chunk_log import Committed, OwnPartitions
from roggia_embedder.generations.headstart import Filling, HeadStart, head_start
from roggia_embedder.generations.hosted import Hosted
from roggia_embedder.generations.share import EncoderShare
from roggia_embedder.settings import embed_group


@dataclass(frozen=True, slots=True)
class Lane:
    """`make` makes its worker, anew for every try; `assigned` is told what partitions the log pass has."""

    make: Callable[[], Worker]
    assigned: OnAssigned


class Together:
    """A table and the head start that reads it, as one worker: where one of them ends, the other does. The table lives
    as long: up to a kilobyte per document is a price for nobody but a generation that fills."""

    def __init__(self, scores: Table[DocPopularity], head: HeadStart) -> None:
        self._scores, self._head = scores, head

    async def run(self) -> None:
        """Work until `stop`, once all scores are there. Raises the first failure."""
        await self._scores.start()
        tasks = [asyncio.create_task(self._scores.run()), asyncio.create_task(self._head.run())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure

    def stop(self) -> None:
        """Return from `run` after the batch in hand."""
        self._scores.stop()
        self._head.stop()

    def health(self) -> list[str]:
        """Nothing waits for it."""
        return []

    def notes(self) -> list[str]:
        """Why it does not help, or orders by old scores."""
        return [*self._head.notes(), *self._scores.health()]


def lane(kafka: KafkaSettings, codec: EventCodec, hosted: Hosted, handler: Handler, share: EncoderShare) -> Lane:
    """For a generation whose log pass runs in this process; `handler` judges for the lane."""
    topic, group = topics.doc_chunked(hosted.chunker_generation), embed_group(hosted.number)
    own = OwnPartitions(Committed(kafka, group, topic), topic)

    def made() -> Worker:
        scores = Table(kafka, codec, topics.DOC_POPULARITY, DocPopularity)
        filling = Filling(hosted.number, hosted.selection, handler, scores.rows)
        head = head_start(settings=kafka, topic=topic, group=group, filling=filling, share=share, progress=own)
        return Together(scores, head)

    return Lane(made, own.assigned)
