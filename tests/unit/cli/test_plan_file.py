"""Plans in files: done exactly so by --apply, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom import Darkroom
from darkroom.cli import main
from darkroom.configure import load
from darkroom.errors import PlanOutdated
from darkroom.request import Wishes
from darkroom.selection import Select

Command = Callable[..., Result]

ROWS = "id,prompt\nkettle,A brushed steel kettle\nlamp,A desk lamp\nmug,A mug\n"
DEARER = """
[[prices]]
model = "gemini-nano-banana-2.1"
providers = ["simulator", "aistudio", "vertex"]
level = "standard"
valid_from = 2026-01-01
text_in = "1.20"
image_in = "1.20"
cached_in = "0.12"
text_out = "6.00"
image_out = "99"
source = "a contract"
checked = 2026-11-22
"""


@pytest.fixture
def darkroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a folder with a manifest, with no settings and no credentials around it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("catalog.csv").write_text(ROWS, encoding="utf-8")

    def run(*args: str, **env: str) -> Result:
        return CliRunner().invoke(main, args, env=env, prog_name="darkroom")

    return run


@pytest.fixture
def planned(darkroom: Command) -> Command:
    """The same, with the manifest's plan in plan.json."""
    assert darkroom("plan", "catalog.csv", "--plan", "plan.json").exit_code == 0
    return darkroom


def kept(name: str = "plan.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    return found


def pending(darkroom: Command) -> int:
    jobs = json.loads(darkroom("job", "ls", "--json").stdout)
    return sum(job["pending"] for job in jobs)


def test_a_plan_file_says_what_would_be_made_of_what(planned: Command) -> None:
    found = kept()

    assert found["kind"] == "darkroom-plan"
    assert found["manifest"] == str(Path("catalog.csv").absolute())
    assert (found["rows"], found["renders"], found["unchanged"]) == (3, 3, 0)
    assert found["likely_nusd"] == sum(share["likely_nusd"] for share in found["shares"])
    assert json.loads(planned("job", "ls", "--json").stdout) == []


def test_what_was_planned_is_submitted(planned: Command) -> None:
    result = planned("submit", "--apply", "plan.json")

    assert result.exit_code == 0, result.stderr
    assert pending(planned) == 3


def test_options_of_the_plan_are_those_of_its_job(darkroom: Command) -> None:
    wanted = ("--n", "2", "--limit", "2", "--size", "2K", "--aspect-ratio", "4:3")
    darkroom("plan", "catalog.csv", *wanted, "--plan", "plan.json")

    assert darkroom("submit", "--apply", "plan.json").exit_code == 0

    assert pending(darkroom) == 4


def test_a_plan_is_done_once(planned: Command) -> None:
    planned("submit", "--apply", "plan.json")

    again = planned("submit", "--apply", "plan.json")

    assert again.exit_code == 6
    assert "3 images were to be made then, 0 now" in again.stderr
    assert pending(planned) == 3


def test_a_manifest_that_changed_is_not_submitted(planned: Command) -> None:
    Path("catalog.csv").write_text(ROWS + "cup,A cup\n", encoding="utf-8")

    result = planned("submit", "--apply", "plan.json")

    assert result.exit_code == 6
    assert "The manifest changed after it was planned" in result.stderr
    assert pending(planned) == 0


def test_a_manifest_that_is_gone_is_not_submitted(planned: Command) -> None:
    Path("catalog.csv").unlink()

    result = planned("submit", "--apply", "plan.json")

    assert result.exit_code == 6
    assert "is gone" in result.stderr


def test_prices_that_changed_keep_it_from_being_submitted(planned: Command) -> None:
    Path("prices.toml").write_text(DEARER, encoding="utf-8")

    result = planned("submit", "--apply", "plan.json", DARKROOM_REGISTRY_FILE="prices.toml")

    assert result.exit_code == 6
    said = "Prices changed after it was planned: simulator gemini-nano-banana-2.1."
    assert said in result.stderr
    assert pending(planned) == 0


def test_another_default_model_keeps_it_from_being_submitted(planned: Command) -> None:
    other = {"DARKROOM_DEFAULTS__MODEL": "gemini-3.1-flash-image"}

    result = planned("submit", "--apply", "plan.json", **other)

    assert result.exit_code == 6
    assert pending(planned) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("catalog.csv",), "leave out catalog.csv."),
        (("--tier", "simulator", "--limit", "1"), "leave out --tier, --limit."),
        (("--map", "prompt=id"), "leave out --map"),
        (("--accept-valid",), "leave out --accept-valid."),
    ],
)
def test_nothing_is_said_beside_a_plan(planned: Command, given: tuple[str, ...], said: str) -> None:
    result = planned("submit", "--apply", "plan.json", *given)

    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, 7, "There is no plan at other.json."),
        ("id,prompt\n", 2, "is no plan of Darkroom's"),
        ("{}", 2, "is no plan of Darkroom's"),
        ("\ud83d", 2, "is no plan of Darkroom's"),
    ],
)
def test_a_file_that_is_no_plan_is_named(
    planned: Command, text: str | None, code: int, said: str
) -> None:
    if text is not None:
        Path("other.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    result = planned("submit", "--apply", "other.json")

    assert result.exit_code == code
    assert said in result.stderr


def test_a_plan_of_a_newer_version_is_refused(planned: Command) -> None:
    Path("plan.json").write_text(json.dumps(kept() | {"version": 2}), encoding="utf-8")

    result = planned("submit", "--apply", "plan.json")

    assert result.exit_code == 2
    assert "a plan of version 2" in result.stderr


def test_a_bad_manifest_has_no_plan_written(darkroom: Command) -> None:
    Path("catalog.csv").write_text(ROWS + "cup,\n", encoding="utf-8")

    assert darkroom("plan", "catalog.csv", "--plan", "plan.json").exit_code == 5
    assert not Path("plan.json").exists()

    accepted = darkroom("plan", "catalog.csv", "--plan", "plan.json", "--accept-valid")
    assert accepted.exit_code == 0
    assert darkroom("submit", "--apply", "plan.json").exit_code == 0


def test_a_plan_that_cannot_be_written_is_said(darkroom: Command) -> None:
    result = darkroom("plan", "catalog.csv", "--plan", "none/plan.json")

    assert result.exit_code == 2
    assert "none/plan.json cannot be written: No such file or directory." in result.stderr


def test_a_command_without_a_manifest_says_what_it_takes(darkroom: Command) -> None:
    result = darkroom("submit")

    assert result.exit_code == 2
    assert "Give a manifest, or --apply PLAN." in result.stderr


def test_only_what_was_cancelled_is_selected_as_failed(darkroom: Command) -> None:
    darkroom("submit", "catalog.csv", "--limit", "2")
    darkroom("job", "cancel", "last")

    found = {
        name: json.loads(darkroom("plan", "catalog.csv", "--select", name, "--json").stdout)
        for name in map(str, Select)
    }

    counts = {name: (plan["renders"], plan["not_selected"]) for name, plan in found.items()}
    assert counts == {"missing": (3, 0), "changed": (1, 2), "failed": (2, 1), "all": (3, 0)}


def test_what_is_selected_is_submitted_and_audited(darkroom: Command) -> None:
    darkroom("submit", "catalog.csv", "--limit", "2")
    darkroom("job", "cancel", "last")

    result = darkroom("submit", "catalog.csv", "--select", "failed")

    assert result.exit_code == 0, result.stderr
    assert pending(darkroom) == 2
    assert darkroom("audit").exit_code == 0


def test_again_is_select_all_and_nothing_else(darkroom: Command) -> None:
    result = darkroom("plan", "catalog.csv", "--again", "--select", "failed")

    assert result.exit_code == 2
    assert "--again is --select all" in result.stderr


def test_python_plans_from_a_file_too(planned: Command) -> None:
    with Darkroom(load().settings) as room:
        job = room.submit(room.plan_from("plan.json"), consent=True)

        assert job.state.total == 3
        with pytest.raises(PlanOutdated):
            room.plan_from("plan.json")
    assert pending(planned) == 3


def test_what_is_asked_of_all_rows_is_part_of_the_plan(darkroom: Command) -> None:
    words = ("--ask", "system_instruction=Draw in ink.", "--ask", "Safety=Block_None")

    made = darkroom("plan", "catalog.csv", *words, "--plan", "plan.json")

    kept = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    with Darkroom(load({}).settings) as room:
        plan = room.plan_from("plan.json")
        wishes = {draft.request.wishes for draft in room.drafts(plan)}
    assert made.exit_code == 0, made.output
    assert kept["choices"]["ask"] == {
        "system_instruction": "Draw in ink.",
        "safety": "BLOCK_NONE",
    }
    assert wishes == {Wishes(system_instruction="Draw in ink.", safety="BLOCK_NONE")}
    said = ("--ask", "safety=off", "--label", "team=shop", "--deliver-turns")
    again = darkroom("run", "--apply", "plan.json", *said)
    assert again.exit_code == 2
    assert "leave out --ask, --label, --deliver-turns" in again.output


def test_whether_turns_are_delivered_and_what_labels_there_are_is_part_of_the_plan(
    darkroom: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    words = ("--tier", "vertex", "--label", "team=shop", "--deliver-turns")

    made = darkroom("plan", "catalog.csv", *words, "--plan", "plan.json")

    assert made.exit_code == 0, made.output
    with Darkroom(load({}).settings) as room:
        plan = room.plan_from("plan.json")
        labels = {draft.request.labels for draft in room.drafts(plan)}
    assert plan.choices.deliver_turns is True
    assert labels == {(("team", "shop"),)}
