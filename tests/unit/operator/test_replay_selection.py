"""Selections are checked once, say what is wrong in one line, and travel as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from roggia.cli.replay_options import moment, offset_range, rates_of
from roggia.errors import UsageError
from roggia_operator.console.live_jobs import selection_of
from roggia_operator.errors import SelectionError
from roggia_operator.replay import selection as selections
from roggia_operator.replay.selection import OffsetRange, Selection, documents, selected
from roggia_operator.replay.warnings import overlaps


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"topic": "doc.upserted"}, "topic: 'doc.upserted' has no replay lane"),
        ({"topic": "doc.changed.dlq"}, "has no replay lane"),
        ({"topic": "doc.changed.replay"}, "has no replay lane"),
        ({"topic": "nonsense"}, "has no replay lane"),
        ({"from_ms": 5, "to_ms": 5}, "from, to: 1970-01-01T00:00:00.005+00:00 is not before 1970"),
        ({"from_ms": -1}, "from: -1 lies before 1970"),
        ({"to_ms": 10**23}, "lies after the year 9999"),
        ({"offsets": (OffsetRange(0, 5, 5),)}, "0:5-5 is no range"),
        ({"offsets": (OffsetRange(0, 1, 2), OffsetRange(0, 3, 4))}, "partition 0 is named twice"),
        ({"tenant": "No"}, "tenant"),
        ({"domain": "kb"}, "domain: 'kb' is a domain of which tenant?"),
        ({"documents": ("b/1",), "tenant": "a"}, "'b/1' is not of tenant 'a'"),
        ({"missing": True}, "there is nothing to replay"),
        ({"collection": "G!"}, "collection: 'G!' is no suffix"),
        ({"collection": "g2"}, "is no suffix"),
        ({"collection": "trial", "mode": "renew"}, "mode: renew has no meaning"),
        ({"documents": tuple(f"a/{n}" for n in range(100_001))}, "100,001 are more than 100,000"),
    ],
)
def test_what_is_wrong_is_refused_naming_field_value_and_remedy(fields: dict[str, Any], words: str) -> None:
    """An operator sees at once which option to mend; nothing half right becomes a job."""
    with pytest.raises(SelectionError) as refused:
        selected(Selection(**{"topic": "doc.changed", **fields}))
    assert words in str(refused.value)


def test_a_selection_comes_back_from_json_as_it_was() -> None:
    """What the operator confirmed is what the runner does; a field that it does not know is refused, not ignored."""
    chosen = Selection(
        topic="doc.chunked.c3", offsets=(OffsetRange(1, 2, 3),), tenant="a", documents=("a/x/y",), mode="renew"
    )
    assert selections.from_json(chosen.as_json()) == chosen
    with pytest.raises(SelectionError, match="colour"):
        selections.from_json('{"topic": "doc.changed", "colour": "red"}')


def test_thousands_of_documents_are_named_once_each_with_their_tenant() -> None:
    """Lines of a file: blank and repeated ones are left out; ids may hold slashes once the tenant is given."""
    assert documents(["x/y", "", " x/y ", "z"], "acme") == ("acme/x/y", "acme/z")
    assert documents(["acme/x/y"], "") == ("acme/x/y",)
    with pytest.raises(SelectionError, match="'x' names no tenant"):
        documents(["x"], "")
    chosen = Selection(topic="doc.changed", documents=documents([f"d{n}" for n in range(5000)], "a"))
    assert len(selections.from_json(chosen.as_json()).documents) == 5000


def test_times_ranges_and_rates_are_read_as_they_are_written() -> None:
    """ISO times are UTC unless they say otherwise; what cannot be read is refused with an example."""
    assert moment("--from", "1970-01-01T00:00:01") == moment("--from", "1970-01-01T01:00:01+01:00") == 1000
    assert (moment("--from", "1h") or 0) < (moment("--to", "1m") or 0)
    assert moment("--from", "") is None
    assert offset_range("3:10-20") == OffsetRange(3, 10, 20)
    assert rates_of(["records=50", "bytes=1e6"]) == {"records": 50.0, "bytes": 1e6}
    for wrong in (lambda: moment("--to", "soon"), lambda: offset_range("3-4"), lambda: rates_of(["records"])):
        with pytest.raises(UsageError):
            wrong()
    for rate in ("records=0", "records=-1", "records=nan", "miles=3"):
        with pytest.raises(SelectionError):
            rates_of([rate])


@pytest.mark.parametrize("text", ["2026-01-31T12:00", "2026-01-31T12:00:00Z", "2026-01-31T21:00+09:00"])
def test_a_time_in_the_consoles_form_is_of_the_zone_that_it_names(text: str) -> None:
    """UTC where it names none, as the browser's field does."""
    found = selection_of({"topic": "doc.changed", "since": text, "doc_ids": " acme/a\u2028b\r\n\r\nacme/c"})
    assert found.from_ms == 1_769_860_800_000
    assert found.documents == ("acme/a\u2028b", "acme/c")


def test_jobs_overlap_unless_topic_owner_or_documents_keep_them_apart() -> None:
    """The warning comes when it cannot be excluded that two jobs send the same document."""
    mine = Selection(topic="doc.changed", tenant="a", documents=("a/1", "a/2"))
    assert overlaps(mine, Selection(topic="doc.changed").as_json())
    assert overlaps(mine, Selection(topic="doc.changed", documents=("a/2",)).as_json())
    assert not overlaps(mine, Selection(topic="doc.changed", documents=("a/3",)).as_json())
    assert not overlaps(mine, Selection(topic="doc.changed", tenant="b").as_json())
    assert not overlaps(mine, Selection(topic="doc.chunked.c1").as_json())
    assert not overlaps(mine, '{"kind": "of another version"}')
