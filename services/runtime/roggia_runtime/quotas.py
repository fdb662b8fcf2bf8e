"""Client quotas, which aiokafka lacks: how many bytes per second the brokers take from one client id."""

from __future__ import annotations

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from roggia_runtime import connecting
from roggia_runtime.errors import AdminError
from roggia_runtime.settings import KafkaSettings

_RATE = "producer_byte_rate"
_TEXT = String("utf-8")
_ENTITY = ("entity", Array(("entity_type", _TEXT), ("entity_name", _TEXT)))


class NoQuotasError(AdminError):
    """The brokers do not know client quotas."""


class AlterClientQuotasResponse_v0(Response):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _TEXT), _ENTITY)),
    )


class AlterClientQuotasRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801, D101
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterClientQuotasResponse_v0
    SCHEMA = Schema(
        ("entries", Array(_ENTITY, ("ops", Array(("key", _TEXT), ("value", Float64), ("remove", Boolean))))),
        ("validate_only", Boolean),
    )


class _Alter(Request[AlterClientQuotasRequest_v0]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, client_id: str, bytes_per_s: float | None) -> None:
        self._client_id, self._rate = client_id, bytes_per_s

    def build(self, request_struct_class: type[AlterClientQuotasRequest_v0]) -> AlterClientQuotasRequest_v0:
        """See aiokafka's `Request`."""
        operation = (_RATE, self._rate or 0.0, self._rate is None)
        return request_struct_class([([("client-id", self._client_id)], [operation])], False)


async def limit_producer(settings: KafkaSettings, client_id: str, bytes_per_s: float | None) -> None:
    """Let the brokers slow down whoever produces under `client_id` to `bytes_per_s`; None removes the limit.

    Raises `NoQuotasError` where brokers lack them, `AdminError` when they refuse, and what `connecting` raises.
    """
    async with connecting.admin_client(settings) as client:
        try:
            answer = await client._send_request(_Alter(client_id, bytes_per_s))  # noqa: SLF001 - no call of its own
        except IncompatibleBrokerVersion as error:
            raise NoQuotasError(f"Kafka at {settings.bootstrap} does not know client quotas") from error
        except KafkaError as error:
            raise AdminError(f"Kafka at {settings.bootstrap}: {error!r}") from error
    for code, message, _ in answer.entries:
        if code:
            raise AdminError(f"Kafka sets no quota for {client_id}: {for_code(code).__name__} ({message})")
