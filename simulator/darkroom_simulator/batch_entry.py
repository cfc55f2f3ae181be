"""One line of a job's input: what it asks for, and what its result is to carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from darkroom_simulator.ask import Ask, understand
from darkroom_simulator.catalog import Catalog
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.storage import Store
from darkroom_simulator.target import Target

ROLES = ("user", "model")
MOST_LABELS = 64  # and this many characters less one in each; Google, Vertex, custom labels
SIZE = "1K"  # the only size; Google, Vertex, batch inference, August 2026


@dataclass(frozen=True, slots=True)
class Entry:
    """A line. `tags` lead back to whoever asked: AI Studio's key or metadata, Vertex's labels.

    `rest` is what else stands beside the request of a Vertex line.
    """

    request: dict[str, Any]
    tags: dict[str, Any] | None
    wanted: Ask | Problem
    rest: dict[str, Any] = field(default_factory=dict)


def studio(line: bytes, target: Target, catalog: Catalog) -> Entry:
    """Read a line of AI Studio, whose shape was checked before: `key` or, inline, `metadata`."""
    raw = msgspec.json.decode(line)
    tags = {name: raw[name] for name in ("key", "metadata") if name in raw}
    return Entry(raw["request"], tags, understand(raw["request"], target, catalog))


def vertex(line: bytes, target: Target, catalog: Catalog, store: Store) -> Entry:
    """Read a line of Vertex."""
    try:
        raw = msgspec.json.decode(line, type=dict[str, Any])
        request = msgspec.convert(raw.pop("request", None), dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        return Entry({}, None, invalid(f"Invalid JSON payload received. {error}"))
    wanted = understand(request, target, catalog)
    if isinstance(wanted, Ask):
        sentence = refused(request, wanted, store)
        wanted = invalid(sentence) if sentence else wanted
    labels = request.get("labels")
    return Entry(request, labels if isinstance(labels, dict) else None, wanted, raw)


def refused(request: dict[str, Any], ask: Ask, store: Store) -> str | None:
    """Check what batches on Vertex ask beyond what single requests do."""
    contents = listed(request["contents"])
    if any(content.get("role") not in ROLES for content in contents):
        return f"Please use a valid role: {', '.join(ROLES)}."
    if ask.size != SIZE:
        return f"Image size {ask.size} is not supported in batch prediction: only {SIZE} is."
    if not labelled(request.get("labels") or {}):
        return "The labels are invalid."
    parts = [part for content in contents for part in listed(content["parts"])]
    return next((f"Cannot read {uri}." for uri in uris(parts) if not store.lookup(uri)), None)


def labelled(labels: dict[str, Any]) -> bool:
    """Check labels as Google does: lower case, digits, dashes, underscores, and not too long."""
    words = [*labels, *labels.values()]
    return len(labels) <= MOST_LABELS and all(isinstance(w, str) and plain(w) for w in words)


def plain(word: str) -> bool:
    """Tell whether a label may hold a word."""
    return len(word) < MOST_LABELS and all(
        character in "-_" or (character.isalnum() and character == character.lower())
        for character in word
    )


def uris(parts: list[dict[str, Any]]) -> list[str]:
    """List the objects in storage that some parts refer to."""
    files = [part.get("fileData") or part.get("file_data") or {} for part in parts]
    found = [str(file.get("fileUri") or file.get("file_uri") or "") for file in files]
    return [uri for uri in found if uri.startswith("gs://")]


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - decoded JSON
    """Take a single value for a list of one, as Google does."""
    return value if isinstance(value, list) else [value]
