"""Where a job's lines come from, on both platforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.files import Files
from darkroom_simulator.storage import Store

# Of one job's input; Google, Vertex, batch inference, August 2026
MOST_LINES = 200_000
MOST_BYTES = 1 << 30


class InputError(Exception):
    """Why a job cannot be worked; `code` is google.rpc's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def find_lines(asked: Mapping[str, Any], store: Store) -> Lines:
    """Find the lines of a job on Vertex."""
    uris = asked["inputConfig"]["gcsSource"]["uris"]
    objects = {uri: store.lookup(uri) for uri in uris}
    missing = [uri for uri, found in objects.items() if found is None]
    if missing:
        raise InputError(5, f"Failed to read {missing[0]}: no such object.")
    if sum(found.size for found in objects.values() if found) > MOST_BYTES:
        raise InputError(3, f"The input is larger than {MOST_BYTES} bytes.")
    lines = Lines([store.shelf.file(found) for found in objects.values() if found])
    lines.find(MOST_LINES)
    if not 0 < len(lines) <= MOST_LINES:
        lines.close()
        raise InputError(3, f"The input must hold 1 to {MOST_LINES} requests.")
    return lines


def inline_lines(requests: list[dict[str, Any]], files: Files) -> Lines:
    """Write the requests that came in a body down as lines, and find them."""
    data = files.intake()
    for request in requests:
        data.write(msgspec.json.encode(request), b"\n")
    lines = Lines([data.path])
    lines.find(len(requests))
    data.drop()
    return lines
