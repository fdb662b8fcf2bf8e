"""`roggia topics plan` and `apply`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.table import Column, Table
from roggia_runtime.acls import Acl, AclAdmin, NoAclsError, Pattern, Permission
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_changes import settings

from roggia.access import principals
from roggia.access.plan import AclPlan, apply_acls, plan_acls
from roggia.cli import options
from roggia.cli.asking import at_terminal
from roggia.cli.output import emit, out
from roggia.connection import Named, resolve
from roggia.errors import StandaloneError, UsageError
from roggia.inspect.topics import TopicPlan, apply_topics, plan_topics
from roggia.publishing.publisher import kafka_settings

DIFFERS = 6
"""Exit status of `plan` when there is something to do."""

PrincipalsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--principals",
        envvar="ROGGIA_PRINCIPALS",
        help="YAML file that says who is who (default: ROGGIA_PRINCIPALS, else User:roggia-<role> for every role).",
        show_envvar=False,
    ),
]
Generations: TypeAlias = Annotated[
    list[int] | None,
    typer.Option("--generation", min=1, help="Also topics of this index generation, before it fills; repeatable."),
]
WithAcls: TypeAlias = Annotated[bool, typer.Option("--acls/--no-acls", help="Look at ACLs too, where Kafka has them.")]


@dataclass(frozen=True, slots=True)
class Plan:
    """Topics and, where the cluster has an authorizer and they were asked for, ACLs."""

    topics: TopicPlan
    acls: AclPlan | None

    def dangers(self) -> set[str]:
        """Names that `--confirm` may hold."""
        risky = {change.topic for change in self.topics.changes if change.danger}
        return risky | {acl.principal for acl in self.acls.surplus} if self.acls else risky

    def held_back(self, confirmed: Collection[str]) -> list[str]:
        """Names that were not typed."""
        return sorted((self.dangers() - set(confirmed)) - {change.topic for change in self.topics.conflicts})

    def to_do(self, confirmed: Collection[str]) -> bool:
        """True when `apply` would change something."""
        acls = self.acls is not None and bool(self.acls.missing or self.acls.revocable(confirmed))
        return acls or any(change.allowed(confirmed) for change in self.topics.changes)


def plan(
    file: PrincipalsFile = None,
    acls: WithAcls = True,
    generation: Generations = None,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    json: options.Json = False,
) -> None:
    """Show how Kafka differs from the catalogue, and change nothing: `apply --dry-run`, and a status for scripts.

    Exit status: 0 nothing to do, 6 there are differences, 1 one of them cannot be mended by `apply`.
    """
    found = asyncio.run(_plan(kafka_settings(resolve(Named(data, bootstrap))), file, generation, acls=acls))
    emit(as_json(found)) if json else show(found)
    _refuse_conflicts(found)
    if found.topics.changes or found.acls:
        raise typer.Exit(DIFFERS)


def apply(
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", help="Topic that may lose data, or principal that may lose rights; repeatable."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    file: PrincipalsFile = None,
    acls: WithAcls = True,
    generation: Generations = None,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    json: options.Json = False,
) -> None:
    """Create topics and ACLs that Kafka lacks, and bring settings into line. Deletes no topic.

    What could lose data, move keys or take rights away is done only for topics and principals named with --confirm.
    """
    where = kafka_settings(resolve(Named(data, bootstrap)))
    found, confirmed = asyncio.run(_plan(where, file, generation, acls=acls)), frozenset(confirm or ())
    for name in sorted(confirmed - found.dangers()):
        raise UsageError(f"--confirm {name}: nothing dangerous is planned for it; `roggia topics plan` shows what is")
    emit(as_json(found, confirmed)) if json else show(found)
    if not dry_run and found.to_do(confirmed):
        _agree(yes)
        asyncio.run(_apply(where, found, confirmed, generation))
    _refuse_conflicts(found)
    if not dry_run and (left := found.held_back(confirmed)):
        names = " ".join(f"--confirm {name}" for name in left)
        raise StandaloneError(f"not done, because data or rights could be lost; to do it all the same: {names}")


def show(found: Plan) -> None:
    """The plan for people."""
    topics = found.topics
    table = Table("change", *(Column(name, overflow="fold") for name in ("of", "difference", "danger")), box=None)
    for change in topics.changes:
        table.add_row(change.action.value, change.topic, change.detail, change.danger)
    for verb, rules, danger in _rules(found.acls):
        for principal, what in grouped(rules):
            table.add_row(verb, principal, what, danger)
    out.print(table) if table.row_count else out.print("nothing to do")
    for topic, made in (topics.by_hand or {}).items():
        out.print(f"left as it is: {topic}: {settings(made)}", markup=False, soft_wrap=True)
    if topics.unknown:
        out.print(f"not in the catalogue, left alone: {', '.join(topics.unknown)}", markup=False, soft_wrap=True)
    if found.acls and found.acls.others:
        out.print(f"ACLs of other principals, left alone: {len(found.acls.others)}", markup=False)


def grouped(rules: Iterable[Acl]) -> Iterator[tuple[str, str]]:
    """ACLs for people: principal, and what it may do with one resource."""
    merged: dict[tuple[str, str, str], list[str]] = {}
    for acl in sorted(rules):
        verb = "" if acl.permission is Permission.ALLOW else "not "
        name = f"{acl.name}*" if acl.pattern is Pattern.PREFIXED else acl.name
        where = "" if acl.host == "*" else f" from {acl.host}"
        kind = acl.resource.name.lower().replace("_", " ")
        merged.setdefault((acl.principal, verb, f"{kind} {name}{where}"), []).append(acl.operation.name)
    for (principal, verb, what), operations in merged.items():
        yield principal, f"{verb}{', '.join(operations)} on {what}"


def as_json(found: Plan, confirmed: Collection[str] = ()) -> dict[str, Any]:
    """The plan for scripts; `allowed` says whether `apply` does it with the names that were confirmed."""
    rows = [
        {
            "action": change.action.value,
            "topic": change.topic,
            "detail": change.detail,
            "danger": change.danger,
            "allowed": change.allowed(confirmed),
        }
        for change in found.topics.changes
    ]
    plan = found.acls
    rules = None
    if plan is not None:
        rules = {name: [acl_row(acl) for acl in getattr(plan, name)] for name in ("missing", "surplus", "others")}
    unknown, by_hand = list(found.topics.unknown), found.topics.by_hand or {}
    return {"changes": rows, "unknown": unknown, "by_hand": by_hand, "acls": rules}


def acl_row(acl: Acl) -> dict[str, str]:
    """One ACL for scripts."""
    return {
        "principal": acl.principal,
        "permission": acl.permission.name,
        "operation": acl.operation.name,
        "resource": acl.resource.name,
        "name": acl.name,
        "pattern": acl.pattern.name,
        "host": acl.host,
    }


async def _plan(where: KafkaSettings, file: Path | None, generations: list[int] | None, *, acls: bool) -> Plan:
    who = principals.load(file)
    topics = await plan_topics(where, generations or ())
    if not acls:
        return Plan(topics, None)
    try:
        return Plan(topics, await plan_acls(where, who, topics.specs))
    except NoAclsError as error:
        if file is not None:
            raise UsageError(f"--principals: {error}; leave it out, or secure the cluster first") from None
        return Plan(topics, None)


async def _apply(where: KafkaSettings, found: Plan, confirmed: Collection[str], generations: list[int] | None) -> None:
    await apply_topics(where, confirmed=confirmed, generations=generations or ())
    if found.acls is not None:
        await apply_acls(AclAdmin(where), found.acls, confirmed)


def _rules(plan: AclPlan | None) -> list[tuple[str, tuple[Acl, ...], str]]:
    return [("allow", plan.missing, ""), ("revoke", plan.surplus, "whoever uses it would be stopped")] if plan else []


def _agree(yes: bool) -> None:
    if yes:
        return
    at_terminal("--yes: needed to apply without a terminal; `roggia topics plan` shows what would be done")
    typer.confirm("Do it?", abort=True, err=True)


def _refuse_conflicts(found: Plan) -> None:
    if found.topics.conflicts:
        names = ", ".join(change.topic for change in found.topics.conflicts)
        raise StandaloneError(f"cannot be brought into line: {names}; the plan says why")
