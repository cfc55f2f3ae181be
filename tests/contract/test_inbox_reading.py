"""What is dropped is read as the settings and its side file say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from darkroom.cli import main

SHOP = "Handle,Title,Image Src\nk,Kettle,https://x.example/k.jpg\nl,Lamp,\n"
SETTINGS = '[templates.hero]\nprompt = "Photo of {{ title }}"\n[inbox]\nsettle_seconds = 0.1\n'

Drop = Callable[[str], dict[str, Any]]


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drop:
    """Drop a shop's export with this side file; the report that comes to lie beside it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "darkroom.toml").write_text(SETTINGS, encoding="utf-8")
    run = CliRunner().invoke

    def dropped(side: str) -> dict[str, Any]:
        (tmp_path / "inbox").mkdir()
        added = run(main, ["inbox", "add", "./inbox", "--tier", "simulator"])
        assert added.exit_code == 0, added.stderr
        (tmp_path / "inbox/shop.csv.toml").write_text(side, encoding="utf-8")
        (tmp_path / "inbox/shop.csv").write_text(SHOP, encoding="utf-8")
        scanned = run(main, ["inbox", "scan"])
        (report,) = (tmp_path / "inbox").rglob("*.report.json")
        assert scanned.exit_code == 0, scanned.stderr
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found

    return dropped


@pytest.mark.parametrize("side", ['template = "hero"', 'mapping = { prompt = "Title" }'])
def test_a_shops_export_becomes_a_job_as_its_side_file_says(drop: Drop, side: str) -> None:
    report = drop(side)

    assert (report["state"], report["rows"]) == ("accepted", 2)


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ('template = "none"', "There is no template"),
        ('mapping = { promt = "Title" }', "There is no field"),
    ],
)
def test_what_a_side_file_says_wrongly_is_said_beside_the_file(
    drop: Drop, side: str, said: str
) -> None:
    report = drop(side)

    assert said in report["message"]
    assert report["hint"]
