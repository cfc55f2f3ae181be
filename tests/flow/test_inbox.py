"""Watched folders with real files and real scheduler processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.command import called
from tests.fleet.fleet import free_port
from tests.fleet.valkey import Valkey

from darkroom import Darkroom, db
from darkroom.configure import hand_down
from darkroom.inbox import Terms, enroll, inboxes
from darkroom.killpoints import VARIABLE, Point
from darkroom.settings import Settings

FAR = 60.0
SETTLE = 0.3
INBOX = {"settle_seconds": SETTLE, "scan_seconds": 0.2, "lease_seconds": 2}
POINTS = [point for point in Point if point.startswith("I")]


def manifest(word: str, rows: int = 2) -> str:
    return "\n".join(["id,prompt", *(f"r{n},{word} {n}" for n in range(rows))]) + "\n"


class Hall:
    """A watched folder, and schedulers that watch it; nothing renders but what a test starts."""

    def __init__(self, folder: Path, broker_url: str, **told: Any) -> None:
        self.folder = folder
        given: dict[str, Any] = {"home": folder / "home", "storage_url": str(folder / "out")}
        given |= {"broker_url": broker_url, "inbox": INBOX | told.pop("inbox", {})} | told
        self.settings = Settings.model_validate(given)
        db.upgrade(db.open_engine(self.settings.sql_url))
        self.room = Darkroom(self.settings)
        self.inbox = folder / "inbox"
        self.watch(self.inbox)
        self.processes: list[subprocess.Popen[bytes]] = []

    def watch(self, place: Path, **terms: Any) -> None:
        place.mkdir(exist_ok=True)
        with db.writing(self.room.database) as connection:
            enroll(connection, str(place), Terms(**({"tier": "simulator"} | terms)))

    def schedule(self, crash: str | None = None) -> subprocess.Popen[bytes]:
        """Start a scheduler, which may be made to die."""
        told = {} if crash is None else {VARIABLE: crash}
        with (self.folder / f"scheduler-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "darkroom_scheduler"],
                env={**os.environ, **hand_down(self.settings), **told},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def drop(self, name: str, content: str | bytes) -> None:
        """Write a file elsewhere and move it in, whole."""
        part = self.folder / "dropped.part"
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(self.inbox / name)

    def until(self, is_so: Callable[[], object]) -> None:
        ends = time.monotonic() + FAR
        while not is_so():
            assert time.monotonic() < ends, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        files = sorted(str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*"))
        logs = [path.read_text() for path in sorted(self.folder.glob("*.log"))]
        return "\n".join([*files, *logs])

    def report(self, shelf: str, name: str) -> dict[str, Any]:
        """Wait for a file's report on a shelf, and read it."""
        path = self.inbox / shelf / f"{name}.report.json"
        self.until(lambda: path.exists() and (self.inbox / shelf / name).exists())
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def is_accepted(self, name: str) -> bool:
        path = self.inbox / "working" / f"{name}.report.json"
        try:
            state = json.loads(path.read_bytes())["state"]
        except (FileNotFoundError, json.JSONDecodeError):  # it is just being written
            return False
        return state in {"accepted", "held"}

    def jobs(self) -> list[str]:
        return sorted(state.name for state in self.room.jobs())

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.room.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    place = tmp_path / "valkey"
    place.mkdir()
    server = Valkey(place, port=free_port(), password="p")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def make_hall(tmp_path: Path, broker: str) -> Iterator[Callable[..., Hall]]:
    made: list[Hall] = []

    def make(**told: Any) -> Hall:
        made.append(Hall(tmp_path, broker, **told))
        return made[-1]

    yield make
    for hall in made:
        hall.close()


@pytest.fixture
def hall(make_hall: Callable[..., Hall]) -> Hall:
    return make_hall()


def shell(folder: Path, *args: str) -> Any:  # noqa: ANN401  # any JSON
    done = called(folder, alone(), *args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def alone() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
    return kept | {"DARKROOM_INBOX__SETTLE_SECONDS": "0.2", "DARKROOM_SIMULATOR__LATENCY": "0"}


def test_a_dropped_manifest_is_rendered_and_lies_in_done_with_its_report(tmp_path: Path) -> None:
    shell(tmp_path, "inbox", "add", "inbox", "--tier", "simulator")
    done = tmp_path / "inbox" / "done" / "spring.csv"
    said = tmp_path / "up.log"
    with said.open("wb") as log:
        command = [sys.executable, "-m", "darkroom", "up"]
        up = subprocess.Popen(command, cwd=tmp_path, env=alone(), stdout=log, stderr=log)
    try:
        (tmp_path / "inbox" / "spring.csv").write_text(manifest("a lamp"))
        ends = time.monotonic() + FAR
        while ended(tmp_path / ".darkroom") != {"done": 1}:  # the books say so last
            assert time.monotonic() < ends, said.read_text()
            time.sleep(0.05)
    finally:
        up.terminate()
        up.wait(FAR)

    report = json.loads(done.with_name("spring.csv.report.json").read_bytes())
    assert (report["state"], report["done"], report["rows"]) == ("done", 2, 2)
    assert done.read_text() == manifest("a lamp")
    assert not list((tmp_path / "inbox" / "working").iterdir())
    assert shell(tmp_path, "inbox", "ls")[0]["files"] == {"done": 1}
    assert shell(tmp_path, "audit", "--deep") == []


def ended(home: Path) -> dict[str, int]:
    """The files of the only inbox, by their states."""
    engine = db.open_engine(Settings(home=home).sql_url)
    with db.reading(engine) as connection:
        (found,) = inboxes(connection)
    engine.dispose()
    return found.files


BAD: dict[str, str | bytes] = {
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 40,
    "no rows.csv": "id,prompt\n",
    "model.csv": "id,prompt,model\na,a lamp,no-such-model\nb,a vase,\n",
    "sheet.xlsx": b"PK\x03\x04 no manifest",
    "new\nline.csv": "id,prompt\na,\n",
}


def test_bad_files_fail_with_a_report_and_keep_no_good_one_waiting(hall: Hall) -> None:
    for name, content in BAD.items():
        hall.drop(name, content)
    hall.drop("good.csv", manifest("a lamp"))
    (hall.inbox / "link.csv").symlink_to("/etc/passwd")
    hall.schedule()

    reports = {name: hall.report("failed", name) for name in BAD}
    hall.until(lambda: hall.is_accepted("good.csv"))

    assert {report["state"] for report in reports.values()} == {"failed"}
    assert all(report["message"] for report in reports.values())
    rejected = (hall.inbox / "failed" / "model.csv.rejected.csv").read_text()
    assert "no-such-model" in rejected
    assert hall.jobs() == ["good"]
    assert "root:" not in hall.said()


def test_bad_rows_are_left_out_where_a_side_file_says_so(hall: Hall) -> None:
    hall.drop("some.csv.toml", 'accept_valid = true\nname = "spring"\n')
    hall.drop("some.csv", "id,prompt\na,a lamp\nb,\n")
    hall.drop("typo.csv.toml", "acept_valid = true\n")
    hall.drop("typo.csv", manifest("a vase"))
    hall.schedule()

    hall.until(lambda: hall.is_accepted("some.csv"))
    typo = hall.report("failed", "typo.csv")

    assert hall.jobs() == ["spring"]
    assert (hall.inbox / "working" / "some.csv.rejected.csv").exists()
    assert "acept_valid" in typo["message"]


def test_a_file_that_grows_or_is_called_unfinished_is_not_read(hall: Hall) -> None:
    hall.schedule()
    (hall.inbox / "later.csv.part").write_text(manifest("a vase"))
    with (hall.inbox / "slow.csv").open("w") as file:
        for piece in ["id,prompt\n", *(f"r{n},a lamp {n}\n" for n in range(12))]:
            file.write(piece)
            file.flush()
            time.sleep(SETTLE / 3)  # slower than a look, quicker than settling
            assert not (hall.inbox / "working" / "slow.csv").exists()

    hall.until(lambda: hall.is_accepted("slow.csv"))

    [job] = hall.room.jobs()
    assert (job.name, job.rows) == ("slow", 12)
    assert (hall.inbox / "later.csv.part").exists()


def test_a_content_is_accepted_once_under_whatever_name(hall: Hall) -> None:
    hall.schedule()
    hall.drop("first.csv", manifest("a lamp"))
    hall.until(lambda: hall.is_accepted("first.csv"))

    hall.drop("second.csv", manifest("a lamp"))
    report = hall.report("done", "second.csv")

    assert (report["state"], report["duplicate_of"]) == ("duplicate", "first.csv")
    assert hall.jobs() == ["first"]


def test_two_schedulers_accept_each_file_once(hall: Hall) -> None:
    hall.schedule()
    hall.schedule()
    names = [f"file-{number}" for number in range(40)]

    for name in names:
        hall.drop(f"{name}.csv", manifest(name))
    hall.until(lambda: all(hall.is_accepted(f"{name}.csv") for name in names))

    assert hall.jobs() == sorted(names)


@pytest.mark.parametrize("point", POINTS)
def test_a_scheduler_that_dies_there_loses_no_file_and_doubles_none(
    make_hall: Callable[..., Hall], point: Point
) -> None:
    hall = make_hall()
    hall.drop("a.csv", manifest("a lamp"))
    hall.drop("b.csv", "id,prompt\na,\n")
    dying = hall.schedule(f"{point}:1:7")

    hall.until(lambda: dying.poll() is not None or is_over(hall))
    hall.schedule()
    hall.until(lambda: is_over(hall))

    assert hall.jobs() == ["a"]
    assert hall.report("failed", "b.csv")["state"] == "failed"
    assert names_on(hall, ("a.csv", "b.csv")) == ["failed/b.csv", "working/a.csv"]


def is_over(hall: Hall) -> bool:
    return hall.is_accepted("a.csv") and (hall.inbox / "failed" / "b.csv").exists()


def names_on(hall: Hall, names: Sequence[str]) -> list[str]:
    found = (path for path in hall.inbox.rglob("*") if path.name in names)
    return sorted(str(path.relative_to(hall.inbox)) for path in found)


def test_what_costs_more_than_a_little_waits_until_somebody_agrees(
    make_hall: Callable[..., Hall],
) -> None:
    hall = make_hall(inbox={"require_approval_above": "0.01"}, aistudio={"api_key": "none"})
    hall.watch(hall.inbox, tier="aistudio")
    hall.room.pause_all()  # nothing may be sent
    hall.drop("dear.csv", manifest("a lamp", 3))
    hall.schedule()

    hall.until(lambda: hall.is_accepted("dear.csv"))
    [held] = hall.room.jobs()
    job = hall.room.job(held.id)
    report = hall.report("working", "dear.csv")
    approved = job.approve()

    assert (held.held, held.pending, held.reserved_nusd) == (3, 0, 0)
    assert (report["state"], report["held"]) == ("held", 3)
    assert (approved, job.state.pending) == (3, 3)


def test_a_file_too_large_is_refused_unread(make_hall: Callable[..., Hall]) -> None:
    hall = make_hall(inbox={"max_bytes": 1_000})
    with (hall.folder / "sparse").open("wb") as file:
        file.truncate(3_000_000_000)
    (hall.folder / "sparse").rename(hall.inbox / "huge.csv")
    hall.schedule()

    report = hall.report("failed", "huge.csv")

    assert "3,000,000,000 bytes" in report["message"]
    assert "inbox.max_bytes" in report["hint"]


def test_a_folder_that_vanishes_is_named_and_the_others_are_watched(hall: Hall) -> None:
    gone = hall.folder / "gone"
    hall.watch(gone)
    hall.schedule()
    hall.until(lambda: hall.said().count('"watching"') == 2)

    shutil.rmtree(gone)
    hall.drop("good.csv", manifest("a lamp"))

    hall.until(lambda: hall.is_accepted("good.csv"))
    hall.until(lambda: "an inbox cannot be watched" in hall.said())
    assert str(gone) in hall.said()
