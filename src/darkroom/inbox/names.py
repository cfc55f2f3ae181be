"""What a file's name says: a manifest, something unfinished, or a file of ours beside one."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

SIDE: Final = ".toml"
"""Beside a manifest `NAME`, `NAME.toml` has the terms of this file alone."""
REPORT: Final = ".report.json"
REJECTED: Final = ".rejected.csv"

_MANIFESTS: Final = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt"})
# Nothing that can be rendered, but what people drop for it: they are told what to do.
_MISTAKEN: Final = frozenset(
    {".xlsx", ".xls", ".ods", ".numbers", ".parquet", ".zip", ".pdf", ".doc", ".docx"}
)
_COMPRESSED: Final = frozenset({".gz", ".bz2", ".xz", ".zst"})
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".swp")
_MARK_LETTERS: Final = 6
_MOST_BYTES: Final = 255  # of a name, on every file system that matters


def is_unfinished(name: str) -> bool:
    """Whether a name says that somebody still writes to it, or that it is an editor's own."""
    return name.startswith((".", "~$")) or name.endswith("~") or name.lower().endswith(_UNFINISHED)


def is_ours(name: str) -> bool:
    """Whether it is a side file or a report."""
    return name.endswith((SIDE, REPORT, REJECTED))


def is_manifest(name: str) -> bool:
    """Whether a name is one that people give to manifests, or to what they take for one."""
    if is_unfinished(name) or is_ours(name):
        return False
    suffix = kind_of(name).rpartition(".")[2]
    return f".{suffix}" in _MANIFESTS | _MISTAKEN | _COMPRESSED


def kind_of(name: str) -> str:
    """The suffixes by which a manifest is read: `.csv`, `.txt.gz`."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED:
        return "".join(suffixes)
    return suffixes[-1] if suffixes else ""


def beside(name: str, suffix: str) -> str:
    """Name a file beside another; a name that would be too long is cut, not refused."""
    room = _MOST_BYTES - len(suffix.encode())
    cut = name.encode()[:room].decode(errors="ignore")
    return cut + suffix


def second(name: str, mark: str) -> str:
    """Another name for a file whose own is taken: `spring-4c9z0a.csv`. The mark is its drop's."""
    kind = kind_of(name)
    return beside(name[: len(name) - len(kind)], f"-{mark[-_MARK_LETTERS:]}{kind}")
