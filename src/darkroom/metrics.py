"""The books as Prometheus reads them; the names are in docs/reference/metrics.md.

The figures come from SQL, in one reading, so they are the same whoever serves them and survive
every process. A reading is kept for a while: twenty times as long as it took, and five seconds at
least, so that scrapes take a twentieth of one connection at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db
from darkroom.heartbeat import open_redis, ticking
from darkroom.jobs import rests
from darkroom.models import AttemptState
from darkroom.report import Fleet, fleet
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier

_log = structlog.get_logger(__name__)

_KEPT_SECONDS: Final = 5.0
_KEPT_TIMES: Final = 20
_BY_MODEL: Final = ("tier", "model")

Family = CounterMetricFamily | GaugeMetricFamily


class Books(Collector):
    """A collector for a Prometheus registry; may be asked from many threads at once."""

    def __init__(self, database: Engine, broker_url: Callable[[], str | None]) -> None:
        self._database = database
        self._broker_url = broker_url
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._fresh_until = 0.0

    def describe(self) -> list[Metric]:
        """Name nothing beforehand: registering must not read the books."""
        return []

    def collect(self) -> list[Metric]:
        """Give the last reading, or read when it is too old; others wait for that meanwhile."""
        with self._lock:
            if time.monotonic() >= self._fresh_until:
                began = time.monotonic()
                self._kept = [*self._read(), *self._clocks()]
                took = time.monotonic() - began
                self._kept.append(_gauge("read_seconds", "How long this reading took.", took))
                self._fresh_until = began + took + max(_KEPT_SECONDS, took * _KEPT_TIMES)
            return self._kept

    def _read(self) -> Iterator[Metric]:
        meaning = "Whether the database could be read; without it there is nothing else."
        try:
            with db.reading(self._database) as connection:
                found = fleet(connection)
        except DBAPIError as error:
            _log.warning("the books cannot be read", error=error)
            yield _gauge("database_up", meaning, 0)
            return
        yield _gauge("database_up", meaning, 1)
        yield from (family for part in _PARTS for family in part(found))

    def _clocks(self) -> Iterator[Metric]:
        clocks = self._ticking()
        yield _gauge("broker_up", "Whether the broker answers.", 0 if clocks is None else 1)
        family = GaugeMetricFamily("darkroom_clocks", "Schedulers that ticked lately.", labels=())
        if clocks is not None:
            family.add_metric((), clocks)
        yield family

    def _ticking(self) -> int | None:
        url = self._broker_url()
        if url is None:
            return None
        redis = open_redis(url)
        try:
            return ticking(redis)
        except (RedisError, OSError) as error:
            _log.warning("the broker is away", error=error)
            return None
        finally:
            redis.close()


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"darkroom_{name}", meaning, value=value)


def _work(found: Fleet) -> Iterator[Family]:
    jobs = GaugeMetricFamily("darkroom_jobs", "Jobs by how they stand.", labels=("state",))
    for state, how_many in found.jobs.items():
        jobs.add_metric((state,), how_many)
    yield jobs
    labels = ("state", *_BY_MODEL)
    renders = GaugeMetricFamily("darkroom_renders", "Renders by state.", labels=labels)
    for key, how_many in found.renders.items():
        renders.add_metric((key.state, key.tier, key.model), how_many)
    yield renders


def _waiting(found: Fleet) -> Iterator[Family]:
    due = GaugeMetricFamily("darkroom_due_renders", "Renders that may be sent.", labels=("tier",))
    oldest = GaugeMetricFamily(
        "darkroom_oldest_due_seconds", "How long the oldest of them has waited.", labels=("tier",)
    )
    for tier in Tier:
        due.add_metric((tier,), found.due.get(tier, 0))
        oldest.add_metric((tier,), found.oldest_due_seconds.get(tier, 0.0))
    yield due
    yield oldest


def _attempts(found: Fleet) -> Iterator[Family]:
    closed = CounterMetricFamily(
        "darkroom_attempts", "Attempts by how they ended.", labels=(*_BY_MODEL, "outcome")
    )
    flying = GaugeMetricFamily(
        "darkroom_open_attempts", "Attempts whose answer is awaited.", labels=_BY_MODEL
    )
    for key, sums in found.attempts.items():
        if key.state == AttemptState.SENT:
            flying.add_metric((key.tier, key.model), sums.attempts)
        else:
            closed.add_metric((key.tier, key.model, key.state), sums.attempts)
    yield closed
    yield flying


def _money(found: Fleet) -> Iterator[Family]:
    charged = CounterMetricFamily(
        "darkroom_charged_dollars", "Money charged, by outcome.", labels=(*_BY_MODEL, "outcome")
    )
    at_risk = GaugeMetricFamily(
        "darkroom_at_risk_dollars", "What lost answers may have cost.", labels=_BY_MODEL
    )
    reserved = GaugeMetricFamily(
        "darkroom_reserved_dollars", "Set aside for open attempts.", labels=_BY_MODEL
    )
    for key, sums in found.attempts.items():
        of = (key.tier, key.model)
        if key.state == AttemptState.SENT:
            reserved.add_metric(of, sums.reserved_nusd / NANO)
        else:
            charged.add_metric((*of, key.state), sums.charged_nusd / NANO)
        if key.state == AttemptState.LOST:
            at_risk.add_metric(of, sums.at_risk_nusd / NANO)
    yield charged
    yield at_risk
    yield reserved


def _wasted(found: Fleet) -> Iterator[Family]:
    wasted: dict[tuple[str, str], int] = {}
    for key, sums in found.attempts.items():
        if key.state not in (AttemptState.SENT, AttemptState.DELIVERED):
            of = (key.tier, key.model)
            wasted[of] = wasted.get(of, 0) + sums.charged_nusd
    family = GaugeMetricFamily(
        "darkroom_wasted_dollars", "Money charged that brought no picture.", labels=_BY_MODEL
    )
    for of, amount in wasted.items():
        family.add_metric(of, amount / NANO)
    yield family


def _tokens(found: Fleet) -> Iterator[Family]:
    family = CounterMetricFamily(
        "darkroom_tokens", "Tokens as reported.", labels=(*_BY_MODEL, "kind")
    )
    totals: dict[tuple[str, str, str], int] = {}
    for key, sums in found.attempts.items():
        kinds = (
            ("image", sums.image_tokens),
            ("text", sums.text_tokens),
            ("prompt", sums.prompt_tokens),
        )
        for kind, tokens in kinds:
            of = (key.tier, key.model, kind)
            totals[of] = totals.get(of, 0) + tokens
    for of, tokens in totals.items():
        family.add_metric(of, tokens)
    yield family


def _accounts(found: Fleet) -> Iterator[Family]:
    capped = GaugeMetricFamily(
        "darkroom_capped_accounts", "Unfinished accounts that have a cap.", labels=("scope",)
    )
    fullest = GaugeMetricFamily(
        "darkroom_budget_used_ratio", "How full the fullest of them is.", labels=("scope",)
    )
    for scope, fullness in found.accounts.items():
        capped.add_metric((scope,), fullness.capped)
        fullest.add_metric((scope,), fullness.fullest)
    yield capped
    yield fullest


def _hands(found: Fleet) -> Iterator[Family]:
    workers = GaugeMetricFamily(
        "darkroom_workers", "Worker processes that serve a tier.", labels=("tier", "life")
    )
    for (tier, life), how_many in found.workers.items():
        workers.add_metric((tier, life), how_many)
    yield workers
    resting = GaugeMetricFamily(
        "darkroom_rests", "Rests in force; until a time or a person.", labels=(*_BY_MODEL, "until")
    )
    for rest in found.rests:
        model = "" if rest.model == rests.WHOLE_TIER else rest.model
        resting.add_metric((rest.tier, model, "person" if rest.until is None else "time"), 1)
    yield resting


_PARTS: Final[tuple[Callable[[Fleet], Iterator[Family]], ...]] = (
    _work,
    _waiting,
    _attempts,
    _money,
    _wasted,
    _tokens,
    _accounts,
    _hands,
)
