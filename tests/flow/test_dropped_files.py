"""The odd ways in which files are dropped into watched folders, and what it costs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from tests.conftest import show_logs

from darkroom import Darkroom, Job, db, embedded
from darkroom.configure import hand_down
from darkroom.inbox import Inbox, Terms, enroll, inboxes, remove
from darkroom.models import Drop, Render
from darkroom.settings import GCS, Settings
from darkroom.storage.objects import Objects
from darkroom_manifests.money import parse_dollars
from darkroom_simulator.child import running

if TYPE_CHECKING:
    from tests.conftest import ObjectStorage

SETTLE = 0.3
QUICK = {"settle_seconds": SETTLE, "scan_seconds": 0.2, "list_seconds": 0.2, "max_bytes": 100_000}
CONTENT = iter(range(10_000))


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


@contextmanager
def process(module: str, settings: Settings, *flags: str) -> Iterator[None]:
    log = settings.home / "logs" / f"{module}-of-the-test.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", module, *flags],
            env={**os.environ, **hand_down(settings)},
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(60)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A local stack that watches; money on vertex is real for all that it knows."""
    folder = tmp_path_factory.mktemp("stack")
    with running("--pictures", "cached") as server:
        told = {
            "home": folder / "home",
            "storage_url": str(folder / "out"),
            "simulator": {"latency": "0", "pictures": "cached"},
            "vertex": {"project": "p", "access_token": "t", "base_url": server.url},
            "tiers": {"vertex": {"adaptive": False}},
            "inbox": QUICK,
        }
        settings = Settings.model_validate(told)
        flags = ("--workers", "1", "--simulator")
        with Darkroom(settings) as made:
            assert made.database is not None
            with process("darkroom.stack", settings, *flags):
                until(lambda: embedded.find(settings.home))
                yield made
                show_logs(settings.home)


@pytest.fixture
def inbox(room: Darkroom, tmp_path: Path) -> Path:
    """A folder that is watched; its rows go to the simulator."""
    return watched(room, tmp_path / "inbox")


def watched(room: Darkroom, folder: Path, **terms: Any) -> Path:
    folder.mkdir(exist_ok=True)
    with db.writing(room.database) as connection:
        enroll(connection, str(folder), Terms(**({"tier": "simulator"} | terms)))
    return folder


def manifest(rows: int = 2, bad: int = 0) -> str:
    """A manifest that nobody had before, the bad rows last."""
    content = next(CONTENT)
    good = [f"r{row},lamp {content} {row}" for row in range(rows)]
    return "\n".join(["id,prompt", *good, *(f"bad{row}," for row in range(bad)), ""])


def report(path: Path) -> dict[str, Any]:
    """What the report beside a file says; empty while there is none."""
    try:
        found: dict[str, Any] = json.loads(path.with_name(f"{path.name}.report.json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found


def job_of(room: Darkroom, path: Path) -> Job:
    """The job of a file that was accepted, wherever it lies by now."""
    places = [path.parent / shelf / path.name for shelf in ("working", "done", "failed")]

    def name() -> str | None:
        return next((job for place in places if (job := report(place).get("job"))), None)

    until(name)
    return room.job(str(name()))


def looked_at(room: Darkroom, folder: object) -> Inbox:
    with db.reading(room.database) as connection:
        return next(one for one in inboxes(connection) if one.url == str(folder))


def until_ended(room: Darkroom, folder: object, **states: int) -> None:
    """Wait until so many files of a folder are at their ways' ends; the books say so last."""
    query = select(Drop.state, func.count().label("how_many")).group_by(Drop.state)
    here = query.where(Drop.inbox_id == looked_at(room, folder).id)

    def found() -> dict[str, int]:
        with db.reading(room.database) as connection:
            return {row.state: row.how_many for row in connection.execute(here)}

    until(lambda: found() == states)


def test_a_file_that_is_written_slowly_is_read_when_it_is_whole(
    room: Darkroom, inbox: Path
) -> None:
    text = manifest(rows=8)
    with (inbox / "slow.csv").open("w") as file:
        for piece in re.findall(r"\n?[^\n]+", text):
            file.write(piece)
            file.flush()
            time.sleep(SETTLE)  # it never settles: without a line's end it takes longer
        file.write("\n")

    assert job_of(room, inbox / "slow.csv").state.rows == 8


def test_a_file_that_is_renamed_into_place_is_read_at_once(room: Darkroom, tmp_path: Path) -> None:
    """A scheduler of its own, for which no file would settle in the time of this test."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    home, patient = tmp_path / "home", QUICK | {"settle_seconds": 3_600}
    own = room.settings.model_copy(
        update={
            "home": home,
            "broker_url": broker_of(room),
            "inbox": type(room.settings.inbox).model_validate(patient),
        }
    )
    with Darkroom(own) as other:
        db.upgrade(db.open_engine(own.sql_url))
        watched(other, folder)
        with process("darkroom_scheduler", own):
            (folder / "late.csv.part").write_text(manifest())
            (folder / "never.csv").write_text(manifest())
            until(lambda: looked_at(other, folder).looked_at)
            seen = looked_at(other, folder).looked_at
            until(lambda: looked_at(other, folder).looked_at != seen)
            (folder / "late.csv.part").rename(folder / "late.csv")

            assert job_of(other, folder / "late.csv").state.rows == 2
            assert (folder / "never.csv").exists()


def broker_of(room: Darkroom) -> str:
    found = embedded.find(room.settings.home)
    assert found is not None
    return found.broker_url


def test_two_schedulers_take_each_file_once(room: Darkroom, inbox: Path) -> None:
    texts = [manifest(rows=1) for _ in range(30)]
    own = room.settings.model_copy(update={"broker_url": broker_of(room)})
    with process("darkroom_scheduler", own), process("darkroom_scheduler", own):
        for number, text in enumerate(texts):
            (inbox / f"{number}.csv").write_text(text)
            (inbox / f"{number}-again.csv").write_text(text)
        until_ended(room, inbox, done=30, duplicate=30)

    with db.reading(room.database) as connection:
        jobs = select(Drop.job_id).where(Drop.inbox_id == looked_at(room, inbox).id)
        renders = connection.scalar(select(func.count()).where(Render.job_id.in_(jobs)))
    assert len(list((inbox / "done").glob("*.csv"))) == 60
    assert renders == 30


def test_a_dear_manifest_is_held_until_somebody_approves(room: Darkroom, tmp_path: Path) -> None:
    folder = watched(room, tmp_path / "dear", tier="vertex", max_cost_nusd=parse_dollars("9"))
    (folder / "spring.csv").write_text(manifest(rows=30))
    working, done = folder / "working" / "spring.csv", folder / "done" / "spring.csv"
    until(lambda: report(working).get("state") == "held")

    job = room.job(report(working)["job"])
    state = job.state
    assert (state.state, state.held, state.reserved_nusd) == ("held", 30, 0)
    assert f"darkroom job approve {job.id}" in report(working)["hint"]

    job.approve()
    until(lambda: report(done).get("state") == "done")
    assert report(done)["done"] == 30


def test_a_dear_manifest_that_is_rejected_is_a_failure_and_the_same_again_no_work(
    room: Darkroom, tmp_path: Path
) -> None:
    folder, text = watched(room, tmp_path / "dear", tier="vertex"), manifest(rows=30)
    (folder / "spring.csv").write_text(text)
    until(lambda: report(folder / "working" / "spring.csv").get("state") == "held")

    job = job_of(room, folder / "spring.csv")
    job.reject()
    until(lambda: report(folder / "failed" / "spring.csv").get("state") == "failed")
    (folder / "again.csv").write_text(text)
    until(lambda: report(folder / "done" / "again.csv").get("state") == "duplicate")

    assert report(folder / "failed" / "spring.csv")["cancelled"] == 30
    assert report(folder / "done" / "again.csv")["job"] == job.id
    assert job.state.spent_nusd == 0


def test_a_manifest_that_was_refused_may_be_dropped_again(room: Darkroom, inbox: Path) -> None:
    text = manifest(rows=1, bad=1)
    (inbox / "a.csv").write_text(text)
    until_ended(room, inbox, failed=1)
    assert "accept_valid" in report(inbox / "failed" / "a.csv")["hint"]

    (inbox / "a.csv.toml").write_text("accept_valid = true")
    (inbox / "a.csv").write_text(text)

    assert job_of(room, inbox / "a.csv").state.total == 1


ODD: dict[str, bytes] = {
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 40,
    "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "workbook.xlsx": b"PK\x03\x04" + bytes(500),
    "large.csv": b"id,prompt\n" + b"a,lamp\n" * 20_000,
    "bomb.csv.gz": b"\x1f\x8b" + bytes(100),
    "no\nheader\n.csv": b"what,is,this\n1,2,3\n",
    "=cmd.csv": b"id,prompt\n=1+1,\n",
    f"{'n' * 240}.csv": b"id,prompt\nx,\n",
    "side.csv": b"id,prompt\na,lamp\n",
}


def test_odd_files_are_refused_with_a_remedy_and_the_others_go_on(
    room: Darkroom, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text(manifest())
    (inbox / "side.csv.toml").write_text("max_cots = 3")
    (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inbox / "folder.csv").mkdir()
    os.mkfifo(inbox / "pipe.csv")
    Path(os.fsdecode(os.fsencode(inbox) + b"/\xff.csv")).write_text(manifest())
    with (inbox / "sparse.csv").open("wb") as file:
        file.truncate(3 << 30)
    for name, data in ODD.items():
        (inbox / name).write_bytes(data)
    (inbox / "good\nname.csv").write_text(manifest())

    job = job_of(room, inbox / "good\nname.csv")
    failed = inbox / "failed"
    refused = {*ODD, "link.csv", "sparse.csv"}
    until_ended(room, inbox, failed=len(refused), done=1)

    papers = [json.loads(path.read_bytes()) for path in failed.glob("*.report.json")]
    assert job.state.rows == 2
    assert {paper["file"] for paper in papers} == refused
    assert all(
        paper["state"] == "failed" and paper["message"] and paper["hint"] for paper in papers
    )
    assert (failed / "link.csv").is_symlink()
    left = {os.fsencode(path.name) for path in inbox.iterdir()}
    assert left == {b"folder.csv", b"pipe.csv", b"\xff.csv", b"working", b"failed", b"done"}


def test_a_folder_that_vanishes_is_told_and_taken_up_again(
    room: Darkroom, inbox: Path, tmp_path: Path
) -> None:
    other = watched(room, tmp_path / "other")
    until(lambda: looked_at(room, inbox).looked_at)

    inbox.rename(tmp_path / "away")
    until(lambda: looked_at(room, inbox).trouble)
    (other / "a.csv").write_text(manifest())
    assert job_of(room, other / "a.csv").state.rows == 2
    assert "inbox rm" in str(looked_at(room, inbox).trouble)

    inbox.mkdir()
    (inbox / "b.csv").write_text(manifest())
    assert job_of(room, inbox / "b.csv").state.rows == 2
    until(lambda: looked_at(room, inbox).trouble is None)


def test_from_a_folder_that_is_watched_no_more_nothing_is_taken(
    room: Darkroom, inbox: Path, tmp_path: Path
) -> None:
    other = watched(room, tmp_path / "other")
    with db.writing(room.database) as connection:
        remove(connection, str(inbox))
    (inbox / "a.csv").write_text(manifest())
    (other / "b.csv").write_text(manifest())

    until(lambda: report(other / "done" / "b.csv"))
    assert (inbox / "a.csv").exists()


def test_references_are_found_beside_where_the_file_was_dropped(
    room: Darkroom, inbox: Path
) -> None:
    (inbox / "first.csv").write_text(manifest())
    job = job_of(room, inbox / "first.csv")
    assert job.wait(60).done == 2
    made = Path(job.state.storage_url, str(next(job.results()).uri))
    (inbox / "lamp.png").write_bytes(made.read_bytes())
    text = f"id,prompt,ref_images\na,again {next(CONTENT)},lamp.png\n"

    (inbox / "refs.csv").write_text(text)

    assert job_of(room, inbox / "refs.csv").wait(60).done == 1
    assert (inbox / "lamp.png").exists()


def test_objects_that_are_dropped_into_a_bucket_go_the_same_way(
    room: Darkroom, object_storage: ObjectStorage, tmp_path: Path
) -> None:
    bucket = object_storage.new_bucket()
    own = room.settings.model_copy(
        update={"home": tmp_path / "home", "broker_url": broker_of(room)}
    )
    text = manifest()
    with Darkroom(own) as other:
        db.upgrade(db.open_engine(own.sql_url))
        with db.writing(other.database) as connection:
            enroll(connection, f"{bucket}/in", Terms(tier="simulator"))
        with process("darkroom_scheduler", own), process("darkroom_scheduler", own):
            for name, data in {"a.csv": text, "b.csv": text, "c.csv": "id,prompt\nx,\n"}.items():
                Objects(bucket, GCS()).write(f"in/{name}", data.encode())
            until(lambda: len(other.jobs()) == 1 and names(object_storage, bucket) >= ENDED)
            other.job("last").cancel()
            until_ended(other, f"{bucket}/in", failed=2, duplicate=1)

    shelves = Counter(name.split("/")[1] for name in names(object_storage, bucket) if csvs(name))
    assert shelves == {"failed": 2, "done": 1}
    assert not any("working" in name for name in names(object_storage, bucket))


ENDED = {"in/done/b.csv", "in/failed/c.csv", "in/working/a.csv"}


def csvs(name: str) -> bool:
    return name.endswith(".csv") and not name.endswith(".rejected.csv")


def names(storage: ObjectStorage, bucket: str) -> set[str]:
    return {str(one["name"]) for one in storage.objects(bucket)}
