from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom_manifests.field import FIELDS
from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.read import read
from darkroom_manifests.row import Row
from darkroom_manifests.schema import row_schema

MANIFESTS = Path(__file__).parents[3] / "manifests"


@pytest.mark.parametrize(
    ("name", "count"),
    [("catalog.csv", 27), ("catalog.jsonl", 6), ("edits.jsonl", 4), ("prompts.txt", 3)],
)
def test_an_example_reads_without_a_word(name: str, count: int) -> None:
    rows = list(read(MANIFESTS / "examples" / name))

    assert len(rows) == count
    assert all(isinstance(row, Row) for row in rows)


def test_the_catalogue_is_varied() -> None:
    rows = [row for row in read(MANIFESTS / "examples/catalog.csv") if isinstance(row, Row)]

    assert {row.image_size for row in rows} == {"1K", "2K", "4K"}
    assert len({row.aspect_ratio for row in rows}) >= 8
    assert sum(row.n or 1 for row in rows) == 28
    assert all(row.tags["season"] and row.variables["sku"] for row in rows)


def test_the_broken_example_has_one_of_each_common_mistake() -> None:
    found = [row for row in read(MANIFESTS / "examples/broken.csv") if isinstance(row, Problem)]

    assert [problem.code for problem in found] == [
        Code.COLUMN_NEAR_MISS,
        Code.PROMPT_EMPTY,
        Code.RATIO_SYNTAX,
        Code.RATIO_SYNTAX,
        Code.SIZE_SYNTAX,
        Code.SIZE_CONFLICT,
        Code.NUMBER_RANGE,
        Code.TIER_UNKNOWN,
        Code.NUMBER_SYNTAX,
        Code.OUTPUT_UNSAFE,
        Code.OUTPUT_TEMPLATE,
        Code.DATE_SYNTAX,
        Code.MONEY_SYNTAX,
        Code.ID_DUPLICATE,
        Code.ID_UNSAFE,
        Code.ROW_COLUMNS,
        Code.CSV_QUOTE,
    ]


def test_the_printed_schema_is_the_one_in_the_repository() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "darkroom_manifests.schema"], check=True, capture_output=True
    ).stdout

    assert printed == (MANIFESTS / "row.schema.json").read_bytes()


def test_the_schema_has_every_field_and_no_other() -> None:
    assert set(row_schema()["properties"]) == {f.aliases[0] for f in FIELDS} | {"tags", "vars"}


def test_the_readme_names_every_name_a_column_may_bear() -> None:
    readme = (MANIFESTS / "README.md").read_text()

    assert not [
        a for field in FIELDS for a in (*field.aliases, *field.borrowed) if f"`{a}`" not in readme
    ]


def test_the_json_example_uses_only_names_of_the_schema_or_variables() -> None:
    lines = (MANIFESTS / "examples/catalog.jsonl").read_text().splitlines()

    names = {name for line in lines for name in json.loads(line)}

    assert names - set(row_schema()["properties"]) == {"sku"}
