"""A private Apache Kafka as a careful site runs it: TLS, SCRAM or client certificates, and an authorizer.

Fixture: `secured_kafka`, one broker for a whole test module. Two listeners: SASL_SSL (`bootstrap`) and mutual TLS
(`mtls`), where the principal is the certificate's common name. `User:admin` is a super user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from roggia_runtime.settings import KafkaSettings

from tests.support.certificates import Authority, Files
from tests.support.kafka import Broker, JavaKafka, broker_settings
from tests.support.processes import free_port

ADMIN = "admin"
USERS = (
    ADMIN,
    *(f"roggia-{role}" for role in ("ingest", "embed", "index", "upsert", "query", "operator", "operators")),
    "wiki",
    "billing",
    "nobody",
)


@dataclass(frozen=True, slots=True)
class Secured:
    """The broker, who signs for it, and how to be somebody."""

    broker: Broker
    authority: Authority
    mtls: str
    certificates: dict[str, Files]

    def scram(self, user: str, **changed: Any) -> KafkaSettings:
        """Settings of a client that logs in as `User:<user>` with its password."""
        return KafkaSettings(**self.options(user) | changed)

    def options(self, user: str) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "bootstrap": self.broker.bootstrap,
            "security_protocol": "SASL_SSL",
            "sasl_username": user,
            "sasl_password": password(user),
            "ssl_ca_file": str(self.authority.ca),
        }

    def certified(self, user: str, **changed: Any) -> KafkaSettings:
        """Settings of a client that is `User:<user>` by its certificate."""
        files = self.certificates.get(user) or self.certificates.setdefault(user, self.authority.issue(user))
        values = {
            "bootstrap": self.mtls,
            "security_protocol": "SSL",
            "ssl_ca_file": str(self.authority.ca),
            "ssl_cert_file": str(files.cert),
            "ssl_key_file": str(files.key),
        }
        return KafkaSettings(**values | changed)

    def environment(self, user: str) -> dict[str, str]:
        """Variables of a process that logs in as `User:<user>`."""
        return {f"ROGGIA_KAFKA_{name.upper()}": value for name, value in self.options(user).items()}


def password(user: str) -> str:
    """What a user logs in with; unlike any other text in logs."""
    return f"Secret-of-{user}-7f3a"


def secured_broker(java: JavaKafka, data: Path, users: Collection[str] = USERS) -> Secured:
    """Lay out the broker in `data`; not started."""
    authority = Authority(data / "certificates")
    server = authority.issue("kafka", hosts=("127.0.0.1",))
    sasl, mtls, internal, controller = free_port(), free_port(), free_port(), free_port()
    values = broker_settings(internal, controller, data) | _listeners(sasl, mtls, internal, controller)
    values |= _tls(authority, server) | _access()
    seeds = [f"--add-scram=SCRAM-SHA-512=[name={user},password={password(user)}]" for user in users]
    broker = java.laid_out(data, sasl, values, *seeds)
    return Secured(broker, authority, f"127.0.0.1:{mtls}", {})


def _listeners(sasl: int, mtls: int, internal: int, controller: int) -> dict[str, str]:
    clients = f"SASL_SSL://127.0.0.1:{sasl},MTLS://127.0.0.1:{mtls},INTERNAL://127.0.0.1:{internal}"
    return {
        "listeners": f"{clients},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": clients,
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,MTLS:SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.mtls.ssl.client.auth": "required",
    }


def _tls(authority: Authority, server: Files) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca),
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
    }


def _access() -> dict[str, str]:
    """Anonymous is the broker itself, on the internal listener that no client uses."""
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{ADMIN}",
        "allow.everyone.if.no.acl.found": "false",
    }


@pytest.fixture(scope="module")
def secured_kafka(java_kafka: JavaKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A running secured Kafka; skips when this machine has none."""
    secured = secured_broker(java_kafka, tmp_path_factory.mktemp("secured-kafka"))
    secured.broker.start()
    yield secured
    secured.broker.kill()
