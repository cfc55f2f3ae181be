from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darkroom_worker.durable import Writer


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 1_500_001])
def test_a_file_holds_the_bytes_and_no_more(tmp_path: Path, size: int) -> None:
    content = bytes(number % 251 for number in range(size))

    Writer().write(tmp_path / "a", content)

    assert (tmp_path / "a").read_bytes() == content


def test_a_longer_file_is_replaced_whole(tmp_path: Path) -> None:
    writer = Writer()
    writer.write(tmp_path / "a", b"x" * 10_000)

    writer.write(tmp_path / "a", b"short")

    assert (tmp_path / "a").read_bytes() == b"short"


def test_threads_do_not_mix_their_bytes(tmp_path: Path) -> None:
    writer = Writer()
    contents = {f"f{number}": bytes([number]) * (5_000 + number) for number in range(40)}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: writer.write(tmp_path / name, contents[name]), contents))

    assert {name: (tmp_path / name).read_bytes() for name in contents} == contents


def test_a_file_system_without_direct_writes_is_written_to_as_well() -> None:
    shared = Path("/dev/shm")  # noqa: S108  # a tmpfs on Linux; nothing secret is put there
    if not shared.is_dir():
        pytest.skip("this system has no /dev/shm")
    path = shared / "darkroom-durable-test"
    try:
        Writer().write(path, b"picture")

        assert path.read_bytes() == b"picture"
    finally:
        path.unlink(missing_ok=True)
