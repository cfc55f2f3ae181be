"""Run after run with other dice, each on a fleet of its own, each ended by the witnesses."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from tests.fault.rig import messages
from tests.fault.rig.disk import mounted
from tests.fault.rig.fleet import Fleet, chains
from tests.fault.rig.lot import Database, Kind, Lot
from tests.fault.rig.mixture import Crashes, Gear, Mixture, scenario, storm
from tests.fault.rig.nursery import Nursery
from tests.fault.rig.postgres import WeakPostgreSQL
from tests.fault.rig.process import an_hour_ahead
from tests.fault.rig.proxy import CommitCutter
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import Verdict, examine

from darkroom.report import JobState

_IMAGES: Final = {Kind.CRASHES: 200}
_FEW: Final = 60
_SECONDS: Final = 180.0  # that a job may take at most, however it is maltreated
_CUT: Final = 0.05  # of the commits, while the wire is bad
_DISK_MEGABYTES: Final = 16
_STORM_SECONDS: Final = 60.0
_FLOOD: Final = 100_000
_FLOOD_SECONDS: Final = 900.0
_HARMLESS: Final = {Kind.STORM, Kind.FLOOD}  # nothing may be lost there
_NAME: Final = "{id}_{variant}.{ext}"  # known before there is a job


class Ended(msgspec.Struct, frozen=True):
    """One run: what was done to it, and what came of it."""

    lot: Lot
    seed: int
    seconds: float
    verdict: Verdict
    harms: dict[str, int]


class Campaign:
    """Servers that live throughout; `run` makes everything else anew."""

    def __init__(self, folder: Path, nursery: Nursery, postgres: WeakPostgreSQL) -> None:
        self._folder = folder
        self._nursery = nursery
        self._postgres = postgres

    def runs(self, seed: int, minutes: float) -> Iterator[Ended]:
        """Run until the time is over; at least once."""
        dice = random.Random(seed)  # noqa: S311  # it guards nothing
        ends = time.monotonic() + minutes * 60
        while True:
            yield self.run(dice.randrange(1_000_000))
            if time.monotonic() > ends:
                return

    def run(self, seed: int) -> Ended:
        """Run once. A run that breaks off is a violation, and so is all that the witnesses say."""
        dice = random.Random(seed)  # noqa: S311  # same
        lot = Lot.drawn(dice)
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        harms: dict[str, int] = {}
        try:
            verdict = self._judged(folder, dice, lot, harms)
        except Exception as error:  # noqa: BLE001  # whatever it is, this run has failed
            verdict = _broken_off(error)
        if not verdict.violations:
            shutil.rmtree(folder)
        return Ended(lot, seed, time.monotonic() - began, verdict, harms)

    def _judged(
        self, folder: Path, dice: random.Random, lot: Lot, harms: dict[str, int]
    ) -> Verdict:
        with ExitStack() as stack:
            valkey = Valkey(folder, aof=lot.keeps)
            valkey.start()
            stack.callback(valkey.stop)
            gear = self._gear(folder, dice, lot, valkey, stack)
            if lot.kind is Kind.FLOOD:
                messages.pour(valkey, gear.message, _FLOOD, dice, lot.tier)
            fleet = stack.enter_context(self._fleet(folder, dice, lot, valkey, gear))
            if lot.ahead:
                fleet.add_worker(an_hour_ahead("darkroom_worker"))
            if lot.strangers:
                _plant(fleet, dice)
            self._strike(fleet, dice, lot, gear, harms)
            if lot.kind is Kind.FLOOD:
                _hear_out(fleet)
            return _stricter(lot, examine(fleet))

    def _gear(
        self, folder: Path, dice: random.Random, lot: Lot, valkey: Valkey, stack: ExitStack
    ) -> Gear:
        """Make what does the harm, before there is a fleet."""
        message = messages.genuine(valkey, lot.tier)  # before a worker can take it away
        is_ours = lot.database is Database.POSTGRESQL
        is_cut = is_ours and lot.kind is Kind.MIXTURE
        disk = None
        if lot.disk is not None:
            disk = stack.enter_context(mounted(folder / "fleet" / lot.disk, _DISK_MEGABYTES))
        return Gear(
            message=message,
            postgres=self._postgres if is_ours else None,
            cutter=self._cutter(folder, dice, stack) if is_cut else None,
            disk=disk,
        )

    def _cutter(self, folder: Path, dice: random.Random, stack: ExitStack) -> CommitCutter:
        wire = folder / "wire"
        wire.mkdir()
        cutter = CommitCutter(wire, self._postgres.folder, dice, _CUT)
        stack.callback(cutter.close)
        return cutter

    def _fleet(
        self, folder: Path, dice: random.Random, lot: Lot, valkey: Valkey, gear: Gear
    ) -> Fleet:
        lease = 15.0 if lot.kind in _HARMLESS else 2.0
        return Fleet(
            folder / "fleet",
            self._url(folder, lot, gear),
            valkey,
            self._nursery,
            workers=lot.workers,
            clocks=lot.clocks,
            simulator=_simulator(folder, dice, lot),
            crash=None if lot.point is None else f"{lot.point}:{lot.crash}:{dice.random()}",
            tier=lot.tier,
            in_bucket=lot.in_bucket,
            worker={"lease_seconds": lease, "request_seconds": 3.0, "grace_seconds": 20.0},
            gcs={"deadline_seconds": 5.0},
            **({"output": {"path": _NAME}} if lot.strangers else {}),
        )

    def _url(self, folder: Path, lot: Lot, gear: Gear) -> str | None:
        if lot.disk == "books":
            return f"sqlite:///{folder}/fleet/books/books.db"
        if lot.database is Database.SQLITE:
            return None
        url = self._postgres.new_database()
        if gear.cutter is None:
            return url
        return url.replace(str(self._postgres.folder), str(folder / "wire"))

    def _strike(
        self, fleet: Fleet, dice: random.Random, lot: Lot, gear: Gear, harms: dict[str, int]
    ) -> None:
        """See a job to its end, with harm on the way."""
        job = fleet.submit(chains(_IMAGES.get(lot.kind, _FEW)))
        if lot.kind is Kind.MIXTURE:
            mixture = Mixture(fleet, dice, gear)
            try:
                fleet.watch(job, _SECONDS, mixture.tick)
            finally:
                mixture.end()
                harms |= mixture.counts
        elif lot.kind is Kind.CRASHES:
            crashes = Crashes(dice, self._postgres)
            fleet.watch(job, _SECONDS, crashes.tick)
            harms |= crashes.counts
        else:
            fleet.watch(job, _FLOOD_SECONDS if lot.kind is Kind.FLOOD else _SECONDS, _look_on)


def _look_on(_: JobState) -> None:
    return


def _simulator(folder: Path, dice: random.Random, lot: Lot) -> list[str]:
    flags = ["--latency", "0.02-0.4", "--seed", str(dice.randrange(1_000))]
    if lot.kind is Kind.MIXTURE:
        flags += ["--scenario", str(scenario(folder / "scenario.toml", dice.randrange(1_000)))]
    if lot.kind is Kind.STORM:
        flags += ["--scenario", str(storm(folder / "storm.toml", _STORM_SECONDS))]
    return flags


def _plant(fleet: Fleet, dice: random.Random) -> None:
    """Let strangers have the names of some images."""
    for number in dice.sample(range(_FEW), _FEW // 5):
        fleet.plant(f"r{number}_1.jpg")


def _hear_out(fleet: Fleet) -> None:
    """Wait until every message was taken."""
    ends = time.monotonic() + _FLOOD_SECONDS
    while left := messages.waiting(fleet.valkey, fleet.tier):
        assert time.monotonic() < ends, f"{left} messages still wait"
        fleet.revive()
        time.sleep(0.2)


def _stricter(lot: Lot, verdict: Verdict) -> Verdict:
    """Nothing may be lost where nothing dies."""
    if lot.kind not in _HARMLESS or not verdict.lost:
        return verdict
    more = (*verdict.violations, f"{verdict.lost} answers were lost, and nothing had died")
    return msgspec.structs.replace(verdict, violations=more)


def _broken_off(error: Exception) -> Verdict:
    return Verdict(
        images=0,
        held=0,
        deaths=0,
        lost=0,
        paid_twice=0,
        unflagged=0,
        charged_nusd=0,
        at_risk_nusd=0,
        bill_nusd=0,
        violations=(f"broken off: {error!r}"[:300],),
    )
