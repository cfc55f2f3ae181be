"""Every line of a process is JSON, safe for any terminal, and without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

BEGIN = """
import logging, sys, threading, warnings
import structlog
from darkroom import logs
from darkroom.settings import Settings
settings = Settings.model_validate({settings!r})
logs.configure(settings, "worker")
log = structlog.get_logger("ours")
"""


def said(program: str, **settings: object) -> str:
    """What a process with our logs writes to stderr."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGIN.format(settings=settings) + program],
        capture_output=True,
        check=False,
    )
    assert ran.stdout == b""
    return ran.stderr.decode()


def lines(program: str, **settings: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(program, **settings).splitlines()]


def test_a_line_names_its_process_time_and_level() -> None:
    (line,) = lines("log.info('attempt closed', job='job_1', render=7)")

    assert line["event"] == "attempt closed"
    assert (line["job"], line["render"], line["level"]) == ("job_1", 7, "info")
    assert line["process"] == "worker"
    assert line["timestamp"].endswith("Z")
    assert line["pid"] > 0


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[31mred", "\x7f", "\x9b31m", "\u202egnp", "\ud800", "\U000e0041", "\0"]
)
def test_control_characters_are_escaped_and_one_event_is_one_line(text: str) -> None:
    raw = said(f"log.info('x', said={text!r})")

    assert raw.count("\n") == 1
    assert raw.strip().isprintable()
    assert json.loads(raw)["said"] == text


def test_the_readable_form_is_as_safe() -> None:
    raw = said("log.info('x', said='\\x1b]0;title\\x07 \\u202e')", log={"format": "console"})

    assert "\x1b]0" not in raw
    assert "\x07" not in raw
    assert "\u202e" not in raw
    assert "\\x1b]0;title" in raw


def test_secrets_of_the_settings_are_hidden_whoever_writes_them() -> None:
    program = """
log.warning("canary-1234", url="redis://u:pass-word-1@h", nested={"a": ["canary-1234"]})
logging.getLogger("library").error("key %s", "canary-1234")
warnings.warn("canary-1234")
def crash(): raise RuntimeError("canary-1234")
thread = threading.Thread(target=crash); thread.start(); thread.join()
crash()
"""
    found = lines(program, aistudio={"api_key": "canary-1234"})

    assert "canary-1234" not in json.dumps(found)
    assert "pass-word-1" not in json.dumps(found)
    assert [line.get("logger") for line in found] == [None, "library", "py.warnings", None, None]
    assert [line["level"] for line in found][-2:] == ["critical", "critical"]


def test_an_error_is_one_short_line_without_what_it_quotes() -> None:
    program = """
from sqlalchemy import create_engine, text
from darkroom import db
engine = db.open_engine("sqlite://")
try:
    with db.writing(engine) as connection:
        connection.execute(text("SELECT :prompt FROM nowhere"), {"prompt": "a secret prompt"})
except Exception as error:
    log.warning("it failed", error=error)
    log.exception("it failed")
    log.warning("it failed", error=str(error))
"""
    short, traced, whole = lines(program)

    assert short["error"] == "OperationalError: no such table: nowhere"
    assert 'File "' in traced["exception"]
    assert "a secret prompt" not in json.dumps([short, traced, whole])


def test_an_error_of_many_words_is_cut() -> None:
    (line,) = lines("log.warning('x', error=ValueError('long ' * 1000))")

    assert len(line["error"]) < 350


def test_debug_is_for_us_alone_because_libraries_write_whole_requests() -> None:
    program = """
log.debug("ours")
logging.getLogger("httpx").debug("the whole request")
logging.getLogger("httpx").info("a request")
"""
    told = lines(program, log={"level": "debug"})

    assert [line["event"] for line in told] == ["ours", "a request"]
    assert lines(program) == []


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    program = """
import os
full = os.open("/dev/full", os.O_WRONLY)
kept = os.dup(2)
os.dup2(full, 2)
for _ in range(3):
    log.info("nobody hears it")
    logging.getLogger("library").error("nor this")
os.dup2(kept, 2)
log.info("back")
"""
    assert lines(program)[-1]["event"] == "back"
