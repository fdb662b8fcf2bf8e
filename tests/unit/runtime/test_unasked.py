"""What is said where Kafka does not let an owner ask what hangs open of its own."""

from __future__ import annotations

from roggia_runtime.consumer.hanging import Unasked
from roggia_runtime.settings import KafkaSettings
from structlog.testing import capture_logs


def test_one_warning_and_a_note_while_it_lasts() -> None:
    """Assignments come again and again: the log says it once, the note goes when the right was granted."""
    unasked = Unasked(KafkaSettings())
    with capture_logs() as logs:
        unasked.are(set())
        assert unasked.notes() == []
        unasked.are({"out", "in.dlq"})
        unasked.are({"out"})
    assert [entry["topics"] for entry in logs] == [["in.dlq", "out"]]
    (note,) = unasked.notes()
    assert "read out, so it cannot see whether a transaction of its own hangs there" in note
    unasked.are(set())
    assert unasked.notes() == []
