"""References from the web and from beside the manifest, rendered by real processes."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.fleet.telephone import heic

from darkroom import Darkroom
from darkroom.audit import audit

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, Any]]]
MODEL = "gemini-3.1-flash-image"


def photo(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (shade, 0, 0)).save(out, "JPEG")
    return out.getvalue()


class Shop(BaseHTTPRequestHandler):
    """Has a photo of every product but one."""

    def do_GET(self) -> None:
        is_there = self.path != "/none.jpg"
        self.send_response(200 if is_there else 404)
        self.end_headers()
        self.wfile.write(photo(len(self.path)) if is_there else b"")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_photos_of_a_shop_and_files_beside_the_manifest_go_along(
    open_room: Open, bill_of: Bill, shop: str, tmp_path: Path
) -> None:
    room = open_room(references={"allow_hosts": ["localhost"]})
    (tmp_path / "style.jpg").write_bytes(photo(250))
    rows: list[dict[str, object]] = [
        {"id": "web", "references": [f"{shop}/a.jpg"]},
        {"id": "both", "references": [f"{shop}/a.jpg", {"uri": "style.jpg", "role": "style"}]},
        {"id": "bare", "references": []},
        {"id": "none", "references": [f"{shop}/none.jpg"]},
    ]
    lines = [json.dumps(row | {"prompt": f"a {row['id']}", "model": MODEL}) for row in rows]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join(lines), encoding="utf-8")

    plan = room.plan(manifest)
    job = room.submit(plan, accept_valid=True)
    state = job.wait(90)

    assert [(each.line, each.column) for each in plan.problems] == [(4, "references")]
    assert (state.done, state.invalid) == (3, 1)
    tokens = sorted(line["usage"]["prompt_image"] for line in bill_of(room))
    assert tokens == [0, tokens[1], 2 * tokens[1]]
    assert tokens[1] > 0
    assert room.plan(manifest).unchanged == 3
    assert audit(room.database, room.settings.home) == []


def test_a_large_heic_of_a_telephone_reaches_the_model_as_it_is_for_all_its_rows(
    open_room: Open, bill_of: Bill, tmp_path: Path
) -> None:
    room = open_room()
    phone = heic() + b"\0\0\0\0free" + bytes(9_000_000)
    (tmp_path / "phone.heic").write_bytes(phone)
    lines = [
        json.dumps({"prompt": f"a lamp {number}", "model": MODEL, "references": ["phone.heic"]})
        for number in range(4)
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n".join(lines), encoding="utf-8")

    state = room.submit(room.plan(manifest)).wait(90)

    assert state.done == 4
    digest = hashlib.sha256(phone).hexdigest()
    assert [line["references"] for line in bill_of(room)] == [[digest]] * 4
    assert audit(room.database, room.settings.home) == []
