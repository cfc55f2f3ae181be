"""Every place for images passes this suite: a folder, and a bucket by the real SDK over HTTP."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from structlog.testing import capture_logs

from darkroom.errors import ConfigInvalid, StorageFault
from darkroom.settings import GCS
from darkroom.storage import Storage, open_storage
from darkroom.storage.parcel import Parcel, Stored

QUICK = GCS(deadline_seconds=5)


class ObjectStorage(Protocol):
    def new_bucket(self) -> str: ...

    def objects(self, bucket: str) -> list[dict[str, object]]: ...

    def harm(self, *rules: dict[str, object]) -> None: ...

    def answered(self) -> dict[str, int]: ...


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "out"), QUICK)
    storage: ObjectStorage = request.getfixturevalue("object_storage")
    return open_storage(storage.new_bucket() + "/renders", QUICK)


def parcel(tmp_path: Path, data: bytes, name: str, owner: str = "att_one") -> Parcel:
    """Stage a picture as a worker does."""
    path = tmp_path / owner
    path.write_bytes(data)
    return Parcel(
        staged=path,
        name=name,
        owner=owner,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        mime="image/png",
        notes={"job": "job_1", "row": "a/ü"},
    )


def uris(place: Storage) -> list[str]:
    return sorted(each.uri for each in place.listing())


def read(place: Storage, uri: str) -> bytes:
    with place.open(uri) as stored:
        return stored.read()


def test_a_published_image_is_read_back_as_it_was(place: Storage, tmp_path: Path) -> None:
    stored = place.publish(parcel(tmp_path, b"image", "job/a 1.png"))
    place.sync()

    assert (stored.uri, stored.bytes) == ("job/a 1.png", 5)
    assert read(place, stored.uri) == b"image"
    assert list(place.listing("job")) == [stored]
    assert list(place.listing("jo")) == []


def test_a_large_image_arrives_whole(place: Storage, tmp_path: Path) -> None:
    data = os.urandom(9 << 20)

    stored = place.publish(parcel(tmp_path, data, "a.png"))

    assert read(place, stored.uri) == data


def test_publishing_again_is_success(place: Storage, tmp_path: Path) -> None:
    file = parcel(tmp_path, b"image", "a.png")
    first = place.publish(file)

    assert place.publish(file) == first
    assert uris(place) == ["a.png"]


@pytest.mark.parametrize("data", [b"second", b"first"], ids=["other bytes", "the same bytes"])
def test_what_another_attempt_put_there_is_left_alone(
    place: Storage, tmp_path: Path, data: bytes
) -> None:
    place.publish(parcel(tmp_path, b"first", "a.png", "att_one"))

    stored = place.publish(parcel(tmp_path, data, "a.png", "att_two"))

    assert stored.uri == "a~tt_two.png"
    assert read(place, "a.png") == b"first"
    assert read(place, stored.uri) == data


def test_an_object_that_has_an_images_name_is_told_with_whose_it_is(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    bucket = object_storage.new_bucket()
    place = open_storage(bucket, QUICK)
    place.publish(parcel(tmp_path, b"1", "ours.png", "att_one"))
    client = Client(project="p", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    stranger = client.bucket(bucket.removeprefix("gs://")).blob("strange.png")
    stranger.upload_from_string(b"beach")

    with capture_logs() as said:
        for name in ("ours.png", "strange.png"):
            place.publish(parcel(tmp_path, b"2", name, "att_two"))

    told = [(line["log_level"], line["uri"], line["of_attempt"], line["of_job"]) for line in said]
    assert told == [
        ("warning", f"{bucket}/ours.png", "att_one", "job_1"),
        ("error", f"{bucket}/strange.png", None, None),
    ]


def test_a_name_that_is_taken_even_apart_is_a_fault(place: Storage, tmp_path: Path) -> None:
    place.publish(parcel(tmp_path, b"1", "a.png", "att_one"))
    place.publish(parcel(tmp_path, b"2", "a~tt_two.png", "att_three"))

    with pytest.raises(StorageFault, match="taken"):
        place.publish(parcel(tmp_path, b"3", "a.png", "att_two"))


def test_withdrawing_takes_back_what_was_published_and_nothing_else(
    place: Storage, tmp_path: Path
) -> None:
    first = parcel(tmp_path, b"image", "a.png", "att_one")
    second = parcel(tmp_path, b"image", "a.png", "att_two")
    never = parcel(tmp_path, b"image", "a.png", "att_six")
    place.publish(first)
    place.publish(second)

    place.withdraw(never)
    place.withdraw(first)
    place.withdraw(first)

    assert uris(place) == ["a~tt_two.png"]


def test_a_bucket_keeps_what_leads_back_to_the_books(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    key, bucket = "projects/p/locations/l/keyRings/r/cryptoKeys/k", object_storage.new_bucket()

    open_storage(bucket, GCS(kms_key=key)).publish(parcel(tmp_path, b"image", "a.png"))

    (made,) = object_storage.objects(bucket)
    digest = hashlib.sha256(b"image").hexdigest()
    assert made["metadata"] == {
        "attempt": "att_one",
        "sha256": digest,
        "job": "job_1",
        "row": "a/ü",
    }
    assert (made["kms_key"], made["content_type"]) == (key, "image/png")


def test_a_bucket_that_is_not_there_is_a_fault_that_says_so(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    place = open_storage("gs://no-such-bucket", QUICK)

    with pytest.raises(StorageFault, match=r"gs://no-such-bucket/a\.png") as fault:
        place.publish(parcel(tmp_path, b"image", "a.png"))

    assert "bucket exist" in str(fault.value.hint)
    with pytest.raises(StorageFault):
        list(place.listing())
    assert object_storage.answered()["create 404"] == 1


@pytest.mark.parametrize("size", [5, 9 << 20], ids=["in one request", "resumably"])
@pytest.mark.parametrize("harm", ["503", "429", "503-after", "reset-after"])
def test_a_bucket_that_fails_once_gets_the_image_once(
    object_storage: ObjectStorage, tmp_path: Path, harm: str, size: int
) -> None:
    bucket = object_storage.new_bucket()
    object_storage.harm({"fault": harm, "deeds": ["create"], "times": 1})
    file = parcel(tmp_path, os.urandom(size), "a.png")

    stored = open_storage(bucket, QUICK).publish(file)

    (made,) = object_storage.objects(bucket)
    assert (stored.uri, stored.crc32c) == ("a.png", made["crc32c"])
    assert made["size"] == size


@pytest.mark.parametrize("harm", ["503", "503-after", "reset-after"])
def test_an_image_is_taken_back_from_a_bucket_that_fails_once(
    object_storage: ObjectStorage, tmp_path: Path, harm: str
) -> None:
    bucket = object_storage.new_bucket()
    place, file = open_storage(bucket, QUICK), parcel(tmp_path, b"image", "a.png")
    place.publish(file)
    object_storage.harm({"fault": harm, "deeds": ["delete"], "times": 1})

    place.withdraw(file)

    assert object_storage.objects(bucket) == []


def test_an_image_that_arrives_damaged_does_not_stay(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    bucket = object_storage.new_bucket()
    place, file = open_storage(bucket, QUICK), parcel(tmp_path, b"image", "a.png")
    object_storage.harm({"fault": "wrong-crc", "deeds": ["create"], "times": 1})

    with pytest.raises(StorageFault, match="crc32c"):
        place.publish(file)

    assert object_storage.objects(bucket) == []
    assert place.publish(file).uri == "a.png"


def test_a_bucket_that_stays_overloaded_is_given_up_at_the_deadline(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    place = open_storage(object_storage.new_bucket(), GCS(deadline_seconds=0.5))
    object_storage.harm({"fault": "503"})

    with pytest.raises(StorageFault) as fault:
        place.publish(parcel(tmp_path, b"image", "a.png"))

    assert "waits in the spool" in str(fault.value.hint)


def test_an_account_that_may_not_write_is_told_which_role_it_needs(
    object_storage: ObjectStorage, tmp_path: Path
) -> None:
    place = open_storage(object_storage.new_bucket(), QUICK)
    object_storage.harm({"fault": "403"})

    with pytest.raises(StorageFault) as fault:
        place.publish(parcel(tmp_path, b"image", "a.png"))

    assert "roles/storage.objectUser" in str(fault.value.hint)


def test_a_link_in_the_place_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "out"
    root.mkdir()
    (root / "job").symlink_to(outside)

    with pytest.raises(StorageFault):
        open_storage(str(root), QUICK).publish(parcel(tmp_path, b"image", "job/a.png"))

    assert list(outside.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder")

    with pytest.raises(StorageFault, match="out"):
        open_storage(str(tmp_path / "out"), QUICK).publish(parcel(tmp_path, b"image", "a.png"))


def test_a_place_on_another_disk_gets_a_whole_copy_that_is_known_again(tmp_path: Path) -> None:
    shared_memory = Path("/dev/shm")  # noqa: S108  # the one other file system every Linux has
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("LOUD: there is no second file system here to publish to")
    root = shared_memory / f"darkroom-test-{os.getpid()}"
    place = open_storage(str(root), QUICK)
    file = parcel(tmp_path, b"image", "job/a.png")
    try:
        place.publish(file)
        place.publish(file)
        place.sync()

        assert list(place.listing()) == [Stored("job/a.png", 5)]
        place.withdraw(file)
        assert list(place.listing()) == []
    finally:
        (root / "job" / "a.png").unlink(missing_ok=True)
        (root / "job").rmdir()
        root.rmdir()


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "gs://", "gs://No/bucket"])
def test_a_place_that_this_version_cannot_write_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigInvalid, match=url):
        open_storage(url, QUICK)
