"""Operators who change one job at the same moment."""

from __future__ import annotations

import asyncio

import pytest
from roggia_operator.jobs.client import JobClient, Request
from roggia_schemas.events import JobKind, JobWish

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.loops import settings
from tests.support.replaying import codec


@pytest.mark.parametrize("rounds", [12])
async def test_two_operators_who_change_a_job_at_once_both_have_it(devstack_alone: Broker, rounds: int) -> None:
    """One pauses and resumes, one sets limits, a third other limits: each finds in the end what it asked for last."""
    kafka = settings(devstack_alone.bootstrap)
    await apply_topics(kafka)
    async with JobClient(kafka, codec()) as one, JobClient(kafka, codec()) as two, JobClient(kafka, codec()) as three:
        job = await one.submit(Request(JobKind.REPLAY, "{}", {"tokens": 1.0}))
        for number in range(1, rounds + 1):
            wish = JobWish.PAUSE if number % 2 else JobWish.RUN
            await asyncio.gather(
                one.wish(job, wish),
                two.rate(job, {"records": float(number)}),
                three.rate(job, {"bytes": number * 10.0}),
            )
            wanted = (await one.get(job)).wanted
            assert wanted is not None
            assert (wanted.wish, wanted.rates) == (wish, {"tokens": 1.0, "records": number, "bytes": number * 10})
