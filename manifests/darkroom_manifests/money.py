"""Money as integer nano-dollars: one token at $1 per million tokens is 1,000."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from darkroom_manifests.problem import quote

NANO: Final = 1_000_000_000

_AMOUNT: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}", re.ASCII)


def parse_dollars(text: str) -> int:
    """Read a plain decimal such as "0.25" as nano-dollars.

    Amounts below a billion dollars with at most nine decimals; no currency sign, minus, exponent
    or thousands separators. Raises ValueError, with a sentence for people.
    """
    plain = text.strip()
    if not _AMOUNT.fullmatch(plain):
        raise ValueError(f"{quote(text)} is not a plain amount of dollars such as 0.25")
    return int(Decimal(plain).scaleb(9))


def dollars(nusd: int) -> str:
    """Write an exact amount: six decimals, or nine where six would lose something."""
    whole, part = divmod(abs(nusd), NANO)
    digits = f"{part:09d}"
    exact = digits if part % 1_000 else digits[:6]
    return f"{'-' if nusd < 0 else ''}{whole}.{exact}"


def short_dollars(nusd: int) -> str:
    """Write an amount for people: cents, or as many decimals as a small amount needs to show.

    >>> short_dollars(250_000_000), short_dollars(33_600_000), short_dollars(1_234_560_000_000)
    ('$0.25', '$0.0336', '$1,234.56')
    """
    sign = "-" if nusd < 0 else ""
    amount = Decimal(abs(nusd)).scaleb(-9)
    if amount == 0 or amount >= 1:
        return f"{sign}${amount:,.2f}"
    cents_free = f"{amount:.4f}".rstrip("0")
    if cents_free == "0.":
        return f"{sign}<$0.0001"
    return f"{sign}${cents_free.ljust(4, '0')}"
