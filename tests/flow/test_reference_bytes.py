"""What was planned is what the provider gets: images by their hashes, at the simulator's door."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.command import Ran, called
from tests.fleet.gallery import HOST, Gallery, opened, picture

from darkroom import embedded
from darkroom_simulator.child import Ready, running


class Folder:
    """A project's folder whose AI Studio is the simulator, and the command in it."""

    def __init__(self, path: Path, google: str) -> None:
        self.path = path
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DARKROOM_", "GOOGLE_"))}
        self.env = kept | {
            "GEMINI_API_KEY": "k",
            "GOOGLE_GEMINI_BASE_URL": google,
            "DARKROOM_REFERENCES__ALLOW_HOSTS": HOST,
            "DARKROOM_TIERS__AISTUDIO__REQUESTS_PER_MINUTE": "6000",
        }

    def rows(self, *rows: dict[str, Any]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.path / "rows.jsonl").write_text(text, encoding="utf-8")

    def run(self, *args: str) -> Ran:
        return called(self.path, self.env, *args)


@pytest.fixture(scope="module")
def google() -> Iterator[Ready]:
    with running("--pictures", "cached", "--body-bytes", "60000") as ready:
        yield ready


@pytest.fixture
def folder(tmp_path: Path, google: Ready) -> Iterator[Folder]:
    yield Folder(tmp_path, google.url)
    embedded.stop(tmp_path / ".darkroom")


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with opened() as found:
        yield found


def received(google: Ready) -> dict[str, list[str]]:
    """What images the simulator got, by the sha256 of the prompt."""
    with urllib.request.urlopen(f"{google.url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        lines = [json.loads(line) for line in answer.read().splitlines()]
    return {line["prompt_sha256"]: line["references"] for line in lines}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


SETS = """
[sets.anna]
character = ["anna.png"]
style = ["{url}"]
"""


def test_local_fetched_and_declared_images_reach_the_provider_byte_for_byte(
    folder: Folder, google: Ready, gallery: Gallery
) -> None:
    photo, web, anna, ink = (picture(colour) for colour in ("red", "green", "blue", "black"))
    (folder.path / "photo.png").write_bytes(photo)
    (folder.path / "anna.png").write_bytes(anna)
    gallery.pages |= {"web": gallery.url("moved"), "moved": web, "ink": ink}
    toml = SETS.format(url=gallery.url("ink"))
    (folder.path / "darkroom.toml").write_text(toml, encoding="utf-8")
    folder.rows(
        {"id": "file", "prompt": "a lamp", "references": "photo.png"},
        *(
            {"id": f"web-{number}", "prompt": f"a cup {number}", "references": gallery.url("web")}
            for number in range(5)
        ),
        {"id": "set", "prompt": "a jug", "references": "set:anna"},
        {"id": "both", "prompt": "a mug", "references": ["photo.png", "set:anna"]},
    )

    ran = folder.run("run", "rows.jsonl", "--tier", "aistudio", "--max-cost", "5.00", "--json")

    assert ran.returncode == 0, ran.stderr
    got = received(google)
    assert got[sha(b"a lamp")] == [sha(photo)]
    assert [got[sha(f"a cup {number}".encode())] for number in range(5)] == [[sha(web)]] * 5
    captions = "Image 1, character:\nImage 2, style:\na jug"
    assert got[sha(captions.encode())] == [sha(anna), sha(ink)]
    captions = "Image 2, character:\nImage 3, style:\na mug"
    assert got[sha(captions.encode())] == [sha(photo), sha(anna), sha(ink)]
    assert gallery.asked == {"web": 1, "moved": 1, "ink": 1}
    assert folder.run("audit", "--deep").returncode == 0


def test_what_is_wrong_with_references_is_said_of_each_row_and_nothing_is_sent(
    folder: Folder, gallery: Gallery
) -> None:
    gallery.pages |= {"private": "http://10.0.0.1/a.png", "page": b"<html>Sign in</html>"}
    gallery.pages["loop"] = f"http://localhost:{gallery.port}/page"
    (folder.path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    wrong = ["none.png", "a.svg", *map(gallery.url, ("private", "loop", "page", "none")), "set:ana"]
    folder.rows(
        *({"id": f"r{no}", "prompt": "p", "references": [uri]} for no, uri in enumerate(wrong))
    )
    (folder.path / "darkroom.toml").write_text('[sets.anna]\nstyle = ["a.png"]\n')

    planned = folder.run("plan", "rows.jsonl", "--tier", "aistudio", "--json")

    assert planned.returncode == 5
    problems = json.loads(planned.stderr)["error"]["problems"]
    said = ["no file", "SVG", "port 443", "port 443", "web page", "404", "no set"]
    assert [problem["line"] for problem in problems] == list(range(1, 8))
    for problem, words in zip(problems, said, strict=True):
        assert problem["column"] == "references"
        assert words in problem["message"]
        assert problem["hint"]


def test_an_image_that_changed_makes_a_changed_row(folder: Folder, gallery: Gallery) -> None:
    gallery.pages["a"] = picture("red")
    folder.env["DARKROOM_REFERENCES__FRESH_SECONDS"] = "0"
    folder.rows({"id": "a", "prompt": "a pot", "references": gallery.url("a")})
    wishes = ("rows.jsonl", "--tier", "aistudio", "--max-cost", "5.00", "--json")

    ran = folder.run("run", *wishes)
    same = json.loads(folder.run("plan", "rows.jsonl", "--tier", "aistudio", "--json").stdout)
    gallery.pages["a"] = picture("blue")
    other = json.loads(folder.run("plan", "rows.jsonl", "--tier", "aistudio", "--json").stdout)

    assert ran.returncode == 0, ran.stderr
    assert (same["renders"], same["unchanged"]) == (0, 1)
    assert (other["renders"], other["unchanged"]) == (1, 0)
