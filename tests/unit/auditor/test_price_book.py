"""Price books as people write them: what is read, and what is refused with its place."""

from __future__ import annotations

import pytest
from roggia_auditor.errors import PriceError
from roggia_auditor.pricing.book import parse
from roggia_auditor.pricing.classes import TokenClass

GOOD = """
version: "2025-01"
source: https://example.com/pricing
prices:
  - provider: openai
    model: example-4
    aliases: [example-4-2025-01-01]
    from: 2025-01-01T00:00:00+01:00
    to: 2025-06-01
    usd_per_million: {input: 0.075, output: 0.30, reasoning: output}
    usd_per_request: "0.000000000001"
"""


def test_a_book_is_read_to_the_last_digit() -> None:
    """Decimals are taken as written, zones are heeded, aliases have entries of their own."""
    book = parse(GOOD.replace("2025-06-01\n", "2025-06-01T00:00:00Z\n"))
    assert [entry.tariff.model for entry in book] == ["example-4", "example-4-2025-01-01"]
    assert book[0].effective_from == 1_735_686_000_000
    assert book[0].pico_usd == {
        TokenClass.INPUT: 75_000,
        TokenClass.OUTPUT: 300_000,
        TokenClass.REASONING: 300_000,
        TokenClass.REQUEST: 1,
    }
    assert len(book[0].sha256) == 64


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("2025-06-01", "2025-06-01T00:00:00", r"prices\[0\].to: .* has no zone"),
        ("2025-06-01", "2024-01-01T00:00:00Z", r"prices\[0\].to: .* not later than from"),
        ("to: 2025-06-01", "until: 2026", "until is no field"),
        ("    model: example-4\n", "", "model is missing"),
        ("0.075", "-1", r"usd_per_million.input: -1 is negative"),
        ("0.075", "0.0000001", r"finer than 0.000001 US dollars"),
        ("0.075", ".nan", r"usd_per_million.input: '.nan' is no price"),
        ("0.075", "cheap", r"usd_per_million.input: 'cheap' is no price"),
        ("0.075", "true", r"usd_per_million.input: True is no price"),
        ("input: 0.075", "inputs: 0.075", "no such class of tokens; there are input"),
        ("reasoning: output", "reasoning: audio_output", "takes the price of audio_output, which has none"),
        ('"2025-01"', "2025", "version .* must be a text"),
        ("aliases: [example-4-2025-01-01]", "aliases: [example-4]", "two prices at the same time"),
        ("prices:", "price:", "expected version, source and prices"),
        ("provider: openai", "provider: ' '", r"provider: ' ' is no name"),
        ("provider: openai", "provider: openai\n    band_from: -1", r"band_from: -1 is negative"),
        ("{input: 0.075, output: 0.30, reasoning: output}", "[1]", "expected prices by class"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(before: str, after: str, message: str) -> None:
    """Entry, field, value and remedy."""
    good = GOOD if before == "2025-06-01" or "to:" in before else GOOD.replace("    to: 2025-06-01\n", "")
    with pytest.raises(PriceError, match=message):
        parse(good.replace(before, after))
