"""`darkroom inbox`, run in this process as a script would run it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom.cli import main

Run = Callable[..., Result]


@pytest.fixture
def darkroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in an empty folder, with no settings and no credentials around it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKROOM_INBOX__SETTLE_SECONDS", "0.05")

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="darkroom")

    return run


def listed(darkroom: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(darkroom("inbox", "ls", "--json").stdout)
    return found


def test_a_folder_is_made_and_watched_and_its_terms_can_be_changed(darkroom: Run) -> None:
    first = darkroom("inbox", "add", "./inbox", "--tier", "simulator", "--max-cost", "$5.00")
    again = darkroom("inbox", "add", "inbox", "--deliver-within", "12h", "--accept-valid")

    (one,) = listed(darkroom)
    assert (first.exit_code, again.exit_code, Path("inbox").is_dir()) == (0, 0, True)
    assert "is watched from now on" in first.stderr
    assert "is watched on these terms" in again.stderr
    assert one["url"] == str(Path("inbox").resolve())
    assert (one["tier"], one["max_cost_usd"]) == (None, None)
    assert (one["deliver_within"], one["accept_valid"]) == (43_200, True)
    assert "within 12 h 0 min, bad rows left out" in darkroom("inbox", "ls").stdout


def test_a_scan_takes_in_what_lies_there(darkroom: Run) -> None:
    darkroom("inbox", "add", "inbox", "--tier", "simulator")
    Path("inbox/a.csv").write_text("id,prompt\na,lamp\n", encoding="utf-8")
    Path("inbox/b.csv").write_text("id,prompt\na,\n", encoding="utf-8")

    result = darkroom("inbox", "scan", "inbox", "--json")

    (said,) = json.loads(result.stdout)
    (one,) = listed(darkroom)
    assert (result.exit_code, result.stderr, said["taken"]) == (0, "", 2)
    assert one["files"] == {"accepted": 1, "failed": 1}
    assert one["looked_at"] is not None


def test_what_is_not_watched_is_not_found(darkroom: Run) -> None:
    darkroom("inbox", "add", "inbox")

    removed, again = (darkroom("inbox", "rm", "inbox") for _ in range(2))
    scanned = darkroom("inbox", "scan", "inbox")

    assert (removed.exit_code, again.exit_code, scanned.exit_code) == (0, 7, 7)
    assert "darkroom inbox ls" in again.stderr
    assert listed(darkroom) == []


@pytest.mark.parametrize("place", ["inbox/done", ".", "https://example.com/x"])
def test_a_place_that_cannot_be_watched_is_refused(darkroom: Run, place: str) -> None:
    darkroom("inbox", "add", "inbox")

    result = darkroom("inbox", "add", place)

    assert result.exit_code == 2
    assert "error: " in result.stderr


@pytest.mark.parametrize("length", ["0h", "soon", "12", "-1d"])
def test_a_length_of_time_is_read_strictly(darkroom: Run, length: str) -> None:
    result = darkroom("inbox", "add", "inbox", "--deliver-within", length)

    assert result.exit_code == 2
    assert "no length of time such as 90m, 12h or 2d" in result.stderr


def test_a_job_that_waits_for_no_approval_is_not_approved(darkroom: Run) -> None:
    darkroom("inbox", "add", "inbox", "--tier", "simulator")
    Path("inbox/a.csv").write_text("id,prompt\na,lamp\n", encoding="utf-8")
    darkroom("inbox", "scan")

    approved, rejected = (darkroom("job", answer, "last") for answer in ("approve", "reject"))

    assert (approved.exit_code, rejected.exit_code) == (7, 7)
    assert "waits for no approval" in approved.stderr
