"""What one worker process counts, for Prometheus; see docs/reference/metrics.md.

The names begin with `darkroom_worker_`: the books' own figures, which survive a process, are
served by `darkroom metrics`. No label holds an id, so that the number of series stays small.
"""

from __future__ import annotations

import errno
from collections import Counter as Tally
from collections.abc import Sequence
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)

from darkroom.errors import ConfigInvalid
from darkroom.jobs.claim import Claim
from darkroom.models import AttemptState
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Tier
from darkroom_worker.telemetry import Ended, Flight, Telemetry

_LATENCIES: Final = (0.5, 1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
_SETTLES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BATCHES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500)
_PORTS_TRIED: Final = 64
_PREFIX: Final = "darkroom_worker_"
_BY: Final = ("tier", "model")
_BY_END: Final = ("tier", "model", "outcome")

Sums = Tally[tuple[str, ...]]


class Meters:
    """A watcher that counts. `serve` shows the counts to Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._sent = self._counter("requests", "Requests sent.")
        self._attempts = self._counter("attempts", "Attempts booked, by how they ended.", *_BY_END)
        self._charged = self._counter("charged_dollars", "Money charged.")
        self._at_risk = self._counter("at_risk_dollars", "Money that lost answers may have cost.")
        self._bytes = self._counter("image_bytes", "Bytes of the images received.")
        self._waited = self._counter(
            "limiter_wait_seconds",
            "Time in which a tier could have sent, had a slot been free.",
            "tier",
        )
        self._latency = self._histogram(
            "latency_seconds", "From sending a request to the end of its answer.", _LATENCIES, *_BY
        )
        self._batch = self._histogram(
            "settle_attempts", "Attempts booked in one transaction.", _BATCHES
        )
        self._settling = self._histogram(
            "settle_seconds", "How long such a transaction took, images published.", _SETTLES
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, meaning, labels or _BY, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(_PREFIX + name, meaning, labels, registry=self.registry, buckets=buckets)

    def watch(self, telemetry: Telemetry) -> None:
        """Show what is in flight: it is read when Prometheus asks, and never counted twice."""
        flying = Gauge(
            _PREFIX + "in_flight", "Requests in flight.", ("tier",), registry=self.registry
        )
        for tier in Tier:
            flying.labels(tier).set_function(partial(_in_flight, telemetry, tier))
        meaning = "Answers received that the books do not hold yet."
        waiting = Gauge(_PREFIX + "spool_answers", meaning, registry=self.registry)
        waiting.set_function(lambda: float(telemetry.unsettled))
        meaning = "Images whose name in a bucket was another object's."
        taken = Gauge(_PREFIX + "names_taken", meaning, registry=self.registry)
        taken.set_function(lambda: float(telemetry.names_taken))

    def sent(self, claim: Claim) -> None:
        """Count a request."""
        self._sent.labels(claim.tier, claim.model).inc()

    def answered(self, flight: Flight) -> None:
        """Count nothing: see `watch`."""

    def waited(self, tier: Tier, seconds: float) -> None:
        """Add up waiting."""
        self._waited.labels(tier).inc(seconds)

    def settled(self, ended: Sequence[Ended], seconds: float) -> None:
        """Count a batch: one increment for each kind of attempt in it."""
        self._batch.observe(len(ended))
        self._settling.observe(seconds)
        attempts, charged, at_risk, sizes = Sums(), Sums(), Sums(), Sums()
        for each in ended:
            claim, closing = each.flight.claim, each.closing
            of = (claim.tier.value, claim.model)
            attempts[*of, closing.ended.value] += 1
            charged[of] += closing.charged_nusd
            sizes[of] += closing.picture.bytes if closing.picture else 0
            if closing.ended is AttemptState.LOST and each.step is not None:
                at_risk[of] += claim.reserved_nusd
            if closing.latency_ms:
                self._latency.labels(*of).observe(closing.latency_ms / 1000)
        _add(self._attempts, attempts)
        _add(self._charged, charged, NANO)
        _add(self._at_risk, at_risk, NANO)
        _add(self._bytes, sizes)

    def close(self) -> None:
        """Nothing is held back."""

    def serve(self, host: str, port: int) -> int:
        """Serve /metrics on the first free port from `port` on; which one it is.

        Raises ConfigInvalid when none is free.
        """
        for candidate in range(port, min(port + _PORTS_TRIED, 65_536)):
            try:
                start_http_server(candidate, addr=host, registry=self.registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ConfigInvalid(f"worker.metrics_host {host}: {error.strerror}") from error
            else:
                return candidate
        raise ConfigInvalid(f"No port from {port} on is free for worker.metrics_port.")


def _add(counter: Counter, sums: Sums, unit: int = 1) -> None:
    for labels, amount in sums.items():
        counter.labels(*labels).inc(amount / unit)


def _in_flight(telemetry: Telemetry, tier: Tier) -> float:
    return float(telemetry.in_flight[tier])
