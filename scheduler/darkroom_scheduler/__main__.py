"""The scheduler process: `python -m darkroom_scheduler`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

import structlog

from darkroom import db, logs
from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom.heartbeat import Heartbeat
from darkroom.processes import die_with
from darkroom.queue import open_queue
from darkroom_scheduler.clock import Clock


def main(argv: Sequence[str] | None = None) -> int:
    """Tick until TERM or INT."""
    parser = argparse.ArgumentParser(prog="darkroom scheduler start")
    parser.add_argument("--parent-pid", type=int, default=None)
    args = parser.parse_args(argv)
    if args.parent_pid:
        die_with(args.parent_pid)
    try:
        settings = load().settings
        logs.configure(settings, "scheduler")
        database = db.open_engine(settings.sql_url)
        db.require_head(database)
    except DarkroomError as error:
        sys.stderr.write(f"{error.message} {error.hint or ''}\n")
        return int(error.exit_code)
    broker_url = settings.broker_url or ""
    clock = Clock(database, open_queue(broker_url), settings.rules, Heartbeat(broker_url))
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: clock.stop())
    structlog.get_logger(__name__).info("the clock ticks")
    clock.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
