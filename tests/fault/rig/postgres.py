"""A PostgreSQL cluster that is crashed and comes back over the same data."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.fleet.postgresql import PostgreSQL


class WeakPostgreSQL(PostgreSQL):
    """Make it `is_durable`: what it confirmed must be there after a crash."""

    @property
    def folder(self) -> Path:
        """Where its socket is."""
        return self._folder

    def _make(self) -> None:
        if not self._data.exists():
            super()._make()

    def crash(self) -> None:
        """End it at once, as `pg_ctl stop -m immediate` does: nothing is flushed or told."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def restart(self) -> None:
        """Start it again; it recovers from its log first."""
        self.start()
