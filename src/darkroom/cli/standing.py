"""What the books say to `darkroom doctor`: what rests, and how much money may still be spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from darkroom import db
from darkroom.cli import wording
from darkroom.cli.finding import Finding, Grade
from darkroom.errors import DarkroomError
from darkroom.jobs import rests
from darkroom.models import Rest
from darkroom.report import Allowance, allowances
from darkroom.settings import Settings


def standing(settings: Settings) -> Iterator[Finding]:
    """Look into the books if they can be read; what keeps them from it, another check tells."""
    if settings.database_url is None and not Path(db.path_of(settings.sql_url)).exists():
        return
    try:
        allowed, resting = _read(settings)
    except (SQLAlchemyError, DarkroomError):
        return
    used = "; ".join(f"{name} {said}" for name, said in wording.allowances(allowed))
    yield Finding("budget", Grade.OK, used)
    yield from map(_resting, resting)


def _read(settings: Settings) -> tuple[list[Allowance], Sequence[Rest]]:
    """Read, and change nothing: opening Darkroom would bring the schema up to date."""
    engine = db.open_engine(settings.sql_url)
    try:
        db.require_head(engine)
        with db.reading(engine) as connection:
            return allowances(connection, settings.budget), rests.current(connection)
    finally:
        engine.dispose()


def _resting(rest: Rest) -> Finding:
    is_switch = rest.tier == rests.EVERY_TIER
    name = "paused" if is_switch else "resting"
    fix = rest.hint or f"darkroom tier resume {rest.tier}, when it is mended."
    return Finding(name, Grade.WARN, wording.rest(rest), fix)
