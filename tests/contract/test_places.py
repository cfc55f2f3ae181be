"""What every place keeps where files are dropped: a folder, and a bucket of the simulator's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from darkroom.inbox import Place
from darkroom.inbox.bucket import Bucket
from darkroom.inbox.folder import Folder
from darkroom.inbox.place import Copy, Refusal, Shelf
from darkroom.settings import GCS
from darkroom.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import ObjectStorage

CSV = b"id,prompt\na,lamp\n"
MARK = "drop_0123456789abcdefgh"
REPORT = f'{{"drop": "{MARK}"}}'.encode()
MANY = 1_000_000


class Ground(Protocol):
    """A place, and somebody beside it who drops files and looks around."""

    place: Place

    def drop(self, name: str, data: bytes) -> None: ...

    def lies(self) -> dict[str, bytes]: ...


class InFolder:
    def __init__(self, path: Path) -> None:
        path.mkdir()
        self._path = path
        self.place: Place = Folder(path, 0.0)

    def drop(self, name: str, data: bytes) -> None:
        path = self._path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)

    def lies(self) -> dict[str, bytes]:
        files = (path for path in self._path.rglob("*") if path.is_file())
        return {path.relative_to(self._path).as_posix(): path.read_bytes() for path in files}


class InBucket:
    def __init__(self, storage: ObjectStorage) -> None:
        self._storage, self._bucket = storage, storage.new_bucket()
        url = f"{self._bucket}/in/box"
        self.place: Place = Bucket(url, GCS())
        self._objects = Objects(url, GCS())

    def drop(self, name: str, data: bytes) -> None:
        self._objects.write(name, data)

    def lies(self) -> dict[str, bytes]:
        names = [str(one["name"]) for one in self._storage.objects(self._bucket)]
        bare = [name.removeprefix("in/box/") for name in names]
        return {name: self._objects.read(name) or b"" for name in bare}


@pytest.fixture(params=["folder", "bucket"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    if request.param == "folder":
        return InFolder(tmp_path / "inbox")
    return InBucket(request.getfixturevalue("object_storage"))


def taken(ground: Ground, name: str = "a.csv") -> str:
    (seen,) = [one for one in ground.place.look() if one.name == name]
    kept = ground.place.reserve(Shelf.WORKING, name, MARK, REPORT)
    assert ground.place.take(name, seen.stamp, kept)
    return kept


def test_only_manifests_that_lie_directly_there_are_seen(ground: Ground) -> None:
    for name in ("b.csv", "a.jsonl", "a.csv.part", "~$b.csv", ".c.csv", "a.png", "a.csv.toml"):
        ground.drop(name, CSV)
    ground.drop("done/old.csv", CSV)

    assert sorted(one.name for one in ground.place.look()) == ["a.jsonl", "b.csv"]


def test_a_file_goes_its_way_with_its_side_file_and_one_report(
    ground: Ground, tmp_path: Path
) -> None:
    ground.drop("a.csv.toml", b"priority = 1")
    ground.drop("a.csv", CSV)

    kept = taken(ground)
    copied = ground.place.fetch(kept, None, tmp_path / "copy", MANY)
    side = ground.place.side(kept)
    ground.place.put(Shelf.WORKING, "a.csv.rejected.csv", b"line")
    name = ground.place.reserve(Shelf.DONE, "a.csv", MARK, REPORT)
    ground.place.leave(kept, Shelf.DONE, name)

    assert (side, copied) == (b"priority = 1", Copy(hashlib.sha256(CSV).hexdigest(), len(CSV)))
    assert (tmp_path / "copy").read_bytes() == CSV
    assert ground.lies() == {
        "done/a.csv": CSV,
        "done/a.csv.toml": b"priority = 1",
        "done/a.csv.report.json": REPORT,
    }


def test_every_step_may_be_done_twice(ground: Ground) -> None:
    ground.drop("a.csv", CSV)
    (seen,) = ground.place.look()
    for _ in range(2):
        kept = ground.place.reserve(Shelf.WORKING, "a.csv", MARK, REPORT)
        assert ground.place.take("a.csv", seen.stamp, kept)
    for _ in range(2):
        name = ground.place.reserve(Shelf.DONE, "a.csv", MARK, REPORT)
        ground.place.leave(kept, Shelf.DONE, name)

    assert ground.lies() == {"done/a.csv": CSV, "done/a.csv.report.json": REPORT}


def test_nothing_on_a_shelf_is_written_over(ground: Ground) -> None:
    ground.drop("done/a.csv", b"by hand")
    ground.drop("working/a.csv.report.json", b"of another drop")
    ground.drop("a.csv", CSV)

    kept = taken(ground)
    name = ground.place.reserve(Shelf.DONE, "a.csv", MARK, REPORT)
    ground.place.leave(kept, Shelf.DONE, name)

    assert (kept, name) == ("a-cdefgh.csv", "a-cdefgh.csv")
    assert ground.lies()["done/a.csv"] == b"by hand"
    assert ground.lies()["done/a-cdefgh.csv"] == CSV


def test_who_comes_second_takes_nothing(ground: Ground) -> None:
    ground.drop("a.csv", CSV)
    (seen,) = ground.place.look()
    assert taken(ground) == "a.csv"

    other = ground.place.reserve(Shelf.WORKING, "a.csv", "drop_other", b'{"drop": "drop_other"}')

    assert other != "a.csv"
    assert not ground.place.take("a.csv", seen.stamp, other)


def test_a_file_that_was_replaced_meanwhile_is_another_one(ground: Ground) -> None:
    ground.drop("a.csv", CSV)
    (seen,) = ground.place.look()
    ground.drop("a.csv", CSV * 2)

    assert not ground.place.take("a.csv", seen.stamp, "a.csv")
    assert [one.stamp for one in ground.place.look()] != [seen.stamp]


def test_a_file_that_is_too_large_is_refused_unread(ground: Ground, tmp_path: Path) -> None:
    ground.drop("a.csv", CSV)

    refused = ground.place.fetch(taken(ground), None, tmp_path / "copy", len(CSV) - 1)

    assert isinstance(refused, Refusal)
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_gone_is_nothing(ground: Ground, tmp_path: Path) -> None:
    assert ground.place.fetch("a.csv", None, tmp_path / "copy", MANY) is None
    assert ground.place.side("a.csv") is None
    ground.place.forget("a.csv")
