"""What can go wrong with batches: rules that strike chosen jobs, and requests about them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from darkroom_simulator.catalog import Platform
from darkroom_simulator.problem import STATUS


class Mishap(StrEnum):
    """What happens."""

    STUCK = "stuck-pending"
    EXPIRE = "expire"
    FAIL = "fail"
    PARTIAL = "partial"
    PAUSED = "paused"
    LINE_ERRORS = "line-errors"
    SHUFFLED = "shuffled"
    SWAPPED = "swapped-labels"
    MISSING = "missing-labels"
    DUPLICATE = "duplicate-lines"
    STRANGER = "stranger-lines"
    DROPPED = "dropped-lines"
    TRUNCATED = "truncated-line"
    CORRUPT = "corrupt-line"
    TWO_FILES = "two-files"
    OUTPUT_LATE = "output-late"
    VANISH = "vanish"
    CREATE_RESET_BEFORE = "create-reset-before"
    CREATE_RESET_AFTER = "create-reset-after"
    CREATE_TIMEOUT_AFTER = "create-timeout-after"
    CREATE_503_AFTER = "create-503-after"
    CREATE_LATE = "create-late"
    UPLOAD_503 = "upload-503"
    POLL_503 = "poll-503"
    LIST_503 = "list-503"
    DOWNLOAD_503 = "download-503"
    DOWNLOAD_RESET = "download-reset"
    DOWNLOAD_TRUNCATED = "download-truncated"


DOWNLOADS = frozenset({Mishap.DOWNLOAD_503, Mishap.DOWNLOAD_RESET, Mishap.DOWNLOAD_TRUNCATED})
ASKED = DOWNLOADS | {Mishap.UPLOAD_503, Mishap.POLL_503, Mishap.LIST_503}
VERTEX_ONLY = frozenset({Mishap.PARTIAL, Mishap.PAUSED, Mishap.TWO_FILES})


class Subject(msgspec.Struct, frozen=True):
    """What a rule is asked about: a job, by its model and display name."""

    platform: Platform
    model: str = ""
    name: str = ""


class BatchRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs, or which requests about them, meet which mishap.

    `model` and `name` are regular expressions for the model and the display name. `times` caps how
    often the rule strikes, 0 for no cap. `share` is of a job's lines: those it strikes or, where it
    ends a job early, those worked before. `code` is the HTTP status of `line-errors`. `seconds` is
    batch time, but for `create-timeout-after`, where somebody waits.
    """

    fault: Mishap
    model: str = ""
    name: str = ""
    platform: Platform | None = None
    probability: float = 1.0
    times: int = 0
    share: float = 0.5
    code: int = 503
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Raise re.error or ValueError for what nobody understands."""
        re.compile(self.model)
        re.compile(self.name)
        if self.code not in STATUS:
            raise ValueError(f"no error has the code {self.code}: one of {[*STATUS]}")

    def concerns(self, subject: Subject) -> bool:
        """Tell whether a rule is about a job; a rule that names none is about uploads too."""
        if self.fault in VERTEX_ONLY and subject.platform is not Platform.VERTEX:
            return False
        return (
            self.platform in {None, subject.platform}
            and re.search(self.model, subject.model) is not None
            and re.search(self.name, subject.name) is not None
        )


class BatchScript:
    """Rules being played. All that strike do, those about one kind of request but once."""

    def __init__(self, rules: Sequence[BatchRule], seed: int) -> None:
        self.rules = tuple(rules)
        self.seed = seed
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._seen: Counter[tuple[int, Subject]] = Counter()
        self._struck: Counter[int] = Counter()

    def job(self, subject: Subject) -> dict[Mishap, BatchRule]:
        """Return what a new job is to meet, at once and later."""
        struck = self._strike(subject, frozenset(Mishap) - ASKED)
        return {rule.fault: rule for rule in struck}

    def asked(self, subject: Subject, *mishaps: Mishap) -> Mishap | None:
        """Return what one request meets of the mishaps that can meet it."""
        rule = next(self._strike(subject, frozenset(mishaps)), None)
        return rule.fault if rule else None

    def _strike(self, subject: Subject, mishaps: frozenset[Mishap]) -> Iterator[BatchRule]:
        for number, rule in enumerate(self.rules):
            if rule.fault in mishaps and rule.concerns(subject) and self._hits(number, subject):
                self._struck[number] += 1
                yield rule

    def _hits(self, number: int, subject: Subject) -> bool:
        rule = self.rules[number]
        if rule.times and self._struck[number] >= rule.times:
            return False
        # Chance hangs on the job and the try, not on the order of arrival.
        self._seen[number, subject] += 1
        key = f"{self.seed} {number} {self._seen[number, subject]} {subject}".encode()
        chance = int.from_bytes(hashlib.sha256(key).digest()[:4])
        return chance / 2**32 < rule.probability
