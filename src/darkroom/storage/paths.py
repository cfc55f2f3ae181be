"""Where an image goes below its storage place: a template's fields filled with safe text."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from darkroom.lineage import KEPT_TURNS

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%#\[\]]')
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_IMAGE: Final = re.compile(r"\.(?:png|jpe?g|webp|gif|heic|avif)$", re.IGNORECASE)
_NAME_BYTES: Final = 180
_EXTENSION_BYTES: Final = 8


def expand(template: str, fields: dict[str, Any], labels: str | None, extension: str) -> str:
    """Fill a checked template, such as `{job}/{id}_{variant}.{ext}`.

    Values never add a folder. The extension is ours, from the bytes: a template that ends in
    another image's extension gets the true one.
    """
    known: dict[str, Any] = msgspec.json.decode(labels).get("variables", {}) if labels else {}
    known |= fields | {"ext": extension}
    path = _FIELD.sub(lambda found: _safe(str(known.get(found[1], "_"))), template)
    stem = path.removesuffix(f".{extension}")
    if stem == path:
        stem = _IMAGE.sub("", path)
    *folders, leaf = (
        part if meant == KEPT_TURNS else _part(part)
        for meant, part in zip(_FIELD.sub("_", template).split("/"), stem.split("/"), strict=True)
    )
    return "/".join([*folders, _shortened(f"{leaf}.{extension}")])


def _safe(value: str) -> str:
    return _UNSAFE.sub("_", value).strip() or "_"


def _part(part: str) -> str:
    part = part.lstrip(". -").rstrip(". ") or "_"
    if _DEVICE.fullmatch(part):
        part = f"_{part}"
    return _shortened(part)


def _shortened(part: str) -> str:
    if len(part.encode()) <= _NAME_BYTES:
        return part
    stem, dot, extension = part.rpartition(".")
    if len(extension.encode()) > _EXTENSION_BYTES:  # a dot in the text, no extension
        stem, dot, extension = part, "", ""
    room = _NAME_BYTES - len(f"{dot}{extension}".encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + extension


def set_apart(path: str, mark: str) -> str:
    """Give another name beside a taken one: `a/b_1.png` becomes `a/b_1~mark.png`."""
    folder, slash, name = path.rpartition("/")
    stem, _, extension = name.rpartition(".")
    return f"{folder}{slash}{stem}~{mark}.{extension}"
