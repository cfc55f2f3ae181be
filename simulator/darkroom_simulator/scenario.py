"""Scenarios: a TOML file of rules that make chosen requests go wrong."""

from __future__ import annotations

import re
import time
import zlib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import msgspec

from darkroom_simulator.ask import Ask
from darkroom_simulator.batch_fault import BatchRule
from darkroom_simulator.catalog import Platform, Service
from darkroom_simulator.faults import Fault
from darkroom_simulator.storage_fault import StorageRule


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests meet which fault.

    `model` is a shell pattern, `prompt` a regular expression. `nth` counts the requests that match
    the rest of the rule, from 1; `times` caps how often the rule strikes, 0 for no cap; `seconds`
    ends it so long after the beginning, 0 for never.
    """

    fault: str
    model: str = "*"
    prompt: str = ""
    platform: Platform | None = None
    service: Service | None = None
    nth: int = 0
    probability: float = 1.0
    times: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for a fault or an expression nobody understands."""
        Fault.parse(self.fault)
        re.compile(self.prompt)

    def concerns(self, ask: Ask) -> bool:
        """Tell whether a request is one the rule is about."""
        target = ask.target
        return (
            self.platform in {None, target.platform}
            and self.service in {None, target.service}
            and fnmatchcase(target.name, self.model)
            and re.search(self.prompt, ask.prompt) is not None
        )


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules in order: the first that strikes decides. `seed` fixes which requests chance picks."""

    rule: tuple[Rule, ...] = ()
    storage: tuple[StorageRule, ...] = ()
    batch: tuple[BatchRule, ...] = ()
    seed: int = 0

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a scenario file; raise msgspec.ValidationError, naming the place, on a bad one."""
        return msgspec.toml.decode(path.read_bytes(), type=cls)


class Script:
    """A scenario being played: it remembers how often each rule matched and struck."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._began = time.monotonic()
        self._matched: Counter[int] = Counter()
        self._struck: Counter[int] = Counter()

    def fault(self, ask: Ask, sighting: int) -> Fault | None:
        """Return the fault this request meets; `sighting` says how often its prompt was seen."""
        for number, rule in enumerate(self._scenario.rule):
            if rule.concerns(ask) and self._strikes(number, rule, ask.prompt, sighting):
                return Fault.parse(rule.fault)
        return None

    def _strikes(self, number: int, rule: Rule, prompt: str, sighting: int) -> bool:
        self._matched[number] += 1
        if rule.nth and self._matched[number] != rule.nth:
            return False
        if rule.times and self._struck[number] >= rule.times:
            return False
        if rule.seconds and time.monotonic() > self._began + rule.seconds:
            return False
        # Chance hangs on the prompt, not on the order of arrival: concurrency changes nothing.
        key = f"{self._scenario.seed} {number} {sighting} {prompt}".encode("utf-8", "replace")
        if zlib.crc32(key) / 2**32 >= rule.probability:
            return False
        self._struck[number] += 1
        return True
