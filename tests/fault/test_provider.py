"""The provider misbehaves in every way it can: each answer is booked for what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.fault.rig.fleet import Fleet, Row, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

MakeFleet = Callable[..., Fleet]

ERRORS = ("429-once", "500-once", "503-once", "504-once", "502-html-once")
TORN = ("drop-before-once", "drop-after-once", "reset-once", "truncated-once", "garbage-once")
LATE = ("slow-once=4", "drip-once=8", "drip-once=1")
SECONDS = 2.0  # that an answer may take: less than some of the late ones
SPOILED = ("no-usage", "corrupt-once", "truncated-image-once", "bad-base64-once", "wrong-size-once")
VAST = ("endless-once", "gzip-bomb-once")
MEBIBYTE = 1 << 20


def with_words(words: tuple[str, ...]) -> list[Row]:
    return [
        {"id": f"{word}-{n}".replace("=", "-"), "prompt": f"lamp {n} [[sim:{word}]]"}
        for word in words
        for n in range(2)
    ]


def test_every_fault_of_the_provider_ends_in_an_image_and_in_the_books(
    make_fleet: MakeFleet, database_url: str, valkey: Valkey
) -> None:
    fleet = make_fleet(
        database_url, valkey, worker={"lease_seconds": 2.0, "request_seconds": SECONDS}
    )
    manifest = with_words(ERRORS + TORN + LATE + SPOILED)

    fleet.watch(fleet.submit(manifest), 60)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.held, verdict.deaths) == (len(manifest), 0, 0)
    assert verdict.paid_twice <= verdict.lost


def test_a_storm_of_429_uses_up_no_attempt(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path
) -> None:
    storm = tmp_path / "storm.toml"
    storm.write_text('[[rule]]\nfault = "429=1"\ntimes = 40\n')
    fleet = make_fleet(None, valkey, simulator=("--scenario", str(storm)))

    fleet.watch(fleet.submit(rows(20)), 90)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (20, 0, 0)


def test_a_body_without_end_does_not_fill_the_memory(make_fleet: MakeFleet, valkey: Valkey) -> None:
    fleet = make_fleet(
        None, valkey, workers=1, worker={"lease_seconds": 2.0, "request_seconds": SECONDS}
    )

    fleet.watch(fleet.submit(with_words(VAST)[::2]), 60)
    peak = peak_memory(fleet.workers[0].pid)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert verdict.images == 2
    assert peak < 600 * MEBIBYTE


def peak_memory(pid: int) -> int:
    """The most that a process ever had in memory, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
