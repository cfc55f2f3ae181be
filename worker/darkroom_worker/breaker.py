"""Stops a model on a tier, or one size of it, after failures in a row, and tries it with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.models import AttemptState
from darkroom.settings import Rules
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.base import Break

_FAILURES: Final = frozenset({AttemptState.TRANSIENT, AttemptState.LOST})
# Whoever gave it back, or asked to wait, says nothing of whether requests are served.
_SILENT: Final = frozenset({AttemptState.NOT_SENT, AttemptState.BUSY})
_LONGEST: Final = 600.0
_TRIED: Final = 600.0  # seconds after a rest; who asked for nothing until then begins anew
_SHOWN: Final = 200
_ANY: Final = ""  # in the place of a size: all of a model's

_Key = tuple[Tier, str, str]


class _Asked(msgspec.Struct):
    image_size: str = _ANY


_ASKED: Final = msgspec.json.Decoder(_Asked)


class _Circuit(msgspec.Struct):
    """Failures in a row, how often it was opened since the last success, and until when.

    `is_out`: the request that is to find out is on its way.
    """

    failures: int = 0
    opened: int = 0
    until: float = 0.0
    is_out: bool = False


class Breaker:
    """One for each process, on its event loop. The rests that it asks for hold for the fleet.

    It counts for each model on a tier, and for each size of one: where others are answered, only
    the size that fails rests.
    """

    def __init__(self, rules: Rules, now: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._now = now
        self._circuits: dict[_Key, _Circuit] = {}

    def heard(self, one: Claim, closing: Closing) -> Break | None:
        """Hear how an attempt ended; a rest where the last of too many failed."""
        keys = _keys(one)
        for circuit in filter(None, map(self._circuits.get, keys)):
            circuit.is_out = False
        if closing.ended in _SILENT or not self._rules.breaker_failures:
            return None
        if closing.ended not in _FAILURES:
            for key in keys:
                self._circuits.pop(key, None)
            return None
        rests = [self._failed(key, closing) for key in keys]
        return next((rest for rest in rests if rest is not None), None)

    def _failed(self, key: _Key, closing: Closing) -> Break | None:
        circuit = self._circuits.setdefault(key, _Circuit())
        if self._now() < circuit.until:
            return None  # it was on its way when the others failed
        circuit.failures += 1
        is_over = circuit.opened > 0 or circuit.failures >= self._rules.breaker_failures
        return self._open(circuit, key, closing) if is_over else None

    def _open(self, circuit: _Circuit, key: _Key, closing: Closing) -> Break:
        seconds = min(_LONGEST, self._rules.breaker_seconds * 2**circuit.opened)
        circuit.opened += 1
        circuit.until = self._now() + seconds
        said = (closing.message or closing.finish_reason or closing.ended)[:_SHOWN]
        return Break(
            whole_tier=False,
            seconds=seconds,
            reason=f"{circuit.failures} answers in a row failed, the last: {said}",
            hint="It is tried again by itself, with one request.",
            size=key[2] or None,
        )

    def sent(self, one: Claim) -> None:
        """Hear that a request leaves: it may be the one that finds out."""
        for circuit in filter(None, map(self._circuits.get, _keys(one))):
            circuit.is_out = circuit.opened > 0

    def rooms(self, tier: Tier, given: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
        """How many requests of models may leave, as far as that is bounded.

        Of a model that is being tried it is one, and none beside it; of others it is as `given`.
        """
        found = dict(given)
        for key, circuit in list(self._circuits.items()):
            if key[0] is not tier or not circuit.opened or self._now() < circuit.until:
                continue
            if self._now() >= circuit.until + _TRIED:
                del self._circuits[key]
            else:
                found[key[1]] = min(found.get(key[1], 1), 0 if circuit.is_out else 1)
        return found


def _keys(one: Claim) -> list[_Key]:
    """What an attempt tells of: its model, and the size if one was asked for."""
    size = _ASKED.decode(one.request).image_size
    return [(one.tier, one.model, each) for each in dict.fromkeys((_ANY, size))]
