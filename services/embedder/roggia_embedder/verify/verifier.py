"""What a process that holds a store verifies with: one run at a time, counted."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import msgspec
import structlog
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.findings import Failure, Finding, Kind, Message, Summary, VerifyRequest

from roggia_embedder.ports import VectorStore
from roggia_embedder.verify import metrics
from roggia_embedder.verify.errors import BadRequestError, BusyError
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.log import SettledLog
from roggia_embedder.verify.run import verify
from roggia_embedder.verify.scope import Scope, scope_of

log = structlog.get_logger()


@dataclass(slots=True)
class Runs:
    """What the verifiers of one process share: whether a run goes on; each generation's last whole one."""

    busy: bool = False
    last: dict[int, Summary] = field(default_factory=dict)


class Verifier:
    """Runs of one generation of one store. `log` makes the chunk log of one run; `pace` is the server's own."""

    def __init__(
        self,
        store: VectorStore,
        log: Callable[[], SettledLog],
        generation: int,
        pace: Pace,
        selection: tuple[str, ...] = (),
        runs: Runs | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._generation = generation
        self._pace = pace
        self._selection = selection
        self._runs = runs or Runs()

    def begin(self, request: VerifyRequest) -> AsyncGenerator[Message]:
        """The messages of a run that starts when they are read. Raises `BadRequestError`, `InvalidNameError`, or
        `BusyError` while another goes on. Close it to end the run early."""
        if request.generation not in (0, self._generation):
            raise BadRequestError("generation", f"{request.generation} is not the {self._generation} of this verifier")
        scope = scope_of(request, self._generation, self._selection)
        if self._runs.busy:
            raise BusyError("verify: another run goes on in the service that was asked; wait for its end")
        rate = request.points_per_s or self._pace.points_per_s
        return self._run(scope, replace(self._pace, points_per_s=rate))

    async def _run(self, scope: Scope, pace: Pace) -> AsyncGenerator[Message]:
        if self._runs.busy:
            raise BusyError("verify: another run goes on in the service that was asked; wait for its end")
        self._runs.busy = True
        try:
            async with aclosing(verify(self._store, self._log(), scope, pace)) as messages:
                async for message in messages:
                    if isinstance(message, Summary):
                        self._measure(message, scope)
                        message = msgspec.structs.replace(message, generation=self._generation)  # noqa: PLW2901
                    yield message
        except (UnavailableError, AdminError, OSError) as error:
            metrics.RUNS.labels("failed").inc()
            log.warning("verification failed", error=str(error))
            yield Failure(message=str(error))
        finally:
            self._runs.busy = False

    def _measure(self, summary: Summary, scope: Scope) -> None:
        _counted(summary)
        if scope == Scope(f"g{self._generation}", selection=self._selection):
            self._runs.last[self._generation] = summary
            _measured(list(self._runs.last.values()))


def _counted(summary: Summary) -> None:
    metrics.RUNS.labels("clean" if summary.clean else "findings" if summary.findings else "pending").inc()
    metrics.DOCUMENTS.inc(summary.documents)
    metrics.POINTS.inc(summary.points)


def _measured(last: Sequence[Summary]) -> None:
    for kind in Kind:
        metrics.FINDINGS.labels(kind.value).set(sum(summary.findings.get(kind.value, 0) for summary in last))
    metrics.PENDING.set(sum(summary.pending for summary in last))
    metrics.LAST_SECONDS.set(sum(summary.seconds for summary in last))
    metrics.LAST_END.set(time.time())


async def finished(messages: AsyncIterator[Message], most: int) -> Summary | Failure | None:
    """Read a run to its end, and log its first `most` findings. None: it was ended early."""
    shown, last = 0, None
    async for message in messages:
        if isinstance(message, Finding) and shown < most:
            shown += 1
            log.warning(
                "finding",
                kind=message.kind.value,
                collection=message.collection,
                doc_id=message.doc_id,
                point=message.point_id,
                detail=message.detail,
            )
        if isinstance(message, Summary | Failure):
            last = message
    return last
