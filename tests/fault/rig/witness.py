"""The verdict after a fault: the books against the simulator's bill, the storage and the spool.

The books' own invariants miss some bugs: an intent written too late, a picture stored under two
names. Only what stands outside of the books shows those.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from tests.fault.rig.fleet import Fleet
from tests.fault.rig.place import emulated

from darkroom import db
from darkroom.audit import audit
from darkroom.models import Remedy
from darkroom.request import Request
from darkroom_worker.remedied import remedied

_ATTEMPTS: Final = """
    SELECT r.id AS render, r.request, r.state AS became, a.state, a.charged_nusd, a.at_risk_nusd,
    a.remedy
    FROM attempts a JOIN renders r ON r.id = a.render_id"""
_OBJECTS: Final = "SELECT uri, sha256 FROM renders WHERE uri IS NOT NULL"
_ENDED: Final = """
    SELECT SUM(pending + sent + submitted) AS moving, SUM(held + waiting) AS held, SUM(done) AS done
    FROM jobs"""
_MONEY: Final = """
    SELECT substr(scope, 1, 3) AS kind, SUM(spent_nusd) AS charged, SUM(at_risk_nusd) AS at_risk
    FROM accounts GROUP BY substr(scope, 1, 3)"""
_REHEARSED: Final = {"job"}
_REAL: Final = {"all", "day", "job"}  # real money is on the nested accounts, all of them


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `bill_nusd` is what the simulator wants, the rest is in the books.

    `held` are those that wait for a person, and those that wait for an image of one of them.
    """

    images: int
    held: int
    deaths: int
    lost: int
    paid_twice: int
    unflagged: int
    charged_nusd: int
    at_risk_nusd: int
    bill_nusd: int
    violations: tuple[str, ...]


class _Prompt(msgspec.Struct):
    """One render's attempts as the books tell them, beside the requests that came in."""

    attempts: int = 0
    unsent: int = 0
    lost: int = 0
    paid: int = 0  # charged, or lost and perhaps charged
    wasted: int = 0  # charged, without a picture: asking again was meant to be paid again
    requests: int = 0
    billed: int = 0

    @property
    def paid_twice(self) -> int:
        return max(0, self.billed - 1 - self.wasted)

    @property
    def unflagged(self) -> int:
        return max(0, self.billed - self.paid)


def examine(fleet: Fleet) -> Verdict:
    """Bring the fleet to rest, then hold the books against everything outside of them."""
    fleet.quieten()
    with db.reading(fleet.room.database) as connection:
        attempts = db.rows_of(connection, _ATTEMPTS)
        objects = {row["uri"]: row["sha256"] for row in db.rows_of(connection, _OBJECTS)}
        (ended,) = db.rows_of(connection, _ENDED)
        money = {row["kind"]: row for row in db.rows_of(connection, _MONEY)}
    lines = [json.loads(line) for line in fleet.bill.read_bytes().splitlines()]
    prompts = _by_prompt(attempts, lines)
    bill = sum(line["cost_nusd"] for line in lines)
    violations = [
        *(f"{found.name}: {found.detail}" for found in _audit(fleet)),
        *_unknown(prompts),
        *_outside(fleet, money, bill),
        *_stored(fleet, objects),
        *(f"the spool holds {path.name}" for path in fleet.spooled()),
        *([f"{ended['moving']} renders still move"] if ended["moving"] else []),
    ]
    return Verdict(
        images=int(ended["done"]),
        held=int(ended["held"]),
        deaths=fleet.deaths,
        lost=sum(prompt.lost for prompt in prompts.values()),
        paid_twice=sum(prompt.paid_twice for prompt in prompts.values()),
        unflagged=sum(prompt.unflagged for prompt in prompts.values()),
        charged_nusd=int(money["job"]["charged"]),
        at_risk_nusd=int(money["job"]["at_risk"]),
        bill_nusd=bill,
        violations=tuple(violations),
    )


def _audit(fleet: Fleet) -> Iterator[Any]:
    settings = fleet.room.settings
    with emulated(fleet.env):
        yield from audit(fleet.room.database, settings.home, deep=True, gcs=settings.gcs)


def _by_prompt(attempts: list[dict[str, Any]], lines: list[dict[str, Any]]) -> dict[str, _Prompt]:
    prompts: dict[str, _Prompt] = {}
    plain: dict[str, str] = {}  # what was asked in other words, by what the row says
    for attempt in attempts:
        prompt = json.loads(attempt["request"])["prompt"]
        digest = _digest(prompt)
        if attempt["remedy"] is not None:
            said = remedied(Request(prompt=prompt), Remedy(attempt["remedy"])).prompt
            plain[_digest(said)] = digest
        of = prompts.setdefault(digest, _Prompt())
        is_lost, is_charged = attempt["state"] == "lost", attempt["charged_nusd"] > 0
        of.attempts += 1
        of.unsent += attempt["state"] == "not-sent"
        of.lost += is_lost
        of.paid += is_lost or is_charged
        of.wasted += is_charged and attempt["state"] not in ("lost", "delivered")
    for line in lines:
        digest = line["prompt_sha256"]
        of = prompts.setdefault(plain.get(digest, digest), _Prompt())
        of.requests += 1
        of.billed += bool(line["billed"])
    return prompts


def _digest(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()


def _unknown(prompts: dict[str, _Prompt]) -> Iterator[str]:
    """Requests and bills that the books cannot name an attempt for, and the other way round."""
    for digest, of in prompts.items():
        if of.requests > of.attempts:
            yield f"{digest[:8]}: {of.requests} requests came of {of.attempts} attempts"
        if of.requests < of.attempts - of.unsent - of.lost:
            yield f"{digest[:8]}: only {of.requests} requests came of {of.attempts} attempts"
        if of.unflagged:
            yield f"{digest[:8]}: billed {of.billed} times, the books say {of.paid}"
    twice = sum(of.paid_twice for of in prompts.values())
    lost = sum(of.lost for of in prompts.values())
    if twice > lost:
        yield f"{twice} images were paid twice, only {lost} attempts are marked lost"


def _outside(fleet: Fleet, money: Mapping[str, dict[str, Any]], bill: int) -> Iterator[str]:
    """Each kind of account holds the whole bill between what is charged and what is at risk."""
    kinds = _REHEARSED if fleet.tier.is_simulated else _REAL
    if money.keys() != kinds:
        yield f"money is on accounts {sorted(money)}, not on {sorted(kinds)}"
    for kind, row in money.items():
        charged, at_risk = int(row["charged"]), int(row["at_risk"])
        if not charged <= bill <= charged + at_risk:
            yield f"{kind}: the bill {bill} is outside [{charged}, {charged} + {at_risk}]"


def _stored(fleet: Fleet, objects: dict[str, str]) -> Iterator[str]:
    """The listing of the storage equals the books, name by name and byte by byte."""
    found = fleet.place.found()
    objects = fleet.strangers | objects
    for uri in sorted(found.keys() | objects.keys()):
        if found.get(uri) != objects.get(uri):
            where = "books" if uri not in found else "storage" if uri not in objects else "bytes"
            yield f"storage and books differ ({where}): {uri}"


def states_of(fleet: Fleet, attempt_ids: set[str]) -> set[str]:
    """How some attempts ended, by the books."""
    with db.reading(fleet.room.database) as connection:
        found = db.rows_of(connection, "SELECT id, state FROM attempts")
    return {row["state"] for row in found if row["id"] in attempt_ids}


def totals(lines: list[Verdict]) -> Counter[str]:
    """Add verdicts up, for a table's last row."""
    sums: Counter[str] = Counter()
    for verdict in lines:
        for name in ("images", "held", "deaths", "lost", "paid_twice", "unflagged"):
            sums[name] += getattr(verdict, name)
        sums["violations"] += len(verdict.violations)
    return sums
