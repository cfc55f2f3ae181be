"""The worker process: `python -m darkroom_worker`, started by `darkroom worker start`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from darkroom import logs
from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom.processes import die_with
from darkroom_manifests.tier import Tier
from darkroom_worker import tasks
from darkroom_worker.app import Studio
from darkroom_worker.leaving import Leaving
from darkroom_worker.listener import Listener
from darkroom_worker.memory import keep_large_blocks, keep_what_is_there


def main(argv: Sequence[str] | None = None) -> int:
    """Work until told to end; then bring home what is in flight and leave: see `leaving`."""
    parser = argparse.ArgumentParser(prog="darkroom worker start")
    parser.add_argument("--tiers", default="", help="comma list; default: all")
    parser.add_argument("--parent-pid", type=int, default=None)
    args = parser.parse_args(argv)
    if args.parent_pid:
        die_with(args.parent_pid)
    keep_large_blocks()
    leaving = Leaving()  # before anything is taken over from the dead: that is not to be cut short
    try:
        settings = load().settings
        logs.configure(settings, "worker")
        studio = Studio(settings, _tiers(args.tiers))
        studio.open()
    except DarkroomError as error:
        sys.stderr.write(f"{error.message} {error.hint or ''}\n")
        return int(error.exit_code)
    return _work(studio, leaving)


def _work(studio: Studio, leaving: Leaving) -> int:
    tasks.register(studio.queue, studio)
    listener = Listener(studio.queue, studio.tiers, studio.may_begin, leaving.deaf)
    keep_what_is_there()
    listener.start()
    was_told = leaving.wait()
    listener.stop()
    drained = leaving.see_off(studio.leave(), studio.settings.worker.grace_seconds, studio.hurry)
    return 0 if studio.close(drained) and was_told else 1


def _tiers(names: str) -> list[Tier]:
    chosen = [Tier.parse(name) for name in names.split(",") if name]
    return chosen or list(Tier)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    # Python would wait for the threads of Celery's pool, which may be busy with a dead broker.
    os._exit(code)
