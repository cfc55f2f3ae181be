"""What people decide on images: the last word counts, and only images that are there have one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from click.testing import Result as Said

from darkroom import Darkroom, Job
from darkroom.audit import audit
from darkroom.cli import main
from darkroom.errors import Exit, ManifestRejected, NotFound
from darkroom.jobs.reviews import Tally
from darkroom.models import AttemptState, Decision
from darkroom.report import record
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books

SHOP = [{"id": name, "prompt": f"a {name}"} for name in ("lamp", "mug", "chair")]


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    with Darkroom(Settings.model_validate(told | {"budget": {"confirm_above": "1000"}})) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


def rendered(books: Books, job: Job, how_many: int = 100) -> Job:
    books.end(books.take(how_many, tier=Tier.VERTEX), AttemptState.DELIVERED, charge=7)
    return job


def said(room: Darkroom, *args: str) -> Said:
    """What `darkroom review` says to that."""
    url, home = room.settings.sql_url, str(room.settings.home)
    env = {"DARKROOM_DATABASE_URL": url, "DARKROOM_HOME": home}
    return CliRunner().invoke(main, ["review", *args], env=env, prog_name="darkroom")


def words(job: Job) -> dict[str, str | None]:
    return {each.id: each.review and each.review.value for each in job.results()}


def test_every_image_waits_until_somebody_decides_and_the_last_word_counts(
    room: Darkroom, books: Books
) -> None:
    job = rendered(books, room.submit(SHOP))
    assert job.reviews.tally() == Tally(waiting=3, approved=0, rejected=0)

    assert job.reviews.approve(["lamp", "mug"], by="ann") == 2
    assert job.reviews.reject("mug", note="crooked", by="ben") == 1

    assert words(job) == {"lamp": "approved", "mug": "rejected", "chair": None}
    (mug,) = job.reviews.results("rejected")
    assert (mug.review, mug.reviewed_by, mug.review_note) == (Decision.REJECTED, "ben", "crooked")
    assert [each.id for each in job.reviews.results("waiting")] == ["chair"]


def test_to_say_it_twice_is_to_say_it_once(room: Darkroom, books: Books) -> None:
    job = rendered(books, room.submit(SHOP))
    job.reviews.approve("lamp", by="ann")

    again = job.reviews.approve("lamp", by="ben")

    (lamp,) = job.reviews.results("approved")
    assert (again, lamp.reviewed_by) == (0, "ann")


def test_the_rest_is_approved_without_a_change_of_what_was_decided(
    room: Darkroom, books: Books
) -> None:
    job = rendered(books, room.submit(SHOP))
    job.reviews.reject("mug")

    assert job.reviews.approve_all() == 2
    assert job.reviews.approve_all() == 0

    assert job.reviews.tally() == Tally(waiting=0, approved=2, rejected=1)


def test_a_decision_can_be_taken_back(room: Darkroom, books: Books) -> None:
    job = rendered(books, room.submit(SHOP))
    job.reviews.reject("mug", note="crooked")

    assert job.reviews.undo(["mug", "lamp"]) == 1

    assert words(job) == {"lamp": None, "mug": None, "chair": None}
    told = [record(each) for each in job.results()]
    assert {(each["review"], each["reviewed_by"], each["review_note"]) for each in told} == {
        (None, None, None)
    }


@pytest.mark.parametrize(
    ("rows", "variant", "said"),
    [
        (["lamp", "desk"], None, "has no row desk"),
        (["lamp"], 2, "has no variant 2 of row lamp"),
        (["lamp", "chair"], None, "There is no image of row chair: it is pending."),
    ],
)
def test_what_is_no_image_is_refused_and_nothing_is_decided(
    room: Darkroom, books: Books, rows: list[str], variant: int | None, said: str
) -> None:
    job = rendered(books, room.submit(SHOP), 2)

    with pytest.raises(NotFound, match=said):
        job.reviews.approve(rows, variant=variant)

    assert job.reviews.tally() == Tally(waiting=2, approved=0, rejected=0)
    rendered(books, job)


def test_one_variant_of_a_row_is_chosen_and_the_others_are_thrown_out(
    room: Darkroom, books: Books
) -> None:
    job = rendered(books, room.submit([SHOP[0] | {"n": 3}]))

    job.reviews.reject("lamp")
    job.reviews.approve("lamp", variant=2)

    assert [each.variant for each in job.reviews.results("approved")] == [2]
    assert job.reviews.tally() == Tally(waiting=0, approved=1, rejected=2)


def test_a_picture_of_an_earlier_job_shows_what_was_decided_there_and_can_be_decided_here(
    room: Darkroom, books: Books
) -> None:
    first = rendered(books, room.submit(SHOP))
    first.reviews.approve("lamp")
    second = room.submit(SHOP)

    second.reviews.approve("mug")

    assert words(first) == words(second) == {"lamp": "approved", "mug": "approved", "chair": None}
    assert second.reviews.tally() == Tally(waiting=1, approved=2, rejected=0)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_sheet_of_decisions_is_taken_whole(
    room: Darkroom, books: Books, tmp_path: Path, delimiter: str
) -> None:
    job = rendered(books, room.submit(SHOP))
    sheet = tmp_path / "sheet.csv"
    lines = ["id,decision,note", "lamp,Approved,", "mug,reject,crooked", "chair,,"]
    sheet.write_text("\ufeff" + "\n".join(lines).replace(",", delimiter) + "\n", encoding="utf-8")

    assert job.reviews.take(sheet) == 2

    assert words(job) == {"lamp": "approved", "mug": "rejected", "chair": None}
    assert [each.review_note for each in job.reviews.results("rejected")] == ["crooked"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id,decision", "lamp,approved", "mug,fine"], ":3: 'fine' is no decision"),
        (["id,decision", "lamp,approved", ",approved"], ":3: there is no id"),
        (["id,decision,variant", "lamp,approved,one"], ":2: 'one' is no variant"),
        (["sku,decision", "lamp,approved"], "has no column id"),
        (["id,note", "lamp,fine"], "has no column decision"),
    ],
)
def test_a_sheet_with_a_fault_changes_nothing(
    room: Darkroom, books: Books, tmp_path: Path, lines: list[str], said: str
) -> None:
    job = rendered(books, room.submit(SHOP))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("\n".join(lines) + "\n", encoding="utf-8")

    with pytest.raises(ManifestRejected, match=said):
        job.reviews.take(sheet)

    assert job.reviews.tally() == Tally(waiting=3, approved=0, rejected=0)


def test_a_sheet_without_decisions_means_the_one_that_is_given(
    room: Darkroom, books: Books, tmp_path: Path
) -> None:
    job = rendered(books, room.submit(SHOP))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("id\nlamp\nmug\n", encoding="utf-8")

    assert job.reviews.take(sheet, decision="rejected") == 2

    assert words(job) == {"lamp": "rejected", "mug": "rejected", "chair": None}


def test_the_command_line_decides_and_lists_what_was_decided(
    room: Darkroom, books: Books, tmp_path: Path
) -> None:
    job = rendered(books, room.submit(SHOP))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("id,decision,note\nmug,rejected,crooked\n", encoding="utf-8")

    taken = said(room, "approve", job.id, "--from", str(sheet), "--by", "ann", "--json")
    rest = said(room, "approve", job.id, "--all")
    back = said(room, "undo", job.id, "lamp", "--json")
    listed = said(room, "ls", job.id, "--json")

    counts = {"waiting": 2, "approved": 0, "rejected": 1}
    assert json.loads(taken.stdout) == {
        "job": job.id,
        "decision": "approved",
        "changed": 1,
        **counts,
    }
    assert "2 images changed. Now 0 wait, 2 approved, 1 rejected." in rest.stderr
    assert json.loads(back.stdout)["decision"] is None
    found = {
        each["id"]: (each["review"], each["review_note"]) for each in json.loads(listed.stdout)
    }
    assert found == {
        "lamp": (None, None),
        "mug": ("rejected", "crooked"),
        "chair": ("approved", None),
    }


def test_the_command_line_lists_only_what_is_asked_for(room: Darkroom, books: Books) -> None:
    job = rendered(books, room.submit(SHOP))
    said(room, "reject", job.id, "mug")

    assert said(room, "ls", job.id, "--waiting", "-q").stdout == "lamp\nchair\n"
    assert "mug" in said(room, "ls", job.id, "--rejected").stdout
    assert json.loads(said(room, "ls", job.id, "--approved", "--json").stdout) == []


def test_the_command_line_says_what_it_cannot_do_by_its_exit_code(
    room: Darkroom, books: Books, tmp_path: Path
) -> None:
    job = rendered(books, room.submit(SHOP))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("id,decision\nmug,fine\n", encoding="utf-8")

    codes = [
        said(room, "approve", job.id, "desk").exit_code,
        said(room, "approve", job.id, "--from", str(sheet)).exit_code,
        said(room, "approve", job.id).exit_code,
        said(room, "approve", job.id, "mug", "--all").exit_code,
        said(room, "reject", job.id, "--from", str(sheet), "--note", "no").exit_code,
        said(room, "ls", "job_of_nobody").exit_code,
    ]

    missing, bad, usage = Exit.NOT_FOUND, Exit.MANIFEST, Exit.USAGE
    assert codes == [missing, bad, usage, usage, usage, missing]
    assert job.reviews.tally() == Tally(waiting=3, approved=0, rejected=0)
