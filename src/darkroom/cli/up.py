"""`darkroom up`: the local stack in the foreground."""

from __future__ import annotations

import signal
from types import FrameType

import click

from darkroom import logs
from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, log_level_option, pass_invocation
from darkroom.cli.room import opened
from darkroom.configure import without_password
from darkroom.embedded import Ready, alone
from darkroom.errors import ConfigInvalid, Exit
from darkroom.settings import Settings
from darkroom.stack import Stack


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Worker processes.")
@click.option(
    "--simulator/--no-simulator",
    default=None,
    help="Also run the simulator.  [default: when no credential is configured]",
)
@log_level_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, workers: int, simulator: bool | None) -> Exit:
    """Run broker, workers and clock on this machine until Ctrl-C."""
    with opened(invocation) as room:
        settings = room.settings
        logs.configure(settings, "stack")
        _require_embedded(settings)
        _ = room.database  # brought up to date before anybody works on it
        usual = settings.usual_tiers()
        simulated = any(tier.is_simulated for tier in usual)
        wanted = simulated if simulator is None else simulator
        stack = Stack(
            settings,
            workers=workers,
            with_simulator=wanted,
            until_idle=False,
            ready=lambda ready: _say_ready(ready, settings, workers, invocation),
        )
        _stop_on_signals(stack, invocation)
        with alone(settings.home):
            stack.run()
    return Exit.OK


def _require_embedded(settings: Settings) -> None:
    if settings.broker_url is not None:
        raise ConfigInvalid(
            f"A broker is configured: {without_password(settings.broker_url)}.",
            hint="Start `darkroom worker start` and `darkroom scheduler start` beside it.",
        )


def _stop_on_signals(stack: Stack, invocation: Invocation) -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends at once; the books allow it
        if invocation.talks:
            voice.say("Stopping; answers in flight come home first.")
        stack.stop()

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, stop)


def _say_ready(ready: Ready, settings: Settings, workers: int, invocation: Invocation) -> None:
    if not invocation.talks:
        return
    facts = [
        ("workers", str(workers)),
        ("broker", ready.broker_url),
        ("simulator", ready.simulator_url or "not started"),
        ("logs", str((settings.home / "logs").absolute())),
    ]
    voice.say(voice.facts(facts))
    voice.say("Ready: `darkroom submit FILE` in another terminal. Ctrl-C stops everything.")
