"""The text of a manifest: bytes into blocks of whole lines, strictly decoded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from typing import Final

from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault
from darkroom_manifests.source import Unreadable

_UTF8_HINT: Final = "Save the file as UTF-8."
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def lines(chunks: Iterator[bytes], limits: Limits) -> Iterator[str]:
    r"""Yield lines that end in `\n`, which stands for CRLF and CR too, in cells as well.

    Only these end a line: U+2028 and its like are text.
    """
    return chain.from_iterable(map(_split, _blocks(_utf8(chunks), limits)))


def _split(block: str) -> StringIO:
    return StringIO(block, newline="\n")


def _utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Drop a byte order mark; turn UTF-16 that has one into UTF-8."""
    first = next(chunks, b"")
    if first.startswith(_UTF32):
        raise Unreadable(Fault(Code.ENCODING, "The file is UTF-32.", _UTF8_HINT), 1)
    encoding = _UTF16.get(first[:2])
    if encoding:
        return _transcoded(chain([first[2:]], chunks), encoding)
    return chain([first.removeprefix(codecs.BOM_UTF8)], chunks)


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            line += text.count("\n")
            yield text.encode()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        fault = Fault(Code.ENCODING, f"The text is not sound UTF-16 ({error.reason}).", _UTF8_HINT)
        raise Unreadable(fault, line) from error


def _blocks(chunks: Iterator[bytes], limits: Limits) -> Iterator[str]:
    line = 1
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        end = _end_of_lines(data)
        if end:
            yield from _decoded(data[:end], line)
            line += _count_lines(data[:end])
            data = data[end:]
        if len(data) > limits.line_bytes:
            raise Unreadable(_endless(limits), line)
        rest = data
    if rest:
        yield from _decoded(rest, line)


def _end_of_lines(data: bytes) -> int:
    """Find where the last whole line ends; a CR at the very end waits, an LF may follow it."""
    newline = data.rfind(b"\n")
    return max(newline, data.rfind(b"\r", newline + 1, len(data) - 1)) + 1


def _count_lines(data: bytes) -> int:
    if b"\r" not in data:
        return data.count(b"\n")
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _endless(limits: Limits) -> Fault:
    return Fault(
        Code.LINE_TOO_LONG,
        f"The line is longer than {limits.line_bytes:,} bytes.",
        "A manifest has one row a line; check the file's line ends.",
    )


def _decoded(data: bytes, line: int) -> Iterator[str]:
    """Decode a block; where a byte is bad, give the sound lines before it first."""
    bad = _first_bad(data)
    if bad is None:
        yield _normal(data)
        return
    sound = data[: _end_of_lines(data[: bad + 1])]
    if sound:
        yield _normal(sound)
    raise Unreadable(_bad_byte(data[bad], bad - len(sound) + 1), line + _count_lines(sound))


def _first_bad(data: bytes) -> int | None:
    nul = data.find(b"\0")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start if nul < 0 else min(nul, error.start)
    return nul if nul >= 0 else None


def _bad_byte(byte: int, position: int) -> Fault:
    """Name the byte and its place in the line, counted from 1."""
    if byte == 0:
        return Fault(
            Code.NUL,
            f"Byte {position:,} of the line is NUL.",
            "The file is damaged, or UTF-16 without a byte order mark; save it as UTF-8.",
        )
    return Fault(
        Code.ENCODING, f"Byte {position:,} of the line, 0x{byte:02X}, is not UTF-8.", _UTF8_HINT
    )


def _normal(data: bytes) -> str:
    text = data.decode()
    if "\r" in text:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    return text
