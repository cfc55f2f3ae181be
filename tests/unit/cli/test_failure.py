"""Errors as people and programs see them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from darkroom.cli.failure import report
from darkroom.cli.invocation import Invocation
from darkroom.errors import CapTooLow, Exit


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_expected_error_has_its_own_exit_code_and_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = report(CapTooLow("The cap is met.", hint="Raise it."), Invocation())

    assert code == Exit.SPEND_REFUSED
    assert capsys.readouterr().err == "error: The cap is met.\n       Raise it.\n"


def test_a_program_gets_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    report(CapTooLow("The cap is met."), Invocation(as_json=True))

    out, err = capsys.readouterr()
    expected = {"code": "spend.cap", "message": "The cap is met.", "hint": None}
    assert (out, json.loads(err)) == ("", {"error": expected})


def test_a_defect_says_so_and_keeps_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = report(raised(KeyError("surprise")), Invocation(home=tmp_path))

    log = tmp_path / "logs" / "crash.log"
    assert code == Exit.UNEXPECTED
    assert f"This is a defect; the traceback is in {log}." in capsys.readouterr().err
    assert "KeyError: 'surprise'" in log.read_text(encoding="utf-8")


def test_a_defect_shows_its_traceback_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(raised(KeyError("surprise")), Invocation(home=tmp_path, debug=True))

    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    code = report(OSError(28, "No space left on device", "/out/a.png"), Invocation())

    assert code == Exit.UNEXPECTED
    assert "error: /out/a.png: No space left on device" in capsys.readouterr().err


def test_an_interrupted_command_has_the_code_of_ctrl_c() -> None:
    assert report(click.Abort(), Invocation()) == Exit.INTERRUPTED
