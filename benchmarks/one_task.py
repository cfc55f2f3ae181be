"""Celery the usual way: one task per image, on the same broker, with Google's synchronous SDK."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock

import httpx2
from benchmarks.load import MODEL, ROOT, WARM, Load, Sample, clean_environment, prompt
from benchmarks.process import cpu_seconds, family
from celery import Celery
from google import genai
from google.genai import types
from kombu import Producer

from darkroom.broker import Broker

app = Celery("one_task")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
_one_client = Lock()


@lru_cache(maxsize=1)
def client(url: str) -> genai.Client:
    """Make a client without httpx's usual limit of 100 connections."""
    unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    options = types.HttpOptions(base_url=url, client_args={"limits": unlimited})
    return genai.Client(api_key="any", http_options=options)


@app.task
def render(url: str, text: str, path: str) -> None:
    """Render one image and write it."""
    config = types.GenerateContentConfig(response_modalities=["IMAGE"])
    with _one_client:  # the cache alone would let each thread make its own
        models = client(url).models
    answer = models.generate_content(model=MODEL, contents=text, config=config)
    for part in answer.parts or []:
        if part.inline_data and part.inline_data.data:
            Path(path).write_bytes(part.inline_data.data)


def run(pool: str, load: Load, folder: Path) -> Sample:
    """Render with a worker of its own; timed from the first task sent to the last file."""
    broker = Broker(folder / "broker")
    (folder / "broker").mkdir()
    try:
        url = broker.start().replace("unix://", "redis+socket://")
        with (
            worker(pool, load.concurrency, url) as pid,
            app.connection_for_write(url) as connection,
            app.amqp.Producer(connection) as producer,
        ):
            _render(producer, load.url, WARM, folder / "warm")
            before, began = cpu_seconds(family(pid)), time.time()
            ended = _render(producer, load.url, load.images, folder / "timed")
            return Sample(load.images, ended - began, cpu_seconds(family(pid)) - before)
    finally:
        broker.stop()


@contextmanager
def worker(pool: str, concurrency: int, broker: str) -> Iterator[int]:
    """Start a worker; its process id."""
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.one_task", "-b", broker, "worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
    process = subprocess.Popen(
        [*command, "-P", pool, "-c", str(concurrency), *quiet],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env=clean_environment(PYTHONWARNINGS="ignore"),
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _render(producer: Producer, url: str, images: int, folder: Path) -> float:
    """Send so many tasks and wait for their files; when the last was written."""
    folder.mkdir()
    for number in range(images):
        path = folder / f"{number}.image"
        render.apply_async((url, prompt(number), str(path)), producer=producer)
    ends = time.monotonic() + 120
    while len(os.listdir(folder)) < images:  # noqa: PTH208  # names are enough
        if time.monotonic() > ends:
            raise TimeoutError(f"Celery rendered {len(list(folder.iterdir()))} of {images}.")
        time.sleep(0.05)
    return max(path.stat().st_mtime for path in folder.iterdir())
