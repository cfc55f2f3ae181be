"""Some tests, run in the copy, and which of them turned red."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from tests.mutants.tree import Tree

_ENDED: Final = (0, 1)  # pytest ran its tests, and all passed or some failed
_LAST_SECONDS: Final = 60.0  # for the servers of a run that is broken off


class Broken(Exception):
    """Tests could not be run at all."""


class Trial(msgspec.Struct, frozen=True):
    """What a run came to. `red` tells why, by test; `is_clean` says that each ran and passed."""

    red: Mapping[str, str]
    is_clean: bool
    seconds: float
    said: str


def run(tree: Tree, tests: Sequence[str]) -> Trial:
    """Run tests. Raises Broken where one cannot even be collected: that proves nothing."""
    began = time.monotonic()
    output = tree.root / "output.log"
    words = [
        "-q",
        "-rpf",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(tree.root / "t"),
    ]
    with output.open("wb") as log:
        code = _waited_for(
            subprocess.Popen(
                [sys.executable, "-m", "pytest", *words, *tests],
                cwd=tree.root,
                env=tree.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is passed on by us, once
            )
        )
    said = output.read_text(encoding="utf-8", errors="replace")
    if code not in _ENDED:
        raise Broken(said)
    red = {test: why for test in tests for why in _whys(said, test, "FAILED")}
    is_clean = code == 0 and all(list(_whys(said, test, "PASSED")) for test in tests)
    return Trial(red, is_clean, time.monotonic() - began, said)


def _waited_for(process: subprocess.Popen[bytes]) -> int:
    """Wait for a run; one that is broken off is given time to end what it has started."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait(_LAST_SECONDS)
        raise


def _whys(said: str, test: str, word: str) -> Iterator[str]:
    """What the summary says behind the name of a test, and of its cases, that ended so.

    An ERROR, where a server did not start, is no such end: it says nothing about the bug.
    """
    for line in said.splitlines():
        name, _, why = line.removeprefix(f"{word} ").partition(" - ")
        if line.startswith(f"{word} ") and (name == test or name.startswith(f"{test}[")):
            yield why
