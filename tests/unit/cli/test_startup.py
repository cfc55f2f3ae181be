"""The command starts quickly because it loads only what it needs."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from darkroom.cli import SECTIONS, main

HEAVY = (
    "sqlalchemy",
    "celery",
    "google",
    "redis",
    "pydantic",
    "alembic",
    "aiohttp",
    "PIL",
    "rich",
    "msgspec",
)

LOADED = f"""
import sys
from darkroom.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
heavy = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(", ".join(heavy) or 0)
"""


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(flag: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, flag], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "darkroom" in ran.stdout


@pytest.mark.parametrize("name", [name for section in SECTIONS.values() for name in section])
def test_every_command_that_is_listed_exists_and_explains_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert isinstance(command, click.Command)
    assert command.help


def test_a_module_runs_as_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "darkroom", "--version"], capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith("darkroom ")


def test_the_simulator_explains_itself_as_the_command_it_is() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "darkroom", "simulator", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.startswith("usage: darkroom simulator ")
    assert "Stand in for Google on loopback" in ran.stdout
