"""Results of a provider batch taken in, beside what a script would do with the same file."""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pybase64
from benchmarks.figures import Figure, say
from benchmarks.load import ROOT, clean_environment
from benchmarks.process import peak_mb
from PIL import Image
from sqlalchemy import update

from darkroom import db
from darkroom.jobs import batches, leases, load
from darkroom.jobs.claim import Bound
from darkroom.jobs.close import Closing
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import Job
from darkroom.registry import Registry
from darkroom.request import Request
from darkroom.settings import Budget, Settings
from darkroom.storage.lines import lines_of
from darkroom_manifests.tier import Tier
from darkroom_worker.answer import Answer
from darkroom_worker.backends.aistudio_batch import AIStudioBatch
from darkroom_worker.backends.batch import Phase, Remote
from darkroom_worker.backends.rest import Rest
from darkroom_worker.backends.result import read_result
from darkroom_worker.batch_input import lines
from darkroom_worker.collector import Collector, Desk
from darkroom_worker.developer import Developer
from darkroom_worker.memory import keep_large_blocks
from darkroom_worker.publish import Publisher
from darkroom_worker.settle import Settler
from darkroom_worker.spool import Spool

_TIER = Tier.AISTUDIO_BATCH
_MODEL = "gemini-nano-banana-2.1"
_WORKER = "wrk_bench"
_SIDE_PIXELS = 1_024
_PIECE = 1 << 20
_USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 1_120,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_120}],
}


class Taken(msgspec.Struct, frozen=True):
    """What one side used for the file."""

    lines: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    """Beyond what it held before the first line."""


def figures(runs: int, some: int, many: int) -> list[Figure]:
    """Take some lines in by each side in turn, and many of them, where the disk cannot lag behind.

    Scripts leave what they write to the kernel, which costs them little while it is little.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        small, large = (_sides(place, lines, runs) for lines in (some, many))
    return [
        *_compared(some, small),
        *_compared(many, large),
        Figure(
            name=f"peak MB, {many} lines of 2 MB taken in",
            ours=[max(taken.peak_mb for taken in large["darkroom"])],
            rival="150 MB",
            baseline=[150.0],
            at_most=1.0,
        ),
        *building(200_000),
    ]


Sides = dict[str, list[Taken]]


def _sides(place: Path, lines: int, runs: int) -> Sides:
    """Have each side take the same file in, so many times."""
    prepare(place, lines)
    found: Sides = {side: [] for side in ("darkroom", "plain", "bare")}
    for number in range(runs):
        for side, taken in found.items():
            taken.append(_run(side, place, number))
            cpu_ms = 1e3 * taken[-1].cpu_seconds / lines
            say(f"{lines:,} batch results, {side}: {cpu_ms:.2f} ms of CPU a line")
    return found


def _compared(lines: int, found: Sides) -> list[Figure]:
    """Hold the CPU of all lines against both scripts."""
    cpu = {side: [each.cpu_seconds for each in taken] for side, taken in found.items()}
    targets = (("plain", "json + base64 + write", 1 / 3), ("bare", "read + decode + write", 1.5))
    return [
        Figure(
            name=f"CPU seconds, {lines:,} lines of 2 MB taken in",
            ours=cpu["darkroom"],
            rival=rival,
            baseline=cpu[side],
            at_most=most,
        )
        for side, rival, most in targets
    ]


def prepare(folder: Path, how_many: int) -> None:
    """Write a result file, and books that wait for it, in place of what was there."""
    for old in [path for path in folder.iterdir() if path.is_file()]:
        old.unlink()
    engine = db.open_engine(f"sqlite:///{folder / 'books.db'}")
    db.upgrade(engine)
    attempts = _claimed(engine, how_many)
    engine.dispose()
    picture = base64.b64encode(noise()).decode()
    with (folder / "results.jsonl").open("wb") as file:
        for attempt_id in attempts:
            file.write(line(attempt_id, picture))


def noise() -> bytes:
    """Draw a JPEG of 1.5 MB, which are 2 MB in base64."""
    pixels = os.urandom(_SIDE_PIXELS * _SIDE_PIXELS * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (_SIDE_PIXELS, _SIDE_PIXELS), pixels).save(out, "JPEG", quality=97)
    return out.getvalue()


def line(attempt_id: str, picture: str) -> bytes:
    """Spell a line of AI Studio's results."""
    part = {"inlineData": {"mimeType": "image/jpeg", "data": picture}}
    candidate = {"content": {"parts": [part]}, "finishReason": "STOP"}
    response = {"candidates": [candidate], "usageMetadata": _USAGE}
    return json.dumps({"key": attempt_id, "response": response}).encode() + b"\n"


def _claimed(engine: Any, how_many: int) -> list[str]:  # noqa: ANN401  # SQLAlchemy's engine
    job = NewJob(
        name="bench",
        output_path="{job}/{id}_{variant}.{ext}",
        storage_url="out",
    )
    request = msgspec.json.encode(Request(prompt="a lamp", image_size="1K")).decode()
    renders = [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=f"r{number}",
            variant=1,
            n=1,
            fingerprint=f"{number:032}",
            tier=_TIER.value,
            model=_MODEL,
            request=request,
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=1,
            max_cost_nusd=None,
        )
        for number in range(how_many)
    ]
    bound = Bound("bat_bench", "", _MODEL)
    with db.writing(engine) as connection:
        leases.register(connection, _WORKER, [_TIER], 3_600)
        job_id = load.begin(connection, job)
        load.add(connection, job_id, renders)
        load.finish(connection, job_id, Loaded(how_many, how_many, 0, 0, 0))
        bound = msgspec.structs.replace(bound, job_id=job_id)
        batches.open_batch(
            connection,
            _TIER,
            bound,
            how_many,
            _WORKER,
            budget=Budget(per_day=None),
            lease_seconds=3_600,
        )
    with db.reading(engine) as connection:
        return batches.open_attempts(connection, bound.batch_id)


def _run(side: str, folder: Path, number: int) -> Taken:
    """Measure one side in a process of its own, each time with the books as they were."""
    there = folder / f"{side}-{number}"
    there.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.batch_results", side, str(folder), str(there)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        timeout=900,
        check=True,
    )
    shutil.rmtree(there)
    return msgspec.json.decode(done.stdout, type=Taken)


class FileOfResults:
    """The part of a batch backend that a file on disk needs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def results(self, _remote: Remote) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            yield from lines_of(iter(lambda: file.read(_PIECE), b""))

    def read(self, line: bytes) -> Any:  # noqa: ANN401  # as the protocol's
        return read_result(line)


def darkroom(folder: Path, there: Path) -> int:
    """Take the results in as a worker does: parsed, decoded, stored, settled."""
    keep_large_blocks()
    (there / "books.db").write_bytes((folder / "books.db").read_bytes())
    engine = db.open_engine(f"sqlite:///{there / 'books.db'}")
    with db.writing(engine) as connection:
        connection.execute(update(Job).values(storage_url=str(there / "out")))
    settings = Settings(home=there / "home")
    publisher = Publisher(settings.gcs)
    settler = Settler(engine, settings.rules, publisher)
    spool = Spool.open(settings.home, _WORKER)
    with db.reading(engine) as connection:
        batch = batches.find(connection, "bat_bench")
    waiting: list[Closing] = []
    seen = [-1]

    def settle(least: int) -> bool:
        if len(waiting) >= least:
            settler.settle([Answer(closing) for closing in waiting], spool)
            waiting.clear()
        return True

    def take_in(closings: Sequence[Closing]) -> None:
        waiting.extend(closings)
        settle(64)

    def go_on() -> bool:
        """Settle what is left when nothing has come since it was asked before."""
        is_over = seen[0] == len(waiting)
        seen[0] = len(waiting)
        return settle(1 if is_over else 64)

    collector = Collector(
        batch=batch,
        backend=FileOfResults(folder / "results.jsonl"),  # type: ignore[arg-type]
        database=engine,
        developer=Developer(settings, Registry.load()),
        spool=spool,
        rules=settings.rules,
        desk=Desk(take_in, lambda: False),
        hands=ThreadPoolExecutor(4),
        go_on=go_on,
    )
    remote = Remote(
        name="b", display_name="bat_bench", phase=Phase.SUCCEEDED, said="", succeeded=batch.lines
    )
    found = collector.collect(remote, may_be_late=False)
    assert found is not None
    return found.lines


def plain(folder: Path, there: Path) -> int:
    """What a script does: json, base64, a file."""
    count = 0
    with (folder / "results.jsonl").open("rb") as file:
        for text in file:
            read = json.loads(text)
            part = read["response"]["candidates"][0]["content"]["parts"][0]
            picture = base64.b64decode(part["inlineData"]["data"])
            (there / f"{read['key']}.jpg").write_bytes(picture)
            count += 1
    return count


def bare(folder: Path, there: Path) -> int:
    """The least that can be done: the base64 is known to be between two quotes."""
    count = 0
    with (folder / "results.jsonl").open("rb") as file:
        for text in lines_of(iter(lambda: file.read(_PIECE), b"")):
            begin = text.index(b'"data": "') + 9
            picture = pybase64.b64decode(text[begin : text.index(b'"', begin)], validate=True)
            (there / f"{count}.jpg").write_bytes(picture)
            count += 1
    return count


def building(how_many: int) -> list[Figure]:
    """Spell lines of an input, and see that memory stays flat."""
    backend, request = AIStudioBatch(Rest.__new__(Rest)), Request(prompt="a lamp " * 20)
    claims: Any = [_Claim(f"att_{number:018}") for number in range(1_000)]
    began, spelled = time.perf_counter(), 0
    request_of: Any = lambda _: request  # noqa: E731
    while spelled < how_many:
        spelled += len(list(lines(claims, request_of, backend)))
    rate = spelled / (time.perf_counter() - began)
    return [
        Figure(
            name=f"lines a second, input of {how_many:,} lines",
            ours=[rate],
            rival="wanted",
            baseline=[100_000.0],
            at_least=1.0,
        )
    ]


class _Claim(msgspec.Struct, frozen=True):
    attempt_id: str


def main() -> None:
    """Measure one side, and print what was found as JSON."""
    side, folder, there = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    gc.collect()
    held = peak_mb()
    began, cpu = time.perf_counter(), time.process_time()
    found = {"darkroom": darkroom, "plain": plain, "bare": bare}[side](folder, there)
    taken = Taken(found, time.perf_counter() - began, time.process_time() - cpu, peak_mb() - held)
    sys.stdout.buffer.write(msgspec.json.encode(taken))


if __name__ == "__main__":
    main()
