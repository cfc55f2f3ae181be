"""What a line of results looks like, on both platforms."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec

from darkroom_simulator.batch_entry import Entry, listed
from darkroom_simulator.catalog import Platform
from darkroom_simulator.problem import RPC, Problem
from darkroom_simulator.target import Target

# What a part of Vertex's echo always shows, null where it is not set; Google, batch inference
ONE_OF = ("fileData", "inlineData", "text")
STRANGE = "A picture that nobody asked for."


def written(entry: Entry, target: Target, result: Problem | Sequence[bytes]) -> list[bytes]:
    """Write a line; a result that is no problem is an answer's JSON in pieces."""
    if target.platform is Platform.AISTUDIO:
        return studio(entry, result)
    return vertex(entry, result)


def studio(entry: Entry, result: Problem | Sequence[bytes]) -> list[bytes]:
    """Write a line of AI Studio. Codes are those of google.rpc: googleapis/python-genai#1341."""
    if isinstance(result, Problem):
        error = {"code": RPC[result.word], "message": result.text}
        return [msgspec.json.encode({**(entry.tags or {}), "error": error}), b"\n"]
    head = msgspec.json.encode(entry.tags or {})[:-1]
    return [head + (b"," if entry.tags else b"") + b'"response":', *result, b"}\n"]


def vertex(entry: Entry, result: Problem | Sequence[bytes]) -> list[bytes]:
    """Write a line of Vertex; Google, batch inference from Cloud Storage, August 2026."""
    status, answer = said(result)
    stamp = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    line = {
        **{name: echoed(value) for name, value in entry.rest.items()},
        "status": status,
        "processed_time": stamp,
        "request": echo(entry.request),
    }
    head = msgspec.json.encode(line)[:-1] + b',"response":'
    return [head, *answer, b"}\n"]


def said(result: Problem | Sequence[bytes]) -> tuple[str, Sequence[bytes]]:
    """Return a line's status and its response."""
    if isinstance(result, Problem):
        return f"{HTTPStatus(result.code).phrase}: {result.json.decode()}", [b"{}"]
    return "", result


def echoed(value: object) -> object:
    """Echo what stands beside a request: lists come back empty, googleapis/go-genai#513."""
    return [] if isinstance(value, list) else value


def echo(request: dict[str, Any]) -> dict[str, Any]:
    """Echo a request, with nulls in its parts and names in order."""
    contents = [
        {
            **content,
            "parts": [
                dict(sorted({**dict.fromkeys(ONE_OF), **part}.items()))
                for part in listed(content.get("parts", []))
                if isinstance(part, dict)
            ],
        }
        for content in listed(request.get("contents", []))
        if isinstance(content, dict)
    ]
    return dict(sorted({**request, "contents": contents}.items()))


def untagged(entry: Entry, platform: Platform) -> Entry:
    """Take away what leads back to whoever asked."""
    return tagged(entry, None, platform)


def tagged(entry: Entry, tags: dict[str, Any] | None, platform: Platform) -> Entry:
    """Put other tags in the place of a line's own."""
    if platform is Platform.AISTUDIO:
        return replace(entry, tags=tags)
    rest = {name: value for name, value in entry.request.items() if name != "labels"}
    return replace(entry, request=rest if tags is None else {**rest, "labels": tags}, tags=tags)


def stranger(entry: Entry, platform: Platform, chance: random.Random) -> Entry:
    """Make a line that nobody asked for of one that somebody did."""
    request = {**entry.request, "contents": [{"role": "user", "parts": [{"text": STRANGE}]}]}
    tags = {name: strange(value, chance) for name, value in (entry.tags or {}).items()} or None
    return tagged(replace(entry, request=request), tags, platform)


def strange(value: object, chance: random.Random) -> object:
    """Make up a word in the place of every one."""
    if isinstance(value, dict):
        return {name: strange(inner, chance) for name, inner in value.items()}
    return f"stranger-{chance.randrange(16**12):012x}"
