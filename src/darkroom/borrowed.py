"""Values that a setting leaves to a variable or a file: `env:NAME`, `file:PATH`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_BORROWERS: Final = ("url", "secret")


def filled_in(tree: dict[str, Any], env: Mapping[str, str], folder: Path) -> None:
    """Fill in what targets of notices borrow; what is not there stays as it is written.

    Only the scheduler needs it: a worker must not fail for a secret that it never sees.
    """
    notices = tree.get("notices")
    targets = notices.get("targets") if isinstance(notices, dict) else None
    for target in targets.values() if isinstance(targets, dict) else ():
        for name in _BORROWERS if isinstance(target, dict) else ():
            if isinstance(target.get(name), str):
                target[name] = _value(target[name], env, folder)


def _value(said: str, env: Mapping[str, str], folder: Path) -> str:
    kind, _, name = said.partition(":")
    if kind == "env":
        return env.get(name) or said
    if kind != "file":
        return said
    try:
        return (folder / name).read_text(encoding="utf-8").strip() or said
    except (OSError, UnicodeDecodeError):
        return said
