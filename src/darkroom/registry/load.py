"""From TOML files to one checked catalog; the user's file is merged over ours, key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from darkroom.registry.catalog import Catalog, PixelTable, PriceEntry, RetiredEntry, Surcharge
from darkroom.registry.model import Model

Document = dict[str, Any]
Entry = TypeVar("Entry")

FILES: Final = ("models.toml", "pixels.toml", "prices.toml")
KEYS: Final = frozenset({"default_model", "models", "retired", "pixels", "prices", "surcharges"})


class RegistryError(ValueError):
    """A registry file that cannot be read or believed; the message names the file and the key."""


def load(override: Path | None = None) -> Catalog:
    """Read the data of the wheel, merge the user's file over it and check the whole.

    Raises RegistryError.
    """
    data = resources.files("darkroom.registry") / "data"
    document: Document = {}
    for name in FILES:
        document = _merged(document, tomllib.loads((data / name).read_text("utf-8")))
    if override is None:
        return _catalog(document, "the built-in registry")
    return _catalog(_merged(document, _read(override)), str(override))


def _read(path: Path) -> Document:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"{path}: {error}") from error
    for key in document.keys() - KEYS:
        raise RegistryError(f"{path}: {key} is not one of {', '.join(sorted(KEYS))}")
    return document


def _merged(under: Document, over: Document) -> Document:
    """Tables are merged, arrays of tables appended (the later entry wins), the rest replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        elif (
            key in {"prices", "surcharges"} and isinstance(below, list) and isinstance(value, list)
        ):
            merged[key] = [*below, *value]
        else:
            merged[key] = value
    return merged


def _catalog(document: Document, name: str) -> Catalog:
    catalog = Catalog(
        default_model=str(document["default_model"]),
        models=_tables(document, name, "models", Model),
        retired=_tables(document, name, "retired", RetiredEntry),
        pixels=_tables(document, name, "pixels", PixelTable),
        prices=tuple(_array(document, name, "prices", PriceEntry)),
        surcharges=tuple(_array(document, name, "surcharges", Surcharge)),
    )
    for contradiction in catalog.contradictions():
        raise RegistryError(f"{name}: {contradiction}")
    return catalog


def _tables(document: Document, name: str, key: str, kind: type[Entry]) -> Mapping[str, Entry]:
    table = document[key]
    if not isinstance(table, dict):
        raise RegistryError(f"{name}: {key} is not a table")
    return {
        entry_id: _entry(entry, name, f"{key}.{entry_id}", kind, id=entry_id)
        for entry_id, entry in table.items()
    }


def _array(document: Document, name: str, key: str, kind: type[Entry]) -> Iterator[Entry]:
    if not isinstance(document[key], list):
        raise RegistryError(f"{name}: {key} is not an array of tables: write [[{key}]]")
    for entry in document[key]:
        model = entry.get("model", "") if isinstance(entry, dict) else ""
        yield _entry(entry, name, f"{key} {model}".rstrip(), kind)


def _entry(entry: object, name: str, key: str, kind: type[Entry], **given: str) -> Entry:
    if not isinstance(entry, dict):
        raise RegistryError(f"{name}: {key} is not a table")
    try:
        return msgspec.convert({**entry, **given}, kind)
    except msgspec.ValidationError as error:
        raise RegistryError(f"{name}: {key}: {error}") from error
