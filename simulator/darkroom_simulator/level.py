"""Which service level serves a request: the one it asks for, unless a fault says otherwise."""

from __future__ import annotations

from dataclasses import replace

from darkroom_simulator.ask import Ask
from darkroom_simulator.call import Call
from darkroom_simulator.catalog import Service
from darkroom_simulator.faults import Faults, Name


def served(call: Call, ask: Ask, met: Faults) -> Ask:
    """Put the level that serves, and is billed, in the place of the one asked for."""
    service = serving(call, ask.target.service, met)
    return replace(ask, target=replace(ask.target, service=service))


def serving(call: Call, asked: Service, met: Faults) -> Service:
    """Decide the level; what was bought serves first where the headers allow it."""
    if asked is Service.PROVISIONED:
        return Service.STANDARD if Name.SPILL in met else asked
    if call.may_use_bought and Name.BOUGHT in met:
        return Service.PROVISIONED
    if asked is Service.PRIORITY and Name.DOWNGRADE in met:
        return Service.STANDARD
    return asked
