"""Does one run of a schedule, in a process of its own: `python -m darkroom_scheduler.schedule_run`.

A user's function may be slow, leak or crash; the clock must not notice.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from darkroom import logs
from darkroom.client import Darkroom
from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom.killpoints import Point, come_past
from darkroom.processes import die_with
from darkroom.schedules.perform import Performance


def main(argv: Sequence[str] | None = None) -> int:
    """Bring a run to a job, or to its end with a reason."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True)
    parser.add_argument("--who", required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    args = parser.parse_args(argv)
    die_with(args.parent_pid, signal.SIGKILL)
    try:
        settings = load().settings
        logs.configure(settings, "schedule")
        with Darkroom(settings) as room:
            come_past(Point.BEGUN, args.run)
            Performance(room, args.run, args.who).perform()
    except DarkroomError as error:
        sys.stderr.write(f"{error.message} {error.hint or ''}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
