"""Answers on the wire, one by one, as the conformance page has them; on devstack and on Apache Kafka."""

from __future__ import annotations

import pytest

from tests.contract.kafka.answers.table import BEHAVIOURS, EXPLAINED, PAGE, answer, page, stored
from tests.support.kafka import Broker


@pytest.mark.parametrize("request_kind", sorted({name.split(":")[0] for name in BEHAVIOURS}))
async def test_answers_are_those_of_the_page(kafka: Broker, request_kind: str) -> None:
    """Each broker answers every question about this request as the page says that it does."""
    known, which = stored(), 0 if kafka.kind == "devstack" else 1
    asked = [name for name in BEHAVIOURS if name.startswith(f"{request_kind}: ")]
    wanted = {name: known[name][which] for name in asked}
    silent = [name for name in asked if wanted[name] == "no answer"]
    found = {name: await answer(kafka.bootstrap, name) for name in asked if name not in silent}
    assert found == {name: said for name, said in wanted.items() if name not in silent}


def test_the_page_is_whole_and_explains_every_difference() -> None:
    """No behaviour is missing from the page or left over, and none differs without a reason."""
    known = stored()
    assert list(known) == list(BEHAVIOURS)
    assert {name for name, (ours, theirs) in known.items() if ours != theirs} == set(EXPLAINED)
    assert page(known) == PAGE.read_text()
