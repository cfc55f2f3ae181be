"""The flat record that reports are written in."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Engine, select

from darkroom import db
from darkroom.models import Link, Render
from darkroom.report.results import Result
from darkroom_manifests.money import dollars

_PAGE: Final = 1_000


def record(result: Result) -> dict[str, Any]:
    """A result as the flat record that reports are written in: FIELDS, then the row's own."""
    request: dict[str, Any] = msgspec.json.decode(result.request)
    fields = {
        "id": result.id,
        "variant": result.variant,
        "turn": result.turn or None,
        "status": result.state.value,
        "output_uri": result.uri and f"{result.storage_url.rstrip('/')}/{result.uri}",
        "sha256": result.sha256,
        "width": result.width,
        "height": result.height,
        "mime": result.mime,
        "model": result.model,
        "backend": result.tier.provider.value,
        "tier": result.tier.value,
        "traffic_type": result.traffic_type,
        "finish_reason": result.finish_reason,
        "block_reason": result.block_reason,
        "remedy": result.remedy,
        "error_kind": None if result.ok else result.reason,
        "error_message": None if result.ok else result.message,
        "attempts": result.attempts,
        "input_tokens": result.prompt_tokens,
        "output_image_tokens": result.image_tokens,
        "output_text_tokens": result.text_tokens,
        "thought_tokens": result.thought_tokens,
        "searches": result.searches,
        "cost_usd": dollars(result.charged_nusd),
        "cost_source": result.cost_source,
        "at_risk_usd": dollars(result.at_risk_nusd),
        "price_version": result.price_version,
        "created_at": result.created_at.isoformat(),
        "finished_at": result.finished_at and result.finished_at.isoformat(),
        "latency_s": None if result.latency_ms is None else result.latency_ms / 1000,
        "job_id": result.job_id,
        "made_by": result.made_by,
        "review": result.review and result.review.value,
        "reviewed_by": result.reviewed_by,
        "review_note": result.review_note,
        "line": result.line,
        "row_hash": result.fingerprint,
        "prompt": request.get("prompt"),
    }
    return fields | _brought(result.labels)


FIELDS: Final = (
    *("id", "variant", "turn", "status", "output_uri", "sha256", "width", "height", "mime"),
    *("model", "backend", "tier", "traffic_type", "finish_reason", "block_reason", "remedy"),
    *("error_kind", "error_message", "attempts", "input_tokens", "output_image_tokens"),
    *("output_text_tokens", "thought_tokens", "searches", "cost_usd", "cost_source"),
    *("at_risk_usd", "price_version", "created_at", "finished_at", "latency_s", "job_id"),
    *("made_by", "review", "reviewed_by", "review_note", "line", "row_hash", "prompt"),
)
"""The columns that every record has, in their order."""


def own_fields(engine: Engine, job_id: str) -> list[str]:
    """The columns that a job's rows brought along, in the order of their first appearance."""
    names: dict[str, None] = {}
    with db.reading(engine) as connection:
        for of in (Render, Link):
            query = select(of.labels).where(of.job_id == job_id, of.labels.is_not(None))
            streaming = query.execution_options(yield_per=_PAGE)
            for labels in connection.execute(streaming).scalars():
                names |= dict.fromkeys(_brought(labels))
    return list(names)


def _brought(labels: str | None) -> dict[str, Any]:
    """Tags and variables of a row; a variable never takes the place of a field of ours."""
    if labels is None:
        return {}
    kept: dict[str, Any] = msgspec.json.decode(labels)
    tags = {f"tag.{name}": value for name, value in kept.get("tags", {}).items()}
    return tags | {_set_apart(name): value for name, value in kept.get("variables", {}).items()}


def _set_apart(name: str) -> str:
    return f"vars.{name}" if name in _TAKEN or name.startswith("tag.") else name


_TAKEN: Final = frozenset(FIELDS)
