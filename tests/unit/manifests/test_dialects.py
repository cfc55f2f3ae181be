"""A sample of each dialect, written by us: what it is seen to be, and what is read of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from darkroom_manifests.dialect import dialects
from darkroom_manifests.field import FIELDS
from darkroom_manifests.mapping import settled
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.reading import Reading
from darkroom_manifests.row import Reference, Row
from darkroom_manifests.sight import Sight, look, look_at_rows

SAMPLES = Path(__file__).parents[2] / "dialects"
FILLED = Reading(template="hero")
KINDS = {
    "openai-batch.jsonl": "openai-batch",
    "openai-chat.jsonl": "openai-batch",
    "gemini-batch.jsonl": "gemini-batch",
    "vertex-batch.jsonl": "vertex-batch",
    "cookbook.jsonl": "cookbook",
    "community.csv": "community",
    "prompts.txt": "text",
    "partiprompts.tsv": "partiprompts",
    "imagefolder/metadata.jsonl": "imagefolder",
    "imagefolder/metadata.csv": "imagefolder",
    "shopify.csv": "shopify",
    "shopify-current.csv": "shopify-current",
    "woocommerce.csv": "woocommerce",
    "merchant.tsv": "merchant",
}


def seen(name: str, reading: Reading = FILLED) -> Sight:
    found = look(SAMPLES / name, reading=reading)
    assert found is not None
    return found


def rows(name: str, reading: Reading = FILLED) -> list[Row]:
    found = list(read(SAMPLES / name, reading=reading))
    bad = [e for e in found if isinstance(e, Problem) and e.severity is Severity.ERROR]
    assert bad == []
    return [each for each in found if isinstance(each, Row)]


def own(name: str) -> list[Row]:
    return rows(name, Reading())


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", KINDS)
def test_each_sample_is_seen_for_what_it_is(name: str) -> None:
    assert seen(name).dialect == KINDS[name]


def test_there_is_a_sample_of_each_dialect() -> None:
    assert {dialect.name for dialect in dialects()} == set(KINDS.values()) - {"text"}


def test_a_dialects_file_names_only_fields_that_there_are() -> None:
    fields = {field.name for field in FIELDS} | {"tags"}

    for dialect in dialects():
        assert dialect.fields.keys() <= fields, dialect.name


def test_plain_manifests_are_our_own() -> None:
    examples = Path(__file__).parents[3] / "manifests/examples"
    found = [look(examples / name) for name in ("catalog.csv", "catalog.jsonl", "broken.csv")]

    assert [sight and sight.dialect for sight in found] == ["darkroom"] * 3


def test_openai_images_are_read() -> None:
    kettle, lamp = own("openai-batch.jsonl")

    assert (kettle.id, kettle.n, kettle.image_size, kettle.aspect_ratio) == (
        "kettle",
        2,
        "1K",
        "1:1",
    )
    assert (kettle.model, kettle.prompt) == (
        "gemini-3-pro-image",
        "A brushed steel kettle on white",
    )
    assert kettle.variables == {
        "method": "POST",
        "url": "/v1/images/generations",
        "body.quality": "high",
    }
    assert (lamp.id, lamp.image_size) == ("lamp", None)


def test_openai_chat_is_read() -> None:
    (chair,) = own("openai-chat.jsonl")

    assert chair.prompt == "Studio light.\nA folding chair"
    assert chair.references == (Reference("gs://shop/chair.jpg"),)
    assert (chair.aspect_ratio, chair.image_size) == ("4:5", "2K")


@pytest.mark.parametrize("role", ["assistant", "tool"])
def test_a_conversation_is_no_row(role: str) -> None:
    messages = [{"role": "user", "content": "a"}, {"role": role, "content": "b"}]
    (problem,) = read_rows([{"custom_id": "a", "url": "u", "body": {"messages": messages}}])

    assert isinstance(problem, Problem)
    assert problem.code is Code.DIALECT


def test_both_spellings_of_a_gemini_batch_are_read() -> None:
    kettle, lamp = own("gemini-batch.jsonl")

    assert (kettle.id, kettle.prompt, kettle.seed) == ("kettle", "Studio light.\nA kettle", 7)
    assert (kettle.aspect_ratio, kettle.image_size) == ("16:9", "2K")
    assert (lamp.id, lamp.prompt, lamp.aspect_ratio) == ("lamp", "A lamp", "1:1")
    assert lamp.references == (Reference("gs://shop/lamp.jpg"),)
    assert (kettle.grounding, lamp.grounding) == (None, "web")


def test_an_image_inside_a_line_is_refused_with_a_remedy() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    (problem,) = read_rows([{"key": "a", "request": {"contents": [{"parts": [part]}]}}])

    assert isinstance(problem, Problem)
    assert problem.hint is not None
    assert "file_uri" in problem.hint


def test_a_vertex_batch_is_read() -> None:
    (kettle,) = own("vertex-batch.jsonl")

    assert (kettle.id, kettle.prompt, kettle.tags) == ("kettle", "A kettle", {"season": "ss27"})
    assert kettle.references == (Reference("gs://shop/kettle.jpg"),)
    assert kettle.person_generation == "ALLOW_NONE"


def test_cookbook_bodies_are_read() -> None:
    kettle, lamp = own("cookbook.jsonl")

    assert (kettle.prompt, kettle.image_size, kettle.meta) == ("A kettle", "1K", {"row_id": 1})
    assert (lamp.prompt, lamp.meta) == ("A lamp", {"row_id": 2})


def test_a_community_table_is_read() -> None:
    kettle, lamp = own("community.csv")

    assert (kettle.n, kettle.seed, kettle.image_size) == (2, 7, "2K")
    assert kettle.output == "shots/kettle-{variant}.{ext}"
    assert lamp.references == (Reference("gs://shop/lamp.jpg"),)


def test_prompt_lists_are_read() -> None:
    assert [row.prompt for row in own("prompts.txt")] == ["A kettle, on white", "A lamp at dusk"]
    assert [row.prompt for row in own("partiprompts.tsv")] == [
        'a "giggle" in thick paint',
        "a kettle",
    ]


def test_an_image_folder_gives_references_and_prompts() -> None:
    (kettle,) = own("imagefolder/metadata.jsonl")
    (lamp,) = own("imagefolder/metadata.csv")

    assert (kettle.prompt, kettle.references) == (
        "A kettle by a window",
        (Reference("gs://shop/0001.png"),),
    )
    assert lamp.references == (Reference("gs://shop/a.png"), Reference("gs://shop/b.png"))


@pytest.mark.parametrize("name", ["shopify.csv", "shopify-current.csv"])
def test_rows_that_share_a_handle_are_one_product(name: str) -> None:
    kettle, lamp = rows(name)

    assert (kettle.id, kettle.line, kettle.variables["Title"]) == (
        "steel-kettle",
        2,
        "Steel Kettle",
    )
    assert (lamp.id, lamp.line) == ("desk-lamp", 4)


def test_a_products_further_pictures_are_listed() -> None:
    kettle, _ = rows("shopify.csv")

    images = "https://cdn.example/k1.jpg|https://cdn.example/k2.jpg"
    assert (kettle.references, kettle.variables["Image Src"]) == ((), images)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("shopify.csv", "Image Src"),
        ("shopify-current.csv", "Product image URL"),
        ("woocommerce.csv", "Images"),
        ("merchant.tsv", "image_link"),
    ],
)
def test_a_shops_pictures_are_variables_until_a_mapping_says_otherwise(
    name: str, column: str
) -> None:
    mapping: Any = settled({"references": column})
    warned = [e for e in read(SAMPLES / name, reading=FILLED) if isinstance(e, Problem)]
    mapped = rows(name, Reading(template="hero", mapping=mapping))

    assert [(e.code, e.column, e.severity) for e in warned] == [
        (Code.COLUMN_KEPT, column, Severity.WARNING)
    ]
    assert mapped[0].references[0] == Reference("https://cdn.example/k1.jpg")


def test_a_list_is_parted_as_its_dialect_does() -> None:
    mapping: Any = settled({"references": "additional_image_link"})
    kettle, _ = rows("merchant.tsv", Reading(template="hero", mapping=mapping))

    assert [each.uri for each in kettle.references] == [
        "https://cdn.example/k2.jpg",
        "https://cdn.example/k3%2C4.jpg",
    ]


def test_the_size_of_a_shirt_is_not_that_of_its_picture() -> None:
    assert [row.variables["size"] for row in rows("merchant.tsv")] == ["1.7 l", "M"]


def test_woocommerce_rows_are_products_each() -> None:
    kettle, large = rows("woocommerce.csv")

    assert (kettle.id, large.id, large.variables["Parent"]) == ("11", "12", "K-1")


@pytest.mark.parametrize("name", ["shopify.csv", "woocommerce.csv", "merchant.tsv"])
def test_a_shop_without_a_template_is_told_both_remedies(name: str) -> None:
    problem = list(read(SAMPLES / name))[-1]

    assert isinstance(problem, Problem)
    assert problem.ends
    assert problem.hint is not None
    assert "--template" in problem.hint
    assert "--map prompt=" in problem.hint


def test_a_handle_that_comes_back_is_named_with_its_first_line(tmp_path: Path) -> None:
    text = "Handle,Title,Image Src\na,A,\nb,B,\na,,x.jpg\nc,C,\n"
    found = list(read(write(tmp_path / "s.csv", text), reading=FILLED))

    problem = next(e for e in found if isinstance(e, Problem) and e.code is Code.GROUP)
    assert (problem.line, "line 2" in problem.message) == (4, True)
    assert [e.id for e in found if isinstance(e, Row)] == ["a", "b", "c"]


def test_a_further_row_that_asks_for_another_picture_is_not_swallowed(tmp_path: Path) -> None:
    text = "Handle,Title,Image Src,prompt\na,A,,one\na,,,two\na,,,one\n"
    found = list(read(write(tmp_path / "s.csv", text)))

    assert [e.line for e in found if isinstance(e, Problem) and e.code is Code.GROUP] == [3]
    assert [e.prompt for e in found if isinstance(e, Row)] == ["one"]


def test_rows_from_python_have_dialects_too() -> None:
    with (SAMPLES / "shopify.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))

    found = [e for e in read_rows(records, reading=FILLED) if isinstance(e, Row)]
    sight = look_at_rows(records, FILLED)

    assert [row.id for row in found] == ["steel-kettle", "desk-lamp"]
    assert sight is not None
    assert sight.dialect == "shopify"


def test_a_sight_says_who_gave_a_column_its_meaning() -> None:
    mapping: Any = settled({"prompt": "Title"})
    columns = {
        c.name: (c.field, c.by) for c in seen("shopify.csv", Reading(mapping=mapping)).columns
    }

    assert columns["Title"] == ("prompt", "mapping")
    assert columns["Handle"] == ("id", "dialect")
    assert columns["Vendor"] == (None, "variable")
