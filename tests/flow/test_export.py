"""The page on Shopify, run as it stands: a product export rendered, and given back with images."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darkroom import Choices, Darkroom, embedded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/from-shopify-and-back.md").read_text(encoding="utf-8")
CDN = "https://cdn.example.com/shop"


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(ROOT / "manifests/examples", tmp_path / "manifests/examples")
    yield tmp_path
    embedded.stop(tmp_path / ".darkroom")


def commands() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def shell(lines: list[str], folder: Path) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
    env = kept | {
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "DARKROOM_SIMULATOR__LATENCY": "0",
        "DARKROOM_SIMULATOR__PICTURES": "cached",
    }
    ran = subprocess.run(
        ["bash", "-euc", "\n".join(lines)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_on_shopify_works_as_it_stands(checkout: Path) -> None:
    more = "darkroom check shop-with-images.csv --map prompt=Title"
    said = shell([*commands(), more], checkout)

    before = (checkout / "manifests/examples/shopify.csv").read_bytes().splitlines(keepends=True)
    after = (checkout / "shop-with-images.csv").read_bytes().splitlines(keepends=True)
    filled = table(checkout / "shop-with-images.csv")
    images = [row["Image Src"] for row in filled if row["Image Src"].startswith(CDN)]
    assert said.startswith("2\tsteel-kettle\tStudio photo of Steel Kettle")
    assert len(images) == 6
    for url in images:
        assert (checkout / "out" / url.removeprefix(f"{CDN}/")).is_file()
    assert [after[0], after[2]] == [before[0], before[2]]  # the header, and the kettle from behind
    assert [row["Image Position"] for row in filled] == ["1", "2", "3", "1", "2", "1", "2"]


def test_python_maps_renders_and_hands_on(
    open_room: Callable[..., Darkroom], tmp_path: Path
) -> None:
    room = open_room()
    source = tmp_path / "shop.csv"
    shutil.copy(ROOT / "manifests/examples/shopify.csv", source)

    plan = room.plan(source, choices=Choices(mapping={"prompt": "Title"}))
    prompts = [draft.request.prompt for draft in room.drafts(plan)]
    job = room.submit(plan)
    state = job.wait(timeout=100)
    written = job.export("imagefolder", tmp_path / "images")

    assert prompts == ["Steel Kettle", 'Desk Lamp "Dusk"', "Wool Throw"]
    assert state.done == 3
    assert (written.rows, written.images) == (3, 3)
    assert len(list((tmp_path / "images").glob("*.jpg"))) == 3
