"""Compare the bundled schemas with a registry, and register them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from roggia_runtime.registry import RegistryClient
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import bundled, topics


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """One subject: registered already, addable, or incompatible (`problems` says why)."""

    subject: str
    status: str
    problems: tuple[str, ...] = ()


@asynccontextmanager
async def registry(settings: RegistrySettings) -> AsyncIterator[RegistryClient]:
    """A client that is closed at the end."""
    client = RegistryClient(settings)
    try:
        yield client
    finally:
        await client.close()


async def check(client: RegistryClient) -> list[SubjectReport]:
    """What registering would do, subject by subject; changes nothing."""
    return [
        await _check(client, bundled.subject(spec.name), spec.event) for spec in topics.catalogue() if live(spec.name)
    ]


async def register(client: RegistryClient) -> list[SubjectReport]:
    """Register every bundled schema under its topic's subject, with the topic's compatibility mode."""
    done = []
    for spec in topics.catalogue():
        if live(spec.name):
            subject = bundled.subject(spec.name)
            await client.set_compatibility(subject, spec.compatibility)
            schema_id = await client.register(subject, bundled.schema_text(spec.event))
            done.append(SubjectReport(subject, f"id {schema_id}"))
    return done


def live(topic: str) -> bool:
    """Whether a topic has a schema of its own (dead letters and lanes hold their source's bytes)."""
    return topics.base(topic) == topic


async def _check(client: RegistryClient, subject: str, event: str) -> SubjectReport:
    schema = bundled.schema_text(event)
    if await client.lookup(subject, schema) is not None:
        return SubjectReport(subject, "registered")
    problems = await client.compatible(subject, schema)
    return SubjectReport(subject, "incompatible" if problems else "can be registered", tuple(problems))
