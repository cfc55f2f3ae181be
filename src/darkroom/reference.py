"""Reference images of a row: found, identified and hashed before anything is paid for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from darkroom.request import Reference
from darkroom_manifests.problem import Code
from darkroom_manifests.row import Reference as Written

# Google, Gemini Enterprise Agent Platform, model pages, 2026-10: an inline image has 7 MB at most.
_MOST_BYTES: Final = 7_000_000
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"RIFF", "image/webp"),
)

Fault = tuple[str, Code, str, str | None]


def resolve(written: Written, manifest: Path | None) -> Reference | Fault:
    """Find a reference beside its manifest. A fault is column, code, message and hint."""
    uri = written.uri
    if uri.startswith("gs://"):
        return Reference(uri=uri, mime=_mime_by_name(uri), role=written.role)
    if "://" in uri:
        return _fault(f"{uri[:80]} is not a local file.", "Download it, or give gs:// on Vertex.")
    path = (manifest.parent if manifest else Path()) / uri
    if not path.is_file():
        return _fault(f"There is no file {path}.", "Paths are relative to the manifest.")
    if path.stat().st_size > _MOST_BYTES:
        return _fault(f"{path} has more than 7 MB.", "Make it smaller.")
    data = path.read_bytes()
    mime = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if mime is None:
        return _fault(f"{path} is not a PNG, JPEG or WebP image.", "Convert it first.")
    digest = hashlib.sha256(data).hexdigest()
    return Reference(uri=str(path.absolute()), mime=mime, sha256=digest, role=written.role)


def _mime_by_name(uri: str) -> str:
    endings = {".png": "image/png", ".webp": "image/webp"}
    return endings.get(Path(uri).suffix.lower(), "image/jpeg")


def _fault(message: str, hint: str) -> Fault:
    return ("references", Code.MODEL_CANNOT, message, hint)
