from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from darkroom.configure import hand_down, load, without_password
from darkroom.errors import ConfigInvalid
from darkroom.settings import ServiceTier, Settings, Vertex
from darkroom_manifests.tier import AUTO, Tier, TierChoice


def test_flags_beat_variables_beat_the_file_beat_defaults(tmp_path: Path) -> None:
    (tmp_path / "darkroom.toml").write_text(
        'storage_url = "from-file"\n[defaults]\nn = 2\nmodel = "from-file"\n'
    )
    env = {"DARKROOM_DEFAULTS__MODEL": "from-env", "DARKROOM_DEFAULTS__N": "3"}

    settings = load({"defaults": {"n": 4, "tier": None}}, env, tmp_path).settings

    assert settings.storage_url == "from-file"
    assert settings.defaults.model == "from-env"
    assert settings.defaults.n == 4
    assert settings.output.path == "{job}/{id}_{variant}.{ext}"


def test_every_value_knows_where_it_came_from(tmp_path: Path) -> None:
    env = {"GEMINI_API_KEY": "secret", "DARKROOM_HOME": "elsewhere"}

    origins = {one.name: one for one in load({}, env, tmp_path).origins()}

    assert origins["home"].origin == "DARKROOM_HOME"
    assert origins["aistudio.api_key"].origin == "GEMINI_API_KEY"
    assert origins["storage_url"].origin == "default"
    assert "secret" not in str(origins["aistudio.api_key"].value)


def test_a_cap_may_be_none_and_nothing_below_zero(tmp_path: Path) -> None:
    env = {"DARKROOM_BUDGET__PER_DAY": "none", "DARKROOM_BUDGET__TOTAL": "250"}

    budget = load({}, env, tmp_path).settings.budget

    assert (budget.per_day, budget.total) == (None, Decimal(250))
    assert Settings().budget.per_day == Decimal(100)
    with pytest.raises(ConfigInvalid):
        load({}, {"DARKROOM_BUDGET__PER_DAY": "-1"}, tmp_path)


@pytest.mark.parametrize(
    ("env", "tier"),
    [
        ({}, Tier.SIMULATOR),
        ({"GEMINI_API_KEY": "k"}, Tier.AISTUDIO),
        ({"GOOGLE_API_KEY": "k"}, Tier.AISTUDIO),
        ({"GOOGLE_CLOUD_PROJECT": "p"}, Tier.VERTEX),
        ({"GEMINI_API_KEY": "k", "GOOGLE_CLOUD_PROJECT": "p"}, AUTO),
        ({"DARKROOM_DEFAULTS__TIER": "auto"}, AUTO),
        ({"GEMINI_API_KEY": "k", "DARKROOM_DEFAULTS__TIER": "simulator"}, Tier.SIMULATOR),
    ],
)
def test_credentials_decide_the_default_tier(
    env: dict[str, str], tier: TierChoice, tmp_path: Path
) -> None:
    assert load({}, env, tmp_path).settings.default_tier() is tier


def test_the_tiers_of_the_router_are_a_list_with_commas_in_the_environment(tmp_path: Path) -> None:
    env = {"DARKROOM_ROUTER__TIERS": "vertex_batch, vertex"}

    assert load({}, env, tmp_path).settings.router.tiers == (Tier.VERTEX_BATCH, Tier.VERTEX)
    with pytest.raises(ConfigInvalid, match="DARKROOM_ROUTER__TIERS"):
        load({}, {"DARKROOM_ROUTER__TIERS": "vertx"}, tmp_path)


def test_googles_own_variables_are_honoured(tmp_path: Path) -> None:
    env = {
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_APPLICATION_CREDENTIALS": "sa.json",
        "GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:1",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:2",
    }

    settings = load({}, env, tmp_path).settings

    assert settings.vertex.project == "p"
    assert settings.vertex.location == "us-central1"
    assert settings.vertex.credentials_file == Path("sa.json")
    assert settings.vertex.base_url == "http://127.0.0.1:1"
    assert settings.aistudio.base_url == "http://127.0.0.1:2"


def test_a_tiers_limits_come_from_the_environment_with_the_presets_beneath(tmp_path: Path) -> None:
    env = {
        "DARKROOM_TIERS__AISTUDIO__REQUESTS_PER_MINUTE": "300",
        "DARKROOM_TIERS__AISTUDIO_BATCH__CONCURRENCY": "2",
    }

    settings = load({}, env, tmp_path).settings

    assert settings.limits(Tier.AISTUDIO).requests_per_minute == 300
    assert settings.limits(Tier.AISTUDIO).concurrency == 16
    assert settings.limits(Tier.AISTUDIO_BATCH).concurrency == 2


def test_flex_begins_with_googles_published_rate_and_asks_again_gently() -> None:
    flex, priority = (Settings().limits(t) for t in (Tier.VERTEX_FLEX, Tier.VERTEX_PRIORITY))

    assert (flex.adaptive, flex.adaptive_most, flex.busy_seconds) == (True, 3_000, 30)
    assert (priority.adaptive, priority.busy_seconds) == (True, 0)


def test_a_project_opens_every_level_of_vertex_and_the_plain_one_comes_first() -> None:
    assert Settings(vertex=Vertex(project="p")).configured() == [
        Tier.VERTEX,
        Tier.VERTEX_FLEX,
        Tier.VERTEX_PRIORITY,
        Tier.VERTEX_PROVISIONED,
        Tier.IMAGEN,
    ]


def test_only_ai_studio_names_a_service_tier(tmp_path: Path) -> None:
    settings = load({}, {"DARKROOM_AISTUDIO__SERVICE_TIER": "priority"}, tmp_path).settings

    assert settings.service_tier(Tier.AISTUDIO) is ServiceTier.PRIORITY
    assert {settings.service_tier(tier) for tier in Tier if tier is not Tier.AISTUDIO} == {None}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DARKROOM_BUDGT__X": "1"}, "DARKROOM_BUDGT__X: budgt: no such setting"),
        ({"DARKROOM_TIERS__VERTEX__CONCURRENCY": "many"}, "DARKROOM_TIERS__VERTEX__CONCURRENCY"),
        ({"DARKROOM_BUDGET__CONFIRM_ABOVE": "NaN"}, "confirm_above"),
        ({"DARKROOM_AISTUDIO__SERVICE_TIER": "fast"}, "must be standard, flex or priority"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_origin(
    env: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load({}, env, tmp_path)

    assert said in str(refused.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "darkroom.toml").write_text("storage_url = ")

    with pytest.raises(ConfigInvalid, match=r"darkroom\.toml"):
        load({}, {}, tmp_path)


def test_a_child_process_gets_exactly_its_parents_settings(tmp_path: Path) -> None:
    flags = {"aistudio": {"api_key": "k"}, "budget": {"confirm_above": "0.10"}, "home": tmp_path}
    parent = load(flags, {"DARKROOM_TIERS__VERTEX__CONCURRENCY": "3"}, tmp_path).settings

    child = load({}, hand_down(parent) | {"DARKROOM_HOME": "ignored"}, Path("/")).settings

    assert child == parent
    assert child.aistudio.api_key is not None
    assert child.aistudio.api_key.get_secret_value() == "k"


def secret(tmp_path: Path, text: str) -> str:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_variable_may_name_a_file_that_holds_the_value(tmp_path: Path) -> None:
    env = {"DARKROOM_BROKER_URL_FILE": secret(tmp_path, "redis://:p@h/0\n")}

    loaded = load({}, env, tmp_path)

    origins = {one.name: one for one in loaded.origins()}
    assert loaded.settings.broker_url == "redis://:p@h/0"
    assert origins["broker_url"].origin == "DARKROOM_BROKER_URL_FILE"
    assert origins["broker_url"].value == "redis://:********@h/0"


@pytest.mark.parametrize(
    "name", ["GEMINI_API_KEY_FILE", "GOOGLE_API_KEY_FILE", "DARKROOM_AISTUDIO__API_KEY_FILE"]
)
def test_a_key_may_lie_in_a_file_and_is_shown_nowhere(name: str, tmp_path: Path) -> None:
    loaded = load({}, {name: secret(tmp_path, "canary-51c0")}, tmp_path)

    assert loaded.settings.aistudio.api_key is not None
    assert loaded.settings.aistudio.api_key.get_secret_value() == "canary-51c0"
    assert "canary" not in str(loaded.origins())


def test_an_empty_file_is_no_value(tmp_path: Path) -> None:
    env = {"GEMINI_API_KEY_FILE": secret(tmp_path, "\n"), "DARKROOM_HOME_FILE": "/dev/null"}

    settings = load({}, env, tmp_path).settings

    assert settings == Settings()


def test_settings_that_are_files_themselves_stay_what_they_are(tmp_path: Path) -> None:
    env = {"DARKROOM_REGISTRY_FILE": "r.toml", "DARKROOM_VERTEX__CREDENTIALS_FILE": "sa.json"}

    settings = load({}, env, tmp_path).settings

    assert settings.registry_file == Path("r.toml")
    assert settings.vertex.credentials_file == Path("sa.json")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DARKROOM_BROKER_URL_FILE": "/nowhere"}, "DARKROOM_BROKER_URL_FILE: /nowhere: No such"),
        ({"GEMINI_API_KEY_FILE": "/nowhere"}, "GEMINI_API_KEY_FILE: /nowhere: No such"),
        ({"DARKROOM_BROKR_URL_FILE": "/nowhere"}, "DARKROOM_BROKR_URL_FILE: brokr_url_file"),
        ({"DARKROOM_HOME": "a", "DARKROOM_HOME_FILE": "b"}, "DARKROOM_HOME_FILE are both set"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_variable(
    env: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load({}, env, tmp_path)

    assert said in str(refused.value)


def test_the_variable_of_the_kill_points_is_no_setting(tmp_path: Path) -> None:
    env = {"DARKROOM_CRASH": "P3:0.25:7", "DARKROOM_HOME": "h"}

    assert load(env=env, folder=tmp_path).settings.home == Path("h")


def test_a_plain_postgresql_url_means_the_shipped_driver() -> None:
    assert Settings(database_url="postgresql://u@h/d").sql_url == "postgresql+psycopg://u@h/d"


def test_a_urls_password_is_not_shown() -> None:
    assert without_password("redis://u:secret@h:1/0") == "redis://u:********@h:1/0"
    assert without_password("redis://h:1/0") == "redis://h:1/0"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"defaults": {"n": "x"}}, "flag: defaults.n: must be a whole number"),
        ({"defaults": {"n": 0}}, "flag: defaults.n: must be at least 1"),
        ({"defaults": {"n": 101}}, "flag: defaults.n: must be at most 100"),
        ({"defaults": 3}, "flag: defaults: must be a table of settings"),
        ({"worker": {"grace_seconds": "x"}}, "flag: worker.grace_seconds: must be a number"),
        ({"worker": {"grace_seconds": 0}}, "flag: worker.grace_seconds: must be more than 0"),
        ({"rules": {"on_lost": "x"}}, "flag: rules.on_lost: must be retry-once or hold"),
        ({"simulator": {"pictures": "x"}}, "flag: simulator.pictures: must be drawn or cached"),
        ({"tiers": {"vertex": {"adaptive": "maybe"}}}, "adaptive: must be true or false"),
        ({"tiers": {"vertx": {"concurrency": 1}}}, "flag: tiers.vertx: must be aistudio, "),
        ({"budget": {"per_day": "0.0123456789"}}, "must be written with at most 9 decimals"),
        ({"storage_url": 5}, "flag: storage_url: must be text"),
        ({"templates": {"a": {"promt": "x"}}}, "templates.a.prompt: must be given"),
        ({"nonsense": 1}, "flag: nonsense: no such setting"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_our_own_words(
    tmp_path: Path, flags: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(flags, {}, tmp_path)

    assert said in caught.value.message
    assert "Input" not in caught.value.message
