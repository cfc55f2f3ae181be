"""The check of AI Studio's JSONL: one line of a wrong shape, and no batch is made of the file.

The sentences are those quoted in UKGovernmentBEIS/inspect_ai#3257 and #5100: 400 on creation.
"""

from __future__ import annotations

import re

import msgspec

from darkroom_simulator.batch_lines import Lines
from darkroom_simulator.catalog import Platform
from darkroom_simulator.fields import STRING, Message, Wrong
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.schema import REQUESTS

MOST_NAMED = 10
PLACE = re.compile(r" \(byte (\d+)\)")
LINE = Message({"key": STRING, "request": REQUESTS[Platform.AISTUDIO]})


def check(lines: Lines) -> Problem | None:
    """Look at every line of a file; slow for a large one."""
    if not len(lines):
        return invalid("The input file holds no requests.")
    found = (complaint(lines[index], lines.number(index)) for index in range(len(lines)))
    named = [sentence for _, sentence in zip(range(MOST_NAMED), filter(None, found), strict=False)]
    return invalid("\n".join(named)) if named else None


def complaint(line: bytes, number: int) -> str | None:
    """Say what is wrong with a line."""
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        place = PLACE.search(str(error))
        return sentence(number, int(place[1]) if place else 0, PLACE.sub("", str(error)))
    wrong = Wrong()
    read = LINE.read(raw, "", wrong)
    if wrong.strangers:
        name = wrong.strangers[0]
        return sentence(number, line.find(f'"{name}"'.encode()), f"no such field: '{name}'")
    if wrong.found:
        return sentence(number, 0, wrong.found[0][1])
    return None if "request" in read else sentence(number, 0, "request must be set")


def sentence(number: int, column: int, text: str) -> str:
    """Write it as Google does."""
    return f"Error on line {number}: invalid JSON, near column {column + 1}: {text}"
