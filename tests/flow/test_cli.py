"""The command as people run it: real processes, the simulator, the embedded default."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from darkroom import embedded

COMMAND = [sys.executable, "-m", "darkroom"]
MANIFEST = "id,prompt,n\nkettle,A brushed steel kettle,2\nlamp,A desk lamp,1\n"

Process = subprocess.Popen[str]


class Folder:
    """A project's folder, and the command in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        self.env = kept | {
            "DARKROOM_SIMULATOR__LATENCY": "0",
            "DARKROOM_SIMULATOR__PICTURES": "cached",
            "DARKROOM_RULES__BACKOFF_SECONDS": "0.1",
        }
        (path / "catalog.csv").write_text(MANIFEST, encoding="utf-8")

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args],
            cwd=self.path,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )

    def start(self, *args: str) -> Process:
        return subprocess.Popen(
            [*COMMAND, *args],
            cwd=self.path,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def document(self, *args: str) -> dict[str, Any]:
        ran = self.run(*args, "--json")
        assert ran.returncode == 0, ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    @property
    def stack(self) -> embedded.Ready | None:
        home = self.path / ".darkroom"
        return embedded.find(home) if home.is_dir() else None


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    yield Folder(tmp_path)
    embedded.stop(tmp_path / ".darkroom")


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def test_run_renders_once_and_leaves_no_process_behind(folder: Folder) -> None:
    first = folder.run("run", "catalog.csv")
    second = folder.run("run", "catalog.csv")

    job_id = first.stdout.strip()
    images = sorted(path.name for path in (folder.path / "out" / job_id).iterdir())
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert images == ["kettle_1.jpg", "kettle_2.jpg", "lamp_1.jpg"]
    assert str(folder.path / "out" / job_id) in first.stderr
    assert "simulated; would be" in first.stderr
    assert second.stdout == ""
    assert "3 unchanged: nothing to render. --again renders them anew" in second.stderr
    assert folder.stack is None
    assert folder.run("audit", "--deep").returncode == 0


def test_run_as_json_writes_one_document_and_no_talk(folder: Folder) -> None:
    manifest = "prompt\nA lamp\nA lamp [[sim:refuse]]\n"
    (folder.path / "two.csv").write_text(manifest, encoding="utf-8")

    first = folder.run("run", "two.csv", "--json")
    second = folder.run("run", "two.csv", "--json")

    document = json.loads(first.stdout)
    job, cost = document["job"], document["cost"]
    assert (first.returncode, second.returncode) == (3, 0)
    assert (first.stderr, second.stderr) == ("", "")
    assert (job["done"], job["refused"], job["total"]) == (1, 1, 2)
    assert cost["spent_nusd"] == 0
    assert cost["simulated_nusd"] == cost["charged_nusd"] == job["spent_nusd"]
    assert 0 < cost["wasted_nusd"] < cost["charged_nusd"]
    assert document["problems"] == []
    assert json.loads(second.stdout) == {"job": None, "unchanged": 2, "problems": []}


def test_ctrl_c_detaches_and_the_job_goes_on(folder: Folder) -> None:
    folder.env["DARKROOM_SIMULATOR__LATENCY"] = "2"

    running = folder.start("run", "catalog.csv")
    wait_until(lambda: folder.stack)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    waited = folder.run("job", "wait", "last")

    job_id = out.strip()
    assert running.returncode == 130, err
    assert f"Detached. {job_id} keeps running (simulated: nothing to spend)." in err
    assert f"darkroom job watch {job_id} · darkroom job cancel {job_id}" in err
    assert waited.returncode == 0
    assert folder.document("job", "show")["done"] == 3


def test_after_a_crash_the_same_command_finishes_the_job(folder: Folder) -> None:
    folder.env["DARKROOM_SIMULATOR__LATENCY"] = "30"
    running = folder.start("run", "catalog.csv")
    wait_until(lambda: folder.stack and folder.document("job", "show")["sent"])
    assert folder.stack is not None
    os.kill(folder.stack.pid, signal.SIGKILL)
    running.kill()
    job_id = running.communicate()[0].strip()
    folder.env["DARKROOM_SIMULATOR__LATENCY"] = "0"

    again = folder.run("run", "catalog.csv", "--json")

    job = json.loads(again.stdout)["job"]
    assert again.returncode == 0
    assert (job["id"], job["done"]) == (job_id, 3)
    assert job["at_risk_nusd"] > 0
    assert folder.run("audit", "--deep").returncode == 0


def test_a_job_that_is_held_says_so_and_how_it_goes_on(folder: Folder) -> None:
    first = folder.run("run", "catalog.csv", "--max-cost", "0.05")
    job_id = first.stdout.strip()

    again = folder.run("run", "catalog.csv", "--max-cost", "1.00")
    resumed = folder.run("job", "resume", job_id, "--max-cost", "1.00")

    assert (first.returncode, again.returncode, resumed.returncode) == (6, 6, 0)
    assert f"Nothing new: {job_id} holds them. The cap is met: darkroom job resume" in again.stderr
    assert f"darkroom job resume {job_id} --max-cost 1.00 does it." in again.stderr
    assert folder.run("run", "catalog.csv").returncode == 0


def read_until(terminal: int, word: str) -> str:
    """Read what a terminal shows until a word comes, or nobody writes any more."""
    shown = ""
    while word not in shown:
        try:
            chunk = os.read(terminal, 4_096)
        except OSError:  # the other side is closed
            chunk = b""
        if not chunk:
            return shown
        shown += chunk.decode(errors="replace")
    return shown


def test_it_is_asked_before_anything_is_shown_to_be_stored(folder: Folder) -> None:
    folder.env |= {"GEMINI_API_KEY": "k", "DARKROOM_BUDGET__CONFIRM_ABOVE": "0.01", "TERM": "xterm"}
    terminal, other = os.openpty()
    running = subprocess.Popen(
        [*COMMAND, "submit", "catalog.csv"],
        cwd=folder.path,
        env=folder.env,
        stdin=other,
        stdout=subprocess.DEVNULL,
        stderr=other,
    )
    os.close(other)

    asked = read_until(terminal, "[y/N]")
    os.write(terminal, b"n\n")
    answered = read_until(terminal, "Nothing was sent.")
    code = running.wait(60)
    os.close(terminal)

    assert "Send 3 images for about" in asked
    assert "Storing renders" not in asked
    assert "Nothing was sent." in answered
    assert code == 6


def test_wait_gives_up_after_its_timeout(folder: Folder) -> None:
    folder.env["DARKROOM_SIMULATOR__LATENCY"] = "5"
    folder.run("submit", "catalog.csv")

    waited = folder.run("job", "wait", "last", "--timeout", "0.1", "--json")

    assert (waited.returncode, waited.stdout) == (8, "")
    assert json.loads(waited.stderr)["error"]["code"] == "pending"


def test_up_renders_what_is_submitted_until_it_is_stopped(folder: Folder) -> None:
    running = folder.start("up", "--workers", "1")
    wait_until(lambda: folder.stack)

    submitted = folder.run("submit", "catalog.csv", "-q")
    waited = folder.run("job", "wait", submitted.stdout.strip())
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)

    assert (waited.returncode, running.returncode) == (0, 0)
    assert "Ready: " in err
    assert folder.stack is None


def test_what_was_paid_and_set_aside_is_counted_and_listed(folder: Folder) -> None:
    manifest = "id,prompt\nmug,A mug [[sim:blank]]\nlamp,A lamp\n"
    (folder.path / "two.csv").write_text(manifest, encoding="utf-8")
    ran = folder.run("run", "two.csv")

    shown = folder.run("job", "show").stdout
    listed = json.loads(folder.run("job", "quarantine", "--json").stdout)
    document = folder.document("job", "show")

    assert ran.returncode == 3, ran.stderr
    assert "GATE_BLANK 2" in shown
    assert [(each["id"], each["reason"]) for each in listed] == [("mug", "GATE_BLANK")] * 2
    assert all(Path(each["file"]).is_file() for each in listed)
    assert [(each["reason"], each["images"]) for each in document["quarantined"]] == [
        ("GATE_BLANK", 2)
    ]
    assert document["alike"] == []
