"""`roggia publish` and `roggia delete`."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from roggia_schemas.names import check_doc_id, check_slug

from roggia.cli import options
from roggia.cli.asking import at_terminal
from roggia.cli.bars import bars
from roggia.cli.output import counted, emit, say
from roggia.connection import KAFKA_VARIABLE, Connection, Named, data_directory, resolve
from roggia.errors import StandaloneError, UsageError
from roggia.publishing import events
from roggia.publishing.files import Candidate, Skipped, gather
from roggia.publishing.job import Job
from roggia.publishing.publisher import open_publisher
from roggia.publishing.revision import RevisionClock
from roggia.publishing.tracker import Tracker
from roggia.publishing.watch import Changes, watching

DELETE_STALL_S = 15.0


def publish(
    path: Annotated[list[Path], typer.Argument(help="Files and directories.")],
    *,
    tenant: options.Tenant,
    domain: options.Domain,
    acl: Annotated[
        list[str], typer.Option("--acl", help="A group that may read them (repeat); * is the whole tenant.")
    ],
    prefix: Annotated[str, typer.Option("--prefix", help="Put before every document id.")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Go on: publish changes, delete what goes.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when everything is searchable.")] = True,
    content_dir: Annotated[
        Path | None, typer.Option("--content-dir", help="Where files above 256 KiB are put for ingest.")
    ] = None,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Publish files as documents. Their ids are their paths relative to the directory named, so that publishing it
    again replaces them. Nothing is deleted, unless --watch sees a file go."""
    target = target_of(tenant, domain, acl)
    where = resolve(Named(data, bootstrap, registry))
    store = content_store(content_dir, data, named=bool(bootstrap or os.environ.get(KAFKA_VARIABLE)))
    job = _Publish(where, target, store, tuple(path), prefix)
    asyncio.run(job.watch(wait=wait, json=json) if watch else job.once(wait=wait, json=json))


def delete(
    doc_id: Annotated[list[str], typer.Argument(help="Exact document ids.")],
    *,
    tenant: options.Tenant,
    domain: options.Domain,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Look the documents up first; refuse another domain's.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when they are gone from the index.")] = True,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Delete documents by their exact ids. No patterns: a `*` is a character of an id like any other. An id is one
    document of its tenant: one that lives in another domain than the one named is refused, and nothing is deleted."""
    target = target_of(tenant, domain, ["*"])
    ids = [check_doc_id(one) for one in doc_id]
    where = resolve(Named(data, bootstrap, registry))
    if not yes:
        at_terminal("--yes: needed to delete without a terminal to ask at")
    if check:
        asyncio.run(_check_domains(where, target, ids))
    if not yes:
        _confirm(ids, target)
    tracker = asyncio.run(_delete(where, target, ids, wait))
    result = {"deleted": sorted(tracker.indexed), "unconfirmed": sorted(tracker.waiting)}
    emit(result) if json else _show_deleted(tracker, wait)


def target_of(tenant: str, domain: str, acl: Sequence[str]) -> events.Target:
    """Checked names. Raises what names the option at fault."""
    check_slug("--tenant", tenant)
    check_slug("--domain", domain)
    groups = tuple(dict.fromkeys(group.strip() for group in acl))
    if not groups or "" in groups:
        raise UsageError("--acl: name at least one group, or '*' for the whole tenant")
    return events.Target(tenant, domain, groups)


def content_store(content_dir: Path | None, data: Path | None, *, named: bool) -> events.ContentStore | None:
    """Where large files go: the folder named, else the embedded stack's; none for a Kafka named by address."""
    if content_dir:
        return events.ContentStore(content_dir)
    return None if named else events.ContentStore(data_directory(data).content)


def sort(paths: Sequence[Path], prefix: str) -> tuple[list[Candidate], list[Skipped]]:
    """Files to publish and files left out. Raises `UsageError` when there is nothing to publish or ids collide."""
    found = list(gather(paths, prefix))
    files = [one for one in found if isinstance(one, Candidate)]
    skipped = [one for one in found if isinstance(one, Skipped)]
    twice = [doc_id for doc_id, count in Counter(one.doc_id for one in files).items() if count > 1]
    if twice:
        raise UsageError(f"PATH: two files would both be {twice[0]!r}; publish them apart, each with its own --prefix")
    return files, skipped


@dataclass(frozen=True, slots=True)
class _Publish:
    """One call of `publish`."""

    where: Connection
    target: events.Target
    store: events.ContentStore | None
    paths: tuple[Path, ...]
    prefix: str

    async def once(self, *, wait: bool, json: bool) -> None:
        """Publish what is there."""
        files, skipped = sort(self.paths, self.prefix)
        if not files:
            report_skipped(skipped)
            raise UsageError(f"PATH: nothing that can be published in {', '.join(map(str, self.paths))}")
        async with self._job() as job:
            failed = await _publish(job, files, skipped, wait=wait, json=json)
        if failed:
            raise StandaloneError(f"{failed} documents were refused; see `roggia dlq list`")

    async def watch(self, *, wait: bool, json: bool) -> None:
        """Publish what is there, then what changes, until interrupted."""
        sort(self.paths, self.prefix)
        async with self._job() as job, watching(self.paths, self.prefix) as bursts:
            await _publish(job, *sort(self.paths, self.prefix), wait=wait, json=json)
            say("Watching for changes; Ctrl-C ends it.")
            async for changes in bursts:
                await follow(job, changes)

    @asynccontextmanager
    async def _job(self) -> AsyncIterator[Job]:
        async with open_publisher(self.where) as publisher:
            yield Job(publisher, self.target, RevisionClock(), self.store)


async def _publish(job: Job, files: Sequence[Candidate], skipped: Sequence[Skipped], *, wait: bool, json: bool) -> int:
    """Publish, show, and return how many were refused."""
    report_skipped(skipped)
    began = time.monotonic()
    with bars(len(files), "searchable" if wait else "sent") as shown:
        tracker = await job.publish(map(events.source, files), shown, wait=wait)
    _report(tracker, len(files), skipped, time.monotonic() - began, json=json, wait=wait)
    return len(tracker.failed)


async def follow(job: Job, changes: Changes) -> None:
    """Publish and delete what a burst of changes says."""
    documents = list(_readable(changes.files, job))
    if documents:
        tracker = await job.publish(documents, _quiet)
        for doc_id, event in tracker.indexed.items():
            chunks = counted(event.chunks, "chunk")
            say(f"  {doc_id}: {chunks}, {event.embedded} embedded, {event.cached} from the cache")
        for failure in tracker.failed:
            say(f"  {failure.doc_id}: refused: {failure.reason}")
    if changes.gone:
        await job.delete(changes.gone, _quiet, wait=False)
        say(f"  deleted: {', '.join(changes.gone)}")


def _readable(files: Sequence[Candidate], job: Job) -> Iterator[events.Source]:
    """What can be published of changed files: one that has gone again, or is too large, must not end the watch."""
    for file in files:
        try:
            document = events.source(file)
            events.check_size(document, job.store)
        except (OSError, UsageError) as wrong:
            say(f"skipped: {file.path}: {wrong}")
        else:
            yield document


def _quiet(_tracker: Tracker, _sent: int) -> None:
    """Shows nothing."""


def report_skipped(skipped: Sequence[Skipped]) -> None:
    """One line per reason, with an example."""
    by_reason: dict[str, list[Path]] = {}
    for one in skipped:
        by_reason.setdefault(one.reason, []).append(one.path)
    for reason, paths in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        say(f"skipped: {paths[0]}{more}: {reason}")


def _report(
    tracker: Tracker, count: int, skipped: Sequence[Skipped], seconds: float, *, json: bool, wait: bool
) -> None:
    for failure in tracker.failed:
        say(f"refused: {failure.doc_id}: {failure.reason}")
    if json:
        emit(_summary(tracker, count, skipped, seconds))
    elif wait:
        embedded = sum(event.embedded for event in tracker.indexed.values())
        chunks = f"{counted(tracker.chunks, 'chunk')}, {embedded:,} embedded"
        say(f"{counted(len(tracker.indexed), 'document')} searchable ({chunks}) in {seconds:.1f} s")
    else:
        say(f"{counted(count, 'document')} sent in {seconds:.1f} s")


def _summary(tracker: Tracker, count: int, skipped: Sequence[Skipped], seconds: float) -> dict[str, object]:
    indexed = tracker.indexed.values()
    return {
        "sent": count,
        "searchable": len(tracker.indexed),
        "chunks": tracker.chunks,
        "embedded": sum(event.embedded for event in indexed),
        "cached": sum(event.cached for event in indexed),
        "refused": [{"doc_id": one.doc_id, "reason": one.reason} for one in tracker.failed],
        "skipped": [{"path": str(one.path), "reason": one.reason} for one in skipped],
        "seconds": round(seconds, 3),
    }


async def _check_domains(where: Connection, target: events.Target, ids: Sequence[str]) -> None:
    async with open_publisher(where) as publisher:
        found = await publisher.domains(target.tenant, ids)
    for doc_id, domain in sorted(found.items()):
        if domain != target.domain:
            raise UsageError(f"--domain: {doc_id!r} lives in {domain!r}, not in {target.domain!r}; nothing was deleted")


def _confirm(ids: Sequence[str], target: events.Target) -> None:
    for one in ids:
        say(f"  {one}")
    question = f"Delete {len(ids)} document(s) of {target.tenant}/{target.domain}?"
    typer.confirm(question, abort=True, err=True)


async def _delete(where: Connection, target: events.Target, ids: Sequence[str], wait: bool) -> Tracker:
    async with open_publisher(where) as publisher:
        job = Job(publisher, target, RevisionClock())
        try:
            return await job.delete(ids, lambda _tracker, _sent: None, wait=wait, stall_s=DELETE_STALL_S)
        except StandaloneError as stalled:
            raise StandaloneError(
                f"sent, but the index did not confirm within {DELETE_STALL_S:.0f} s: the ids may be unknown there "
                f"({', '.join(ids[:3])}), or see `roggia status`"
            ) from stalled


def _show_deleted(tracker: Tracker, wait: bool) -> None:
    for doc_id, event in tracker.indexed.items():
        gone = f"deleted, {counted(event.removed, 'chunk')} removed" if event.removed else "not in the index"
        say(f"{doc_id}: {gone}")
    if not wait:
        say(f"{counted(len(tracker.waiting), 'deletion')} sent")
