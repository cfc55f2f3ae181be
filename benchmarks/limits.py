"""Limits: several processes over one Valkey, judged by the simulator's strict sliding window."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from benchmarks import darkroom_itself, rate_limited_task
from benchmarks.figures import Figure, say, simulator
from benchmarks.load import MODEL, ROOT, Load, clean_environment, prompt
from benchmarks.sender import Sent

from darkroom.broker import Broker
from darkroom_simulator import child

PROCESSES: Final = 4
RATES: Final = (600, 6_000)
_LATENCY: Final = 0.5
_RIVALS: Final = {
    "library": "limits, sliding window",
    "pyrate": "pyrate-limiter",
    "celery": "Celery rate_limit",
}

Side = Callable[[str, str, int, float], float | None]
"""Sends for so many seconds to a simulator over a broker; Redis calls a send, if it counts them."""


class Verdict(msgspec.Struct, frozen=True):
    """What the judge saw: requests over the limit, and the least use of any window, in percent."""

    refused: int
    use_10s: float
    use_60s: float
    calls: float | None


def figures(seconds: float, renders: int) -> list[Figure]:
    """Measure both rates on every side, then the wall time of a job at a quota."""
    return [*(one for rate in RATES for one in _at(rate, seconds)), *_wall(renders)]


def _at(rate: int, seconds: float) -> list[Figure]:
    sides: dict[str, Side] = {
        "darkroom": partial(_senders, "darkroom"),
        "workers": _workers,
        "library": partial(_senders, "library"),
        "pyrate": partial(_senders, "pyrate"),
        "celery": _celery,
    }
    found = {name: _judged(name, side, rate, seconds) for name, side in sides.items()}
    ours = found["darkroom"]
    return [
        *_beside(f"requests over {rate:,}/min", rate, "refused", found, most=0.0),
        *_beside(f"% of {rate:,}/min used, least 10 s", rate, "use_10s", found, least=0.97),
        *_beside(f"% of {rate:,}/min used, least 60 s", rate, "use_60s", found, least=0.99),
        *_by_workers(rate, found["workers"]),
        Figure(
            name=f"Redis calls a send, {rate:,}/min",
            ours=[ours.calls or 0.0],
            rival="one a send",
            baseline=[1.0],
            at_most=0.3,
        ),
    ]


def _beside(
    name: str,
    rate: int,
    field: str,
    found: dict[str, Verdict],
    *,
    least: float | None = None,
    most: float | None = None,
) -> list[Figure]:
    """Ours against what is allowed, with a target; then against each rival, without one."""
    ours = float(getattr(found["darkroom"], field))
    allowed = Figure(
        name=name,
        ours=[ours],
        rival="what is allowed",
        baseline=[float(rate) if most is not None else 100.0],
        at_least=least,
        at_most=most,
    )
    rivals = [
        Figure(name=name, ours=[ours], rival=rival, baseline=[float(getattr(found[side], field))])
        for side, rival in _RIVALS.items()
    ]
    return [allowed, *rivals]


def _by_workers(rate: int, found: Verdict) -> list[Figure]:
    """What real worker processes did: none over the limit, whatever the machine leaves of it."""
    who = f"{PROCESSES} worker processes"
    return [
        _over(f"requests over {rate:,}/min, {who}", rate, found.refused),
        Figure(
            name=f"% of {rate:,}/min used, least 60 s, {who}",
            ours=[found.use_60s],
            rival="what is allowed",
            baseline=[100.0],
        ),
    ]


def _over(name: str, rate: int, refused: int) -> Figure:
    return Figure(
        name=name,
        ours=[float(refused)],
        rival="what is allowed",
        baseline=[float(rate)],
        at_most=0.0,
    )


def _judged(name: str, side: Side, rate: int, seconds: float) -> Verdict:
    flags = ["--quota-rpm", str(rate), "--pictures", "cached", "--body-bytes", "1000"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, child.running(*flags) as judge:
        broker = Broker(Path(folder))
        try:
            calls = side(broker.start(), judge.url, rate, seconds)
        finally:
            broker.stop()
        report = _report(judge.url)
    use = {window: (each or {}).get("least", 0.0) for window, each in report["use"].items()}
    verdict = Verdict(report["refused"], 100 * use["10"], 100 * use["60"], calls)
    say(
        f"{rate:,}/min, {name:8} let in {report['let_in']:,} in {report['seconds']:.1f} s {verdict}"
    )
    return verdict


def _report(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/quota") as answer:  # noqa: S310  # on loopback
        found: dict[str, Any] = msgspec.json.decode(answer.read())["aistudio"]
        return found


def _senders(side: str, broker: str, url: str, rate: int, seconds: float) -> float:
    command = [sys.executable, "-m", "benchmarks.sender", side, broker, url, str(rate)]
    processes = [
        subprocess.Popen(
            [*command, str(seconds)],
            cwd=ROOT,
            env=clean_environment(PYTHONWARNINGS="ignore"),
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    told = [msgspec.json.decode(process.communicate()[0], type=Sent) for process in processes]
    return sum(each.calls for each in told) / sum(each.requests for each in told)


def _workers(_: str, url: str, rate: int, seconds: float) -> None:
    """Let real worker processes render for so long; they bring a broker of their own."""
    renders = round(rate / 60 * seconds * 1.2)
    own = {"DARKROOM_TIERS__SIMULATOR__REQUESTS_PER_MINUTE": str(rate)}
    load = Load(url, renders, 256)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        darkroom_itself.stack(load, Path(folder), PROCESSES, **own) as (darkroom, _supervisor),
    ):
        rows = [{"prompt": prompt(number), "model": MODEL} for number in range(renders)]
        job = darkroom.submit(rows, consent=True)
        while not job.state.done:
            time.sleep(0.1)
        time.sleep(seconds)


def _celery(broker: str, url: str, rate: int, seconds: float) -> None:
    rate_limited_task.run(broker, url, rate, seconds, PROCESSES)


def _wall(renders: int) -> list[Figure]:
    """Render a job at a quota with two worker processes and all that belongs to it."""
    rate = RATES[0]
    ideal = renders * 60 / rate + _LATENCY
    with simulator(str(_LATENCY), "--quota-rpm", str(rate)) as running:
        load = Load(running.url, renders, 256)
        own = {"DARKROOM_TIERS__SIMULATOR__REQUESTS_PER_MINUTE": str(rate)}
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            took = darkroom_itself.seconds(load, Path(folder), 2, **own)
        report = _report(running.url)
    say(f"{renders} renders took {took:.2f} s of {ideal:.2f}; {report}")
    name = f"{renders:,} renders at {rate:,}/min, 2 workers"
    return [
        Figure(
            name=f"s for {name}",
            ours=[took],
            rival="renders / quota + one latency",
            baseline=[ideal],
            at_most=1.05,
        ),
        _over(f"requests over, {name}", rate, report["refused"]),
    ]
