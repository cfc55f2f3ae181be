"""Tells whether anything is left that a worker could do without a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Select, exists, func, or_, select
from sqlalchemy.orm import aliased

from darkroom import db
from darkroom.jobs import rests
from darkroom.models import Job, Render, RenderState, Rest
from darkroom_manifests.tier import Tier


def is_idle(connection: Connection, job_id: str | None = None) -> bool:
    """True when nothing is in flight and all that is pending waits for a person.

    That is: in paused jobs, on tiers and models that rest until somebody resumes them, or on tiers
    whose budget of the day is spent. Those go on by themselves the next day, while a worker runs;
    but nobody should sit and watch until then.
    """
    flying = func.coalesce(func.sum(Job.sent + Job.submitted), 0)
    waiting = func.coalesce(func.sum(Job.pending), 0)
    jobs = select(flying, waiting).where(Job.loaded_at.is_not(None), Job.paused.is_(False))
    if job_id is not None:
        jobs = jobs.where(Job.id == job_id)
    in_flight, pending = connection.execute(jobs).one()
    if in_flight or connection.scalar(select(exists(_behind_others(job_id)))):
        return False
    return not pending or not connection.scalar(select(exists(_awake(job_id, db.now(connection)))))


def _behind_others(job_id: str | None) -> Select[int]:
    """What waits for an image of another job that is in flight, or of any that is just there."""
    parent = aliased(Render)
    coming = (RenderState.SENT, RenderState.SUBMITTED, RenderState.DONE)
    found = (
        select(Render.id)
        .join(parent, parent.id == Render.parent_id)
        .where(Render.state == RenderState.WAITING, parent.state.in_(coming))
    )
    return found if job_id is None else found.where(Render.job_id == job_id)


def is_unfinished(connection: Connection, tier: Tier) -> bool:
    """Whether a tier has renders that are to be sent, or whose answers are not in the books."""
    moving = (RenderState.PENDING, RenderState.SENT, RenderState.SUBMITTED)
    found = (
        select(Render.id)
        .join(Job, Job.id == Render.job_id)
        .where(Job.pending + Job.sent + Job.submitted > 0)
        .where(Render.tier == tier, Render.state.in_(moving))
    )
    return bool(connection.scalar(select(exists(found))))


def _awake(job_id: str | None, now: datetime) -> Select[int]:
    resting = exists().where(
        or_(Rest.tier == rests.EVERY_TIER, Rest.tier == Render.tier),
        or_(Rest.until.is_(None), (Rest.reason == rests.DAY_SPENT) & (Rest.until > now)),
        or_(Rest.model == rests.WHOLE_TIER, Rest.model == Render.model),
    )
    found = (
        select(Render.id)
        .join(Job, Job.id == Render.job_id)
        .where(Render.state == RenderState.PENDING, Job.paused.is_(False), Job.pending > 0)
        .where(Job.loaded_at.is_not(None), ~resting)
    )
    return found if job_id is None else found.where(Job.id == job_id)
