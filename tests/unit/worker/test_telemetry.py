"""Watchers are told of each attempt once, and one that fails stops nothing."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from darkroom.errors import ConfigInvalid
from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing, Picture, Tokens
from darkroom.jobs.steps import Step
from darkroom.models import AttemptState, RenderState
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.attempt_log import AttemptLog
from darkroom_worker.meters import Meters
from darkroom_worker.spans import Spans, open_spans
from darkroom_worker.telemetry import Ended, Telemetry, Watcher

PICTURE = Picture(sha256="0", bytes=1_000, mime="image/png", extension="png", width=1, height=1)
DONE = Step(RenderState.DONE)


def claimed(name: str) -> Claim:
    return Claim(
        attempt_id=name,
        render_id=7,
        job_id="job_1",
        fence=2,
        tier=Tier.VERTEX,
        model="gemini-3-pro-image",
        request='{"prompt":"canary"}',
        reserved_nusd=200_000_000,
        sent_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def delivered(name: str) -> Closing:
    return Closing(
        attempt_id=name,
        ended=AttemptState.DELIVERED,
        charged_nusd=134_000_000,
        tokens=Tokens(prompt=60, image=1120, text=3, thought=177),
        http_status=200,
        finish_reason="STOP",
        response_id="resp-1",
        latency_ms=9_000,
        picture=PICTURE,
    )


def lost(name: str) -> Closing:
    return Closing(attempt_id=name, ended=AttemptState.LOST, message="canary", latency_ms=2_000)


def rendered(telemetry: Telemetry, closings: Sequence[Closing]) -> None:
    for closing in closings:
        telemetry.sent(claimed(closing.attempt_id))
        telemetry.answered(claimed(closing.attempt_id))
    steps = {closing.attempt_id: DONE for closing in closings}
    telemetry.settled(closings, steps, 0.02)


class Broken(AttemptLog):
    """A watcher with a defect."""

    def settled(self, ended: Sequence[Ended], seconds: float) -> None:
        raise RuntimeError(f"{len(ended)} {seconds}")


def watched_by(*watchers: Watcher) -> Telemetry:
    telemetry = Telemetry()
    for watcher in watchers:
        telemetry.add(watcher)
    return telemetry


def value(meters: Meters, name: str, **labels: str) -> float | None:
    return meters.registry.get_sample_value(name, labels)


OF = {"tier": "vertex", "model": "gemini-3-pro-image"}


def test_a_watcher_that_fails_is_left_out_and_the_others_go_on() -> None:
    meters = Meters()
    telemetry = watched_by(Broken(), meters)

    rendered(telemetry, [delivered("att_1")])
    rendered(telemetry, [delivered("att_2")])

    assert value(meters, "darkroom_worker_attempts_total", **OF, outcome="delivered") == 2


def test_what_is_in_flight_and_what_waits_is_known_at_every_moment() -> None:
    telemetry = watched_by()
    for name in ("att_1", "att_2", "att_3"):
        telemetry.sent(claimed(name))
    telemetry.answered(claimed("att_1"))

    assert (telemetry.in_flight[Tier.VERTEX], telemetry.unsettled) == (2, 1)

    telemetry.settled([delivered("att_1")], {"att_1": DONE}, 0.0)

    assert (telemetry.in_flight[Tier.VERTEX], telemetry.unsettled) == (2, 0)


def test_an_images_name_that_another_object_has_is_counted() -> None:
    meters, telemetry = Meters(), watched_by()
    meters.watch(telemetry)

    telemetry.name_taken()

    assert value(meters, "darkroom_worker_names_taken") == 1


def test_meters_count_money_bytes_latency_and_batches_in_base_units() -> None:
    meters = Meters()
    rendered(watched_by(meters), [delivered("att_1"), delivered("att_2"), lost("att_3")])

    assert value(meters, "darkroom_worker_requests_total", **OF) == 3
    assert value(meters, "darkroom_worker_charged_dollars_total", **OF) == pytest.approx(0.268)
    assert value(meters, "darkroom_worker_at_risk_dollars_total", **OF) == pytest.approx(0.2)
    assert value(meters, "darkroom_worker_image_bytes_total", **OF) == 2_000
    assert value(meters, "darkroom_worker_latency_seconds_sum", **OF) == pytest.approx(20)
    assert value(meters, "darkroom_worker_settle_attempts_sum") == 3


def test_meters_can_be_read_and_hold_no_id() -> None:
    meters, telemetry = Meters(), Telemetry()
    meters.watch(telemetry)
    telemetry.add(meters)
    rendered(telemetry, [delivered("att_1"), lost("att_2")])

    text = generate_latest(meters.registry).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.documentation for family in families.values())
    labels = {name for f in families.values() for sample in f.samples for name in sample.labels}
    assert labels <= {"tier", "model", "outcome", "le"}
    assert not {"att_1", "job_1", "canary"} & set(text.replace('"', " ").split())


def test_a_second_process_takes_the_next_free_port() -> None:
    first, second = Meters(), Meters()

    one = first.serve("127.0.0.1", 29_464)
    two = second.serve("127.0.0.1", 29_464)
    with urllib.request.urlopen(f"http://127.0.0.1:{two}/metrics") as page:
        text = page.read().decode()

    assert 29_464 <= one < two
    assert "darkroom_worker_settle_seconds" in text


def spans_of(closings: Sequence[Closing]) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = watched_by(Spans(provider))
    rendered(telemetry, closings)
    telemetry.settled(closings, {}, 0.0)  # told again, as after a retried transaction
    telemetry.close()
    return exporter


def test_an_attempt_is_one_span_with_the_names_of_generative_ai() -> None:
    (span,) = spans_of([delivered("att_1")]).get_finished_spans()

    assert (span.name, span.kind) == ("generate_content gemini-3-pro-image", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.output.type": "image",
        "gen_ai.provider.name": "gcp.vertex_ai",
        "gen_ai.request.model": "gemini-3-pro-image",
        "gen_ai.response.id": "resp-1",
        "gen_ai.response.finish_reasons": ("STOP",),
        "gen_ai.usage.input_tokens": 60,
        "gen_ai.usage.output_tokens": 1300,
        "gen_ai.usage.image.output_tokens": 1120,
        "gen_ai.usage.text.output_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 177,
        "http.response.status_code": 200,
        "darkroom.job.id": "job_1",
        "darkroom.render.id": 7,
        "darkroom.attempt.id": "att_1",
        "darkroom.attempt": 2,
        "darkroom.tier": "vertex",
        "darkroom.outcome": "delivered",
        "darkroom.cost.amount": 0.134,
        "darkroom.cost.currency": "USD",
        "darkroom.cost.source": "local",
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time


def test_a_failed_attempt_is_a_failed_span_without_the_providers_words() -> None:
    (span,) = spans_of([lost("att_1")]).get_finished_spans()

    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "lost"
    assert "canary" not in span.to_json()


def test_spans_are_off_until_somebody_names_an_endpoint() -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}

    assert open_spans(Settings(), "wrk_1", {}) is None
    assert open_spans(Settings(), "wrk_1", asked | {"OTEL_SDK_DISABLED": "true"}) is None
    by_variable = open_spans(Settings(), "wrk_1", asked)
    by_setting = open_spans(
        Settings.model_validate({"trace": {"endpoint": "http://127.0.0.1:9/v1/traces"}}), "w", {}
    )
    for spans in (by_variable, by_setting):
        assert spans is not None
        spans.close()


def test_no_port_above_the_last_is_tried() -> None:
    with pytest.raises(ConfigInvalid):
        Meters().serve("192.0.2.1", 65_535)
