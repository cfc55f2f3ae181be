"""Renders with what they became and cost, and the flat record that reports are written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, Select, case, func, select

from darkroom import db
from darkroom.models import Attempt, AttemptState, Job, Render, RenderState
from darkroom_manifests.money import dollars
from darkroom_manifests.tier import Tier

_PAGE: Final = 1_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One render with the sums of its attempts. `uri` is below the job's storage place."""

    render_id: int
    id: str
    variant: int
    line: int
    state: RenderState
    reason: str | None
    message: str | None
    model: str
    tier: Tier
    request: str
    labels: str | None
    fingerprint: str
    uri: str | None
    storage_url: str
    sha256: str | None
    bytes: int | None
    mime: str | None
    width: int | None
    height: int | None
    job_id: str
    created_at: datetime
    finished_at: datetime | None
    charged_nusd: int
    at_risk_nusd: int
    attempts: int
    prompt_tokens: int | None
    image_tokens: int | None
    text_tokens: int | None
    thought_tokens: int | None
    cost_source: str | None
    price_version: str | None
    traffic_type: str | None
    finish_reason: str | None
    block_reason: str | None
    latency_ms: int | None

    @property
    def ok(self) -> bool:
        """Whether there is a picture."""
        return self.state is RenderState.DONE


def results(engine: Engine, job_id: str, states: Sequence[RenderState] = ()) -> Iterator[Result]:
    """Every render of a job in the order of its rows, a page at a time, in flat memory."""
    after = -1
    while True:
        query = _results(job_id).where(Render.id > after).order_by(Render.id).limit(_PAGE)
        if states:
            query = query.where(Render.state.in_(states))
        with db.reading(engine) as connection:
            page = [_result(row) for row in connection.execute(query)]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].render_id


def _results(job_id: str) -> Select[*tuple[Any, ...]]:
    tokens = ("prompt_tokens", "image_tokens", "text_tokens", "thought_tokens")
    latest = ("cost_source", "price_version", "traffic_type", "finish_reason", "block_reason")
    sums = (
        select(
            Attempt.render_id,
            func.sum(case((Attempt.state == AttemptState.NOT_SENT, 0), else_=1)).label("attempts"),
            *(func.sum(getattr(Attempt, name)).label(name) for name in tokens),
        )
        .where(Attempt.job_id == job_id)
        .group_by(Attempt.render_id)
        .subquery()
    )
    columns = (Render.__table__.c[name] for name in _RENDER_COLUMNS)
    return (
        select(
            *columns,
            Job.storage_url,
            Job.created_at,
            func.coalesce(sums.c.attempts, 0).label("attempts"),
            *(sums.c[name] for name in tokens),
            *(getattr(Attempt, name) for name in latest),
            Attempt.latency_ms,
        )
        .join(Job, Job.id == Render.job_id)
        .outerjoin(sums, sums.c.render_id == Render.id)
        .outerjoin(Attempt, (Attempt.render_id == Render.id) & (Attempt.fence == Render.fence))
        .where(Render.job_id == job_id)
    )


_RENDER_COLUMNS: Final = (
    *("id", "job_id", "row_id", "variant", "line", "state", "reason", "message", "model", "tier"),
    *("request", "labels", "fingerprint", "uri", "sha256", "bytes", "mime", "width", "height"),
    *("finished_at", "charged_nusd", "at_risk_nusd"),
)


def _result(row: db.AnyRow) -> Result:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    values["render_id"] = values.pop("id")
    values["id"] = values.pop("row_id")
    values["state"], values["tier"] = RenderState(values["state"]), Tier(values["tier"])
    return Result(**values)


def record(result: Result) -> dict[str, Any]:
    """A result as the flat record that reports are written in: FIELDS, then the row's own."""
    request: dict[str, Any] = msgspec.json.decode(result.request)
    fields = {
        "id": result.id,
        "variant": result.variant,
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
        "error_kind": None if result.ok else result.reason,
        "error_message": None if result.ok else result.message,
        "attempts": result.attempts,
        "input_tokens": result.prompt_tokens,
        "output_image_tokens": result.image_tokens,
        "output_text_tokens": result.text_tokens,
        "thought_tokens": result.thought_tokens,
        "cost_usd": dollars(result.charged_nusd),
        "cost_source": result.cost_source,
        "at_risk_usd": dollars(result.at_risk_nusd),
        "price_version": result.price_version,
        "created_at": result.created_at.isoformat(),
        "finished_at": result.finished_at and result.finished_at.isoformat(),
        "latency_s": None if result.latency_ms is None else result.latency_ms / 1000,
        "job_id": result.job_id,
        "line": result.line,
        "row_hash": result.fingerprint,
        "prompt": request.get("prompt"),
    }
    return fields | _own(result.labels)


FIELDS: Final = (
    *("id", "variant", "status", "output_uri", "sha256", "width", "height", "mime", "model"),
    *("backend", "tier", "traffic_type", "finish_reason", "block_reason", "error_kind"),
    *("error_message", "attempts", "input_tokens", "output_image_tokens", "output_text_tokens"),
    *("thought_tokens", "cost_usd", "cost_source", "at_risk_usd", "price_version", "created_at"),
    *("finished_at", "latency_s", "job_id", "line", "row_hash", "prompt"),
)
"""The columns that every record has, in their order."""


def own_fields(engine: Engine, job_id: str) -> list[str]:
    """The columns that a job's rows brought along, in the order of their first appearance."""
    names: dict[str, None] = {}
    query = select(Render.labels).where(Render.job_id == job_id, Render.labels.is_not(None))
    streaming = query.execution_options(yield_per=_PAGE)
    with db.reading(engine) as connection:
        for labels in connection.execute(streaming).scalars():
            names |= dict.fromkeys(_own(labels))
    return list(names)


def _own(labels: str | None) -> dict[str, Any]:
    """Tags and variables of a row; a variable never takes the place of a field of ours."""
    if labels is None:
        return {}
    kept: dict[str, Any] = msgspec.json.decode(labels)
    tags = {f"tag.{name}": value for name, value in kept.get("tags", {}).items()}
    return tags | {_set_apart(name): value for name, value in kept.get("variables", {}).items()}


def _set_apart(name: str) -> str:
    return f"vars.{name}" if name in _TAKEN or name.startswith("tag.") else name


_TAKEN: Final = frozenset(FIELDS)
