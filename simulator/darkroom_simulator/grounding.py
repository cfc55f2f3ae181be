"""Searches before a picture is drawn: whether a model makes them, which queries, what is told."""

from __future__ import annotations

import zlib
from typing import Any

from darkroom_simulator.catalog import Platform
from darkroom_simulator.fields import ANYTHING, Message, Repeated
from darkroom_simulator.target import Target

TYPES = {"webSearch": "web", "imageSearch": "image"}
SEARCH = Message(
    {
        "searchTypes": Message({name: Message({}) for name in TYPES}),
        "timeRangeFilter": ANYTHING,
    }
)
VERTEX_SEARCH = Message(
    {
        "searchTypes": Message({name: Message({}) for name in TYPES}),
        "excludeDomains": ANYTHING,
        "blockingConfidence": ANYTHING,
    }
)


def tools(platform: Platform) -> Repeated:
    """The tools that image models have: no functions, no code."""
    search = VERTEX_SEARCH if platform is Platform.VERTEX else SEARCH
    return Repeated(Message({"googleSearch": search}))


def searched(request: dict[str, Any]) -> tuple[str, ...]:
    """What a request lets the model search; where a search says nothing, it is the web."""
    asked = [tool["googleSearch"] for tool in request.get("tools", ()) if "googleSearch" in tool]
    named = {TYPES[name] for each in asked for name in each.get("searchTypes", {"webSearch": {}})}
    return tuple(sorted(named, reverse=True))


def tools_refused(request: dict[str, Any], target: Target) -> str | None:
    """Check that the model searches what it is to search, on this platform."""
    given = request.get("tools", [])
    if any(not tool for tool in given):
        return "* GenerateContentRequest.tools: exactly one tool must be set"
    if len(given) > 1:
        return "At most one tool is supported."
    offered = target.model.searches.get(target.platform, frozenset())
    lacking = [kind for kind in searched(request) if kind not in offered]
    if not lacking:
        return None
    what = "Search Grounding" if lacking == ["web"] or not offered else "Image search"
    return f"{what} is not supported for model {target.name}."


def queries(prompt: str, searches: tuple[str, ...]) -> dict[str, list[str]]:
    """The queries that a prompt leads to; the same prompt always leads to as many."""
    chance = zlib.crc32(prompt.encode("utf-8", "surrogatepass"))
    many = {"web": 1 + chance % 2, "image": 1}
    return {kind: [f"{kind} query {no}" for no in range(1, many[kind] + 1)] for kind in searches}


def metadata(found: dict[str, list[str]]) -> dict[str, Any]:
    """Write `groundingMetadata`."""
    told: dict[str, Any] = {f"{kind}SearchQueries": said for kind, said in found.items()}
    source = {"uri": "https://example.com/", "title": "example.com"}
    return {**told, "groundingChunks": [{"web": source}]}
