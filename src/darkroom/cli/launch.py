"""Starts processes that the command line only knows by their names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from darkroom.cli.invocation import Invocation
from darkroom.errors import ConfigInvalid
from darkroom.settings import Settings


def become(module: str, arguments: Sequence[str], invocation: Invocation) -> NoReturn:
    """Turn this process into `python -m MODULE`: signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(  # noqa: S606  # our own module
        sys.executable, [sys.executable, "-m", module, *arguments], environment(invocation)
    )


def environment(invocation: Invocation) -> dict[str, str]:
    """What a process of ours is started with: this one's variables, and what flags said."""
    given = {"DARKROOM_HOME": invocation.home, "DARKROOM_LOG__LEVEL": invocation.log_level}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    return {**os.environ, **flags}


def require_broker(settings: Settings) -> None:
    """Raise ConfigInvalid in embedded mode, where the local stack starts everything."""
    if settings.is_embedded:
        raise ConfigInvalid(
            "No broker is configured, so there is no fleet to join.",
            hint="`darkroom up` runs all of it here; DARKROOM_BROKER_URL names a fleet's broker.",
        )
