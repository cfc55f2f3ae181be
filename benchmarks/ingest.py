"""A large manifest, checked and submitted in a fresh process, to SQLite or PostgreSQL."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from benchmarks.load import ROOT, clean_environment, prompt
from benchmarks.process import peak_mb

from darkroom import Darkroom, db
from darkroom.configure import load as load_settings

_CHUNK = 1_000


class Ingest(msgspec.Struct, frozen=True):
    """Peak memory after each step, in megabytes, and rows a second."""

    rows: int
    check_mb: float
    submit_mb: float
    check_rate: float
    submit_rate: float
    raw_rate: float


def run(rows: int, folder: Path, *urls: str) -> Ingest:
    """Measure a manifest of so many rows in a process of its own.

    `urls` are two empty PostgreSQL databases, the second for the raw copy; without them: SQLite.
    """
    write(folder / "large.csv", rows)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", str(rows), str(folder), *urls],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        timeout=600,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Ingest)


def write(path: Path, rows: int) -> None:
    """Write a manifest with a few columns that have a meaning, and one that has none."""
    ratios = ["1:1", "4:3", "16:9", "9:16"]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "prompt", "aspect_ratio", "tag.season", "supplier"])
        for number in range(rows):
            ratio = ratios[number % len(ratios)]
            out.writerow([f"sku-{number:07}", prompt(number), ratio, "autumn", "Example & Sons"])


def measure(rows: int, folder: Path, url: str = "", raw_url: str = "") -> Ingest:
    """Check, submit, then insert the same rows by hand."""
    env = {
        "DARKROOM_HOME": str(folder / "home"),
        "DARKROOM_STORAGE_URL": str(folder / "out"),
        "DARKROOM_DATABASE_URL": url,
    }
    with Darkroom(load_settings(env=env, folder=folder).settings) as darkroom:
        assert darkroom.database is not None, "made before the clock starts"
        began = time.perf_counter()
        plan = darkroom.plan(folder / "large.csv")
        checked, check_mb = time.perf_counter(), peak_mb()
        darkroom.submit(plan, consent=True)
        submitted, submit_mb = time.perf_counter(), peak_mb()
    full = folder / "home" / "darkroom.db"
    seconds = raw_copy(url, raw_url, folder) if url else raw_seconds(full, folder / "raw.db")
    raw = rows / seconds
    rates = rows / (checked - began), rows / (submitted - checked)
    return Ingest(rows, check_mb, submit_mb, *rates, raw)


def raw_seconds(full: Path, empty: Path) -> float:
    """Insert all renders into the same table of a new database, in chunks of the same size."""
    engine = db.open_engine(f"sqlite:///{empty}")
    db.upgrade(engine)
    engine.dispose()
    seconds = 0.0
    with closing(sqlite3.connect(empty)) as target, closing(sqlite3.connect(full)) as source:
        target.execute("PRAGMA synchronous = FULL")
        for rows in _chunks(source):
            marks = ", ".join("?" * len(rows[0]))
            began = time.perf_counter()
            with target:
                target.executemany(f"INSERT INTO renders VALUES ({marks})", rows)  # noqa: S608
            seconds += time.perf_counter() - began
    return seconds


def raw_copy(full: str, empty: str, folder: Path) -> float:
    """Copy all renders into the same table of a new database: one COPY, one transaction."""
    seconds = 0.0
    for table in ("jobs", "renders"):
        file = folder / f"{table}.copy"
        with _driver(full) as source, file.open("wb") as out:
            cursor = source.cursor()
            with cursor.copy(f"COPY {table} TO STDOUT") as copied:
                out.writelines(copied)
        began = time.perf_counter()
        with _driver(empty) as target, file.open("rb") as given:
            cursor = target.cursor()
            with cursor.copy(f"COPY {table} FROM STDIN") as copied:
                while block := given.read(1 << 16):
                    copied.write(block)
        seconds = time.perf_counter() - began
    return seconds


def _driver(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.replace("+psycopg", ""))


def _chunks(source: sqlite3.Connection) -> Iterator[list[tuple[Any, ...]]]:
    cursor = source.execute("SELECT * FROM renders ORDER BY id")
    while rows := cursor.fetchmany(_CHUNK):
        yield rows


def main() -> None:
    """Measure, and print what was found as JSON."""
    rows, folder, *urls = sys.argv[1:]
    sys.stdout.buffer.write(msgspec.json.encode(measure(int(rows), Path(folder), *urls)))


if __name__ == "__main__":
    main()
