"""Celery's own `rate_limit`: a task an image, the limit divided among the workers."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from benchmarks.load import MODEL, ROOT, clean_environment
from celery import Celery

_THREADS = 32
_BODY = b'{"contents": [{"parts": [{"text": "A lamp"}]}]}'

app = Celery("rate_limited_task")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
_own = threading.local()


@app.task(rate_limit=os.environ.get("BENCH_RATE"))
def ask(url: str) -> None:
    """Ask for one image, on the thread's own connection."""
    if not hasattr(_own, "connection"):
        _own.connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"x-goog-api-key": "any", "Content-Type": "application/json"}
    path = f"/v1/models/{MODEL}:generateContent"
    _own.connection.request("POST", path, body=_BODY, headers=headers)
    _own.connection.getresponse().read()


def run(broker: str, url: str, rpm: int, seconds: float, workers: int) -> None:
    """Let so many workers take tasks for so long; there are always enough of them."""
    address = broker.replace("unix://", "redis+socket://")
    with ExitStack() as stack:
        with (
            app.connection_for_write(address) as connection,
            app.amqp.Producer(connection) as producer,
        ):
            for _ in range(round(rpm / 60 * seconds * 1.5)):
                ask.apply_async((url,), producer=producer)
        for _ in range(workers):
            stack.enter_context(_worker(address, f"{rpm // workers}/m"))
        time.sleep(seconds)


@contextmanager
def _worker(broker: str, rate: str) -> Iterator[None]:
    module = "benchmarks.rate_limited_task"
    command = [sys.executable, "-m", "celery", "-A", module, "-b", broker, "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
    process = subprocess.Popen(
        [*command, "-P", "threads", "-c", str(_THREADS), *quiet],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=clean_environment(PYTHONWARNINGS="ignore", BENCH_RATE=rate),
    )
    try:
        yield
    finally:
        process.kill()  # told to end, it would first take what it has fetched
        process.wait()
