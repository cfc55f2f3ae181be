"""What a row may ask beside the picture's shape: values as Google spells them."""

from __future__ import annotations

from typing import Final

from darkroom_manifests import value
from darkroom_manifests.problem import Code, Fault, quote

THRESHOLDS: Final = (
    "block_low_and_above",
    "block_medium_and_above",
    "block_only_high",
    "block_none",
    "off",
)
HARMS: Final = (
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
)
"""The categories whose threshold can be set (Google, Safety settings, 2026)."""
PEOPLE: Final = ("allow_all", "allow_adult", "allow_none")
TYPES: Final = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
}
QUALITY_MAX: Final = 100
LABEL_WORD: Final = "[a-z0-9_-]{1,63}"
"""A key or value of a label for the bill (Google, Agent Platform, Add labels to API calls)."""
LABEL_HINT: Final = "Write lower case, digits, - and _, 63 characters at most."
NO_SEARCH: Final = "off"
SEARCHES: Final = ("web", "image", "web+image", NO_SEARCH)
WHITE: Final = "white"
_WHITES: Final = frozenset({WHITE, "#fff", "#ffffff"})

_THRESHOLD: Final = value.choice(*THRESHOLDS)
_PEOPLE: Final = value.choice(*PEOPLE, "dont_allow")


def threshold(text: str) -> object:
    """Read the threshold of the safety filters."""
    found = _THRESHOLD(text)
    return found.upper() if isinstance(found, str) else found


def people(text: str) -> object:
    """Read which people may be drawn; `dont_allow` is what Imagen calls none."""
    found = _PEOPLE(text)
    if found == "dont_allow":
        return "ALLOW_NONE"
    return found.upper() if isinstance(found, str) else found


def output_type(text: str) -> object:
    """Read what kind of file is wanted."""
    found = TYPES.get(text.lower())
    if found is not None:
        return found
    said = f"{quote(text)} is no type that Google writes."
    return Fault(Code.CHOICE_UNKNOWN, said, "Write image/png or image/jpeg.")


def background(given: object) -> str | None:
    """Read what the picture is to stand on: only white means something, all else is a variable."""
    return WHITE if isinstance(given, str) and given.strip().lower() in _WHITES else None
