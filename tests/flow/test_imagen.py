"""Imagen on a manifest's whole way: refused while retired, billed by the image where it lives."""

from __future__ import annotations

import csv
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.command import Ran, called

from darkroom import embedded
from darkroom_simulator.child import Ready, running

ROWS = """\
{"id": "fast", "prompt": "a lamp", "model": "imagen-4.0-fast-generate-001", "n": 2}
{"id": "plain", "prompt": "a cup", "model": "imagen-4", "image_size": "2K", "aspect_ratio": "16:9"}
{"id": "seeded", "prompt": "a mug", "model": "imagen-4", "seed": 7, "negative_prompt": "text"}
{"id": "ultra", "prompt": "a jug", "model": "imagen-4.0-ultra-generate-001"}
{"id": "busy", "prompt": "a pot [[sim:503-once]]", "model": "imagen-4.0-generate-001"}
{"id": "filtered", "prompt": "a pan [[sim:refuse=61493863]]", "model": "imagen-4.0-generate-001"}
{"id": "blocked", "prompt": "a tub [[sim:block]]", "model": "imagen-4.0-generate-001"}
{"id": "spoiled", "prompt": "a can [[sim:corrupt-once]]", "model": "imagen-4.0-generate-001"}
"""
LIVING = (
    '{"id": "other", "prompt": "a bowl", "model": "gemini-3.1-flash-image", "tier": "vertex"}\n'
)
BILL = 2 * 20_000_000 + 40_000_000 + 40_000_000 + 60_000_000 + 40_000_000 + 2 * 40_000_000


class Folder:
    """A project's folder whose Vertex is the simulator, and the command in it."""

    def __init__(self, path: Path, vertex: str) -> None:
        self.path = path
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        self.env = kept | {
            "GOOGLE_CLOUD_PROJECT": "p",
            "GOOGLE_VERTEX_BASE_URL": vertex,
            "DARKROOM_VERTEX__ACCESS_TOKEN": "token",
            "DARKROOM_TIERS__IMAGEN__ADAPTIVE_START": "600",
            "DARKROOM_TIERS__VERTEX__ADAPTIVE_START": "600",
            "DARKROOM_RULES__BACKOFF_SECONDS": "0.1",
        }

    def run(self, *args: str) -> Ran:
        return called(self.path, self.env, *args)


@pytest.fixture
def google() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", "60000") as ready:
        yield ready


@pytest.fixture
def folder(tmp_path: Path, google: Ready) -> Iterator[Folder]:
    yield Folder(tmp_path, google.url)
    embedded.stop(tmp_path / ".darkroom")


def bill(google: Ready) -> dict[str, Any]:
    with urllib.request.urlopen(f"{google.url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)
        return found


def test_a_manifest_for_imagen_costs_what_the_simulators_bill_says(
    folder: Folder, google: Ready
) -> None:
    (folder.path / "rows.jsonl").write_text(ROWS, encoding="utf-8")
    folder.env["DARKROOM_TIERS__IMAGEN__ALLOW_RETIRED"] = "true"

    planned = folder.run("plan", "rows.jsonl", "--tier", "imagen", "--json")
    ran = folder.run("run", "rows.jsonl", "--tier", "imagen", "--max-cost", "2.00", "--json")
    report = folder.run("report", "last", "--format", "csv")

    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert {share["tier"] for share in json.loads(planned.stdout)["shares"]} == {"imagen"}
    assert ran.returncode == 3, ran.stderr
    document = json.loads(ran.stdout)
    assert (document["job"]["done"], document["job"]["refused"]) == (7, 2)
    assert document["cost"]["spent_nusd"] == bill(google)["cost_nusd"] == BILL
    rows = {row["id"]: row for row in csv.DictReader(report.stdout.splitlines())}
    assert rows["filtered"]["finish_reason"] == "RAI_VIOLENCE"
    assert folder.run("audit", "--deep").returncode == 0


def test_without_leave_a_retired_row_names_its_successor_and_the_rest_is_rendered(
    folder: Folder, google: Ready
) -> None:
    (folder.path / "rows.jsonl").write_text(ROWS + LIVING, encoding="utf-8")

    wishes = ("--tier", "imagen", "--max-cost", "2.00", "--accept-valid")
    ran = folder.run("run", "rows.jsonl", *wishes)

    assert "imagen-4.0-ultra-generate-001 on imagen was shut down on 2026-08-17." in ran.stderr
    assert "gemini-3-pro-image on vertex ($0.1344 an image of 1K instead of $0.06)" in ran.stderr
    assert (
        "gemini-3.1-flash-image on vertex ($0.1008 an image of 2K instead of $0.04)" in ran.stderr
    )
    assert "allow_retired" in ran.stderr
    assert bill(google)["requests"] == 1


def test_a_row_without_a_tier_finds_imagen_by_auto(folder: Folder, google: Ready) -> None:
    row = '{"id": "a", "prompt": "a lamp", "model": "imagen-4"}\n'
    (folder.path / "rows.jsonl").write_text(row + LIVING, encoding="utf-8")
    folder.env["DARKROOM_ALLOW_RETIRED"] = "true"

    ran = folder.run("run", "rows.jsonl", "--tier", "auto", "--max-cost", "2.00", "--json")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["job"]["done"] == 2
    assert bill(google)["cost_nusd"] == json.loads(ran.stdout)["cost"]["spent_nusd"]
