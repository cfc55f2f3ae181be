from __future__ import annotations

from itertools import product

import pytest

from darkroom.storage.lines import lines_of

TEXT = b"one\n\ntwo, longer than a piece\nthree\r\nlast without an end"


@pytest.mark.parametrize("size", range(1, len(TEXT) + 2))
def test_pieces_of_any_size_come_to_the_same_lines(size: int) -> None:
    pieces = (TEXT[at : at + size] for at in range(0, len(TEXT), size))

    assert [*lines_of(pieces)] == TEXT.splitlines(keepends=True)


@pytest.mark.parametrize("text", [b"", b"\n", b"\n\n", b"a", b"a\n", b"a\nb", b"\na"])
def test_every_cut_of_a_short_text_comes_to_the_same_lines(text: bytes) -> None:
    for cuts in product([False, True], repeat=max(0, len(text) - 1)):
        pieces, begin = [], 0
        for at, is_cut in enumerate(cuts, 1):
            if is_cut:
                pieces.append(text[begin:at])
                begin = at
        pieces += [text[begin:], b""]

        assert b"".join(lines_of(pieces)) == text
        assert [*lines_of(pieces)] == text.splitlines(keepends=True)
