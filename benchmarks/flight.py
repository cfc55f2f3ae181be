"""Many requests in flight from one worker process."""

from __future__ import annotations

import urllib.request
from functools import partial
from typing import Final

import msgspec
from benchmarks import darkroom_itself, scripts
from benchmarks.figures import Figure, measured, simulator
from benchmarks.load import Load

_MOST_MB: Final = 1_500.0  # of one worker process, whatever is in flight


def figures(wanted: int, latency: int, times: int) -> list[Figure]:
    """Ask for so many at once, so many times as many in all; look at memory and rate.

    The rate is that of the rounds between the first, whose answers all come at once after nothing,
    and the last.
    """
    with simulator(str(latency)) as running:
        load = Load(running.url, times * wanted, wanted)
        bare = measured(partial(scripts.run, "bare"), load)
        ours = measured(darkroom_itself.run, load)
        peak = _peak_in_flight(running.url)
    ideal = wanted / latency
    rate, bare_rate = ours.rate_amid(wanted), bare.rate_amid(wanted)
    how = f"{latency} s latency, {wanted:,} at a time"
    return [
        Figure(
            name=f"requests in flight, one worker, {wanted:,} wanted",
            ours=[peak],
            rival="wanted",
            baseline=[wanted],
            at_least=1.0,
        ),
        Figure(
            name=f"worker's peak MB, {how}",
            ours=[ours.peak_mb],
            rival="bound",
            baseline=[_MOST_MB],
            at_most=1.0,
        ),
        Figure(
            name=f"images/s, {how}",
            ours=[rate],
            rival="in flight / latency",
            baseline=[ideal],
            at_least=0.9,
        ),
        Figure(name=f"images/s, {how}", ours=[rate], rival="bare", baseline=[bare_rate]),
    ]


def _peak_in_flight(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_sim/ledger") as books:  # noqa: S310  # on loopback
        peak: int = msgspec.json.decode(books.read())["peak_in_flight"]
        return peak
