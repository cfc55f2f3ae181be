"""The scheduler process: `python -m darkroom_scheduler`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from darkroom import db, logs
from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom.fallback import Fallback
from darkroom.heartbeat import Heartbeat
from darkroom.price_list import registry_of
from darkroom.processes import die_with
from darkroom.queue import open_queue
from darkroom_scheduler.clock import Clock
from darkroom_scheduler.inbox_watch import InboxWatcher
from darkroom_scheduler.notice_post import NoticePost
from darkroom_scheduler.publishing import Publishing
from darkroom_scheduler.schedule_clock import ScheduleClock, told_by, wall_clock

_PARTING_SECONDS: Final = (
    10.0  # for the file that is being taken in; another watcher goes on with it
)


def main(argv: Sequence[str] | None = None) -> int:
    """Tick until TERM or INT."""
    parser = argparse.ArgumentParser(prog="darkroom scheduler start")
    parser.add_argument("--parent-pid", type=int, default=None)
    parser.add_argument("--rehearse", type=Path, help="schedules go by the time that a file says")
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
    fallback = Fallback(settings, registry_of(settings))
    heart = Heartbeat(broker_url)
    clock = Clock(database, open_queue(broker_url), settings.rules, heart, fallback)
    inboxes = InboxWatcher(settings)
    now = wall_clock if args.rehearse is None else told_by(args.rehearse)
    schedules = ScheduleClock(settings, now)
    publishing = Publishing(settings)
    notices = NoticePost(settings)
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: clock.stop())
    structlog.get_logger(__name__).info("the clock ticks")
    inboxes.start()
    schedules.start()
    publishing.start()
    notices.start()
    clock.run()
    schedules.stop(_PARTING_SECONDS)
    publishing.stop(_PARTING_SECONDS)
    inboxes.stop(_PARTING_SECONDS)
    notices.stop(_PARTING_SECONDS)  # last: it tells what the others ended
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
