"""What requests to Google say by lists: thresholds of safety filters, and tools.

Shapes: Google, Gemini API, GenerateContentRequest; Agent Platform, the same, 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from darkroom_manifests import asked, value
from darkroom_manifests.field import FIELDS, plain_name
from darkroom_manifests.problem import Code, Fault, quote

_UNSET: Final = "HARM_BLOCK_THRESHOLD_UNSPECIFIED"
_FOUR: Final = (
    f"Give {', '.join(asked.HARMS)} the same threshold; `--map safety=` leaves the list alone."
)
_ONE_TOOL: Final = (
    "Write google_search, with search_types or nothing in it; `--map grounding=` leaves the list "
    "alone."
)
_SEARCHES: Final = {"websearch": "web", "imagesearch": "image"}


def filters(given: object) -> object:
    """Read settings of all categories as the one threshold that they share; None: none is set."""
    if isinstance(given, str):
        return asked.threshold(given)
    found: dict[str, object] = {}
    for item in _listed(given):
        read = _setting(item)
        if isinstance(read, Fault):
            return read
        category, threshold = read
        if category in found:
            return _refused(f"{category} is set twice.", _FOUR)
        if threshold is not None:
            found[category] = threshold
    if found and (found.keys() != set(asked.HARMS) or len(set(found.values())) > 1):
        return _refused("The safety filters are not set alike, and a row has one threshold.", _FOUR)
    return next(iter(found.values()), None)


def _setting(given: object) -> tuple[str, object] | Fault:
    if not isinstance(given, Mapping):
        return value.wrong_type("a safety setting", given)
    parts = dict(_told(given))
    category, threshold = parts.pop("category", None), parts.pop("threshold", _UNSET)
    if not isinstance(category, str) or not isinstance(threshold, str) or parts:
        return _refused(f"{quote(dict(given))} is no setting that a row can ask for.", _FOUR)
    if category.upper() not in asked.HARMS:
        return _refused(f"{quote(category)} has no threshold in a row.", _FOUR)
    read = None if threshold.upper() == _UNSET else asked.threshold(threshold)
    return read if isinstance(read, Fault) else (category.upper(), read)


def searches(given: object) -> object:
    """Read the tools of a request as what may be searched; None: there are none."""
    if isinstance(given, str):
        return _SEARCH(given)
    found: set[str] = set()
    for item in _listed(given):
        if not isinstance(item, Mapping):
            return value.wrong_type("a tool", item)
        for name, said in _told(item):
            if name != "googlesearch" or not isinstance(said, Mapping):
                return _refused(
                    f"{quote(dict(item))} is no tool that a row can ask for.", _ONE_TOOL
                )
            kinds = _kinds(said)
            if isinstance(kinds, Fault):
                return kinds
            found |= kinds
    return "+".join(kind for kind in _SEARCHES.values() if kind in found) or None


def _kinds(said: Mapping[object, object]) -> set[str] | Fault:
    """Where nothing is said, the web is searched."""
    parts = dict(_told(said))
    types = parts.pop("searchtypes", {})
    named = dict(_told(types)) if isinstance(types, Mapping) else {"": types}
    odd = {*parts, *named.keys() - _SEARCHES, *(name for name, each in named.items() if each != {})}
    if odd:
        return _refused(f"{quote(dict(said))} searches as no row can ask for.", _ONE_TOOL)
    return {_SEARCHES[name] for name in named} or {"web"}


def _listed(given: object) -> list[object]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _told(given: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    """What an object says, under folded names: null says nothing."""
    return ((plain_name(str(name)), each) for name, each in given.items() if each is not None)


def _refused(message: str, hint: str) -> Fault:
    return Fault(Code.DIALECT, message, hint)


_SEARCH: Final = next(field.readers[0] for field in FIELDS if field.name == "grounding")

READERS: Final[dict[str, value.Readers]] = {
    "safety": (asked.threshold, filters),
    "grounding": (_SEARCH, searches),
}
"""How a dialect's column gives a field; text is read as everywhere."""
