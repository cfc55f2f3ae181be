"""Whatever a catalog looks like, what is not filled in comes back byte for byte."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.export.catalog import filled
from darkroom.export.filling import Pictures
from darkroom.export.source_table import SourceTable
from darkroom_manifests.raw import RawTable

HEADERS = st.sampled_from(
    [
        "id,prompt,image_url",
        "sep=;\nid;prompt;image_url",
        '"id"\t"image_url"\tnote',
        "Handle,Title,Image Src,Image Position,Image Alt Text",
        "Title,URL handle,Product image URL,Image position",
        "ID,Type,SKU,Name,Images",
        "id\ttitle\timage_link\tadditional_image_link",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
BODIES = st.lists(
    st.sampled_from(
        [
            '"',
            '""',
            '"a, b"',
            ",",
            ",,",
            ";",
            "\t",
            "a",
            "=1",
            " ",
            "é",
            "\udcff",
            "\n",
            "\r\n",
            "\r",
        ]
    ),
    max_size=40,
).map("".join)
LINES = st.sets(st.integers(1, 12), max_size=6).map(sorted)
URL = "https://cdn.example/picture"


def copied(text: str, lines: list[int], each: int = 1) -> tuple[bytes, int]:
    """A catalog with pictures for these lines, and how many found a place."""
    source = SourceTable(RawTable(iter(io.StringIO(text, newline=""))), b"", "utf-8")
    urls = [tuple(f"{URL}{line}_{n}.png" for n in range(each)) for line in lines]
    out = io.BytesIO()
    done = filled(source, map(Pictures, lines, urls), out)
    assert done.images + done.left_out == len(lines) * each
    return out.getvalue(), done.images


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@settings(max_examples=300, deadline=None)
@given(HEADERS, ENDS, BODIES)
def test_without_pictures_nothing_changes(header: str, end: str, body: str) -> None:
    text = header + end + body

    assert copied(text, [])[0] == as_bytes(text)


@settings(max_examples=300, deadline=None)
@given(HEADERS, ENDS, BODIES, LINES)
def test_only_lines_with_pictures_change(
    header: str, end: str, body: str, lines: list[int]
) -> None:
    text = header + end + body
    table = RawTable(iter(io.StringIO(text, newline="")))
    rows = [
        row for row in table if len(row.cells) == len(table.header.cells if table.header else ())
    ]
    chosen = {row.line: row for row in rows if row.line in lines}

    after, _ = copied(text, sorted(chosen))

    assert after.count(URL.encode()) == len(chosen)
    rest = iter(RawTable(iter(io.StringIO(after.decode("utf-8", "surrogateescape"), newline=""))))
    same = [row for row in rest if URL not in row.text]
    assert [row.text for row in same if row.cells] == [
        row.text
        for row in RawTable(iter(io.StringIO(text, newline="")))
        if row.line not in chosen and row.cells
    ]


@settings(max_examples=200, deadline=None)
@given(
    titles=st.lists(
        st.text(st.sampled_from('ab",\n é'), min_size=1, max_size=5), min_size=1, max_size=6
    ),
    end=ENDS,
    data=st.data(),
)
def test_taking_the_pictures_out_again_gives_the_file_as_it_was(
    titles: list[str], end: str, data: st.DataObject
) -> None:
    cells = ['"' + title.replace('"', '""').replace("\n", end) + '"' for title in titles]
    rows = [f"p{n},{cell},,,{end}" for n, cell in enumerate(cells)]
    text = f"Handle,Title,Image Src,Image Position,Vendor{end}" + "".join(rows)
    table = RawTable(iter(io.StringIO(text, newline="")))
    lines = [row.line for row in table]
    chosen = sorted(data.draw(st.sets(st.sampled_from(lines))))

    after, placed = copied(text, chosen)

    back = after.decode()
    for line in chosen:
        back = back.replace(f",{URL}{line}_0.png,1,", ",,,")
    assert (back, placed) == (text, len(chosen))
