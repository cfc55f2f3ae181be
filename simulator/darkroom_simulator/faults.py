"""Faults by name: what a prompt's magic words or a scenario can make go wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Self

import msgspec

from darkroom_simulator.catalog import Platform
from darkroom_simulator.problem import Problem, quota_failure, retry_info
from darkroom_simulator.target import Target

MAGIC = re.compile(r"\[\[sim:([^\]]*)\]\]")
SPELLING = re.compile(r"(?P<name>[a-z0-9-]+?)(?P<once>-once)?(?:=(?P<argument>.*))?")
RPM = 10  # the quota value named where no --quota-rpm is set


class Name(StrEnum):
    """Every fault, by the word that calls it."""

    THROTTLED = "429"
    THROTTLED_DAY = "429-day"
    THROTTLED_SPEND = "429-spend"
    THROTTLED_CREDITS = "429-credits"
    THROTTLED_BOUGHT = "429-provisioned"
    NO_CREDIT = "402"
    INTERNAL = "500"
    OVERLOADED = "503"
    BAD_GATEWAY = "502-html"
    DEADLINE = "504"
    REFUSE = "refuse"
    PROHIBITED = "prohibited"
    RECITATION = "recitation"
    BLOCK = "block"
    BAD_REFERENCE = "bad-reference"
    MALFORMED = "malformed"
    TEXT_ONLY = "text-only"
    NO_IMAGE = "no-image"
    IMAGE_OTHER = "image-other"
    MAX_TOKENS = "max-tokens"
    EMPTY = "empty"
    NO_CANDIDATES = "no-candidates"
    THOUGHT_FIRST = "thought-first"
    ONLY_THOUGHT = "only-thought"
    TWO_IMAGES = "two-images"
    WRONG_SIZE = "wrong-size"
    WRONG_MIME = "wrong-mime"
    BLANK = "blank"
    SAME = "same"
    CORRUPT = "corrupt"
    TRUNCATED_IMAGE = "truncated-image"
    BAD_BASE64 = "bad-base64"
    NO_USAGE = "no-usage"
    DOWNGRADE = "downgrade"
    SPILL = "spill"
    BOUGHT = "bought"
    SLOW = "slow"
    DRIP = "drip"
    GARBAGE = "garbage"
    ENDLESS = "endless"
    GZIP_BOMB = "gzip-bomb"
    TRUNCATED = "truncated"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"
    RESET = "reset"
    MOVED = "302"
    SHAPE = "shape"
    HOSTED = "hosted"
    COST = "cost"
    HIDDEN_ERROR = "error-200"
    EMPTY_LIST = "empty-list"
    LONG_TEXT = "long-text"


class Fault(msgspec.Struct, frozen=True):
    """One fault, its argument and whether only the first sight of a prompt meets it."""

    name: Name
    argument: str = ""
    once: bool = False

    @classmethod
    def parse(cls, spelling: str) -> Self:
        """Read `NAME`, `NAME=ARGUMENT`, `NAME-once`, `NAME-once=ARGUMENT`; else ValueError."""
        match = SPELLING.fullmatch(spelling.strip())
        if match is None or match["name"] not in set(Name):
            raise ValueError(f"no fault is called {spelling!r}: one of {', '.join(Name)}")
        fault = cls(Name(match["name"]), match["argument"] or "", bool(match["once"]))
        fault.check()
        return fault

    def check(self) -> None:
        """Raise ValueError where an argument that is to be seconds is none."""
        if self.name in TIMED and self.argument and not 0 <= float(self.argument) < float("inf"):
            raise ValueError(f"{self.name} takes seconds, not {self.argument!r}")

    def seconds(self, default: float) -> float:
        """Return the argument of a timed fault."""
        return float(self.argument or default)


Faults = Mapping[Name, Fault]
TIMED = frozenset({Name.THROTTLED, Name.SLOW, Name.DRIP, Name.LONG_TEXT})


def spoken(prompt: str) -> list[Fault]:
    """Read the magic words of a prompt, `[[sim:refuse]]`; raise ValueError on an unknown one."""
    return [Fault.parse(word) for word in MAGIC.findall(prompt)]


def looked_at(met: dict[Name, Fault], hashes: Iterable[str]) -> Faults:
    """Block for no named reason where an image came along that is called bad by its hash."""
    bad = met.pop(Name.BAD_REFERENCE, None)
    if bad is not None and any(
        sha256.startswith(tuple(bad.argument.split(","))) for sha256 in hashes
    ):
        met[Name.BLOCK] = Fault(Name.BLOCK, "OTHER")
    return met


def plain(prompt: str) -> str:
    """Return the prompt without its magic words."""
    return MAGIC.sub("", prompt).strip()


def problem(faults: Faults, target: Target) -> Problem | None:
    """Find the first fault that is an error answer, and write it."""
    errors = (ERRORS[name](fault, target) for name, fault in faults.items() if name in ERRORS)
    return next(errors, None)


def delay(faults: Faults) -> float:
    """Return the seconds by which an answer is to be late."""
    return faults[Name.SLOW].seconds(5) if Name.SLOW in faults else 0.0


def throttled(fault: Fault, target: Target) -> Problem:
    """Answer 429 for the minute; Vertex's shared pool names no wait unless told one."""
    if target.platform is Platform.VERTEX and not fault.argument:
        return exhausted(fault, "Resource exhausted. Please try again later.")
    return over_minute(target, fault.seconds(1), RPM, fault.name)


def over_minute(target: Target, seconds: float, rpm: int, outcome: str) -> Problem:
    """Answer 429 with the wait and the quota per minute."""
    quota = "GenerateRequestsPerMinutePerProjectPerModel"
    message = f"You exceeded your current quota. Please retry in {seconds:g}s."
    details = (quota_failure(quota, target.name, rpm), retry_info(seconds))
    return Problem(429, message, outcome, details)


def over_day(fault: Fault, target: Target) -> Problem:
    """Answer 429 with the quota per day, which resets at midnight Pacific."""
    quota = "GenerateRequestsPerDayPerProjectPerModel"
    message = "You exceeded your current quota, please check your plan and billing details."
    return Problem(429, message, fault.name, (quota_failure(quota, target.name, 250),))


def exhausted(fault: Fault, message: str) -> Problem:
    """Answer 429 without details."""
    return Problem(429, message, fault.name)


def failing(code: int, message: str, *, html: bool = False) -> Callable[[Fault, Target], Problem]:
    """Make an answer with a fixed status and sentence."""
    return lambda fault, _: Problem(code, message, fault.name, html=html)


def hidden(fault: Fault, _: Target) -> Problem:
    """Answer an error as if all were well, as relays do."""
    message = "The upstream channel failed."
    return Problem(200, message, fault.name, hidden_code=fault.argument or "channel:no_response")


CREDITS = "Your prepayment credits are depleted. Please go to AI Studio to manage your billing."
BOUGHT = "Too many requests. Exceeded the Provisioned Throughput."
SPEND = "You exceeded your spend-based rate limit (rolling 10 minutes). Please retry later."
ERRORS: dict[Name, Callable[[Fault, Target], Problem]] = {
    Name.THROTTLED: throttled,
    Name.THROTTLED_DAY: over_day,
    Name.THROTTLED_SPEND: failing(429, SPEND),
    Name.THROTTLED_CREDITS: failing(429, CREDITS),
    Name.THROTTLED_BOUGHT: failing(429, BOUGHT),
    Name.NO_CREDIT: failing(402, CREDITS),
    Name.INTERNAL: failing(500, "An internal error has occurred. Please retry."),
    Name.OVERLOADED: failing(503, "The model is overloaded. Please try again later."),
    Name.MOVED: failing(302, "", html=True),
    Name.HIDDEN_ERROR: hidden,
    Name.BAD_GATEWAY: failing(502, "", html=True),
    Name.DEADLINE: failing(504, "Deadline expired before operation could complete."),
}
