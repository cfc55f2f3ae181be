from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from darkroom.configure import load
from darkroom.errors import ConfigInvalid
from darkroom.settings import Settings
from darkroom.template import Templates
from darkroom.template_folder import TemplateText
from darkroom_manifests.problem import Code, FieldFault
from darkroom_manifests.row import Row


def templates(text: str) -> Templates:
    return Templates(Settings.model_validate({"templates": {"hero": {"prompt": text}}}))


def filled(text: str, **row: Any) -> str:
    found = templates(text).fill(Row(line=1, template="hero", **row))
    assert isinstance(found, str), found
    return found


def fault(text: str, **row: Any) -> FieldFault:
    found = templates(text).fill(Row(line=1, template="hero", **row))
    assert isinstance(found, tuple), found
    return found


def test_columns_tags_and_the_id_fill_a_template() -> None:
    row: dict[str, Any] = {"id": "K", "variables": {"colour": "red"}, "tags": {"season": "ss27"}}

    assert filled("{{ id }} {{ colour }} {{ season }}\n", **row) == "K red ss27"


def test_a_column_is_found_by_what_a_template_can_spell() -> None:
    row: dict[str, Any] = {"variables": {"Body (HTML)": "<p>Steel</p>", "Option1 Value": "L"}}

    text = '{{ body_html | striptags }} {{ option1_value }} {{ row["Option1 Value"] }}'
    assert filled(text, **row) == "Steel L L"


def test_a_cell_is_a_value_and_never_a_template() -> None:
    assert filled("{{ a }}", variables={"a": "{{ 7*7 }}{% for %}"}) == "{{ 7*7 }}{% for %}"


def test_a_column_that_is_missing_is_named_with_its_neighbours() -> None:
    column, code, message, hint = fault("{{ colour }}", variables={"color": "red", "size": "L"})

    assert (column, code) == ("colour", Code.TEMPLATE_UNFILLED)
    assert '"colour"' in message
    assert hint == "Did you mean color?"


def test_a_missing_column_without_a_neighbour_is_told_what_there_is() -> None:
    assert fault("{{ x }}", variables={"Body (HTML)": "a"})[3] == "The row has body_html, id."


def test_a_template_may_ask_whether_a_column_is_there() -> None:
    assert filled("{% if colour is defined %}{{ colour }}{% else %}grey{% endif %}") == "grey"


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 / 0 }}",
        "{{ a + 1 }}",
        "{{ a.b.c }}",
        "{{ ''.__class__.mro() }}",
        "{{ [1][9]|int(0) + a }}",
    ],
)
def test_what_goes_wrong_while_filling_is_the_rows_problem(text: str) -> None:
    assert fault(text, variables={"a": "x"})[1] is Code.TEMPLATE_UNFILLED


@pytest.mark.parametrize(
    ("text", "code"),
    [("{{ a }}", Code.PROMPT_EMPTY), ("{{ 'x' * 40000 }}", Code.PROMPT_TOO_LONG)],
)
def test_a_filled_prompt_is_judged_as_a_written_one(text: str, code: Code) -> None:
    assert fault(text, variables={"a": " "})[1] is code


@pytest.mark.parametrize("text", ["{{ colour", "{% if %}", "{% include 'other' %}"])
def test_a_broken_template_is_a_fault_of_the_configuration(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="hero"):
        templates(text).fill(Row(line=1, template="hero"))


def test_a_template_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(ConfigInvalid, match="There is no template"):
        Templates(Settings(), "hero")


def test_a_template_of_a_file_cannot_be_meant_by_a_row(tmp_path: Path) -> None:
    path = tmp_path / "hero.j2"
    path.write_text("Photo of {{ id }}", encoding="utf-8")
    text = TemplateText.of_file(path)

    found = Templates(Settings(), text)

    assert found.fill(Row(line=1, id="K", template=text.name)) == "Photo of K"
    assert isinstance(found.fill(Row(line=1, id="K", template="hero.j2")), tuple)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\xff"])
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hero.j2").write_bytes(content)

    with pytest.raises(ConfigInvalid):
        TemplateText.of_file(tmp_path / "hero.j2")


def test_templates_may_be_files_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "hero.j2").write_text("Photo of {{ id }}", encoding="utf-8")

    found = load(env={}, folder=tmp_path)

    origin = next(each for each in found.origins() if each.name == "templates.hero.prompt")
    assert (origin.value, origin.origin) == (
        "Photo of {{ id }}",
        str(tmp_path / "templates" / "hero.j2"),
    )


def test_a_template_has_one_home(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "hero.j2").write_text("a", encoding="utf-8")
    (tmp_path / "darkroom.toml").write_text('[templates.hero]\nprompt = "b"\n', encoding="utf-8")

    with pytest.raises(ConfigInvalid, match=r"hero is in .* and in "):
        load(env={}, folder=tmp_path)


def test_a_mapping_of_what_is_no_field_is_refused_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "darkroom.toml").write_text('[mapping]\npromt = "Title"\n', encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="Did you mean prompt"):
        load(env={}, folder=tmp_path)
