"""Events on Kafka: values through the Avro codec and the registry, keys and headers by the topic's rules."""

from __future__ import annotations

from typing import TypeVar

from roggia_schemas import bundled, cloudevents
from roggia_schemas.codec import Codec
from roggia_schemas.errors import UnknownSchemaError
from roggia_schemas.events import (
    AuditCheckpoint,
    GenerationSide,
    IndexGeneration,
    JobSide,
    OpsJob,
    PriceChanged,
    TenantBudget,
    TenantUsage,
)
from roggia_schemas.names import check_slug, document_key
from roggia_schemas.topics import base, catalogue
from roggia_schemas.wiretypes import Event

from roggia_runtime import replay, tracing
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.records import Headers, Output, Record
from roggia_runtime.registry import RegistryClient
from roggia_runtime.settings import RegistrySettings

E = TypeVar("E", bound=Event)


class EventCodec:
    """Decodes records and builds outputs. One per process; call `start` before `output`.

    Without a registry, schemas have the ids that are bundled. With one, the ids are the registry's: looked up at
    the start, and registered only when `register` allows it (development).
    """

    def __init__(self, settings: RegistrySettings, *, source: str, register: bool = False) -> None:
        self._settings = settings
        self._source = source
        self._register = register
        self._registry = RegistryClient(settings) if settings.url else None
        self._codec = Codec()

    async def start(self) -> None:
        """Learn the ids to write with. Raises `UnavailableError`, or `ConfigurationError` for a missing schema."""
        if self._registry is None:
            return
        live = [spec for spec in catalogue() if base(spec.name) == spec.name]
        self._codec = Codec({spec.event: await self._id(self._registry, spec.name, spec.event) for spec in live})

    async def stop(self) -> None:
        """Close connections."""
        if self._registry is not None:
            await self._registry.close()

    async def decode(self, cls: type[E], record: Record) -> E:
        """The event in a record.

        Raises errors of `roggia_schemas` (a dead letter: `SchemasError`), and `UnavailableError` while the registry
        that must be asked for a new writer schema is down.
        """
        value = record.value or b""
        try:
            return self._codec.decode(cls, value, record.headers)
        except UnknownSchemaError as error:
            if not await self._learn(error):
                raise
        return self._codec.decode(cls, value, record.headers)

    def encode(self, event: Event, topic: str) -> bytes:  # noqa: ARG002  # the contract names the topic
        """The value of an event. Raises `EncodeError`: a bug in the caller."""
        return self._codec.encode(event)

    def output(
        self, topic: str, event: Event, *, event_type: str | None = None, parent_headers: Headers = ()
    ) -> Output:
        """A record to produce: key, value, headers of the event, and those of its parent's trace and replay."""
        headers = cloudevents.headers(
            event,
            event_type=event_type or f"roggia.{type(event).EVENT}",
            source=self._source,
            traceparent=tracing.child(topic, parent_headers),
        )
        return Output(topic, key(event), self.encode(event, topic), headers + replay.carried(parent_headers))

    async def _learn(self, error: UnknownSchemaError) -> bool:
        if self._registry is None:
            return False
        if error.guid is not None:
            schema = await self._registry.schema_by_guid(error.guid)
            if schema is not None:
                self._codec.learn_guid(error.guid, schema)
            return schema is not None
        if error.schema_id is None:
            return False
        schema = await self._registry.schema_by_id(error.schema_id)
        if schema is not None:
            self._codec.learn(error.schema_id, schema)
        return schema is not None

    async def _id(self, registry: RegistryClient, topic: str, event: str) -> int:
        subject, schema = bundled.subject(topic), bundled.schema_text(event)
        if self._register:
            return await registry.register(subject, schema)
        known = await registry.lookup(subject, schema)
        if known is None:
            raise ConfigurationError(
                f"ROGGIA_REGISTRY_URL: the registry has no schema for {subject}: run `roggia schemas register`"
            )
        return known


def key(event: Event) -> bytes:
    """Kafka key of an event: `tenant/doc` of a document, `job/side` and `g<N>/side` of a job and a generation, what a
    price, a total or a checkpoint is of, else the tenant."""
    if isinstance(event, OpsJob):
        return job_key(event.job_id, event.side)
    if isinstance(event, IndexGeneration):
        return generation_key(event.generation, event.side)
    if isinstance(event, AuditCheckpoint):
        return event.log.encode()
    if isinstance(event, PriceChanged):
        return f"{event.provider}/{event.model}".encode()
    if isinstance(event, TenantUsage):
        return "/".join((check_slug("tenant_id", event.tenant_id), event.day, event.provider, event.model)).encode()
    if isinstance(event, TenantBudget):
        return f"{check_slug('tenant_id', event.tenant_id)}/{event.period}".encode()
    tenant_id: str = getattr(event, "tenant_id", "")
    doc_id: str | None = getattr(event, "doc_id", None)
    return check_slug("tenant_id", tenant_id).encode() if doc_id is None else document_key(tenant_id, doc_id)


def job_key(job_id: str, side: JobSide) -> bytes:
    """Kafka key of one side of a job: `<job_id>/wanted` or `<job_id>/state`. Raises `InvalidNameError`."""
    return f"{check_slug('job_id', job_id)}/{side.value.lower()}".encode()


def generation_key(generation: int, side: GenerationSide) -> bytes:
    """Kafka key of one side of an index generation: `g<N>/wanted` or `g<N>/state`."""
    return f"g{generation}/{side.value.lower()}".encode()
