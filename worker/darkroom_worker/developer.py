"""What happens to one claim, apart from sending it: its request, its patience, its answer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing, Picture
from darkroom.killpoints import Point, reach
from darkroom.models import AttemptState, Remedy
from darkroom.redaction import Redactor
from darkroom.registry import Level, Model, Registry, level_of
from darkroom.request import Request
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Backend, Break, Outcome, Reply
from darkroom_worker.canvas import Canvases, shown_alone
from darkroom_worker.costing import Cost, cost_of
from darkroom_worker.gates import Candidate, look, open_gates
from darkroom_worker.picture import Damage, examine
from darkroom_worker.remedied import next_remedy, remedied
from darkroom_worker.spool import Spool, told

_REQUEST = msgspec.json.Decoder(Request)
_ANSWER = msgspec.json.Decoder(Outcome)
_NO_REASON = "OTHER"


class Developer:
    """Turns claims into requests and replies into closings. Safe to use from many threads."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self.registry = registry
        self._redact = Redactor(settings.secrets())
        self._gates = open_gates(settings.gates)
        self._canvases = Canvases(settings.home, settings.gcs)

    def request(self, claim: Claim) -> Request:
        """Read what a render asks for, as this attempt puts it."""
        request = remedied(_REQUEST.decode(claim.request), claim.remedy)
        if all(each.signed for each in request.history) or not self._thinks(claim.model):
            return request
        return shown_alone(request)

    def _thinks(self, name: str) -> bool:
        model = self.registry.find(name)
        return isinstance(model, Model) and bool(model.thinking)

    def sendable(self, claim: Claim) -> Request:
        """The same with images that can be sent. Raises StorageFault, OSError for those of others.

        It may wait for a network.
        """
        return self._canvases.here(self.request(claim), claim.tier)

    def prompt_tokens(self, claim: Claim) -> int:
        """Estimate the tokens of input, by which providers limit requests."""
        return self.registry.prompt_tokens(self.request(claim).ask(claim.model))

    def patience(self, request: Request, tier: Tier) -> float:
        """How many seconds an answer may take."""
        work = self._settings.worker
        if level_of(tier, self._settings.service_tier(tier)) is Level.FLEX:
            return work.request_seconds_flex
        return work.request_seconds_4k if request.image_size == "4K" else work.request_seconds

    def receive(
        self, backend: Backend, claim: Claim, reply: Reply, spool: Spool
    ) -> tuple[Closing, Break | None]:
        """Read a reply, stage its picture, put a price on it. Raises OSError for a full disk."""
        outcome = self._redacted(backend.read(reply))
        return self.keep(claim, outcome, reply.latency_ms, spool), outcome.rest

    def keep(self, claim: Claim, outcome: Outcome, latency_ms: int | None, spool: Spool) -> Closing:
        """Stage an outcome's picture and put a price on it. Raises OSError for a full disk."""
        outcome = self._redacted(outcome)
        ask = self.request(claim).ask(claim.model)
        picture: Picture | None = None
        if outcome.image is not None:
            spool.stage(claim.attempt_id, outcome.image, _told(outcome))
            reach(Point.STAGED, (claim,))
            outcome, picture = self._examined(outcome, outcome.image, claim)
        location = self._settings.vertex.location
        cost = cost_of(outcome, ask, claim.tier, claim.sent_at, self.registry, location)
        closing = _closing(claim, latency_ms, outcome, cost, picture)
        least = self._settings.limits(claim.tier).busy_seconds
        remedy = self._remedy(outcome, claim)
        goes_on = picture is not None and self.request(claim).is_continued
        signed = outcome.signed if goes_on else None
        return msgspec.structs.replace(closing, busy_seconds=least, remedy=remedy, signed=signed)

    def _remedy(self, outcome: Outcome, claim: Claim) -> Remedy | None:
        """OTHER is no verdict on the content: it may be an image that could not be read."""
        rules = self._settings.rules
        if outcome.block_reason != _NO_REASON or not rules.remedies:
            return None
        asked = _REQUEST.decode(claim.request)
        return next_remedy(asked, claim.remedy, rules.reference_remedies)

    def lost(self, claim: Claim, error: Exception) -> Closing:
        """Make a closing for an answer that we failed to read: it may have been billed."""
        said = self._redact(f"The answer could not be read: {error!r}")
        return Closing(attempt_id=claim.attempt_id, ended=AttemptState.LOST, message=said)

    def given_up(self, claim: Claim) -> Closing:
        """Make a closing for an answer that nobody waits for any more: it may have been billed."""
        said = "The worker was told to end before the answer came; it may have been billed."
        return Closing(attempt_id=claim.attempt_id, ended=AttemptState.LOST, message=said)

    def unsent(self, claim: Claim) -> Closing:
        """Make a closing for a request that never left: the render is due again at once."""
        said = "The worker gave it back before it was sent."
        return Closing(
            attempt_id=claim.attempt_id, ended=AttemptState.NOT_SENT, message=said, wait=0.0
        )

    def recovered(self, claim: Claim, staged: Path) -> Closing:
        """Make a closing for a staged picture whose process died before it could say more."""
        image = staged.read_bytes()
        said = told(staged)
        outcome = _ANSWER.decode(said) if said else Outcome(ended=AttemptState.DELIVERED)
        ask = self.request(claim).ask(claim.model)
        outcome, picture = self._examined(outcome, image, claim)
        location = self._settings.vertex.location
        cost = cost_of(outcome, ask, claim.tier, claim.sent_at, self.registry, location)
        return _closing(claim, None, outcome, cost, picture)

    def _redacted(self, outcome: Outcome) -> Outcome:
        """Take secrets out of what a provider or proxy said: it may quote what it was sent."""
        if outcome.message is None:
            return outcome
        rest = outcome.rest
        if rest is not None:
            rest = msgspec.structs.replace(rest, reason=self._redact(rest.reason))
        message = self._redact(outcome.message)
        return msgspec.structs.replace(outcome, message=message, rest=rest)

    def _examined(
        self, outcome: Outcome, image: bytes, claim: Claim
    ) -> tuple[Outcome, Picture | None]:
        request = self.request(claim)
        expected = self.registry.expected(request.ask(claim.model))
        pixels = (expected.width, expected.height)
        found = examine(image, None if None in pixels else pixels)  # type: ignore[arg-type]
        if isinstance(found, Damage):
            return _spoiled(outcome, found), None
        candidate = Candidate(image, found.width, found.height, request.prompt, request.background)
        stopped = self._gates.stops(candidate)
        if stopped is not None:
            return _spoiled(outcome, stopped), None
        return outcome, self._seen(candidate, found)

    def _seen(self, candidate: Candidate, picture: Picture) -> Picture:
        gates = self._settings.gates
        if not gates.looks:
            return picture
        return msgspec.structs.replace(picture, look=look(candidate), must_differ=gates.must_differ)


def _told(outcome: Outcome) -> bytes:
    """What must not be lost with this process: usage and level decide what was charged."""
    return msgspec.json.encode(
        msgspec.structs.replace(outcome, image=None, message=None, rest=None, signed=None)
    )


def _spoiled(outcome: Outcome, damage: Damage) -> Outcome:
    return msgspec.structs.replace(
        outcome,
        ended=AttemptState.SPOILED,
        finish_reason=damage.reason,
        message=damage.message,
    )


def _closing(
    claim: Claim, latency_ms: int | None, outcome: Outcome, cost: Cost, picture: Picture | None
) -> Closing:
    return Closing(
        attempt_id=claim.attempt_id,
        ended=outcome.ended,
        charged_nusd=cost.charged_nusd,
        cost_source=cost.source,
        price_version=cost.price_version,
        tokens=cost.tokens,
        traffic_type=outcome.traffic_type,
        http_status=outcome.http_status,
        finish_reason=outcome.finish_reason,
        block_reason=outcome.block_reason,
        message=outcome.message,
        response_id=outcome.response_id,
        latency_ms=latency_ms,
        wait=outcome.wait,
        picture=picture,
    )
