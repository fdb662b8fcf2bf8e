"""`roggia topics acls`: the ACLs that the catalogue asks for, without asking Kafka."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.table import Column, Table
from roggia_runtime.acls import Acl, Pattern, Permission, Resource
from roggia_schemas import topics as catalogue

from roggia.access import principals, roles
from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.cli.topic_plan import PrincipalsFile, acl_row, grouped
from roggia.errors import UsageError


def acls(
    publisher: Annotated[str, typer.Option("--publisher", help="ACLs of a system that publishes, User:NAME.")] = "",
    consumer: Annotated[str, typer.Option("--consumer", help="ACLs of a system that reads topics, User:NAME.")] = "",
    topic: Annotated[list[str] | None, typer.Option("--topic", help="What the consumer reads; repeatable.")] = None,
    group: Annotated[str, typer.Option("--group", help="How the consumer's group names begin.")] = "",
    commands: Annotated[bool, typer.Option("--commands", help="As arguments of Kafka's own kafka-acls.sh.")] = False,
    file: PrincipalsFile = None,
    json: options.Json = False,
) -> None:
    """Print the ACLs that the catalogue asks for: of Roggia's services, or of one system around it. Asks no broker."""
    outside = _wanted(publisher, consumer, topic or [], group)
    found = sorted(outside or principals.load(file).acls(catalogue.catalogue()))
    if json:
        emit([acl_row(acl) for acl in found])
    elif commands:
        for acl in found:
            out.print(command(acl), markup=False, soft_wrap=True)
    else:
        table = Table(Column("principal", overflow="fold"), Column("may", overflow="fold"), box=None)
        for principal, what in grouped(found):
            table.add_row(principal, what)
        out.print(table)


def command(acl: Acl) -> str:
    """Arguments of kafka-acls.sh that add one ACL."""
    kinds = {
        Resource.TOPIC: ["--topic", acl.name],
        Resource.GROUP: ["--group", acl.name],
        Resource.TRANSACTIONAL_ID: ["--transactional-id", acl.name],
        Resource.CLUSTER: ["--cluster"],
    }
    who = "--allow-principal" if acl.permission is Permission.ALLOW else "--deny-principal"
    operation = "".join(part.capitalize() for part in acl.operation.name.split("_"))
    pattern = ["--resource-pattern-type", acl.pattern.name.lower()] if acl.pattern is Pattern.PREFIXED else []
    return shlex.join(["--add", who, acl.principal, "--operation", operation, *kinds[acl.resource], *pattern])


def _wanted(publisher: str, consumer: str, topics: list[str], group: str) -> set[Acl]:
    if consumer and not (topics and group):
        raise UsageError("--consumer: name what it reads with --topic, and its groups with --group")
    if (topics or group) and not consumer:
        raise UsageError("--topic, --group: they say what a --consumer reads; name it")
    for option, principal in (("--publisher", publisher), ("--consumer", consumer)):
        if principal:
            principals.check_principal(option, principal)
    for name in topics:
        catalogue.spec(name)
    found = roles.publisher(publisher) if publisher else set()
    return found | (roles.consumer(consumer, topics, group) if consumer else set())
