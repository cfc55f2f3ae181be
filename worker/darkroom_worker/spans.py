"""One OpenTelemetry span for each attempt; needs the extra `otel`, and is off unless asked for.

Names follow the conventions for generative AI, which are in development and are pinned here
(open-telemetry/semantic-conventions-genai, read 2026-11). Money has no accepted name yet: it goes
by our own. No prompt and no provider's message is in a span.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import structlog

from darkroom.errors import ConfigInvalid
from darkroom.jobs.claim import Claim
from darkroom.models import AttemptState
from darkroom.settings import Settings
from darkroom_manifests.money import NANO
from darkroom_manifests.tier import Provider, Tier
from darkroom_worker.telemetry import Ended, Flight

if TYPE_CHECKING:  # absent without the extra
    from opentelemetry.sdk.trace import TracerProvider

_log = structlog.get_logger(__name__)

_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROVIDERS: Final = {
    Provider.AISTUDIO: "gcp.gemini",
    Provider.VERTEX: "gcp.vertex_ai",
    Provider.PROXY: "openai",
    Provider.SIMULATOR: "darkroom.simulator",
}

Value = str | int | float | Sequence[str]


def open_spans(settings: Settings, worker_id: str, env: Mapping[str, str]) -> Spans | None:
    """Make the watcher when an endpoint is set; None when nobody asked for spans.

    Raises ConfigInvalid when our own setting asks for them and the extra is not installed.
    """
    told = settings.trace.endpoint
    asked = told or any(env.get(name) for name in _VARIABLES)
    if not asked or env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        hint = "pip install 'darkroom-render[otel]'"
        if told:
            raise ConfigInvalid("trace.endpoint needs OpenTelemetry.", hint=hint)
        _log.warning("no spans are sent: OpenTelemetry is not installed", hint=hint)
        return None
    return Spans(_exporting(told, worker_id))


def _exporting(endpoint: str | None, worker_id: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # an extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # an extra

    known = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or "darkroom-worker",
        "service.version": version("darkroom-render"),
        "service.instance.id": worker_id,
    }
    provider = TracerProvider(resource=Resource.create(known), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


class Spans:
    """A watcher that makes a span of each attempt once the books hold it, and only once."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415  # an extra

        self._provider = provider
        self._tracer = provider.get_tracer("darkroom", version("darkroom-render"))
        self._kind = SpanKind.CLIENT
        self._failed = Status(StatusCode.ERROR)

    def sent(self, claim: Claim) -> None:
        """Wait: a span is made when its end is known."""

    def answered(self, flight: Flight) -> None:
        """Wait: the books say what it was."""

    def waited(self, tier: Tier, seconds: float) -> None:
        """No span: nothing was sent."""

    def settled(self, ended: Sequence[Ended], seconds: float) -> None:  # noqa: ARG002  # a watcher's signature
        """Make spans with the times of their requests."""
        for each in ended:
            flight = each.flight
            span = self._tracer.start_span(
                f"generate_content {flight.claim.model}",
                kind=self._kind,
                attributes=_attributes(each),
                start_time=flight.began_ns,
            )
            if each.closing.ended is not AttemptState.DELIVERED:
                span.set_status(self._failed)
            span.end(flight.ended_ns)

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def _attributes(each: Ended) -> dict[str, Value]:
    claim, closing = each.flight.claim, each.closing
    delivered = closing.ended is AttemptState.DELIVERED
    reason = closing.block_reason or closing.finish_reason
    known = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.output.type": "image",
        "gen_ai.provider.name": _PROVIDERS[claim.tier.provider],
        "gen_ai.request.model": claim.model,
        "gen_ai.response.id": closing.response_id,
        "gen_ai.response.finish_reasons": [reason] if reason else None,
        "error.type": None if delivered else closing.ended.value,
        "http.response.status_code": closing.http_status,
        "darkroom.job.id": claim.job_id,
        "darkroom.render.id": claim.render_id,
        "darkroom.attempt.id": claim.attempt_id,
        "darkroom.attempt": claim.fence,
        "darkroom.tier": claim.tier.value,
        "darkroom.outcome": closing.ended.value,
        **_usage(each),
        **_cost(each),
    }
    return {name: value for name, value in known.items() if value is not None}


def _usage(each: Ended) -> dict[str, int | None]:
    tokens = each.closing.tokens
    output = [n for n in (tokens.image, tokens.text, tokens.thought) if n is not None]
    return {
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": sum(output) if output else None,
        "gen_ai.usage.cache_read.input_tokens": tokens.cached,
        "gen_ai.usage.image.output_tokens": tokens.image,
        "gen_ai.usage.text.output_tokens": tokens.text,
        "gen_ai.usage.reasoning.output_tokens": tokens.thought,
    }


def _cost(each: Ended) -> dict[str, Value]:
    """The names of an open proposal, under our own prefix: semantic-conventions-genai, 443."""
    return {
        "darkroom.cost.amount": each.closing.charged_nusd / NANO,
        "darkroom.cost.currency": "USD",
        "darkroom.cost.source": "local",  # tokens are the provider's, prices are ours
    }
