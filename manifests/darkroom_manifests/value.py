"""Values of a row: text as a CSV cell holds it and JSON with its types, read into one thing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

from darkroom_manifests.money import parse_dollars
from darkroom_manifests.problem import Code, Fault, Severity, quote
from darkroom_manifests.tier import AUTO, Tier, TierChoice, parse_choice

FromText = Callable[[str], object]  # a value, or a Fault
FromJson = Callable[[object], object]  # same
Readers = tuple[FromText, FromJson]

LARGEST: Final = 10**18  # what every database and JSON reader still holds as a whole number
INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def unsafe(text: str) -> Fault | None:
    """Find a control character (tab and line ends are fine) or half a surrogate pair."""
    if text.isprintable():  # one quick pass clears nearly every text
        return None
    found = _CONTROL.search(text)
    if not found:
        return None
    character, place = ord(found[0]), found.start() + 1
    if 0xD800 <= character <= 0xDFFF:  # noqa: PLR2004  # the surrogates' range
        return Fault(
            Code.TEXT_SURROGATE,
            f"Character {place:,} is half of a surrogate pair, which is not text.",
            "Write the character itself, or both halves.",
        )
    return Fault(
        Code.TEXT_CONTROL,
        f"Character {place:,} is the control character U+{character:04X}.",
        "Remove it; tabs and line ends are fine.",
    )


def turned(text: str) -> Fault | None:
    """Warn of characters that make text read otherwise than it stands."""
    if text.isascii() or not _BIDI.search(text):
        return None
    return Fault(
        Code.TEXT_BIDI,
        "The text holds characters that reverse its direction.",
        "It is used as it is.",
        Severity.WARNING,
    )


def wrong_type(expected: str, value: object) -> Fault:
    """Say which JSON type was needed."""
    hint = "Write it without quotes." if isinstance(value, str) else None
    return Fault(Code.FIELD_TYPE, f"{quote(value)} is not {expected}.", hint)


def not_finite(value: float) -> Fault | None:
    """Find what JSON has no number for, though some write it: NaN, Infinity, 1e999."""
    if math.isfinite(value):
        return None
    said = f"{quote(value)} is not a finite number."
    return Fault(Code.NUMBER_NOT_FINITE, said, "Leave it out, or write null.")


def words(check: FromText) -> Readers:
    """Read text."""

    def from_json(value: object) -> object:
        return check(value) if isinstance(value, str) else wrong_type("text", value)

    return check, from_json


def plain(longest: int) -> FromText:
    """Read text of at most so many characters, as it is."""

    def check(text: str) -> object:
        if len(text) > longest:
            said = f"{len(text):,} characters are more than {longest:,}."
            return Fault(Code.FIELD_TOO_LONG, said, "Is it in the right column?")
        return unsafe(text) or text

    return check


def flag() -> Readers:
    """Read yes or no, as people and spreadsheets write it."""

    def from_text(text: str) -> object:
        said = _FLAGS.get(text.lower())
        if said is None:
            return Fault(Code.CHOICE_UNKNOWN, f"{quote(text)} is not true or false.")
        return said

    def from_json(given: object) -> object:
        if isinstance(given, str):
            return from_text(given)
        return given if isinstance(given, bool) else wrong_type("true or false", given)

    return from_text, from_json


_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


def whole(low: int, high: int) -> Readers:
    """Read a whole number: ASCII digits in text, a JSON number without a point."""

    def in_range(number: int) -> object:
        if low <= number <= high:
            return number
        return out_of_range(number)

    def out_of_range(number: object) -> Fault:
        hint = f"Write a whole number from {low:,} to {high:,}."
        return Fault(Code.NUMBER_RANGE, f"{quote(number)} is out of range.", hint)

    def from_text(text: str) -> object:
        if _WHOLE.fullmatch(text):
            return in_range(int(text))
        if re.fullmatch(r"-?[0-9]{19,}", text):
            return out_of_range(text)
        return Fault(
            Code.NUMBER_SYNTAX, f"{quote(text)} is not a whole number.", "Write it in digits."
        )

    def from_json(value: object) -> object:
        return in_range(value) if type(value) is int else wrong_type("a whole number", value)

    return from_text, from_json


def number(low: float, high: float) -> Readers:
    """Read a decimal number, finite and in range."""

    def in_range(value: float) -> object:
        if low <= value <= high:
            return value
        hint = f"Write a number from {low:g} to {high:g}."
        return Fault(Code.NUMBER_RANGE, f"{quote(value)} is out of range.", hint)

    def from_text(text: str) -> object:
        if _DECIMAL.fullmatch(text):
            return in_range(float(text))
        return Fault(Code.NUMBER_SYNTAX, f"{quote(text)} is not a number.", "Write it as 0.5.")

    def from_json(value: object) -> object:
        if type(value) is int or type(value) is float:
            return in_range(value)
        return wrong_type("a number", value)

    return from_text, from_json


def money() -> Readers:
    """Read dollars as integer nano-dollars."""

    def from_text(text: str) -> object:
        try:
            return parse_dollars(text)
        except ValueError:
            return Fault(
                Code.MONEY_SYNTAX,
                f"{quote(text)} is not an amount of dollars.",
                "Write a plain decimal such as 0.25.",
            )

    def from_json(value: object) -> object:
        if type(value) is int or type(value) is float:
            return from_text(format(Decimal(repr(value)), "f"))
        return from_text(value) if isinstance(value, str) else wrong_type("an amount", value)

    return from_text, from_json


def choice(*names: str) -> FromText:
    """Read one of a few words, in any case."""

    def check(text: str) -> object:
        folded = text.lower()
        if folded in names:
            return folded
        return Fault(
            Code.CHOICE_UNKNOWN,
            f"{quote(text)} is not one of {', '.join(names)}.",
            near(text, names),
        )

    return check


def tier(text: str) -> TierChoice | Fault:
    """Read a tier's name, or "auto"."""
    names = (*Tier, AUTO)
    try:
        return parse_choice(text)
    except ValueError:
        return Fault(
            Code.TIER_UNKNOWN,
            f"{quote(text)} is not a tier.",
            near(text, names) or f"Tiers are {', '.join(names)}.",
        )


def moment(text: str) -> str | Fault:
    """Check a date and time with its offset, and keep it as written."""
    fault = Fault(
        Code.DATE_SYNTAX,
        f"{quote(text)} is not a date and time with an offset.",
        "Write it as 2027-03-01T06:00:00Z.",
    )
    if not _RFC3339.fullmatch(text):
        return fault
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return fault
    return text


_WINDOW: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def window(text: str) -> str | Fault:
    """Read how long something may take, as "24h", from now on."""
    span = _WINDOW.fullmatch(text.lower())
    if not span:
        hint = "Write it as 24h, or a time into deliver_by."
        return Fault(Code.DATE_SYNTAX, f"{quote(text)} is not a span of time.", hint)
    return (datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})).isoformat()


PIXELS_MIN: Final = 100
PIXELS_MAX: Final = 99_999


def pixels(given: object) -> int:
    """Read a side of a picture; 0 for what can be none, such as centimetres."""
    if isinstance(given, int) and PIXELS_MIN <= given <= PIXELS_MAX:
        return given
    return 0


def pixels_from_text(text: str) -> int:
    """Read a side of a picture in digits; 0 as above."""
    return pixels(int(text)) if _WHOLE.fullmatch(text) else 0


def near(text: str, names: tuple[str, ...]) -> str | None:
    """Suggest the name that was likely meant."""
    found = get_close_matches(text[:64].lower(), names, n=1, cutoff=0.7)
    return f"Did you mean {found[0]}?" if found else None
