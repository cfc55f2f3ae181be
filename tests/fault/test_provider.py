"""The provider misbehaves in every way it can: each answer is booked for what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from tests.fault.rig.fleet import Fleet, Row, rows
from tests.fault.rig.valkey import Valkey
from tests.fault.rig.witness import examine

from darkroom import db
from darkroom.models import Rest

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
        database_url,
        valkey,
        worker={"lease_seconds": 2.0, "request_seconds": SECONDS},
        rules={"backoff_seconds": 0.1, "breaker_seconds": 1.0},
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
    storm.write_text('[[rule]]\nfault = "429=0.2"\ntimes = 40\n')
    fleet = make_fleet(None, valkey, simulator=("--scenario", str(storm)))

    fleet.watch(fleet.submit(rows(20)), 90)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost, verdict.paid_twice) == (20, 0, 0)


def test_a_body_without_end_does_not_fill_the_memory(make_fleet: MakeFleet, valkey: Valkey) -> None:
    fleet = make_fleet(None, valkey, workers=1)

    fleet.watch(fleet.submit(with_words(VAST)[::2]), 120)
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


def test_in_an_outage_a_model_rests_and_goes_on_by_itself_when_it_is_over(
    make_fleet: MakeFleet, valkey: Valkey, tmp_path: Path
) -> None:
    outage = tmp_path / "outage.toml"
    # Enough for one of two workers to hear four, and so few that trials are over in 80 seconds.
    outage.write_text('[[rule]]\nfault = "500"\ntimes = 8\n')
    fleet = make_fleet(
        None,
        valkey,
        simulator=("--scenario", str(outage)),
        rules={"breaker_failures": 4, "breaker_seconds": 2.5, "max_attempts": 15},
        tiers={"simulator": {"concurrency": 4}},
    )

    fleet.watch(fleet.submit(rows(30)), 120)
    verdict = examine(fleet)

    assert verdict.violations == ()
    assert (verdict.images, verdict.lost) == (30, 0)
    with db.reading(db.open_engine(fleet.room.settings.sql_url)) as connection:
        reasons = connection.scalars(select(Rest.reason)).all()
    assert [reason for reason in reasons if "answers in a row failed" in reason]


def test_a_size_that_fails_rests_alone_and_the_others_go_on(
    make_fleet: MakeFleet, valkey: Valkey
) -> None:
    """One after the other, so that an image of 1K comes between any two failures."""
    fleet = make_fleet(
        None,
        valkey,
        workers=1,
        rules={"breaker_failures": 3, "breaker_seconds": 2.5, "max_attempts": 1},
        tiers={"simulator": {"concurrency": 1}},
    )
    manifest = rows(12)
    for number, row in enumerate(manifest):
        row["image_size"] = "1K" if number % 2 or number > 6 else "4K"
        if row["image_size"] == "4K":
            row["prompt"] = f"{row['prompt']} [[sim:500]]"

    job = fleet.submit(manifest)
    state = fleet.watch(job, 120)

    ended = sorted(job.results(), key=lambda one: (one.finished_at, one.row_no))
    assert examine(fleet).violations == ()
    assert (state.done, state.failed) == (8, 4)
    assert ended[-1].id == "r6", "the fourth of 4K was tried after all others"
    with db.reading(db.open_engine(fleet.room.settings.sql_url)) as connection:
        names = connection.scalars(select(Rest.model)).all()
    assert [name.rpartition(" ")[2] for name in names] == ["4K"]
