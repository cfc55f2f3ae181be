"""A job's input: lines of files on disk, found by their number."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

CHUNK = 1 << 20


class Lines:
    """The lines of some files that are not blank. The files may be deleted meanwhile."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open the files; raise OSError where one is not there."""
        self._descriptors: list[int] = []
        self._files, self._starts, self._sizes = array("H"), array("Q"), array("Q")
        self._numbers = array("L")
        for path in paths:
            self._descriptors.append(os.open(path, os.O_RDONLY))

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> bytes:
        descriptor = self._descriptors[self._files[index]]
        return os.pread(descriptor, self._sizes[index], self._starts[index])

    def number(self, index: int) -> int:
        """Count a line in its file, from 1, blank ones included."""
        return self._numbers[index]

    def find(self, most: int) -> None:
        """Find where every line is, but stop when there are more than `most`."""
        for file, descriptor in enumerate(self._descriptors):
            for number, (start, end) in enumerate(spans(descriptor), start=1):
                if len(self) > most:
                    return
                if os.pread(descriptor, end - start, start).strip():
                    self._files.append(file)
                    self._starts.append(start)
                    self._sizes.append(end - start)
                    self._numbers.append(number)

    def close(self) -> None:
        """Let the files go."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def spans(descriptor: int) -> Iterator[tuple[int, int]]:
    """Find where a file's lines begin and end, their line feeds left out."""
    begins = place = 0
    while chunk := os.pread(descriptor, CHUNK, place):
        found = chunk.find(b"\n")
        while found >= 0:
            yield begins, place + found
            begins = place + found + 1
            found = chunk.find(b"\n", found + 1)
        place += len(chunk)
    if begins < place:
        yield begins, place
