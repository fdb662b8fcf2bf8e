"""Money as people read and write it: exact decimals of US dollars out of integers of 10^-12, and back."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from roggia_auditor.errors import AmountError

PICO = 10**12
"""10^-12 US dollars in one."""
_DIGITS = 12


def dollars(pico: int) -> str:
    """An exact decimal: integers alone, no float on the way."""
    whole, rest = divmod(abs(pico), PICO)
    digits = f"{rest:0{_DIGITS}}".rstrip("0")
    return "-" * (pico < 0) + (f"{whole}.{digits}" if digits else str(whole))


def pico_of(place: str, text: str) -> int:
    """10^-12 US dollars in a decimal. Raises `AmountError`, which names the place, for what is none or is finer."""
    try:
        found = Decimal(text.strip()) * PICO
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite() or found != found.to_integral_value():
        raise AmountError(f"{place}: {text!r} is no amount in US dollars; write a decimal such as 12.3456")
    return int(found)
