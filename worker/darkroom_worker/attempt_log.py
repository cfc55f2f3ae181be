"""One line in the log for each attempt that was booked."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from darkroom.jobs.claim import Claim
from darkroom.models import AttemptState
from darkroom_manifests.tier import Tier
from darkroom_worker.telemetry import Ended, Fields, Flight, ids

_log = structlog.get_logger(__name__)


class AttemptLog:
    """A watcher that writes lines; INFO holds ids and figures, DEBUG what the provider said."""

    def sent(self, claim: Claim) -> None:
        """Write a line at DEBUG."""
        _log.debug("attempt sent", **ids(claim))

    def answered(self, flight: Flight) -> None:
        """Write nothing: the line comes when the books hold it."""

    def waited(self, tier: Tier, seconds: float) -> None:
        """Write nothing: it happens many times a minute."""

    def settled(self, ended: Sequence[Ended], seconds: float) -> None:
        """Write a line for each."""
        for each in ended:
            _log.info("attempt closed", **ids(each.flight.claim), **_figures(each))
            if each.closing.message:
                said = each.closing.message
                _log.debug("the provider said", **ids(each.flight.claim), message=said)
        _log.debug("settled", how_many=len(ended), seconds=round(seconds, 4))

    def close(self) -> None:
        """Nothing is held back."""


def _figures(each: Ended) -> Fields:
    closing, tokens = each.closing, each.closing.tokens
    lost = closing.ended is AttemptState.LOST
    known = {
        "outcome": closing.ended,
        "render_state": "closed before" if each.step is None else each.step.state,
        "reason": closing.block_reason or closing.finish_reason,
        "http_status": closing.http_status,
        "latency_ms": closing.latency_ms,
        "charged_nusd": closing.charged_nusd,
        "at_risk_nusd": each.flight.claim.reserved_nusd if lost and each.step else 0,
        "prompt_tokens": tokens.prompt,
        "image_tokens": tokens.image,
        "text_tokens": tokens.text,
        "thought_tokens": tokens.thought,
        "searches": tokens.searches,
        "bytes": closing.picture.bytes if closing.picture else None,
    }
    return {name: value for name, value in known.items() if value is not None}
