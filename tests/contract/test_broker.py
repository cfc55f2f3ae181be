"""The embedded broker: a real server, which does not always listen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from darkroom.broker import Broker


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    pid = int((tmp_path / "valkey.pid").read_text())
    os.kill(pid, signal.SIGSTOP)

    broker.stop()

    assert not broker.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
