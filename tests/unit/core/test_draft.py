from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from darkroom.draft import Choices, Draft
from darkroom.drafter import Drafter
from darkroom.jobs.load import NewRender
from darkroom.registry import Registry
from darkroom.router import Market, Outlook
from darkroom.settings import Settings
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.row import Reference, Row
from darkroom_manifests.tier import Tier

AT = datetime(2026, 11, 22, tzinfo=UTC)
REGISTRY = Registry.load()


def drafter(choices: Choices | None = None, **given: Any) -> Drafter:
    settings = Settings.model_validate(given)
    return Drafter(settings, Market(settings, REGISTRY, Outlook(AT)), choices or Choices())


def drafted(row: Row, choices: Choices | None = None, **settings: Any) -> Draft:
    found = drafter(choices, **settings).draft(row, "rows", None)
    assert isinstance(found, tuple), found
    return found[0]


def renders(draft: Draft) -> list[NewRender]:
    return draft.renders(draft.bids[0], range(1, len(draft.prints) + 1))


def refused(row: Row, manifest: Path | None = None, **settings: Any) -> list[Problem]:
    found = drafter(**settings).draft(row, "rows", manifest)
    assert not isinstance(found, tuple)
    return found


def test_a_row_beats_the_callers_choice_which_beats_the_settings() -> None:
    choices = Choices(model="gemini-3-pro-image", image_size="2K")
    defaults: dict[str, Any] = {
        "defaults": {"model": "gemini-3.1-flash-image", "aspect_ratio": "4:5"}
    }

    own = drafted(Row(line=1, prompt="p", image_size="4K"), choices, **defaults)

    assert own.model == "gemini-3-pro-image"
    request = msgspec.json.decode(renders(own)[0].request)
    assert (request["image_size"], request["aspect_ratio"]) == ("4K", "4:5")


def test_n_makes_n_renders_with_fingerprints_of_their_own() -> None:
    found = renders(drafted(Row(line=1, id="a", prompt="p", n=3)))

    assert [render.variant for render in found] == [1, 2, 3]
    assert len({render.fingerprint for render in found}) == 3


@pytest.mark.parametrize(("own", "flag", "made"), [(1, 3, 1), (None, 3, 3), (None, None, 2)])
def test_the_rows_n_beats_the_callers_which_beats_the_settings(
    own: int | None, flag: int | None, made: int
) -> None:
    draft = drafted(Row(line=1, prompt="p", n=own), Choices(n=flag), defaults={"n": 2})

    assert len(renders(draft)) == made


def test_a_row_without_an_id_gets_its_fingerprint() -> None:
    (render,) = renders(drafted(Row(line=1, prompt="p")))

    assert render.row_id == render.fingerprint[:12]


def test_rows_that_are_the_same_get_ids_of_their_own_and_a_doubt() -> None:
    rows = [
        Row(line=2, prompt="p"),
        Row(line=3, prompt="q"),
        *(Row(line=n, prompt="p") for n in (4, 5)),
    ]

    def read() -> list[Draft]:
        own = drafter()
        return [
            one for row in rows for one in own.draft(row, "rows", None) if isinstance(one, Draft)
        ]

    first, again = read(), read()

    ids = [renders(draft)[0].row_id for draft in first]
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    assert ids == [renders(draft)[0].row_id for draft in again]
    doubts = [(each.line, "line 2" in each.message) for draft in first for each in draft.doubts]
    assert doubts == [(4, True), (5, True)]


@pytest.mark.parametrize(
    "other",
    [
        Row(line=1, prompt="q"),
        Row(line=1, prompt="p", image_size="2K"),
        Row(line=1, prompt="p", aspect_ratio="4:5"),
        Row(line=1, prompt="p", thinking="high"),
        Row(line=1, prompt="p", model="gemini-3-pro-image"),
    ],
)
def test_whatever_decides_the_picture_changes_the_fingerprint(other: Row) -> None:
    plain = drafted(Row(line=1, prompt="p")).prints[0]

    assert drafted(other).prints[0] != plain


def test_id_tier_tags_and_line_do_not_change_the_fingerprint() -> None:
    plain = drafted(Row(line=1, prompt="p")).prints[0]
    row = Row(line=9, id="x", prompt="p", tags={"a": "b"}, tier=Tier.SIMULATOR, priority=3)

    assert drafted(row).prints[0] == plain


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        (Row(line=1, prompt="p", image_size="512"), "image_size", "512"),
        (Row(line=1, prompt="p", seed=7), "seed", "seed"),
        (Row(line=1, prompt="p", aspect_ratio="9:21"), "aspect_ratio", "9:21"),
        (Row(line=1, prompt="p", model="gemini-9"), "model", "gemini-9"),
        (
            Row(line=1, prompt="p", model="gemini-3.1-flash-image-preview"),
            "model",
            "gemini-3.1-flash-image",
        ),
        (Row(line=1, template="hero"), "template", "hero"),
        (Row(line=1, prompt="p", output="{sku}.{ext}"), "output", "sku"),
        (Row(line=1, prompt="p", max_cost_nusd=1), "max_cost", "max_cost"),
        (Row(line=1, prompt="p", references=(Reference("none.png"),)), "references", "none.png"),
        (Row(line=1, prompt="p", references=(Reference("http://x/y"),)), "references", "https"),
    ],
)
def test_what_cannot_be_rendered_is_said_with_its_column(row: Row, column: str, said: str) -> None:
    (problem,) = refused(row)

    assert problem.column == column
    assert said in f"{problem.message} {problem.hint}"


def test_too_many_references_are_refused_for_their_number_before_any_is_looked_for() -> None:
    row = Row(line=1, prompt="p", references=tuple(Reference(f"{no}.png") for no in range(15)))

    (problem,) = refused(row)

    assert "takes at most 14 reference images, not 15" in problem.message


def test_what_the_registry_says_is_said_in_sentences() -> None:
    (unknown,) = refused(Row(line=1, prompt="p", model="gemini-3-pro-imag"))
    (size,) = refused(Row(line=1, prompt="p", image_size="512"))

    assert unknown.message == '"gemini-3-pro-imag" is not a known model.'
    assert str(unknown.hint).startswith("Did you mean gemini-3-pro-image")
    assert str(unknown.hint).endswith("?")
    assert size.message.endswith("does not draw 512.")
    assert str(size.hint).endswith("or choose 1K, 2K or 4K.")


def test_a_template_is_filled_from_the_rows_columns_and_cells_are_never_templates() -> None:
    templates: dict[str, Any] = {
        "templates": {"hero": {"prompt": "Photo of {{ colour }} {{ id }}"}}
    }
    row = Row(line=1, id="K", template="hero", variables={"colour": "{{ 7*7 }}"})

    (render,) = renders(drafted(row, **templates))

    assert msgspec.json.decode(render.request)["prompt"] == "Photo of {{ 7*7 }} K"


def test_a_template_without_its_column_is_a_problem_not_an_empty_word() -> None:
    templates: dict[str, Any] = {"templates": {"hero": {"prompt": "Photo of {{ colour }}"}}}

    (problem,) = refused(Row(line=1, template="hero"), **templates)

    assert "colour" in problem.message


def test_a_reference_counts_by_its_bytes_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    (tmp_path / "c.txt").write_text("no image")
    manifest = tmp_path / "rows.csv"

    def draft(name: str) -> Draft | list[Problem]:
        row = Row(line=1, prompt="p", references=(Reference(name),))
        found = drafter().draft(row, "rows", manifest)
        return found[0] if isinstance(found, tuple) else found

    first, second, third = draft("a.png"), draft("b.png"), draft("c.txt")

    assert isinstance(first, Draft)
    assert isinstance(second, Draft)
    assert first.prints[0] == second.prints[0]
    assert isinstance(third, list)


def test_the_reservation_is_the_high_estimate() -> None:
    draft = drafted(Row(line=1, prompt="p"))

    estimate = draft.estimate(draft.bids[0])
    assert estimate is not None
    assert renders(draft)[0].reserve_nusd == estimate.high > estimate.likely


@pytest.mark.parametrize(
    ("tier", "model", "nusd"),
    [
        (Tier.VERTEX, "gemini-3.1-flash-image", 67_200_000),
        (Tier.VERTEX_FLEX, "gemini-3.1-flash-image", 33_600_000),
        (Tier.VERTEX_PRIORITY, "gemini-3.1-flash-image", 120_960_000),
        (Tier.VERTEX_PROVISIONED, "gemini-3.1-flash-image", 0),
    ],
)
def test_each_level_of_vertex_is_planned_at_its_own_price(
    tier: Tier, model: str, nusd: int
) -> None:
    draft = drafted(Row(line=1, prompt="", tier=tier, model=model, thinking="minimal"))

    estimate = draft.estimate(draft.bids[0])
    assert estimate is not None
    assert estimate.low == nusd
    assert renders(draft)[0].reserve_nusd > nusd


def test_flex_is_refused_for_a_model_without_it_and_outside_global() -> None:
    eu: dict[str, Any] = {"vertex": {"location": "eu"}}
    flash = Row(line=1, prompt="p", tier=Tier.VERTEX_FLEX, model="gemini-3.1-flash-image")

    (level,) = refused(Row(line=1, prompt="p", tier=Tier.VERTEX_FLEX))
    (place,) = refused(flash, **eu)

    assert (level.column, place.column) == ("tier", "location")
    assert "vertex-flex serves gemini-3.1-flash-image" in str(level.hint)
    assert place.hint == "Set the location to global."


def test_a_service_tier_that_the_model_lacks_on_ai_studio_names_the_alternatives() -> None:
    priority: dict[str, Any] = {"aistudio": {"api_key": "k", "service_tier": "priority"}}
    pro = Row(line=1, prompt="p", model="gemini-3-pro-image")

    (problem,) = refused(Row(line=1, prompt="p"), **priority)
    dearer, plain = drafted(pro, **priority), drafted(pro, aistudio={"api_key": "k"})

    assert problem.column == "tier"
    assert "gemini-3-pro-image has it on aistudio" in str(problem.hint)
    assert renders(dearer)[0].reserve_nusd * 5 == renders(plain)[0].reserve_nusd * 9


def test_a_request_that_is_too_large_for_flex_is_a_problem_of_its_row(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with (tmp_path / "a.png").open("ab") as file:
        file.truncate(6_000_000)
    two, three = (
        Row(
            line=1,
            prompt="p",
            tier=Tier.VERTEX_FLEX,
            model="gemini-3.1-flash-image",
            references=(Reference("a.png"),) * many,
        )
        for many in (2, 3)
    )
    manifest = tmp_path / "rows.csv"

    (problem,) = refused(three, manifest)

    assert problem.column == "references"
    assert "24.0 MB, and vertex-flex takes 20 MB" in problem.message
    assert isinstance(drafter().draft(two, "rows", manifest), tuple)
    plain = msgspec.structs.replace(three, tier=Tier.VERTEX)
    assert isinstance(drafter().draft(plain, "rows", manifest), tuple)


def test_an_image_that_was_made_to_fit_is_a_warning_of_the_first_row_that_goes_by_it(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.bmp")
    own = drafter(home=tmp_path / "home", references={"policy": "fit"})
    rows = [Row(line=n, prompt=f"p{n}", references=(Reference("a.bmp"),)) for n in (1, 2)]

    first, second = (own.draft(row, "m", tmp_path / "m.csv") for row in rows)

    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    (doubt,) = first[0].doubts
    assert (doubt.code, doubt.severity) == (Code.REFERENCE_FITTED, Severity.WARNING)
    assert "image/bmp of 16 x 16 pixels" in doubt.message
    assert second[0].doubts == ()
    assert first[0].request.references == second[0].request.references


def test_an_image_of_more_than_7_mb_goes_where_requests_point_to_it(tmp_path: Path) -> None:
    Image.effect_noise((2_800, 2_800), 90).save(tmp_path / "a.png")
    rows = [
        Row(line=1, prompt="p", references=(Reference("a.png"),), tier=tier)
        for tier in (Tier.AISTUDIO_BATCH, Tier.AISTUDIO, Tier.VERTEX)
    ]
    given: dict[str, Any] = {"aistudio": {"api_key": "k"}, "vertex": {"project": "p"}}
    own = drafter(home=tmp_path / "home", **given)

    batch, pointing, alone = (own.draft(row, "m", tmp_path / "m.csv") for row in rows)

    assert isinstance(batch, tuple)
    assert isinstance(pointing, tuple)
    assert not isinstance(alone, tuple)
    assert "takes 7 MB an image" in alone[0].message
    assert "fit" in (alone[0].hint or "")
    assert "DARKROOM_STAGING_URL" in (alone[0].hint or "")


def test_an_image_of_more_than_7_mb_goes_to_vertex_through_a_bucket(tmp_path: Path) -> None:
    Image.effect_noise((2_800, 2_800), 90).save(tmp_path / "a.png")
    row = Row(line=1, prompt="p", references=(Reference("a.png"),), tier=Tier.VERTEX)
    own = drafter(home=tmp_path / "home", vertex={"project": "p"}, staging_url="gs://stage/desk")

    found = own.draft(row, "m", tmp_path / "m.csv")

    assert isinstance(found, tuple)
    assert found[0].bids[0].tier is Tier.VERTEX
