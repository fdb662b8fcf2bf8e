"""The demo's corpus and its checks, without a stack."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from roggia.cli.demo_stage import directory
from roggia.demo import corpus, story
from roggia.errors import StackFailedError
from roggia.publishing.events import Source, Target
from roggia.publishing.tracker import Failure, Tracker
from roggia.query_client import Question
from roggia_runtime.ids import uuid7
from roggia_schemas.events import DocUpserted
from roggia_schemas.names import check_doc_id


def _source(doc_id: str, text: str = "one\n\ntwo\n\nthree") -> Source:
    return Source(doc_id, "text/markdown", text.encode(), doc_id)


def _event(doc_id: str, chunks: int, embedded: int, *, deleted: bool = False) -> DocUpserted:
    return DocUpserted(
        event_id=uuid7(), parent_event_id=uuid7(), occurred_at=1, indexed_at=2, tenant_id="demo", domain="docs",
        doc_id=doc_id, revision=1, epoch=0, deleted=deleted, generation=1, collection="kb", model="m", chunks=chunks,
        added=embedded, kept=chunks - embedded, removed=0, embedded=embedded, cached=0,
    )  # fmt: skip


def test_the_corpus_stays_in_its_budget_and_holds_the_document_that_answers() -> None:
    """Whatever this machine has installed: the budget bounds the demo's time, and the question can be answered."""
    texts = corpus.gather(400_000)
    ids = [one.doc_id for one in texts]

    assert sum(len(one.content.decode()) for one in texts) <= 400_000
    assert len(ids) == len(set(ids)) > 30
    assert all(check_doc_id(one) for one in ids)
    assert "python/language/try.md" in ids
    assert all(len(one.content) <= corpus.MAX_DOCUMENT_CHARS * 4 for one in texts)


def test_underlined_headings_become_markdown_by_the_level_of_their_line() -> None:
    """reStructuredText underlines titles; a chunk's heading path needs them as Markdown has them."""
    text = "Title\n*****\n\nbody\n\nPart\n----\n\ncode:\n\n    x = 1\n    -----\n"

    assert corpus.as_markdown(text) == "# Title\n\nbody\n\n## Part\n\ncode:\n\n    x = 1\n    -----\n"


def test_an_edit_puts_a_paragraph_in_the_middle_and_changes_nothing_else() -> None:
    """What is re-embedded must come from the edit alone."""
    edited = story.insert(_source("a.md", "one\n\ntwo\n\nthree\n\nfour"), "NEW")

    assert edited.content == b"one\n\ntwo\n\nNEW\n\nthree\n\nfour"
    assert edited.doc_id == "a.md"


def test_the_edited_document_is_the_one_with_most_chunks_that_is_not_deleted_next() -> None:
    """The saving shows best there, and the deletion must not delete the edit."""
    texts = [_source("a.md"), _source("b.md"), _source("c.md")]
    indexed = {one: _event(one, chunks, chunks) for one, chunks in (("a.md", 3), ("b.md", 9), ("c.md", 5))}

    assert story.to_edit(texts, indexed, spared="b.md").doc_id == "c.md"


class _Job:
    """A job whose publications end as the test says."""

    target = Target("demo", "docs", ("*",))

    def __init__(self, *events: DocUpserted, failed: Sequence[Failure] = ()) -> None:
        self._tracker = Tracker("demo", 1, indexed={one.doc_id: one for one in events}, failed=list(failed))

    async def publish(self, _documents: object, _watch: object) -> Tracker:
        return self._tracker

    async def delete(self, _ids: object, _watch: object) -> Tracker:
        return self._tracker


class _Query:
    """A query service that always finds the same documents."""

    def __init__(self, *found: tuple[str, str]) -> None:
        self._found = [{"doc_id": doc_id, "text": text} for doc_id, text in found]

    async def search(self, _question: Question) -> dict[str, Any]:
        return {"results": self._found}

    async def ask(self, _question: Question) -> dict[str, Any]:
        return {"answer": "x" if self._found else "", "citations": self._found}


def _story(job: _Job, query: _Query) -> story.Story:
    return story.Story(job, query, lambda *_: None)  # type: ignore[arg-type]


async def test_the_demo_fails_when_a_document_was_refused() -> None:
    """A demo that hides a refusal is worse than none."""
    refused = _story(_Job(failed=[Failure("a.md", "content: empty")]), _Query())

    with pytest.raises(story.DemoFailedError, match=r"1 documents were refused, first a\.md: content: empty"):
        await refused.index([_source("a.md")], lambda *_: None)


async def test_the_demo_fails_when_an_edit_embeds_everything_or_is_not_found() -> None:
    """The claim is that an edit costs the chunks that it changed, and that it can be found."""
    with pytest.raises(story.DemoFailedError, match="an edit embeds some chunks, not all, but 5 of 5 were"):
        await _story(_Job(_event("a.md", 5, 5)), _Query(("a.md", story.MARK))).edit(_source("a.md"))
    with pytest.raises(story.DemoFailedError, match="the new sentence is found, but it is not"):
        await _story(_Job(_event("a.md", 5, 1)), _Query(("a.md", "old"))).edit(_source("a.md"))

    edited = await _story(_Job(_event("a.md", 5, 1)), _Query(("a.md", story.MARK))).edit(_source("a.md"))
    assert (edited.embedded, edited.chunks, edited.kept) == (1, 5, 4)


async def test_the_demo_fails_when_a_deleted_document_is_still_found() -> None:
    """Cited or merely found: either is a broken promise."""
    gone = _event("a.md", 0, 0, deleted=True)
    with pytest.raises(story.DemoFailedError, match=r"a deleted document is never found, but a\.md is"):
        await _story(_Job(gone), _Query(("a.md", "x"))).delete("a.md")

    assert await _story(_Job(gone), _Query(("b.md", "x"))).delete("a.md")


async def test_the_demo_fails_without_a_citation() -> None:
    """An answer without a citation is not what is promised."""
    with pytest.raises(story.DemoFailedError, match="the answer cites documents"):
        await _story(_Job(), _Query()).ask()


@pytest.mark.parametrize(
    ("failure", "kept"), [(StackFailedError("see its log"), 1), (KeyboardInterrupt(), 0), (None, 0)]
)
def test_a_demo_that_failed_leaves_the_logs_that_its_message_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: BaseException | None, kept: int
) -> None:
    """Whoever reads `see …/logs/broker.log` finds it; success and Ctrl-C leave nothing."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    try:
        with directory(None) as data:
            (data / "logs").mkdir(parents=True)
            if failure:
                raise failure
    except (StackFailedError, KeyboardInterrupt) as raised:
        assert raised is failure
    assert len(list(tmp_path.glob("*/logs"))) == kept
