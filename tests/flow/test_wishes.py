"""What rows ask beside their prompts, from the manifest to the simulator and into the books."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom import Choices, Darkroom
from darkroom.audit import audit
from darkroom.selection import Select

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, Any]]]

ROWS = (
    '{"id": "plain", "prompt": "a lamp"}\n'
    '{"id": "ink", "prompt": "a mug", "system_instruction": "Draw in ink.", "thinking": "high"}\n'
    '{"id": "moon", "prompt": "the moon tonight", "grounding": "web+image", "safety": "off"}\n'
    '{"id": "white", "prompt": "a cup", "background": "White"}\n'
    '{"id": "beach", "prompt": "a cup", "background": "a beach"}\n'
)


def test_rows_are_asked_as_they_wish_and_pay_for_what_was_searched(
    open_room: Open, bill_of: Bill, tmp_path: Path
) -> None:
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text(ROWS, encoding="utf-8")
    room = open_room(gemini={"safety": "block_none"})
    choices = Choices(ask={"system_instruction": "Plain light."})

    plan = room.plan(manifest, choices=choices, catalog="shop")
    job = room.submit(plan, max_cost="5")
    state = job.wait(90)

    told = [line["told"] for line in bill_of(room)]
    usual = {"systemInstruction": "Plain light.", "safetySettings": "BLOCK_NONE"}
    found = {one.id: (one.state.value, one.reason) for one in job.results()}
    searches = {one.id: one.searches for one in job.results() if one.searches}
    assert plan.problems == []
    assert found == dict.fromkeys(("plain", "ink", "moon", "beach"), ("done", None)) | {
        "white": ("failed", "GATE_WHITE_BORDER")
    }
    assert told.count(usual) == 4  # white twice: the gate had it made once more
    assert usual | {"systemInstruction": "Draw in ink.", "thinkingLevel": "HIGH"} in told
    assert usual | {"safetySettings": "OFF", "googleSearch": "web+image"} in told
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    assert searches == {"moon": max(line["usage"]["searches"] for line in bill_of(room))}
    assert plan.likely_nusd >= 2 * 14_000_000
    assert audit(room.database, room.settings.home, deep=True) == []

    manifest.write_text(ROWS.replace("Draw in ink.", "Draw in oil."), encoding="utf-8")
    again = room.plan(manifest, choices=choices, catalog="shop", select=Select.CHANGED)
    assert (again.renders, again.unchanged) == (1, 3)
