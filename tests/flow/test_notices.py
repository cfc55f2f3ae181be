"""Notices with real schedulers and a real receiver: signed, once, and again when it was away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.fleet import free_port
from tests.fleet.receiver import SECRET, Receiver
from tests.fleet.valkey import Valkey

from darkroom import Darkroom, db
from darkroom.configure import hand_down
from darkroom.killpoints import VARIABLE
from darkroom.models import DeliveryState
from darkroom.notices import Listed, outbox
from darkroom.schedules import file
from darkroom.schedules.desk import Desk
from darkroom.settings import Settings

FAR = 60.0
SOON = [0.2] * 200


class House:
    """A folder, a broker, and schedulers that tell a receiver; there is no worker."""

    def __init__(
        self, folder: Path, broker_url: str, targets: dict[str, Any], patience: float
    ) -> None:
        self.folder = folder
        told: dict[str, Any] = {"home": folder / "home", "storage_url": str(folder / "out")}
        told |= {"broker_url": broker_url}
        told["notices"] = {"retry_seconds": SOON, "timeout_seconds": patience, "targets": targets}
        self.settings = Settings.model_validate(told)
        self.room = Darkroom(self.settings)
        self.processes: list[subprocess.Popen[bytes]] = []

    def schedule(self, **env: str) -> subprocess.Popen[bytes]:
        """Start a scheduler."""
        log = (self.folder / f"scheduler-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "darkroom_scheduler"],
            env={**os.environ, **hand_down(self.settings), **env},
            stdout=log,
            stderr=log,
        )
        log.close()
        self.processes.append(process)
        return process

    def hold(self, name: str) -> str:
        """Submit a job that waits for approval."""
        rows = [{"id": name, "prompt": f"lamp {name}"}]
        return self.room.submit(rows, hold=True, name=name).id

    def listed(self) -> list[Listed]:
        with db.reading(self.room.database) as connection:
            return outbox.listed(connection, 99)

    def states(self) -> set[DeliveryState | None]:
        return {one.state for one in self.listed()}

    def until(self, is_so: Callable[[], object]) -> None:
        ends = time.monotonic() + FAR
        while not is_so():
            assert time.monotonic() < ends, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        logs = [path.read_text() for path in sorted(self.folder.glob("*.log"))]
        return "\n".join([repr(self.listed()), *logs])

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.room.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    place = tmp_path / "valkey"
    place.mkdir()
    server = Valkey(place, port=free_port(), password="p")
    server.start()
    houses: list[House] = []

    def make(targets: dict[str, Any], patience: float = 30.0) -> House:
        house = House(tmp_path, server.url, targets, patience)
        houses.append(house)
        db.upgrade(house.room.database)
        return house

    try:
        yield make
    finally:
        for house in houses:
            house.close()
        server.stop()


def test_two_schedulers_tell_of_each_held_job_once_and_signed(
    build: Build, receiver: Receiver
) -> None:
    house = build({"ops": receiver.target(), "other": receiver.target(events=["budget.80"])})
    house.schedule()
    house.schedule()

    ids = {house.hold(f"j{number}") for number in range(5)}

    house.until(lambda: len(receiver.received) >= 5)
    house.until(lambda: house.states() == {DeliveryState.SENT})
    documents = receiver.documents()
    assert [document["type"] for document in documents] == ["job.held"] * 5
    assert {document["data"]["job"]["id"] for document in documents} == ids
    assert {document["data"]["reason"] for document in documents} == {"approval"}
    assert {one.id for one in receiver.received} == {one.id for one in house.listed()}
    assert documents[0]["data"]["commands"][0].startswith("darkroom job approve job_")


def test_a_receiver_that_was_away_gets_everything_when_it_is_back(build: Build) -> None:
    away = Receiver(free_port())
    away.close()
    house = build({"ops": away.target()})
    house.schedule()
    house.hold("a")
    house.until(lambda: any((one.tries or 0) > 1 for one in house.listed()))
    assert "did not answer" in str(house.listed()[0].last_error)

    ill = Receiver(away.port, status=503)
    ill.until(lambda: ill.received)
    house.until(lambda: "answered 503" in str(house.listed()[0].last_error))
    ill.status = 200
    house.until(lambda: house.states() == {DeliveryState.SENT})
    ill.close()

    assert len({one.id for one in ill.received}) == 1
    assert ill.received[-1].verified()["data"]["job"]["name"] == "a"


def test_a_receiver_that_is_gone_for_good_is_asked_once(build: Build) -> None:
    gone = Receiver(status=410)
    house = build({"ops": gone.target()})
    house.schedule()
    house.hold("a")

    house.until(lambda: house.states() == {DeliveryState.GIVEN_UP})
    gone.close()

    assert len(gone.received) == 1
    assert "wants no more" in str(house.listed()[0].last_error)


def test_a_scheduler_killed_after_sending_sends_again_under_the_same_id(
    build: Build, receiver: Receiver
) -> None:
    house = build({"ops": receiver.target()}, patience=1.5)
    dying = house.schedule(**{VARIABLE: "N1"})
    house.hold("a")
    assert dying.wait(FAR) == -signal.SIGKILL
    assert house.states() == {DeliveryState.PENDING}

    house.schedule()

    house.until(lambda: house.states() == {DeliveryState.SENT})
    first, second, *_ = receiver.received
    assert first.id == second.id
    assert first.body == second.body
    assert first.verified() == second.verified()


def test_a_hook_that_raises_is_called_again_and_holds_up_no_other(
    build: Build, receiver: Receiver
) -> None:
    house = build({"ops": receiver.target()})
    package = house.folder / "site"
    (package / "wall-1.0.dist-info").mkdir(parents=True)
    (package / "wall-1.0.dist-info" / "METADATA").write_text("Name: wall\nVersion: 1.0\n")
    points = "[darkroom.hooks]\nwall = wall:tell\nbroken = nowhere:tell\n"
    (package / "wall-1.0.dist-info" / "entry_points.txt").write_text(points)
    (package / "wall.py").write_text(
        "from pathlib import Path\n"
        "def tell(event):\n"
        "    told = Path(__file__).with_name('told')\n"
        "    with told.open('a') as file:\n"
        "        file.write(f\"{event.type} {event.id} {event.data['job']['name']}\\n\")\n"
        "    if len(told.read_text().splitlines()) < 2:\n"
        "        raise RuntimeError('the wall is away')\n"
    )
    house.schedule(PYTHONPATH=str(package))

    house.hold("a")

    def state(target: str) -> DeliveryState | None:
        return next((one.state for one in house.listed() if one.target == target), None)

    house.until(lambda: state("hook:wall") is DeliveryState.SENT)
    house.until(lambda: state("ops") is DeliveryState.SENT)
    (notice,) = {one.id for one in house.listed()}
    assert (package / "told").read_text() == f"job.held {notice} a\n" * 2
    house.until(lambda: any("ModuleNotFoundError" in str(one.last_error) for one in house.listed()))
    assert state("hook:broken") is DeliveryState.PENDING


@pytest.mark.timeout(300)
def test_a_local_stack_tells_how_jobs_and_runs_ended(tmp_path: Path, receiver: Receiver) -> None:
    told: dict[str, Any] = {"home": tmp_path / "home", "storage_url": str(tmp_path / "out")}
    told |= {"simulator": {"latency": "0", "pictures": "cached"}}
    told["notices"] = {"retry_seconds": SOON, "targets": {"ops": receiver.target()}}
    settings = Settings.model_validate(told)
    (tmp_path / "rows.csv").write_text("id,prompt\na,A cup\nb,A door [[sim:refuse]]\n")
    (tmp_path / "n.toml").write_text(
        'name = "n"\ncron = "0 0 1 1 *"\ntimezone = "UTC"\ntier = "simulator"\n'
        'source = { manifest = "rows.csv" }\n'
    )
    up = [sys.executable, "-m", "darkroom", "up"]
    with Darkroom(settings) as room:
        desk = Desk(room)
        desk.apply([file.read(tmp_path / "n.toml", settings, tmp_path)])
        env = {**os.environ, **hand_down(settings)}
        process = subprocess.Popen(
            up, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            good = room.submit([{"id": "g", "prompt": "A lamp"}], name="good")
            bad = room.submit([{"id": "b", "prompt": "A hat [[sim:refuse]]"}], name="bad")
            run = desk.run("n")
            receiver.until(lambda: len(kinds(receiver)) >= 3, FAR * 2)
        finally:
            process.terminate()
            process.wait(FAR)
        by_kind = {document["type"]: document["data"] for document in receiver.documents()}

    assert (
        by_kind["job.finished"]["job"] | {"id": good.id, "done": 1}
        == (by_kind["job.finished"]["job"])
    )
    assert by_kind["job.failed"]["job"]["id"] == bad.id
    digest = by_kind["schedule.run"]
    assert (digest["run"], digest["schedule"], digest["state"]) == (run.id, "n", "done")
    assert (digest["job"]["done"], digest["job"]["refused"]) == (1, 1)
    assert [row["id"] for row in digest["failed_rows"]] == ["b"]
    assert len(receiver.documents()) == len({one.id for one in receiver.received})
    assert SECRET not in "".join(p.read_text() for p in (tmp_path / "home/logs").glob("*.log"))


def kinds(receiver: Receiver) -> set[str]:
    wanted = {"job.finished", "job.failed", "schedule.run"}
    return {document["type"] for document in receiver.documents()} & wanted
