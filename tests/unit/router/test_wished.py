"""What the settings wish of all pictures: which tiers can be told, and what it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom import Choices, Darkroom
from darkroom.plan import Plan
from darkroom.request import Request, Wishes, fingerprints
from darkroom.router.wished import unheard
from darkroom.settings import Gemini, Settings
from darkroom_manifests.tier import Tier

PEOPLE = {"person_generation": "allow_none"}
VOICE = {"system_instruction": "Draw in ink.", "safety": "block_only_high"}


def planned(tmp_path: Path, tier: Tier, model: str, **gemini: str) -> Plan:
    told = {
        "home": tmp_path / "home",
        "aistudio": {"api_key": "k"},
        "vertex": {"project": "p", "access_token": "t"},
        "proxy": {"base_url": "https://proxy.example/v1"},
        "gemini": gemini,
    }
    with Darkroom(Settings.model_validate(told)) as room:
        row = {"prompt": "a lamp", "model": model}
        return room.plan([row], choices=Choices(tier=tier), again=True)


@pytest.mark.parametrize(
    ("tier", "wishes", "refused"),
    [
        (Tier.VERTEX, PEOPLE, None),
        (Tier.VERTEX_FLEX, PEOPLE | VOICE, None),
        (Tier.AISTUDIO, VOICE, None),
        (Tier.AISTUDIO, PEOPLE, "aistudio takes no person_generation."),
        (Tier.SIMULATOR, PEOPLE, "simulator takes no person_generation."),
        (Tier.PROXY, {"system_instruction": "Draw in ink."}, None),
        (Tier.PROXY, VOICE, "proxy in mode chat takes no safety."),
        (Tier.PROXY, {}, None),
    ],
)
def test_a_tier_that_has_no_word_for_a_wish_is_refused_when_it_is_planned(
    tmp_path: Path, tier: Tier, wishes: dict[str, str], refused: str | None
) -> None:
    plan = planned(tmp_path, tier, "gemini-3-pro-image", **wishes)

    assert [problem.message for problem in plan.problems] == ([refused] if refused else [])


def test_imagen_has_settings_of_its_own(tmp_path: Path) -> None:
    told = {"gemini": PEOPLE, "allow_retired": True, "vertex": {"project": "p"}, "home": tmp_path}
    with Darkroom(Settings.model_validate(told)) as room:
        plan = room.plan(
            [{"prompt": "a lamp", "model": "imagen-4"}],
            choices=Choices(tier=Tier.IMAGEN),
            again=True,
        )
        (draft,) = room.drafts(plan)

    assert (plan.problems, draft.request.wishes) == ([], None)


def test_without_wishes_a_picture_is_known_by_what_it_was_before() -> None:
    plain = Request(prompt="a lamp")
    wished = Request(prompt="a lamp", wishes=Wishes(system_instruction="Draw in ink."))

    # As darkroom 0.1.0 has them in its books.
    assert fingerprints("m", plain, 1) == ["2604f988f50b9fbf462fa5ea338bd726"]
    assert fingerprints("m", wished, 1) == ["ca51870085433b325bb7117bf52696e4"]


@pytest.mark.parametrize("tier", list(Tier))
def test_every_tier_of_geminis_models_hears_an_instruction(tier: Tier) -> None:
    hears = unheard(Wishes(system_instruction="Draw in ink.").told, tier) is None

    assert hears is (tier is not Tier.IMAGEN)


def test_a_quality_needs_a_type_that_is_compressed() -> None:
    with pytest.raises(ValueError, match="compression_quality needs"):
        Gemini.model_validate({"compression_quality": 80})
