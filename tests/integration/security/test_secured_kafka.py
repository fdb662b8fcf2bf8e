"""Roggia on a Kafka that trusts nobody: TLS, a principal per service, exactly the ACLs that `topics apply` makes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from roggia.__main__ import main
from roggia.access.plan import AclPlan, apply_acls
from roggia_embedder.query import api
from roggia_operator.jobs.client import JobClient
from roggia_operator.replay.selection import Selection
from roggia_runtime.acls import Acl, AclAdmin, Operation, Pattern, Resource
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.errors import AdminError, ConsumeError, ProduceError
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import JobStatus

from tests.support.certificates import Authority
from tests.support.loops import QUICK, Copier
from tests.support.pipeline import Pipeline, running_as
from tests.support.replaying import Operator, ask, codec, counts, document, publish, reached, records
from tests.support.secured import ADMIN, Secured, password

Run = Callable[..., tuple[int, str, str]]

PRINCIPALS = """\
publishers: [User:wiki]
consumers:
  - {principal: User:billing, topics: [doc.upserted], group: billing.}
"""


@pytest.fixture
def roggia(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secured_kafka: Secured) -> Run:
    """Call `roggia` in process as a user: (exit status, standard output, standard error)."""

    def call(user: str, *arguments: str, **changed: str) -> tuple[int, str, str]:
        for name, value in (secured_kafka.environment(user) | changed).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["roggia", *arguments])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        shown = capsys.readouterr()
        assert password(user) not in shown.out + shown.err
        return status, shown.out, shown.err

    return call


@pytest.fixture(scope="module")
def applied(secured_kafka: Secured, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Topics and ACLs as code, made by the command itself; the file of principals, with a publisher and a consumer."""
    file = tmp_path_factory.mktemp("principals") / "principals.yaml"
    file.write_text(PRINCIPALS)
    done = subprocess.run(
        [sys.executable, "-m", "roggia", "topics", "apply", "--yes", "--principals", str(file)],
        env={**os.environ, **secured_kafka.environment(ADMIN)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(file)


def test_acls_as_code(roggia: Run, applied: str) -> None:
    """After `apply` the plan is empty, for whoever may look; a wrong file of principals is a usage error."""
    assert roggia(ADMIN, "topics", "plan", "--principals", applied)[:2] == (0, "nothing to do\n")
    assert roggia("roggia-operators", "topics", "plan", "--principals", applied)[0] == 0
    status, _, said = roggia("nobody", "topics", "plan")
    assert (status, said.count("\n"), "User:nobody read ACLs" in said) == (1, 1, True)


def test_rights_that_are_missing_or_too_many(roggia: Run, applied: str, secured_kafka: Secured) -> None:
    """Both are planned, and nothing else; what is too much goes only when its owner's name is typed."""
    admin = AclAdmin(secured_kafka.scram(ADMIN))
    gone = Acl("User:roggia-embed", Resource.TOPIC, topics.doc_chunked(1), Operation.READ)
    more = Acl("User:roggia-embed", Resource.TOPIC, topics.DOC_CHANGED, Operation.READ)
    strange = Acl("User:stranger", Resource.TOPIC, topics.DOC_CHANGED, Operation.READ)
    asyncio.run(apply_acls(admin, AclPlan((more, strange), (gone,)), {gone.principal}))

    status, out, _ = roggia(ADMIN, "topics", "plan", "--json", "--principals", applied)
    found = {kind: [(one["principal"], one["name"]) for one in rows] for kind, rows in json.loads(out)["acls"].items()}
    ours, theirs = (gone.principal, gone.name), (strange.principal, strange.name)
    assert (status, found) == (6, {"missing": [ours], "surplus": [(more.principal, more.name)], "others": [theirs]})
    status, _, said = roggia(ADMIN, "topics", "apply", "--yes", "--principals", applied)
    assert (status, "--confirm User:roggia-embed" in said) == (1, True)
    assert asyncio.run(admin.list()).count(more) == 1
    assert roggia(ADMIN, "topics", "apply", "--yes", "--principals", applied, "--confirm", more.principal)[0] == 0
    assert not {more} & set(asyncio.run(admin.list()))
    assert {gone, strange} <= set(asyncio.run(admin.list()))


async def _searched(pipeline: Pipeline, query: str) -> set[str]:
    return {passage.doc_id for passage in await pipeline.search(query, mode=api.Mode.LEXICAL)}


@pytest.mark.parametrize("way", ["scram", "certified"])
async def test_from_publish_to_search_with_a_principal_per_service(
    applied: str, secured_kafka: Secured, tmp_path: Path, way: str
) -> None:
    """Every client of every service works with its own rights alone, by password and by certificate."""
    enter = {"scram": secured_kafka.scram, "certified": secured_kafka.certified}[way]

    def settings(role: str) -> KafkaSettings:
        return enter(f"roggia-{role}", session_timeout_ms=10_000)

    async with running_as(settings, tmp_path / "data") as pipeline:
        await pipeline.publish(f"{way}.md", 1, f"# Bread\n\nBread {way} needs flour and water.")
        await pipeline.settle()
        assert await _searched(pipeline, f"bread {way}") == {f"{way}.md"}
        assert [event.doc_id for event in await pipeline.upserted()][-1] == f"{way}.md"
        assert await pipeline.dead() == 0


async def test_operators_replay_through_the_operator_service(
    applied: str, secured_kafka: Secured, tmp_path: Path
) -> None:
    """People ask for a job and change it with their rights; the service leads, reads, writes lane and state with its
    own."""
    operator = Operator(secured_kafka.broker, tmp_path / "operator.log", **secured_kafka.environment("roggia-operator"))
    await publish(secured_kafka.scram("wiki"), [document("a", tenant="replayed"), document("b", tenant="other")])
    people = secured_kafka.scram("roggia-operators", **QUICK)
    async with JobClient(people, codec()) as client:
        wanted = await ask(client, Selection(topic=topics.DOC_CHANGED, tenant="replayed"))
        assert await client.rate(wanted, {"records": 500.0}) == {"records": 500.0}
    operator.start()
    try:
        async with JobClient(people, codec()) as client:
            job = await reached(client, wanted, JobStatus.DONE)
        assert counts(job)["sent"] == 1
        lane = await records(people, topics.replay(topics.DOC_CHANGED))
        assert [record.key for record in lane] == [b"replayed/a"]
        assert password("roggia-operator") not in operator.log.read_text()
    finally:
        assert operator.stop() == 0


@dataclass(frozen=True)
class Denied:
    """What one principal tries, with which rights, and what it is told."""

    rights: tuple[Acl, ...]
    delivery: Delivery
    said: tuple[str, ...]
    outputs: tuple[str, ...] = ()


NOBODY = "User:nobody"
READ = Acl(NOBODY, Resource.TOPIC, topics.DOC_CHANGED, Operation.READ)
GROUP = Acl(NOBODY, Resource.GROUP, "test.", Operation.READ, Pattern.PREFIXED)
WRITE = Acl(NOBODY, Resource.TOPIC, topics.doc_chunked(1), Operation.WRITE)
OUTPUTS = (topics.doc_chunked(1),)
TRANSACT = Acl(NOBODY, Resource.TRANSACTIONAL_ID, "test.", Operation.WRITE, Pattern.PREFIXED)


@pytest.mark.parametrize(
    "case",
    [
        Denied((GROUP, WRITE), Delivery.AT_LEAST_ONCE, ("doc.changed",)),
        Denied((READ, WRITE), Delivery.AT_LEAST_ONCE, ("group test.denied",)),
        Denied((READ, GROUP), Delivery.AT_LEAST_ONCE, ("write to any topic",)),
        Denied((READ, GROUP, TRANSACT), Delivery.TRANSACTIONAL, ("write to topic doc.chunked.c1",)),
        Denied((READ, GROUP, WRITE), Delivery.TRANSACTIONAL, ("transactional id test.denied",)),
        Denied((READ, GROUP, WRITE, TRANSACT), Delivery.TRANSACTIONAL, ("use topic doc.changed.dlq",), OUTPUTS),
    ],
    ids=["topic", "group", "output", "output in a transaction", "transactional id", "dead letters"],
)
async def test_a_stage_without_a_right_stops_and_says_which(applied: str, secured_kafka: Secured, case: Denied) -> None:
    """A missing ACL is one line: who, what, on which topic, and the command that shows it; nobody waits for ever."""
    acls = AclAdmin(secured_kafka.scram(ADMIN))
    await acls.delete([READ, GROUP, WRITE, TRANSACT])
    await acls.create(case.rights)
    await _published(secured_kafka)
    loop = ConsumerLoop(
        settings=secured_kafka.scram("nobody", **QUICK),
        group="test.denied",
        topics=[topics.DOC_CHANGED],
        handler=Copier(topics.doc_chunked(1)),
        stage="test",
        delivery=case.delivery,
        outputs=case.outputs,
    )
    with pytest.raises((ConsumeError, ProduceError)) as denied:
        async with asyncio.timeout(40):
            await loop.run()
    said = str(denied.value)
    assert all(one in said for one in ("User:nobody", "`roggia topics plan`", *case.said)), said


async def _published(secured: Secured) -> None:
    producer = Producer(secured.scram("wiki"))
    await producer.start()
    await producer.send(Output(topics.DOC_CHANGED, b"acme/denied.md", b"{}"))
    await producer.stop()


async def test_other_clients_say_what_they_may_not_do(applied: str, secured_kafka: Secured) -> None:
    """Producers, readers and the admin part name principal, topic and remedy."""
    wiki = secured_kafka.scram("wiki", **QUICK)
    producer = Producer(wiki)
    await producer.start()
    with pytest.raises(ProduceError, match=r"User:wiki write to topic doc.upserted: `roggia topics plan`"):
        await producer.send(Output(topics.DOC_UPSERTED, b"k", b"v"))
    partition, _ = await producer.send(Output(topics.DOC_CHANGED, b"acme/denied.md", b"{}"))
    await producer.stop()
    with pytest.raises(AdminError, match=r"User:wiki .*doc.upserted.*`roggia topics plan`"):
        await TopicAdmin(wiki).end_offsets(topics.DOC_UPSERTED)
    with pytest.raises(AdminError, match=r"User:wiki .*doc.changed.*`roggia topics plan`"):
        async for _ in TopicAdmin(wiki).read(topics.DOC_CHANGED, partition, 0):
            pass


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"SASL_PASSWORD": "Wrong-7f3a"}, 2, "refuses User:roggia-operators: wrong name or password; correct ROGGIA_K"),
        ({"SASL_MECHANISM": "PLAIN"}, 2, "does not offer PLAIN; set ROGGIA_KAFKA_SASL_MECHANISM"),
        ({"SSL_CA_FILE": "STRANGER"}, 2, "is not trusted .*; name the authority .* in ROGGIA_KAFKA_SSL_CA_FILE"),
        ({"BOOTSTRAP": "localhost"}, 2, "not valid for 'localhost'; use a name that it holds"),
        ({"SECURITY_PROTOCOL": "PLAINTEXT"}, 4, "hangs up during the login: .* set ROGGIA_KAFKA_SECURITY_PROTOCOL"),
        ({"SECURITY_PROTOCOL": "SSL", "BOOTSTRAP": "MTLS"}, 2, "asks for a client's certificate: set ROGGIA_KAFKA_SSL"),
        ({"BOOTSTRAP": "127.0.0.1:1"}, 4, "does not answer; start it"),
    ],
    ids=["password", "mechanism", "authority", "host name", "protocol", "no certificate", "nobody"],
)
def test_who_cannot_come_in_is_told_why(
    roggia: Run, secured_kafka: Secured, tmp_path: Path, changed: dict[str, str], status: int, said: str
) -> None:
    """One line with the setting to change and the documented status; never a password, never a traceback."""
    own = {
        "STRANGER": str(Authority(tmp_path, "Stranger").ca),
        "MTLS": secured_kafka.mtls,
        "localhost": secured_kafka.broker.bootstrap.replace("127.0.0.1", "localhost"),
    }
    told = {f"ROGGIA_KAFKA_{name}": own.get(value, value) for name, value in changed.items()}
    found, out, err = roggia("roggia-operators", "topics", "list", **told)
    assert (found, out, err.count("\n")) == (status, "", 1), err
    assert re.search(said, err), err
    assert "7f3a" not in err


def test_a_service_that_may_not_come_in_ends_with_status_2(secured_kafka: Secured, tmp_path: Path) -> None:
    """One line on standard error for whoever reads the unit's log, with no secret in anything it says."""
    environment = secured_kafka.environment("roggia-ingest") | {
        "ROGGIA_KAFKA_SASL_PASSWORD": "Wrong-7f3a",
        "ROGGIA_TELEMETRY_LOG_LEVEL": "debug",
        "ROGGIA_INGEST_CATALOGUE": f"sqlite:///{tmp_path / 'catalogue.sqlite3'}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "roggia_ingest"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ingest: Kafka at 127.0.0.1:")
    assert "refuses User:roggia-ingest: wrong name or password" in last
    assert "7f3a" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
