"""How a manifest is read, told on the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom.cli import main

Darkroom = Callable[..., Result]

SHOP = "Handle,Title,Body (HTML),Image Src\nk,Kettle,<p>Steel</p>,https://x.example/k.jpg\n"


@pytest.fixture
def darkroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Darkroom:
    """The command in a folder with a shop's catalog, with no settings around it."""
    for name in list(os.environ):
        if name.startswith(("DARKROOM_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.csv").write_text(SHOP, encoding="utf-8")

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="darkroom")

    return run


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_check_says_which_dialect_it_saw_and_what_each_column_is(darkroom: Darkroom) -> None:
    told = darkroom("check", "shop.csv", "--map", "prompt=Title")
    found = document(darkroom("check", "shop.csv", "--map", "prompt=Title", "--json"))

    assert "Shopify products, older header" in told.stderr
    assert "prompt     Title, by the mapping" in told.stderr
    assert found["dialect"] == "shopify"
    assert found["columns"][:2] == [
        {"name": "Handle", "field": "id", "by": "dialect"},
        {"name": "Title", "field": "prompt", "by": "mapping"},
    ]


def test_check_shows_final_prompts_as_data(darkroom: Darkroom) -> None:
    Path("hero.j2").write_text("Photo of {{ title }}:\n{{ body_html | striptags }}")

    told = darkroom("check", "shop.csv", "--template", "hero.j2", "--show-prompts", "5")
    found = document(
        darkroom("check", "shop.csv", "--template", "hero.j2", "--show-prompts", "5", "--json")
    )

    assert told.stdout == "2\tk\tPhoto of Kettle:\\nSteel\n"
    assert found["prompts"] == [{"id": "k", "line": 2, "prompt": "Photo of Kettle:\nSteel"}]


def test_a_template_is_named_or_lies_in_a_folder(darkroom: Darkroom) -> None:
    Path("darkroom.toml").write_text('[templates.hero]\nprompt = "Photo of {{ title }}"\n')
    Path("templates").mkdir()
    Path("templates/side.j2").write_text("Side view of {{ title }}")

    prompts = [
        darkroom("check", "shop.csv", "--template", name, "--show-prompts", "1").stdout
        for name in ("hero", "side")
    ]

    assert prompts == ["2\tk\tPhoto of Kettle\n", "2\tk\tSide view of Kettle\n"]


def test_a_column_that_a_template_lacks_is_named_with_line_and_neighbour(
    darkroom: Darkroom,
) -> None:
    Path("hero.j2").write_text("{{ titel }}")

    result = darkroom("check", "shop.csv", "--template", "hero.j2")

    assert result.exit_code == 5
    assert "shop.csv:2  titel" in result.stderr
    assert "Did you mean title?" in result.stderr


def test_settings_map_columns_and_the_command_line_is_stronger(darkroom: Darkroom) -> None:
    Path("darkroom.toml").write_text('[mapping]\nprompt = "Title"\n')

    usual = darkroom("check", "shop.csv", "--show-prompts", "1")
    asked = darkroom("check", "shop.csv", "--map", "prompt=Body (HTML)", "--show-prompts", "1")

    assert (usual.stdout, asked.stdout) == ("2\tk\tKettle\n", "2\tk\t<p>Steel</p>\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--map", "promt=Title"], "Did you mean prompt?"),
        (["--map", "Title"], "FIELD=COLUMN"),
        (["--map", "prompt=Title", "--map", "prompt=Handle"], "mapped twice"),
        (["--map", "size=a", "--map", "image_size=b"], "mapped twice"),
        (["--template", "none"], "There is no template"),
        (["--template", "./none.j2"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_the_manifest_is_read(
    darkroom: Darkroom, args: list[str], said: str
) -> None:
    result = darkroom("check", "shop.csv", *args)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_mapping_to_no_column_names_the_nearest(darkroom: Darkroom) -> None:
    result = darkroom("check", "shop.csv", "--map", "prompt=Titles")

    assert result.exit_code == 5
    assert "Did you mean Title?" in result.stderr


def test_rows_that_come_of_lists_are_counted_in_the_plan(darkroom: Darkroom) -> None:
    Path("m.csv").write_text("id,prompt,variants.colour\na,p,red|blue\nb,p,\n")

    told = darkroom("plan", "m.csv", "--no-alternatives")
    found = document(darkroom("plan", "m.csv", "--no-alternatives", "--json"))

    assert "3 rows (2 of them from lists of variants)" in told.stdout
    assert (found["rows"], found["expanded"]) == (3, 2)


def test_a_folder_needs_a_place(darkroom: Darkroom) -> None:
    result = darkroom("export", "imagefolder")

    assert result.exit_code == 2
    assert "--out" in result.stderr
