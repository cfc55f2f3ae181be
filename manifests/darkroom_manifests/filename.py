"""Names that will become names of files: checked here, before anything is paid for."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from darkroom_manifests.problem import Code, Fault, quote
from darkroom_manifests.value import unsafe

ID_CHARS: Final = 128
NAME_BYTES: Final = 150  # leaves room below the 255 of common file systems for job, variant, suffix
PATH_BYTES: Final = 900
DEFAULT_NAME: Final = "{id}_{variant}.{ext}"
OUTPUT_FIELDS: Final = frozenset({"job", "id", "variant", "ext"})

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_FORBIDDEN: Final = re.compile(r"""[\\:*?"<>|%#\[\]]""")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def row_id(text: str) -> str | Fault:
    """Read an id: any script, spaces and signs, but nothing that a path or a log would obey."""
    if not text.isprintable():
        return unsafe(text) or _unsafe_id(text, "holds a character that cannot be seen")
    if len(text) > ID_CHARS or len(text.encode()) > NAME_BYTES:
        return Fault(
            Code.ID_TOO_LONG,
            f"The id takes more than {ID_CHARS} characters or {NAME_BYTES} bytes.",
            "Use a shorter one; tags and other columns can hold the rest.",
        )
    if "/" in text or "\\" in text:
        return _unsafe_id(text, "holds a slash, which belongs in output")
    if text in {".", ".."}:
        return _unsafe_id(text, "names a folder")
    return text


def turn_id(row: str, turn: int) -> str:
    """Name the image of an earlier turn of a row: `mug~1`; 0 is its last or only one."""
    return f"{row}~{turn}" if turn else row


def _unsafe_id(text: str, why: str) -> Fault:
    return Fault(Code.ID_UNSAFE, f"The id {quote(text)} {why}.", "Images are named after it.")


def output(text: str) -> str | Fault:
    """Read a relative path with `{fields}`; which fields exist is asked by `unknown_field`."""
    path = text.removeprefix("./").rstrip("/") if text.strip("/") else text
    bare = _FIELD.sub("x", path)
    if "{" in bare or "}" in bare:
        return Fault(
            Code.OUTPUT_TEMPLATE,
            f"{quote(text)} has a brace without its partner.",
            "Write fields as {id}.",
        )
    why = _unsafe_path(bare) if text[0] != "/" else "is not relative"
    if why:
        return Fault(
            Code.OUTPUT_UNSAFE,
            f"{quote(text)} {why}.",
            "Give a plain path below the output folder, such as shirts/{id}_{variant}.{ext}.",
        )
    return path


def _unsafe_path(path: str) -> str | None:
    if not path.isprintable():
        return "holds a character that cannot be seen"
    if _FORBIDDEN.search(path):
        return r"holds one of \ : * ? " + '" < > | % # [ ]'
    if len(path.encode()) > PATH_BYTES:
        return f"is longer than {PATH_BYTES} bytes"
    return next((why for part in path.split("/") if (why := _unsafe_part(part))), None)


def _unsafe_part(part: str) -> str | None:
    if not part.strip():
        return "has an empty part"
    if part == "..":
        return "leads out of its folder"
    if part[0] in ".-" or part[-1] in ". " or part[0] == " ":
        return "has a part that starts or ends with a dot, a dash or a space"
    if _RESERVED.fullmatch(part):
        return "uses a name that Windows keeps for a device"
    if len(part.encode()) > NAME_BYTES:
        return f"has a part longer than {NAME_BYTES} bytes"
    return None


def unknown_field(path: str, variables: Container[str]) -> Fault | None:
    """Find a field that neither Darkroom nor the row's own columns can fill."""
    for name in _FIELD.findall(path):
        if name not in OUTPUT_FIELDS and name not in variables:
            return Fault(
                Code.OUTPUT_TEMPLATE,
                f"There is no field {quote(name)} to fill.",
                f"Fields are {', '.join(sorted(OUTPUT_FIELDS))} and the row's other columns.",
            )
    return None


def is_own(path: str) -> bool:
    """Tell whether each row may give this path: it has a field that differs from row to row."""
    return any(name not in {"job", "variant", "ext"} for name in _FIELD.findall(path))
