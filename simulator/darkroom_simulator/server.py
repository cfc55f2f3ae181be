"""The process: a listening socket, a ready file, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from aiohttp import web

from darkroom_simulator import (
    admin,
    batch_studio,
    batch_vertex,
    batch_wire,
    file_wire,
    generate,
    openai,
    storage_wire,
)
from darkroom_simulator.batches import Batches
from darkroom_simulator.file_upload import FileSessions
from darkroom_simulator.files import Files
from darkroom_simulator.flags import Flags
from darkroom_simulator.pointed import Pointed
from darkroom_simulator.simulator import Simulator
from darkroom_simulator.storage import Store
from darkroom_simulator.storage_fault import StorageScript

LARGEST_REQUEST = 100 << 20  # AI Studio's inline limit since January 2026; Google, changelog
GRACE = 2.0  # seconds that answers under way get at the end
BACKLOG = 4096
SEND_BUFFER = 64 << 10
LOOK = 0.5  # seconds between looks for the parent, where no file descriptor can be had


async def serve(flags: Flags) -> None:
    """Serve until TERM, INT or the parent's end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with listening(flags) as url:
        if flags.ready_file:
            announce(flags.ready_file, url)
        print(f"simulator: listening on {url}", file=sys.stderr, flush=True)  # noqa: T201 - promised
        watch = asyncio.create_task(orphaned(flags.parent_pid, ended))
        await ended.wait()
        watch.cancel()


async def orphaned(parent: int | None, ended: asyncio.Event) -> None:
    """Say that the end has come once the parent is gone."""
    if parent is not None:
        await outlived(parent)
        ended.set()


@contextlib.asynccontextmanager
async def listening(flags: Flags) -> AsyncIterator[str]:
    """Listen, and yield the base URL."""
    simulator = Simulator(flags)
    runner = web.AppRunner(application(simulator), access_log=None, shutdown_timeout=GRACE)
    try:
        await runner.setup()
        await web.SockSite(runner, bound(flags.host, flags.port), backlog=BACKLOG).start()
        host = f"[{flags.host}]" if ":" in flags.host else flags.host
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        simulator.close()


def bound(host: str, port: int) -> socket.socket:
    """Bind a socket whose connections keep little of an answer; they inherit its buffer's size.

    The client's kernel is ours, too: the answers of thousands of connections that are not read yet
    would fill what it has for all sockets together, and then it drops packets for minutes.
    """
    made = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
    )
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return made


def application(simulator: Simulator) -> web.Application:
    """Put the routes together; each further API is one more module of them."""
    app = web.Application(client_max_size=LARGEST_REQUEST)
    app[generate.SIMULATOR] = simulator
    script = StorageScript(simulator.flags.scenario.storage, simulator.flags.scenario.seed)
    store = app[storage_wire.STORE] = Store(simulator.flags.buckets, script, simulator.scratch)
    files = Files(simulator.scratch)
    simulator.pointed = Pointed(files, store)
    app[file_wire.SESSIONS] = FileSessions(files)
    batches = app[batch_wire.BATCHES] = Batches(simulator, store, files)
    app.on_cleanup.append(lambda _: batches.close())
    for api in (openai, generate, batch_studio, batch_vertex, file_wire, storage_wire, admin):
        app.add_routes(api.routes())
    return app


def announce(path: Path, url: str) -> None:
    """Write the ready file; a reader sees all of it or none."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(msgspec.json.encode({"url": url, "pid": os.getpid()}))
    part.replace(path)


async def outlived(pid: int) -> None:
    """Return when a process is gone.

    By a process file descriptor where the system has them; PR_SET_PDEATHSIG would also strike when
    only the thread that started this process ends.
    """
    if not hasattr(os, "pidfd_open"):
        await looked_away(pid)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def looked_away(pid: int) -> None:
    """Return when a process is gone, by looking now and then."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            await asyncio.sleep(LOOK)
