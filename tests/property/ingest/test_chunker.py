"""What the chunker promises, on documents and edits made by chance."""

from __future__ import annotations

import itertools
import random
import statistics
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_ingest.chunk import Chunker, Passage
from roggia_ingest.chunk.blocks import scan
from roggia_ingest.normalize import normalize

from tests.support import ingesting
from tests.support.texts import Texts

MAXIMUM, MINIMUM = 510, 128
EDITS = 1_000

FRAGMENTS = st.sampled_from(
    [
        *("# One\n", "## Two\n", "### Three\n", "Title\n=====\n", "---\n", "\n", "\n\n", "> quote\n", "    indented\n"),
        *("para graph. ", "Sentence one. Sentence two! ", "- item\n", "1. first\n", f"* {'long item text, ' * 60}\n"),
        *("```\ncode x = 1\n", "```\n", "~~~\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
        f"| {'cell words ' * 40} | x |\n",
        *("Ένα ", "é̂ ", "[SEP] [MASK] ", "数据流。" * 30, "🙂" * 40),
        *("word " * 90, "y" * 260, "ab." * 200, "z" * 5_000, "-" * 300, "x_y-z/" * 100),
    ]
)
DOCUMENTS = st.one_of(
    st.lists(FRAGMENTS, max_size=60).map("".join),
    st.text(max_size=3_000),
    st.integers(0, 10_000).map(lambda seed: Texts(seed).document(sections=6)),
)


def chunked(text: str, *, markdown: bool = True) -> list[Passage]:
    """Passages of a text that is normalised already."""
    return ingesting.chunker(MAXIMUM, MINIMUM).chunk(text, markdown=markdown)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_all_text_is_covered_within_the_maximum_and_counts_are_exact(raw: str, markdown: bool) -> None:
    """Every visible character lies in a passage; offsets cut the text; each text counted alone has its `tokens`."""
    text = normalize(raw)
    passages = chunked(text, markdown=markdown)
    covered = bytearray(len(text))
    for passage in passages:
        covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
        assert passage.text.endswith(text[passage.start : passage.end])
        assert passage.text.strip()
        assert ingesting.chunker().counter.count(passage.text) == passage.tokens <= MAXIMUM
    assert all(seen or character.isspace() for seen, character in zip(covered, text, strict=True))
    assert passages == chunked(text, markdown=markdown)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000))
def test_only_the_last_piece_of_a_top_level_section_is_below_the_minimum(seed: int) -> None:
    """And no passage crosses a level-1 heading, nor repeats text from before one."""
    text = normalize("\n\n".join(Texts(seed + number).document(sections=4) for number in range(3)))
    passages = chunked(text)
    starts = [block.start for block in scan(text, markdown=True) if block.level == 1]
    ends = {max((p.end for p in passages if p.end <= start), default=0) for start in [*starts[1:], len(text)]}
    for passage in passages:
        assert passage.tokens >= MINIMUM or passage.end in ends
        assert not any(passage.start < start < passage.end for start in starts)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000))
def test_overlap_is_at_most_fifteen_percent_and_starts_at_a_sentence(seed: int) -> None:
    """What a passage repeats is the end of the one before it, and little of it."""
    text = normalize(Texts(seed).document(sections=8))
    passages = chunked(text)
    count = ingesting.chunker().counter.count
    for before, passage in itertools.pairwise(passages):
        if passage.start < before.end:
            repeated = text[passage.start : before.end]
            assert before.text.endswith(repeated)
            assert count(repeated) <= 0.15 * passage.tokens + 1


def test_an_oversize_table_repeats_its_header_in_every_part() -> None:
    """Each part is a table of its own, none above the maximum."""
    rows = "\n".join(f"| name {n} | {'meaning ' * 5}{n} |" for n in range(300))
    text = f"# Title\n\n| name | meaning |\n|---|---|\n{rows}"
    passages = chunked(text)
    assert len(passages) > 5
    for passage in passages[1:]:
        assert passage.text.startswith("| name | meaning |\n|---|---|\n| name ")


def changed(before: Sequence[Passage], after: Sequence[Passage]) -> int:
    """Passages of `after` that are not in `before`: what an edit embeds again."""
    return (Counter(p.text for p in after) - Counter(p.text for p in before)).total()


def p95(values: Sequence[int]) -> float:
    """The ninety-fifth percentile."""
    return statistics.quantiles(values, n=20)[18]


@pytest.fixture(scope="module")
def documents() -> list[tuple[str, list[Passage]]]:
    """Two hundred documents with their passages."""
    texts = [normalize(Texts(seed).document(sections=7)) for seed in range(200)]
    return [(text, chunked(text)) for text in texts]


def test_an_insert_at_the_top_changes_at_most_two_chunks(documents: list[tuple[str, list[Passage]]]) -> None:
    """Over a thousand random paragraphs put below the title, at the ninety-fifth percentile."""
    counts = []
    for seed in range(EDITS):
        text, before = documents[seed % len(documents)]
        title, rest = text.split("\n\n", 1)
        paragraph = Texts(seed + 10_000).paragraph()
        counts.append(changed(before, chunked(normalize(f"{title}\n\n{paragraph}\n\n{rest}"))))
    assert min(counts) >= 1
    assert p95(counts) <= 2


def test_a_change_in_one_section_changes_at_most_three_chunks(documents: list[tuple[str, list[Passage]]]) -> None:
    """Over a thousand random edits of one block: a word, a sentence, a new paragraph, one taken out."""
    counts = []
    for seed in range(EDITS):
        text, before = documents[seed % len(documents)]
        counts.append(changed(before, chunked(normalize(_edited(text, random.Random(seed))))))
    assert max(counts) >= 1
    assert p95(counts) <= 3


def _edited(text: str, chance: random.Random) -> str:
    blocks = text.split("\n\n")
    paragraphs = [n for n, block in enumerate(blocks) if block[0].isalnum()]
    place = chance.choice(paragraphs)
    block, new = blocks[place], Texts(chance.randrange(10**6))
    words = block.split(" ")
    words[chance.randrange(len(words))] = "edited"
    blocks[place : place + 1] = chance.choice(
        ([" ".join(words)], [f"{block} {new.sentence()}"], [block, new.paragraph()], [])
    )
    return "\n\n".join(blocks)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        f"a{' ' * 300_000}b",
        f"| a |\n|-{' ' * 300_000}x|\n",
        f"# a{' ' * 300_000}b",
        "." * 60_000,
        f"a.{'*' * 60_000}b",
        "```\n~~~\n" * 10_000,
        "[" * 60_000,
    ],
    ids=["spaces", "table", "heading", "dots", "stars", "fences", "brackets"],
)
def test_hostile_texts_take_no_more_than_linear_time(text: str) -> None:
    """Patterns that look for an end which never comes would take hours on these."""
    assert all(passage.tokens <= MAXIMUM for passage in chunked(normalize(text)))


def test_the_fingerprint_names_what_decides_the_cuts() -> None:
    """Other sizes, another fingerprint; the same ones, the same."""
    one, other = ingesting.chunker(510, 128), ingesting.chunker(800, 200)
    assert one.fingerprint != other.fingerprint
    assert "max=510;min=128;overlap=76;tokenizer=sha256:" in one.fingerprint
    assert Chunker(one.counter, one.sizes).fingerprint == one.fingerprint
