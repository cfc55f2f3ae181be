"""The wheel as a user gets it: its names, its data, and the main road from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked alone: what is imported from here is not the checkout."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(installed: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "darkroom", *args]
    return subprocess.run(
        command, cwd=folder, env=env, check=False, capture_output=True, text=True, timeout=100
    )


def test_the_wheel_holds_our_five_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "darkroom",
        "darkroom_manifests",
        "darkroom_scheduler",
        "darkroom_simulator",
        "darkroom_worker",
    }


def test_data_and_migrations_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert "darkroom/registry/data/models.toml" in names
    assert "darkroom/migrations/env.py" in names
    assert any(name.startswith("darkroom/migrations/versions/0001") for name in names)
    assert "darkroom_worker/book.lua" in names
    assert "darkroom_simulator/catalog.toml" in names
    assert "darkroom/py.typed" in names


def test_a_manifest_is_rendered_by_the_installed_wheel_beside_decoys(
    installed: Path, tmp_path: Path
) -> None:
    for decoy in ("worker.py", "scheduler.py", "manifests.py", "simulator.py"):
        (tmp_path / decoy).write_text("raise SystemExit('imported by accident')")
    (tmp_path / "rows.csv").write_text("id,prompt\na,a lamp\nb,a vase\n")

    finished = run(installed, tmp_path, "run", "rows.csv", "--json")

    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["job"]["done"] == 2
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 2
    assert run(installed, tmp_path, "audit", "--deep").returncode == 0
