"""kill -9 at any moment: the job finishes, the books are clean, no image is paid twice unseen."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from darkroom import Darkroom, Job, db, embedded
from darkroom.audit import audit
from darkroom.models import Worker
from darkroom.report import JobState
from darkroom_worker.spool import Spool, told

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, object]]]

ROWS: list[dict[str, object]] = [
    {"id": f"r{number}", "prompt": f"lamp number {number}"} for number in range(80)
]


def live_workers(room: Darkroom) -> list[int]:
    with db.reading(room.database) as connection:
        return list(connection.scalars(select(Worker.pid).where(Worker.ended_at.is_(None))))


def supervisor(room: Darkroom) -> list[int]:
    ready = embedded.find(room.settings.home)
    return [] if ready is None else [ready.pid]


def broker(room: Darkroom) -> list[int]:
    pid_file = room.settings.home / "valkey.pid"
    return [int(pid_file.read_text())] if pid_file.exists() else []


def kill_now_and_then(
    room: Darkroom, victims: Callable[[Darkroom], list[int]], dice: random.Random, times: int
) -> Callable[[JobState], None]:
    """Kill while answers are in flight, each time after another random number of images."""
    due = [sorted(dice.sample(range(1, len(ROWS) - 20), times))]

    def look(state: JobState) -> None:
        if due[0] and state.sent and state.done >= due[0][0]:
            due[0] = due[0][1:]
            for pid in victims(room):
                with suppress(ProcessLookupError):  # gone already, and not written down yet
                    os.kill(pid, signal.SIGKILL)

    return look


def assert_books_hold(room: Darkroom, job: Job, lines: list[dict[str, object]]) -> None:
    assert audit(room.database, room.settings.home, deep=True) == []
    total = job.cost.total
    bill = sum(int(str(line["cost_nusd"])) for line in lines)
    assert total.charged_nusd <= bill <= total.charged_nusd + total.at_risk_nusd
    pictures = Counter(str(line["prompt_sha256"]) for line in lines if line["billed"])
    paid_twice = sum(count - 1 for count in pictures.values())
    lost = sum(result.at_risk_nusd > 0 for result in job.results())
    assert paid_twice <= lost


@pytest.mark.parametrize(
    "victims", [live_workers, supervisor, broker], ids=["worker", "supervisor", "broker"]
)
def test_a_job_survives_kill_9_and_its_books_hold(
    open_room: Open,
    bill_of: Bill,
    victims: Callable[[Darkroom], list[int]],
    dice: random.Random,
) -> None:
    room = open_room(
        simulator={"latency": "0.2", "pictures": "cached"},
        tiers={"simulator": {"concurrency": 8}},
    )
    job = room.submit(ROWS)

    state = job.wait(110, tell=kill_now_and_then(room, victims, dice, times=2))

    assert state.finished + state.held == len(ROWS)
    assert_books_hold(room, job, bill_of(room))


def test_a_simulator_that_dies_is_started_again_where_workers_look_for_it(open_room: Open) -> None:
    room = open_room(
        simulator={"latency": "0.2", "pictures": "cached"}, tiers={"simulator": {"concurrency": 4}}
    )
    told = room.settings.home / "simulator.json"
    killed: list[dict[str, object]] = []

    def kill_once(state: JobState) -> None:
        if not killed and state.done >= 4:
            killed.append(msgspec.json.decode(told.read_bytes()))
            os.kill(int(str(killed[0]["pid"])), signal.SIGKILL)

    job = room.submit(ROWS[:40])
    state = job.wait(60, tell=kill_once)
    again = restarted(told, killed[0])

    assert state.done + state.held == 40
    assert again["url"] == killed[0]["url"]
    assert again["pid"] != killed[0]["pid"]


def restarted(told: Path, before: dict[str, object]) -> dict[str, object]:
    """Wait until another process than before says that it is there."""
    ends = time.monotonic() + 60
    while True:
        with suppress(FileNotFoundError):
            found = msgspec.json.decode(told.read_bytes(), type=dict[str, object])
            if found["pid"] != before["pid"]:
                return found
        assert time.monotonic() < ends, "it was not started again"
        time.sleep(0.05)


def test_answers_in_a_dead_processs_spool_are_booked_and_not_paid_again(
    open_room: Open, bill_of: Bill
) -> None:
    """A worker whose books are out of reach keeps answers in its spool; then it is killed."""
    room = open_room(worker={"lease_seconds": 4.0})
    blocked = room.settings.home.parent / "out"
    blocked.write_text("a file where the folder should be: nothing can be published")
    job = room.submit(ROWS[:6])
    job_waits_until_spooled(room, job, 6)

    (worker,) = live_workers(room)
    os.kill(worker, signal.SIGKILL)
    blocked.unlink()
    state = job.wait(60)

    assert state.done == 6
    assert len([line for line in bill_of(room) if line["billed"]]) == 6
    assert job.cost.total.at_risk_nusd == 0
    assert_books_hold(room, job, bill_of(room))


def job_waits_until_spooled(room: Darkroom, job: Job, how_many: int) -> None:
    """Wait, at most a minute, until so many answers are noted in the spool."""
    room.render_here()
    spool = room.settings.home / "spool"

    class Enough(Exception):
        pass

    def look(_state: JobState) -> None:
        noted = {
            line
            for path in spool.glob("*/journal.jsonl")
            for line in path.read_bytes().splitlines()
        }
        if len(noted) >= how_many:
            raise Enough

    with pytest.raises(Enough):
        job.wait(60, tell=look)


def test_a_picture_without_a_note_is_found(tmp_path: Path) -> None:
    """Killed between writing the picture and writing down what it cost."""
    home = tmp_path / "home"
    spool = Spool.open(home, "wrk_dead")
    spool.stage("att_1", b"picture")
    (spool.folder / "att_2.part").write_bytes(b"half a pic")
    spool.close(remove=False)

    (found,) = Spool.abandoned(home)

    assert found.owner == "wrk_dead"
    assert found.unnoted(found.noted()) == ["att_1"]
    found.close(remove=True)
    assert list(Spool.abandoned(home)) == []


def test_what_was_told_about_a_picture_travels_with_it(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, "wrk_1")

    spool.stage("att_1", b"picture", b'{"ended":"delivered"}')
    spool.stage("att_2", b"picture")

    assert told(spool.path("att_1")) == b'{"ended":"delivered"}'
    assert told(spool.path("att_2")) == b""
    spool.close(remove=True)


def test_a_note_that_a_crash_cut_short_is_no_note(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, "wrk_1")
    (spool.folder / "journal.jsonl").write_bytes(b'{"attempt_id":"a","ended":"busy"}\n{"attem')

    assert [closing.attempt_id for closing in spool.noted()] == ["a"]
    spool.close(remove=True)


def test_a_living_process_keeps_its_spool_to_itself(tmp_path: Path) -> None:
    mine = Spool.open(tmp_path, "wrk_alive")

    assert list(Spool.abandoned(tmp_path)) == []
    mine.close(remove=True)


def test_a_folder_that_is_being_made_or_cleared_away_is_nobodys_to_take(tmp_path: Path) -> None:
    (tmp_path / "spool" / ".wrk_begins").mkdir(parents=True)
    (tmp_path / "spool" / ".wrk_begins" / "lock").touch()
    (tmp_path / "spool" / "wrk_goes").mkdir()

    assert list(Spool.abandoned(tmp_path)) == []


def test_a_folder_that_cannot_be_cleared_away_whole_is_found_again(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, "wrk_1")
    (spool.folder / "what is this").mkdir()

    spool.close(remove=True)
    (found,) = Spool.abandoned(tmp_path)

    assert found.owner == "wrk_1"
    found.close(remove=False)
