"""Where a fleet's images go, as somebody sees it who does not ask the fleet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.request import Request, urlopen

EMULATOR: Final = "STORAGE_EMULATOR_HOST"
_BUCKET: Final = "renders"
_PART: Final = b"--edge\r\nContent-Type: %b\r\n\r\n%b\r\n"
_END: Final = b"--edge--\r\n"


class Place(Protocol):
    """A folder or a bucket of the simulator's."""

    @property
    def storage_url(self) -> str:
        """What the settings call it."""
        ...

    def found(self) -> dict[str, str]:
        """The sha256 of everything that lies there, by name."""
        ...

    def put(self, name: str, data: bytes, simulator_url: str) -> None:
        """Let a stranger put something there, however often that goes wrong."""
        ...


class Folder:
    """A folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def storage_url(self) -> str:
        return str(self._path)

    def found(self) -> dict[str, str]:
        return {
            path.relative_to(self._path).as_posix(): sha256(path.read_bytes())
            for path in self._path.rglob("*")
            if path.is_file()
        }

    def put(self, name: str, data: bytes, simulator_url: str) -> None:  # noqa: ARG002  # a bucket's
        self._path.mkdir(parents=True, exist_ok=True)
        (self._path / name).write_bytes(data)


class Bucket:
    """A bucket of the simulator's, read from its files and never through it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / _BUCKET
        self._folder.mkdir(parents=True)

    @property
    def storage_url(self) -> str:
        return f"gs://{_BUCKET}"

    def found(self) -> dict[str, str]:
        return {
            str(json.loads(path.read_bytes())["name"]): sha256(
                path.with_suffix(".data").read_bytes()
            )
            for path in self._folder.glob("*.json")
        }

    def put(self, name: str, data: bytes, simulator_url: str) -> None:
        address = f"{simulator_url}/upload/storage/v1/b/{_BUCKET}/o?uploadType=multipart"
        described = json.dumps({"name": name}).encode()
        body = _PART % (b"application/json", described) + _PART % (b"text/plain", data) + _END
        headers = {"Content-Type": 'multipart/related; boundary="edge"'}
        while name not in self.found():
            with suppress(OSError):
                urlopen(Request(address, body, headers), timeout=10).close()  # noqa: S310  # ours


@contextmanager
def emulated(env: Mapping[str, str]) -> Iterator[None]:
    """Let this process, too, look for buckets where `env` says."""
    before = os.environ.get(EMULATOR)
    if EMULATOR in env:
        os.environ[EMULATOR] = env[EMULATOR]
    try:
        yield
    finally:
        os.environ.pop(EMULATOR, None)
        if before is not None:
            os.environ[EMULATOR] = before


def sha256(data: bytes) -> str:
    """Name some bytes."""
    return hashlib.sha256(data).hexdigest()
