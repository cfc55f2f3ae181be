"""What becomes of a job's lines, decided before the first of them is worked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from darkroom_simulator.batch_fault import BatchRule, Mishap
from darkroom_simulator.batch_state import State
from darkroom_simulator.catalog import Platform

ENDS = {
    Mishap.EXPIRE: State.EXPIRED,
    Mishap.FAIL: State.FAILED,
    Mishap.PARTIAL: State.PARTIALLY_SUCCEEDED,
    Mishap.PAUSED: State.PAUSED,
}
LINES = (
    Mishap.MISSING,
    Mishap.DUPLICATE,
    Mishap.STRANGER,
    Mishap.DROPPED,
    Mishap.TRUNCATED,
    Mishap.CORRUPT,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of a job's lines, by number from 0, how many are worked, and how it ends then.

    `errors` maps lines to the HTTP status they fail with; `swapped` maps each line of a pair to the
    other; `struck` holds the lines of every mishap that concerns single ones.
    """

    order: Sequence[int]
    worked: int
    end: State
    errors: Mapping[int, int]
    swapped: Mapping[int, int]
    struck: Mapping[Mishap, frozenset[int]] = field(default_factory=dict)

    def meets(self, mishap: Mishap, line: int) -> bool:
        """Tell whether a line meets a mishap."""
        return line in self.struck.get(mishap, ())


def plan(lines: int, platform: Platform, rules: Mapping[Mishap, BatchRule], seed: str) -> Plan:
    """Make the plan of a job; the same seed makes the same one.

    AI Studio answers in the order of the input, Vertex does not promise it: google-genai 3.4.0,
    BatchJobDestination, and googleapis/python-aiplatform#1166.
    """
    chance = random.Random(seed)  # noqa: S311 - mishaps, not secrets
    ordered = platform is Platform.AISTUDIO and Mishap.SHUFFLED not in rules
    errors = picked(chance, lines, rules.get(Mishap.LINE_ERRORS))
    worked, end = ending(lines, rules)
    return Plan(
        order=range(lines) if ordered else shuffled(chance, lines),
        worked=worked,
        end=end,
        errors=dict.fromkeys(errors, rules[Mishap.LINE_ERRORS].code) if errors else {},
        swapped=pairs(chance, lines, rules.get(Mishap.SWAPPED)),
        struck={each: frozenset(picked(chance, lines, rules.get(each))) for each in LINES},
    )


def ending(lines: int, rules: Mapping[Mishap, BatchRule]) -> tuple[int, State]:
    """Decide after how many lines a job ends, and how; of `partial`, the share is not done."""
    rule = next((rules[each] for each in ENDS if each in rules), None)
    if rule is None:
        return lines, State.SUCCEEDED
    share = 1 - rule.share if rule.fault is Mishap.PARTIAL else rule.share
    return min(lines, max(0, round(share * lines))), ENDS[rule.fault]


def shuffled(chance: random.Random, lines: int) -> Sequence[int]:
    """Bring the lines into another order; two or more never keep theirs."""
    order = list(range(lines))
    chance.shuffle(order)
    return order[::-1] if order == sorted(order) else order


def picked(chance: random.Random, lines: int, rule: BatchRule | None) -> list[int]:
    """Pick a rule's share of the lines, one at least."""
    if rule is None or not lines:
        return []
    return chance.sample(range(lines), min(lines, max(1, round(rule.share * lines))))


def pairs(chance: random.Random, lines: int, rule: BatchRule | None) -> dict[int, int]:
    """Pair a rule's share of the lines, one pair at least if there are two lines."""
    some = picked(chance, lines, rule)
    if len(some) == 1 and lines > 1:
        some.append(chance.choice([each for each in range(lines) if each not in some]))
    halves = list(zip(some[::2], some[1::2], strict=False))
    return dict(halves) | {second: first for first, second in halves}
