"""References: what they are by their bytes, where they come from, and what is kept of them."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image
from tests.fleet.telephone import heic

from darkroom.references import Finder
from darkroom.references.fitting import fitted
from darkroom.references.sight import Unfit, look
from darkroom.request import Reference
from darkroom.settings import Settings
from darkroom_manifests.row import Reference as Written
from darkroom_manifests.row import Row

HOST = "localhost"
HEIC = heic()


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def noise(side: int) -> bytes:
    """A picture that no format makes small."""
    out = io.BytesIO()
    Image.effect_noise((side, side), 100).convert("RGB").save(out, "PNG", compress_level=0)
    return out.getvalue()


def animated(kind: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 250)]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("WEBP"), "image/webp"),
        (HEIC, "image/heic"),
        (HEIC.replace(b"ftypheic", b"ftypmif1"), "image/heif"),
    ],
)
def test_a_reference_is_known_by_its_bytes(data: bytes, mime: str) -> None:
    assert look(data) == mime


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG"),
        (b"<?xml version='1.0'?>\n<svg/>", "is an SVG"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"GIF89a", "is a GIF"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "is AVIF"),
        (b"plain words", "is not a PNG, JPEG, WebP or HEIC image"),
        (picture("JPEG", (64, 64))[:-300], "cannot be decoded"),
        (picture("PNG", (64, 64))[:60], "cannot be decoded"),
        (animated("PNG"), "is animated"),
        (animated("WEBP"), "is animated"),
        (picture("PNG", (9_000, 6_000), "1"), "has 9,000 x 6,000 pixels"),
        (picture("PNG", (20_000, 10_000), "1"), "cannot be decoded"),
    ],
)
def test_what_is_no_reference_is_said_with_a_remedy(data: bytes, said: str) -> None:
    found = look(data)

    assert isinstance(found, Unfit)
    assert found.said.startswith(said)
    assert found.hint


def test_a_large_image_is_made_smaller_and_always_the_same(tmp_path: Path) -> None:
    large = noise(1_700)
    (tmp_path / "a.png").write_bytes(large)
    finder = Finder(settings(tmp_path, policy="fit"))

    found = finder.find(Written("a.png"), tmp_path / "m.csv")

    assert isinstance(found, Reference)
    made = Path(found.uri).read_bytes()
    assert len(made) <= 7_000_000 < len(large)
    assert (found.mime, found.sha256) == ("image/jpeg", hashlib.sha256(made).hexdigest())
    assert made == fitted(large, 7_000_000)
    assert (tmp_path / "a.png").read_bytes() == large


def test_what_is_seen_through_is_fitted_onto_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(out, "PNG")

    made = fitted(out.getvalue(), 7_000_000)

    assert made is not None
    assert Image.open(io.BytesIO(made)).getpixel((4, 4)) == (255, 255, 255)


def test_a_large_image_is_refused_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture() + bytes(30_000_000))

    found = Finder(settings(tmp_path)).find(Written("a.png"), tmp_path / "m.csv")

    assert isinstance(found, tuple)
    assert "has more than 30 MB" in found[2]
    assert '"fit"' in str(found[3])


def test_a_file_that_many_rows_go_by_is_read_once_and_anew_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    finder = Finder(settings(tmp_path))
    first = finder.find(Written("a.png"), tmp_path / "m.csv")

    again = finder.find(Written("a.png", role="style"), tmp_path / "m.csv")
    path.write_bytes(picture("JPEG"))
    changed = finder.find(Written("a.png"), tmp_path / "m.csv")

    assert isinstance(first, Reference)
    assert isinstance(again, Reference)
    assert isinstance(changed, Reference)
    assert (first.sha256, again.role) == (again.sha256, "style")
    assert (changed.mime, changed.sha256 != first.sha256) == ("image/jpeg", True)


def settings(folder: Path, **told: Any) -> Settings:
    return Settings.model_validate({"home": folder / "home", "references": told})


class Shop(BaseHTTPRequestHandler):
    """Serves images by their paths, and counts."""

    asked: ClassVar[Counter[str]] = Counter()
    pages: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        Shop.asked[self.path] += 1
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        body = Shop.pages.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[str]:
    Shop.asked.clear()
    Shop.pages = {"/a.png": picture(), "/b.jpg": picture("JPEG"), "/page": b"<html>no</html>"}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{HOST}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def rows(*uris: str) -> list[Row]:
    return [Row(line=1, prompt="p", references=(Written(uri),)) for uri in uris]


Found = Callable[[str], "Reference | tuple[str, Any, str, str | None]"]


def finding(folder: Path, *uris: str, **told: Any) -> Found:
    finder = Finder(settings(folder, **({"allow_hosts": [HOST]} | told)))
    finder.gather(rows(*uris))
    return lambda uri: finder.find(Written(uri), None)


def test_addresses_are_fetched_once_and_kept_by_their_content(tmp_path: Path, shop: str) -> None:
    urls = [f"{shop}/a.png", f"{shop}/b.jpg"]

    found = finding(tmp_path, *urls, *urls)
    later = finding(tmp_path, *urls)

    first = found(urls[0])
    assert isinstance(first, Reference)
    assert Path(first.uri).read_bytes() == Shop.pages["/a.png"]
    assert first.sha256 == hashlib.sha256(Shop.pages["/a.png"]).hexdigest()
    assert [later(url) for url in urls] == [found(url) for url in urls]
    assert Shop.asked == {"/a.png": 1, "/b.jpg": 1}


def test_an_address_that_is_no_longer_fresh_is_fetched_anew(tmp_path: Path, shop: str) -> None:
    url = f"{shop}/a.png"
    before = finding(tmp_path, url, fresh_seconds=0)(url)
    Shop.pages["/a.png"] = picture("PNG", (9, 9))

    after = finding(tmp_path, url, fresh_seconds=0)(url)

    assert isinstance(before, Reference)
    assert isinstance(after, Reference)
    assert before.sha256 != after.sha256
    assert Path(before.uri).is_file(), "what was planned with it still finds it"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none.png", "was answered with HTTP 404"),
        ("/page", "is a web page"),
        ("/to/http://127.0.0.1:9/x.png", "127.0.0.1: only https at port 443 is connected to"),
        ("/to/http://169.254.169.254/latest", "only https at port 443"),
        ("/to/ftp://elsewhere/x.png", "ftp:// is not fetched"),
    ],
)
def test_what_is_not_had_is_a_fault_of_the_row(
    tmp_path: Path, shop: str, path: str, said: str
) -> None:
    url = f"{shop}{path}"

    found = finding(tmp_path, url)(url)

    assert isinstance(found, tuple)
    assert said in found[2]


def test_a_host_that_nobody_named_is_not_connected_to(tmp_path: Path, shop: str) -> None:
    url = f"{shop}/a.png"

    found = finding(tmp_path, url, allow_hosts=[])(url)

    assert isinstance(found, tuple)
    assert not Shop.asked


def test_a_body_beyond_the_bound_is_not_read_to_its_end(tmp_path: Path, shop: str) -> None:
    url = f"{shop}/a.png"

    found = finding(tmp_path, url, fetch_bytes=10)(url)

    assert isinstance(found, tuple)
    assert "more than 10 bytes" in found[2]


def test_a_set_stands_for_its_images_with_their_roles(tmp_path: Path) -> None:
    for name in ("front.png", "side.png", "ink.png"):
        (tmp_path / name).write_bytes(picture("PNG", (len(name), 9)))
    cast = [str(tmp_path / name) for name in ("front.png", "side.png")]
    told = {"ada": {"character": cast, "style": [str(tmp_path / "ink.png")]}}
    finder = Finder(Settings.model_validate({"home": tmp_path / "home", "sets": told}))
    row = Row(line=1, prompt="p", references=(Written("set:ada"), Written("side.png")))

    found = finder.all_of(row, 4, tmp_path / "m.csv")
    too_many = finder.all_of(row, 3, tmp_path / "m.csv")

    seen = [(Path(one.uri).name, one.role) for one in found if isinstance(one, Reference)]
    assert seen == [
        ("front.png", "character"),
        ("side.png", "character"),
        ("ink.png", "style"),
        ("side.png", None),
    ]
    assert len(too_many) == 4, "the registry refuses so many"


def test_a_set_that_nobody_declared_is_a_fault_with_the_nearest_name(tmp_path: Path) -> None:
    finder = Finder(Settings.model_validate({"home": tmp_path, "sets": {"ada": {"style": []}}}))

    found = finder.find(Written("set:adda"), None)

    assert isinstance(found, tuple)
    assert found[2] == 'There is no set "adda".'
    assert found[3] is not None
    assert found[3].startswith("Did you mean ada?")


def test_paths_of_sets_are_those_of_the_folder_where_they_were_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    declared = Settings.model_validate({"sets": {"ada": {"style": ["ink.png", "gs://b/x.png"]}}})

    assert declared.sets == {"ada": {"style": (str(tmp_path / "ink.png"), "gs://b/x.png")}}
