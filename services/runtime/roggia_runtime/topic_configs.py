"""The settings that topics have now."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError

from roggia_runtime import clients
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.settings import KafkaSettings


async def topic_configs(settings: KafkaSettings, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings by topic, defaults included. Raises `UnavailableError`, `AdminError`."""
    if not names:
        return {}
    client = AIOKafkaAdminClient(**clients.connection(settings))
    try:
        await client.start()
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        responses = await client.describe_configs(resources)
    except KafkaConnectionError as error:
        raise UnavailableError(f"Kafka at {settings.bootstrap} does not answer") from error
    except KafkaError as error:
        raise AdminError(f"Kafka at {settings.bootstrap}: {error!r}") from error
    finally:
        await client.close()
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for _, _, _, name, entries in response.resources
    }
