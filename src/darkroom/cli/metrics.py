"""`darkroom metrics`: the books for Prometheus."""

from __future__ import annotations

import signal
import threading

import click
from prometheus_client import CollectorRegistry, start_http_server

from darkroom import embedded, logs
from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, log_level_option, pass_invocation
from darkroom.cli.room import opened
from darkroom.errors import ConfigInvalid, Exit
from darkroom.metrics import Books
from darkroom.settings import Settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=9464, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@log_level_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, port: int, host: str) -> Exit:
    """Serve the books to Prometheus at /metrics, until TERM or Ctrl-C.

    One in a fleet is enough. It only reads.
    """
    with opened(invocation) as room:
        settings = room.settings
        logs.configure(settings, "metrics")
        registry = CollectorRegistry()
        registry.register(Books(room.database, lambda: _broker_url(settings)))
        try:
            server, _ = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            hint = "Choose another with --port and --host."
            raise ConfigInvalid(f"{host}:{port}: {error.strerror}", hint=hint) from error
        if invocation.talks:
            voice.say(f"Ready: http://{host}:{port}/metrics")
        _wait_for_the_end()
        server.shutdown()
    return Exit.OK


def _broker_url(settings: Settings) -> str | None:
    """The fleet's broker, or that of the local stack while it runs."""
    if settings.broker_url is not None:
        return settings.broker_url
    running = embedded.find(settings.home) if settings.home.is_dir() else None
    return running.broker_url if running else None


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: ended.set())
    ended.wait()
