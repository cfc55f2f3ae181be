"""The disk is full where answers, images or books go: work waits for room, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.fault.rig.disk import MOUNTABLE, SmallDisk, mounted
from tests.fault.rig.fleet import Fleet, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom.report import JobState
from darkroom_worker.spool import Spool

MakeFleet = Callable[..., Fleet]

IMAGES = 40
PLACES = {
    "spool": "home/spool",
    "storage": "out",
    "books": "books",
}
COMPLAINTS = {
    "spool": "the spool cannot be written",
    "storage": "a picture cannot be stored",
    "books": "database or disk is full",
}


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], SmallDisk]]:
    if not MOUNTABLE:
        pytest.skip(
            "A small disk is mounted for this test, which needs root: run it in CI's image."
        )
    with ExitStack() as stack:
        yield lambda point: stack.enter_context(mounted(point, megabytes=4))


@pytest.mark.parametrize("place", list(PLACES))
def test_a_full_disk_makes_work_wait_and_nothing_is_paid_twice(
    make_fleet: MakeFleet,
    valkey: Valkey,
    tmp_path: Path,
    small_disk: Callable[[Path], SmallDisk],
    place: str,
) -> None:
    disk = small_disk(tmp_path / "fleet" / PLACES[place])
    books = f"sqlite:///{tmp_path}/fleet/books/books.db" if place == "books" else None
    fleet = make_fleet(books, valkey, simulator=("--latency", "0.05-0.2"))
    job = fleet.submit(rows(IMAGES))
    is_full, was_told = [False], [False]

    def fill_then_clear(state: JobState) -> None:
        if not is_full[0] and state.done > 5:
            is_full[0] = True
            disk.fill()
        if is_full[0] and not was_told[0] and fleet.said(COMPLAINTS[place]):
            was_told[0] = True
            disk.clear()

    fleet.watch(job, 60, fill_then_clear)
    verdict = examine(fleet)

    assert was_told[0]
    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (IMAGES, 0, 0)


def test_a_picture_is_set_aside_from_a_spool_that_has_a_disk_of_its_own(
    tmp_path: Path, small_disk: Callable[[Path], SmallDisk]
) -> None:
    small_disk(tmp_path / "spool")
    spool = Spool.open(tmp_path, "wrk_1")
    spool.stage("att_1", b"picture")

    spool.set_aside("att_1")

    assert (tmp_path / "quarantine" / "att_1").read_bytes() == b"picture"
    assert not spool.path("att_1").exists()
    spool.close(remove=True)
