"""A copy of the source, in which bugs can be planted while the checkout stays as it is."""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from tests.mutants.mutant import Mutant

ROOT: Final = Path(__file__).parents[2]

_PACKAGES: Final = {
    "darkroom": "src",
    "darkroom_manifests": "manifests",
    "darkroom_scheduler": "scheduler",
    "darkroom_simulator": "simulator",
    "darkroom_worker": "worker",
}
_BESIDE: Final = ("migrations", "tests")
_IMPORTS: Final = "imports.log"
_NOTE: Final = """
import sys as _sys
with open({log!r}, "a", encoding="utf-8") as _log:
    _log.write(f"{{__name__}} {{_sys.orig_argv}}\\n")
"""


class Tree:
    """The copy. Each process that imports one of its packages writes that down there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (*_PACKAGES.values(), *_BESIDE):
            shutil.copytree(ROOT / folder, root / folder)
        shutil.copy2(ROOT / "pyproject.toml", root)
        for package, folder in _PACKAGES.items():
            with (root / folder / package / "__init__.py").open("a", encoding="utf-8") as file:
                file.write(_NOTE.format(log=str(root / _IMPORTS)))

    @property
    def environment(self) -> dict[str, str]:
        """What makes Python look here first, and in the checkout, where it is installed, last."""
        folders = [str(self.root / folder) for folder in _PACKAGES.values()]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "COLUMNS": "250"}

    def importers(self) -> set[tuple[str, str]]:
        """Who has imported from here: pairs of a package and what was run, as `python -m` has it.

        What was run in another way is not told.
        """
        log = self.root / _IMPORTS
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        pairs = (line.split(" ", 1) for line in lines)
        return {(name, _module(ast.literal_eval(argv))) for name, argv in pairs}

    @contextmanager
    def with_bug(self, mutant: Mutant) -> Iterator[None]:
        """Plant a bug for a while. Raises Rotten."""
        file = self.root / mutant.file
        source = file.read_text(encoding="utf-8")
        _write(file, mutant.planted(source))
        try:
            yield
        finally:
            _write(file, source)


def _module(argv: list[str]) -> str:
    return argv[argv.index("-m") + 1] if "-m" in argv[:-1] else ""


def _write(file: Path, source: str) -> None:
    """Write source so that it counts: the same size in the same second would hide a change."""
    Path(cache_from_source(str(file))).unlink(missing_ok=True)
    file.write_text(source, encoding="utf-8")
