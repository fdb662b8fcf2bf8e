"""Which processes the embedded stack is made of, with which settings. Pure: chooses nothing, starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution

from roggia.stack.data import DataDirectory
from roggia.stack.ports import LOOPBACK, choose
from roggia.stack.spec import ProcessSpec
from roggia.stack.supervisor import Addresses

BROKER_PORT = 19092
REGISTRY_PORT = 18081
QUERY_PORT = 7080
CONSOLE_PORT = 7090
AUDIT_PORT = 7091
HEALTH_PORTS = {"ingest": 17081, "embed": 17082, "index": 17083, "operator": 17084, "popularity": 17085,
                "auditor": 17086, "audit-api": 17087, "live": 17088}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for everything that listens."""

    broker: int = BROKER_PORT
    registry: int = REGISTRY_PORT
    query: int = QUERY_PORT
    console: int = CONSOLE_PORT
    audit: int = AUDIT_PORT
    health: Mapping[str, int] = field(default_factory=lambda: dict(HEALTH_PORTS))

    @classmethod
    def free(cls, preferred: Ports | None = None) -> Ports:
        """The preferred ports where they are free, others where not."""
        want, taken = preferred or cls(), set[int]()
        return cls(
            broker=choose(want.broker, taken),
            registry=choose(want.registry, taken),
            query=choose(want.query, taken),
            console=choose(want.console, taken),
            audit=choose(want.audit, taken),
            health={name: choose(port, taken) for name, port in want.health.items()},
        )

    def addresses(self) -> Addresses:
        """Where clients go."""
        return Addresses(
            kafka=f"{LOOPBACK}:{self.broker}",
            registry=f"http://{LOOPBACK}:{self.registry}",
            query=f"http://{LOOPBACK}:{self.query}",
            console=f"http://{LOOPBACK}:{self.console}",
            audit=f"http://{LOOPBACK}:{self.audit}",
        )


def support(data: DataDirectory, ports: Ports) -> list[ProcessSpec]:
    """Broker and registry: what must be up before topics can be made."""
    return [
        ProcessSpec(
            name="broker",
            arguments=("roggia_devstack", "broker", "--data", str(data.broker), "--port", str(ports.broker)),
            ready_port=ports.broker,
        ),
        ProcessSpec(
            name="registry",
            arguments=("roggia_devstack", "registry", "--data", str(data.registry), "--port", str(ports.registry)),
            ready_url=f"http://{LOOPBACK}:{ports.registry}/subjects",
        ),
    ]


def services(data: DataDirectory, ports: Ports, console_token: str, audit_token: str = "") -> list[ProcessSpec]:
    """Ingest, embed, index (upsert and query together: the embedded index admits one process) and operator.

    `audit_token` is the console's for the audit API; empty where there is none.
    """
    audited = {"ROGGIA_OPERATOR_CONSOLE_AUDIT_TOKEN": audit_token} if audit_token else {}
    if audit_token and can_count():
        audited["ROGGIA_OPERATOR_CONSOLE_LIVE_URL"] = f"http://{LOOPBACK}:{ports.health['live']}"
    return [
        _service(
            "ingest",
            ("roggia_ingest",),
            ports,
            {
                "ROGGIA_INGEST_CATALOGUE": f"sqlite:///{data.catalogue}",
                "ROGGIA_INGEST_CONTENT_ROOT": str(data.content),
            },
        ),
        _service(
            "embed",
            ("roggia_embedder", "embed"),
            ports,
            {
                "ROGGIA_EMBEDDER_CACHE": str(data.cache),
                "ROGGIA_EMBEDDER_MODEL_FOLDER": str(data.models),
                "ROGGIA_EMBEDDER_MODELS_URI": f"sqlite:///{data.registry_file}",
                # On a CPU, a batch of the default size takes ten seconds: progress would come in jumps, and Ctrl-C
                # would wait for it.
                "ROGGIA_EMBEDDER_EMBED_BATCH__MAX_BYTES": str(64 << 10),
            },
        ),
        _service(
            "index",
            ("roggia_embedder", "index"),
            ports,
            {
                "ROGGIA_EMBEDDER_STORE": str(data.index),
                "ROGGIA_EMBEDDER_MODEL_FOLDER": str(data.models),
                "ROGGIA_EMBEDDER_MODELS_URI": f"sqlite:///{data.registry_file}",
                "ROGGIA_EMBEDDER_QUERY_PORT": str(ports.query),
            },
        ),
        _service(
            "operator",
            ("roggia_operator",),
            ports,
            {
                "ROGGIA_OPERATOR_CONSOLE_PORT": str(ports.console),
                "ROGGIA_OPERATOR_CONSOLE_TOKEN": console_token,
                "ROGGIA_OPERATOR_CONSOLE_INDEX_URL": ports.addresses().query,
                "ROGGIA_OPERATOR_CONSOLE_AUDIT_URL": f"http://{LOOPBACK}:{ports.audit}",
                **audited,
                "ROGGIA_OPERATOR_MODELS_URI": f"sqlite:///{data.registry_file}",
                "ROGGIA_OPERATOR_GENERATIONS_REPORTS": str(data.reports),
                "ROGGIA_OPERATOR_GENERATIONS_METRICS_URLS": f"http://{LOOPBACK}:{ports.health['index']}",
            },
        ),
    ]


def can_count() -> bool:
    """Whether Faust is installed, with which popularity is counted (extra `popularity`)."""
    return _installed("faust-streaming")


def can_audit() -> bool:
    """Whether what the auditor signs with is installed (extra `auditor`)."""
    return _installed("cryptography")


def companions(ports: Ports) -> list[ProcessSpec]:
    """The popularity role: what it counts orders a re-embedding, and nothing waits for it."""
    return [_service("popularity", ("roggia_embedder", "popularity"), ports, {})]


def auditing(data: DataDirectory, ports: Ports) -> list[ProcessSpec]:
    """The auditor and its API, over one ledger, and the live views where Faust is there. No document waits for them."""
    ledger = {
        "ROGGIA_AUDITOR_LEDGER": f"sqlite:///{data.ledger}",
        "ROGGIA_AUDITOR_SIGNING_KEY": str(data.audit.head_key),
    }
    api = {
        "ROGGIA_AUDITOR_API_PORT": str(ports.audit),
        "ROGGIA_AUDITOR_API_TOKENS": str(data.audit.tokens),
        "ROGGIA_AUDITOR_API_EXPORTS": str(data.audit.exports),
    }
    return [
        _service("auditor", ("roggia_auditor", "ledger"), ports, ledger),
        _service("audit-api", ("roggia_auditor", "api"), ports, ledger | api),
        *([_service("live", ("roggia_auditor.live",), ports, {})] if can_count() else []),
    ]


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _service(name: str, arguments: tuple[str, ...], ports: Ports, environment: dict[str, str]) -> ProcessSpec:
    where, health = ports.addresses(), ports.health[name]
    common = {
        "ROGGIA_ENVIRONMENT": "development",
        "ROGGIA_KAFKA_BOOTSTRAP": where.kafka,
        "ROGGIA_REGISTRY_URL": where.registry,
        "ROGGIA_HTTP_PORT": str(health),
    }
    return ProcessSpec(
        name=name,
        arguments=arguments,
        environment=common | environment,
        ready_url=f"http://{LOOPBACK}:{health}/health/ready",
        ready_s=120.0,
        stop_s=25.0,
    )
