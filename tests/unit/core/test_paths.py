from __future__ import annotations

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.storage.paths import expand, set_apart

FIELDS = {"job": "job_1", "id": "K-1", "variant": 2}


def test_fields_are_filled_and_the_extension_is_that_of_the_bytes() -> None:
    assert expand("{job}/{id}_{variant}.{ext}", FIELDS, None, "jpg") == "job_1/K-1_2.jpg"
    assert expand("{id}.png", FIELDS, None, "jpg") == "K-1.jpg"
    assert expand("{id}", FIELDS, None, "jpg") == "K-1.jpg"


def test_a_rows_own_columns_are_fields_and_cannot_stand_in_for_ours() -> None:
    labels = msgspec.json.encode({"variables": {"sku": "A/B", "job": "evil"}}).decode()

    assert expand("{job}/{sku}.{ext}", FIELDS, labels, "png") == "job_1/A_B.png"


@example(row_id=".", sku="")
@example(row_id="a." + "\x80" * 300, sku="\x80" * 300 + ".b" * 200)
@given(st.text(), st.text())
def test_no_value_leads_out_of_the_place(row_id: str, sku: str) -> None:
    labels = msgspec.json.encode({"variables": {"sku": sku.encode(errors="ignore").decode()}})

    path = expand("{job}/{sku}/{id}.{ext}", FIELDS | {"id": row_id}, labels.decode(), "png")

    parts = path.split("/")
    assert len(parts) == 3
    assert all(part not in {"", ".", ".."} and not part.startswith(".") for part in parts)
    assert all(len(part.encode(errors="replace")) <= 255 for part in parts)
    assert path.endswith(".png")


def test_a_template_alone_leads_into_the_folder_of_kept_turns() -> None:
    labels = msgspec.json.encode({"variables": {"sku": ".turns", "a/b": "x"}}).decode()

    assert expand("{job}/.turns/{id}.{ext}", FIELDS, labels, "png") == "job_1/.turns/K-1.png"
    assert expand("{job}/{sku}/{a/b}.{ext}", FIELDS, labels, "png") == "job_1/turns/x.png"
    assert expand(".hidden/{id}.{ext}", FIELDS, labels, "png") == "hidden/K-1.png"


def test_a_taken_name_gets_a_mark_before_its_extension() -> None:
    assert set_apart("a/b_1.png", "x9") == "a/b_1~x9.png"
