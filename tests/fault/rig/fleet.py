"""A fleet on one machine: workers and clocks over a real database, broker and simulator."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen

import msgspec
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from tests.fault.rig.nursery import Nursery
from tests.fault.rig.place import EMULATOR, Bucket, Folder, Place, sha256
from tests.fault.rig.process import Process, Start, command, forked
from tests.fault.rig.valkey import Valkey

from darkroom import Darkroom, Job, db
from darkroom.configure import hand_down
from darkroom.killpoints import VARIABLE, Point
from darkroom.report import JobState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_LOOK_SECONDS: Final = 0.05
_QUIET_SECONDS: Final = 30.0

Row = dict[str, object]


def rows(how_many: int, words: str = "") -> list[Row]:
    """Rows whose prompts differ, so that the simulator's bill tells them apart."""
    return [{"id": f"r{n}", "prompt": f"lamp number {n} {words}"} for n in range(how_many)]


def chains(how_many: int, words: str = "") -> list[Row]:
    """The same, and every fourth changes the image of the row before it."""
    made = rows(how_many, words)
    for number, row in enumerate(made):
        if number % 4 == 1:
            row["edit_of"] = made[number - 1]["id"]
    return made


class Fleet:
    """Started by `with`. Workers that die are started again, as a supervisor would."""

    def __init__(
        self,
        folder: Path,
        database_url: str | None,
        valkey: Valkey,
        nursery: Nursery,
        *,
        workers: int = 2,
        clocks: int = 1,
        simulator: Sequence[str] = (),
        crash: str | None = None,
        env: Mapping[str, str] | None = None,
        tier: Tier = Tier.SIMULATOR,
        in_bucket: bool = False,
        **settings: object,
    ) -> None:
        self.folder = folder
        self.tier = tier
        self.place: Place = Bucket(folder / "buckets") if in_bucket else Folder(folder / "out")
        self.valkey = valkey
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        self.bill = folder / "bill.jsonl"
        self._ready = folder / "simulator.json"
        words = [sys.executable, "-m", "darkroom_simulator", "--parent-pid", str(os.getpid())]
        words += ["--ready-file", str(self._ready), "--ledger", str(self.bill)]
        words += ["--pictures", "cached", "--body-bytes", "20000", *simulator]
        if isinstance(self.place, Bucket):
            words += ["--buckets", str(self.place.root)]
        self.simulator = Process("simulator", command(*words), self.logs)
        self.workers = [self._process(nursery, "worker", n) for n in range(workers)]
        self.clocks = [self._process(nursery, "scheduler", n) for n in range(clocks)]
        self.strangers: dict[str, str] = {}
        self._crash = crash
        self.env = dict(env or {})
        told = {"storage_url": self.place.storage_url, "database_url": database_url}
        self._settings = _settings(folder, tier, {**told, "broker_url": valkey.url, **settings})
        self._generation = 0

    def add_worker(self, start: Start) -> Process:
        """Let one more worker join, started in another way."""
        worker = Process(f"worker-{len(self.workers)}", start, self.logs)
        self.workers.append(worker)
        return worker

    def add_clock(self, start: Start) -> Process:
        """Let one more clock join, started in another way."""
        clock = Process(f"scheduler-{len(self.clocks)}", start, self.logs)
        self.clocks.append(clock)
        return clock

    def _process(self, nursery: Nursery, role: str, number: int) -> Process:
        return Process(f"{role}-{number}", forked(nursery, f"darkroom_{role}"), self.logs)

    def __enter__(self) -> Self:
        try:
            self.simulator.start({})
            _until(self._ready.exists, 30, "the simulator did not start")
            self.url = str(msgspec.json.decode(self._ready.read_bytes())["url"])
            self.env[EMULATOR] = self.url
            self.room = Darkroom(_reached(self._settings, self.url))
            self._open_books()
            self.revive()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.room.close()

    def _open_books(self) -> None:
        if self._settings.database_url is not None:  # the embedded one is migrated by itself
            engine = db.open_engine(self._settings.sql_url)
            db.upgrade(engine)
            engine.dispose()
        assert self.room.database is not None

    @property
    def deaths(self) -> int:
        """How many workers were killed, by us or at a kill point."""
        return sum(worker.deaths for worker in self.workers)

    def revive(self) -> None:
        """Start whatever is gone."""
        for process in (*self.workers, *self.clocks):
            if process.is_gone():
                self._generation += 1
                process.start(self._environment(process))

    def _environment(self, process: Process) -> dict[str, str]:
        told = hand_down(self.room.settings) | self.env
        if self._crash is not None and process in self._mortals(self._crash):
            # Another dice for each life: with the same one all would die at the same step.
            told[VARIABLE] = f"{self._crash}.{self._generation}"
        return told

    def _mortals(self, crash: str) -> list[Process]:
        """Those that come past a kill point: files in watched folders are a clock's concern."""
        return self.clocks if crash.startswith("I") else self.workers

    def calm(self) -> None:
        """Let nobody who starts from now on die at a kill point."""
        self._crash = None

    def plant(self, name: str) -> None:
        """Let a stranger's file lie where an image would go; the witnesses look after it."""
        data = f"a stranger's {name}".encode()
        self.place.put(name, data, self.url)
        self.strangers[name] = sha256(data)

    def submit(self, manifest: Sequence[Row], **how: Any) -> Job:  # as the client's
        return self.room.submit(list(manifest), consent=True, **how)

    def watch(
        self,
        job: Job,
        seconds: float,
        tick: Callable[[JobState], None] = lambda _: None,
        is_over: Callable[[JobState], bool] | None = None,
    ) -> JobState:
        """See a job to its end, reviving what dies; `tick` does harm on the way."""
        is_over = is_over or _has_ended
        ends = time.monotonic() + seconds
        while True:
            assert time.monotonic() < ends, f"not finished in time: {self._state(job)}"
            self.revive()
            state = self._state(job)
            if state is not None:
                if is_over(state):
                    return state
                tick(state)
            time.sleep(_LOOK_SECONDS)

    def _state(self, job: Job) -> JobState | None:
        """The job as the books have it; None while they are out of reach."""
        try:
            return job.state
        except DBAPIError:
            return None

    def quieten(self) -> None:
        """Wait until every answer is in the books and no spool holds one; then end the workers."""
        ends = time.monotonic() + _QUIET_SECONDS
        while self.spooled() and time.monotonic() < ends:
            self.revive()
            time.sleep(_LOOK_SECONDS)
        self._crash = None
        for process in self.workers:
            process.end()

    def spooled(self) -> list[Path]:
        """Pictures and notes that wait in a spool."""
        spool = self.folder / "home" / "spool"
        try:
            pictures = [*spool.glob("*/att_*")]
            notes = [path for path in spool.glob("*/journal.jsonl") if _size(path)]
        except FileNotFoundError:  # a worker clears a dead one's folder away: look again
            return self.spooled()
        return [*pictures, *notes]

    def said(self, words: str) -> bool:
        """Whether some process complained in these words."""
        return any(words in log.read_text(errors="replace") for log in self.logs.glob("*.log"))

    def requests(self) -> int:
        """How many requests the simulator was sent."""
        return len(self.bill.read_bytes().splitlines()) if self.bill.exists() else 0

    def storage_answers(self) -> dict[str, int]:
        """How often the simulator's storage gave which answer, as `create 412`."""
        with urlopen(f"{self.url}/_sim/storage", timeout=10) as reply:  # noqa: S310  # ours
            return msgspec.json.decode(reply.read(), type=dict[str, int])

    def killed_at(self, point: Point) -> set[str]:
        """The attempts that workers died with at a kill point, by what they said last."""
        said = (log.read_text(errors="replace") for log in self.logs.glob("worker-*.log"))
        words = (line.split() for text in said for line in text.splitlines())
        return {name for line in words if line[:3] == ["killed", "at", point] for name in line[3:]}

    def stop(self) -> None:
        """End everything that was started here."""
        for process in (*self.workers, *self.clocks, self.simulator):
            process.end(10)


def _has_ended(state: JobState) -> bool:
    """Finished, or held for a person with nothing on its way."""
    moving = state.pending + state.sent + state.submitted
    return state.is_finished or (state.held > 0 and not moving)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _until(is_true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    ends = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends, otherwise
        time.sleep(_LOOK_SECONDS)


def _settings(folder: Path, tier: Tier, own: Mapping[str, object]) -> Settings:
    told: dict[str, object] = {
        "home": folder / "home",
        "defaults": {"tier": tier},
        "worker": {"lease_seconds": 2.0, "grace_seconds": 20.0},
        "rules": {"backoff_seconds": 0.1},
        "tiers": {tier: {"concurrency": 4, "adaptive": False}},
    }
    return Settings.model_validate(told | dict(own))


def _reached(settings: Settings, url: str) -> Settings:
    """Let every tier's requests go to the simulator; Vertex's are real money for all we know."""
    own = settings.simulator.model_copy(update={"base_url": url})
    key = {"project": "p", "access_token": SecretStr("t"), "base_url": url}
    vertex = settings.vertex.model_copy(update=key)
    api = {"api_key": SecretStr("k"), "base_url": url}
    aistudio = settings.aistudio.model_copy(update=api)
    return settings.model_copy(update={"simulator": own, "vertex": vertex, "aistudio": aistudio})
