"""Everything at once: a job is rendered while dice kill, freeze, flush, cut and crash around it."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from tests.fault.rig import messages
from tests.fault.rig.disk import SmallDisk
from tests.fault.rig.fleet import Fleet
from tests.fault.rig.postgres import WeakPostgreSQL
from tests.fault.rig.process import Process
from tests.fault.rig.proxy import CommitCutter

from darkroom.report import JobState

_CHANCE: Final = 0.04  # of some harm at each look, of which there are some fifteen in a second
_FROZEN_SECONDS: Final = (0.5, 5.0)  # some are longer than a lease
_FULL_SECONDS: Final = (0.5, 4.0)
_AGAIN_SECONDS: Final = 0.5  # from a worker's first TERM to its second
_CRASH_SECONDS: Final = (1.0, 4.0)  # from one crash of PostgreSQL to the next
_POURED: Final = 1_000
_PROVIDER: Final = (
    *("429=1", "500", "503", "504", "502-html", "drop-before", "drop-after", "reset"),
    *("truncated", "garbage", "corrupt", "bad-base64", "truncated-image", "no-usage"),
    *("slow=4", "drip=1", "drip=8", "wrong-size", "no-image", "refuse"),
)
_STORAGE: Final = {
    "503": 0.05,
    "429": 0.03,
    "503-after": 0.05,
    "reset-after": 0.03,
    "wrong-crc": 0.02,
    "slow": 0.03,
}


def scenario(path: Path, seed: int, probability: float = 0.02) -> Path:
    """Write a scenario in which each fault of provider and storage strikes now and then."""
    rules = [f'[[rule]]\nfault = "{fault}"\nprobability = {probability}\n' for fault in _PROVIDER]
    rules += [
        f'[[storage]]\nfault = "{fault}"\nprobability = {chance}\nseconds = 7.0\n'
        'deeds = ["create", "read", "delete"]\n'
        for fault, chance in _STORAGE.items()
    ]
    path.write_text(f"seed = {seed}\n" + "\n".join(rules), encoding="utf-8")
    return path


def storm(path: Path, seconds: float) -> Path:
    """Write a scenario in which nothing is answered but 429, for so long."""
    path.write_text(f'[[rule]]\nfault = "429=1"\nseconds = {seconds}\n', encoding="utf-8")
    return path


class Gear(msgspec.Struct, frozen=True):
    """What there is to do harm with, beside the fleet itself."""

    message: messages.Message
    postgres: WeakPostgreSQL | None = None
    cutter: CommitCutter | None = None
    disk: SmallDisk | None = None


class Mixture:
    """What strikes a fleet, by dice. `counts` says how often each harm was done."""

    def __init__(self, fleet: Fleet, dice: random.Random, gear: Gear) -> None:
        self.counts: dict[str, int] = {}
        self._fleet = fleet
        self._dice = dice
        self._gear = gear
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._harms: dict[str, Callable[[], None]] = {
            "worker killed": lambda: dice.choice(fleet.workers).kill(),
            "clock killed": lambda: dice.choice(fleet.clocks).kill(),
            "worker told to end": lambda: dice.choice(fleet.workers).send(signal.SIGTERM),
            "worker told to end twice": lambda: self._end_soon(dice.choice(fleet.workers)),
            "worker told to leave at once": lambda: dice.choice(fleet.workers).send(signal.SIGQUIT),
            "worker frozen": lambda: self._freeze(dice.choice(fleet.workers)),
            "broker killed": self._kill_broker,
            "broker frozen": lambda: self._freeze(fleet.valkey.process),
            "broker flushed": self._flush,
            "messages poured": self._pour,
        }
        if (postgres := gear.postgres) is not None:
            self._harms["PostgreSQL crashed"] = lambda: _bounce(postgres)
        if (cutter := gear.cutter) is not None:
            self._harms["commits cut"] = lambda: setattr(cutter, "armed", not cutter.armed)
        if (disk := gear.disk) is not None:
            self._harms["disk full"] = lambda: self._fill(disk)

    def tick(self, state: JobState) -> None:
        """Do some harm, perhaps, while something is in flight."""
        self._mend(time.monotonic())
        if state.sent and self._dice.random() < _CHANCE:
            name = self._dice.choice(list(self._harms))
            self._harms[name]()
            self.counts[name] = self.counts.get(name, 0) + 1

    def end(self) -> None:
        """Do no more harm, and mend what can be mended."""
        self._mend(float("inf"))
        if self._gear.cutter is not None:
            self._gear.cutter.armed = False

    def _mend(self, now: float) -> None:
        """Do what was to be done by now."""
        due = [act for moment, act in self._due if moment <= now]
        self._due = [(moment, act) for moment, act in self._due if moment > now]
        for act in due:
            act()

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, act))

    def _freeze(self, process: Process) -> None:
        process.freeze()
        self._after(self._dice.uniform(*_FROZEN_SECONDS), process.thaw)

    def _end_soon(self, worker: Process) -> None:
        worker.send(signal.SIGTERM)
        self._after(_AGAIN_SECONDS, lambda: worker.send(signal.SIGTERM))

    def _fill(self, disk: SmallDisk) -> None:
        disk.fill()
        self._after(self._dice.uniform(*_FULL_SECONDS), disk.clear)

    def _broker_awake(self) -> None:
        self._fleet.valkey.process.thaw()

    def _kill_broker(self) -> None:
        self._fleet.valkey.kill()
        self._fleet.valkey.start()

    def _flush(self) -> None:
        self._broker_awake()
        self._fleet.valkey.flush()

    def _pour(self) -> None:
        self._broker_awake()
        valkey, message = self._fleet.valkey, self._gear.message
        messages.pour(valkey, message, _POURED, self._dice, self._fleet.tier)


class Crashes:
    """PostgreSQL, crashed every few seconds."""

    def __init__(self, dice: random.Random, postgres: WeakPostgreSQL) -> None:
        self.counts = {"PostgreSQL crashed": 0}
        self._dice = dice
        self._postgres = postgres
        self._next = time.monotonic() + dice.uniform(*_CRASH_SECONDS)

    def tick(self, _: JobState) -> None:
        """Crash it, if it is time."""
        if time.monotonic() > self._next:
            _bounce(self._postgres)
            self.counts["PostgreSQL crashed"] += 1
            self._next = time.monotonic() + self._dice.uniform(*_CRASH_SECONDS)


def _bounce(postgres: WeakPostgreSQL) -> None:
    postgres.crash()
    postgres.restart()
