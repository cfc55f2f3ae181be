"""The README does what it says: its commands are run as they stand, its price is the plan's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from darkroom import Choices, Darkroom, embedded
from darkroom.settings import Settings
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEST = "make test"

Env = Mapping[str, str]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """What the commands need of the repository, with this environment as its `.venv`."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "manifests/examples", tmp_path / "manifests/examples")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.executable).parent)
    for stamp in ("uv", "installed", "developing"):
        (tmp_path / ".venv" / stamp).touch()
    yield tmp_path
    for ready in tmp_path.rglob("stack.json"):
        embedded.stop(ready.parent)


@pytest.fixture
def env() -> Iterator[Env]:
    """A clean environment in which Google's address is the simulator's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_", "GE"))}
    with running("--api-key", "your-key", "--pictures", "cached") as google:
        yield {
            **kept,
            "NO_GCE_CHECK": "true",
            "GOOGLE_GEMINI_BASE_URL": google.url,
            "DARKROOM_SIMULATOR__LATENCY": "0",
            "DARKROOM_SIMULATOR__PICTURES": "cached",
            "DARKROOM_TIERS__AISTUDIO__REQUESTS_PER_MINUTE": "6000",
        }


def bash(lines: list[str], folder: Path, env: Env) -> subprocess.CompletedProcess[str]:
    script = "\n".join(["set -euxo pipefail", *lines])
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, check=False, capture_output=True, text=True
    )


def test_every_command_works_as_it_stands(checkout: Path, env: Env) -> None:
    lines = [line for line in commands() if line != TEST]

    done = bash([*lines, "darkroom cost --json"], checkout, env)

    assert done.returncode == 0, done.stderr
    assert len(list((checkout / "out/demo").rglob("*.jpg"))) == 27
    assert len(list((checkout / "shop/out").rglob("*.jpg"))) == 7
    cost = json.loads(done.stdout[done.stdout.index("{") :])
    assert 0 < cost["spent_nusd"] <= 0.5 * NANO
    assert cost["simulated_nusd"] == 0


def test_its_command_for_the_tests_runs_this_very_suite(checkout: Path, env: Env) -> None:
    alone = {name: value for name, value in env.items() if not name.startswith("MAKE")}
    done = bash([f"{TEST} --dry-run"], checkout, alone)

    assert TEST in commands()
    assert done.stdout.split()[:2] == [".venv/bin/pytest", "-q"]
    assert 'testpaths = ["tests"]' in (checkout / "pyproject.toml").read_text(encoding="utf-8")


def test_its_program_renders_a_picture(tmp_path: Path, env: Env) -> None:
    (program,) = blocks("python")

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**env, "GEMINI_API_KEY": "your-key"},
        check=False,
        capture_output=True,
        text=True,
    )
    embedded.stop(tmp_path / ".darkroom")

    assert done.stdout.startswith("mug done "), done.stderr
    assert len(list((tmp_path / "out").rglob("mug_1.jpg"))) == 1


def test_its_price_is_what_the_plan_says(tmp_path: Path) -> None:
    example = ROOT / "src/darkroom/cli/starter/example.csv"
    with Darkroom(Settings(home=tmp_path)) as room:
        plan = room.plan(example, choices=Choices(tier=Tier.AISTUDIO))

    assert plan.renders == 7
    assert f"Seven images for about ${plan.likely_nusd / NANO:.2f}," in README
