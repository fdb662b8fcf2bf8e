"""What a price book would add to the log, and the events that add it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roggia_runtime.ids import derived
from roggia_schemas.events import PriceChanged

from roggia_auditor.errors import PriceError
from roggia_auditor.pricing.entries import Entry


def news(wanted: Sequence[Entry], known: Iterable[Entry]) -> list[Entry]:
    """Entries that the log lacks.

    Raises `PriceError` for a version that was applied with other content: what amounts were stamped with must keep its
    meaning.
    """
    held = list(known)
    for entry in wanted:
        other = next((one for one in held if one.version == entry.version and one.sha256 != entry.sha256), None)
        if other is not None:
            raise PriceError(
                f"version {entry.version} was applied with other content (sha256 {other.sha256[:12]}…, this file has "
                f"{entry.sha256[:12]}…); give the book a new version, and leave the old one as it is"
            )
    there = {_identity(one) for one in held}
    return [one for one in wanted if _identity(one) not in there]


def event(entry: Entry, at: int) -> PriceChanged:
    """The event that enters it at `at`, milliseconds since 1970. Its id follows from the entry: a retry repeats it."""
    tariff = entry.tariff
    return PriceChanged(
        event_id=derived(entry.sha256, "price", "\0".join(map(str, _identity(entry)))),
        occurred_at=at,
        provider=tariff.provider,
        model=tariff.model,
        tier=tariff.tier,
        batch=tariff.batch,
        band_from=entry.band_from,
        effective_from=entry.effective_from,
        effective_to=entry.effective_to,
        pico_usd={one.value: pico for one, pico in sorted(entry.pico_usd.items())},
        version=entry.version,
        source=entry.source,
        sha256=entry.sha256,
    )


def _identity(entry: Entry) -> tuple[object, ...]:
    tariff = entry.tariff
    return (
        *(tariff.provider, tariff.model, tariff.tier, tariff.batch),
        *(entry.band_from, entry.effective_from, entry.effective_to, entry.version),
    )
