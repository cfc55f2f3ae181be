"""References that were made to harm: a fault of their row, never a crash."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fleet.gallery import HOST, opened

from darkroom.references import Finder
from darkroom.references.sight import Unfit, look
from darkroom.request import Reference
from darkroom.safe_fetch import SafeFetcher
from darkroom.settings import Settings
from darkroom_manifests.row import Reference as Written


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    Image.new(mode, (8, 6), "red").save(target, kind, **options)
    return target.getvalue()


def moving(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "green", "blue")]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:])
    return target.getvalue()


def bomb(side: int) -> bytes:
    """Make a PNG that claims so many pixels a side, and is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def box(brand: bytes) -> bytes:
    ftyp = struct.pack(">I", 20) + b"ftyp" + brand + b"\0\0\0\0" + brand
    return ftyp + struct.pack(">I", 16) + b"meta" + b"\0" * 8


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7",
        picture("PNG")[:-14],
        picture("JPEG")[:200],
        b"\xff\xd8\xff" + b"\0" * 64,
        b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 64,
        picture("PNG").replace(b"IDAT", b"IDAT\xff", 1),
        b"II*\0\xff\xff\xff\xff",
        b"BM" + b"\xff" * 60,
        b"GIF89a" + b"\xff" * 20,
        bomb(100_000),
        bomb(10_000),
        bomb(500),
        box(b"isom"),
        box(b"msf1"),
        moving("GIF"),
        picture("BMP"),
    ],
)
def test_bytes_that_no_model_takes_are_said_with_a_remedy(data: bytes) -> None:
    found = look(data)

    assert isinstance(found, Unfit)
    assert found.said.endswith(".")
    assert found.hint


def finder(home: Path, **references: object) -> Finder:
    return Finder(Settings.model_validate({"home": home, "references": references}))


@pytest.mark.parametrize(
    "uri",
    [
        ".",
        "pipe",
        "x" * 2_000,
        "a\0b",
        "ftp://host/a.png",
        "data:image/png;base64,AAAA",
        "empty.png",
        "huge.png",
        "https://a..b/x.png",
        "https://[::/x.png",
        "https://user:word@host.example/x.png",
        "https:///x.png",
        "set:none",
    ],
)
def test_a_reference_that_is_none_is_a_fault_with_a_remedy(tmp_path: Path, uri: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.png").touch()
    with (tmp_path / "huge.png").open("wb") as sparse:
        sparse.truncate(1 << 40)

    found = finder(tmp_path).find(Written(uri), tmp_path / "m.csv")

    assert isinstance(found, tuple)
    assert found[0] == "references"
    assert found[3]


@pytest.mark.parametrize("location", ["http://[::", "https://a..b/", "file:///etc/passwd"])
def test_a_redirect_to_what_is_no_address_is_a_fault(tmp_path: Path, location: str) -> None:
    with opened() as gallery:
        gallery.pages["a"] = location

        found = finder(tmp_path, allow_hosts=[HOST]).find(Written(gallery.url("a")), None)

    assert isinstance(found, tuple)
    assert "URL" in found[2]


def test_an_endless_body_is_left(tmp_path: Path) -> None:
    with opened() as gallery:
        url = gallery.url("endless?signature=secret")

        found = finder(tmp_path, allow_hosts=[HOST], fetch_bytes=100_000).find(Written(url), None)

    assert isinstance(found, tuple)
    assert "more than 100,000 bytes" in found[2]
    assert "secret" not in found[2]


def test_a_host_that_lets_the_time_run_out_is_not_asked_for_ever(tmp_path: Path) -> None:
    with opened() as gallery:
        own = finder(tmp_path, allow_hosts=[HOST], fetch_seconds=0.2, fetch_at_once=1)
        found = [own.find(Written(gallery.url(f"silent/{no}")), None) for no in range(6)]

    said = [each[2] for each in found if isinstance(each, tuple)]
    assert ["took more than" in each for each in said] == [True] * 3 + [False] * 3
    assert ["three times" in each for each in said] == [False] * 3 + [True] * 3
    assert gallery.asked.total() <= 3


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # nothing is bound to it
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
    ],
)
def test_names_of_private_addresses_are_not_connected_to(tmp_path: Path, address: str) -> None:
    fetcher = SafeFetcher(look_up=lambda _host, _port: [address])
    own = Finder(Settings.model_validate({"home": tmp_path}), fetcher)

    found = own.find(Written("https://shop.example/a.png"), None)

    assert isinstance(found, tuple)
    assert "no public address" in found[2]


@pytest.mark.parametrize("make", [lambda: moving("GIF"), lambda: picture("BMP")])
def test_by_the_policy_the_first_frame_is_taken_and_other_types_are_made_anew(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    (tmp_path / "a").write_bytes(make())
    own = finder(tmp_path, policy="fit")

    found = own.find(Written("a"), tmp_path / "m.csv")

    assert isinstance(found, Reference)
    assert look(Path(found.uri).read_bytes()) == found.mime == "image/jpeg"
    note = own.note_of(found)
    assert note is not None
    assert f"{len(make()):,} bytes became JPEG of {found.size:,} bytes" in note
    assert own.note_of(found) is None


def test_what_fits_is_left_alone_by_the_policy(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    own = finder(tmp_path, policy="fit")

    found = own.find(Written("a.png"), tmp_path / "m.csv")

    assert isinstance(found, Reference)
    assert found.uri == str(tmp_path / "a.png")
    assert own.note_of(found) is None
