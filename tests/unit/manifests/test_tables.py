from __future__ import annotations

from pathlib import Path

import pytest

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.read import read
from darkroom_manifests.row import Reference, Row


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "catalog.csv"


def rows(path: Path, text: str) -> list[Row]:
    path.write_text(text, newline="")
    read_rows = list(read(path))
    assert all(isinstance(row, Row) for row in read_rows), read_rows
    return [row for row in read_rows if isinstance(row, Row)]


def problems(path: Path, text: str, limits: Limits | None = None) -> list[Problem]:
    path.write_text(text, newline="")
    return [row for row in read(path, limits or Limits()) if isinstance(row, Problem)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_decides_the_delimiter(table: Path, delimiter: str) -> None:
    header = delimiter.join(["id", "prompt", "colour"])
    (row,) = rows(table, f'{header}\nK-1{delimiter}"a, b; c | d"{delimiter}red\n')

    assert (row.id, row.prompt, row.variables) == ("K-1", "a, b; c | d", {"colour": "red"})


def test_a_file_of_prompts_alone_is_never_split(table: Path) -> None:
    text = 'prompt\na cat, on a mat; 1|2\n"quoted, whole"\n"He" said\n"two\nlines"\nlast\n'

    assert [(row.line, row.prompt) for row in rows(table, text)] == [
        (2, "a cat, on a mat; 1|2"),
        (3, "quoted, whole"),
        (4, '"He" said'),
        (5, "two\nlines"),
        (7, "last"),
    ]


def test_excel_s_separator_line_is_understood(table: Path) -> None:
    (row,) = rows(table, "sep=;\nid;prompt\nK-1;a, b\n")

    assert (row.line, row.prompt) == (3, "a, b")


def test_a_row_of_many_lines_is_named_by_its_first(table: Path) -> None:
    read_rows = rows(table, 'id,prompt\r\nK-1,"one\r\ntwo\r\nthree"\r\n\r\nK-2,next\r\n')

    assert [(row.line, row.prompt) for row in read_rows] == [(2, "one\ntwo\nthree"), (6, "next")]


def test_quotes_inside_a_tab_separated_cell_are_text(table: Path) -> None:
    text = 'Prompt\tNote\n"G I G G L E" in paint\tsays "hi"\n"a ""b"" c"\t"tab\tinside"\n'

    assert [(row.prompt, row.variables) for row in rows(table, text)] == [
        ('"G I G G L E" in paint', {"Note": 'says "hi"'}),
        ('a "b" c', {"Note": "tab\tinside"}),
    ]


def test_a_tab_separated_cell_may_span_lines(table: Path) -> None:
    read_rows = rows(table, 'prompt\tnote\n"one\n\ntwo"\tx\nthree\ty\n')

    assert [(row.line, row.prompt) for row in read_rows] == [(2, "one\n\ntwo"), (5, "three")]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_an_open_quote_is_named_by_the_row_it_opens_in(table: Path, delimiter: str) -> None:
    filler = "".join(f"{n}{delimiter}fine\n" for n in range(3, 20_000))
    text = f'id{delimiter}prompt\n1{delimiter}fine\n2{delimiter}"never closed\n{filler}'

    (problem,) = problems(table, text)

    assert (problem.code, problem.line, problem.ends) == (Code.CSV_UNBALANCED_QUOTE, 3, True)


def test_an_open_quote_that_a_later_one_closes_is_found(table: Path) -> None:
    (problem,) = problems(table, 'id,prompt\n1,"open\n2,"shut"\n3,x\n')

    assert (problem.code, problem.line) == (Code.CSV_UNBALANCED_QUOTE, 2)


def test_text_behind_a_closing_quote_spoils_only_its_row(table: Path) -> None:
    table.write_text('id,prompt\n1,"a"b\n2,c\n')

    first, second = read(table)

    assert isinstance(first, Problem)
    assert (first.code, first.line) == (Code.CSV_QUOTE, 2)
    assert isinstance(second, Row)


def test_ragged_rows_are_refused_and_empty_ones_skipped(table: Path) -> None:
    found = problems(table, "id,prompt,colour\n1,a,red\n2\n3,a,red,more\n,,\n , ,\n4,,x\n")

    assert [(p.code, p.line) for p in found] == [
        (Code.ROW_COLUMNS, 3),
        (Code.ROW_COLUMNS, 4),
        (Code.PROMPT_EMPTY, 7),
    ]


def test_every_fault_of_a_row_is_told_at_once(table: Path) -> None:
    text = "id,prompt,aspect_ratio,n,tier,seed\na/b,,4x5,0,vertx,1_0\n"

    assert [(p.column, p.code) for p in problems(table, text)] == [
        ("id", Code.ID_UNSAFE),
        ("aspect_ratio", Code.RATIO_SYNTAX),
        ("n", Code.NUMBER_RANGE),
        ("tier", Code.TIER_UNKNOWN),
        ("seed", Code.NUMBER_SYNTAX),
        ("prompt", Code.PROMPT_EMPTY),
    ]


@pytest.mark.parametrize("header", ["id,prompt,id", "id, Prompt ,prompt", "a,prompt,A"])
def test_two_columns_of_one_name_are_refused(table: Path, header: str) -> None:
    (problem,) = problems(table, f"{header}\n1,a,2\n")

    assert (problem.code, problem.line) == (Code.HEADER_DUPLICATE, 1)


def test_a_missing_prompt_column_names_the_likely_slip(table: Path) -> None:
    (problem,) = problems(table, "id,promt\n1,a\n")

    assert problem.code == Code.HEADER_MISSING
    assert problem.hint == 'Did you mean prompt by "promt"?'


def test_a_slip_in_another_column_is_a_warning_and_a_variable(table: Path) -> None:
    table.write_text("prompt,aspect_ration\na,4:5\nb,1:1\n")

    warning, *found = read(table)

    assert isinstance(warning, Problem)
    assert (warning.severity, warning.column) == (Severity.WARNING, "aspect_ration")
    assert warning.hint == "Did you mean aspect_ratio?"
    assert [row.variables for row in found if isinstance(row, Row)] == [
        {"aspect_ration": "4:5"},
        {"aspect_ration": "1:1"},
    ]


@pytest.mark.parametrize("column", ["colour", "model_no", "title", "price", "notes", "prompt2"])
def test_ordinary_columns_raise_no_doubt(table: Path, column: str) -> None:
    (row,) = rows(table, f"prompt,{column}\na,x\n")

    assert row.variables == {column: "x"}


def test_more_columns_than_the_limit_are_refused(table: Path) -> None:
    header = ",".join(["prompt", *(f"c{n}" for n in range(256))])

    (problem,) = problems(table, f"{header}\n")

    assert problem.code == Code.HEADER_TOO_WIDE


def test_a_value_under_no_name_is_refused_but_a_trailing_comma_is_not(table: Path) -> None:
    found = problems(table, "id,prompt,\n1,a,\n2,b,lost\n")

    assert [(p.code, p.line) for p in found] == [(Code.COLUMN_UNNAMED, 3)]


@pytest.mark.parametrize("length", [70_000, 200_000])
def test_a_cell_longer_than_the_limit_is_a_problem(table: Path, length: int) -> None:
    (problem,) = problems(table, f"prompt,note\na,{'x' * length}\n")

    assert problem.code == Code.FIELD_TOO_LONG


def test_a_prompt_longer_than_the_limit_is_a_problem(table: Path) -> None:
    (problem,) = problems(table, f"prompt,note\n{'x' * 32_001},a\n")

    assert problem.code == Code.PROMPT_TOO_LONG


def test_a_duplicate_id_names_both_lines(table: Path) -> None:
    (problem,) = problems(table, "id,prompt\nA-1,a\nB-1,b\nA-1,c\n")

    assert (problem.code, problem.line) == (Code.ID_DUPLICATE, 4)
    assert "line 2" in problem.message


@pytest.mark.parametrize(
    ("first", "second"), [("IMG", "img"), ("caf\u00e9", "cafe\u0301"), ("Straße", "STRASSE")]
)
def test_ids_that_some_disks_confuse_collide(table: Path, first: str, second: str) -> None:
    (problem,) = problems(table, f"id,prompt\n{first},a\n{second},b\n")

    assert problem.code == Code.ID_DUPLICATE


def test_two_rows_with_one_output_collide(table: Path) -> None:
    text = "prompt,output\na,hero.png\nb,HERO.png\nc,{id}.png\nd,{id}.png\n"

    (problem,) = problems(table, text)

    assert (problem.code, problem.line) == (Code.OUTPUT_DUPLICATE, 3)


def test_the_community_s_columns_are_read(table: Path) -> None:
    (row,) = rows(
        table,
        "prompt,ref_images,output_dir,output_filename,aspect_ratio,resolution,number_of_images,seed\n"
        "a,x.jpg| gs://b/y.jpg |,./out/,hero.png,4:5,2k,3,7\n",
    )

    assert row.references == (Reference("x.jpg"), Reference("gs://b/y.jpg"))
    assert (row.output, row.aspect_ratio, row.image_size) == ("out/hero.png", "4:5", "2K")
    assert (row.n, row.seed, row.variables) == (3, 7, {})


def test_an_output_folder_alone_gets_a_name(table: Path) -> None:
    (row,) = rows(table, "prompt,output_dir\na,shirts\n")

    assert row.output == "shirts/{id}_{variant}.{ext}"


def test_tags_and_variables_have_their_own_columns(table: Path) -> None:
    (row,) = rows(table, "prompt,tag.season,Tag.shot,vars.sku,colour\na,ss27,,K-1,\n")

    assert row.tags == {"season": "ss27"}
    assert row.variables == {"sku": "K-1", "colour": ""}


def test_cells_are_never_templates(table: Path) -> None:
    hostile = "{{7*7}} ${x} =cmd()|' /C calc'!A0 <script>alert(1)</script> {row.__init__} 👩‍🚀"
    (row,) = rows(table, f'prompt\n"{hostile}"\n')

    assert row.prompt == hostile


def test_text_that_turns_its_direction_is_read_with_a_warning(table: Path) -> None:
    table.write_text("prompt\na \u202egnp.exe\n")

    warning, row = read(table)

    assert isinstance(warning, Problem)
    assert (warning.code, warning.severity) == (Code.TEXT_BIDI, Severity.WARNING)
    assert isinstance(row, Row)
