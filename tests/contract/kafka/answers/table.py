"""The conformance page: every behaviour with what devstack and Apache Kafka answer.

usage: python -m tests.contract.kafka.answers.table           write docs/reference/broker-conformance.md
       python -m tests.contract.kafka.answers.table --check   fail when the page is not what it would write

Needs Apache Kafka (`KAFKA_HOME`). The tests ask the same questions and compare the answers with the page.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.contract.kafka.answers import configs, groups, records, topics, transactions
from tests.contract.kafka.answers.asking import Behaviours, asking
from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker, find_java

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs/reference/broker-conformance.md"
BEHAVIOURS: Behaviours = {
    **topics.BEHAVIOURS,
    **configs.BEHAVIOURS,
    **groups.BEHAVIOURS,
    **transactions.BEHAVIOURS,
    **records.BEHAVIOURS,
}
SILENCE_S = 15.0
NO_ANSWER = "no answer"
_UNNAMED = "Apache Kafka meets an error that it has no name for; here the cause is named"
EXPLAINED = {
    "IncrementalAlterConfigs: an operation that there is not": _UNNAMED,
    "AlterConfigs: one request names a topic twice": "Apache Kafka never answers; here the request is refused",
    "Produce: null": "Apache Kafka never answers; here it is refused like no bytes",
    "Produce: a compression that there is not": _UNNAMED,
    "Produce: said to be gzip, and not": _UNNAMED,
    "Produce: said to be zstd, and not, to a compacted topic": _UNNAMED,
    "Produce: records that are nonsense": _UNNAMED,
    "Any: an array of -5": "Apache Kafka takes any negative length for null; here only -1 is, others are malformed",
}
"""Why devstack answers otherwise. Any other difference fails the tests."""


async def answer(bootstrap: str, behaviour: str) -> str:
    """Ask one broker."""
    try:
        async with asking(bootstrap) as asker, asyncio.timeout(SILENCE_S):
            return await BEHAVIOURS[behaviour](asker)
    except TimeoutError:
        return NO_ANSWER


async def _answers(ours: Broker, theirs: Broker) -> dict[str, tuple[str, str]]:
    return {
        behaviour: (await answer(ours.bootstrap, behaviour), await answer(theirs.bootstrap, behaviour))
        for behaviour in BEHAVIOURS
    }


def stored() -> dict[str, tuple[str, str]]:
    """What the page says: devstack's and Apache Kafka's answer per behaviour."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and f"{cells[0]}: {cells[1]}" in BEHAVIOURS:
            found[f"{cells[0]}: {cells[1]}"] = (cells[2], cells[2] if cells[3] == "the same" else cells[3])
    return found


def page(answers: dict[str, tuple[str, str]]) -> str:
    """The whole page."""
    different = [name for name, (ours, theirs) in answers.items() if ours != theirs]
    lines = [_HEAD.format(count=len(answers), same=len(answers) - len(different), different=len(different))]
    for name, (ours, theirs) in answers.items():
        api, asked = name.split(": ", 1)
        shown = "the same" if ours == theirs else theirs
        why = "" if ours == theirs else EXPLAINED.get(name, "**not explained**")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (api, asked, ours, shown, why)) + " |")
    lines += [_SUITE]
    lines += [f"| {part} | {promise} |" for part, promise in _tests()]
    return "\n".join(lines) + "\n"


def _tests() -> Iterator[tuple[str, str]]:
    """What the tests that run on both brokers promise."""
    for path in sorted((ROOT / "tests/contract/kafka").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _on_both(node):
                yield path.stem.removeprefix("test_"), " ".join((ast.get_docstring(node) or "").split())


def _on_both(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return node.name.startswith("test_") and "kafka" in {argument.arg for argument in node.args.args}


_HEAD = """\
# Broker conformance

Written by `make conformance`; do not edit. Each row is a question put to the embedded broker and to Apache Kafka 4.3
on the wire, and what they answered. The tests in `tests/contract/kafka` ask again and compare with this page; a
difference without a reason fails them. Wordings of messages differ everywhere and are not compared.

{count} behaviours: {same} the same, {different} different for the reason given. What is left out on purpose is in
[the design page](../design/devstack.md).

| request | asked | embedded broker | Apache Kafka 4.3 | why they differ |
|---|---|---|---|---|"""

_SUITE = """
## Held by both

These tests drive both brokers with aiokafka and librdkafka, and pass on both.

| about | what holds |
|---|---|"""


def main(arguments: Sequence[str]) -> int:
    """Ask both brokers and write or compare the page."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = devstack_broker(Path(folder, "d"), **DEVSTACK_ENV), find_java().broker(Path(folder, "a"))
        try:
            ours.start()
            theirs.start()
            made = page(asyncio.run(_answers(ours, theirs)))
        finally:
            ours.kill()
            theirs.kill()
    if "--check" in arguments:
        return int(PAGE.read_text() != made)
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
