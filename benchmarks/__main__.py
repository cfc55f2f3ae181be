"""`python -m benchmarks`: Darkroom beside what else one could run, and what it promised."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from benchmarks import batch_results, catalog, enqueue, flight, inbox, limits, router, scaling, soak
from benchmarks.figures import FULL, QUICK, Figure, Scale, every
from benchmarks.load import ROOT

_PARTS = (
    "busy",
    "waiting",
    "flight",
    "memory",
    "manifest",
    "books",
    "scale",
    "limits",
    "router",
    "batch",
    "inbox",
    "catalog",
    "enqueue",
)


def main() -> int:
    """Measure, print, keep; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help=f"of {', '.join(_PARTS)}; default: all; or soak, alone"
    )
    parser.add_argument("--minutes", type=float, default=60, help="of a soak")
    parser.add_argument("--quick", action="store_true", help="fewer of everything; a look only")
    parser.add_argument("--runs", type=int, help="how often each side renders")
    args = parser.parse_args()
    if args.parts == ["soak"]:
        soak.run(args.minutes)
        return 0
    if unknown := set(args.parts) - set(_PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    scale = QUICK if args.quick else FULL
    if args.runs:
        scale = msgspec.structs.replace(scale, runs=args.runs)
    more = {
        "flight": partial(flight.figures, *scale.flight),
        "router": partial(router.figures, scale.rows),
        "batch": partial(batch_results.figures, scale.runs, *scale.batch_lines),
        "inbox": partial(inbox.figures, scale.runs, scale.dropped),
        "catalog": partial(catalog.figures, scale.rows),
        "enqueue": partial(enqueue.figures, scale.enqueued),
        "scale": partial(scaling.figures, scale.images, scale.runs),
        "limits": partial(limits.figures, scale.seconds, scale.limited),
    }
    found = every(scale, args.parts, more)
    print("\n".join(table(found)))
    for figure in found:
        if figure.unjudged:
            print(f"UNJUDGED: {figure.name}: {figure.unjudged}")
    print(f"\nkept in {keep(scale, found).relative_to(ROOT)}")
    return int(any(figure.is_met is False for figure in found))


def table(figures: Sequence[Figure]) -> list[str]:
    """Lay the figures out in columns."""
    head = ("figure", "Darkroom", "baseline", "ratio", "target", "", "against")
    rows = [head, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(figure: Figure) -> tuple[str, ...]:
    bounds = ((">=", figure.at_least), ("<=", figure.at_most))
    target = "".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    words = {True: "met", False: "MISSED", None: "UNJUDGED" if figure.unjudged else ""}
    verdict = words[figure.is_met]
    ours, baseline = (f"{statistics.median(each):,.1f}" for each in (figure.ours, figure.baseline))
    return (figure.name, ours, baseline, f"{figure.ratio:.2f}", target, verdict, figure.rival)


def keep(scale: Scale, figures: Sequence[Figure]) -> Path:
    """Write everything down, with what it was measured on."""
    at = datetime.now(UTC)
    path = ROOT / "bench-results" / f"{at:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    lines = [
        {**msgspec.structs.asdict(figure), "ratio": figure.ratio, "met": figure.is_met}
        for figure in figures
    ]
    kept = {"at": at, "machine": machine, "scale": scale, "figures": lines}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2))
    return path


if __name__ == "__main__":
    raise SystemExit(main())
