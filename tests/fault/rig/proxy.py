"""A wire to PostgreSQL that breaks just when a commit was done and before its reply is told."""

from __future__ import annotations

import random
import selectors
import socket
import threading
from pathlib import Path
from typing import Final

_NAME: Final = ".s.PGSQL.5432"
_COMMIT: Final = b"COMMIT\0"
_BYTES: Final = 1 << 16


class CommitCutter:
    """Forwards everything; while it is `armed`, some commits are done and never answered."""

    def __init__(self, folder: Path, server: Path, dice: random.Random, chance: float) -> None:
        self.armed = False
        self.cuts = 0
        self._server = str(server / _NAME)
        self._dice = dice
        self._chance = chance
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _NAME))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no new connections; the open ones end with their clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as ready:
            try:
                server.connect(self._server)
                ready.register(client, selectors.EVENT_READ, server)
                ready.register(server, selectors.EVENT_READ, client)
                while self._pass_on(ready, server):
                    pass
            except OSError:  # the server is gone, or the client
                return

    def _pass_on(self, ready: selectors.BaseSelector, server: socket.socket) -> bool:
        """Carry what has come; False when the wire is to break."""
        for key, _ in ready.select():
            source, target = key.fileobj, key.data
            assert isinstance(source, socket.socket)
            data = source.recv(_BYTES)
            if not data:
                return False
            target.sendall(data)
            if target is server and _COMMIT in data and self._strikes():
                server.recv(_BYTES)  # the reply: it is done
                self.cuts += 1
                return False
        return True

    def _strikes(self) -> bool:
        return self.armed and self._dice.random() < self._chance
