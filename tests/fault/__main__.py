"""`make faults`: break everything at random for some minutes, and print what it came to."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.fault.rig.campaign import Campaign, Ended
from tests.fault.rig.lot import Kind
from tests.fault.rig.nursery import Nursery
from tests.fault.rig.postgres import WeakPostgreSQL
from tests.fault.rig.seed import seed
from tests.fault.rig.witness import totals

_POINTS: Final = "killed at a point"


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each run and a table at the end; 1 when anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="of all runs; else one is drawn")
    parser.add_argument("--run", type=int, default=None, help="the seed of one run: only that")
    args = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="dkf"))
    with ExitStack() as stack:
        nursery = Nursery()
        stack.callback(nursery.close)
        postgres = WeakPostgreSQL(_made(folder / "pg"), is_durable=True)
        postgres.start()
        stack.callback(postgres.stop)
        campaign = Campaign(_made(folder / "runs"), nursery, postgres)
        chosen = seed() if args.seed is None else args.seed
        runs = campaign.runs(chosen, args.minutes) if args.run is None else [campaign.run(args.run)]
        ended = [_told(run) for run in runs]
    failed = [run for run in ended if run.verdict.violations]
    sys.stdout.write(_table(ended, chosen))
    if not failed:
        shutil.rmtree(folder)
        return 0
    sys.stdout.write(f"\nWhat the failed runs left is in {folder}.\n")
    return 1


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _told(run: Ended) -> Ended:
    verdict = run.verdict
    sys.stdout.write(
        f"run {run.seed:6}  {run.lot.name:13} {run.lot.where:19} {run.seconds:4.0f} s  "
        f"images {verdict.images:3}  held {verdict.held:2}  deaths {verdict.deaths:3}  "
        f"lost {verdict.lost:3}  twice {verdict.paid_twice:3}  "
        f"violations {len(verdict.violations)}\n"
    )
    for violation in verdict.violations:
        sys.stdout.write(f"    {violation}\n")
    sys.stdout.flush()
    return run


def _table(ended: Sequence[Ended], chosen: int) -> str:
    head = (
        "| runs of | runs | images | deaths | lost | paid twice | of it unflagged | violations |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    groups: dict[str, list[Ended]] = defaultdict(list)
    for run in ended:
        kind = _POINTS if run.lot.kind is Kind.POINT else run.lot.kind
        groups[f"{kind}, {run.lot.database}"].append(run)
    lines = [_line(name, groups[name]) for name in sorted(groups)]
    lines += [
        _line(name, [run for run in ended if run.lot.in_bucket is in_bucket])
        for name, in_bucket in (("all into folders", False), ("all into buckets", True))
    ]
    harms: Counter[str] = Counter()
    for run in ended:
        harms.update(run.harms)
    done = ", ".join(f"{name} {count} times" for name, count in sorted(harms.items()))
    hours = sum(run.seconds for run in ended) / 3600
    where = f"seed {chosen}, {os.cpu_count()} cores, {hours:.2f} hours"
    return f"\n{where}\n\n{head}{''.join(lines)}{_line('all', ended)}\nHarm on the way: {done}.\n"


def _line(name: str, runs: Sequence[Ended]) -> str:
    sums = totals([run.verdict for run in runs])
    cells = [
        sums[key] for key in ("images", "deaths", "lost", "paid_twice", "unflagged", "violations")
    ]
    return f"| {name} | {len(runs)} | {' | '.join(map(str, cells))} |\n"


if __name__ == "__main__":
    raise SystemExit(main())
