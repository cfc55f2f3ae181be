"""A proxy on a manifest's whole way: rendered, booked as billed, tried without spending."""

from __future__ import annotations

import csv
import http.server
import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fleet.command import Ran, called

from darkroom import embedded
from darkroom_simulator.child import Ready, running

PRICES = """\
[proxy.prices."gemini-nano-banana-2.1"]
text_in = 1.5
text_out = 7.5
image_out = 30

[proxy.prices."gemini-3-pro-image"]
text_in = 2
text_out = 12
image_out = 120
"""
ROWS = """\
{"id": "plain", "prompt": "a lamp", "n": 2}
{"id": "wide", "prompt": "a cup", "image_size": "2K", "aspect_ratio": "16:9"}
{"id": "seeded", "prompt": "a mug", "model": "gemini-3-pro-image", "seed": 7, "temperature": 0.5}
{"id": "shod", "prompt": "on a table", "references": ["shoe.png"], "aspect_ratio": "1:1"}
{"id": "worded", "prompt": "a jug [[sim:shape=markdown]]"}
{"id": "hosted", "prompt": "a vase [[sim:shape=hosted]]"}
{"id": "told", "prompt": "a bowl [[sim:cost]]"}
{"id": "busy", "prompt": "a pot [[sim:503-once]]"}
{"id": "hidden", "prompt": "a pan [[sim:error-200-once]]"}
{"id": "spoiled", "prompt": "a can [[sim:corrupt-once]]"}
{"id": "filtered", "prompt": "a tub [[sim:refuse]]"}
{"id": "talked", "prompt": "a box [[sim:text-only]]"}
{"id": "gone", "prompt": "a bag [[sim:shape=hosted]] [[sim:hosted=404]]"}
"""
BY_CALL = """\
{"id": "a", "prompt": "a lamp", "n": 3}
{"id": "b", "prompt": "a cup [[sim:empty]]"}
"""
QUICK_START = """\
{"id": "studio", "prompt": "a lamp", "tier": "aistudio"}
{"id": "vertex", "prompt": "a cup", "tier": "vertex"}
{"id": "proxy", "prompt": "a mug", "tier": "proxy"}
"""


class Folder:
    """A project's folder whose proxy is the simulator, and the command in it."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        self.env = kept | {
            "DARKROOM_PROXY__BASE_URL": url,
            "DARKROOM_PROXY__API_KEY": "key-of-the-proxy",
            "DARKROOM_PROXY__ALLOW_HOSTS": "127.0.0.1",
            "DARKROOM_DEFAULTS__MODEL": "gemini-nano-banana-2.1",
            "DARKROOM_TIERS__PROXY__ADAPTIVE_START": "600",
            "DARKROOM_TIERS__VERTEX__ADAPTIVE_START": "600",
            "DARKROOM_RULES__BACKOFF_SECONDS": "0.1",
        }

    def run(self, *args: str) -> Ran:
        return called(self.path, self.env, *args)


@pytest.fixture
def simulator() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", "60000") as ready:
        yield ready


@pytest.fixture
def folder(tmp_path: Path, simulator: Ready) -> Iterator[Folder]:
    yield Folder(tmp_path, simulator.url)
    embedded.stop(tmp_path / ".darkroom")


def bill(simulator: Ready) -> dict[str, Any]:
    with urllib.request.urlopen(f"{simulator.url}/_sim/ledger") as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)
        return found


def test_a_manifest_through_a_proxy_costs_what_the_proxys_bill_says(
    folder: Folder, simulator: Ready
) -> None:
    (folder.path / "darkroom.toml").write_text(PRICES, encoding="utf-8")
    (folder.path / "rows.jsonl").write_text(ROWS, encoding="utf-8")
    Image.new("RGB", (64, 64), "red").save(folder.path / "shoe.png")

    planned = folder.run("plan", "rows.jsonl", "--json")
    ran = folder.run("run", "rows.jsonl", "--max-cost", "5.00", "--json")
    report = folder.run("report", "last", "--format", "csv")

    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert {share["tier"] for share in json.loads(planned.stdout)["shares"]} == {"proxy"}
    assert ran.returncode == 3, ran.stderr
    document = json.loads(ran.stdout)
    states = {name: document["job"][name] for name in ("done", "refused", "failed")}
    assert states == {"done": 11, "refused": 2, "failed": 1}
    assert document["cost"]["spent_nusd"] == bill(simulator)["cost_nusd"] > 0
    rows = {row["id"]: row for row in csv.DictReader(report.stdout.splitlines())}
    assert rows["plain"]["cost_source"] == "listed"
    assert rows["plain"]["price_version"] == "proxy.prices"
    assert rows["told"]["cost_source"] == "reported"
    assert rows["gone"]["finish_reason"] == "HOSTED_IMAGE"
    assert folder.run("audit", "--deep").returncode == 0


def test_a_price_by_the_call_is_what_is_planned_reserved_and_booked(tmp_path: Path) -> None:
    with running("--pictures", "cached", "--body-bytes", "60000", "--per-call", "0.05") as proxy:
        folder = Folder(tmp_path, f"{proxy.url}/v1")
        folder.env["DARKROOM_PROXY__MODE"] = "images"
        price = '[proxy.prices."gemini-nano-banana-2.1"]\nper_call = 0.05\n'
        (tmp_path / "darkroom.toml").write_text(price, encoding="utf-8")
        (tmp_path / "rows.jsonl").write_text(BY_CALL, encoding="utf-8")
        planned = folder.run("plan", "rows.jsonl", "--json")
        ran = folder.run("run", "rows.jsonl", "--max-cost", "0.25", "--json")
        audited = folder.run("audit", "--deep")
        embedded.stop(tmp_path / ".darkroom")

        assert json.loads(planned.stdout)["likely_nusd"] == 200_000_000
        assert ran.returncode == 3, ran.stderr
        spent = json.loads(ran.stdout)["cost"]["spent_nusd"]
        assert spent == bill(proxy)["cost_nusd"] == 250_000_000
        assert audited.returncode == 0, audited.stdout


def test_the_three_calls_of_the_quick_start_are_three_rows(
    folder: Folder, simulator: Ready
) -> None:
    folder.env |= {
        "GEMINI_API_KEY": "key",
        "GOOGLE_GEMINI_BASE_URL": simulator.url,
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_VERTEX_BASE_URL": simulator.url,
        "DARKROOM_VERTEX__ACCESS_TOKEN": "token",
    }
    (folder.path / "darkroom.toml").write_text(PRICES, encoding="utf-8")
    (folder.path / "rows.jsonl").write_text(QUICK_START, encoding="utf-8")

    ran = folder.run("run", "rows.jsonl", "--max-cost", "1.00", "--json")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["job"]["done"] == 3
    assert json.loads(ran.stdout)["cost"]["spent_nusd"] == bill(simulator)["cost_nusd"]


def test_rows_that_name_no_tier_do_not_go_to_a_proxy_where_google_is_configured(
    folder: Folder,
) -> None:
    folder.env["GEMINI_API_KEY"] = "key"
    (folder.path / "darkroom.toml").write_text(PRICES, encoding="utf-8")
    (folder.path / "rows.jsonl").write_text('{"id": "a", "prompt": "a lamp"}\n', encoding="utf-8")

    planned = folder.run("plan", "rows.jsonl", "--json")

    assert {share["tier"] for share in json.loads(planned.stdout)["shares"]} == {"aistudio"}


def test_what_a_wire_has_no_word_for_is_refused_before_anything_is_sent(
    folder: Folder, simulator: Ready
) -> None:
    folder.env["DARKROOM_PROXY__MODE"] = "images"
    row = '{"id": "a", "prompt": "a lamp", "model": "gemini-3-pro-image", "seed": 7}\n'
    (folder.path / "rows.jsonl").write_text(row, encoding="utf-8")

    checked = folder.run("run", "rows.jsonl", "--max-cost", "1.00")

    assert checked.returncode == 5
    assert "proxy takes no seed in mode images." in checked.stderr
    assert "set proxy.mode to chat or native" in checked.stderr
    assert bill(simulator)["requests"] == 0


def test_a_proxy_is_tried_without_spending(folder: Folder, simulator: Ready) -> None:
    tried = folder.run("backend", "test", "proxy", "--json")

    assert tried.returncode == 0, tried.stderr
    document = json.loads(tried.stdout)
    assert document["works"] is True
    assert {door["door"]: door["answers"] for door in document["doors"]} == {
        "models": True,
        "images": True,
        "chat": True,
        "native": True,
    }
    assert bill(simulator)["cost_nusd"] == 0


@pytest.mark.parametrize("tier", ["aistudio", "vertex"])
def test_googles_own_tiers_are_tried_without_spending(
    folder: Folder, simulator: Ready, tier: str
) -> None:
    folder.env |= {
        "GEMINI_API_KEY": "key",
        "GOOGLE_GEMINI_BASE_URL": simulator.url,
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_VERTEX_BASE_URL": simulator.url,
        "DARKROOM_VERTEX__ACCESS_TOKEN": "token",
    }

    tried = folder.run("backend", "test", tier)

    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "Nothing was spent." in tried.stderr
    assert bill(simulator)["requests"] == 0


def test_a_model_that_the_proxy_calls_otherwise_is_said(folder: Folder) -> None:
    tried = folder.run("backend", "test", "proxy", "--model", "imagen-4")

    assert tried.returncode == 1
    assert "Give the proxy's own name for it in proxy.models." in tried.stdout


def test_a_wrong_key_is_said_and_not_shown(tmp_path: Path) -> None:
    with running("--api-key", "right") as strict:
        tried = Folder(tmp_path, strict.url).run("backend", "test", "proxy")

    assert tried.returncode == 1
    assert "Check proxy.api_key." in tried.stdout
    assert "key-of-the-proxy" not in tried.stdout + tried.stderr


class ImagesOnly(http.server.BaseHTTPRequestHandler):
    """A proxy with one wire, whose website answers everything else."""

    def do_GET(self) -> None:
        self._answer(200, b"<!doctype html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/images/generations"):
            self._answer(400, b'{"error": {"message": "prompt is missing"}}')
        else:
            self._answer(404, b"<!doctype html>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def images_only() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ImagesOnly) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_mode_that_works_is_named(tmp_path: Path) -> None:
    with images_only() as url:
        tried = Folder(tmp_path, url).run("backend", "test", "proxy")

    assert tried.returncode == 1
    assert "proxy does not work in mode chat. Set proxy.mode to images." in tried.stderr
