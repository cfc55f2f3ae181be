"""`darkroom notice`, run in this process as a script would run it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.fleet.receiver import SECRET, Receiver

from darkroom import Darkroom
from darkroom.cli import main
from darkroom.notices import Lookout, subscribers
from darkroom.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def darkroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Run:
    """The command in a folder with a target, and no settings and no credentials around it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("darkroom.toml").write_text(
        f'[notices.targets.shop]\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n'
        'allow_hosts = ["127.0.0.1"]\n'
        '[notices.targets.lost]\nurl = "env:NOT_SET"\n'
    )

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="darkroom")

    return run


def test_a_test_is_signed_and_its_answer_is_said(darkroom: Run, receiver: Receiver) -> None:
    done = darkroom("notice", "test", "shop")
    receiver.status = 500
    ill = darkroom("notice", "test", "shop", "--json")

    assert done.exit_code == 0
    assert "shop has it" in done.stderr
    assert "answered 204" in done.stderr
    assert [document["type"] for document in receiver.documents()] == ["test", "test"]
    assert ill.exit_code == 1
    told = json.loads(ill.stdout)
    assert (told["target"], told["sent"], told["said"]) == ("shop", False, "answered 500")


def test_a_target_that_is_none_or_broken_is_said(darkroom: Run) -> None:
    nobody = darkroom("notice", "test", "nobody")
    lost = darkroom("notice", "test", "lost")
    doctor = darkroom("doctor", "--json")

    assert nobody.exit_code == 7
    assert "shop, lost" in nobody.stderr
    assert lost.exit_code == 1
    assert "env:NOT_SET" in lost.stderr
    found = [one for one in json.loads(doctor.stdout) if one["check"] == "notices"]
    assert [one["grade"] for one in found] == ["ok", "warn"]
    assert "darkroom notice test lost" in found[1]["fix"]
    assert SECRET not in doctor.stdout + darkroom("config", "show").stdout


def test_notices_are_listed_and_sent_again(darkroom: Run) -> None:
    empty = darkroom("notice", "ls")
    told = {"notices": {"targets": {"shop": {"url": "env:X"}}}}
    settings = Settings.model_validate(told)
    with Darkroom(settings) as room:
        room.submit([{"id": "a", "prompt": "lamp"}], hold=True)
        Lookout(room.database, settings.notices, subscribers(settings.notices)).look()

    listed, document = darkroom("notice", "ls"), darkroom("notice", "ls", "--json")
    (one,) = json.loads(document.stdout)
    again = darkroom("notice", "retry", one["id"][-9:], "--json")
    unknown = darkroom("notice", "retry", "ntc_nowhere")

    assert "darkroom.toml" in empty.stderr
    assert (one["event"], one["target"], one["state"]) == ("job.held", "shop", "pending")
    assert one["id"] in listed.stdout
    assert json.loads(again.stdout) == {"id": one["id"], "targets": 1}
    assert unknown.exit_code == 7
