"""A process dies at its point and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

PASS = "from darkroom.killpoints import Point, reach; [reach(point, ()) for point in Point]"


def passing_all(crash: str | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "DARKROOM_CRASH"}
    env |= {} if crash is None else {"DARKROOM_CRASH": crash}
    return subprocess.run(
        [sys.executable, "-c", PASS], env=env, check=False, capture_output=True, text=True
    )


def test_without_the_variable_every_point_is_passed() -> None:
    assert passing_all(None).returncode == 0


def test_a_process_is_killed_at_the_point_that_was_named() -> None:
    done = passing_all("P5")

    assert done.returncode == -signal.SIGKILL
    assert done.stderr.startswith("killed at P5")


def test_no_chance_is_no_death() -> None:
    assert passing_all("P5:0:1").returncode == 0


def test_a_variable_that_cannot_be_read_ends_the_process_with_words() -> None:
    assert "P9" in passing_all("P9").stderr
