"""What `roggia status` shows: processes, lag, freshness, dead letters."""

from __future__ import annotations

from typing import Any

import aiohttp
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.selection import Selection
from roggia_operator.jobs.table import Job, read
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics

from roggia.inspect.lag import LagView
from roggia.stack.data import ProcessState, StackState

NEWEST = 1000
"""Dead letters per partition of a DLQ that are counted, the newest."""
PROBE_TIMEOUT_S = 2.0


async def report(
    kafka: KafkaSettings, registry: RegistrySettings, view: LagView, stack: StackState | None
) -> dict[str, Any]:
    """Everything, as one JSON-like value. `stack` is the embedded one, where it is what is looked at."""
    seen = await view.look()
    jobs = topics.OPS_JOB in await TopicAdmin(kafka).topics()
    return {
        "processes": await processes(stack) if stack else [],
        **seen,
        "dead_letters": await open_letters(kafka, registry) if jobs else [],
        "jobs": await open_jobs(kafka, registry) if jobs else [],
    }


async def open_jobs(kafka: KafkaSettings, registry: RegistrySettings) -> list[dict[str, Any]]:
    """Jobs that have not ended: how far they are, and why they stand as they do."""
    codec = EventCodec(registry, source="roggia/status")
    try:
        jobs, _ = await read(kafka, codec)
    finally:
        await codec.stop()
    return [_job(job) for job in jobs if not job.ended]


def _job(job: Job) -> dict[str, Any]:
    done, whole = job.reach
    return {
        "job": job.job_id,
        "status": job.status.value,
        "done": done,
        "all": whole,
        "message": job.state.message if job.state else "no operator has taken it yet",
    }


async def open_letters(kafka: KafkaSettings, registry: RegistrySettings) -> list[dict[str, Any]]:
    """Causes with letters that wait for somebody: stage, kind, fingerprint, how many of the newest."""
    codec = EventCodec(registry, source="roggia/status")
    try:
        async with KafkaLog(kafka) as log:
            groups = await DeadLetters(log, codec).groups(Selection(), newest=NEWEST)
    finally:
        await codec.stop()
    return [{"stage": one.stage, "kind": one.kind, "fingerprint": one.fingerprint, "open": one.open} for one in groups]


async def processes(stack: StackState) -> list[dict[str, Any]]:
    """The stack's processes as the supervisor last saw them, and what each says is not ready."""
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return [await _process(name, state, http) for name, state in stack.processes.items()]


async def _process(name: str, state: ProcessState, http: aiohttp.ClientSession) -> dict[str, Any]:
    row = {"name": name, "status": state.status, "pid": state.pid, "restarts": state.restarts}
    return row | {"not_ready": await _not_ready(state.health, http)}


async def _not_ready(health: str | None, http: aiohttp.ClientSession) -> list[str]:
    if not health or not health.endswith("/health/ready"):
        return []
    try:
        async with http.get(health) as reply:
            body = await reply.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as failed:
        return [f"does not answer ({type(failed).__name__})"]
    return [str(one) for one in body.get("not_ready", ())]
