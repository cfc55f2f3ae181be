"""A key and a prompt go the whole way, through every fault: the key is nowhere afterwards, and the
prompt in the database alone."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conftest import contents

from darkroom import Darkroom, Job
from darkroom.cli import main
from darkroom.report import JobState
from darkroom_simulator.child import running

Open = Callable[..., Darkroom]

KEY = "canary-key-5f1c0b9a77e24d"
PROMPT = "canary prompt 8c1e"
FAULTS = (
    "",
    "[[sim:500-once]]",
    "[[sim:502-html-once]]",
    "[[sim:429-once=0.1]]",
    "[[sim:drop-before-once]]",
    "[[sim:drop-after-once]]",
    "[[sim:truncated-once]]",
    "[[sim:garbage-once]]",
    "[[sim:corrupt-once]]",
    "[[sim:bad-base64-once]]",
    "[[sim:refuse]]",
    "[[sim:block]]",
    "[[sim:text-only]]",
)


class Parrot(BaseHTTPRequestHandler):
    """A provider at its worst: it answers 400 and quotes the request, key and prompt and all."""

    def do_POST(self) -> None:  # the library's name
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = f"cannot do {asked} with x-goog-api-key: {self.headers['x-goog-api-key']}"
        error = {"code": 400, "status": "INVALID_ARGUMENT", "message": said}
        body = json.dumps({"error": error}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def parrot() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:  # it has just ended
            continue
    return "\n".join(found)


def rendered(room: Darkroom, prompts: list[str]) -> tuple[Job, str]:
    """Render until nothing moves; the command lines of all processes meanwhile."""
    rows = [{"id": f"r{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]
    job = room.submit(rows, consent=True)
    seen: list[str] = []

    def look(_state: JobState) -> None:
        seen.append(command_lines())

    job.wait(60, tell=look)
    return job, "\n".join(seen)


def real_tier(url: str) -> dict[str, object]:
    return {
        "aistudio": {"api_key": KEY, "base_url": url},
        "tiers": {"aistudio": {"requests_per_minute": 6000}},
        "rules": {"backoff_seconds": 0.01, "max_attempts": 2},
    }


def assert_clean(room: Darkroom, job: Job, lines: str) -> None:
    """Look everywhere where something is left: files, a dump of the database, command lines."""
    prompt, key, home = PROMPT.encode(), KEY.encode(), room.settings.home
    exported = CliRunner().invoke(main, ["--home", str(home), "report", job.id, "--format", "csv"])
    room.close()
    files = contents(home.parent)
    dump = "\n".join(sqlite3.connect(home / "darkroom.db").iterdump())

    assert lines
    assert KEY not in lines + dump + exported.output
    assert PROMPT not in lines
    assert PROMPT in dump
    assert [path.name for path, data in files.items() if key in data] == []
    with_prompt = {path.name for path, data in files.items() if prompt in data}
    assert with_prompt <= {"darkroom.db", "darkroom.db-wal"}
    assert (home / "logs" / "worker-1.log").stat().st_size > 0


def test_a_key_and_a_prompt_stay_where_they_belong_whatever_fails(open_room: Open) -> None:
    with running("--pictures", "cached") as stand_in:
        room = open_room(**real_tier(stand_in.url))
        job, lines = rendered(room, [f"{PROMPT} {fault}" for fault in FAULTS])

    assert job.state.done > 0
    assert_clean(room, job, lines)


def test_a_provider_that_quotes_the_request_does_not_make_us_tell(open_room: Open) -> None:
    with parrot() as url:
        room = open_room(**real_tier(url))
        job, lines = rendered(room, [PROMPT])

        (result,) = job.results()

    assert job.state.failed == 1
    assert "with x-goog-api-key: [hidden]" in (result.message or "")
    assert_clean(room, job, lines)


def test_a_refused_key_is_named_by_nobody(open_room: Open) -> None:
    with running("--api-key", "another") as stand_in:
        room = open_room(**real_tier(stand_in.url))
        job, lines = rendered(room, [PROMPT])

    assert job.state.pending == 1
    assert_clean(room, job, lines)


def test_a_crash_of_the_command_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    url = f"postgresql://user:{KEY}@127.0.0.1:1/none"
    monkeypatch.setenv("DARKROOM_DATABASE_URL", url)

    ran = CliRunner().invoke(main, ["--home", str(tmp_path), "job", "ls", "--debug"])

    assert ran.exit_code != 0
    assert KEY not in ran.output
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()
