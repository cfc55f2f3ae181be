"""What the names of dropped files say."""

from __future__ import annotations

import pytest

from darkroom.inbox import names


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.b.tsv", "a.jsonl.gz", "a.txt", "a\nb.csv"])
def test_manifests_are_known_by_their_suffix(name: str) -> None:
    assert names.is_manifest(name)


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.zip", "a.pdf"])
def test_what_people_take_for_a_manifest_is_taken_too_and_told_about(name: str) -> None:
    assert names.is_manifest(name)


@pytest.mark.parametrize(
    "name", ["a.png", "README", "a.md", "a.csv.toml", "a.csv.report.json", "a.csv.rejected.csv"]
)
def test_pictures_and_files_of_ours_are_left_alone(name: str) -> None:
    assert not names.is_manifest(name)


@pytest.mark.parametrize(
    "name", [".a.csv", "~$a.xlsx", "a.csv~", "a.csv.part", "a.csv.TMP", "a.csv.crdownload"]
)
def test_unfinished_files_are_no_manifests(name: str) -> None:
    assert names.is_unfinished(name)
    assert not names.is_manifest(name)


def test_a_name_beside_a_long_one_is_cut_to_what_a_disk_takes() -> None:
    long = "ü" * 126 + ".csv"

    beside = names.beside(long, names.REPORT)

    assert len(beside.encode()) <= 255
    assert beside.endswith(names.REPORT)


def test_a_second_name_keeps_how_the_file_is_read() -> None:
    mark = "drop_01kay5t0m2x7q4c9z0"

    assert names.second("spring.txt.gz", mark) == "spring-q4c9z0.txt.gz"
    assert len(names.second(f"{'n' * 250}.csv", mark).encode()) <= 255
