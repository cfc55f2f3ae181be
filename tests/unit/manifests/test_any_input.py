from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom_manifests.ids import Seen
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Problem
from darkroom_manifests.read import read, read_rows
from darkroom_manifests.row import Row

PIECES = st.sampled_from(
    [
        *(b"id,prompt\n", b"prompt\ttag.a\n", b"n,size\n", b"sep=;\n", b"K-1", b"a cat", b"../"),
        *(b'"', b'""', b",", b"\t", b"\n", b"\r\n", b"\r", b"{", b"[", b'{"prompt":"a"}', b"{id}"),
        *(b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xc3\xa9", b"\xe2", b"\x1b", b"\xe2\x80\xae"),
        *(b"\x1f\x8b", b"\\ud800", b"1e999"),
    ]
)
FILES = st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(b"".join))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.one_of(
    st.sampled_from(
        ["id", "prompt", "n", "refs", "tags", "vars", "meta", "size", "output", "max_cost"]
    ),
    st.text(max_size=12),
)


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    data=FILES,
    packed=st.booleans(),
    name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt", "a"]),
)
def test_any_bytes_give_rows_and_problems_and_nothing_else(
    tmp_path: Path, data: bytes, *, packed: bool, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if packed else data)

    found = list(read(path))

    assert found
    assert all(isinstance(row, Row | Problem) for row in found)
    assert all(str(row).isprintable() for row in found if isinstance(row, Problem))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=6), max_size=4))
def test_any_records_give_rows_and_problems_and_nothing_else(
    records: list[dict[str, object]],
) -> None:
    found = list(read_rows(records))

    assert found
    assert all(isinstance(row, Row | Problem) for row in found)


@pytest.mark.parametrize("width", [40, 300_000])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_that_straddle_pieces_of_the_file_stay_whole(
    tmp_path: Path, width: int, ends: str
) -> None:
    prompts = [f"{n} " + "é" * (width // 2) for n in range(1_200_000 // width)]
    path = tmp_path / "a.csv"
    path.write_text(ends.join(["prompt", *prompts, ""]), newline="")

    rows = list(read(path, Limits(prompt_chars=200_000, field_chars=200_000)))

    assert [row.prompt for row in rows if isinstance(row, Row)] == prompts
    assert [row.line for row in rows] == list(range(2, len(prompts) + 2))


def test_the_careful_and_the_quick_way_agree(tmp_path: Path) -> None:
    quick, careful = tmp_path / "quick.csv", tmp_path / "careful.csv"
    body = "K-1, a kettle ,red,4:5\nK-2,b,,\n"
    quick.write_text("id,prompt,colour,aspect_ratio\n" + body)
    careful.write_text("id,prompt,colour,aspect_ratio,tag.x\n" + body.replace("\n", ",\n"))

    assert list(read(quick)) == list(read(careful))


def test_names_are_remembered_in_little_memory() -> None:
    seen = Seen()

    firsts = [seen.first(f"K-{n % 50_000}", n + 1) for n in range(60_000)]

    assert firsts[:50_000] == [None] * 50_000
    assert firsts[50_000:] == list(range(1, 10_001))
