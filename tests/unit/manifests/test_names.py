from __future__ import annotations

import pytest

from darkroom_manifests.field import FIELDS, field_of
from darkroom_manifests.layout import lay_out
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.read import read_rows
from darkroom_manifests.row import Row


def only(record: dict[str, object]) -> Row:
    (row,) = read_rows([record])
    assert isinstance(row, Row), row
    return row


@pytest.mark.parametrize("name", ["aspect_ratio", "aspectRatio", "Aspect Ratio", "ASPECT-RATIO"])
def test_case_spaces_and_joints_do_not_count(name: str) -> None:
    assert only({"prompt": "a", name: "4:5"}).aspect_ratio == "4:5"


@pytest.mark.parametrize(
    ("field", "alias"), [(field.name, alias) for field in FIELDS for alias in field.aliases]
)
def test_every_alias_leads_to_its_field(field: str, alias: str) -> None:
    found = field_of(alias)

    assert found is not None
    assert found.name == field


def test_an_image_folder_s_file_is_a_source_and_a_filename_is_a_result() -> None:
    row = only({"prompt": "a", "file_name": "in.jpg", "filename": "out.png"})

    assert (row.references[0].uri, row.output) == ("in.jpg", "out.png")


@pytest.mark.parametrize(
    ("first", "second"),
    [("prompt", "text"), ("id", "custom_id"), ("image_size", "resolution"), ("n", "variants")],
)
def test_two_names_for_one_field_contradict_each_other(first: str, second: str) -> None:
    record: dict[str, object] = {"prompt": "a"}
    value: object = 2 if first == "n" else "1K"
    (problem,) = read_rows([record | {first: value, second: value}])

    assert isinstance(problem, Problem)
    assert problem.code == Code.COLUMN_CONFLICT
    assert f'"{first}" and "{second}"' in problem.message


def test_one_of_two_names_may_be_empty() -> None:
    assert only({"prompt": "a", "text": "", "caption": None}).prompt == "a"


def test_a_borrowed_id_stays_a_variable_and_the_first_in_order_is_taken() -> None:
    row = only({"prompt": "a", "handle": "kettle", "SKU": "K-1"})

    assert row.id == "K-1"
    assert row.variables == {"handle": "kettle", "SKU": "K-1"}


def test_nothing_is_borrowed_where_the_field_is_there() -> None:
    names = ("id", "sku", "prompt", "description", "size", "quality")

    row = only(dict(zip(names, ("x", "K-1", "a", "b", "1K", "high"), strict=True)))

    assert (row.id, row.prompt, row.image_size) == ("x", "a", "1K")
    assert row.variables == {"sku": "K-1", "description": "b", "quality": "high"}


def test_a_description_serves_as_prompt_but_not_beside_a_template() -> None:
    assert only({"description": "a red shirt"}).prompt == "a red shirt"
    assert only({"description": "a red shirt", "template": "hero"}).prompt is None


def test_a_plain_layout_is_one_without_entangled_fields() -> None:
    plain = lay_out(["id", "prompt", "sku"], Limits(), typed=False)
    entangled = lay_out(["id", "prompt", "size"], Limits(), typed=False)

    assert plain.is_plain
    assert not entangled.is_plain
