"""What production does, done here: a manifest rendered by a fleet, and what came of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import func, select
from tests.fleet.fleet import Fleet

from darkroom import db
from darkroom.configure import load
from darkroom.models import Attempt, AttemptState

EXAMPLE: Final = Path(__file__).parents[2] / "manifests" / "examples" / "catalog.csv"
_ONE_REFUSED: Final = 3  # the exit code: one row of the example is meant to be refused


class Share(msgspec.Struct, frozen=True):
    """What one worker delivered."""

    worker: str
    images: int


class Rehearsal(msgspec.Struct, frozen=True):
    """How it went. `seconds` is from the first request to the last answer in the books."""

    job: str
    done: int
    refused: int
    total: int
    seconds: float
    shares: tuple[Share, ...]
    billed_nusd: int
    booked_nusd: int
    at_risk_nusd: int
    audit: str
    is_clean: bool

    @property
    def is_good(self) -> bool:
        """Whether every image came, was paid for once, and the books hold."""
        paid = self.booked_nusd <= self.billed_nusd <= self.booked_nusd + self.at_risk_nusd
        return self.is_clean and paid and self.done + self.refused == self.total


def rehearse(fleet: Fleet, copies: int) -> Rehearsal:
    """Submit the example with `copies` images a row, watch it to its end, audit the books."""
    manifest = _manifest(fleet.folder, copies)
    submitted = fleet.call("submit", str(manifest), "--name", "rehearsal", "-q", capture=True)
    assert submitted.returncode == 0, submitted.stderr
    job_id = submitted.stdout.strip()
    watched = fleet.call("job", "watch", job_id)
    assert watched.returncode in (0, _ONE_REFUSED), "the job did not end as it should"
    state = json.loads(fleet.call("job", "show", job_id, "--json", capture=True).stdout)
    audited = fleet.call("audit", "--deep", capture=True)
    shares, seconds = _shares(fleet)
    return Rehearsal(
        job=job_id,
        done=state["done"],
        refused=state["refused"],
        total=state["total"],
        seconds=seconds,
        shares=tuple(shares),
        billed_nusd=_billed(fleet.folder / "bill.jsonl"),
        booked_nusd=state["cost"]["charged_nusd"],
        at_risk_nusd=state["at_risk_nusd"],
        audit=(audited.stdout + audited.stderr).strip(),
        is_clean=audited.returncode == 0,
    )


def _manifest(folder: Path, copies: int) -> Path:
    """Ask for more of each row than the example does."""
    made = folder / "manifest.csv"
    with EXAMPLE.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    with made.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"n": copies} for row in rows)
    return made


def _shares(fleet: Fleet) -> tuple[Sequence[Share], float]:
    engine = db.open_engine(load({}, fleet.env, fleet.folder).settings.sql_url)
    delivered = Attempt.state == AttemptState.DELIVERED
    by_worker = select(Attempt.worker_id, func.count()).where(delivered).group_by(Attempt.worker_id)
    span = select(func.min(Attempt.sent_at), func.max(Attempt.closed_at))
    with db.reading(engine) as connection:
        shares = [Share(str(worker), images) for worker, images in connection.execute(by_worker)]
        began, ended = connection.execute(span).one()
    engine.dispose()
    assert isinstance(began, datetime)
    assert isinstance(ended, datetime)
    return sorted(shares, key=lambda share: share.worker), (ended - began).total_seconds()


def _billed(ledger: Path) -> int:
    """Add up what the simulator says that it would charge: the outside witness."""
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return sum(int(json.loads(line)["cost_nusd"]) for line in lines)
