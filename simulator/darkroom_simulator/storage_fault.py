"""What can go wrong with storage: rules that strike chosen requests."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Deed(StrEnum):
    """What a request to storage asks for."""

    CREATE = "create"
    READ = "read"
    LIST = "list"
    DELETE = "delete"
    COPY = "copy"


class Harm(StrEnum):
    """What happens to a request."""

    OVERLOADED = "503"
    THROTTLED = "429"
    DENIED = "403"
    GONE = "bucket-gone"
    OVERLOADED_AFTER = "503-after"
    RESET_AFTER = "reset-after"
    SLOW = "slow"
    WRONG_CRC = "wrong-crc"


class StorageRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests meet which harm.

    `deeds` are the kinds it concerns, none for all; `name` is a regular expression for objects.
    `times` caps how often the rule strikes, 0 for no cap; `seconds` is the wait of `slow`.
    """

    fault: Harm
    deeds: tuple[Deed, ...] = ()
    name: str = ""
    probability: float = 1.0
    times: int = 0
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Raise re.error for an expression nobody understands."""
        re.compile(self.name)

    def concerns(self, deed: Deed, name: str) -> bool:
        """Tell whether a request is one the rule is about."""
        return (not self.deeds or deed in self.deeds) and re.search(self.name, name) is not None


class StorageScript:
    """Rules being played: the first that strikes decides."""

    def __init__(self, rules: Sequence[StorageRule], seed: int) -> None:
        self.rules = tuple(rules)
        self._seed = seed
        self._seen: Counter[tuple[Deed, str]] = Counter()
        self._struck: Counter[int] = Counter()

    def strike(self, deed: Deed, name: str) -> StorageRule | None:
        """Return the rule that this request meets."""
        self._seen[deed, name] += 1
        for number, rule in enumerate(self.rules):
            if rule.concerns(deed, name) and self._hits(number, rule, deed, name):
                self._struck[number] += 1
                return rule
        return None

    def _hits(self, number: int, rule: StorageRule, deed: Deed, name: str) -> bool:
        if rule.times and self._struck[number] >= rule.times:
            return False
        # Chance hangs on the object and the try, not on the order of arrival.
        key = f"{self._seed} {number} {deed} {self._seen[deed, name]} {name}".encode()
        return zlib.crc32(key) / 2**32 < rule.probability
