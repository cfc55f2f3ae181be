from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from darkroom.jobs.close import Picture
from darkroom_worker.picture import Damage, examine


def encoded(kind: str, size: tuple[int, int] = (64, 32)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_a_picture_is_known_by_its_bytes(kind: str, extension: str) -> None:
    found = examine(encoded(kind), (64, 32))

    assert isinstance(found, Picture)
    assert (found.extension, found.width, found.height) == (extension, 64, 32)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_is_cut_off_is_damaged(kind: str) -> None:
    assert isinstance(examine(encoded(kind)[:-20], None), Damage)


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_damaged(data: bytes) -> None:
    assert isinstance(examine(data, None), Damage)


def test_a_picture_of_another_size_than_asked_is_damaged() -> None:
    found = examine(encoded("PNG"), (1024, 1024))

    assert isinstance(found, Damage)
    assert found.reason == "WRONG_SIZE"


def test_a_picture_that_claims_a_billion_pixels_is_damaged_and_nothing_blows_up() -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )

    assert isinstance(examine(bomb, None), Damage)
