"""Kafka's access rules (ACLs) as values, and the three things to do with them: read, add, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    SecurityDisabled,
    for_code,
)

from roggia_runtime import connecting
from roggia_runtime.acl_requests import CreateAcls, DeleteAcls, DescribeAcls, Row
from roggia_runtime.errors import AdminError
from roggia_runtime.settings import KafkaSettings

_ANY = 1
"""In a filter: every resource type, pattern, operation or permission."""

_CHUNK = 200
"""ACLs in one request."""


class NoAclsError(AdminError):
    """The cluster has no authorizer, or does not know ACLs at all: everybody may do everything."""


class Resource(IntEnum):
    """What an ACL is about."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class Pattern(IntEnum):
    """How an ACL names resources."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What an ACL allows. READ, WRITE, DELETE and ALTER bring DESCRIBE with them; ALTER_CONFIGS, DESCRIBE_CONFIGS."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """DENY wins over ALLOW."""

    DENY = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One rule: `principal` (User:…) may, or may not, do one thing with resources of one name or prefix."""

    principal: str
    resource: Resource
    name: str
    operation: Operation
    pattern: Pattern = Pattern.LITERAL
    permission: Permission = Permission.ALLOW
    host: str = "*"


class AclAdmin:
    """Reads and changes ACLs; each call connects by itself.

    Every call raises `UnavailableError` when no broker answers, `NoAclsError` when the cluster has no ACLs, and
    `AdminError` when Kafka refuses.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def list(self) -> tuple[Acl, ...]:
        """Every ACL, sorted; those on resources that this version does not know are left out."""
        async with self._client() as client:
            answer = await _send(client, DescribeAcls((_ANY, None, _ANY, None, None, _ANY, _ANY)))
        self._refuse(answer.error_code, answer.error_message, "read ACLs")
        return tuple(sorted(_acls(answer.resources)))

    async def create(self, acls: Sequence[Acl]) -> None:
        """Add ACLs; one that exists is no error."""
        async with self._client() as client:
            for rows in _chunks(acls):
                for code, message in (await _send(client, CreateAcls(rows))).results:
                    self._refuse(code, message, "create ACLs")

    async def delete(self, acls: Sequence[Acl]) -> None:
        """Delete exactly these ACLs; one that is gone already is no error."""
        async with self._client() as client:
            for rows in _chunks(acls):
                for code, message, deleted in (await _send(client, DeleteAcls(rows))).filter_results:
                    self._refuse(code, message, "delete ACLs")
                    for row_code, row_message, *_ in deleted:
                        self._refuse(row_code, row_message, "delete ACLs")

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AIOKafkaAdminClient]:
        async with connecting.admin_client(self._settings) as client:
            try:
                yield client
            except IncompatibleBrokerVersion as error:
                raise NoAclsError(f"Kafka at {self._settings.bootstrap} does not know ACLs") from error
            except KafkaError as error:
                raise AdminError(f"Kafka at {self._settings.bootstrap}: {error!r}") from error

    def _refuse(self, code: int, message: str | None, what: str) -> None:
        if not code:
            return
        where, error = self._settings.bootstrap, for_code(code)
        if error is SecurityDisabled:
            raise NoAclsError(f"Kafka at {where} has no authorizer: everybody may do everything")
        if error is ClusterAuthorizationFailedError:
            who = connecting.principal(self._settings)
            remedy = "call this as one of the cluster's super.users, or grant it DESCRIBE and ALTER on the cluster"
            raise AdminError(f"Kafka at {where} does not let {who} {what}: {remedy}")
        raise AdminError(f"Kafka at {where} does not {what}: {error.__name__} ({message})")


async def _send(client: AIOKafkaAdminClient, request: Any) -> Any:
    return await client._send_request(request)  # noqa: SLF001 - the client has no call for ACLs


def _chunks(acls: Sequence[Acl]) -> Iterator[list[Row]]:
    for start in range(0, len(acls), _CHUNK):
        yield [_row(acl) for acl in acls[start : start + _CHUNK]]


def _row(acl: Acl) -> Row:
    return (acl.resource, acl.name, acl.pattern, acl.principal, acl.host, acl.operation, acl.permission)


def _acls(resources: Sequence[Any]) -> Iterator[Acl]:
    for kind, name, pattern, entries in resources:
        for principal, host, operation, permission in entries:
            try:
                yield Acl(
                    principal,
                    Resource(kind),
                    name,
                    Operation(operation),
                    Pattern(pattern),
                    Permission(permission),
                    host,
                )
            except ValueError:  # a kind that a later Kafka added
                continue
