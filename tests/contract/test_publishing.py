"""What schedules publish: the approved image of each row, once, with a manifest beside it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.cli import main
from darkroom.configure import hand_down
from darkroom.errors import ConfigInvalid
from darkroom.jobs.close import Closing, Picture, close
from darkroom.killpoints import VARIABLE, Point
from darkroom.models import AttemptState, Render, Run, RunState, Schedule
from darkroom.schedules import books as schedule_books
from darkroom.schedules import fires, publications
from darkroom.schedules.calendar import Fire
from darkroom.schedules.desk import Desk
from darkroom.schedules.entry import Entry
from darkroom.schedules.file import Applied
from darkroom.schedules.publisher import FIELDS, Publisher
from darkroom.schedules.standing import Standing
from darkroom.schedules.terms import Terms
from darkroom.settings import GCS, Rules, Settings
from darkroom.storage import open_storage
from darkroom.storage.parcel import Stored
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.conftest import ObjectStorage
    from tests.contract.conftest import Books

NIGHT = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
RULES = Rules(backoff_seconds=0.001)
PRICE = 100_000_000


class Shop:
    """A schedule that publishes to a folder, and nights of it that are over."""

    def __init__(self, room: Darkroom, books: Books, folder: Path) -> None:
        self.room = room
        self.books = books
        self.window = folder / "window"
        self.desk = Desk(room)
        self.nights = 0
        self.apply(review="required")

    def apply(self, name: str = "n", **terms: Any) -> None:
        publish = {"to": str(self.window), "manifest": "published.csv"}
        told: dict[str, Any] = {"name": name, "cron": "30 1 * * *", "timezone": "UTC"}
        told |= {"source": {"manifest": "a.csv"}, "publish": publish}
        known = Terms.model_validate(told | terms)
        self.desk.apply([Applied(known, Path("n.toml"), Path("/"))])

    @property
    def entry(self) -> Entry:
        return self.desk.one("n")

    def night(self, ended: RunState = RunState.DONE, /, **rows: str) -> Job:
        """Let a night pass, with prompts by the ids of rows; each image is what was asked for."""
        given = [{"id": name, "prompt": prompt} for name, prompt in rows.items()]
        job = self.room.submit(given)
        claims = self.books.take(1_000, tier=Tier.VERTEX)
        with db.reading(self.room.database) as connection:
            query = select(Render.id, Render.row_id, Render.variant)
            names = {at: f"{name}_{no}.png" for at, name, no in connection.execute(query)}
        closings, stored = [], {}
        for one in claims:
            name = names[one.render_id]
            stored[one.attempt_id] = Stored(f"{job.id}/{name}", self._store(job, name, one.request))
            data = self._data(name, one.request)
            closings.append(
                Closing(
                    attempt_id=one.attempt_id,
                    ended=AttemptState.DELIVERED,
                    charged_nusd=PRICE,
                    picture=Picture(
                        sha256=sha256(data).hexdigest(),
                        bytes=len(data),
                        mime="image/png",
                        extension="png",
                        width=8,
                        height=9,
                    ),
                )
            )
        db.transact(self.room.database, lambda c: close(c, closings, RULES, stored))
        self._over(job, ended)
        return job

    def _data(self, name: str, request: str) -> bytes:
        return f"{self.nights} {name} {request}".encode()

    def _store(self, job: Job, name: str, request: str) -> int:
        path = Path(self.room.settings.storage_url, job.id, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.write_bytes(self._data(name, request))

    def _over(self, job: Job, ended: RunState) -> None:
        at = NIGHT + timedelta(days=self.nights)
        self.nights += 1
        run = fires.made(self.entry, Fire(at, at), "cron", ended)
        with db.writing(self.room.database) as connection:
            schedule_books.add(connection, run)
            mine = update(Run).where(Run.id == run.id)
            connection.execute(mine.values(job_id=job.id))

    def publish(self, who: str = "pub_1") -> bool:
        return Publisher(self.room.database, self.room.settings, who).publish(self.entry)

    def files(self) -> set[str]:
        return {
            path.relative_to(self.window).as_posix()
            for path in self.window.rglob("*")
            if path.is_file() and path.suffix != ".csv"
        }

    def manifest(self) -> list[dict[str, str]]:
        with (self.window / "published.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def listed(self) -> dict[str, str]:
        return {line["id"]: line["file"] for line in self.manifest()}

    def standings(self) -> list[Standing | None]:
        """How the images of each night stand, the first night first."""
        return [seen.images for seen in reversed(self.desk.runs("n", 99))]


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path / "home", "database_url": database_url, "vertex": vertex}
    told |= {"budget": {"confirm_above": "100000", "per_day": "none"}}
    told |= {"storage_url": str(tmp_path / "out")}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


@pytest.fixture
def shop(room: Darkroom, books: Books, tmp_path: Path) -> Shop:
    return Shop(room, books, tmp_path)


def test_only_what_is_approved_is_published_and_the_manifest_says_what_it_is(shop: Shop) -> None:
    job = shop.night(lamp="a lamp", mug="a mug", chair="a chair")
    job.reviews.approve("lamp")
    job.reviews.reject("mug")

    assert shop.publish()

    assert shop.files() == {"lamp_1.png"}
    (line,) = shop.manifest()
    data = (shop.window / "lamp_1.png").read_bytes()
    assert tuple(line) == FIELDS
    assert line | {"published_at": ""} == {
        "id": "lamp",
        "variant": "1",
        "file": "lamp_1.png",
        "url": str(shop.window / "lamp_1.png"),
        "sha256": sha256(data).hexdigest(),
        "width": "8",
        "height": "9",
        "model": line["model"],
        "cost_usd": "0.100000",
        "published_at": "",
    }
    assert shop.standings() == [Standing(waiting=1, approved=1, rejected=1, published=1)]
    assert shop.desk.published("n") == 1


def test_a_person_is_shown_what_waits_and_what_was_published(shop: Shop) -> None:
    shop.night(lamp="a lamp", mug="a mug", chair="a chair").reviews.reject("mug")
    url, home = shop.room.settings.sql_url, str(shop.room.settings.home)
    env = {"DARKROOM_DATABASE_URL": url, "DARKROOM_HOME": home}

    said = CliRunner().invoke(main, ["schedule", "show", "n"], env=env).stdout

    assert f"what is approved, to {shop.window}" in said
    assert "of 100 images 100 wait for it" in said
    assert "2 wait, 1 rejected" in said
    assert "0 images" in said


def test_what_is_approved_later_is_published_then_and_the_rest_is_left_alone(shop: Shop) -> None:
    job = shop.night(lamp="a lamp", mug="a mug")
    job.reviews.approve("lamp")
    shop.publish()
    before = (shop.window / "lamp_1.png").stat()

    job.reviews.approve_all()
    shop.publish()

    assert shop.listed() == {"lamp": "lamp_1.png", "mug": "mug_1.png"}
    after = (shop.window / "lamp_1.png").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_published_image_is_a_copy_and_not_the_stored_file(shop: Shop) -> None:
    job = shop.night(lamp="a lamp")
    job.reviews.approve_all()

    shop.publish()

    stored = Path(shop.room.settings.storage_url, job.id, "lamp_1.png")
    assert not stored.samefile(shop.window / "lamp_1.png")
    assert list((shop.room.settings.home / "publishing").iterdir()) == []


@pytest.mark.parametrize("review", ["none", None])
def test_without_a_review_all_count_as_approved_but_those_of_a_run_that_failed(
    shop: Shop, review: str | None
) -> None:
    shop.apply(review=review)
    shop.night(lamp="a lamp")
    bad = shop.night(RunState.FAILED, mug="a mug", chair="a chair")
    bad.reviews.approve("mug")

    shop.publish()

    assert shop.files() == {"lamp_1.png", "mug_1.png"}
    assert shop.standings() == [
        Standing(approved=1, published=1),
        Standing(waiting=1, approved=1, published=1),
    ]


def test_of_a_sample_always_the_same_images_wait(shop: Shop) -> None:
    shop.apply(review="sample:10%")
    rows = {f"r{number:03}": f"lamp {number}" for number in range(200)}
    job = shop.night(**rows)
    shop.publish()

    (first,) = shop.standings()
    waiting = set(rows) - set(shop.listed())
    shop.night(**rows)
    shop.publish()

    assert first is not None
    assert 15 <= first.waiting <= 25
    assert first.waiting + first.approved == 200
    assert set(rows) - set(shop.listed()) == waiting
    job.reviews.approve_all()
    shop.publish()
    assert len(shop.files()) == 200


def test_what_is_done_is_published_unless_it_is_rejected_if_the_schedule_says_so(
    shop: Shop,
) -> None:
    publish = {"when": "done", "to": str(shop.window), "manifest": "published.csv"}
    shop.apply(review="required", publish=publish)
    shop.night(lamp="a lamp", mug="a mug").reviews.reject("mug")

    shop.publish()

    assert shop.files() == {"lamp_1.png"}


def test_a_changed_row_is_listed_with_its_newest_approved_image(shop: Shop) -> None:
    shop.night(lamp="a lamp", mug="a mug").reviews.approve_all()
    shop.publish()
    second = shop.night(lamp="a brass lamp", mug="a mug")
    shop.publish()
    assert shop.listed() == {"lamp": "lamp_1.png", "mug": "mug_1.png"}

    second.reviews.approve("lamp")
    shop.publish()

    new = shop.listed()["lamp"]
    assert new.startswith("lamp_1~")
    assert shop.files() == {"lamp_1.png", "mug_1.png", new}
    assert b"a brass lamp" in (shop.window / new).read_bytes()
    assert b"a brass lamp" not in (shop.window / "lamp_1.png").read_bytes()


def test_the_last_approved_image_counts_when_a_newer_one_is_rejected(shop: Shop) -> None:
    shop.night(lamp="a lamp").reviews.approve_all()
    shop.publish()
    second = shop.night(lamp="a brass lamp")
    second.reviews.approve("lamp")
    shop.publish()

    second.reviews.reject("lamp")
    shop.publish()

    assert shop.listed() == {"lamp": "lamp_1.png"}
    assert len(shop.files()) == 2


@pytest.mark.parametrize("how", ["reject", "undo"])
def test_an_image_that_is_no_more_approved_leaves_the_manifest_and_its_file_stays(
    shop: Shop, how: str
) -> None:
    job = shop.night(lamp="a lamp", mug="a mug")
    job.reviews.approve_all()
    shop.publish()

    getattr(job.reviews, how)("mug")
    shop.publish()

    assert shop.listed() == {"lamp": "lamp_1.png"}
    assert shop.files() == {"lamp_1.png", "mug_1.png"}
    job.reviews.approve("mug")
    shop.publish()
    assert shop.listed() == {"lamp": "lamp_1.png", "mug": "mug_1.png"}
    assert len(shop.files()) == 2


def test_a_name_that_somebody_elses_file_has_is_left_to_it(shop: Shop) -> None:
    shop.window.mkdir()
    (shop.window / "lamp_1.png").write_bytes(b"the shop's own")
    shop.night(lamp="a lamp").reviews.approve_all()

    shop.publish()

    assert (shop.window / "lamp_1.png").read_bytes() == b"the shop's own"
    assert shop.listed()["lamp"].startswith("lamp_1~")


def test_what_was_copied_before_a_crash_is_found_and_not_copied_once_more(shop: Shop) -> None:
    shop.night(lamp="a lamp", mug="a mug").reviews.approve_all()
    shop.publish()
    files = shop.files()
    with db.writing(shop.room.database) as connection:
        connection.exec_driver_sql("DELETE FROM publications")
    (shop.window / "published.csv").unlink()

    shop.publish("pub_2")

    assert shop.files() == files
    assert shop.listed() == {"lamp": "lamp_1.png", "mug": "mug_1.png"}


PUBLISH: Final = """
from darkroom import Darkroom
from darkroom.configure import load
from darkroom.schedules.desk import Desk
from darkroom.schedules.publisher import Publisher

with Darkroom(load().settings) as room:
    Publisher(room.database, room.settings, "pub_dying").publish(Desk(room).one("n"))
"""


def test_a_scheduler_killed_between_the_copy_and_the_books_leaves_each_image_once(
    shop: Shop,
) -> None:
    shop.night(lamp="a lamp", mug="a mug").reviews.approve_all()
    env = {**os.environ, **hand_down(shop.room.settings), VARIABLE: Point.COPIED}
    dying = subprocess.run([sys.executable, "-c", PUBLISH], env=env, check=False)
    assert (dying.returncode, shop.desk.published("n")) == (-signal.SIGKILL, 0)
    assert len(shop.files()) == 2
    with db.writing(shop.room.database) as connection:
        connection.execute(update(Schedule).values(publishing_until=db.now(connection)))

    assert shop.publish()

    assert shop.listed() == {"lamp": "lamp_1.png", "mug": "mug_1.png"}
    assert len(shop.files()) == 2


def test_two_publish_at_once_and_every_image_lies_there_once(shop: Shop) -> None:
    shop.night(**{f"r{number}": f"lamp {number}" for number in range(60)}).reviews.approve_all()
    both = [threading.Thread(target=shop.publish, args=[who]) for who in ("pub_1", "pub_2")]

    for each in both:
        each.start()
    for each in both:
        each.join()
    shop.publish()

    assert len(shop.files()) == len(shop.manifest()) == 60


def test_while_one_publishes_another_does_not(shop: Shop) -> None:
    shop.night(lamp="a lamp").reviews.approve_all()
    with db.writing(shop.room.database) as connection:
        assert publications.begin(connection, shop.entry, "pub_2", 60)

    assert not shop.publish("pub_1")

    assert not shop.window.exists()
    with db.writing(shop.room.database) as connection:
        past = db.now(connection) - timedelta(seconds=1)
        connection.execute(update(Schedule).values(publishing_until=past))
    assert shop.publish("pub_1")


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_an_image_that_is_not_what_was_received_is_told_and_the_others_are_published(
    shop: Shop, harm: str
) -> None:
    job = shop.night(lamp="a lamp", mug="a mug")
    job.reviews.approve_all()
    stored = Path(shop.room.settings.storage_url, job.id, "lamp_1.png")
    good = stored.read_bytes()
    stored.unlink() if harm == "missing" else stored.write_bytes(b"something else")

    assert not shop.publish()

    assert shop.listed() == {"mug": "mug_1.png"}
    assert str(shop.entry.publish_trouble).startswith("lamp: ")
    stored.write_bytes(good)
    assert shop.publish()
    assert shop.entry.publish_trouble is None
    assert shop.files() == {"lamp_1.png", "mug_1.png"}


def test_a_place_that_cannot_be_written_is_told(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    shop.apply(review="none", publish={"to": str(tmp_path / "file")})
    shop.night(lamp="a lamp")

    assert not shop.publish()

    assert "cannot be written" in str(shop.entry.publish_trouble)


def test_a_place_that_was_written_down_before_it_was_checked_is_told(shop: Shop) -> None:
    shop.apply(review="none", publish={"to": "s3://shop/img"})
    shop.night(lamp="a lamp")

    assert not shop.publish()

    assert "s3://shop/img is not a place" in str(shop.entry.publish_trouble)


def test_another_place_gets_all_of_it(shop: Shop, tmp_path: Path) -> None:
    shop.night(lamp="a lamp").reviews.approve_all()
    shop.publish()
    shop.window = tmp_path / "elsewhere"
    shop.apply(review="required")

    shop.publish()

    assert shop.listed() == {"lamp": "lamp_1.png"}


def test_where_nothing_changed_the_manifest_is_left_alone(shop: Shop) -> None:
    shop.night(lamp="a lamp").reviews.approve_all()
    shop.publish()
    before = (shop.window / "published.csv").stat()

    shop.publish()

    assert (shop.window / "published.csv").stat().st_ino == before.st_ino


def test_two_schedules_do_not_write_the_same_manifest(shop: Shop) -> None:
    with pytest.raises(ConfigInvalid, match=r"n and other would both write published\.csv"):
        shop.apply("other")

    assert [entry.name for entry, _ in shop.desk.all()] == ["n"]


def test_a_bucket_has_each_image_once_and_the_newest_manifest(
    shop: Shop, object_storage: ObjectStorage
) -> None:
    bucket = object_storage.new_bucket()
    shop.apply(review="required", publish={"to": f"{bucket}/img", "manifest": "p.csv"})
    job = shop.night(lamp="a lamp", mug="a mug")
    job.reviews.approve("lamp")
    shop.publish()

    job.reviews.approve("mug")
    shop.publish()
    with db.writing(shop.room.database) as connection:
        connection.exec_driver_sql("DELETE FROM publications")
    shop.publish("pub_2")

    place = open_storage(f"{bucket}/img", GCS())
    assert {each.uri for each in place.listing()} == {"lamp_1.png", "mug_1.png", "p.csv"}
    with place.open("p.csv") as file:
        lines = list(csv.DictReader(file.read().decode().splitlines()))
    assert [(line["id"], line["url"]) for line in lines] == [
        ("lamp", f"{bucket}/img/lamp_1.png"),
        ("mug", f"{bucket}/img/mug_1.png"),
    ]
