"""What a picture is asked: the row's word before the job's, and that before the settings'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from darkroom import Choices, Darkroom
from darkroom.draft import Draft
from darkroom.errors import ConfigInvalid
from darkroom.request import Wishes
from darkroom.settings import Settings
from darkroom_manifests.problem import Problem
from darkroom_manifests.tier import AUTO, Tier, TierChoice

GEMINI = {
    "system_instruction": "Draw in ink.",
    "safety": "block_none",
    "output_mime_type": "image/jpeg",
    "compression_quality": 70,
    "thinking": "high",
    "grounding": "web",
}
JOB = {"system_instruction": "Draw in oil.", "thinking": "minimal", "safety": "off"}


def planned(
    home: Path,
    row: Mapping[str, object],
    *,
    tier: TierChoice = Tier.VERTEX,
    ask: Mapping[str, Any] | None = None,
    **told: object,
) -> tuple[list[Problem], list[Draft]]:
    own = {
        "home": home,
        "allow_retired": True,
        "aistudio": {"api_key": "k"},
        "vertex": {"project": "p", "access_token": "t", "location": "global"},
        **told,
    }
    with Darkroom(Settings.model_validate(own)) as room:
        choices = Choices(tier=tier, ask=dict(ask or {}))
        plan = room.plan([{"prompt": "a lamp", **row}], choices=choices, again=True)
        return plan.problems, list(room.drafts(plan))


def drafted(home: Path, row: Mapping[str, object], **told: Any) -> Draft:
    problems, (draft,) = planned(home, row, **told)
    assert problems == []
    return draft


def test_the_row_counts_before_the_job_and_the_job_before_the_settings(tmp_path: Path) -> None:
    row = {"safety": "Block_Only_High", "compression": 40}

    draft = drafted(tmp_path, row, ask=JOB, gemini=GEMINI)

    assert draft.request.thinking == "minimal"
    assert draft.request.wishes == Wishes(
        system_instruction="Draw in oil.",
        safety="BLOCK_ONLY_HIGH",
        output_mime_type="image/jpeg",
        compression_quality=40,
        grounding="web",
    )
    assert draft.kind.told == (
        "ask.system_instruction",
        "safety",
        "gemini.output_mime_type",
        "compression_quality",
        "gemini.grounding",
    )


def test_an_empty_cell_says_nothing_and_off_takes_the_search_away(tmp_path: Path) -> None:
    row = {"grounding": "off", "safety": "", "thinking": None}

    request = drafted(tmp_path, row, gemini=GEMINI).request

    assert request.wishes is not None
    assert (request.wishes.grounding, request.wishes.safety) == (None, "BLOCK_NONE")
    assert request.thinking == "high"


def test_a_quality_goes_with_the_type_that_it_was_meant_for(tmp_path: Path) -> None:
    wishes = drafted(tmp_path, {"output_mime": "PNG"}, gemini=GEMINI).request.wishes

    assert wishes is not None
    assert (wishes.output_mime_type, wishes.compression_quality) == ("image/png", None)


def test_a_quality_without_a_type_that_is_compressed_is_a_bad_row(tmp_path: Path) -> None:
    [problem], _ = planned(tmp_path, {"Compression": 80})

    assert (problem.line, problem.column) == (1, "Compression")
    assert (problem.message, problem.hint) == (
        "Only JPEG is compressed by a quality.",
        "Ask for output_mime_type image/jpeg too, or leave it out.",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"safety": "blok_none"}, '"blok_none" is not one of'),
        ({"person_generation": "babies"}, '"babies" is not one of'),
        ({"output_mime_type": "webp"}, '"webp" is no type that Google writes.'),
        ({"compression_quality": 101}, "101 is out of range."),
        ({"grounding": True}, "true is not text."),
        ({"system_instruction": 7}, "7 is not text."),
    ],
)
def test_what_nobody_knows_is_a_bad_row(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    [problem], drafts = planned(tmp_path, row)

    assert drafts == []
    assert (problem.line, problem.column) == (1, next(iter(row)))
    assert problem.message.startswith(message)


def test_what_the_tier_has_no_word_for_is_the_rows_fault_where_the_row_says_it(
    tmp_path: Path,
) -> None:
    [own], _ = planned(tmp_path, {"person_generation": "dont_allow"}, tier=Tier.AISTUDIO)
    [jobs], _ = planned(tmp_path, {}, tier=Tier.AISTUDIO, ask={"person_generation": "allow_none"})

    assert own.column == "person_generation"
    assert own.hint == "Choose vertex; or leave person_generation out."
    assert jobs.column == "tier"
    assert jobs.hint == "Choose vertex; or leave ask.person_generation out."


def test_auto_does_not_choose_a_tier_that_does_not_hear_a_row(tmp_path: Path) -> None:
    plain = drafted(tmp_path, {}, tier=AUTO)
    wished = drafted(tmp_path, {"person_generation": "allow_none"}, tier=AUTO)

    assert {bid.tier for bid in plain.bids} >= {Tier.AISTUDIO, Tier.VERTEX}
    assert {bid.tier for bid in wished.bids} == {Tier.VERTEX}


def test_imagen_is_told_what_it_has_a_word_for_and_not_what_gemini_is_told(
    tmp_path: Path,
) -> None:
    imagen = {"model": "imagen-4", "tier": "imagen"}
    row = {**imagen, "person_generation": "dont_allow", "safety": "block_none"}

    draft = drafted(tmp_path, row, gemini=GEMINI)
    [instructed], _ = planned(tmp_path, {**imagen, "system_instruction": "Draw."})
    [unfiltered], _ = planned(tmp_path, {**imagen, "safety": "off"})

    assert draft.request.wishes == Wishes(person_generation="ALLOW_NONE", safety="BLOCK_NONE")
    assert instructed.message == "imagen takes no system_instruction."
    assert unfiltered.hint == "Write block_none."


@pytest.mark.parametrize(
    ("model", "grounding", "message"),
    [
        ("gemini-nano-banana-2.1", "web+image", None),
        ("gemini-3-pro-image", "web", None),
        ("gemini-3-pro-image", "image", "gemini-3-pro-image on vertex has no image search."),
        ("nano-banana-2", "web", "gemini-3.1-flash-image on vertex has no web search."),
    ],
)
def test_a_model_is_asked_to_search_only_what_it_can(
    tmp_path: Path, model: str, grounding: str, message: str | None
) -> None:
    problems, _ = planned(tmp_path, {"model": model, "grounding": grounding})

    assert [(each.column, each.message) for each in problems] == (
        [("grounding", message)] if message else []
    )


def test_searching_is_in_the_estimate(tmp_path: Path) -> None:
    plain, grounded = (drafted(tmp_path, row) for row in ({}, {"grounding": "web+image"}))

    costs = [draft.estimate(draft.bids[0]) for draft in (plain, grounded)]

    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[1].low == costs[0].low
    assert costs[1].likely - costs[0].likely == 2 * 14_000_000
    assert costs[1].high - costs[0].high == 8 * 14_000_000


def test_an_instruction_is_in_the_estimate(tmp_path: Path) -> None:
    plain, told = (
        drafted(tmp_path, row) for row in ({}, {"system_instruction": "Draw in ink. " * 100})
    )

    assert told.prompt_chars == plain.prompt_chars + 1_299


def test_a_row_that_changes_its_instruction_asks_for_another_picture(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a"},
        {"id": "a", "system_instruction": "Draw in ink."},
        {"id": "a", "system_instruction": "Draw in oil."},
        {"id": "a", "grounding": "web"},
        {"id": "a", "background": "white"},
    ]
    names = {drafted(tmp_path, row).prints for row in rows}

    assert len(names) == len(rows)
    assert drafted(tmp_path, {"id": "a", "background": "a beach"}).prints in names


def test_a_job_cannot_wish_for_what_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="nothing called"):
        planned(tmp_path, {}, ask={"mood": "blue"})
    with pytest.raises(ConfigInvalid, match=r"safety: .* is not one of"):
        planned(tmp_path, {}, ask={"safety": "none"})


def test_only_the_last_of_several_turns_must_stand_on_white(tmp_path: Path) -> None:
    row: dict[str, object] = {"prompt": None, "turns": ["a lamp", "lit"], "safety": "off"}
    _, plain = planned(tmp_path, {"safety": "off"})
    problems, drafts = planned(tmp_path, {**row, "background": "white"})

    assert problems == []
    assert [draft.request.background for draft in drafts] == [None, "white"]
    assert {draft.request.wishes for draft in drafts} == {Wishes(safety="OFF")}
    assert drafts[0].request.prompt == plain[0].request.prompt
