"""Remedies: what a request says differently, and in which order."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from darkroom.models import Remedy
from darkroom.request import Reference, Request, fingerprints
from darkroom_worker.backends.reference_bytes import read
from darkroom_worker.remedied import next_remedy, remedied

LOCAL = tuple(Reference(f"/{no}.png", "image/png", sha256=f"{no}" * 64) for no in range(3))
FAR = tuple(Reference(f"gs://b/{no}.png", "image/png") for no in range(2))


def asks(references: tuple[Reference, ...], most: int) -> list[str]:
    """All remedies of a request that stays blocked, in their order."""
    request, said, found = Request(prompt="p", references=references), None, list[str]()
    while (said := next_remedy(request, said, most)) is not None:
        found.append(said.value)
    return found


@pytest.mark.parametrize(
    ("references", "most", "expected"),
    [
        ((), 15, []),
        (LOCAL, 0, []),
        (LOCAL, 1, ["jpeg"]),
        (LOCAL, 3, ["jpeg", "without-1", "without-2"]),
        (LOCAL, 15, ["jpeg", "without-1", "without-2", "without-3"]),
        (LOCAL[:1], 15, ["jpeg"]),
        (FAR, 1, []),
        (FAR, 15, ["without-1", "without-2"]),
        ((Reference("/a.heic", "image/heic", sha256="a"),), 15, []),
    ],
)
def test_a_request_that_stays_blocked_is_changed_so_often_and_no_more(
    references: tuple[Reference, ...], most: int, expected: list[str]
) -> None:
    assert asks(references, most) == expected


def test_words_that_were_added_before_do_not_end_the_remedies_of_references() -> None:
    request = Request(prompt="p", references=LOCAL)

    assert next_remedy(request, Remedy.ONLY_IMAGE, 1) is Remedy.JPEG


def test_the_number_in_a_remedy_is_that_of_the_reference_which_is_left_out() -> None:
    found = remedied(Request(prompt="p", references=LOCAL), Remedy.WITHOUT_2)

    assert found.references == (LOCAL[0], LOCAL[2])


def test_bytes_that_are_written_anew_are_jpeg_and_have_another_name(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    (tmp_path / "a.png").write_bytes(out.getvalue())
    one = Reference(str(tmp_path / "a.png"), "image/png", sha256=_sha256(out.getvalue()))

    (changed,) = remedied(Request(prompt="p", references=(one,)), Remedy.JPEG).references

    assert (changed.mime, read(changed)[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert len(changed.content or "") == len(one.content or "")
    assert changed.content != one.content == one.sha256


def test_what_cannot_be_written_anew_is_no_lost_answer(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    one = Reference(str(tmp_path / "a.png"), "image/png", _sha256(b"no image"), as_jpeg=True)

    with pytest.raises(ValueError, match="cannot be written as JPEG"):
        read(one)


def test_a_picture_is_known_by_the_same_name_as_before_there_were_remedies() -> None:
    one = Reference("/a.png", "image/png", sha256="0" * 64)

    assert fingerprints("m", Request(prompt="p", references=(one,)), 1) == [
        "0b0022cb2f163266b17270c3f6d633f9"
    ]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
