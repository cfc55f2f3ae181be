"""`make fleet`: the production stack on this machine, without containers, with a summary."""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.text import Text
from tests.fleet.fleet import fleet
from tests.fleet.rehearsal import Rehearsal, rehearse

from darkroom.cli import voice
from darkroom_manifests.money import short_dollars


def main() -> int:
    """Start a fleet, render with it, take it down; 1 when anything is not as it should be."""
    parser = argparse.ArgumentParser(prog="make fleet", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--copies", type=int, default=10, help="images for each of 27 rows")
    parser.add_argument("--latency", default="0.3-0.9", help="seconds that an answer takes")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="darkroom-fleet-") as folder:
            place = Path(folder)
            place.chmod(0o711)  # PostgreSQL may run as somebody else
            with fleet(place, workers=args.workers, latency=args.latency, tell=_tell) as running:
                _tell(f"up in {time.monotonic() - began:.1f} s\n")
                found = rehearse(running, args.copies)
            voice.say("")
            voice.write_table(voice.facts(_facts(found)))
            return 0 if found.is_good else 1
    except KeyboardInterrupt:
        _tell("\nInterrupted; everything that was started is stopped.")
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tell(text: str) -> None:
    voice.say(text, "dim")


def _facts(found: Rehearsal) -> Iterator[tuple[str, str | Text]]:
    yield (
        "images",
        f"{found.done:,} of {found.total:,}, {found.refused:,} refused as they should be",
    )
    yield "time", f"{found.seconds:.1f} s, {found.done / found.seconds:.1f} images/s"
    for number, share in enumerate(found.shares, 1):
        part = share.images / found.done
        yield f"worker {number}", f"{share.images:,} images, {part:.0%}"
    bill, booked = short_dollars(found.billed_nusd), short_dollars(found.booked_nusd)
    yield "bill", f"{bill} says the simulator, {booked} say the books"
    yield "audit", Text(found.audit, "green" if found.is_clean else "bold red")


if __name__ == "__main__":
    raise SystemExit(main())
