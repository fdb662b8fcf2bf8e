"""ACLs from the catalogue: enough for each role, not more, and principals as a site names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia.access import principals, roles
from roggia.access.plan import compare
from roggia.cli.topic_acls import command
from roggia.errors import UsageError
from roggia_runtime.acls import Acl, Operation, Pattern, Resource
from roggia_schemas import topics

SPECS = topics.catalogue()
WHO = "User:x"
ASKED = {"doc.chunked.c1", "doc.chunked.c1.replay", "doc.changed.dlq", "doc.changed.replay.dlq"}
"""Where ingest writes in transactions, and asks whether one hangs open."""


def on_topics(role: str, operation: Operation) -> set[str]:
    """Topics on which a role may do something."""
    found = roles.acls(role, WHO, SPECS)
    return {acl.name for acl in found if (acl.resource, acl.operation) == (Resource.TOPIC, operation)}


def test_a_stage_reads_its_topic_and_lane_and_writes_its_output_and_dead_letters() -> None:
    """Ingest as the example: what it needs is there, and nothing else of the documents' topics."""
    sources = {"doc.changed", "doc.changed.replay", "tenant.config"}
    assert on_topics(roles.INGEST, Operation.READ) - ASKED == sources
    written = {
        "doc.chunked.c1",
        "doc.chunked.c1.replay",
        "doc.changed.dlq",
        "doc.changed.replay.dlq",
        "tenant.config.dlq",
    }
    assert on_topics(roles.INGEST, Operation.WRITE) == written


def test_whoever_writes_in_transactions_may_ask_what_hangs_open_there() -> None:
    """Kafka answers DescribeProducers to those who may read the topic: ingest, of its output and dead letters alone."""
    own = on_topics(roles.INGEST, Operation.WRITE)
    assert own & on_topics(roles.INGEST, Operation.READ) == ASKED
    others = {role: on_topics(role, Operation.READ) & ASKED for role in (roles.EMBED, roles.UPSERT, roles.QUERY)}
    assert others == {
        roles.EMBED: {"doc.chunked.c1", "doc.chunked.c1.replay"},
        roles.UPSERT: {"doc.chunked.c1"},
        roles.QUERY: set(),
    }


def test_generations_are_written_by_people_and_by_the_operator_alone() -> None:
    """Whoever may write `index.generation` decides what serves; those who embed, write and search read it."""
    may = {
        operation: {role for role in roles.ROLES if topics.INDEX_GENERATION in on_topics(role, operation)}
        for operation in (Operation.WRITE, Operation.READ)
    }
    people = {roles.OPERATOR, roles.OPERATORS}
    assert may[Operation.WRITE] == people
    assert may[Operation.READ] == people | {roles.EMBED, roles.UPSERT, roles.QUERY, roles.INDEX}


def test_only_ingest_writes_the_corpus() -> None:
    """`doc.chunked` is compacted: a second writer could make an older revision the last one."""
    writers = {role for role in roles.ROLES if "doc.chunked.c1" in on_topics(role, Operation.WRITE)}
    assert writers == {roles.INGEST}


@pytest.mark.parametrize("role", roles.ROLES)
def test_nobody_may_change_or_delete_anything(role: str) -> None:
    """Making and changing topics and ACLs is for the cluster's super users alone; groups and ids are Roggia's own."""
    found = roles.acls(role, WHO, SPECS)
    forbidden = {Operation.ALL, Operation.CREATE, Operation.DELETE, Operation.ALTER, Operation.ALTER_CONFIGS}
    assert not forbidden & {acl.operation for acl in found}
    prefixed = {acl.name for acl in found if acl.pattern is Pattern.PREFIXED}
    assert all(name.startswith("roggia.") for name in prefixed)
    assert {acl.name for acl in found if acl.resource is Resource.TOPIC} <= {spec.name for spec in SPECS}


def test_every_stage_of_the_catalogue_has_a_role() -> None:
    """A producer or consumer that is one of ours is never forgotten because its name was misspelt."""
    outside = {"upstream systems", "anyone", "roggia publish", "guard", "billing"}
    named = {name for spec in SPECS for name in (*spec.producers, *spec.consumers)}
    assert {name for name in named - outside if not roles._roles([name])} == set()


def test_a_site_s_own_names(tmp_path: Path) -> None:
    """A role can have another principal or none; publishers and consumers get what their work needs."""
    file = tmp_path / "principals.yaml"
    file.write_text(
        "services: {ingest: 'User:CN=ingest', query: null, upsert: null}\n"
        "publishers: [User:wiki]\n"
        "consumers: [{principal: User:billing, topics: [doc.upserted], group: billing.}]\n"
    )
    who = principals.load(file)
    found = who.acls(SPECS)
    names = {acl.principal for acl in found}
    assert {"User:CN=ingest", "User:roggia-embed", "User:wiki", "User:billing"} <= names == who.managed()
    assert not {"User:roggia-ingest", "User:roggia-query", "User:roggia-upsert"} & names
    assert {acl for acl in found if acl.principal == "User:billing"} == {
        Acl("User:billing", Resource.TOPIC, "doc.upserted", Operation.READ),
        Acl("User:billing", Resource.GROUP, "billing.", Operation.READ, Pattern.PREFIXED),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {guard: User:x}", "no role 'guard'; there are ingest, embed"),
        ("services: {ingest: roggia}", "'roggia' is no principal; write User:NAME"),
        ("publishers: ['User:*']", "is no principal"),
        ("publisher: [User:x]", "unknown field `publisher`"),
        ("a: [", "--principals: .*principals.yaml"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, said: str) -> None:
    """One line with the file and what is wrong in it."""
    file = tmp_path / "principals.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said) as wrong:
        principals.load(file)
    assert "\n" not in str(wrong.value)


def test_what_is_missing_what_is_too_much_and_what_is_not_ours() -> None:
    """Rights of principals that are not described here are never a surplus, even on Roggia's topics."""
    mine, more = (Acl(WHO, Resource.TOPIC, name, Operation.READ) for name in ("a", "b"))
    theirs = Acl("User:stranger", Resource.TOPIC, "a", Operation.ALL)
    plan = compare({mine}, [more, theirs], {WHO})
    assert (plan.missing, plan.surplus, plan.others) == ((mine,), (more,), (theirs,))
    assert (plan.revocable([]), plan.revocable([WHO])) == ((), (more,))
    assert not compare({mine}, [mine, theirs], {WHO})


def test_commands_for_kafka_s_own_tool() -> None:
    """A site whose administrators run no Roggia gets lines for kafka-acls.sh."""
    acl = Acl("User:a b", Resource.GROUP, "g.", Operation.DESCRIBE_CONFIGS, Pattern.PREFIXED)
    assert command(acl) == (
        "--add --allow-principal 'User:a b' --operation DescribeConfigs --group g. --resource-pattern-type prefixed"
    )
