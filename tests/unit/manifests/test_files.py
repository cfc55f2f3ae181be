from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Problem
from darkroom_manifests.read import read
from darkroom_manifests.row import Row

TABLE = "id,prompt\nK-1,a kettle\nK-2,une théière\n"


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def ids(path: Path) -> list[str | None]:
    return [row.id for row in read(path) if isinstance(row, Row)]


def last(path: Path, limits: Limits | None = None) -> Problem:
    problem = list(read(path, limits or Limits()))[-1]
    assert isinstance(problem, Problem)
    assert problem.ends
    return problem


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.rstrip("\n").encode(),
        gzip.compress(TABLE.encode()),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "crlf", "cr", "no final newline", "gzip"],
)
def test_every_common_encoding_reads_the_same(tmp_path: Path, data: bytes) -> None:
    rows = list(read(write(tmp_path, "catalog.csv", data)))

    assert [(row.line, row.prompt) for row in rows if isinstance(row, Row)] == [
        (2, "a kettle"),
        (3, "une théière"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "code", "line"),
    [
        ("a.csv", b"", Code.FILE_EMPTY, 0),
        ("a.csv", b"\xef\xbb\xbf", Code.FILE_EMPTY, 0),
        ("a.csv", b"\n \n\r\n", Code.FILE_NO_ROWS, 0),
        ("a.csv", b"id,prompt\n", Code.FILE_NO_ROWS, 0),
        ("a.csv", b"id,prompt\n,\n , \n", Code.FILE_NO_ROWS, 0),
        ("a.tsv", b"id\tprompt\n\t\n", Code.FILE_NO_ROWS, 0),
        ("a.csv", b"sep=;\n", Code.FILE_NO_ROWS, 0),
        ("a.jsonl", b"\n\n", Code.FILE_NO_ROWS, 0),
        ("a.txt", b"# nothing yet\n", Code.FILE_NO_ROWS, 0),
        ("a.csv", b"id,prompt\n1,a\n2,caf\xe9\n", Code.ENCODING, 3),
        ("a.csv", b"id,prompt\n1,\xc0\xaf\n", Code.ENCODING, 2),
        ("a.csv", b"id,prompt\n1,\xed\xa0\x80\n", Code.ENCODING, 2),
        ("a.csv", b"\xff\xfe\x00\x00a\x00\x00\x00", Code.ENCODING, 1),
        ("a.csv", b"\xff\xfea\x00\n\x00\x00\xd8\n\x00", Code.ENCODING, 1),
        ("a.csv", b"id,prompt\n1,a\n2,b\0c\n", Code.NUL, 3),
        ("a.csv", TABLE.encode("utf-16-le"), Code.NUL, 1),
        ("a.csv", b"PK\x03\x04\x14\x00", Code.FILE_TYPE, 0),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", Code.FILE_TYPE, 0),
        ("a.csv", b"%PDF-1.7\n", Code.FILE_TYPE, 0),
        ("a.csv", b"\x89PNG\r\n\x1a\n", Code.FILE_TYPE, 0),
        (
            "a.csv.gz",
            gzip.compress(gzip.compress(TABLE.encode(), mtime=0), mtime=0),
            Code.FILE_TYPE,
            0,
        ),
        ("a.csv.gz", gzip.compress(TABLE.encode(), mtime=0)[:-9], Code.FILE_COMPRESSION, 0),
        ("a.csv.gz", b"\x1f\x8b\x08\x00damaged", Code.FILE_COMPRESSION, 0),
        ("a.json", b'[{"prompt": "a"}]', Code.JSON_ARRAY, 1),
        ("a.xyz", b"what is this\n", Code.HEADER_MISSING, 1),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, data: bytes, code: Code, line: int
) -> None:
    problem = last(write(tmp_path, name, data))

    assert (problem.code, problem.line) == (code, line)
    assert problem.hint


def test_rows_before_a_bad_byte_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"id,prompt\n1,a\n2,b\n3,caf\xe9\n")

    assert ids(path) == ["1", "2"]
    assert "Byte 6 of the line, 0xE9" in last(path).message


def test_a_folder_a_device_and_a_fifo_are_never_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)

    codes = {last(path).code for path in (tmp_path, fifo, Path("/dev/zero"))}

    assert codes == {Code.FILE_KIND}


@pytest.mark.parametrize("name", ["nothing.csv", "a\0b.csv", "nothing.csv/deeper.csv"])
def test_a_missing_file_is_a_problem(tmp_path: Path, name: str) -> None:
    write(tmp_path, "there.csv", b"")

    assert last(tmp_path / name).code == Code.FILE_MISSING


def test_a_name_too_long_for_the_disk_is_a_problem(tmp_path: Path) -> None:
    assert last(tmp_path / ("x" * 300)).code == Code.FILE_UNREADABLE


def test_a_symbolic_link_to_a_file_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(write(tmp_path, "catalog.csv", TABLE.encode()))

    assert ids(link) == ["K-1", "K-2"]


@pytest.mark.parametrize("start", [b"id,prompt\n1,", b'{"prompt": "', b"id,prompt\n1,a\n"])
def test_an_endless_line_ends_the_file_in_flat_memory(tmp_path: Path, start: bytes) -> None:
    path = write(tmp_path, "a.csv", start + b"x" * 20_000_000)

    tracemalloc.start()
    problem = last(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.code == Code.LINE_TOO_LONG
    assert peak < 8_000_000


@pytest.mark.parametrize("piece", [b"\n", b"A", b'{"prompt":"' + b"a" * 9_000 + b'"}\n'])
def test_a_gzip_bomb_is_stopped_early(tmp_path: Path, piece: bytes) -> None:
    path = write(tmp_path, "a.jsonl.gz", gzip.compress(piece * (40_000_000 // len(piece))))

    assert last(path).code in {Code.FILE_COMPRESSION, Code.LINE_TOO_LONG}


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", TABLE.encode())

    assert last(path, Limits(file_bytes=20)).code == Code.FILE_TOO_LARGE


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"id,prompt\n1,a\n2,b\n3,c\n"),
        ("a.jsonl", b'{"prompt":"a"}\n{"prompt":"b"}\n{"prompt":"c"}\n'),
        ("a.txt", b"a\nb\nc\n"),
    ],
)
def test_one_row_above_the_limit_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = write(tmp_path, name, data)

    assert last(path, Limits(rows=2)).code == Code.FILE_TOO_MANY_ROWS
    assert all(isinstance(row, Row) for row in read(path, Limits(rows=3)))


def test_a_text_file_is_a_prompt_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", '# list\n\na cat, a dog\n  "quoted"; odd\u2028line\n'.encode())

    assert [(row.line, row.prompt) for row in read(path) if isinstance(row, Row)] == [
        (3, "a cat, a dog"),
        (4, '"quoted"; odd\u2028line'),
    ]


@pytest.mark.parametrize("name", ["rows.csv", "rows", "rows.jsonl", "rows.JSONL"])
def test_json_lines_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    assert ids(write(tmp_path, name, b'\n{"id":"a","prompt":"b"}\n')) == ["a"]


def test_a_problem_reads_as_one_line_for_people() -> None:
    problem = Problem(
        "catalog.csv",
        14,
        "aspect_ratio",
        Code.RATIO_SYNTAX,
        '"4x5" is not W:H.',
        "Did you mean 4:5?",
    )

    assert str(problem) == 'catalog.csv:14  aspect_ratio  "4x5" is not W:H. Did you mean 4:5?'


def test_a_problem_cannot_drive_a_terminal(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"prompt,tier\n\xc2\xa0x,\x1b]0;owned\x07\n")

    problem = next(iter(read(path)))

    assert isinstance(problem, Problem)
    assert str(problem).isprintable()
    assert problem.preview == "\\x1b]0;owned\\x07"
