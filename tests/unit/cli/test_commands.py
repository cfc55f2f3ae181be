"""Commands that send nothing, run in this process as a script would run them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom.cli import main
from darkroom.configure import load
from darkroom_manifests.tier import Tier

Darkroom = Callable[..., Result]

GOOD = "id,prompt,aspect_ratio\nkettle,A brushed steel kettle,4:5\nlamp,A desk lamp,1:1\n"
BAD = "id,prompt,aspect_ratio\nkettle,A kettle,4x5\nlamp,,1:1\nmug,A mug,1:1\n"


@pytest.fixture
def darkroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Darkroom:
    """The command in an empty folder, with no settings and no credentials around it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*args: str, **env: str) -> Result:
        return CliRunner().invoke(main, args, env=env, prog_name="darkroom")

    return run


def written(text: str, name: str = "catalog.csv") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def error_of(result: Result) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(result.stderr)["error"]
    return error


def test_check_accepts_a_good_manifest_and_writes_nothing(darkroom: Darkroom) -> None:
    result = darkroom("check", written(GOOD))

    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 rows for 2 images can be rendered" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["catalog.csv"]


def test_check_names_every_bad_row_with_line_and_column(darkroom: Darkroom) -> None:
    result = darkroom("check", written(BAD))

    assert (result.exit_code, result.stdout) == (5, "")
    assert 'catalog.csv:2  aspect_ratio  "4x5" is not W:H. Did you mean 4:5?' in result.stderr
    assert "catalog.csv:3  prompt" in result.stderr
    assert "2 of 3 rows cannot be rendered; nothing was sent." in result.stderr


def test_check_writes_all_problems_as_json(darkroom: Darkroom) -> None:
    result = darkroom("check", written(BAD), "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 5
    assert [problem["line"] for problem in document["problems"]] == [2, 3]
    assert result.stderr == ""


def test_plan_as_json_writes_a_plan_or_an_error_and_never_both(darkroom: Darkroom) -> None:
    refused = darkroom("plan", written(BAD), "--json")
    accepted = darkroom("plan", written(BAD), "--json", "--accept-valid")

    assert (refused.exit_code, refused.stdout) == (5, "")
    assert [problem["line"] for problem in error_of(refused)["problems"]] == [2, 3]
    assert (accepted.exit_code, accepted.stderr) == (0, "")
    assert len(json.loads(accepted.stdout)["problems"]) == 2


def test_rows_that_a_model_cannot_draw_are_invalid_before_anything_is_sent(
    darkroom: Darkroom,
) -> None:
    manifest = written("prompt,image_size\nA lamp,512\nA mug,1K\n")

    result = darkroom("run", manifest, "--json", "--model", "gemini-3-pro-image")

    assert (result.exit_code, result.stdout) == (5, "")
    assert error_of(result)["message"].startswith("1 of 2 rows")
    assert [problem["line"] for problem in error_of(result)["problems"]] == [2]


def test_a_problem_names_the_column_as_the_manifest_does(darkroom: Darkroom) -> None:
    table = written("Prompt,ref_images,Resolution\nA lamp,none.png,1K\nA mug,,512\n")
    lines = written('{"text": "A lamp", "refs": ["none.png"]}\n', "rows.jsonl")
    sides = written("prompt,Width,height\nA lamp,512,512\n", "sides.csv")
    names = (table, lines, sides)

    documents = [json.loads(darkroom("check", name, "--json").stdout) for name in names]

    columns = [[each["column"] for each in document["problems"]] for document in documents]
    assert columns == [["ref_images", "Resolution"], ["refs"], ["Width"]]


def test_a_row_that_is_there_twice_is_doubted(darkroom: Darkroom) -> None:
    result = darkroom("check", written("prompt\nA lamp\nA lamp\n"))

    assert result.exit_code == 0
    assert "catalog.csv:3  warning: The row is the same as line 2" in result.stderr


def test_many_problems_are_cut_short_for_people(darkroom: Darkroom) -> None:
    result = darkroom("check", written("prompt,n\n" + "A lamp,0\n" * 60))

    assert "… and 10 more; --json lists them." in result.stderr
    assert result.stderr.count("catalog.csv:") == 50


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"id,prompt\n", "no rows"),
        (b'id,prompt\na,"open\n', "quote"),
        (b"id,prompt\na,b\0c\n", "NUL"),
        (b"id,prompt\na,\xff\xfe\xfa\n", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    darkroom: Darkroom, content: bytes, said: str
) -> None:
    Path("bad.csv").write_bytes(content)

    result = darkroom("run", "bad.csv")

    assert (result.exit_code, result.stdout) == (5, "")
    assert said in result.stderr


@pytest.mark.parametrize("rest", [b'c,"open\nd,e\n', b"c,b\0c\n", b"c,\xff\xfe\xfa\n"])
@pytest.mark.parametrize("command", ["check", "plan", "run", "submit"])
def test_a_file_that_cannot_be_read_to_its_end_is_refused_whatever_is_accepted(
    darkroom: Darkroom, command: str, rest: bytes
) -> None:
    Path("cut.csv").write_bytes(b"id,prompt,n\n,b,1\n" + b",b,0\n" * 2_200 + rest)

    plain = darkroom(command, "cut.csv")
    accepting = darkroom(command, "cut.csv", "--accept-valid")

    for result in (plain, accepting):
        assert (result.exit_code, result.stdout) == (5, "")
        assert "error: Reading stopped at line 2,203; nothing was sent." in result.stderr
        assert "cut.csv:2203" in result.stderr
        assert "--accept-valid" not in result.stderr
        assert "to make" not in result.stderr


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_manifest_that_is_no_file_is_refused(darkroom: Darkroom, name: str) -> None:
    assert darkroom("run", name).exit_code == 5


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be somebody whom permissions bind, even where the tests run as root."""
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
    else:
        yield


def test_a_manifest_that_may_not_be_read_is_a_bad_manifest(
    darkroom: Darkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TemporaryDirectory() as folder:  # anybody may pass through the folder above it
        Path(folder).chmod(0o755)
        monkeypatch.chdir(folder)
        manifest = written(GOOD)
        darkroom("check", manifest)  # loads what it needs while everything may be read
        Path(manifest).chmod(0)
        with without_privileges():
            result = darkroom("check", manifest)
        monkeypatch.undo()

    assert (result.exit_code, result.stdout) == (5, "")
    assert "catalog.csv  It cannot be read: Permission denied. Check its perm" in result.stderr


def test_control_characters_of_a_manifest_never_reach_the_terminal(darkroom: Darkroom) -> None:
    result = darkroom("check", written("prompt,tier\nA lamp,\x1b[31mred\n"))

    assert "\x1b" not in result.output


def test_plan_prices_a_manifest(darkroom: Darkroom) -> None:
    document = json.loads(darkroom("plan", written(GOOD), "--json").stdout)

    assert (document["rows"], document["renders"], document["unchanged"]) == (2, 2, 0)
    assert document["simulated"] is True
    assert document["low_nusd"] <= document["likely_nusd"] <= document["high_nusd"]
    assert document["likely_usd"].startswith("0.0")
    assert document["shares"][0]["tier"] == "simulator"


def test_flags_speak_for_rows_that_say_nothing(darkroom: Darkroom) -> None:
    manifest = written("prompt\nA lamp\n")
    flags = ("--tier", "auto", "--model", "gemini-3.1-flash-image", "--size", "2K", "--n", "3")

    document = json.loads(darkroom("plan", manifest, "--json", *flags).stdout)

    assert (document["renders"], document["shares"][0]["model"]) == (3, "gemini-3.1-flash-image")


CREDENTIALS = {"GEMINI_API_KEY": "k", "GOOGLE_CLOUD_PROJECT": "p"}


def test_a_plan_shows_what_else_could_be_done(darkroom: Darkroom) -> None:
    shown = darkroom("plan", written(GOOD)).stdout.splitlines()
    document = json.loads(darkroom("plan", written(GOOD), "--json").stdout)
    alone = json.loads(darkroom("plan", written(GOOD), "--json", "--no-alternatives").stdout)

    ways = shown[shown.index("") + 1 :]
    assert ways[0].split() == ["WAY", "IMAGES", "COST", "DONE", "IN", "NOTE"]
    assert ways[1].startswith("plan: simulator ")
    assert any("no credential" in way for way in ways if way.startswith("vertex"))
    assert max(map(len, ways)) <= 100
    assert len(ways) <= 12
    assert document["alternatives"][0]["likely_nusd"] == document["likely_nusd"]
    assert {each["what"] for each in document["alternatives"]} == {
        "plan",
        "cheapest",
        "fastest",
        "tier",
        "model",
    }
    assert alone["alternatives"] is None


def test_a_deadline_that_cannot_be_kept_and_a_cap_that_is_met_are_said_in_the_plan(
    darkroom: Darkroom,
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
    flags = ("--deliver-by", soon, "--max-cost", "0.05")

    shown = darkroom("plan", written(GOOD), *flags, **CREDENTIALS).stdout
    document = json.loads(darkroom("plan", written(GOOD), *flags, "--json", **CREDENTIALS).stdout)

    assert "the cap of $0.05 will hold some of it back" in shown
    assert "2 images up to" in shown
    assert document["late_renders"] == 2
    assert 30 < document["late_seconds"] < 60
    assert datetime.fromisoformat(document["deliver_by"]) == datetime.fromisoformat(soon)


def test_with_several_tiers_configured_rows_that_name_none_are_spread(darkroom: Darkroom) -> None:
    document = json.loads(darkroom("plan", written(GOOD), "--json", **CREDENTIALS).stdout)

    assert [share["tier"] for share in document["shares"]] == ["aistudio", "vertex"]


def test_a_row_may_leave_its_tier_to_the_router(darkroom: Darkroom) -> None:
    manifest = written("prompt,tier\nA lamp,auto\nA mug,vertex\n")
    document = json.loads(
        darkroom(
            "plan", manifest, "--json", DARKROOM_ROUTER__TIERS="aistudio", **CREDENTIALS
        ).stdout
    )

    assert [share["tier"] for share in document["shares"]] == ["aistudio", "vertex"]


def test_submitting_shows_alternatives_when_asked(darkroom: Darkroom) -> None:
    asked = darkroom("submit", written(GOOD), "--alternatives")
    silent = darkroom("submit", written(GOOD), "--again")

    assert "plan: simulator" in asked.stderr
    assert "plan: simulator" not in silent.stderr


def test_flags_are_read_as_cells_are(darkroom: Darkroom) -> None:
    manifest = written("prompt\nA lamp\n")

    shapes = [
        json.loads(darkroom("plan", manifest, "--json", *flags).stdout)["likely_nusd"]
        for flags in (
            ("--size", "2k"),
            ("--size", "2048x2048"),
            ("--size", "2K", "--aspect-ratio", "1:1"),
        )
    ]
    plain = json.loads(darkroom("plan", manifest, "--json").stdout)["likely_nusd"]

    assert shapes[0] == shapes[1] == shapes[2] > plain


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--size", "3K"), '"3K" is not an image size. Sizes are 512, 1K, 2K, 4K.'),
        (("--aspect-ratio", "4x5"), '"4x5" is not W:H. Did you mean 4:5?'),
        (("--size", "1024x1024", "--aspect-ratio", "4:5"), "--aspect-ratio says 4:5"),
        (("--model", "gemini-3-pro-imag"), "Did you mean gemini-3-pro-image"),
        (("--model", "gemini-3.1-flash-image-preview"), "Write gemini-3.1-flash-image."),
    ],
)
def test_a_flag_that_no_row_uses_is_checked_too_and_once(
    darkroom: Darkroom, flags: tuple[str, ...], said: str
) -> None:
    manifest = written(
        "prompt,size,ratio,model\nA lamp,1K,1:1,gemini-3-pro-image\n"
        "A mug,1K,1:1,gemini-3-pro-image\n"
    )

    result = darkroom("plan", manifest, *flags)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count(said) == 1


def test_a_usual_model_that_nobody_knows_is_said_once_and_not_by_each_row(
    darkroom: Darkroom,
) -> None:
    Path("darkroom.toml").write_text('[defaults]\nmodel = "gemini-3-pro-imag"\n', encoding="utf-8")
    manifest = written("prompt\nA lamp\nA mug\n")

    result = darkroom("plan", manifest)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("Did you mean gemini-3-pro-image") == 1
    assert 'defaults.model: "gemini-3-pro-imag" is not a known model' in result.stderr


def test_a_limit_reads_up_to_its_last_row_and_nothing_behind_it(darkroom: Darkroom) -> None:
    manifest = written('prompt,n\nA lamp,1\nA mug,0\nA cup,1\nA pot,0\n"open,1\n')

    clean = darkroom("check", manifest, "--limit", "1")
    spoilt = darkroom("check", manifest, "--limit", "2", "--json")

    assert (clean.exit_code, spoilt.exit_code) == (0, 5)
    assert "1 row for 1 image can be rendered" in clean.stderr
    assert [problem["line"] for problem in json.loads(spoilt.stdout)["problems"]] == [3]


def test_nobody_there_to_say_yes_means_no(darkroom: Darkroom) -> None:
    manifest = written("prompt,n\nA lamp,100\n")

    result = darkroom("run", manifest, "--json", GEMINI_API_KEY="k")

    assert (result.exit_code, result.stdout) == (6, "")
    assert error_of(result)["code"] == "spend.consent"
    assert "--max-cost" in error_of(result)["hint"]


def test_a_cap_below_one_render_is_refused(darkroom: Darkroom) -> None:
    result = darkroom("submit", written(GOOD), "--max-cost", "0.001", GEMINI_API_KEY="k")

    assert (result.exit_code, result.stdout) == (6, "")
    assert "does not cover a single render" in result.stderr


def test_a_tier_without_credential_is_refused(darkroom: Darkroom) -> None:
    result = darkroom("run", written(GOOD), "--tier", "vertex")

    assert result.exit_code == 4
    assert "GOOGLE_CLOUD_PROJECT" in result.stderr


def test_what_a_flag_cannot_mean_is_quoted_as_elsewhere(darkroom: Darkroom) -> None:
    tier = darkroom("run", written(GOOD), "--tier", "vertx")
    cap = darkroom("run", written(GOOD), "--max-cost", "1,50")
    time = darkroom("run", written(GOOD), "--deliver-by", "noon")

    assert '"vertx" is not a tier; tiers are' in tier.stderr
    assert '"1,50" is not a plain amount' in cap.stderr
    assert '"noon" is no time' in time.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ("--tier", "vertx"),
        ("--max-cost", "1,50"),
        ("--max-cost", "-1"),
        ("--n", "0"),
        ("--deliver-by", "2026-12-24T07:30:00"),
        ("--nonsense",),
    ],
)
def test_a_flag_that_makes_no_sense_is_a_usage_error(
    darkroom: Darkroom, flags: tuple[str, ...]
) -> None:
    result = darkroom("run", written(GOOD), *flags, "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert error_of(result)["code"] == "usage"


def test_the_earliest_row_s_deadline_is_the_job_s_unless_a_flag_says_another(
    darkroom: Darkroom,
) -> None:
    manifest = written(
        "prompt,deliver_by\nA lamp,2097-03-02T06:00:00Z\nA mug,2097-03-01T07:00:00+01:00\nA cup,\n"
    )

    darkroom("submit", manifest)
    own = json.loads(darkroom("job", "show", "last", "--json").stdout)["deliver_by"]
    darkroom("submit", manifest, "--again", "--deliver-by", "2098-01-01T00:00:00Z")
    told = json.loads(darkroom("job", "show", "last", "--json").stdout)["deliver_by"]

    assert (own, told) == ("2097-03-01T06:00:00Z", "2098-01-01T00:00:00Z")


def test_a_deadline_that_is_past_is_doubted(darkroom: Darkroom) -> None:
    manifest = written("prompt,deliver_by\nA lamp,2026-01-02T06:00:00Z\n")

    row = darkroom("submit", manifest)
    flag = darkroom("submit", written(GOOD, "b.csv"), "--deliver-by", "2026-01-01T00:00:00Z")
    plan = json.loads(darkroom("plan", manifest, "--again", "--json").stdout)

    assert (row.exit_code, flag.exit_code) == (0, 0)
    assert "warning: deliver_by  The earliest, 2026-01-02T06:00:00+00:00, is past." in row.stderr
    assert "warning: --deliver-by is past" in flag.stderr
    assert (plan["deliver_by"], len(plan["warnings"])) == ("2026-01-02T06:00:00Z", 1)


def test_a_submitted_job_is_found_steered_and_reported(darkroom: Darkroom) -> None:
    manifest = written('id,prompt,sku,=cmd()\nkettle,"=1+1 [bold]",K-1,@x\n')

    job_id = darkroom("submit", manifest).stdout.strip()
    listed = json.loads(darkroom("job", "ls", "--json").stdout)
    cancelled = darkroom("job", "cancel", job_id[-6:])
    csv = darkroom("report", job_id, "--format", "csv").stdout.splitlines()
    line = json.loads(darkroom("report", "--format", "jsonl").stdout)
    table = darkroom("report").stdout.splitlines()

    assert [job["id"] for job in listed] == [job_id]
    assert cancelled.exit_code == 0
    assert "'=cmd()" in csv[0]
    assert "'=1+1 [bold]" in csv[1]
    assert (line["status"], line["sku"], line["=cmd()"]) == ("cancelled", "K-1", "@x")
    assert "[bold]" in line["prompt"]
    assert [row.split()[:3] for row in table] == [
        ["ID", "NO", "STATUS"],
        ["kettle", "1", "cancelled"],
    ]


def test_a_manifest_that_is_under_way_leads_to_its_job(darkroom: Darkroom) -> None:
    manifest = written(GOOD)
    job_id = darkroom("submit", manifest).stdout.strip()

    again = darkroom("submit", manifest, "--max-cost", "3.00")
    document = json.loads(darkroom("submit", manifest, "--json").stdout)
    darkroom("job", "pause", job_id)
    paused = darkroom("submit", manifest)

    assert again.stdout.strip() == paused.stdout.strip() == document["job"]["id"] == job_id
    assert (document["new"], document["earlier_jobs"]) == (False, [])
    assert f"Nothing new: {job_id} has it under way." in again.stderr
    assert f"--max-cost was not applied to {job_id}" in again.stderr
    assert f"Nothing new: {job_id} holds them. darkroom job resume {job_id} goes" in paused.stderr


def test_waiting_for_a_cancelled_job_ends_at_once_with_its_outcome(darkroom: Darkroom) -> None:
    job_id = darkroom("submit", written(GOOD)).stdout.strip()
    darkroom("job", "cancel", job_id)

    assert darkroom("job", "wait", job_id).exit_code == 3


def test_bad_rows_that_were_left_out_are_listed(darkroom: Darkroom) -> None:
    darkroom("submit", written(BAD), "--accept-valid")

    rejected = json.loads(darkroom("job", "rejected", "--json").stdout)

    assert [(each["line"], each["column"]) for each in rejected] == [
        (2, "aspect_ratio"),
        (3, "prompt"),
    ]


def test_a_job_that_is_not_there_is_not_found(darkroom: Darkroom) -> None:
    result = darkroom("job", "show", "job_nope", "--json")

    assert (result.exit_code, result.stdout) == (7, "")
    assert error_of(result)["code"] == "not_found"


def test_an_empty_list_is_an_empty_list(darkroom: Darkroom) -> None:
    assert json.loads(darkroom("job", "ls", "--json").stdout) == []
    assert json.loads(darkroom("audit", "--json").stdout) == []


def test_tiers_are_listed_with_their_limits_and_why_they_rest(darkroom: Darkroom) -> None:
    document = json.loads(darkroom("tier", "ls", "--json").stdout)
    shown = darkroom("tier", "ls").stdout

    by_name = {each["tier"]: each for each in document}
    assert set(by_name) == set(Tier)
    assert by_name["aistudio"]["limits"]["requests_per_minute"] == 10
    assert by_name["vertex"]["limits"]["adaptive"] is True
    assert (by_name["simulator"]["minute"], by_name["simulator"]["rests"]) == (0, [])
    assert "10/min" in shown


def test_a_tier_with_a_window_shows_what_is_spent_of_it(darkroom: Darkroom) -> None:
    window = {"DARKROOM_TIERS__SIMULATOR__SPEND_PER_WINDOW": "2.50"}

    shown = darkroom("tier", "ls", **window).stdout

    assert "$0.00 of $2.50" in shown
    assert "$2.50/10 min" in shown


def test_cost_without_attempts_is_all_zero(darkroom: Darkroom) -> None:
    document = json.loads(darkroom("cost", "--since", "7d", "--json").stdout)

    names = ("charged", "at_risk", "wasted", "reserved", "spent", "simulated")
    assert {document[f"{name}_nusd"] for name in names} == {0}
    assert {document[f"{name}_usd"] for name in names} == {"0.000000"}
    assert document["by_job"] == document["by_model"] == document["by_tier"] == {}


def test_models_are_priced_by_size_and_tier(darkroom: Darkroom) -> None:
    models = json.loads(darkroom("models", "--on", "2026-11-22", "--json").stdout)

    default = next(model for model in models if model["default"])
    assert default["id"] == "gemini-nano-banana-2.1"
    assert default["image_usd"]["aistudio"]["1K"] == "0.033600"


def test_models_are_as_they_were_on_a_day(darkroom: Darkroom) -> None:
    shown = darkroom("models", "imagen-4.0-generate-001", "--on", "2026-06-01").stdout

    assert "until 2026-08-17" in shown


def test_a_model_that_never_was_gets_a_suggestion(darkroom: Darkroom) -> None:
    result = darkroom("models", "gemini-3-pro-imag")

    assert result.exit_code == 7
    assert "gemini-3-pro-image" in result.stderr


def test_configuration_shows_origins_and_no_secrets(darkroom: Darkroom) -> None:
    env = {"GEMINI_API_KEY": "hush", "DARKROOM_DATABASE_URL": "postgresql://me:hush@db/x"}

    shown = darkroom("config", "show", "--origin", "--json", **env)

    document = json.loads(shown.stdout)
    assert "hush" not in shown.output
    assert document["aistudio.api_key"]["origin"] == "GEMINI_API_KEY"
    assert document["budget.confirm_above"]["origin"] == "default"


def test_a_home_may_be_named_before_or_after_the_command(darkroom: Darkroom) -> None:
    before = darkroom("--home", "here", "db", "path").stdout
    after = darkroom("db", "path", "--home", "here").stdout

    assert before == after == f"{Path('here').absolute()}/darkroom.db\n"


def test_the_database_is_brought_up_to_date_by_itself(darkroom: Darkroom) -> None:
    document = json.loads(darkroom("db", "upgrade", "--json").stdout)

    assert document["revision"] is not None


def test_init_makes_a_project_once(darkroom: Darkroom, tmp_path: Path) -> None:
    first = json.loads(darkroom("init", "shop", "--json").stdout)
    Path("shop/example.csv").write_text(GOOD, encoding="utf-8")
    second = json.loads(darkroom("init", "shop", "--json").stdout)

    assert set(first.values()) == {True}
    assert set(second.values()) == {False}
    assert Path("shop/example.csv").read_text(encoding="utf-8") == GOOD
    assert load({}, {}, tmp_path / "shop").settings.default_tier() == "simulator"


def test_what_init_makes_can_be_rendered(darkroom: Darkroom) -> None:
    darkroom("init")

    assert darkroom("check", "example.csv").exit_code == 0


def test_the_doctor_finds_nothing_wrong_in_an_empty_folder(darkroom: Darkroom) -> None:
    result = darkroom("doctor", "--json")

    assert (result.exit_code, list(Path().iterdir())) == (0, [])
    assert {finding["grade"] for finding in json.loads(result.stdout)} <= {"ok", "warn"}


def test_the_doctor_says_what_the_account_tier_sets_and_what_was_overridden(
    darkroom: Darkroom,
) -> None:
    env = {
        "GEMINI_API_KEY": "hush",
        "DARKROOM_AISTUDIO__ACCOUNT_TIER": "tier-1",
        "DARKROOM_TIERS__AISTUDIO__REQUESTS_PER_MINUTE": "150",
    }

    found = [f["fact"] for f in json.loads(darkroom("doctor", "--json", **env).stdout)]

    said = next(fact for fact in found if fact.startswith("account tier 1"))
    assert "figures of 2026-11-22, but requests_per_minute" in said
    assert "150/min" in said
    assert "1,000/day" in said
    assert "$10/10 min" in said


def test_the_doctor_names_what_is_broken_and_hides_passwords(darkroom: Darkroom) -> None:
    env = {"DARKROOM_BROKER_URL": "redis://me:hush@127.0.0.1:1/0", "GEMINI_API_KEY": "hush"}

    result = darkroom("doctor", **env)

    assert result.exit_code == 1
    assert "FAIL broker" in result.stdout
    assert "key from GEMINI_API_KEY" in result.stdout
    assert "hush" not in result.output


def test_a_fleet_needs_a_broker(darkroom: Darkroom) -> None:
    result = darkroom("worker", "start")

    assert result.exit_code == 2
    assert "darkroom up" in result.stderr


def test_a_setting_that_does_not_exist_is_named(darkroom: Darkroom) -> None:
    result = darkroom("job", "ls", DARKROOM_NONSENSE="1")

    assert result.exit_code == 2
    assert "DARKROOM_NONSENSE" in result.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:hush@db/x", "database_url names mysql, which is not supported."),
        ("postgresql+psycopg2://me:hush@db/x", "names postgresql+psycopg2"),
        ("hush", "database_url is not the URL of a database."),
    ],
)
def test_a_database_of_another_kind_is_a_setting_to_mend(
    darkroom: Darkroom, url: str, said: str
) -> None:
    listed = darkroom("job", "ls", DARKROOM_DATABASE_URL=url)
    path = darkroom("db", "path", DARKROOM_DATABASE_URL=url)
    doctor = darkroom("doctor", DARKROOM_DATABASE_URL=url)

    assert (listed.exit_code, path.exit_code, doctor.exit_code) == (2, 2, 1)
    assert said in listed.stderr
    assert "FAIL database" in doctor.stdout
    assert said in doctor.stdout
    assert "hush" not in listed.output + path.output + doctor.output


def test_a_database_that_is_away_is_no_defect(darkroom: Darkroom) -> None:
    url = "postgresql://me:hush@127.0.0.1:1/x?connect_timeout=2"

    result = darkroom("job", "ls", DARKROOM_DATABASE_URL=url)

    assert result.exit_code == 1
    assert "The database cannot be used" in result.stderr
    assert "hush" not in result.output


def test_a_host_without_a_worker_or_a_clock_fails_its_health_checks(darkroom: Darkroom) -> None:
    worker, clock = darkroom("worker", "check"), darkroom("scheduler", "check", "--json")

    assert (worker.exit_code, clock.exit_code) == (1, 1)
    assert worker.stderr.startswith("No worker lives on ")
    assert json.loads(clock.stdout) == {"ticking": False, "seconds": None}


def test_restored_books_are_compared_with_storage_on_request(darkroom: Darkroom) -> None:
    folder = Path("out", "job_0123456789abcdefgh")
    folder.mkdir(parents=True)
    (folder / "a_1.png").write_bytes(b"image")

    plain, restored = darkroom("audit"), darkroom("audit", "--before-send", "--json")

    (violation,) = json.loads(restored.stdout)
    assert (plain.exit_code, restored.exit_code) == (0, 1)
    assert violation["detail"]["job"] == folder.name


def test_books_that_differ_from_storage_send_nothing_until_a_person_says_so(
    darkroom: Darkroom, tmp_path: Path
) -> None:
    darkroom("submit", written(GOOD), "--tier", "simulator", "-q")
    stranger = tmp_path / "out" / "job_0123456789abcdefgh" / "a.png"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"image")

    found = darkroom("audit", "--before-send")
    stopped = darkroom("tier", "ls").stderr
    stranger.unlink()
    clean = darkroom("audit", "--before-send")

    assert (found.exit_code, clean.exit_code) == (1, 0)
    assert "until darkroom resume --all" in found.stderr
    assert "these books are older than what was sent" in stopped
    assert "everything rests" not in darkroom("tier", "ls").stderr


def test_a_deep_audit_says_where_it_did_not_look_for_strangers(darkroom: Darkroom) -> None:
    rows = "id,prompt,output\na,A lamp,shared/{id}.{ext}\nb,A chair,\nc,A mug,{job}/x/{id}.{ext}\n"
    darkroom("submit", written(rows), "--tier", "simulator", "-q")
    own = darkroom("audit", "--deep")
    path = "{id}_{variant}.{ext}"
    darkroom("submit", written(GOOD), "--tier", "simulator", "-q", DARKROOM_OUTPUT__PATH=path)

    both = darkroom("audit", "--deep", "--json")

    assert "beside the images of 1 render:" in own.stderr
    assert "beside the images of 1 job and 1 render:" in both.stderr
    assert (both.exit_code, json.loads(both.stdout)) == (0, [])
    assert "beside the images" not in darkroom("audit").stderr
    assert darkroom("audit", "--deep", "-q").stderr == ""


def test_cost_shows_today_and_everything_beside_their_caps(darkroom: Darkroom) -> None:
    shown = darkroom("cost", DARKROOM_BUDGET__TOTAL="500")
    document = json.loads(darkroom("cost", "--json", DARKROOM_BUDGET__PER_DAY="none").stdout)

    assert "today     $0.00, at most $100.00 until" in shown.stdout
    assert "in all    $0.00, at most $500.00" in shown.stdout
    assert (document["spent_nusd"], document["day"]["cap_usd"]) == (0, None)
    assert document["all"]["used_usd"] == "0.000000"


def test_pause_all_is_shown_wherever_one_would_look_until_it_is_taken_back(
    darkroom: Darkroom,
) -> None:
    refused = darkroom("pause")
    paused = darkroom("pause", "--all")
    again = json.loads(darkroom("pause", "--all", "--json").stdout)
    tiers = darkroom("tier", "ls")
    listed = json.loads(darkroom("tier", "ls", "--json").stdout)
    doctor = darkroom("doctor")
    resumed = darkroom("resume", "--all")

    assert refused.exit_code == 2
    assert "Nothing more is sent" in paused.stderr
    assert again == {"paused": True, "changed": False}
    assert "everything rests until somebody acts" in tiers.stderr
    assert "paused everything" not in tiers.stdout
    rests = [
        [(rest["tier"], rest["model"], rest["until"]) for rest in one["rests"]] for one in listed
    ]
    assert rests == [[("*", "*", None)]] * len(Tier)
    assert "everything rests until somebody acts" in doctor.stdout
    assert "Everything goes on" in resumed.stderr
    assert "everything rests" not in darkroom("doctor").stdout


def test_cost_says_all_that_may_be_billed_too(darkroom: Darkroom) -> None:
    assert "lost answers, estimates that fell short" in darkroom("cost").stdout


def test_many_images_are_counted_with_commas(darkroom: Darkroom) -> None:
    shown = darkroom(
        "plan", written("prompt,n\n" + "".join(f"A lamp {i},100\n" for i in range(16)))
    )

    assert "1,600 with " in shown.stdout


def test_a_registry_file_that_is_missing_is_said_in_words(darkroom: Darkroom) -> None:
    result = darkroom("plan", written(GOOD), DARKROOM_REGISTRY_FILE="none.toml")

    assert result.exit_code == 2
    assert "error: none.toml: No such file or directory\n" in result.stderr


def test_what_a_job_may_be_called_is_said_as_it_is(darkroom: Darkroom) -> None:
    assert "the beginning or end of one" in darkroom("report", "--help").stdout


def test_a_flag_names_the_plans_deadline_before_the_earliest_of_the_rows(
    darkroom: Darkroom,
) -> None:
    manifest = written(
        "prompt,deliver_by\nA lamp,2040-01-02T00:00:00Z\nA mug,2040-01-01T00:00:00Z\nA cup,\n"
    )

    rows = json.loads(darkroom("plan", manifest, "--json").stdout)
    flag = json.loads(
        darkroom("plan", manifest, "--json", "--deliver-by", "2041-01-01T00:00:00Z").stdout
    )

    found = [datetime.fromisoformat(each["deliver_by"]).year for each in (rows, flag)]
    assert (found, datetime.fromisoformat(rows["deliver_by"]).day) == ([2040, 2041], 1)
