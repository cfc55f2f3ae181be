"""Strict reading of JSON by a table of fields, with the sentences Google's front end answers.

Both spellings of a name are taken (`imageSize`, `image_size`), as protobuf's JSON form does; what
is read comes back in camelCase.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from darkroom_simulator.problem import Problem, invalid

TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta."


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a body gets wrong: (path, sentence) pairs, in the order they were met.

    `strangers` are the names of fields that do not exist.
    """

    found: list[tuple[str, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def unknown(self, name: str, path: str) -> None:
        """Note a field that does not exist."""
        self.strangers.append(name)
        place = f" at '{path}'" if path else ""
        self.note(
            path, f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
        )

    def value(self, value: object, path: str, type_name: str) -> None:
        """Note a value of the wrong kind."""
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        self.note(path, f"Invalid value at '{path}' ({type_name}), {shown}")

    def note(self, path: str, sentence: str) -> None:
        """Note anything else."""
        self.found.append((path, sentence))

    def problem(self) -> Problem:
        """Answer 400, naming everything at once."""
        return invalid("\n".join(sentence for _, sentence in self.found), *self.found)


class Kind(Protocol):
    """How one field's value is read; what is wrong goes into `wrong`."""

    def read(self, value: object, path: str, wrong: Wrong) -> object:
        """Return the value as the simulator uses it."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """A JSON value of some Python types, called `type_name` in errors."""

    types: tuple[type, ...]
    type_name: str

    def read(self, value: object, path: str, wrong: Wrong) -> object:
        """Take the value as it is; a boolean is no number."""
        bad_bool = isinstance(value, bool) and bool not in self.types
        if bad_bool or not isinstance(value, self.types):
            wrong.value(value, path, self.type_name)
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed set of strings. `folded` takes lower case too, as the thinking levels do."""

    name: str
    values: frozenset[str]
    folded: bool = False

    def read(self, value: object, path: str, wrong: Wrong) -> object:
        """Take a member of the set."""
        given = value.upper() if self.folded and isinstance(value, str) else value
        if not isinstance(given, str) or given not in self.values:
            wrong.value(value, path, TYPE + self.name)
        return given


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes as base64 text; they come back as bytes."""

    def read(self, value: object, path: str, wrong: Wrong) -> bytes:
        """Decode, either alphabet, padded or not, as protobuf's JSON form does."""
        text = value if isinstance(value, str) else "no text"
        text = text.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
        except ValueError:
            wrong.note(path, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed")
            return b""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list of one kind."""

    kind: Kind

    def read(self, value: object, path: str, wrong: Wrong) -> list[object]:
        """Read every element; a single value stands for a list of one, as Google takes it."""
        values = value if isinstance(value, list) else [value]
        return [self.kind.read(one, f"{path}[{i}]", wrong) for i, one in enumerate(values)]


@dataclass(frozen=True, slots=True)
class Message:
    """An object with known fields."""

    fields: Mapping[str, Kind]

    def read(self, value: object, path: str, wrong: Wrong) -> dict[str, Any]:
        """Read known fields and note every other; null is the same as absent."""
        if not isinstance(value, dict):
            wrong.note(path, f"Invalid value at '{path}', expected an object")
            return {}
        read = {}
        for name, inner in value.items():
            key = camel(name)
            kind = self.fields.get(key)
            if kind is None:
                wrong.unknown(name, path)
            elif inner is not None:
                inner_path = f"{path}.{snake(key)}" if path else snake(key)
                read[key] = kind.read(inner, inner_path, wrong)
        return read

    def having(self, **kinds: Kind) -> Message:
        """Make the message of a platform that has further fields."""
        return Message({**self.fields, **kinds})


STRING = Scalar((str,), "TYPE_STRING")
BOOLEAN = Scalar((bool,), "TYPE_BOOL")
INTEGER = Scalar((int,), "TYPE_INT32")
NUMBER = Scalar((int, float), "TYPE_FLOAT")
ANYTHING = Scalar((object,), "TYPE_ANY")
LABELS = Scalar((dict,), "TYPE_MAP")
BASE64 = Base64()


def camel(name: str) -> str:
    """Spell a field's name the JSON way."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """Spell a field's name the protobuf way, as Google's errors do."""
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)
