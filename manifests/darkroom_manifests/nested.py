"""Values with parts: references, tags, variables and whatever else JSON may nest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import PurePath
from typing import Final, TypeVar
from uuid import UUID

from darkroom_manifests.asked import LABEL_HINT, LABEL_WORD
from darkroom_manifests.problem import Code, Fault, quote
from darkroom_manifests.row import Json, Reference, Variable
from darkroom_manifests.value import LARGEST, not_finite, unsafe, wrong_type

T = TypeVar("T")

URI_CHARS: Final = 2_048
TURNS_MAX: Final = 8  # each turn shows the model the images of all before it, and it takes 14
_WRITTEN_AS_TEXT: Final = (date, time, Decimal, UUID, PurePath)


def references(given: object) -> tuple[Reference, ...] | Fault:
    """Read a list of addresses, plain or with a role; one alone may stand without a list."""
    items = given if isinstance(given, list | tuple) else [given]
    found = []
    for item in items:
        read = _reference(item)
        if isinstance(read, Fault):
            return read
        found.append(read)
    return tuple(found)


def references_from_text(text: str) -> tuple[Reference, ...] | Fault:
    """Read a cell's list, parted by `|`."""
    return references([part for part in text.split("|") if part.strip()])


def references_parted(given: object, separator: str) -> tuple[Reference, ...] | Fault:
    """Read a list that is parted by another sign or by `|`, or has its types already."""
    if not isinstance(given, str):
        return references(given)
    return references_from_text(given.replace(separator, "|"))


def turns(given: object) -> tuple[str, ...] | Fault:
    """Read the prompts of a conversation; an object may hold each as `prompt`."""
    items = given if isinstance(given, list | tuple) else [given]
    said = [each.get("prompt") if isinstance(each, Mapping) else each for each in items]
    texts = [each.strip() for each in said if isinstance(each, str) and each.strip()]
    if len(texts) < len(items) or not texts:
        hint = 'Write ["a red mug", "now blue"].'
        return Fault(Code.FIELD_TYPE, "turns is not a list of prompts.", hint)
    if len(texts) > TURNS_MAX:
        said_many = f"{len(texts)} turns are more than {TURNS_MAX}."
        return Fault(Code.NUMBER_RANGE, said_many, "Let another row go on, by edit_of.")
    return next((fault for text in texts if (fault := unsafe(text))), None) or tuple(texts)


def turns_from_text(text: str) -> tuple[str, ...] | Fault:
    """Read a cell's prompts, parted by `|`."""
    return turns([part for part in text.split("|") if part.strip()])


def _reference(given: object) -> Reference | Fault:
    uri, role = given, None
    if isinstance(given, Mapping) and given.keys() <= {"uri", "role"}:
        uri, role = given.get("uri"), given.get("role")
    if not isinstance(uri, str) or not isinstance(role, str | None) or not uri.strip():
        return Fault(
            Code.FIELD_TYPE,
            f"{quote(given)} is not a reference.",
            'Write "photo.jpg" or {"uri": "photo.jpg", "role": "product"}.',
        )
    if len(uri) > URI_CHARS:
        return Fault(Code.FIELD_TOO_LONG, f"A reference is longer than {URI_CHARS:,} characters.")
    return unsafe(uri) or unsafe(role or "") or Reference(uri.strip(), role)


def tags(given: object) -> dict[str, str] | Fault:
    """Read an object of tags."""
    if not isinstance(given, Mapping):
        return Fault(Code.FIELD_TYPE, "tags is not an object.", 'Write {"season": "ss27"}.')
    return _each(given, tag)


def tag(given: object) -> str | Fault:
    """Read a tag's value: text, or a whole number taken as text."""
    if isinstance(given, str):
        return unsafe(given) or given
    if type(given) is int and abs(given) < LARGEST:
        return str(given)
    return wrong_type("text", given)


def label(given: object) -> str | Fault:
    """Read the value of a label for the bill."""
    said = tag(given)
    if isinstance(said, Fault) or re.fullmatch(LABEL_WORD, said):
        return said
    return Fault(Code.LABEL, f"{quote(said)} is no label for the bill.", LABEL_HINT)


def variables(given: object) -> dict[str, Variable] | Fault:
    """Read an object of variables."""
    if not isinstance(given, Mapping):
        return Fault(Code.FIELD_TYPE, "vars is not an object.", 'Write {"colour": "red"}.')
    return _each(given, variable)


def variable(given: object) -> Variable | Fault:
    """Keep a value that has no meaning here; nested JSON as its text."""
    if isinstance(given, str):
        return unsafe(given) or given
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, int | float):
        return _held(given)
    if isinstance(given, _WRITTEN_AS_TEXT):
        return str(given)
    return _as_json(given)


def meta(given: object) -> Json:
    """Keep any JSON that every database can hold."""
    text = _as_json(given)
    return text if isinstance(text, Fault) else given


def _held(given: float) -> int | float | Fault:
    if fault := not_finite(given):
        return fault
    if isinstance(given, int) and abs(given) >= LARGEST:
        return Fault(Code.NUMBER_RANGE, "The number has more than 18 digits.", "Quote it.")
    return given


def _as_json(given: object) -> str | Fault:
    try:
        text = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        if "Out of range" in str(error):  # json's only word for it
            said = "The value holds a number that is not finite."
            return Fault(Code.NUMBER_NOT_FINITE, said, "Leave it out, or write null.")
        return Fault(Code.FIELD_TYPE, f"The value is not JSON ({quote(str(error))}).")
    if "\\u0000" in text:
        return Fault(Code.TEXT_CONTROL, "The value holds a NUL.", "Remove it.")
    return unsafe(text) or text


def _each(
    given: Mapping[object, object], read: Callable[[object], T | Fault]
) -> dict[str, T] | Fault:
    found: dict[str, T] = {}
    for name, value in given.items():
        fault = unsafe(name) if isinstance(name, str) else wrong_type("text", name)
        item = fault or read(value)
        if isinstance(item, Fault):
            return item
        found[str(name)] = item
    return found
