"""Who watches a worker, as a parts list: the log always, the others where they are asked for."""

from __future__ import annotations

import os

import structlog

from darkroom.settings import Settings
from darkroom_worker.attempt_log import AttemptLog
from darkroom_worker.spans import open_spans
from darkroom_worker.telemetry import Telemetry

_log = structlog.get_logger(__name__)


def open_telemetry(settings: Settings, worker_id: str) -> Telemetry:
    """Make what the engine tells everything to. Raises ConfigInvalid."""
    telemetry = Telemetry()
    telemetry.add(AttemptLog())
    spans = open_spans(settings, worker_id, os.environ)
    if spans is not None:
        telemetry.add(spans)
    if settings.worker.metrics_port is not None:
        _count(telemetry, settings.worker.metrics_host, settings.worker.metrics_port)
    return telemetry


def _count(telemetry: Telemetry, host: str, port: int) -> None:
    from darkroom_worker.meters import Meters  # noqa: PLC0415  # loads a library that few need

    meters = Meters()
    meters.watch(telemetry)
    telemetry.add(meters)
    _log.info("metrics are served", host=host, port=meters.serve(host, port))
