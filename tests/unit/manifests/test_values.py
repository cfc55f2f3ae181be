from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from darkroom.registry.load import load
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.row import Reference, Row
from darkroom_manifests.tier import Tier


def cell(folder: Path, column: str, text: str) -> Row | Problem:
    """Read one cell of a CSV beside a sound prompt."""
    path = folder / "catalog.csv"
    quoted = text.replace('"', '""')
    path.write_text(f'prompt,colour,{column}\na kettle,red,"{quoted}"\n', newline="")
    return next(iter(read(path)))


def typed(column: str, value: object) -> Row | Problem:
    return next(iter(read_rows([{"prompt": "a kettle", "colour": "red", column: value}])))


@pytest.mark.parametrize(
    ("column", "text", "attribute", "value"),
    [
        ("aspect_ratio", "4:5", "aspect_ratio", "4:5"),
        ("aspect_ratio", " 21:9 ", "aspect_ratio", "21:9"),
        ("size", "1k", "image_size", "1K"),
        ("size", "0.5K", "image_size", "512"),
        ("size", "512", "image_size", "512"),
        ("size", "2048", "image_size", "2K"),
        ("size", "1024x1024", "image_size", "1K"),
        ("size", "1024X1024", "aspect_ratio", "1:1"),
        ("n", " 7 ", "n", 7),
        ("seed", "0", "seed", 0),
        ("temperature", "0.5", "temperature", 0.5),
        ("thinking", "HIGH", "thinking", "high"),
        ("tier", "Vertex_Batch", "tier", Tier.VERTEX_BATCH),
        ("priority", "10", "priority", 10),
        ("max_cost", "0.25", "max_cost_nusd", 250_000_000),
        ("deliver_by", "2027-03-01T06:00:00Z", "deliver_by", "2027-03-01T06:00:00Z"),
        ("deliver_by", "2027-03-01T06:00:00.5+09:00", "deliver_by", "2027-03-01T06:00:00.5+09:00"),
        ("output", "./{colour}/{id}_{variant}.{ext}", "output", "{colour}/{id}_{variant}.{ext}"),
        ("output", "Küche/写真 1.png", "output", "Küche/写真 1.png"),
        ("id", " K-1 #2 (blue) [x]: a@b+c=d, .5 ", "id", "K-1 #2 (blue) [x]: a@b+c=d, .5"),
        ("id", "写真-é-🎉", "id", "写真-é-🎉"),
        ("id", "x" * 128, "id", "x" * 128),
        ("meta", "a note", "meta", "a note"),
    ],
)
def test_a_good_cell_is_read(
    tmp_path: Path, column: str, text: str, attribute: str, value: object
) -> None:
    row = cell(tmp_path, column, text)

    assert isinstance(row, Row), row
    assert getattr(row, attribute) == value


@pytest.mark.parametrize(
    ("column", "text", "code", "hint"),
    [
        ("aspect_ratio", "4x5", Code.RATIO_SYNTAX, "4:5"),
        ("aspect_ratio", "16/9", Code.RATIO_SYNTAX, "16:9"),
        ("aspect_ratio", "4 : 5", Code.RATIO_SYNTAX, "4:5"),
        ("aspect_ratio", "04:05:00", Code.RATIO_SYNTAX, "4:5"),
        ("aspect_ratio", "0:5", Code.RATIO_SYNTAX, "4:5"),
        ("aspect_ratio", "square", Code.RATIO_SYNTAX, "4:5"),
        ("aspect_ratio", "400:500", Code.RATIO_SYNTAX, "4:5"),
        ("size", "1024*1024", Code.SIZE_SYNTAX, "1024x1024"),
        ("size", "1024\u00d71024", Code.SIZE_SYNTAX, "1024x1024"),
        ("size", "1920x1080", Code.SIZE_SYNTAX, "Did you mean 1K with the aspect ratio 16:9?"),
        ("size", "1000x1400", Code.SIZE_SYNTAX, "Did you mean 1K with the aspect ratio 3:4?"),
        ("size", "99999x1", Code.SIZE_SYNTAX, "512, 1K"),
        ("size", "-1x5", Code.SIZE_SYNTAX, "512, 1K"),
        ("size", "0x0", Code.SIZE_SYNTAX, "512, 1K"),
        ("size", "1 K", Code.SIZE_SYNTAX, "1K"),
        ("size", "XL", Code.SIZE_SYNTAX, "512, 1K"),
        ("n", "0", Code.NUMBER_RANGE, None),
        ("n", "-1", Code.NUMBER_RANGE, None),
        ("n", "1000000", Code.NUMBER_RANGE, None),
        ("n", "9" * 5_000, Code.NUMBER_RANGE, None),
        ("n", "1_000", Code.NUMBER_SYNTAX, "digits"),
        ("n", "٣", Code.NUMBER_SYNTAX, "digits"),
        ("n", "²", Code.NUMBER_SYNTAX, "digits"),
        ("n", "0x10", Code.NUMBER_SYNTAX, "digits"),
        ("n", "1e3", Code.NUMBER_SYNTAX, "digits"),
        ("n", "3.0", Code.NUMBER_SYNTAX, "digits"),
        ("seed", "2147483648", Code.NUMBER_RANGE, None),
        ("temperature", "NaN", Code.NUMBER_SYNTAX, "0.5"),
        ("temperature", "inf", Code.NUMBER_SYNTAX, "0.5"),
        ("temperature", "2.5", Code.NUMBER_RANGE, None),
        ("thinking", "hihg", Code.CHOICE_UNKNOWN, "high"),
        ("tier", "vertx", Code.TIER_UNKNOWN, "vertex"),
        ("tier", "standard", Code.TIER_UNKNOWN, "aistudio"),
        ("max_cost", "$5", Code.MONEY_SYNTAX, "0.25"),
        ("max_cost", "5,00", Code.MONEY_SYNTAX, "0.25"),
        ("max_cost", "-5", Code.MONEY_SYNTAX, "0.25"),
        ("completion_window", "soon", Code.DATE_SYNTAX, "24h"),
        ("backend", "vertx", Code.TIER_UNKNOWN, "vertex"),
        ("outpath_samples", "/srv/out", Code.OUTPUT_UNSAFE, "below"),
        ("deliver_by", "24h", Code.DATE_SYNTAX, "2027"),
        ("deliver_by", "2027-03-01T06:00:00", Code.DATE_SYNTAX, "2027"),
        ("deliver_by", "2027-02-30T06:00:00Z", Code.DATE_SYNTAX, "2027"),
        ("template", "{{ x }}", Code.CHOICE_UNKNOWN, "prompt"),
        ("template", "hero", Code.PROMPT_AND_TEMPLATE, "one"),
        ("id", "a/b", Code.ID_UNSAFE, None),
        ("id", "a\\b", Code.ID_UNSAFE, None),
        ("id", "..", Code.ID_UNSAFE, None),
        ("id", "a\u200bb", Code.ID_UNSAFE, None),
        ("id", "a\nb", Code.ID_UNSAFE, None),
        ("id", "a\x07b", Code.TEXT_CONTROL, "Remove"),
        ("id", "x" * 129, Code.ID_TOO_LONG, "shorter"),
        ("id", "🎉" * 64, Code.ID_TOO_LONG, "shorter"),
        ("colour2", "a\x1b[31mred", Code.TEXT_CONTROL, "Remove"),
        ("tag.x", "a\x9bb", Code.TEXT_CONTROL, "Remove"),
        ("references", "x" * 2_049, Code.FIELD_TOO_LONG, None),
        ("output", "../../etc/cron.d/x", Code.OUTPUT_UNSAFE, "below"),
        ("output", "a/../../x", Code.OUTPUT_UNSAFE, "below"),
        ("output", "/etc/passwd", Code.OUTPUT_UNSAFE, "below"),
        ("output", "/", Code.OUTPUT_UNSAFE, "below"),
        ("output", "..\\..\\x", Code.OUTPUT_UNSAFE, "below"),
        ("output", "C:\\x", Code.OUTPUT_UNSAFE, "below"),
        ("output", "\\\\host\\share", Code.OUTPUT_UNSAFE, "below"),
        ("output", "x:stream", Code.OUTPUT_UNSAFE, "below"),
        ("output", "a//b", Code.OUTPUT_UNSAFE, "below"),
        ("output", "CON", Code.OUTPUT_UNSAFE, "below"),
        ("output", "a/nul.png", Code.OUTPUT_UNSAFE, "below"),
        ("output", "name.", Code.OUTPUT_UNSAFE, "below"),
        ("output", ".html", Code.OUTPUT_UNSAFE, "below"),
        ("output", "-rf", Code.OUTPUT_UNSAFE, "below"),
        ("output", "a\nb", Code.OUTPUT_UNSAFE, "below"),
        ("output", "%2e%2e/x", Code.OUTPUT_UNSAFE, "below"),
        ("output", "a?b", Code.OUTPUT_UNSAFE, "below"),
        ("output", "🎉" * 64, Code.OUTPUT_UNSAFE, "below"),
        ("output", "a/" * 600 + "b", Code.OUTPUT_UNSAFE, "below"),
        ("output", "{id", Code.OUTPUT_TEMPLATE, "{id}"),
        ("output", "}", Code.OUTPUT_TEMPLATE, "{id}"),
        ("output", "{}", Code.OUTPUT_TEMPLATE, "Fields are"),
        ("output", "{0}", Code.OUTPUT_TEMPLATE, "Fields are"),
        ("output", "{id:>100000000}", Code.OUTPUT_TEMPLATE, "Fields are"),
        ("output", "{row.__init__.__globals__}", Code.OUTPUT_TEMPLATE, "Fields are"),
        ("output", "{{ cycler }}", Code.OUTPUT_TEMPLATE, "{id}"),
    ],
)
def test_a_bad_cell_is_a_problem(
    tmp_path: Path, column: str, text: str, code: Code, hint: str | None
) -> None:
    problem = cell(tmp_path, column, text)

    assert isinstance(problem, Problem), problem
    assert (problem.line, problem.column, problem.code) == (2, column, code)
    assert hint is None or hint in (problem.hint or "")
    assert problem.preview is None or len(problem.preview) <= 80
    assert str(problem).isprintable()


@pytest.mark.parametrize("rest", ["", ",text"])
def test_a_bad_template_is_the_only_thing_said(tmp_path: Path, rest: str) -> None:
    manifest = tmp_path / "rows.csv"
    manifest.write_text(f"id,template{rest}\na,{{{{7*7}}}}{',' * len(rest[:1])}\n")

    (problem,) = read(manifest)

    assert isinstance(problem, Problem)
    assert (problem.column, problem.code) == ("template", Code.CHOICE_UNKNOWN)


@pytest.mark.parametrize("prompt", ["", "  ", "\u200b", "\ufeff \u00ad", "\u2060\n"])
def test_a_prompt_that_shows_nothing_is_empty(prompt: str) -> None:
    (problem,) = read_rows([{"prompt": prompt}])

    assert isinstance(problem, Problem)
    assert (problem.column, problem.code) == ("prompt", Code.PROMPT_EMPTY)


@pytest.mark.parametrize(
    "prompt", ["a\tb\nc", "a\u2028b\x85c", "Z" + "\u0335" * 10_000, "שלום", "a\u200db"]
)
def test_a_prompt_may_hold_any_text(prompt: str) -> None:
    (row,) = read_rows([{"prompt": prompt}])

    assert isinstance(row, Row)
    assert row.prompt == prompt


@pytest.mark.parametrize(
    ("column", "value", "attribute", "expected"),
    [
        ("id", 1001, "id", "1001"),
        ("n", 3, "n", 3),
        ("temperature", 1, "temperature", 1),
        ("max_cost", 0.25, "max_cost_nusd", 250_000_000),
        ("max_cost", 0.0000001, "max_cost_nusd", 100),
        ("max_cost", "0.25", "max_cost_nusd", 250_000_000),
        ("refs", "a.jpg", "references", (Reference("a.jpg"),)),
        (
            "refs",
            ["a.jpg", {"uri": "b.jpg", "role": "product"}],
            "references",
            (Reference("a.jpg"), Reference("b.jpg", "product")),
        ),
        ("tags", {"season": "ss27", "year": 2027}, "tags", {"season": "ss27", "year": "2027"}),
        (
            "vars",
            {"width": 2.5, "new": True},
            "variables",
            {"colour": "red", "width": 2.5, "new": True},
        ),
        ("nested", {"a": [1, None]}, "variables", {"colour": "red", "nested": '{"a":[1,null]}'}),
        ("meta", {"a": [1]}, "meta", {"a": [1]}),
        ("seed", None, "seed", None),
        ("aspect_ratio", "", "aspect_ratio", None),
    ],
)
def test_a_typed_value_is_read(
    column: str, value: object, attribute: str, expected: object
) -> None:
    row = typed(column, value)

    assert isinstance(row, Row), row
    assert getattr(row, attribute) == expected


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("n", True, Code.FIELD_TYPE),
        ("n", "3", Code.FIELD_TYPE),
        ("n", 3.0, Code.FIELD_TYPE),
        ("n", 0, Code.NUMBER_RANGE),
        ("seed", 2**31, Code.NUMBER_RANGE),
        ("temperature", True, Code.FIELD_TYPE),
        ("temperature", float("inf"), Code.NUMBER_NOT_FINITE),
        ("max_cost", True, Code.FIELD_TYPE),
        ("max_cost", -1, Code.MONEY_SYNTAX),
        ("id", 1.5, Code.FIELD_TYPE),
        ("id", 10**18, Code.FIELD_TYPE),
        ("aspect_ratio", 45, Code.FIELD_TYPE),
        ("model", ["x"], Code.FIELD_TYPE),
        ("refs", [""], Code.FIELD_TYPE),
        ("refs", [1], Code.FIELD_TYPE),
        ("refs", [{"uri": "a", "extra": 1}], Code.FIELD_TYPE),
        ("refs", [{"uri": "a\x1b"}], Code.TEXT_CONTROL),
        ("tags", ["a"], Code.FIELD_TYPE),
        ("tags", {"a": 1.5}, Code.FIELD_TYPE),
        ("tags", {"a\0": "b"}, Code.TEXT_CONTROL),
        ("vars", "x", Code.FIELD_TYPE),
        ("vars", {"a": "\ud800"}, Code.TEXT_SURROGATE),
        ("meta", {"a": "\ud800"}, Code.TEXT_SURROGATE),
        ("meta", {"a": "\0"}, Code.TEXT_CONTROL),
        ("meta", {"a": object()}, Code.FIELD_TYPE),
        ("size2", 10**18, Code.NUMBER_RANGE),
        ("size2", float("-inf"), Code.NUMBER_NOT_FINITE),
        ("size2", object(), Code.FIELD_TYPE),
        ("a\x1bb", "x", Code.TEXT_CONTROL),
        ("vars.colour", "blue", Code.HEADER_DUPLICATE),
        ("vars", {"colour": "blue"}, Code.COLUMN_CONFLICT),
        ("Colour", "blue", Code.HEADER_DUPLICATE),
    ],
)
def test_a_wrongly_typed_value_is_a_problem(column: str, value: object, code: Code) -> None:
    problem = typed(column, value)

    assert isinstance(problem, Problem), problem
    assert (problem.column, problem.code) == (column, code)
    assert str(problem).isprintable()


PUBLISHED = [
    (pixels, size, ratio)
    for name in ("gemini-3", "gemini-2")
    for ratio, sizes in load().pixels[name].sizes.items()
    for size, pixels in sizes.items()
]


@pytest.mark.parametrize(("pixels", "size", "ratio"), PUBLISHED)
def test_published_pixels_are_read_as_their_own_size_and_ratio(
    pixels: str, size: str, ratio: str
) -> None:
    width, height = map(int, pixels.split("x"))

    (joined,) = read_rows([{"prompt": "a", "size": pixels}])
    (apart,) = read_rows([{"prompt": "a", "width": width, "height": height}])

    for row in (joined, apart):
        assert isinstance(row, Row)
        assert (row.image_size, row.aspect_ratio) == (size, ratio)


def test_other_pixels_are_read_as_the_nearest_shape() -> None:
    rows = list(
        read_rows([{"prompt": "a", "size": "1280x720"}, {"prompt": "a", "size": "2000x2000"}])
    )

    shapes = [(row.image_size, row.aspect_ratio) for row in rows if isinstance(row, Row)]
    assert shapes == [("1K", "16:9"), ("2K", "1:1")]


def test_width_and_height_stay_variables_and_serve_only_where_nothing_else_tells_the_shape(
    tmp_path: Path,
) -> None:
    manifest = tmp_path / "rows.csv"
    manifest.write_text("prompt,width,height\na,1376,768\nb,,\n")
    alone, empty = read(manifest)
    (beside,) = read_rows([{"prompt": "a", "width": 1376, "height": 768, "ratio": "4:5"}])
    (half,) = read_rows([{"prompt": "a", "width": 1376}])

    assert isinstance(alone, Row)
    assert alone.variables == {"width": "1376", "height": "768"}
    for row in (empty, half):
        assert isinstance(row, Row)
        assert (row.image_size, row.aspect_ratio) == (None, None)
    assert isinstance(beside, Row)
    assert (beside.image_size, beside.aspect_ratio) == (None, "4:5")


def test_a_product_s_width_and_height_are_doubted_once_and_kept() -> None:
    rows = [{"prompt": "a", "width": 30, "height": 40.5}] * 3

    doubt, *found = read_rows(rows)

    assert isinstance(doubt, Problem)
    assert (doubt.code, doubt.severity) == (Code.COLUMN_NEAR_MISS, Severity.WARNING)
    assert [row.image_size for row in found if isinstance(row, Row)] == [None] * 3


def test_width_and_height_of_no_shape_are_a_problem_of_theirs() -> None:
    (problem,) = read_rows([{"prompt": "a", "width": 1920, "height": 1080}])

    assert isinstance(problem, Problem)
    assert (problem.column, problem.hint) == (
        "width",
        "Did you mean 1K with the aspect ratio 16:9?",
    )


def test_a_completion_window_is_a_deadline_from_now_on() -> None:
    before = datetime.now(UTC)

    (row,) = read_rows([{"prompt": "a", "completion_window": "24h"}])
    (both,) = read_rows(
        [{"prompt": "a", "completion_window": "24h", "deliver_by": "2027-03-01T06:00:00Z"}]
    )

    assert isinstance(row, Row)
    deadline = datetime.fromisoformat(row.deliver_by or "")
    assert before + timedelta(hours=24) <= deadline <= datetime.now(UTC) + timedelta(hours=24)
    assert isinstance(both, Problem)
    assert both.code == Code.COLUMN_CONFLICT


def test_a_backend_is_a_tier_and_samples_have_a_folder() -> None:
    (row,) = read_rows([{"prompt": "a", "backend": "agent-platform", "outpath_samples": "shirts"}])

    assert isinstance(row, Row)
    assert (row.tier, row.output) == (Tier.VERTEX, "shirts/{id}_{variant}.{ext}")


@pytest.mark.parametrize("name", ["format", "Format"])
def test_a_column_that_may_mean_anything_is_doubted_and_kept(name: str) -> None:
    doubt, row = read_rows([{"prompt": "a", name: "x"}])

    assert isinstance(doubt, Problem)
    assert (doubt.column, doubt.code) == (name, Code.COLUMN_UNUSED)
    assert isinstance(row, Row)
    assert row.variables == {name: "x"}


def test_a_size_in_pixels_may_not_contradict_the_ratio() -> None:
    problem = typed("image_size", "1024x1024")
    assert isinstance(problem, Row)

    (problem,) = read_rows([{"prompt": "a", "size": "1024x1024", "aspect_ratio": "4:5"}])

    assert isinstance(problem, Problem)
    assert (problem.column, problem.code) == ("size", Code.SIZE_CONFLICT)


@pytest.mark.parametrize(
    ("name", "given", "field", "meant"),
    [
        ("safety", "Block_None", "safety", "BLOCK_NONE"),
        ("Person Generation", "dont_allow", "person_generation", "ALLOW_NONE"),
        ("output_mime", "JPG", "output_mime_type", "image/jpeg"),
        ("compression", 0, "compression_quality", 0),
        ("grounding", "WEB+image", "grounding", "web+image"),
        ("system_instruction", " Draw\nin ink. ", "system_instruction", "Draw\nin ink."),
        ("background", "White", "background", "white"),
        ("background", "#FFFFFF", "background", "white"),
        ("background", "a beach", "background", None),
        ("background", ["white"], "background", None),
    ],
)
def test_what_is_asked_beside_a_prompt_is_spelled_as_google_does(
    name: str, given: object, field: str, meant: object
) -> None:
    (row,) = read_rows([{"prompt": "a", name: given}])

    assert isinstance(row, Row)
    assert getattr(row, field) == meant


def test_a_background_is_a_variable_too(tmp_path: Path) -> None:
    manifest = tmp_path / "shop.csv"
    manifest.write_text("prompt,background\na lamp,White\na mug,a beach\n", encoding="utf-8")

    rows = [row for row in read(manifest) if isinstance(row, Row)]

    assert [(row.background, row.variables) for row in rows] == [
        ("white", {"background": "White"}),
        (None, {"background": "a beach"}),
    ]
