"""`roggia generation`: another model or chunker for the index: filled as a stream, served, rolled back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeAlias

import typer
from roggia_operator.generations.client import Asked, GenerationClient, Plan, next_number, planned
from roggia_operator.generations.planning import check_bases, check_chunker, check_model, check_store
from roggia_operator.generations.settings import GenerationOptions
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import load
from roggia_schemas.events import GenerationModel, GenerationState, GenerationWish, IndexGeneration

from roggia.cli import options
from roggia.cli.asking import somebody
from roggia.cli.connected import codec_of
from roggia.cli.generation_options import (
    bound_of,
    discarded,
    evidence,
    foretell,
    known_bases,
    known_stores,
    newest,
    typed_name,
)
from roggia.cli.generation_views import generation_row, show_generation, show_generations
from roggia.cli.generation_waiting import QUICK_S, accepted, answered, begun, readers, until, watch
from roggia.cli.output import emit, out, say
from roggia.connection import Connection, Named, resolve
from roggia.errors import StandaloneError
from roggia.publishing.publisher import kafka_settings

app = typer.Typer(no_args_is_help=True, help="Index generations: re-embed as a stream, cut over, roll back.")
READERS_S = 30.0
"""Seconds that readers have to follow a rollback before the command says which did not."""

Number: TypeAlias = Annotated[int, typer.Argument(min=1, help="The generation: `roggia generation list` shows them.")]
Why: TypeAlias = Annotated[str, typer.Option("--why", help="Why; kept in its history.")]
Report: TypeAlias = Annotated[
    str, typer.Option("--report", help="Id of the gate's report, or a JSON file that holds one.")
]
Discard: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--discard", help="Its topic that may go with the dead letters that it holds; repeatable."),
]
Override: TypeAlias = Annotated[
    str, typer.Option("--override", help="Do without the gate, for this reason. You answer for it by name.")
]
Patience: TypeAlias = Annotated[float, typer.Option("--patience", min=0, help="Seconds to wait for it.")]


@app.command("plan")
def plan(
    model: Annotated[
        str,
        typer.Option("--model", help="bundled:NAME, file:///PATH, models:/NAME/VERSION, https://HOST/v1, stub:SEED."),
    ],
    *,
    select: Annotated[
        list[str] | None, typer.Option("--select", help="TENANT/DOMAIN or TENANT/*; repeatable. Without: everything.")
    ] = None,
    store: Annotated[
        str, typer.Option("--store", help="Another vector store, by its name in ROGGIA_EMBEDDER_STORES.")
    ] = "",
    chunker: Annotated[int, typer.Option("--chunker", min=1, help="Chunker generation that is read.")] = 1,
    name: Annotated[str, typer.Option("--name", help="Name of the model on its server.")] = "",
    version: Annotated[str, typer.Option("--version", help="Version of its weights.")] = "",
    fingerprint: Annotated[str, typer.Option("--fingerprint", help="Fingerprint that it must have.")] = "",
    window: Annotated[int, typer.Option("--window", help="Most tokens of one text, special tokens included.")] = 512,
    prefixes: Annotated[
        tuple[str, str], typer.Option("--prefixes", help="What is put before every passage, and before every query.")
    ] = ("", ""),
    rate: Annotated[float, typer.Option("--rate", min=0, help="Chunks per second at most; 0: no bound.")] = 0.0,
    paused: Annotated[bool, typer.Option("--paused", help="Begin only when resumed.")] = False,
    why: Why = "",
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Ask for another generation. It fills beside the one in use, and follows what is published meanwhile."""
    where = resolve(Named(data, bootstrap, registry, query_url))
    said = check_model(
        GenerationModel(
            uri=model, name=name, version=version, fingerprint=fingerprint, window=window,
            passage_prefix=prefixes[0], query_prefix=prefixes[1],
        )
    )  # fmt: skip

    async def work(client: GenerationClient) -> None:
        chosen = check_bases(select or (), await known_bases(where) if select else None)
        check_chunker(chunker, await TopicAdmin(kafka_settings(where)).topics())
        if store:
            check_store(store, await known_stores(where))
        asked = Plan(said, chosen, chunker, rate, paused, somebody(), why, store)
        if dry_run:
            number = next_number(await client.table(), client.baseline)
            foretell(planned(asked, number), await client.table(), client.baseline, json=json)
            return
        number = await client.plan(asked)
        emit({"generation": number}) if json else out.print(f"g{number}", markup=False)
        say(f"Watch it: roggia generation show {number} --watch")
        pair = await begun(client, number)
        accepted(pair)

    _run(where, work)


@app.command("list")
def list_(
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """List every generation, and what each serves."""

    async def work(client: GenerationClient) -> None:
        table = await client.table()
        if json:
            emit([generation_row(pair, table, client.baseline) for pair in table])
        else:
            show_generations(table, client.baseline)

    _run(resolve(Named(data, bootstrap, registry)), work)


@app.command("show")
def show(
    generation: Number,
    *,
    watching: Annotated[bool, typer.Option("--watch", help="Go on until it is filled.")] = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show one generation with its history. Exit status 1 when it has failed."""

    async def work(client: GenerationClient) -> None:
        if watching:
            await watch(client, generation, json=json)
        table, pair = await client.table(), await client.get(generation)
        if json and not watching:
            emit(generation_row(pair, table, client.baseline))
        elif not json:
            show_generation(pair, table, client.baseline)
        if pair.status is GenerationState.FAILED:
            raise StandaloneError(f"g{generation}: FAILED: {pair.side.message}")

    _run(resolve(Named(data, bootstrap, registry)), work)


@app.command("promote")
def promote(
    generation: Number,
    *,
    report: Report = "",
    override: Override = "",
    why: Why = "",
    watching: Annotated[bool, typer.Option("--watch/--no-watch", help="Wait until it serves.")] = True,
    patience: Patience = 3600.0,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Let a generation serve, once its index is exactly what the log says and the gate has passed."""
    asked = evidence(report, override, why)

    async def work(client: GenerationClient) -> None:
        told = await client.wished(generation, GenerationWish.SERVE, asked)
        if dry_run:
            foretell(told, await client.table(), client.baseline, json=json)
            return
        await client.send(told)
        pair = await answered(client, generation)
        if watching:
            say(f"g{generation} {pair.status.value}: {pair.side.message}; Ctrl-C leaves the wish standing")
            pair, _ = await until(client, generation, GenerationState.LIVE, patience)
        else:
            accepted(pair)
        _told(pair.side, json=json)

    _run(resolve(Named(data, bootstrap, registry)), work)


@app.command("rollback")
def rollback(
    generation: Annotated[int, typer.Argument(min=0, help="The generation; without it, the one cut over to last.")] = 0,
    *,
    why: Why = "",
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Go back. Returns when every reader is on the generation from before, and says how long that took."""
    where = resolve(Named(data, bootstrap, registry, query_url))

    async def work(client: GenerationClient) -> None:
        number = generation or newest(await client.table())
        told = await client.wished(number, GenerationWish.ROLL_BACK, Asked(somebody(), why))
        if dry_run:
            foretell(told, await client.table(), client.baseline, json=json)
            return
        began = time.monotonic()
        await client.send(told)
        _, table = await until(client, number, GenerationState.ROLLED_BACK, READERS_S, QUICK_S)
        decided = time.monotonic() - began
        if not where.query:
            say("--query-url: no query service is known, so readers were not asked")
        late = await readers(where.query, table, client.baseline, READERS_S) if where.query else []
        took = time.monotonic() - began
        if json:
            emit({"generation": number, "decided_s": decided, "readers_s": took, "late": late})
        else:
            out.print(f"g{number} rolled back: decided in {decided:.2f} s, readers in {took:.2f} s", markup=False)
        if late:
            raise StandaloneError(f"readers that did not follow within {READERS_S:g} s: {', '.join(late)}")

    _run(where, work)


@app.command("retire")
def retire(
    generation: Number,
    *,
    confirm: Annotated[str, typer.Option("--confirm", help="Its name, gN; without it you are asked to type it.")] = "",
    discard: Discard = None,
    why: Why = "",
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Give a generation up: it follows no more, and its collections, groups and topics are deleted. There is no way
    back. Topics with dead letters stay until their names are given."""
    asked = Asked(somebody(), why, override=discarded(discard or (), generation))

    async def work(client: GenerationClient) -> None:
        told = await client.wished(generation, GenerationWish.RETIRE, asked)
        if not json or dry_run:
            foretell(told, await client.table(), client.baseline, json=json)
        if dry_run:
            return
        typed_name(f"g{generation}", confirm)
        await client.send(told)
        pair = await answered(client, generation)
        accepted(pair)
        _told(pair.side, json=json)

    _run(resolve(Named(data, bootstrap, registry)), work)


@app.command("canary")
def canary(
    generation: Number,
    percent: Annotated[float, typer.Argument(min=0, max=100, help="Share of queries that it answers; 0 ends it.")],
    *,
    report: Report = "",
    override: Override = "",
    why: Why = "",
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Let a filled generation answer some of the queries. It needs what a cutover needs of the gate."""
    asked = evidence(report, override, why) if percent else Asked(somebody(), why)
    _change(
        resolve(Named(data, bootstrap, registry)), lambda client: client.canaried(generation, percent, asked),
        dry_run=dry_run, json=json,
    )  # fmt: skip


@app.command("rate")
def rate(
    generation: Number,
    chunks: Annotated[str, typer.Argument(help="Chunks per second that filling may embed; off lifts the bound.")],
    *,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Bound how quickly a generation fills."""
    bound = 0.0 if chunks == "off" else bound_of(chunks)
    _change(
        resolve(Named(data, bootstrap, registry)), lambda client: client.changed(generation, rate=bound),
        dry_run=dry_run, json=json,
    )  # fmt: skip


def _pausing(paused: bool) -> Callable[..., None]:
    """The command that pauses or goes on."""

    def command(
        generation: Number,
        *,
        dry_run: options.DryRun = False,
        data: options.Data = None,
        bootstrap: options.Bootstrap = "",
        registry: options.Registry = "",
        json: options.Json = False,
    ) -> None:
        _change(
            resolve(Named(data, bootstrap, registry)), lambda client: client.changed(generation, paused=paused),
            dry_run=dry_run, json=json,
        )  # fmt: skip

    return command


app.command("pause", help="Pause a filling. It stays paused over restarts; what it has filled is kept.")(_pausing(True))
app.command("resume", help="Let a paused filling go on.")(_pausing(False))


def _change(
    where: Connection,
    change: Callable[[GenerationClient], Awaitable[IndexGeneration]],
    *,
    dry_run: bool,
    json: bool,
) -> None:
    async def work(client: GenerationClient) -> None:
        told = await change(client)
        if dry_run:
            foretell(told, await client.table(), client.baseline, json=json)
            return
        await client.send(told)
        pair = await answered(client, told.generation)
        _told(pair.side, json=json)

    _run(where, work)


def _run(where: Connection, work: Callable[[GenerationClient], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _client(where) as client:
            await work(client)

    asyncio.run(run())


@asynccontextmanager
async def _client(where: Connection) -> AsyncIterator[GenerationClient]:
    baseline = load(GenerationOptions).baseline
    async with (
        codec_of(where, "generation") as codec,
        GenerationClient(kafka_settings(where), codec, baseline) as client,
    ):
        yield client


def _told(side: IndexGeneration, *, json: bool) -> None:
    if json:
        emit({"generation": side.generation, "state": side.state.value, "message": side.message})
    else:
        out.print(f"g{side.generation} {side.state.value}: {side.message}", markup=False, soft_wrap=True)
