"""What a process verifies with: one run at a time, failures in words, metrics, the sweep, what counts as settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest
from prometheus_client import REGISTRY
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.errors import StoreUnavailableError, UnknownStoreError
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.verifying import Verifiers
from roggia_embedder.ports.held import Held
from roggia_embedder.verify.errors import BadRequestError, BusyError
from roggia_embedder.verify.http import routes
from roggia_embedder.verify.kafka_log import KafkaSettledLog, Stages
from roggia_embedder.verify.limits import Throttle
from roggia_embedder.verify.sweep import Sweep
from roggia_embedder.verify.verifier import Runs, Verifier
from roggia_runtime.findings import Failure, Summary, VerifyRequest, message
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import GenerationModel, GenerationState
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.generations import row
from tests.support.ingesting import change, codec
from tests.support.stream import Stream, StreamLog
from tests.support.verifying import AT_ONCE, COLLECTION


class Down(MemoryStore):
    """A store that stops answering in the middle."""

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """One point, then nothing."""
        async for point in super().examine(collection):
            yield point
            raise StoreUnavailableError("vector store: HTTP 503")


async def verifier(store: MemoryStore) -> Verifier:
    """A verifier over a small index that lacks one head."""
    stream = Stream(store, MemoryCatalogue())
    await stream.publish(change("a", 1), change("b", 1))
    await stream.deliver()
    store._collections[COLLECTION].heads.popitem()
    return Verifier(store, lambda: StreamLog(stream), 1, AT_ONCE)


def metric(name: str, **labels: str) -> float:
    """What a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_one_run_at_a_time() -> None:
    """A second run is refused while one goes on, and begins once that was closed early."""
    one = await verifier(MemoryStore())
    first = one.begin(VerifyRequest())
    await anext(first)
    with pytest.raises(BusyError, match="another run"):
        one.begin(VerifyRequest())
    await first.aclose()
    assert isinstance([said async for said in one.begin(VerifyRequest())][-1], Summary)


async def test_a_whole_run_is_measured_and_a_narrow_one_is_not() -> None:
    """The gauges say what the last run over everything found; a run over one tenant leaves them alone."""
    one = await verifier(MemoryStore())
    _ = [said async for said in one.begin(VerifyRequest())]
    assert metric("roggia_verify_findings", kind="missing") == 1
    assert metric("roggia_verify_last_timestamp_seconds") > 0
    _ = [said async for said in one.begin(VerifyRequest(tenant="nobody"))]
    assert metric("roggia_verify_findings", kind="missing") == 1


async def test_a_store_that_fails_ends_the_run_in_words() -> None:
    """The last message is the failure, it is counted, and the next run may begin."""
    one, before = await verifier(Down()), metric("roggia_verify_runs_total", outcome="failed")
    for _ in range(2):
        said = [message async for message in one.begin(VerifyRequest())]
        assert said[-1] == Failure(message="vector store: HTTP 503")
    assert metric("roggia_verify_runs_total", outcome="failed") == before + 2


async def test_the_sweep_runs_by_its_interval_and_stops() -> None:
    """It verifies again and again until it is stopped; with an interval of 0 it never does."""
    one = await verifier(MemoryStore())
    before = metric("roggia_verify_runs_total", outcome="findings")
    sweep = Sweep(one, 0.01)
    task = asyncio.create_task(sweep.run())
    async with asyncio.timeout(20):
        while metric("roggia_verify_runs_total", outcome="findings") < before + 2:
            await asyncio.sleep(0.01)
    sweep.stop()
    await task
    never = Sweep(one, 0)
    task = asyncio.create_task(never.run())
    await asyncio.sleep(0.05)
    never.stop()
    await task


async def test_http_answers_in_lines_and_refuses_in_words() -> None:
    """Lines that end in a summary; a body that is none, and a second run, are refused with their reason."""
    one = await verifier(MemoryStore())
    client = TestClient(Starlette(routes=routes(one)))
    lines = client.post("/v1/verify", content=b"").text.splitlines()
    assert isinstance(message(lines[-1].encode()), Summary)
    for body, field in ((b"{", "body"), (b'{"tenants": 1}', "body"), (b'{"points_per_s": -1}', "points_per_s")):
        refused = client.post("/v1/verify", content=body)
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)
    run = one.begin(VerifyRequest())
    await anext(run)
    assert client.post("/v1/verify", content=b"{}").status_code == 409
    await run.aclose()


class Groups:
    """How far two groups are: what `Offsets` and `TopicAdmin` answer. Upsert moves on by `steps`, one at each look."""

    def __init__(self, embed: int | None, produced: int, steps: list[int]) -> None:
        self._embed, self._produced, self._steps = embed, produced, steps

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def committed(self, groups: list[str]) -> dict[str, dict[Partition, int]]:
        """Commits of embed (its lane's as well), or upsert's next step."""
        (group,) = groups
        if group == "embed":
            live = {} if self._embed is None else {Partition(topics.doc_chunked(1), 0): self._embed}
            return {group: live | {Partition(topics.replay(topics.doc_chunked(1)), 0): 99}}
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return {group: {Partition(topics.doc_embedded(1), 0): step}}

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """What embed has produced, and how far the chunk sets go."""
        return {topics.doc_embedded(1): {0: self._produced}, topics.doc_chunked(1): {0: 9}}[topic]


@pytest.mark.parametrize(
    ("embed", "produced", "steps", "said"),
    [(7, 5, [5], {0: 7}), (7, 5, [3, 4, 5], {0: 7}), (7, 5, [4], {}), (None, 0, [0], {})],
    ids=["done", "upsert catches up", "upsert stands still", "embed never committed"],
)
async def test_settled_is_what_embed_had_done_once_upsert_is_past_it(
    embed: int | None, produced: int, steps: list[int], said: dict[int, int]
) -> None:
    """Embed's commits on the live topic count once upsert has committed what embed had produced by then; not before."""
    stages = Stages(topics.doc_chunked(1), topics.doc_embedded(1), "embed", "upsert", wait_s=0.5)
    log = KafkaSettledLog(KafkaSettings(bootstrap="none:1"), codec(), stages)
    log._admin = groups = Groups(embed, produced, steps)  # type: ignore[assignment]
    log._groups = lambda: groups  # type: ignore[assignment,misc]
    assert await log.settled() == said


async def test_the_throttle_makes_up_for_what_came_too_early() -> None:
    """Work at the rate that was asked for is not held back; work ahead of it waits (it is cancelled here)."""
    await Throttle(0).spend(10**9)
    await Throttle(10**9).spend(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Throttle(1).spend(1_000)


async def test_a_generation_that_is_none_of_the_verifier_s_is_refused() -> None:
    """It would be compared with another log."""
    with pytest.raises(BadRequestError, match="generation: 2"):
        (await verifier(MemoryStore())).begin(VerifyRequest(generation=2))


async def test_a_generation_answers_for_its_selection_alone() -> None:
    """Documents of other knowledge bases are not missing in it."""
    stream = Stream(MemoryStore(), MemoryCatalogue())
    await stream.publish(change("a", 1), change("b", 1, domain="law"))
    await stream.deliver()
    await stream.store.drop_collection("kb_acme_law__g1")
    some = Verifier(stream.store, lambda: StreamLog(stream), 1, AT_ONCE, ("acme/docs",))
    (end,) = [said async for said in some.begin(VerifyRequest(generation=1)) if isinstance(said, Summary)]
    assert (end.findings, end.documents) == ({}, 1)
    whole = Verifier(stream.store, lambda: StreamLog(stream), 1, AT_ONCE)
    (end,) = [said async for said in whole.begin(VerifyRequest()) if isinstance(said, Summary)]
    assert end.findings.keys() == {"missing"}


def generations(*numbers: int) -> tuple[Verifiers, list[int]]:
    """Verifiers of generations that follow the log, and which of them were made."""
    rows = [row(number, GenerationState.FILLING) for number in numbers]
    made: list[int] = []

    def make(hosted: Hosted, runs: Runs) -> Verifier:
        made.append(hosted.number)
        stream = Stream(MemoryStore(), MemoryCatalogue())
        return Verifier(stream.store, lambda: StreamLog(stream), hosted.number, AT_ONCE, hosted.selection, runs)

    return Verifiers(View(lambda: rows, Hosted(1, GenerationModel(uri=""))), make), made


async def test_a_request_is_given_to_the_generation_that_it_means() -> None:
    """By its number, by its collection, or else the baseline; one that does not follow the log is refused with those
    that do; one run at a time over all of them."""
    verifiers, made = generations(2)
    for request in (VerifyRequest(generation=2), VerifyRequest(collection="kb_acme_docs__g2"), VerifyRequest()):
        _ = [said async for said in verifiers.begin(request)]
    assert made == [2, 2, 1]
    with pytest.raises(BadRequestError, match="3 does not follow the log; those that do: 1, 2"):
        verifiers.begin(VerifyRequest(generation=3))
    going = verifiers.begin(VerifyRequest(generation=2))
    await anext(going)
    with pytest.raises(BusyError):
        verifiers.begin(VerifyRequest(generation=1))
    await going.aclose()
    assert not isinstance([said async for said in verifiers.begin(VerifyRequest())][-1], Failure)


async def test_a_generation_in_a_store_that_is_not_here_cannot_be_verified() -> None:
    """It is refused with the reason, and does not end the sweep."""
    rows = [row(2, GenerationState.SHADOW, store="pg")]

    def make(hosted: Hosted, _runs: Runs) -> Verifier:
        raise UnknownStoreError(hosted.store, ())

    verifiers = Verifiers(View(lambda: rows, Hosted(1, GenerationModel(uri=""))), make)
    with pytest.raises(BadRequestError, match=r"2 cannot be read here: store: 'pg' .* ROGGIA_EMBEDDER_STORES"):
        verifiers.begin(VerifyRequest(generation=2))
    await Sweep(verifiers, 1.0, lambda: (2,)).once()


async def test_the_sweep_verifies_every_generation_that_it_is_given() -> None:
    """One after the other, and one that went meanwhile does not end it."""
    verifiers, made = generations(2)
    await Sweep(verifiers, 1.0, lambda: (1, 9, 2)).once()
    assert made == [1, 2]
