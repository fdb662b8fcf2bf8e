"""Private Kafka brokers for tests: devstack, and Apache Kafka from the jars that `KAFKA_HOME` names.

Fixtures: `kafka` (runs the test against both), `devstack`, `apache_kafka`, `topic_name`. One broker of each kind
lives for the whole session; a test that stops or kills it may leave it down, the next test finds it up again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess, free_port

_LOGGING = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
"""


class Broker(ServerProcess):
    """A broker on 127.0.0.1. `kind` is "devstack" or "apache"; `data` holds everything it keeps."""

    def __init__(self, kind: str, command: list[str], port: int, data: Path, env: dict[str, str] | None = None) -> None:
        data.mkdir(parents=True, exist_ok=True)
        super().__init__(command, port, data / "server.log", env)
        self.kind, self.data = kind, data
        self.bootstrap = f"127.0.0.1:{port}"


class JavaKafka:
    """Apache Kafka's jars: the command lines of its broker and of its console tools."""

    def __init__(self, java: str, libs: Path) -> None:
        self._java, self._libs = java, libs

    def command(self, main_class: str, *arguments: str, heap_mib: int = 256) -> list[str]:
        """Return the command line that runs `main_class`."""
        flags = [f"-Xmx{heap_mib}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [self._java, *flags, "-cp", f"{self._libs}/*", main_class, *arguments]

    def tool(self, main_class: str, *arguments: str, stdin: str = "") -> str:
        """Run a tool and return its standard output; fails with its errors when its status is not 0."""
        command = self.command(main_class, *arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
        return done.stdout

    def broker(self, data: Path, **settings: str) -> Broker:
        """Lay out a one-node KRaft broker in `data`; extra broker `settings` have `_` for `.`."""
        assert "," not in str(data), f"{data}: Kafka's log.dirs is a list, a comma would make several folders of it"
        port = free_port()
        extra = {name.replace("_", "."): value for name, value in settings.items()}
        return self.laid_out(data, port, broker_settings(port, free_port(), data) | extra)

    def laid_out(self, data: Path, port: int, values: Mapping[str, str], *formatting: str) -> Broker:
        """Format `data` for a broker with these settings; `formatting` are more arguments for that."""
        data.mkdir(parents=True, exist_ok=True)
        config, logging = data / "server.properties", data / "log4j2.properties"
        logging.write_text(_LOGGING)
        config.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        cluster = "c" + secrets.token_urlsafe(16)[1:]
        self.tool("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(config), *formatting)
        command = self.command("kafka.Kafka", str(config), heap_mib=512)
        command[1:1] = [f"-Dlog4j2.configurationFile={logging}"]
        command.remove("-XX:TieredStopAtLevel=1")
        return Broker("apache", command, port, data)


def broker_settings(port: int, controller: int, data: Path) -> dict[str, str]:
    """Settings of a hasty one-node broker without security, listening on 127.0.0.1:`port`."""
    single = dict.fromkeys(
        (
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.min.isr",
        ),
        "1",
    )
    return single | {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "log.dirs": str(data / "logs"),
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "auto.create.topics.enable": "false",
        "log.cleaner.backoff.ms": "200",
        "log.initial.task.delay.ms": "200",
        "log.retention.check.interval.ms": "200",
        "file.delete.delay.ms": "100",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
        "message.max.bytes": "16777216",
    }


def find_java() -> JavaKafka:
    """Return the Java Kafka of this machine, or skip the test naming what is missing."""
    home, java = os.environ.get("KAFKA_HOME"), shutil.which("java")
    if not home or not list(Path(home, "libs").glob("kafka_2*.jar")):
        pytest.skip("KAFKA_HOME does not name a Kafka distribution (a directory with libs/kafka_2.13-*.jar)")
    if java is None:
        pytest.skip("java (17 or newer) is not on the PATH")
    return JavaKafka(java, Path(home, "libs"))


DEVSTACK_ENV = {
    "ROGGIA_BROKER_MAINTAIN_EVERY_MS": "200",
    "ROGGIA_BROKER_MIN_SESSION_TIMEOUT_MS": "1000",
    "ROGGIA_BROKER_TRANSACTION_CHECK_MS": "100",
}
"""The same haste as the Apache brokers of the tests have: housekeeping several times a second, short sessions."""


def devstack_broker(data: Path, **env: str) -> Broker:
    """Lay out a devstack broker in `data`; not started."""
    port = free_port()
    command = [sys.executable, "-m", "roggia_devstack", "broker", "--data", str(data / "broker"), "--port", str(port)]
    return Broker("devstack", command, port, data, env)


@pytest.fixture(scope="session")
def java_kafka() -> JavaKafka:
    """Kafka's own Java tools."""
    return find_java()


@pytest.fixture(scope="session")
def _apache_session(java_kafka: JavaKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = java_kafka.broker(tmp_path_factory.mktemp("apache-kafka"))
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def _devstack_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = devstack_broker(tmp_path_factory.mktemp("devstack"), **DEVSTACK_ENV)
    yield broker
    broker.kill()


@pytest.fixture
def apache_kafka(_apache_session: Broker) -> Broker:
    """A running Apache Kafka; skips when this machine has none."""
    _apache_session.start()
    return _apache_session


@pytest.fixture(scope="session")
def _apache_template(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """A broker that was laid out and never started: what it holds is copied for each `fresh_apache`."""
    broker = find_java().broker(tmp_path_factory.mktemp("apache-template") / "broker")
    broker.command[1:1] = ["-XX:TieredStopAtLevel=1"]  # these live for a minute: what compiles less starts sooner
    return broker


@pytest.fixture
def fresh_apache(_apache_template: Broker) -> Iterator[Broker]:
    """A running Apache Kafka with nothing in it, always on the same ports: quicker than to lay out a new one."""
    broker = _apache_template
    kept = broker.data.with_name("kept")
    if not kept.exists():
        shutil.copytree(broker.data, kept)
    broker.kill()
    shutil.rmtree(broker.data)
    shutil.copytree(kept, broker.data)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def devstack(_devstack_session: Broker) -> Broker:
    """A running devstack broker."""
    _devstack_session.start()
    return _devstack_session


@pytest.fixture(params=["devstack", "apache"])
def kafka(request: pytest.FixtureRequest) -> Broker:
    """A running broker; the test runs once against each kind."""
    name = {"devstack": "devstack", "apache": "apache_kafka"}[request.param]
    broker: Broker = request.getfixturevalue(name)
    return broker


@pytest.fixture
def topic_name() -> Callable[[str], str]:
    """Make a topic, group or transactional id that no other test uses: `topic_name("orders")`."""
    return lambda stem: f"{stem}.{secrets.token_hex(4)}"
