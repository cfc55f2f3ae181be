"""What lines of Google's own batches ask beside the prompt, and what no row can ask for."""

from __future__ import annotations

from typing import Any

import pytest

from darkroom_manifests.asked import HARMS
from darkroom_manifests.mapping import settled
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.read import read_rows
from darkroom_manifests.reading import Reading
from darkroom_manifests.row import Row

ALIKE = [{"category": name, "threshold": "BLOCK_ONLY_HIGH"} for name in HARMS]
SEARCH: dict[str, Any] = {"googleSearch": {}}


def line(request: dict[str, Any], *, keyed: bool = True) -> dict[str, Any]:
    asked = {"contents": [{"parts": [{"text": "A kettle"}]}], **request}
    return {"request": asked} | ({"key": "kettle"} if keyed else {"custom_id": "kettle"})


def shaped(image: dict[str, Any]) -> dict[str, Any]:
    return line({"generationConfig": {"imageConfig": image}})


def body(said: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "A kettle"}], **said}


def found(given: dict[str, Any], reading: Reading | None = None) -> list[Row | Problem]:
    return list(read_rows([given], reading=reading or Reading()))


def only(given: dict[str, Any]) -> Row:
    (row,) = found(given)
    assert isinstance(row, Row)
    return row


def refused(given: dict[str, Any]) -> Problem:
    (problem,) = found(given)
    assert isinstance(problem, Problem)
    assert problem.severity is Severity.ERROR
    return problem


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("name", ["safetySettings", "safety_settings"])
def test_filters_that_are_set_alike_are_the_safety_of_the_row(name: str, *, keyed: bool) -> None:
    assert only(line({name: ALIKE}, keyed=keyed)).safety == "BLOCK_ONLY_HIGH"


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize(
    ("tools", "grounding"),
    [
        ([SEARCH], "web"),
        ([{"google_search": {}}], "web"),
        ([{"googleSearch": {"searchTypes": {"webSearch": {}, "imageSearch": {}}}}], "web+image"),
        ([{"google_search": {"search_types": {"image_search": {}}}}], "image"),
        ([{"googleSearch": {"searchTypes": None}, "codeExecution": None}], "web"),
        (SEARCH, "web"),
        ([], None),
    ],
)
def test_the_tool_that_searches_is_the_grounding_of_the_row(
    tools: object, grounding: str | None, *, keyed: bool
) -> None:
    assert only(line({"tools": tools}, keyed=keyed)).grounding == grounding


def test_what_an_image_config_says_is_taken_over() -> None:
    output = {"mimeType": "image/jpeg", "compressionQuality": 80}
    row = only(shaped({"personGeneration": "ALLOW_ADULT", "imageOutputOptions": output}))

    assert row.person_generation == "ALLOW_ADULT"
    assert (row.output_mime_type, row.compression_quality) == ("image/jpeg", 80)
    assert (
        row.columns["person_generation"] == "request.generationConfig.imageConfig.personGeneration"
    )


@pytest.mark.parametrize(
    "request_said",
    [
        {"safetySettings": []},
        {"safetySettings": None},
        {"safetySettings": [ALIKE[0] | {"threshold": "HARM_BLOCK_THRESHOLD_UNSPECIFIED"}]},
        {
            "generationConfig": {
                "imageConfig": {"personGeneration": "PERSON_GENERATION_UNSPECIFIED"}
            }
        },
    ],
)
def test_what_leaves_it_to_google_asks_for_nothing(request_said: dict[str, Any]) -> None:
    row = only(line(request_said))

    assert (row.safety, row.person_generation) == (None, None)


def test_a_body_of_the_cookbook_says_the_same() -> None:
    row = only(
        body(
            {
                "safety_settings": ALIKE,
                "tools": [SEARCH],
                "image_config": {"person_generation": "ALLOW_ALL"},
            }
        )
    )

    assert (row.safety, row.grounding) == ("BLOCK_ONLY_HIGH", "web")
    assert row.person_generation == "ALLOW_ALL"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ALIKE[:3], "not set alike"),
        ([*ALIKE[:3], ALIKE[3] | {"threshold": "OFF"}], "not set alike"),
        ([*ALIKE, ALIKE[0]], "set twice"),
        ([ALIKE[0] | {"category": "HARM_CATEGORY_CIVIC_INTEGRITY"}], "CIVIC_INTEGRITY"),
        ([ALIKE[0] | {"threshold": "BLOCK_SOME"}], "BLOCK_SOME"),
        ([ALIKE[0] | {"method": "SEVERITY"}], "no setting"),
        ([{"threshold": "OFF"}], "no setting"),
        (["OFF"], "a safety setting"),
        (7, "a safety setting"),
    ],
)
def test_filters_that_a_row_cannot_have_are_named(settings: object, said: str) -> None:
    problem = refused(line({"safetySettings": settings}))

    assert problem.column == "request.safetySettings"
    assert said in problem.message


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([{"codeExecution": {}}], "no tool"),
        ([SEARCH, {"functionDeclarations": []}], "no tool"),
        ([{"type": "function", "function": {"name": "f"}}], "no tool"),
        ([{"googleSearch": True}], "no tool"),
        ([{"googleSearch": {"excludeDomains": ["a.com"]}}], "searches as no row"),
        ([{"googleSearch": {"searchTypes": {"newsSearch": {}}}}], "searches as no row"),
        ([{"googleSearch": {"searchTypes": []}}], "searches as no row"),
        (["googleSearch"], "a tool"),
    ],
)
def test_tools_that_a_row_cannot_have_are_named(tools: object, said: str) -> None:
    problem = refused(line({"tools": tools}))

    assert problem.column == "request.tools"
    assert said in problem.message


def test_a_mapping_leaves_a_list_alone() -> None:
    mapping: Any = settled({"safety": "", "grounding": ""})
    given = line({"safetySettings": ALIKE[:1], "tools": [{"codeExecution": {}}]})
    *doubts, row = found(given, Reading(mapping=mapping))

    assert isinstance(row, Row)
    assert (row.safety, row.grounding) == (None, None)
    assert [isinstance(d, Problem) and d.severity for d in doubts] == [Severity.WARNING] * 2


def test_a_part_of_a_request_that_will_not_be_asked_for_is_told_once() -> None:
    given = [line({"generationConfig": {"topP": 0.9, "responseModalities": ["IMAGE"]}})] * 2
    given[1] = given[1] | {"key": "lamp"}
    doubts = [each for each in read_rows(given) if isinstance(each, Problem)]

    assert [(d.code, d.column) for d in doubts] == [
        (Code.COLUMN_KEPT, "request.generationConfig.topP")
    ]


def test_a_request_that_lies_in_a_cache_is_no_row() -> None:
    assert refused(line({"cachedContent": "cachedContents/1"})).code is Code.DIALECT
