"""Images of a schedule on their way to a shop: rendered, reviewed, published, by real processes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.command import Ran, called

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.settings import Settings

FAR = 90.0
SCHEDULE = """
name = "shop"
cron = "0 0 1 1 *"
timezone = "UTC"
tier = "simulator"
catalog = "shop"
select = "changed"
source = { manifest = "rows.csv" }
review = "required"
publish = { when = "approved", to = "window", manifest = "published.csv" }
"""


class Folder:
    """A folder with a schedule, in which `darkroom up` runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "schedules").mkdir()
        (path / "schedules" / "shop.toml").write_text(SCHEDULE, encoding="utf-8")
        (path / "rows.csv").write_text("id,prompt\nlamp,A lamp\nmug,A mug\n", encoding="utf-8")
        self._up: subprocess.Popen[bytes] | None = None

    def run(self, *args: str) -> Ran:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        ran = called(self.path, kept, *args)
        assert ran.returncode == 0, ran.stderr
        return ran

    def read(self, *args: str) -> Any:  # noqa: ANN401  # any JSON
        return json.loads(self.run(*args, "--json").stdout)

    def up(self) -> None:
        log = (self.path / "up.log").open("ab")
        command = [sys.executable, "-m", "darkroom", "up"]
        self._up = subprocess.Popen(command, cwd=self.path, stdout=log, stderr=log)
        log.close()

    def down(self) -> None:
        if self._up is not None:
            self._up.terminate()
            self._up.wait(60)
            self._up = None

    def night(self) -> dict[str, Any]:
        """Let the schedule run, and wait until that run is over."""
        self.run("schedule", "run", "shop")
        self.until(lambda: self.last()["state"] == "done")
        return self.last()

    def last(self) -> dict[str, Any]:
        runs: list[dict[str, Any]] = self.read("schedule", "show", "shop")["runs"]
        return runs[0]

    def until(self, is_so: Callable[[], object]) -> None:
        ends = time.monotonic() + FAR
        while not is_so():
            assert time.monotonic() < ends, (self.path / "up.log").read_text()
            time.sleep(0.3)

    def listed(self) -> dict[str, str]:
        """What the manifest says: files by the ids of rows."""
        path = self.path / "window" / "published.csv"
        if not path.exists():
            return {}
        with path.open(encoding="utf-8", newline="") as file:
            return {line["id"]: line["file"] for line in csv.DictReader(file)}

    def published(self) -> set[str]:
        return {path.name for path in (self.path / "window").iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    try:
        yield folder
    finally:
        folder.down()


@pytest.mark.timeout(300)
def test_what_is_approved_is_published_and_what_is_rejected_is_made_again(folder: Folder) -> None:
    folder.run("schedule", "apply")
    folder.up()
    first = folder.night()
    assert first["images"] == {"waiting": 2, "approved": 0, "rejected": 0, "published": 0}

    folder.run("review", "approve", first["job_id"], "lamp")
    folder.run("review", "reject", first["job_id"], "mug", "--note", "crooked")
    folder.until(folder.listed)

    (lamp,) = folder.listed().values()
    assert folder.published() == {lamp, "published.csv"}
    second = folder.night()
    assert (second["job"]["total"], second["job"]["unchanged"]) == (1, 1)
    assert second["images"] == {"waiting": 1, "approved": 1, "rejected": 0, "published": 1}
    folder.down()
    folder.run("review", "approve", second["job_id"], "--all")
    folder.up()
    folder.until(lambda: len(folder.listed()) == 2)
    assert folder.published() == {*folder.listed().values(), "published.csv"}
    third = folder.night()
    assert (third["job_id"], third["reason"]) == (
        None,
        "Nothing to make: 2 images are unchanged.",
    )
    with Darkroom(Settings(home=folder.path / ".darkroom")) as room:
        assert audit(room.database, room.settings.home) == []
