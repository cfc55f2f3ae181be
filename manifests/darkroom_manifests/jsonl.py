"""One JSON object a line, read strictly: nothing is dropped, rounded or guessed."""

from __future__ import annotations

import json
import re
from typing import Final

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, quote

_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]')
_DIGITS: Final = 18
_JQ: Final = "Write one object a line: jq -c '.[]' does it."


class _Refused(Exception):
    """Leaves the json module from inside its hooks."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def parse(line: str, limits: Limits) -> dict[str, object] | Fault:
    """Read a line; the fault says what and at which character."""
    if _depth(line, limits.json_depth) > limits.json_depth:
        return Fault(
            Code.JSON_DEPTH,
            f"It is nested deeper than {limits.json_depth} levels.",
            "Flatten it, or write the inner part as text, in quotes.",
        )
    try:
        value = _DECODER.decode(line.strip())
    except _Refused as refused:
        return refused.fault
    except json.JSONDecodeError as error:
        return _syntax(error)
    if isinstance(value, dict):
        return value
    return Fault(
        Code.JSON_NOT_OBJECT, f"{quote(value)} is not an object.", 'Write {"prompt": "…"}.'
    )


def array() -> Fault:
    """Say that the whole file is one JSON array."""
    return Fault(Code.JSON_ARRAY, "The file is a JSON array, not JSON lines.", _JQ)


def _depth(line: str, limit: int) -> int:
    """Measure nesting before the json module, which recurses, sees the line."""
    if line.count("[") + line.count("{") <= limit:
        return 0
    depth = deepest = 0
    for match in _BRACKETS.finditer(line):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _syntax(error: json.JSONDecodeError) -> Fault:
    place = f"at character {error.pos + 1:,}"
    if error.msg == "Extra data":
        return Fault(
            Code.JSON_SYNTAX, f"More follows the object, {place}.", "Write one object a line."
        )
    return Fault(
        Code.JSON_SYNTAX,
        f"This is not JSON: {error.msg[0].lower()}{error.msg[1:]}, {place}.",
        'Names and text stand in "double quotes"; no comma after the last; no comments.',
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(
            Fault(Code.JSON_DUPLICATE_KEY, f"The name {quote(twice)} is there twice.", "Keep one.")
        )
    return found


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise _Refused(
            Fault(
                Code.NUMBER_RANGE,
                f"The number {quote(text[:24])} has more than {_DIGITS} digits.",
                "Write it as text, in quotes.",
            )
        )
    return int(text)


# NaN and infinity come through: whoever reads the field knows which column to name.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)
