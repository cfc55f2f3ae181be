"""Sends notices to a web server, signed as Standard Webhooks has it."""

from __future__ import annotations

import binascii
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from darkroom.event import Event
from darkroom.notices.verdict import Verdict
from darkroom.safe_address import Refusal
from darkroom.safe_fetch import Answer, Bounds, SafeFetcher

_MOST_BYTES: Final = 64 << 10
_SHOWN: Final = 200
_GONE: Final = 410
_GOOD: Final = range(200, 300)
_PREFIX: Final = "whsec_"


def fault_of(secret: str) -> str | None:
    """What is wrong with a secret."""
    said = "its secret is not whsec_ and base64 after it"
    try:
        Signer(secret)
    except (binascii.Error, EmptyWebhookSecretError, ValueError):
        return said
    return None if secret.startswith(_PREFIX) else said


class Webhook:
    """One URL and the secret that it shares with us."""

    def __init__(self, url: str, secret: str, fetcher: SafeFetcher, seconds: float) -> None:
        self._url = url
        self._signer = Signer(secret)
        self._fetcher = fetcher
        self._bounds = Bounds(seconds=seconds, most_bytes=_MOST_BYTES, cut=True)

    def tell(self, event: Event, body: str) -> Verdict:
        """Post it once."""
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(event.id, now, body),
        }
        answer = self._fetcher.post(self._url, body.encode(), headers, self._bounds)
        if isinstance(answer, Refusal):
            return Verdict.again(answer.message)
        said = _said(answer)
        if answer.status in _GOOD:
            return Verdict.sent(said)
        if answer.status == _GONE:
            return Verdict.never(f"{said}: it wants no more notices")
        return Verdict.again(said)


def _said(answer: Answer) -> str:
    text = " ".join(answer.body.decode(errors="replace").split())[:_SHOWN]
    return f"answered {answer.status}{f' {text}' if text else ''}"
