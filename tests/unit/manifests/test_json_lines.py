from __future__ import annotations

from pathlib import Path

import pytest

from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.read import read
from darkroom_manifests.row import Row


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "catalog.jsonl"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[]", Code.JSON_NOT_OBJECT),
        ('"x"', Code.JSON_NOT_OBJECT),
        ("3", Code.JSON_NOT_OBJECT),
        ("null", Code.JSON_NOT_OBJECT),
        ('{"prompt":"a"}{"prompt":"b"}', Code.JSON_SYNTAX),
        ('{"prompt":"a",}', Code.JSON_SYNTAX),
        ("{'prompt':'a'}", Code.JSON_SYNTAX),
        ('{"prompt":"a"} // note', Code.JSON_SYNTAX),
        ('{"prompt":"a', Code.JSON_SYNTAX),
        ('{"prompt":"a\tb"}', Code.JSON_SYNTAX),
        ('{"prompt":"a","prompt":"b"}', Code.JSON_DUPLICATE_KEY),
        ('{"prompt":"a","x":{"y":1,"y":2}}', Code.JSON_DUPLICATE_KEY),
        ('{"prompt":"a","x":NaN}', Code.NUMBER_NOT_FINITE),
        ('{"prompt":"a","x":-Infinity}', Code.NUMBER_NOT_FINITE),
        ('{"prompt":"a","x":1e999}', Code.NUMBER_NOT_FINITE),
        ('{"prompt":"a","x":' + "9" * 5_000 + "}", Code.NUMBER_RANGE),
        ('{"a":' * 100_000, Code.JSON_DEPTH),
        ("[" * 100_000, Code.JSON_DEPTH),
        ('{"prompt":"a","x":' + "[" * 16 + "]" * 16 + "}", Code.JSON_DEPTH),
        ('{"prompt":"\\ud800"}', Code.TEXT_SURROGATE),
        ('{"prompt":"a\\u0000b"}', Code.TEXT_CONTROL),
        ("{}", Code.HEADER_MISSING),
        ('{"prompt":null}', Code.HEADER_MISSING),
        ('{"prompt":"a","template":"hero"}', Code.PROMPT_AND_TEMPLATE),
    ],
)
def test_a_bad_line_spoils_only_itself(manifest: Path, line: str, code: Code) -> None:
    manifest.write_text(f'{{"prompt":"first"}}\n{line}\n{{"prompt":"last"}}\n')

    first, problem, last = read(manifest)

    assert isinstance(problem, Problem)
    assert (problem.line, problem.code) == (2, code)
    assert str(problem).isprintable()
    assert isinstance(first, Row)
    assert isinstance(last, Row)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("seed", "NaN", "NaN is not a finite number."),
        ("temperature", "1e999", "Infinity is not a finite number."),
        ("max_cost", "-Infinity", "-Infinity is not a finite number."),
        ("prompt", "NaN", "NaN is not a finite number."),
        ("colour", "NaN", "NaN is not a finite number."),
        ("meta", '{"a":[NaN]}', "The value holds a number that is not finite."),
    ],
)
def test_a_number_that_is_none_is_named_with_its_column_and_a_remedy(
    manifest: Path, column: str, value: str, said: str
) -> None:
    prompt = "" if column == "prompt" else '"prompt":"a",'
    manifest.write_text(f'{{{prompt}"{column}":{value}}}\n')

    (problem,) = read(manifest)

    assert isinstance(problem, Problem)
    assert (problem.column, problem.code) == (column, Code.NUMBER_NOT_FINITE)
    assert (problem.message, problem.hint) == (said, "Leave it out, or write null.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt":"a","x":' + "[" * 99 + "]" * 99 + "}", "Flatten it"),
        ('{"prompt":"a","n":0}', "0 is out of range. Write a whole number from 1 to 100."),
        ('{"prompt":"a","temperature":3}', "3 is out of range. Write a number from 0 to 2."),
        ('{"prompt":"a","model":"' + "m" * 300 + '"}', "Is it in the right column?"),
    ],
)
def test_what_is_too_much_is_said_with_a_remedy(manifest: Path, line: str, said: str) -> None:
    manifest.write_text(line)

    (problem,) = read(manifest)

    assert said in str(problem)


@pytest.mark.parametrize(
    "prompt", ["a\u2028b", "a\x85b", '\\"{[' * 40, "\\\\", "\\ud83d\\ude00", "a\\nb"]
)
def test_a_sound_line_is_read(manifest: Path, prompt: str) -> None:
    manifest.write_text(f'{{"prompt":"{prompt}"}}\n')

    (row,) = read(manifest)

    assert isinstance(row, Row)


def test_sixteen_levels_are_deep_enough(manifest: Path) -> None:
    manifest.write_text('{"prompt":"a","x":' + "[" * 15 + "]" * 15 + "}")

    (row,) = read(manifest)

    assert isinstance(row, Row)


def test_blank_lines_are_skipped_and_counted(manifest: Path) -> None:
    manifest.write_text('\n{"prompt":"a"}\n\n  \n{"prompt":"b"}\n')

    assert [row.line for row in read(manifest)] == [2, 5]


def test_a_slip_is_doubted_once(manifest: Path) -> None:
    manifest.write_text('{"prompt":"a","seeds":1}\n' * 3)

    doubts = [row for row in read(manifest) if isinstance(row, Problem)]

    assert [(d.line, d.severity, d.hint) for d in doubts] == [
        (1, Severity.WARNING, "Did you mean seed?")
    ]


def test_many_sets_of_names_are_read(manifest: Path) -> None:
    manifest.write_text("".join(f'{{"prompt":"a","v{n}":{n}}}\n' for n in range(600)))

    rows = [row for row in read(manifest) if isinstance(row, Row)]

    assert rows[-1].variables == {"v599": 599}
