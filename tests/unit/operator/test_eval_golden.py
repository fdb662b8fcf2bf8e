"""Golden sets: what a file may hold, how complaints read, what the builders make."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from roggia_operator.evaluation.errors import GoldenSetError
from roggia_operator.evaluation.golden import clicks, known_items
from roggia_operator.evaluation.golden.clicks import Click, Rules, Served
from roggia_operator.evaluation.golden.known_items import Plan
from roggia_operator.evaluation.golden.model import Header, Judged
from roggia_operator.evaluation.golden.reading import LONGEST_LINE, read
from roggia_operator.evaluation.golden.words import first_sentence
from roggia_operator.evaluation.golden.writing import write
from roggia_operator.evaluation.slices import IDENTIFIER, slices
from roggia_runtime.questions import exact

from tests.support.evaluating import asked, document

HEADER = {"golden": 1, "id": "handbook", "version": 2, "manifest": "abc", "created": "2026-11-29", "description": "x"}
LINE = {"query": "who pays?", "tenant": "acme", "domain": "docs", "relevant": [{"doc_id": "a.md", "grade": 2}]}


def _file(folder: Path, *lines: object) -> Path:
    path = folder / "set.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_a_set_that_was_written_is_read_back_and_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    """Everything survives; the id is what sha256sum shows; the order of questions does not change the bytes."""
    queries = [
        asked(1, language="en", tags=("clicked",), forbidden=((), ("x",)), copied=0.5),
        asked(2, relevant=(Judged(doc_id="d", chunk="c1", grade=3), Judged(doc_id="d", chunk="c2", grade=0))),
    ]
    write(tmp_path / "a", Header(id="s", version=3), queries)
    write(tmp_path / "b", Header(id="s", version=3), queries[::-1])
    found = read(tmp_path / "a")

    assert set(found.queries) == set(queries)
    assert found.header == Header(id="s", version=3)
    assert found.sha256 == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tenant": "A_B"}, "tenant: 'A_B' is not valid"),
        ({"domain": ""}, "domain: '' is not valid"),
        ({"query": "  ?"}, "query: '  \\?' has 3 characters; write"),
        ({"query": "x" * 8193}, "query: 'xxx.*8193 characters"),
        ({"relevant": []}, "relevant: nothing has a grade above 0; name a document"),
        ({"relevant": [{"doc_id": "a", "grade": 0}]}, "relevant: nothing has a grade above 0"),
        ({"relevant": [{"doc_id": "a", "grade": 5}]}, r"relevant\[0\].grade: 5; grades are 0 to 4"),
        ({"relevant": [{"doc_id": "a", "grade": "2"}]}, r"relevant\[0\].grade: Expected `int`, got `str`"),
        ({"relevant": [{"doc_id": ""}]}, r"relevant\[0\].doc_id: is empty"),
        ({"relevant": [{"doc_id": "a"}, {"doc_id": "a"}]}, "relevant: names something twice"),
        (
            {"relevant": [{"doc_id": "a", "chunk": "1"}, {"doc_id": "b"}]},
            "relevant.chunk: some have one, some have none",
        ),
        ({"copied": 1.5}, "copied: 1.5; a share is 0 to 1"),
        ({"answer": "x"}, "answer: Object contains unknown field `answer`; the fields are query, tenant"),
        ({"groups": "staff"}, "groups: Expected `array`, got `str`"),
    ],
)
def test_a_wrong_line_is_told_with_file_line_field_and_remedy(tmp_path: Path, change: object, said: str) -> None:
    """Whoever wrote the file by hand finds the place at once."""
    path = _file(tmp_path, HEADER, LINE, LINE | {"query": "second"} | change)  # type: ignore[operator]

    with pytest.raises(GoldenSetError, match=f"set.jsonl:3: {said}"):
        read(path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "holds no question; write a header line"),
        ([HEADER], "holds no question"),
        ([LINE], ":1: query: Object contains unknown field `query`; the fields are golden, id"),
        ([HEADER | {"golden": 2}, LINE], ":1: golden: 2 is a form that this version does not read; it reads 1"),
        ([HEADER | {"id": "a b"}, LINE], ":1: id: 'a b'; write 1 to 63"),
        ([HEADER | {"version": 0}, LINE], ":1: version: 0; versions begin at 1"),
        ([HEADER, "{"], ":2: not JSON .*; write one JSON object"),
        ([HEADER, LINE, LINE | {"tags": ["x"]}], ":3: query: asked by line 2 already"),
        ([HEADER, "x" * (LONGEST_LINE + 1)], ":2: longer than"),
    ],
)
def test_a_wrong_file_is_told_too(tmp_path: Path, lines: list[object], said: str) -> None:
    """Empty, without a header, of another form, with a question twice, with a line that is none."""
    with pytest.raises(GoldenSetError, match=said):
        read(_file(tmp_path, *lines))


def test_an_unfinished_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A set is replaced whole: what fails in the middle leaves what was there."""
    path = tmp_path / "a"
    write(path, Header(id="old"), [asked(1)])
    with pytest.raises(TypeError):
        write(path, Header(id="new"), [asked(1), msgspec.structs.replace(asked(2), tags=(object(),))])

    assert read(path).header.id == "old"


def test_whoever_reads_while_a_set_is_replaced_reads_the_old_one_whole(tmp_path: Path) -> None:
    """The new file takes the old one's name at once; it is never seen half written."""
    path = tmp_path / "a"
    write(path, Header(id="old"), [asked(1)])
    before = path.read_bytes()
    with path.open("rb") as reader:
        write(path, Header(id="new"), [asked(2)])
        assert reader.read() == before
    assert read(path).header.id == "new"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("what does ERR-1042 mean", True), ("upgrade to v2.3.1", True), ("os.path.join arguments", True),
        ("call getUserById from Java", True), ("0x80070057", True), ("std::move semantics", True),
        ("ticket 20231", True), ("HttpServer timeout", True), ("SQL_MODE strict", True), ("max_tokens default", True),
        ("how do I get a refund?", False), ("who approves travel above 1000 euros", False), ("e.g. this", False),
        ("The Civil War", False), ("what is a well-known issue", False), ("room 12", False), ("Ready. Set", False),
    ],
)  # fmt: skip
def test_questions_that_name_something_exactly_are_told_from_the_rest(text: str, named: bool) -> None:
    """Codes, versions, functions and numbers are identifiers; ordinary words, names and short numbers are not."""
    assert exact(text) is named


def test_a_question_is_in_the_slices_that_its_fields_say() -> None:
    """Tenant, domain within its tenant, language, length, form and tags; everything is in `all`, first."""
    query = asked(1, query="what does ERR-1042 mean", language="en", tags=("clicked",))

    assert list(slices(query)) == [
        "all", "tenant=acme", "domain=acme/docs", "language=en", "length=4-8 words", IDENTIFIER, "tag=clicked",
    ]  # fmt: skip
    assert "length=1-3 words" in slices(asked(1, query="one two three"))
    assert "length=9 and more words" in slices(asked(1, query="a b c d e f g h i"))


TITLES = [
    document("a", "How to file expenses. Keep receipts.", title="How to file expenses"),
    document("b", "Nothing of the title here", title="Rules of the house", sentence="Nothing of the title here."),
    document("c", "x", title="Rules", sentence="The lift is out of order today."),
    document("d", "x", title="", sentence=""),
    document("e", "x", title="A title without end " * 50),
]


def test_known_items_take_the_title_else_the_first_sentence_and_say_how_much_is_copied() -> None:
    """Each question asks for its document; words that stand in it are noted, and a tag warns of verbatim ones."""
    made = known_items.make(TITLES, Plan())
    by_doc = {query.relevant[0].doc_id: query for query in made.queries}

    assert {doc: query.query for doc, query in by_doc.items()} == {
        "a": "How to file expenses", "b": "Rules of the house", "c": "The lift is out of order today.",
    }  # fmt: skip
    assert by_doc["a"].copied == 1.0
    assert by_doc["a"].tags == ("known-title", "verbatim")
    assert by_doc["b"].copied == 0.5
    assert by_doc["b"].tags == ("known-title",)
    assert by_doc["c"].tags == ("known-sentence",)
    assert made.skipped == {"too few words, or too many": 2}


def test_words_that_give_a_document_away_can_be_taken_out() -> None:
    """Words that at most so many documents hold leave the question; a question that is too short then is none."""
    base = [
        document(f"x{at}", f"the same words everywhere unique{at}", title=f"unique{at} the same words")
        for at in range(3)
    ]
    kept, taken = known_items.make(base, Plan()), known_items.make(base, Plan(rare=1))

    assert len(kept.queries) == 3
    assert taken.queries == ()  # without its own word each asks the same
    assert taken.skipped == {"another document asks the same": 3}


def test_an_open_document_has_no_probe_and_a_restricted_one_two() -> None:
    """Asked as its first group; forbidden to nobody's groups and to all others of the knowledge base."""
    base = [
        document("a", "", title="What everybody may see"),
        document("b", "", title="What finance may see", acl=("board", "finance")),
        document("c", "", title="What staff may see", acl=("staff",)),
    ]
    by_doc = {query.relevant[0].doc_id: query for query in known_items.make(base).queries}

    assert (by_doc["a"].groups, by_doc["a"].forbidden) == ((), ())
    assert (by_doc["b"].groups, by_doc["b"].forbidden) == (("board",), ((), ("staff",)))
    assert by_doc["c"].forbidden == ((), ("board", "finance"))


def test_known_items_are_the_same_for_the_same_corpus_in_any_order() -> None:
    """Which documents are chosen depends on a hash, not on the order of the log, and on the seed."""
    base = [document(f"d{at}", "", title=f"Title of document number {at}") for at in range(50)]
    first, again = known_items.make(base, Plan(most=10)), known_items.make(base[::-1], Plan(most=10))

    assert set(first.queries) == set(again.queries)
    assert len(first.queries) == 10
    assert set(known_items.make(base, Plan(most=10, seed=2)).queries) != set(first.queries)


def test_a_title_that_two_documents_have_asks_for_neither() -> None:
    """A question with two right answers of which one is judged would punish the model that finds the other."""
    base = [document("a", "", title="The same long title"), document("b", "", title="The same  long title")]

    assert known_items.make(base).queries == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# Expenses\n\nKeep the *receipts* of\nevery journey. Then file them.", "Keep the receipts of every journey."),
        ("- Bring your own cup to meetings! Thanks.", "Bring your own cup to meetings!"),
        (
            "Short. And this one is long enough to be a question.",
            "Short. And this one is long enough to be a question.",
        ),
        ("no end of a sentence", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_is_plain_text_in_one_line(text: str, sentence: str) -> None:
    """Markup, headings and line breaks are gone."""
    assert first_sentence(text) == sentence


def _clicks(doc_id: str, count: int, **changes: object) -> list[Click]:
    facts: dict[str, object] = {"doc_id": doc_id, "query": "who pays", "tenant": "acme", "domain": "docs"}
    return [Click(**(facts | changes))] * count  # type: ignore[arg-type]


def test_clicks_on_one_question_become_graded_judgements() -> None:
    """Once is chance; often is relevant; most often by far is very relevant. White space is no other question."""
    log = [*_clicks("once", 1), *_clicks("some", 2), *_clicks("most", 6), *_clicks("most", 1, query="who  pays ")]
    log += _clicks("alone", 3, query="seldom asked")
    query, seldom = clicks.gather(log, {}).queries

    assert {one.doc_id: one.grade for one in query.relevant} == {"some": 1, "most": 2}
    assert {one.doc_id: one.grade for one in seldom.relevant} == {"alone": 1}
    assert query.tags == ("clicked",)


def test_clicks_named_by_query_id_take_their_question_from_the_recorded_search() -> None:
    """What was not recorded, or not shown by that search, is counted and left out."""
    served = {"q1": Served("acme", "docs", "who pays", ("a", "b"))}
    log = [Click(doc_id="a", query_id="q1"), Click(doc_id="z", query_id="q1"), Click(doc_id="a", query_id="gone")]
    made = clicks.gather(log, served, Rules(least=1))

    assert [query.query for query in made.queries] == ["who pays"]
    assert made.skipped == {"document not shown by that search": 1, "search not recorded, or without its text": 1}


def test_a_recorded_search_that_no_service_takes_is_left_out() -> None:
    """A log of other days may hold anything: what cannot be asked again is counted, and does not end the work."""
    served = {"q1": Served("acme", "docs", "???"), "q2": Served("A B", "docs", "who pays")}
    made = clicks.gather([Click(doc_id="a", query_id="q1"), Click(doc_id="a", query_id="q2")], served)

    assert (made.queries, made.skipped) == ((), {"search that the service would refuse": 2})


def test_clicks_of_other_groups_are_another_question() -> None:
    """Who may see what differs: the same words asked by staff and by the board are judged apart."""
    log = [*_clicks("a", 2, groups=("staff",)), *_clicks("a", 2, groups=("board",))]

    assert len(clicks.gather(log, {}).queries) == 2


def test_a_wrong_line_of_clicks_is_told_with_its_place(tmp_path: Path) -> None:
    """File, line, field, remedy, as for golden sets; fields that are not ours are left alone."""
    path = _file(
        tmp_path, {"query_id": "q", "doc_id": "a", "user": "x"}, {"doc_id": "a", "query": "x", "tenant": "acme"}
    )

    with pytest.raises(GoldenSetError, match=r"jsonl:2: domain: is missing; give query_id, or query, tenant and"):
        list(clicks.read(path))
    path = _file(tmp_path, {"doc_id": "", "query_id": "q"})
    with pytest.raises(GoldenSetError, match=":1: doc_id: is empty"):
        list(clicks.read(path))
