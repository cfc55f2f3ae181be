"""`make mutants`: plant each bug in a copy of the source, and see its tests turn red."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant, Rotten
from tests.mutants.tree import ROOT, Tree
from tests.mutants.trial import Broken, run

_ROOM: Final = "tests/flow/test_road.py::test_every_row_ends_where_it_should_and_the_books_hold"
_OF_A_ROOM: Final = {
    ("darkroom", "pytest"),
    ("darkroom", "darkroom.stack"),
    ("darkroom_simulator", "darkroom_simulator"),
    ("darkroom_worker", "darkroom_worker"),
}
_OF_A_FLEET: Final = {
    ("darkroom_worker", "tests.fault.rig.nursery"),
    ("darkroom_scheduler", "tests.fault.rig.nursery"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each mutant; 1 when one survived or no longer applies."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    known = [mutant.name for mutant in MUTANTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    names = parser.parse_args(argv).names or known
    if unknown := set(names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if mutant.name in names]
    try:
        killed = _tried(chosen)
    except (Rotten, Broken) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Interrupted.")
        return 130
    _say(f"{killed} of {len(chosen)} mutants killed in {time.monotonic() - began:.0f} s")
    return 0 if killed == len(chosen) else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tried(mutants: Sequence[Mutant]) -> int:
    """Try one after the other; how many were killed."""
    with tempfile.TemporaryDirectory(prefix="dkm", ignore_cleanup_errors=True) as folder:
        tree = Tree(Path(folder))
        for mutant in mutants:  # before minutes are spent
            mutant.planted((ROOT / mutant.file).read_text(encoding="utf-8"))
        _begin(tree, mutants)
        return sum(_is_killed(tree, mutant) for mutant in mutants)


def _begin(tree: Tree, mutants: Sequence[Mutant]) -> None:
    """See that without a bug all tests pass, and that all processes import the copy."""
    tests = list(dict.fromkeys([_ROOM, *(test for mutant in mutants for test in mutant.red)]))
    _say(f"{len(mutants)} mutants; first the {len(tests)} tests that watch for them, without any")
    trial = run(tree, tests)
    if not trial.is_clean:
        raise Broken(f"{trial.said}\nThe tests must all pass in a copy without a mutant.")
    wanted = _OF_A_ROOM | (_OF_A_FLEET if any("/fault/" in test for test in tests) else set())
    if strangers := wanted - tree.importers():
        raise Broken(f"These did not import the copy: {sorted(strangers)}")
    _say(f"green    {trial.seconds:6.1f} s  in processes that import the copy")


def _is_killed(tree: Tree, mutant: Mutant) -> bool:
    with tree.with_bug(mutant):
        trial = run(tree, mutant.red)
    survived = [test for test in mutant.red if test not in trial.red]
    word = "SURVIVED" if survived else "killed"
    _say(f"{word:8} {trial.seconds:6.1f} s  {mutant.name}: {mutant.plants}")
    for test, why in trial.red.items():
        _say(f"{'':19}red: {_short(test)}: {why[:120]}")
    for test in survived:
        _say(f"{'':19}NOT RED: {test}")
    return not survived


def _short(test: str) -> str:
    return test.rpartition("::")[2]


if __name__ == "__main__":
    raise SystemExit(main())
