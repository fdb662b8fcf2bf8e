"""`roggia eval drift`: has the content moved, does it repeat itself?"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from roggia_operator.evaluation.adapters.windows import Between, Window, windows
from roggia_operator.evaluation.drift.duplicates import duplicates
from roggia_operator.evaluation.drift.mmd import content
from roggia_operator.times import moment
from roggia_runtime.clock import now_ms

from roggia.cli import options
from roggia.cli.connected import codec_of
from roggia.cli.eval_views import show_triggers
from roggia.cli.output import emit
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError
from roggia.publishing.publisher import kafka_settings


def drift(
    generation: Annotated[int, typer.Option("--generation", min=1, help="Generation whose vectors are compared.")] = 1,
    reference: Annotated[
        str, typer.Option("--reference", help="Begin of the reference window: 6d ago, or a date.")
    ] = "6d",
    recent: Annotated[str, typer.Option("--recent", help="Its end, where the recent window begins.")] = "1d",
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's documents.")] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Compare documents that changed lately with those before. Drift is a reason to plan a generation, never more."""
    now = now_ms()
    between = Between(moment("--reference", reference, now), moment("--recent", recent, now))
    if between.start >= between.middle:
        raise UsageError(f"--reference: {reference} does not lie before --recent {recent}")
    where = resolve(Named(data, bootstrap, registry))
    before, after = asyncio.run(_windows(where, generation, between, tenant))
    found = [content(before.vectors, after.vectors), duplicates(before.texts, after.texts)]
    emit(msgspec.to_builtins(found)) if json else show_triggers(found)


async def _windows(where: Connection, generation: int, between: Between, tenant: str) -> tuple[Window, Window]:
    async with codec_of(where, "eval") as codec:
        return await windows(kafka_settings(where), codec, generation, between, tenant)
