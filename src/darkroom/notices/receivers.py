"""Everybody who is told: the targets of the settings, and the hooks that are installed."""

from __future__ import annotations

from typing import Protocol

from darkroom.event import Event, EventName
from darkroom.notices import people, webhook
from darkroom.notices.hooks import Hook, hooks
from darkroom.notices.people import People
from darkroom.notices.verdict import Verdict
from darkroom.notices.webhook import Webhook
from darkroom.safe_fetch import SafeFetcher
from darkroom.settings import Notices, Target


class Receiver(Protocol):
    """Somebody who can be told an event."""

    def tell(self, event: Event, body: str) -> Verdict:
        """Tell it once; never raises. `body` is the event, to the byte as it is signed."""
        ...


class Broken:
    """A target that cannot be told anything until its fault is mended."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def tell(self, event: Event, body: str) -> Verdict:  # noqa: ARG002  # nobody is told
        """Say why not."""
        return Verdict.again(self.fault)


def open_receivers(rules: Notices) -> dict[str, Webhook | People | Hook | Broken]:
    """Everybody, by name."""
    known = {
        name: _receiver(target, rules.timeout_seconds) for name, target in rules.targets.items()
    }
    return known | hooks()


def _receiver(target: Target, seconds: float) -> Webhook | People | Broken:
    fault = target.fault
    if fault is not None:
        return Broken(fault)
    url = target.url.get_secret_value()
    if not target.is_webhook:
        fault = people.fault_of(url)
        return People(url) if fault is None else Broken(fault)
    secret = target.secret.get_secret_value() if target.secret is not None else ""
    if (fault := webhook.fault_of(secret)) is not None:
        return Broken(fault)
    return Webhook(url, secret, SafeFetcher(target.allow_hosts), seconds)


def subscribers(rules: Notices) -> dict[str, frozenset[EventName]]:
    """Which events everybody wants, by name; hooks want all."""
    every = frozenset(EventName)
    wanted = {
        name: frozenset(event for event in EventName if target.wants(event))
        for name, target in rules.targets.items()
    }
    return wanted | dict.fromkeys(hooks(), every)
