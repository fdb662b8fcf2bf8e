"""Roggia on a Kafka that trusts nobody: TLS, a principal per service, exactly the ACLs that `topics apply` makes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from roggia.__main__ import main
from roggia.access.plan import AclPlan, apply_acls
from roggia_embedder.query import api
from roggia_runtime.acls import Acl, AclAdmin, Operation, Pattern, Resource
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.errors import AdminError, ConsumeError, ProduceError
from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.producer import Producer
from roggia_runtime.records import Output
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from tests.support.loops import QUICK, Copier
from tests.support.pipeline import Pipeline, running_as
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


@pytest.fixture
def who(tmp_path: Path) -> str:
    """A file of principals with a publisher and a consumer."""
    file = tmp_path / "principals.yaml"
    file.write_text(PRINCIPALS)
    return str(file)


@pytest.fixture
def applied(roggia: Run, who: str) -> str:
    """Topics and ACLs as code; the file of principals."""
    status, _, said = roggia(ADMIN, "topics", "apply", "--yes", "--principals", who)
    assert status == 0, said
    return who


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


@dataclass(frozen=True)
class Denied:
    """What one principal tries, with which rights, and what it is told."""

    rights: tuple[Acl, ...]
    delivery: Delivery
    said: tuple[str, ...]


NOBODY = "User:nobody"
READ = Acl(NOBODY, Resource.TOPIC, topics.DOC_CHANGED, Operation.READ)
GROUP = Acl(NOBODY, Resource.GROUP, "test.", Operation.READ, Pattern.PREFIXED)
WRITE = Acl(NOBODY, Resource.TOPIC, topics.doc_chunked(1), Operation.WRITE)
TRANSACT = Acl(NOBODY, Resource.TRANSACTIONAL_ID, "test.", Operation.WRITE, Pattern.PREFIXED)


@pytest.mark.parametrize(
    "case",
    [
        Denied((GROUP, WRITE), Delivery.AT_LEAST_ONCE, ("doc.changed",)),
        Denied((READ, WRITE), Delivery.AT_LEAST_ONCE, ("group test.denied",)),
        Denied((READ, GROUP), Delivery.AT_LEAST_ONCE, ("write to any topic",)),
        Denied((READ, GROUP, TRANSACT), Delivery.TRANSACTIONAL, ("write to topic doc.chunked.c1",)),
        Denied((READ, GROUP, WRITE), Delivery.TRANSACTIONAL, ("transactional id test.denied",)),
    ],
    ids=["topic", "group", "output", "output in a transaction", "transactional id"],
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
    await producer.stop()
    with pytest.raises(AdminError, match=r"User:wiki .*doc.upserted.*`roggia topics plan`"):
        await TopicAdmin(wiki).end_offsets(topics.DOC_UPSERTED)
    with pytest.raises(AdminError, match=r"User:wiki .*doc.changed.*`roggia topics plan`"):
        async for _ in TopicAdmin(wiki).read(topics.DOC_CHANGED, 0, 0):
            pass
