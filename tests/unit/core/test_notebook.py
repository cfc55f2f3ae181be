from __future__ import annotations

from pathlib import Path

import pytest

import darkroom
from darkroom import Darkroom
from darkroom.settings import Settings


@pytest.fixture
def room(tmp_path: Path) -> Darkroom:
    return Darkroom(Settings(home=tmp_path / "home"))


def test_a_plan_shows_itself_in_a_notebook_and_runs_nothing_there(room: Darkroom) -> None:
    rows = [{"prompt": "A lamp", "n": 2}, {"prompt": ""}]

    shown = room.plan(rows)._repr_html_()
    room.close()

    assert "<caption>rows</caption>" in shown
    assert "<tr><th>to render</th><td>2</td></tr><tr><th>invalid</th><td>1</td></tr>" in shown
    assert "(simulated)" in shown
    assert "unchanged" not in shown


def test_a_manifest_s_name_is_no_markup_in_a_notebook(room: Darkroom, tmp_path: Path) -> None:
    manifest = tmp_path / "<b>x.csv"
    manifest.write_text("prompt\nA lamp\n")

    shown = room.plan(manifest)._repr_html_()
    room.close()

    assert "&lt;b&gt;x" in shown


def test_the_package_lists_what_it_offers() -> None:
    assert set(darkroom.__all__) <= set(dir(darkroom))
