"""What an operator sees of real processes: lines, metrics, findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from prometheus_client.parser import text_string_to_metric_families
from tests.fleet.command import called
from tests.fleet.fleet import free_port

from darkroom import Darkroom

Open = Callable[..., Darkroom]

ROWS: list[dict[str, object]] = [
    {"id": "plain", "prompt": "canary lamp", "n": 3},
    {"id": "no", "prompt": "canary lamp [[sim:refuse]]"},
    {"id": "later", "prompt": "canary lamp [[sim:500-once]]"},
]


def lines_of(room: Darkroom, process: str) -> list[dict[str, Any]]:
    """The log of a process; Celery itself writes a few words as plain text when it ends."""
    log = room.settings.home / "logs" / f"{process}.log"
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    whole = text.splitlines(keepends=True)  # the last one may be just being written
    return [json.loads(line) for line in whole if line.startswith("{") and line.endswith("\n")]


def lines_that_say(room: Darkroom, process: str, event: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(room, process) if line["event"] == event]


def test_every_attempt_is_one_line_with_its_ids_and_no_prompt(open_room: Open) -> None:
    room = open_room(rules={"backoff_seconds": 0.01})
    job = room.submit(ROWS)

    job.wait(60)
    # The books are written before the logs.
    wait_until(lambda: len(lines_that_say(room, "worker-1", "attempt closed")) >= 6)
    wait_until(lambda: lines_of(room, "scheduler"))

    lines = lines_that_say(room, "worker-1", "attempt closed")
    outcomes = sorted(line["outcome"] for line in lines)
    assert outcomes == ["delivered", "delivered", "delivered", "delivered", "refused", "transient"]
    assert {line["job"] for line in lines} == {job.id}
    assert {line["render"] for line in lines} == {r.render_id for r in job.results()}
    assert len({line["attempt"] for line in lines}) == 6
    assert all(line["tier"] == "simulator" and line["model"] for line in lines)
    assert sum(line["charged_nusd"] for line in lines) == job.state.spent_nusd
    assert "canary" not in json.dumps(lines_of(room, "worker-1"))
    assert [line["event"] for line in lines_of(room, "scheduler")] == ["the clock ticks"]


def page(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own, on loopback
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def total(url: str, name: str) -> float:
    try:
        return sum(value for (found, _), value in page(url).items() if found == name)
    except URLError:
        return 0.0


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def metrics_port(room: Darkroom) -> int:
    wait_until(lambda: lines_that_say(room, "worker-1", "metrics are served"))
    port: int = lines_that_say(room, "worker-1", "metrics are served")[-1]["port"]
    return port


def test_a_worker_shows_what_is_in_flight_and_what_it_charged(open_room: Open) -> None:
    room = open_room(
        simulator={"latency": "2", "pictures": "cached"}, worker={"metrics_port": 29_600}
    )
    job = room.submit(ROWS[:1])
    room.render_here()
    url = f"http://127.0.0.1:{metrics_port(room)}/metrics"

    wait_until(lambda: total(url, "darkroom_worker_in_flight") == 3)
    wait_until(lambda: total(url, "darkroom_worker_attempts_total") == 3)
    wait_until(lambda: total(url, "darkroom_worker_in_flight") == 0)
    wait_until(lambda: total(url, "darkroom_worker_spool_answers") == 0)

    assert total(url, "darkroom_worker_image_bytes_total") > 3_000
    charged = total(url, "darkroom_worker_charged_dollars_total")
    assert round(charged * 1e9) == job.state.spent_nusd


@contextmanager
def metrics_of(room: Darkroom) -> Iterator[str]:
    home, port = room.settings.home, free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("DARKROOM_")}
    command = ["-m", "darkroom", "metrics", "--port", str(port), "--home", str(home)]
    process = subprocess.Popen(
        [sys.executable, *command], env=env, cwd=home, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == f"Ready: http://127.0.0.1:{port}/metrics\n"
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


def test_the_books_are_served_by_a_process_of_its_own(open_room: Open) -> None:
    room = open_room()
    job = room.submit(ROWS)
    job.wait(60)

    with metrics_of(room) as url:
        found = page(url)

    assert found["darkroom_database_up", frozenset()] == 1
    done = {v for (name, labels), v in found.items() if ("state", "done") in labels}
    assert done == {4}
    charged = sum(v for (name, _), v in found.items() if name == "darkroom_charged_dollars_total")
    assert round(charged * 1e9) == job.state.spent_nusd


def doctor(home: Path) -> tuple[int, list[dict[str, Any]]]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "G"))}
    ran = called(home, env, "doctor", "--fleet", "--json", "--home", str(home))
    return ran.returncode, json.loads(ran.stdout)


def test_the_doctor_finds_a_working_stack_in_order_and_an_idle_one_not(open_room: Open) -> None:
    room = open_room(
        simulator={"latency": "60", "pictures": "cached"}, worker={"grace_seconds": 0.1}
    )
    job = room.submit(ROWS[:1])

    before, _ = doctor(room.settings.home)
    room.render_here()
    wait_until(lambda: job.state.sent)
    wait_until(lambda: lines_that_say(room, "scheduler", "the clock ticks"))
    during, findings = doctor(room.settings.home)

    assert (before, during) == (1, 0)
    facts = [each["fact"] for each in findings]
    assert "one ticks" in facts
    assert any(fact.startswith("alive: ") and "simulator 1" in fact for fact in facts)
    job.cancel()
