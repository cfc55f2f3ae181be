"""Gates: what stops an image, and what does not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from darkroom.settings import Gates
from darkroom_worker.gates import Candidate, GateRow, look, open_gates

SIDE = 512


def written(image: Image.Image, kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def flat(shade: int = 0, kind: str = "JPEG") -> bytes:
    return written(Image.new("RGB", (SIDE, SIDE), (shade, shade, shade)), kind)


def product(kind: str = "JPEG", ground: int = 255) -> bytes:
    image = Image.new("RGB", (SIDE, SIDE), (ground, ground, ground))
    ImageDraw.Draw(image).ellipse((100, 100, 400, 400), fill=(180, 20, 20))
    return written(image, kind)


def drawn() -> bytes:
    return written(Image.effect_noise((SIDE, SIDE), 80).convert("RGB"))


def stopped(data: bytes, **told: bool) -> str | None:
    found = open_gates(Gates.model_validate(told)).stops(Candidate(data, SIDE, SIDE, "p"))
    return None if found is None else found.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_one_colour_all_over_is_blank(kind: str, shade: int) -> None:
    assert stopped(flat(shade, kind)) == "GATE_BLANK"


@pytest.mark.parametrize("data", [product(), product("PNG"), product("WEBP"), drawn()])
def test_what_shows_something_passes(data: bytes) -> None:
    assert stopped(data, whole=True) is None


def test_what_is_large_is_not_even_decoded() -> None:
    class Unopened(Candidate):
        @property
        def thumbnail(self) -> Image.Image:
            raise AssertionError("it was opened")

    assert open_gates(Gates()).stops(Unopened(drawn(), SIDE, SIDE, "p")) is None


def test_an_image_that_is_damaged_in_its_middle_is_stopped_by_the_gate_that_decodes() -> None:
    data = written(Image.effect_noise((SIDE, SIDE), 80).convert("RGB"), "PNG")
    broken = data[: len(data) // 2] + b"\x55" * 64 + data[len(data) // 2 + 64 :]

    assert (stopped(broken), stopped(broken, whole=True)) == (None, "GATE_WHOLE")


@pytest.mark.parametrize(("ground", "reason"), [(255, None), (200, "GATE_WHITE_BORDER")])
def test_a_border_is_white_where_that_is_asked_for(ground: int, reason: str | None) -> None:
    assert stopped(product(ground=ground), white_border=True) == reason
    assert stopped(product(ground=ground)) is None


def test_without_gates_everything_passes() -> None:
    assert stopped(flat(), enabled=False) is None
    assert stopped(flat(), blank=False) is None


def test_a_gate_that_raises_lets_the_image_pass() -> None:
    def broken(_: Candidate) -> str | None:
        raise ZeroDivisionError

    row = GateRow({"broken": broken, "mean": lambda candidate: f"No {candidate.prompt}."})

    found = row.stops(Candidate(drawn(), SIDE, SIDE, "lamps"))

    assert found is not None
    assert (found.reason, found.message) == ("GATE_MEAN", "No lamps.")


def test_gates_of_installed_packages_are_asked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picky_gates.py").write_text(
        "def no_small(c):\n    return f'It has {c.width} px.'\n"
    )
    told = tmp_path / "picky-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: picky\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[darkroom.gates]\nno-small = picky_gates:no_small\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert stopped(drawn()) == "GATE_NO_SMALL"
    assert stopped(drawn(), own=False) is None
    sys.modules.pop("picky_gates")


def seen(data: bytes) -> str | None:
    return look(Candidate(data, SIDE, SIDE, "p"))


def test_the_same_picture_in_another_file_has_the_same_look() -> None:
    image = Image.open(io.BytesIO(product("PNG"))).convert("RGB")
    with_more = io.BytesIO()
    image.save(with_more, "PNG", compress_level=0)

    assert with_more.getvalue() != product("PNG")
    assert seen(with_more.getvalue()) == seen(product("PNG"))
    assert len(seen(product()) or "") == 28


def test_other_forms_and_other_colours_look_different() -> None:
    square = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    ImageDraw.Draw(square).rectangle((30, 200, 480, 480), fill=(180, 20, 20))
    blue = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    ImageDraw.Draw(blue).ellipse((100, 100, 400, 400), fill=(20, 20, 180))

    looks = {seen(product("PNG")), seen(written(square, "PNG")), seen(written(blue, "PNG"))}

    assert len(looks) == 3


def test_what_cannot_be_decoded_has_no_look() -> None:
    assert seen(product("PNG")[:300]) is None


@pytest.mark.parametrize(
    ("ground", "background", "reason"),
    [(255, "white", None), (200, "white", "GATE_WHITE_BORDER"), (200, None, None)],
)
def test_a_border_is_white_where_the_row_says_so(
    ground: int, background: str | None, reason: str | None
) -> None:
    candidate = Candidate(product(ground=ground), SIDE, SIDE, "p", background)

    found = open_gates(Gates()).stops(candidate)

    assert (found and found.reason) == reason
    assert open_gates(Gates(enabled=False)).stops(candidate) is None
