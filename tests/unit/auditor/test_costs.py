"""Amounts against sums made by hand: every class of tokens, both ways of counting, everything that goes wrong."""

from __future__ import annotations

import pytest
from roggia_auditor.errors import OverflowingError, UsageError
from roggia_auditor.pricing.book import parse
from roggia_auditor.pricing.entries import MARGIN_MS, PriceBook
from roggia_auditor.pricing.rating import rate
from roggia_schemas.events import AttemptOutcome, InferenceAttempt, TokenUsage, UsageSource

from tests.support.auditing import NOON, attempt, inference, usage

TEXT = """
version: "v1"
prices:
  - provider: openai
    model: example-4
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 2.50, cache_read: 1.25, output: 10, reasoning: output, audio_input: 40, audio_output: 80, image: 5}
  - provider: openai
    model: example-4
    batch: true
    from: 2024-01-01T00:00:00Z
    usd_per_million: {input: "1.25", output: "5"}
  - provider: anthropic
    model: example-s
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 3, cache_read: 0.30, cache_write_5m: 3.75, cache_write_1h: 6, output: 15, reasoning: output}
  - provider: anthropic
    model: example-s
    band_from: 200001
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 6, cache_read: 0.60, cache_write_5m: 7.50, cache_write_1h: 12, output: 22.50, reasoning: output}
  - provider: roggia
    model: mini
    from: 2024-01-01T00:00:00Z
    usd_per_million: {input: 0.0125}
  - provider: search
    model: paid
    from: 2024-01-01T00:00:00Z
    usd_per_million: {input: 0}
    usd_per_request: 0.01
"""
BOOK = PriceBook(parse(TEXT))


def openai(**counts: int) -> TokenUsage:
    """Parts are inside the totals."""
    return usage(**counts, input_includes=True, output_includes=True)


def anthropic(**counts: int) -> TokenUsage:
    """Parts come on top of the totals."""
    return usage(**counts, input_includes=False, output_includes=True)


def claude(used: TokenUsage, **fields: object) -> InferenceAttempt:
    """A call of the second provider."""
    return attempt(used, provider="anthropic", model="example-s", **fields)


CASES = {
    "uncached": ((attempt(openai(input=1000, output=500)),), 1000 * 2_500_000 + 500 * 10_000_000),
    "cache read, inside": (
        (attempt(openai(input=1000, cache_read=600, output=10)),),
        400 * 2_500_000 + 600 * 1_250_000 + 10 * 10_000_000,
    ),
    "cache read, on top": (
        (claude(anthropic(input=400, cache_read=600, output=10)),),
        400 * 3_000_000 + 600 * 300_000 + 10 * 15_000_000,
    ),
    "cache writes of both kinds": (
        (claude(anthropic(input=1, cache_write_5m=100, cache_write_1h=1000)),),
        3_000_000 + 100 * 3_750_000 + 1000 * 6_000_000,
    ),
    "reasoning, inside": ((attempt(openai(input=10, output=100, reasoning=90)),), 10 * 2_500_000 + 100 * 10_000_000),
    "reasoning, on top": (
        (attempt(usage(input=10, output=10, reasoning=90, output_includes=False)),),
        10 * 2_500_000 + 100 * 10_000_000,
    ),
    "audio and image": (
        (attempt(openai(input=100, audio_input=30, image=20, output=50, audio_output=40)),),
        50 * 2_500_000 + 30 * 40_000_000 + 20 * 5_000_000 + 10 * 10_000_000 + 40 * 80_000_000,
    ),
    "below the band": ((claude(anthropic(input=200_000, output=1)),), 200_000 * 3_000_000 + 15_000_000),
    "the band goes by all input": (
        (claude(anthropic(input=1, cache_read=200_000, output=1)),),
        6_000_000 + 200_000 * 600_000 + 22_500_000,
    ),
    "batch": ((attempt(openai(input=1000, output=100), batch=True),), 1000 * 1_250_000 + 100 * 5_000_000),
    "stream without usage, counted": (
        (attempt(openai(input=10, output=7), usage_source=UsageSource.COUNTED),),
        10 * 2_500_000 + 7 * 10_000_000,
    ),
    "aborted: what was generated": (
        (attempt(openai(input=10, output=3), outcome=AttemptOutcome.ABORTED, usage_source=UsageSource.COUNTED),),
        10 * 2_500_000 + 3 * 10_000_000,
    ),
    "429 costs nothing": (
        (attempt(usage(), outcome=AttemptOutcome.REJECTED, status=429, usage_source=UsageSource.NONE),),
        0,
    ),
    "5xx with usage costs it": ((attempt(openai(input=10), outcome=AttemptOutcome.ERROR, status=502),), 10 * 2_500_000),
    "a retry and a fallback": (
        (
            attempt(usage(), outcome=AttemptOutcome.REJECTED, status=429, usage_source=UsageSource.NONE),
            attempt(openai(input=10, output=2), outcome=AttemptOutcome.TIMEOUT),
            claude(anthropic(input=10, output=2)),
        ),
        10 * 2_500_000 + 2 * 10_000_000 + 10 * 3_000_000 + 2 * 15_000_000,
    ),
    "embeddings, finer than a nano-dollar": ((attempt(usage(input=7), provider="roggia", model="mini"),), 7 * 12_500),
    "per request": ((attempt(usage(input=5), provider="search", model="paid"),), 10_000_000_000),
    "from the cache": ((), 0),
}


@pytest.mark.parametrize("case", CASES)
def test_amounts_are_those_made_by_hand(case: str) -> None:
    """The table of what meters get wrong, to the pico-dollar."""
    attempts, expected = CASES[case]
    rated = rate(inference(attempts=attempts), NOON, BOOK)
    assert (rated.pico_usd, rated.missing) == (expected, ())


@pytest.mark.parametrize(
    ("attempts", "missing"),
    [
        ((attempt(model="unheard-of"),), ("openai/unheard-of",)),
        ((attempt(openai(input=10, output=1, cache_write_1h=5)),), ("openai/example-4: cache_write_1h",)),
        ((attempt(tier="priority"),), ("openai/example-4/priority",)),
        ((attempt(openai(input=10, cache_read=5), batch=True),), ("openai/example-4 (batch): cache_read",)),
    ],
)
def test_an_unknown_price_is_no_amount_and_never_zero(attempts: tuple[InferenceAttempt, ...], missing: object) -> None:
    """One class, tier or model without a price: the inference has no amount, and what is missing is named."""
    rated = rate(inference(attempts=(*attempts, attempt())), NOON, BOOK)
    assert (rated.pico_usd, rated.missing) == (None, missing)


def test_a_price_changes_at_its_instant() -> None:
    """The last millisecond of the old price, the first of the new one; what is before any has none."""
    text = """
version: "v2"
prices:
  - provider: openai
    model: example-4
    from: 2025-01-01T00:00:00Z
    to: 2025-02-01T00:00:00Z
    usd_per_million: {input: 2}
  - {provider: openai, model: example-4, from: 2025-02-01T00:00:00Z, usd_per_million: {input: 1}}
"""
    book, change = PriceBook(parse(text)), 1_738_368_000_000
    amounts = [
        rate(inference(occurred_at=at, attempts=(attempt(usage(input=1)),)), at + MARGIN_MS, book).pico_usd
        for at in (1_735_689_600_000 - 1, change - 1, change)
    ]
    assert amounts == [None, 2_000_000, 1_000_000]


def test_a_correction_holds_for_what_comes_after_it() -> None:
    """Entered later for the same time, it is the price from then on, and not of what the log had before."""
    first, second = parse(TEXT)[0], parse(TEXT.replace('"v1"', '"v2"').replace("2.50", "2.00"))[0]
    corrected = type(second)(
        second.tariff, second.effective_from, None, 0, second.pico_usd, "v2", known_from=NOON + 1_000
    )
    book, event = PriceBook([first, corrected]), inference(attempts=(attempt(usage(input=1)),))
    found = [rate(event, at, book) for at in (NOON, NOON + 999 + MARGIN_MS, NOON + 1_000 + MARGIN_MS)]
    assert [(one.pico_usd, one.version) for one in found] == [(2_500_000, "v1"), (2_500_000, "v1"), (2_000_000, "v2")]


@pytest.mark.parametrize(
    ("counts", "field"),
    [
        (openai(input=5, cache_read=6), "usage.input"),
        (openai(input=1, output=5, reasoning=6), "usage.output"),
        (openai(input=-1), "usage.input"),
        (openai(input=10**9 + 1), "usage.input"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: TokenUsage, field: str) -> None:
    """Negative, absurd, or a part larger than its whole: the field is named."""
    with pytest.raises(UsageError, match=field):
        rate(inference(attempts=(attempt(counts),)), NOON, BOOK)


def test_an_amount_beyond_64_bits_is_an_error() -> None:
    """It is never wrapped, rounded or made a float."""
    attempts = (attempt(openai(output=10**9)),) * 1_000
    with pytest.raises(OverflowingError):
        rate(inference(attempts=attempts), NOON, BOOK)
