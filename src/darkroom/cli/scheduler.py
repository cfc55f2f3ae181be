"""`darkroom scheduler`: the clock of a fleet."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Final

import click
from redis.exceptions import RedisError

from darkroom.cli import voice
from darkroom.cli.invocation import (
    Invocation,
    global_options,
    json_option,
    log_level_option,
    pass_invocation,
)
from darkroom.cli.launch import become, require_broker
from darkroom.cli.room import configured
from darkroom.errors import Exit
from darkroom.heartbeat import open_redis, seconds_since_tick

_LATE_SECONDS: Final = 30.0  # it ticks every second; a busy database makes it late, not ill


@click.group()
def command() -> None:
    """Start the clock of a fleet, or ask whether it ticks."""


@command.command()
@log_level_option
@global_options
@pass_invocation
def start(invocation: Invocation, /) -> None:
    """Ring for work that is due and sweep up after dead workers, until TERM or Ctrl-C."""
    require_broker(configured(invocation).settings)
    become("darkroom_scheduler", [], invocation)


@command.command()
@json_option
@global_options
@pass_invocation
def check(invocation: Invocation, /) -> Exit:
    """Say whether the clock of this host ticks; exit code 1 when it does not.

    For health checks: a tick that failed, as the database or the broker is away, does not count.
    """
    age = _age(configured(invocation).settings.broker_url)
    is_ticking = age is not None and age < _LATE_SECONDS
    if invocation.as_json:
        voice.write_json({"ticking": is_ticking, "seconds": age})
    elif invocation.talks:
        last = "never ticked here" if age is None else f"ticked {age:.0f} s ago"
        voice.say(f"The scheduler {last}.")
    return Exit.OK if is_ticking else Exit.UNEXPECTED


def _age(broker_url: str | None) -> float | None:
    if broker_url is None:
        return None
    try:
        with closing(open_redis(broker_url)) as redis:
            return seconds_since_tick(redis, socket.gethostname())
    except RedisError:
        return None
