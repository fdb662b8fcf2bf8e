"""The table of what meters get wrong: each row against an amount made by hand, for both ways of counting.

`inclusive` is a provider whose input and output hold their parts (OpenAI), `exclusive` one that counts them on top
(Anthropic). A row is the same call, reported in both ways: it must come to the same. Prices, pico-USD per token:

    input 2,500,000   cache_read 250,000   cache_write_5m 3,125,000   cache_write_1h 5,000,000
    output 10,000,000   reasoning 10,000,000
    from 200,001 input tokens on: twice as much each; batch: half as much each; embeddings: input 20,000
"""

from __future__ import annotations

import pytest
from roggia_auditor.pricing.book import parse
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.pricing.rating import rate
from roggia_schemas.events import AttemptOutcome, InferenceAttempt, TokenUsage, UsageSource

from tests.support.auditing import NOON, attempt, inference, usage

BOOK = PriceBook(
    parse("""
version: "table"
prices:
  - provider: openai
    model: example-4
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 2.5, cache_read: 0.25, cache_write_5m: 3.125, cache_write_1h: 5, output: 10, reasoning: output}
  - provider: openai
    model: example-4
    band_from: 200001
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 5, cache_read: 0.5, cache_write_5m: 6.25, cache_write_1h: 10, output: 20, reasoning: output}
  - provider: openai
    model: example-4
    batch: true
    from: 2024-01-01T00:00:00Z
    usd_per_million:
      {input: 1.25, cache_read: 0.125, cache_write_5m: 1.5625, cache_write_1h: 2.5, output: 5, reasoning: output}
  - provider: openai
    model: embed-small
    from: 2024-01-01T00:00:00Z
    usd_per_million: {input: 0.02}
""")
)
COUNTING = pytest.mark.parametrize("counting", ["inclusive", "exclusive"])
INPUT_PARTS = ("cache_read", "cache_write_5m", "cache_write_1h")


def used(counting: str, **parts: int) -> TokenUsage:
    """Every token once, by class, as a provider of that way of counting reports it."""
    if counting == "exclusive":
        return usage(**parts, input_includes=False, output_includes=False)
    inside = sum(parts.get(name, 0) for name in INPUT_PARTS)
    whole = {"input": parts.get("input", 0) + inside, "output": parts.get("output", 0) + parts.get("reasoning", 0)}
    return usage(**parts | whole, input_includes=True, output_includes=True)


def cost(*attempts: InferenceAttempt) -> int | None:
    """The amount of an inference, pico-USD."""
    return rate(inference(attempts=attempts), NOON, BOOK).pico_usd


@COUNTING
def test_uncached(counting: str) -> None:
    """1,000 input × 2,500,000 + 500 output × 10,000,000 = 2,500,000,000 + 5,000,000,000."""
    assert cost(attempt(used(counting, input=1_000, output=500))) == 7_500_000_000


@COUNTING
def test_cache_read(counting: str) -> None:
    """400 input × 2,500,000 + 600 read × 250,000 + 10 output × 10,000,000 = 1,000,000,000 + 150,000,000 + 100,000,000.

    Charged as input as well, or as input instead, the 600 would make it 2,750,000,000 or 2,600,000,000.
    """
    assert cost(attempt(used(counting, input=400, cache_read=600, output=10))) == 1_250_000_000


@COUNTING
def test_cache_write_of_five_minutes(counting: str) -> None:
    """100 input × 2,500,000 + 800 written × 3,125,000 = 250,000,000 + 2,500,000,000."""
    assert cost(attempt(used(counting, input=100, cache_write_5m=800))) == 2_750_000_000


@COUNTING
def test_cache_write_of_an_hour(counting: str) -> None:
    """100 input × 2,500,000 + 800 written × 5,000,000 = 250,000,000 + 4,000,000,000."""
    assert cost(attempt(used(counting, input=100, cache_write_1h=800))) == 4_250_000_000


@COUNTING
def test_all_kinds_of_cache_at_once(counting: str) -> None:
    """1 × 2,500,000 + 10 × 250,000 + 100 × 3,125,000 + 1,000 × 5,000,000
    = 2,500,000 + 2,500,000 + 312,500,000 + 5,000,000,000."""
    parts = {"input": 1, "cache_read": 10, "cache_write_5m": 100, "cache_write_1h": 1_000}
    assert cost(attempt(used(counting, **parts))) == 5_317_500_000


@COUNTING
def test_reasoning(counting: str) -> None:
    """10 input × 2,500,000 + 10 output × 10,000,000 + 90 reasoning × 10,000,000
    = 25,000,000 + 100,000,000 + 900,000,000: each token of the output once."""
    assert cost(attempt(used(counting, input=10, output=10, reasoning=90))) == 1_025_000_000


@COUNTING
def test_context_below_the_band(counting: str) -> None:
    """200,000 input, the last count of the lower band: 199,000 × 2,500,000 + 1,000 read × 250,000 + 1 × 10,000,000
    = 497,500,000,000 + 250,000,000 + 10,000,000."""
    assert cost(attempt(used(counting, input=199_000, cache_read=1_000, output=1))) == 497_760_000_000


@COUNTING
def test_context_in_the_band(counting: str) -> None:
    """200,001 input of all classes: the whole call has the band's prices, the output as well.
    199,001 × 5,000,000 + 1,000 read × 500,000 + 1 × 20,000,000 = 995,005,000,000 + 500,000,000 + 20,000,000."""
    assert cost(attempt(used(counting, input=199_001, cache_read=1_000, output=1))) == 995_525_000_000


@COUNTING
def test_batch(counting: str) -> None:
    """1,000 × 1,250,000 + 100 read × 125,000 + 50 × 5,000,000 = 1,250,000,000 + 12,500,000 + 250,000,000."""
    done = attempt(used(counting, input=1_000, cache_read=100, output=50), batch=True)
    assert cost(done) == 1_512_500_000


@COUNTING
def test_stream_with_usage(counting: str) -> None:
    """The last piece of the stream says what was used, and once: 100 × 2,500,000 + 20 × 10,000,000
    = 250,000,000 + 200,000,000."""
    done = attempt(used(counting, input=100, output=20), usage_source=UsageSource.REPORTED, first_token_ms=12.5)
    assert cost(done) == 450_000_000


@COUNTING
def test_stream_without_usage(counting: str) -> None:
    """Counted by the gateway, at the same prices, and marked as estimated: 100 × 2,500,000 + 18 × 10,000,000
    = 250,000,000 + 180,000,000."""
    done = attempt(used(counting, input=100, output=18), usage_source=UsageSource.COUNTED, first_token_ms=12.5)
    rated = rate(inference(attempts=(done,)), NOON, BOOK)
    assert (rated.pico_usd, rated.attempts[0].estimated) == (430_000_000, True)


@COUNTING
def test_aborted_stream(counting: str) -> None:
    """What was sent and what came until the client left: 100 × 2,500,000 + 3 × 10,000,000
    = 250,000,000 + 30,000,000."""
    left = attempt(
        used(counting, input=100, output=3), outcome=AttemptOutcome.ABORTED, usage_source=UsageSource.COUNTED
    )
    assert cost(left) == 280_000_000


@COUNTING
def test_nothing_is_known_and_the_hold_counts(counting: str) -> None:
    """The reservation, as if it had been used, and estimated: 100 × 2,500,000 + 64 × 10,000,000
    = 250,000,000 + 640,000,000."""
    held = attempt(used(counting, input=100, output=64), outcome=AttemptOutcome.UNKNOWN, usage_source=UsageSource.HELD)
    rated = rate(inference(attempts=(held,)), NOON, BOOK)
    assert (rated.pico_usd, rated.attempts[0].estimated) == (890_000_000, True)


@COUNTING
@pytest.mark.parametrize("status", [400, 401, 429])
def test_rejected(counting: str, status: int) -> None:
    """The provider did not begin: no token, no call, 0. Not unpriced, and not missing a price either."""
    refused = attempt(used(counting), outcome=AttemptOutcome.REJECTED, status=status, usage_source=UsageSource.NONE)
    rated = rate(inference(attempts=(refused,)), NOON, BOOK)
    assert (rated.pico_usd, rated.missing) == (0, ())


@COUNTING
@pytest.mark.parametrize("status", [500, 502, 503])
def test_failed_without_usage(counting: str, status: int) -> None:
    """A server's error that reports no usage: 0."""
    assert (
        cost(attempt(used(counting), outcome=AttemptOutcome.ERROR, status=status, usage_source=UsageSource.NONE)) == 0
    )


@COUNTING
def test_failed_with_usage(counting: str) -> None:
    """A server's error after it had begun, which reports what it used: 100 × 2,500,000 + 5 × 10,000,000
    = 250,000,000 + 50,000,000. Whoever reports usage bills it."""
    assert cost(attempt(used(counting, input=100, output=5), outcome=AttemptOutcome.ERROR, status=502)) == 300_000_000


@COUNTING
def test_retries_and_a_fallback(counting: str) -> None:
    """429: 0. A time-out that had used 100 input and 2 output: 250,000,000 + 20,000,000. The fallback, by batch:
    100 × 1,250,000 + 10 × 5,000,000 = 125,000,000 + 50,000,000. In all 445,000,000: every attempt that costs, once."""
    assert (
        cost(
            attempt(used(counting), outcome=AttemptOutcome.REJECTED, status=429, usage_source=UsageSource.NONE),
            attempt(used(counting, input=100, output=2), outcome=AttemptOutcome.TIMEOUT),
            attempt(used(counting, input=100, output=10), batch=True),
        )
        == 445_000_000
    )


@COUNTING
def test_embeddings(counting: str) -> None:
    """7 tokens × 20,000 = 140,000: less than a nano-dollar each, and still exact."""
    assert cost(attempt(used(counting, input=7), model="embed-small")) == 140_000


def test_an_answer_from_the_cache() -> None:
    """No attempt was made: 0, and nothing is missing."""
    rated = rate(inference(attempts=()), NOON, BOOK)
    assert (rated.pico_usd, rated.missing) == (0, ())
