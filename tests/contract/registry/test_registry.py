"""The devstack registry speaks the Schema Registry API: asked by Confluent's client, by our own, and by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from roggia_runtime.registry import RegistryClient
from roggia_runtime.settings import RegistrySettings

from tests.support.registry import Registry


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that several tests use, each with subjects of its own."""
    server = Registry(tmp_path_factory.mktemp("registry"))
    server.start()
    yield server
    server.kill()


def avro(*fields: dict[str, Any], name: str = "Doc") -> str:
    """A record schema."""
    return json.dumps({"type": "record", "name": name, "namespace": "test", "fields": list(fields)})


ID = {"name": "id", "type": "string"}
TITLE = {"name": "title", "type": "string"}
TITLE_DEFAULT = {"name": "title", "type": "string", "default": ""}


def call(registry: Registry, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON content of one request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(registry.url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register(registry: Registry, subject: str, schema: str) -> tuple[int, Any]:
    """Register a schema by hand."""
    return call(registry, "POST", f"/subjects/{subject}/versions", {"schema": schema})


def test_confluent_serializer_registers_and_reads_back(registry: Registry) -> None:
    """Confluent's Avro serializer with its default settings registers its schema here, and its deserializer reads."""
    client = SchemaRegistryClient({"url": registry.url})
    serialize = AvroSerializer(client, avro(ID, TITLE_DEFAULT))
    context = SerializationContext("docs", MessageField.VALUE)
    framed = serialize({"id": "a", "title": "A"}, context)
    assert framed[:5] == b"\0\0\0\0\1"
    assert AvroDeserializer(SchemaRegistryClient({"url": registry.url}))(framed, context) == {"id": "a", "title": "A"}
    assert client.get_subjects() == ["docs-value"]


def test_confluent_client_calls(registry: Registry) -> None:
    """Every call of Confluent's client that concerns Avro schemas without references works."""
    client = SchemaRegistryClient({"url": registry.url})
    first, second = Schema(avro(ID), "AVRO"), Schema(avro(ID, TITLE_DEFAULT), "AVRO")
    assert client.register_schema("s", first) == 1
    assert client.test_compatibility("s", second)
    assert not client.test_compatibility("s", Schema(avro(ID, TITLE), "AVRO"))
    assert client.register_schema("s", second) == 2
    assert client.get_versions("s") == [1, 2]
    assert client.get_latest_version("s").schema_id == 2
    assert client.get_version("s", 1).schema_id == 1
    assert client.lookup_schema("s", second).version == 2
    assert json.loads(client.get_schema(1).schema_str) == json.loads(first.schema_str)
    assert client.set_compatibility("s", "FULL_TRANSITIVE") == {"compatibility": "FULL_TRANSITIVE"}
    assert client.get_compatibility("s") == "FULL_TRANSITIVE"
    guid = client.get_version("s", 2).guid
    assert json.loads(client.get_schema_by_guid(guid).schema_str) == json.loads(second.schema_str)
    assert client.delete_subject("s") == [1, 2]
    assert client.get_subjects() == []
    with pytest.raises(SchemaRegistryError) as refused:
        SchemaRegistryClient({"url": registry.url}).get_latest_version("s")
    assert refused.value.error_code == 40401


async def test_runtime_client(registry: Registry) -> None:
    """Our own client registers, looks up, asks for compatibility, and reads by id and by GUID."""
    client = RegistryClient(RegistrySettings(url=registry.url))
    try:
        await client.set_compatibility("t-value", "FULL_TRANSITIVE")
        schema_id = await client.register("t-value", avro(ID))
        assert await client.register("t-value", avro(ID)) == schema_id
        assert await client.lookup("t-value", avro(ID)) == schema_id
        assert await client.lookup("t-value", avro(TITLE)) is None
        assert await client.compatible("t-value", avro(ID, TITLE_DEFAULT)) == []
        assert "title" in str(await client.compatible("t-value", avro(ID, TITLE)))
        latest = await client.latest("t-value")
        assert latest is not None
        assert (latest.version, latest.schema_id) == (1, schema_id)
        assert json.loads(await client.schema_by_id(schema_id) or "") == json.loads(avro(ID))
        assert await client.schema_by_id(99) is None
        assert await client.schema_by_guid("00000000-0000-0000-0000-000000000000") is None
    finally:
        await client.close()


def test_ids_and_versions_survive_kill(registry: Registry) -> None:
    """After kill -9 every id means the same schema, levels are kept, and a new schema gets a new id."""
    ids = [register(registry, f"s{n}", avro(ID, name=f"D{n}"))[1]["id"] for n in range(5)]
    call(registry, "PUT", "/config/s1", {"compatibility": "NONE"})
    call(registry, "DELETE", "/subjects/s4")
    registry.kill()
    registry.start()
    for n, schema_id in enumerate(ids):
        assert f'"D{n}"' in call(registry, "GET", f"/schemas/ids/{schema_id}")[1]["schema"]
    assert call(registry, "GET", "/config/s1") == (200, {"compatibilityLevel": "NONE"})
    assert call(registry, "GET", "/subjects")[1] == ["s0", "s1", "s2", "s3"]
    assert register(registry, "s9", avro(ID, name="D9"))[1]["id"] not in ids


def test_one_schema_has_one_id_everywhere(registry: Registry) -> None:
    """The same schema in another subject, or with other white space, keeps its id; another schema gets another."""
    first = register(registry, "a", avro(ID))[1]
    spaced = json.dumps(json.loads(avro(ID)), indent=3)
    assert register(registry, "b", spaced)[1]["id"] == first["id"]
    assert register(registry, "a", spaced)[1]["version"] == 1
    assert register(registry, "c", avro(ID, TITLE))[1]["id"] != first["id"]
    assert call(registry, "GET", f"/schemas/ids/{first['id']}/subjects")[1] == ["a", "b"]


@pytest.mark.parametrize(
    ("level", "removed", "added", "added_default"),
    [
        ("NONE", True, True, True),
        ("BACKWARD", True, False, True),
        ("FORWARD", False, True, True),
        ("FULL", False, False, True),
        ("FULL_TRANSITIVE", False, False, True),
    ],
)
def test_levels(shared: Registry, level: str, removed: bool, added: bool, added_default: bool) -> None:
    """Each level takes and refuses: a required field removed, added, and a field with a default added."""
    outcomes = []
    for change, before, after in [
        ("removed", avro(ID, TITLE), avro(TITLE)),
        ("added", avro(ID), avro(ID, TITLE)),
        ("default", avro(ID), avro(ID, TITLE_DEFAULT)),
    ]:
        subject = f"{level}-{change}"
        call(shared, "PUT", f"/config/{subject}", {"compatibility": level})
        register(shared, subject, before)
        outcomes.append(register(shared, subject, after)[0] == 200)
    assert outcomes == [removed, added, added_default]


def test_transitive_levels_look_at_every_version(shared: Registry) -> None:
    """A type that agrees with the latest version only is taken by BACKWARD and refused by BACKWARD_TRANSITIVE."""
    versions = [avro(ID), avro(ID, TITLE_DEFAULT), avro(ID, TITLE)]
    for subject, level, status in [("plain", "BACKWARD", 200), ("strict", "BACKWARD_TRANSITIVE", 409)]:
        call(shared, "PUT", f"/config/{subject}", {"compatibility": level})
        assert [register(shared, subject, schema)[0] for schema in versions] == [200, 200, status]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/schemas/ids/7", None, 404, 40403),
        ("GET", "/schemas/guids/none", None, 404, 40403),
        ("GET", "/subjects/none/versions", None, 404, 40401),
        ("GET", "/subjects/none/versions/latest", None, 404, 40401),
        ("GET", "/subjects/known/versions/2", None, 404, 40402),
        ("GET", "/subjects/known/versions/0", None, 422, 42202),
        ("GET", "/subjects/known/versions/x", None, 422, 42202),
        ("POST", "/subjects/none", {"schema": avro(ID)}, 404, 40401),
        ("POST", "/subjects/known", {"schema": avro(TITLE)}, 404, 40403),
        ("POST", "/subjects/known/versions", {"schema": "{"}, 422, 42201),
        ("POST", "/subjects/known/versions", {"schema": '{"type": "nothing"}'}, 422, 42201),
        ("POST", "/subjects/known/versions", {"schema": "[" * 5000}, 422, 42201),
        ("POST", "/subjects/known/versions", {"schema": avro(ID), "schemaType": "JSON"}, 422, 42201),
        ("POST", "/subjects/known/versions", {"schema": avro(ID, TITLE)}, 409, 409),
        ("POST", "/subjects/known/versions", ["no object"], 400, 400),
        ("PUT", "/config", {"compatibility": "SIDEWAYS"}, 422, 42203),
        ("GET", "/config/known", None, 404, 40408),
        ("DELETE", "/subjects/known?permanent=true", None, 404, 40405),
        ("GET", "/associations/resources/-/docs", None, 404, 404),
    ],
)
def test_refusals(shared: Registry, method: str, path: str, body: Any, status: int, code: int) -> None:
    """What is wrong is answered with the status and error code of the API, and the registry goes on."""
    register(shared, "known", avro(ID))
    answer, content = call(shared, method, path, body)
    assert (answer, content["error_code"]) == (status, code)
    assert content["message"]
    assert "known" in call(shared, "GET", "/subjects")[1]


def test_second_process_and_other_addresses_are_refused(registry: Registry) -> None:
    """A second registry on the same data, or one on a public address, ends with status 2 and one line that says why."""
    taken = subprocess.run(registry.command, capture_output=True, text=True, timeout=30, check=False)
    assert taken.returncode == 2
    assert f"in use by process {registry.pid}" in taken.stderr
    command = [sys.executable, "-m", "roggia_devstack", "registry", "--data", "unused", "--host", "0.0.0.0"]
    public = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert public.returncode == 2
    assert "loopback" in public.stderr


def test_sigterm_ends_cleanly(registry: Registry) -> None:
    """SIGTERM ends the process with status 0."""
    assert registry.stop() == 0
