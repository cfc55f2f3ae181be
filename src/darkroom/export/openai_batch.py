"""The output of an OpenAI batch, for tools that read one.

OpenAI, API reference, Batch and Images, 2026-11: a line a request, `response` or `error`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, BinaryIO

import msgspec

from darkroom.export.order import Exported, Order
from darkroom.report import Result


def write_openai_batch(order: Order, out: BinaryIO) -> Exported:
    """Write a line a row, with the addresses of its pictures; an error only where it has none."""
    rows = images = 0
    for _, found in groupby(order.rows(), key=lambda each: (each.line, each.id)):
        results = list(found)
        rows += 1
        images += sum(result.ok for result in results)
        out.write(msgspec.json.encode(_line(order, results)) + b"\n")
    return Exported(rows=rows, images=images)


def _line(order: Order, results: list[Result]) -> dict[str, Any]:
    first = results[0]
    done = [result for result in results if result.ok]
    known = {"id": f"batch_req_{first.fingerprint}", "custom_id": first.id}
    if done:
        return known | {"response": _response(order, done, results), "error": None}
    reason = first.reason or first.state.value
    error = {"code": reason, "message": first.message or reason}
    return known | {"response": None, "error": error}


def _response(order: Order, done: list[Result], results: list[Result]) -> dict[str, Any]:
    """Say what was made, and what all tries for it took."""
    created = max(map(_finished, done))
    body = {
        "created": created,
        "data": [{"url": order.address.of(result)} for result in done],
        "usage": _usage(results),
    }
    return {"status_code": 200, "request_id": done[0].fingerprint, "body": body}


def _finished(result: Result) -> int:
    return int((result.finished_at or result.created_at).timestamp())


def _usage(results: list[Result]) -> dict[str, int]:
    taken = sum(result.prompt_tokens or 0 for result in results)
    given = sum(number for result in results for number in _given(result))
    return {"input_tokens": taken, "output_tokens": given, "total_tokens": taken + given}


def _given(result: Result) -> Iterator[int]:
    for number in (result.image_tokens, result.text_tokens, result.thought_tokens):
        yield number or 0
