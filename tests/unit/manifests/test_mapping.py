from __future__ import annotations

from pathlib import Path

import pytest

from darkroom_manifests.mapping import parse, settled
from darkroom_manifests.problem import Code, Fault, Problem
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.reading import Reading
from darkroom_manifests.row import Reference, Row


def reading(usual: str | None = None, **mapping: str) -> Reading:
    asked, said = settled(mapping), settled({"prompt": usual} if usual else {})
    assert not isinstance(asked, Fault)
    assert not isinstance(said, Fault)
    return Reading(mapping=asked, usual=said)


def found(tmp_path: Path, text: str, how: Reading) -> list[Row | Problem]:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    return list(read(path, reading=how))


def test_a_mapping_is_written_as_fields_and_columns() -> None:
    assert parse("prompt=Title,id=Handle, references=Image, large") == {
        "prompt": "Title",
        "id": "Handle",
        "references": "Image, large",
    }


@pytest.mark.parametrize("text", ["", "prompt", "=Title", "prompt=a,prompt=b"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert isinstance(parse(text), Fault)


def test_a_field_that_there_is_not_is_named_with_its_neighbour() -> None:
    fault = settled({"promt": "Title"})

    assert isinstance(fault, Fault)
    assert fault.hint == "Did you mean prompt?"


def test_a_field_has_one_mapping_whatever_it_is_called() -> None:
    assert isinstance(settled({"size": "a", "image_size": "b"}), Fault)


def test_a_mapped_column_gives_its_field_and_stays_a_variable(tmp_path: Path) -> None:
    (row,) = found(tmp_path, "Title,SKU No\nA kettle,K-1\n", reading(prompt="Title", id="SKU No"))

    assert isinstance(row, Row)
    assert (row.prompt, row.id) == ("A kettle", "K-1")
    assert row.variables == {"Title": "A kettle", "SKU No": "K-1"}


def test_the_mapping_decides_between_two_names(tmp_path: Path) -> None:
    text = "prompt,Title\nours,theirs\n"
    (row,) = found(tmp_path, text, reading(prompt="Title"))

    assert isinstance(row, Row)
    assert (row.prompt, row.variables["prompt"]) == ("theirs", "ours")


def test_two_names_without_a_mapping_are_a_conflict_that_names_both(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "prompt,caption\na,b\n", Reading())

    assert isinstance(problem, Problem)
    assert problem.code is Code.COLUMN_CONFLICT
    assert '"prompt"' in problem.message
    assert '"caption"' in problem.message
    assert problem.hint is not None
    assert "--map prompt=caption" in problem.hint


def test_a_column_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "Title,prompt\na,b\n", reading(prompt="Titel"))

    assert isinstance(problem, Problem)
    assert (problem.code, problem.line, problem.ends) == (Code.MAPPING, 1, True)
    assert problem.hint == "Did you mean Title?"


def test_what_is_usual_counts_where_the_column_is(tmp_path: Path) -> None:
    (with_it,) = found(tmp_path, "prompt,Title\nours,theirs\n", reading(usual="Title"))
    (without,) = found(tmp_path, "prompt,Name\nours,theirs\n", reading(usual="Title"))

    assert isinstance(with_it, Row)
    assert isinstance(without, Row)
    assert (with_it.prompt, without.prompt) == ("theirs", "ours")


def test_a_field_can_be_taken_from_its_column(tmp_path: Path) -> None:
    (row,) = found(tmp_path, "prompt,model\na,dall-e-3\n", reading(model=""))

    assert isinstance(row, Row)
    assert (row.model, row.variables) == (None, {"model": "dall-e-3"})


def test_references_may_come_from_several_columns(tmp_path: Path) -> None:
    text = "prompt,front,back\na,f.png,b.png\n"
    (row,) = found(tmp_path, text, reading(references="front|back"))

    assert isinstance(row, Row)
    assert row.references == (Reference("f.png"), Reference("b.png"))


def test_a_part_of_a_json_line_can_be_mapped() -> None:
    lines = [{"custom_id": "a", "url": "u", "body": {"input": "A kettle"}}]
    (row,) = read_rows(lines, reading=reading(prompt="body.input"))

    assert isinstance(row, Row)
    assert row.prompt == "A kettle"


def test_a_template_for_all_rows_has_the_rows_own_prompt(tmp_path: Path) -> None:
    text = "prompt,template\na,\nb,own\n"
    rows = found(tmp_path, text, Reading(template="hero"))

    first, second = rows
    assert isinstance(first, Row)
    assert (first.prompt, first.template, first.variables["prompt"]) == (None, "hero", "a")
    assert isinstance(second, Problem)
    assert second.code is Code.PROMPT_AND_TEMPLATE
