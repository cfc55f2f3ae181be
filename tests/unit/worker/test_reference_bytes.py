"""A worker sends the bytes that were planned, and reads them once."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from darkroom.models import AttemptState
from darkroom.request import Reference
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.reference_bytes import ReferenceBytes, read


def reference(file: Path, data: bytes) -> Reference:
    file.write_bytes(data)
    return Reference(str(file), "image/png", sha256=hashlib.sha256(data).hexdigest())


def test_many_requests_at_once_get_the_bytes_of_one_reading(tmp_path: Path) -> None:
    one, kept = reference(tmp_path / "a", b"image"), ReferenceBytes()

    async def ask() -> list[bytes]:
        first = await asyncio.gather(*(kept.of(one) for _ in range(20)))
        await asyncio.to_thread((tmp_path / "a").unlink)
        return [*first, await kept.of(one)]

    assert set(asyncio.run(ask())) == {b"image"}


def test_what_was_used_long_ago_is_forgotten(tmp_path: Path) -> None:
    kept = ReferenceBytes(most_bytes=100)
    several = [reference(tmp_path / str(number), bytes([number]) * 60) for number in range(3)]

    async def ask() -> None:
        for each in several:
            await kept.of(each)
        await asyncio.to_thread((tmp_path / "0").unlink)
        with pytest.raises(ValueError, match="cannot be read"):
            await kept.of(several[0])

    asyncio.run(ask())


def test_an_image_that_changed_or_went_is_invalid_and_no_lost_answer(tmp_path: Path) -> None:
    one = reference(tmp_path / "a", b"image")

    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(ValueError, match="changed since it was planned") as changed:
        read(one)
    (tmp_path / "a").unlink()
    with pytest.raises(ValueError, match="cannot be read") as gone:
        read(one)

    assert read_error(changed.value).ended is AttemptState.INVALID
    assert read_error(gone.value).ended is AttemptState.INVALID
