from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

import darkroom
from darkroom import Darkroom
from darkroom.live import Watcher
from darkroom.report import JobState
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


def state(**given: object) -> JobState:
    counts = dict.fromkeys((*COUNTS, "rows", "invalid", "unchanged", "shared", "total"), 0)
    money = ("reserved_nusd", "spent_nusd", "at_risk_nusd", "likely_nusd")
    told: dict[str, object] = (
        counts | dict.fromkeys(money, 0) | {"id": "job_1", "name": "<i>shop", "source": None}
    )
    told |= {"state": "running", "created_at": datetime.now(UTC), "finished_at": None}
    told |= {"deliver_by": None, "priority": 0, "storage_url": "out", "output_path": "{job}/{id}"}
    told |= {"catalog": None, "cap_nusd": None, "simulated": True, "needs_approval": False}
    return msgspec.convert(told | given, JobState)


COUNTS = (
    "held",
    "waiting",
    "pending",
    "sent",
    "submitted",
    "done",
    "refused",
    "failed",
    "cancelled",
)


@pytest.fixture
def outputs() -> Iterator[list[dict[str, Any]]]:
    """What cells of IPython itself display."""
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher(parent=shell, shell=shell)  # type: ignore[no-untyped-call]
    shell.display_pub = publisher
    yield publisher.outputs
    InteractiveShell.clear_instance()


def test_in_a_notebook_one_table_is_drawn_anew_as_a_job_goes_on(
    outputs: list[dict[str, Any]],
) -> None:
    watcher = Watcher()

    for done in (0, 1, 1, 2):
        watcher(state(total=2, done=done))

    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert [output.get("update", False) for output in outputs] == [False, True, True]
    assert "<td>2 of 2</td>" in outputs[-1]["data"]["text/html"]
    assert "&lt;i&gt;shop" in outputs[-1]["data"]["text/html"]


def test_outside_a_notebook_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = Watcher()

    for done in (0, 1, 1):
        watcher(state(total=2, done=done))

    assert capsys.readouterr().err == "job_1: 0 of 2, running\njob_1: 1 of 2, running\n"
