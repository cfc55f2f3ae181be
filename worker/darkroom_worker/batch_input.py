"""Writes the input of a provider batch: one line an attempt, in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from darkroom import db
from darkroom.jobs.claim import Claim, recall
from darkroom.registry import Registry
from darkroom.request import Request
from darkroom_worker.backends.batch import BatchBackend
from darkroom_worker.developer import Developer

_AT_ONCE: Final = 1_000
_BYTES_A_PIXEL: Final = 1.5  # of a JPEG; measured on answers of 1K, which have 1.0 to 1.6 MB
_BASE64: Final = 4 / 3
_UNKNOWN_PIXELS: Final = 1024 * 1024


def write_input(
    file: Path,
    attempt_ids: Sequence[str],
    database: Engine,
    developer: Developer,
    backend: BatchBackend,
) -> None:
    """Write the lines of these attempts, in their order; references are put in place first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as target:
        for claims in _recalled(attempt_ids, database):
            target.writelines(lines(claims, developer.sendable, backend))
    part.replace(file)


def lines(
    claims: Sequence[Claim], request_of: Callable[[Claim], Request], backend: BatchBackend
) -> Iterator[bytes]:
    """Spell some lines."""
    requests = [request_of(claim) for claim in claims]
    backend.place_references(request for request in requests if request.all_pictures)
    for claim, request in zip(claims, requests, strict=True):
        yield backend.line(claim.attempt_id, request)


def _recalled(attempt_ids: Sequence[str], database: Engine) -> Iterator[list[Claim]]:
    for begin in range(0, len(attempt_ids), _AT_ONCE):
        some = attempt_ids[begin : begin + _AT_ONCE]
        with db.reading(database) as connection:
            by_id = {claim.attempt_id: claim for claim in recall(connection, some)}
        yield [by_id[each] for each in some]


def output_bytes(request: Request, model: str, registry: Registry) -> int:
    """Predict the size of a line of the results: its picture as base64 of a JPEG."""
    expected = registry.expected(request.ask(model))
    pixels = (expected.width or 0) * (expected.height or 0) or _UNKNOWN_PIXELS
    return round(pixels * _BYTES_A_PIXEL * _BASE64)
