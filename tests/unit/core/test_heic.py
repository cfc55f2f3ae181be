"""HEIC: judged by its boxes, decoded where the extra is, made to fit, and kept from proxies."""

from __future__ import annotations

import io
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fleet.telephone import heic, written

from darkroom.draft import Choices, Draft
from darkroom.drafter import Drafter
from darkroom.references import Finder
from darkroom.references.fitting import fitted
from darkroom.references.sight import Seen, Unfit, examine, look
from darkroom.registry import Registry
from darkroom.request import Reference
from darkroom.router import Market, Outlook
from darkroom.settings import Settings
from darkroom_manifests.row import Reference as Written
from darkroom_manifests.row import Row
from darkroom_manifests.tier import Tier

AT = datetime(2026, 11, 22, tzinfo=UTC)
HEIC = heic()
ISPE = b"ispe\0\0\0\0"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the extra away."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


def bomb() -> bytes:
    """Make a HEIC that claims many pixels."""
    at = HEIC.index(ISPE) + len(ISPE)
    return HEIC[:at] + struct.pack(">II", 60_000, 60_000) + HEIC[at + 8 :]


def padded() -> bytes:
    """Make a HEIC of more than 7 MB: pixels that need so many would take long to make."""
    return HEIC + b"\0\0\0\0free" + bytes(7_000_000)


HARMED = [
    HEIC[:12],
    HEIC[:100],
    HEIC[:-30],
    HEIC[: HEIC.index(b"mdat")],
    HEIC.replace(b"ispe", b"free"),
    b"\0\0\0\x04ftypheic" + HEIC[12:],
    HEIC[:28] + b"\0\0\0\1meta" + b"\xff" * 40,
    bomb(),
    HEIC.replace(b"ftypheic", b"ftypmif1", 1).replace(b"mif1heicmiaf", b"mif1avifmiaf", 1),
    HEIC.replace(b"ftypheic", b"ftyphevc", 1),
]


def test_a_heic_is_decoded_and_its_pixels_are_known() -> None:
    assert examine(HEIC) == Seen("image/heic", 64, 48)


@pytest.mark.usefixtures("bare")
def test_without_the_extra_its_boxes_say_what_it_is() -> None:
    seen = examine(HEIC)

    assert isinstance(seen, Seen)
    assert seen.mime == "image/heic"
    assert seen.width >= 64


@pytest.mark.parametrize("data", HARMED)
def test_a_heic_that_was_cut_or_made_to_harm_is_said_with_a_remedy(data: bytes) -> None:
    found = look(data)

    assert isinstance(found, Unfit)
    assert found.said.endswith(".")
    assert found.hint


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("data", HARMED)
def test_the_boxes_alone_tell_that_too(data: bytes) -> None:
    assert isinstance(look(data), Unfit)


def test_a_heic_with_damaged_pixels_is_found_by_the_decoder_or_taken_and_never_crashes() -> None:
    half = len(HEIC) - 20

    found = look(HEIC[:half] + b"\xff" * 20)

    assert isinstance(found, str | Unfit)


def test_a_heic_becomes_jpeg_upright_and_always_the_same() -> None:
    turned = written(Image.new("RGB", (64, 32), "red"), orientation=6)

    made = fitted(turned, 7_000_000)

    assert made is not None
    assert made == fitted(turned, 7_000_000)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == ("JPEG", (32, 64))


def test_a_large_heic_is_made_to_fit_and_the_plan_is_told(tmp_path: Path) -> None:
    large = padded()
    (tmp_path / "a.heic").write_bytes(large)
    finder = Finder(settings(tmp_path, references={"policy": "fit"}))

    found = finder.find(Written("a.heic"), tmp_path / "m.csv")

    assert isinstance(found, Reference)
    assert found.mime == "image/jpeg"
    assert "image/heic of 64 x 48" in (finder.note_of(found) or "")


@pytest.mark.usefixtures("bare")
def test_without_the_extra_a_large_heic_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(padded())
    finder = Finder(settings(tmp_path, references={"policy": "fit"}))

    found = finder.find(Written("a.heic"), tmp_path / "m.csv")

    assert isinstance(found, tuple)
    assert 'pip install "darkroom-render[heic]"' in str(found[3])


def test_a_row_with_heic_goes_to_google_as_it_is_and_to_a_proxy(tmp_path: Path) -> None:
    for tier in (Tier.AISTUDIO, Tier.VERTEX, Tier.PROXY):
        found = drafted(tmp_path, tier)
        assert isinstance(found, tuple)
        assert found[0].request.references[0].mime == "image/heic"


@pytest.mark.usefixtures("bare")
def test_without_the_extra_a_proxy_is_refused_when_it_is_planned(tmp_path: Path) -> None:
    problems = drafted(tmp_path, Tier.PROXY)

    assert not isinstance(problems, tuple)
    [problem] = problems
    assert problem.column == "references"
    assert "takes no HEIC" in problem.message
    assert 'pip install "darkroom-render[heic]"' in (problem.hint or "")
    assert isinstance(drafted(tmp_path, Tier.AISTUDIO), tuple)


def drafted(folder: Path, tier: Tier) -> tuple[Draft, ...] | list[Any]:
    (folder / "a.heic").write_bytes(HEIC)
    told = settings(folder, proxy={"base_url": "http://localhost"})
    market = Market(told, Registry.load(), Outlook(AT))
    row = Row(line=1, prompt="p", references=(Written("a.heic"),), tier=tier)
    return Drafter(told, market, Choices()).draft(row, "rows", folder / "m.csv")


def settings(folder: Path, **told: Any) -> Settings:
    return Settings.model_validate({"home": folder / "home", **told})
