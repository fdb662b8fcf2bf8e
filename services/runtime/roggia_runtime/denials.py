"""What Kafka forbids, in one line: who may not do what, and how to grant it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from roggia_runtime.connecting import principal
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.settings import KafkaSettings

DENIED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
_REMEDY = "`roggia topics plan` shows the ACLs that are missing, `roggia topics apply` grants them"


def explain(error: BaseException, settings: KafkaSettings | None, doing: str = "") -> str:
    """One line for an error of a client with these settings. `doing` says what was tried, better than the error can."""
    where = f"Kafka at {settings.bootstrap}" if settings else "Kafka"
    if not isinstance(error, DENIED):
        return f"{where}: {error!r}"
    who = principal(settings) if settings else "this client"
    return f"{where} does not let {who} {doing or _named(error)}: {_REMEDY}"


@asynccontextmanager
async def translated(settings: KafkaSettings) -> AsyncIterator[None]:
    """What a client with these settings raises within, as ours: `UnavailableError` when no broker answers (nobody is
    asked why: whoever watches meets it again and again), `AdminError` when Kafka refuses or does not answer in time."""
    try:
        yield
    except KafkaConnectionError as error:
        raise UnavailableError(
            f"Kafka at {settings.bootstrap} does not answer; start it, or name another address"
        ) from error
    except (KafkaError, TimeoutError) as error:
        raise AdminError(explain(error, settings)) from error


def _named(error: BaseException) -> str:
    if isinstance(error, ClusterAuthorizationFailedError):
        return "do this on the cluster"
    if isinstance(error, TransactionalIdAuthorizationFailed):
        return "use this transactional id"
    kind = "group" if isinstance(error, GroupAuthorizationFailedError) else "topic"
    return f"use {kind} {', '.join(_names(error))}".rstrip()


def _names(error: BaseException) -> list[str]:
    """The client gives a name, or a set of names."""
    found = error.args[0] if error.args else ""
    return sorted(map(str, found)) if isinstance(found, set | frozenset | list | tuple) else [str(found)]
