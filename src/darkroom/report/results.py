"""Renders with what they became and cost, and the flat record that reports are written in."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, Select, case, func, select, tuple_

from darkroom import db
from darkroom.lineage import DELIVERED
from darkroom.models import Attempt, AttemptState, Decision, Job, Link, Render, RenderState, Review
from darkroom_manifests.tier import Tier

_PAGE: Final = 1_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a job with the sums of its render's attempts. `uri` is below `storage_url`.

    `made_by` is None where the render is the row's own. Else it is the job whose render makes the
    picture, or has made it: it costs this row nothing, and `uri` lies in that job's place. `turn`
    is the number of an earlier turn of its row, 0 of the last or only one. `review` is None where
    nobody decided on the image.
    """

    render_id: int
    row_no: int
    id: str
    turn: int = 0
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
    made_by: str | None = None
    created_at: datetime
    finished_at: datetime | None
    charged_nusd: int
    at_risk_nusd: int
    attempts: int
    prompt_tokens: int | None
    image_tokens: int | None
    text_tokens: int | None
    thought_tokens: int | None
    searches: int | None
    cost_source: str | None
    price_version: str | None
    traffic_type: str | None
    finish_reason: str | None
    block_reason: str | None
    remedy: str | None
    latency_ms: int | None
    review: Decision | None
    reviewed_by: str | None
    review_note: str | None

    @property
    def ok(self) -> bool:
        """Whether there is a picture."""
        return self.state is RenderState.DONE

    @property
    def is_told(self) -> bool:
        """Whether it is told unasked. An earlier turn is where it is delivered, or goes wrong."""
        return not self.turn or self.state in _WRONG or self.at_risk_nusd > 0 or self._is_wanted

    @property
    def _is_wanted(self) -> bool:
        kept: dict[str, Any] = {} if self.labels is None else msgspec.json.decode(self.labels)
        return kept.get(DELIVERED) is True


_WRONG: Final = (RenderState.REFUSED, RenderState.FAILED)


def results(
    engine: Engine, job_id: str, states: Sequence[RenderState] = (), *, turns: bool = False
) -> Iterator[Result]:
    """The pictures of a job in the order of its rows, a page at a time, in flat memory.

    With `turns` those of earlier turns that nobody asked for, too.
    """
    every = heapq.merge(_own(engine, job_id, states), linked(engine, job_id, states), key=_place_of)
    yield from every if turns else (each for each in every if each.is_told)


def _place_of(result: Result) -> tuple[int, int]:
    return result.row_no, result.variant


def _own(engine: Engine, job_id: str, states: Sequence[RenderState]) -> Iterator[Result]:
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


def linked(
    engine: Engine,
    job_id: str,
    states: Sequence[RenderState] = (),
    after: datetime | None = None,
) -> Iterator[Result]:
    """The pictures of a job that other rows' renders make, in the order of its rows.

    With `after`, only those that finished since then.
    """
    place = (-1, -1)
    key = (Link.row_no, Link.variant)
    while True:
        query = _linked(job_id).where(tuple_(*key) > place).order_by(*key).limit(_PAGE)
        if states:
            query = query.where(Render.state.in_(states))
        if after is not None:
            query = query.where(Render.finished_at > after)
        with db.reading(engine) as connection:
            page = [_result(row) for row in connection.execute(query)]
        yield from page
        if len(page) < _PAGE:
            return
        place = _place_of(page[-1])


def _linked(job_id: str) -> Select[*tuple[Any, ...]]:
    given = ("row_no", "row_id", "turn", "variant", "line", "labels", "job_id")
    made = (Render.__table__.c[name] for name in _RENDER_COLUMNS if name not in given)
    return (
        select(
            *made,
            *(Link.__table__.c[name] for name in given),
            Render.job_id.label("made_by"),
            Job.storage_url,
            Job.created_at,
            *_REVIEW,
        )
        .join(Render, Render.id == Link.render_id)
        .join(Job, Job.id == Render.job_id)
        .outerjoin(Review, Review.render_id == Render.id)
        .where(Link.job_id == job_id)
    )


class Page(msgspec.Struct, frozen=True):
    """Some results, and whether they were the last for now."""

    results: list[Result]
    is_last: bool


def finished(
    engine: Engine,
    job_id: str,
    place: tuple[datetime, int] | None,
    states: Sequence[RenderState] = (),
) -> Page:
    """Results in the order in which they finished, those after a moment and a render's id."""
    key = (Render.finished_at, Render.id)
    query = _results(job_id).where(Render.finished_at.is_not(None)).order_by(*key).limit(_PAGE)
    if place is not None:
        query = query.where(tuple_(*key) > place)
    if states:
        query = query.where(Render.state.in_(states))
    with db.reading(engine) as connection:
        page = [_result(row) for row in connection.execute(query)]
    return Page(page, len(page) < _PAGE)


def _results(job_id: str) -> Select[*tuple[Any, ...]]:
    tokens = ("prompt_tokens", "image_tokens", "text_tokens", "thought_tokens", "searches")
    latest = (
        "cost_source",
        "price_version",
        "traffic_type",
        "finish_reason",
        "block_reason",
        "remedy",
    )
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
            *_REVIEW,
        )
        .join(Job, Job.id == Render.job_id)
        .outerjoin(sums, sums.c.render_id == Render.id)
        .outerjoin(Attempt, (Attempt.render_id == Render.id) & (Attempt.fence == Render.fence))
        .outerjoin(Review, Review.render_id == Render.id)
        .where(Render.job_id == job_id)
    )


_RENDER_COLUMNS: Final = (
    *("id", "job_id", "row_no", "row_id", "turn", "variant", "line", "state", "reason", "message"),
    *("model", "tier"),
    *("request", "labels", "fingerprint", "uri", "sha256", "bytes", "mime", "width", "height"),
    *("finished_at", "charged_nusd", "at_risk_nusd"),
)


_REVIEW: Final = (
    Review.decision.label("review"),
    Review.reviewer.label("reviewed_by"),
    Review.note.label("review_note"),
)


def _result(row: db.AnyRow) -> Result:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    values["render_id"] = values.pop("id")
    values["id"] = values.pop("row_id")
    values["state"], values["tier"] = RenderState(values["state"]), Tier(values["tier"])
    if values["review"] is None:  # also of one that was taken back
        values["reviewed_by"] = None
    else:
        values["review"] = Decision(values["review"])
    if "made_by" in values:
        values |= _FREE
    return Result(**values)


_FREE: Final[dict[str, int | None]] = {
    **dict.fromkeys(("charged_nusd", "at_risk_nusd", "attempts"), 0),
    **dict.fromkeys(("prompt_tokens", "image_tokens", "text_tokens", "thought_tokens", "searches")),
    **dict.fromkeys(("cost_source", "price_version", "traffic_type", "finish_reason")),
    **dict.fromkeys(("block_reason", "remedy", "latency_ms")),
}
"""What is told of a picture that another row's render made: its cost is told there."""
