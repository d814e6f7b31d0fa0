"""Files that are no whole PDF: told before PDFium repairs them in silence and loses pages.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator

__all__ = ["MOST_BYTES", "Unreadable", "refuse_damaged"]

MOST_BYTES = 200_000_000


_SCRIPT = re.compile(rb"/(JavaScript|JS)\b")
_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_OBJECT = re.compile(rb"\s*\d+\s+\d+\s+obj")


class Unreadable(Exception):  # noqa: N818 - it is the answer for that file
    """Why a file can't be read."""


def refuse_damaged(data: bytes) -> None:
    """Raise for what is no whole PDF: PDFium would repair it in silence and lose pages."""
    if not data:
        raise Unreadable("the file is empty")
    start = data.find(b"%PDF-", 0, 1024)
    if start < 0:
        raise Unreadable("it is no PDF")
    if len(data) > MOST_BYTES:
        raise Unreadable(f"it has more than {MOST_BYTES // 1_000_000} MB")
    if data.rfind(b"%%EOF", max(0, len(data) - 2048)) < 0:
        raise Unreadable("the file is cut off, its end is missing")
    mark = data.rfind(b"startxref", max(0, len(data) - 4096))
    place = re.match(rb"startxref\s+(\d{1,12})", data[mark : mark + 40]) if mark >= 0 else None
    if place is None or not _table_fits(data, start, int(place[1])):
        raise Unreadable("the file is damaged, its table of contents (xref) is wrong")
    may_have = b"/JavaScript" in data or b"/JS" in data  # in a tenth of an expression's time
    if may_have and _SCRIPT.search(data) and _SCRIPT.search(_STREAM.sub(b"", data)):
        raise Unreadable("it holds a script (JavaScript), which no document needs")


def _table_fits(data: bytes, start: int, at: int) -> bool:
    """Tell whether the table of contents leads to objects."""
    at += start
    if data[at : at + 4] == b"xref":
        offsets = _offsets_of_table(data, at + 4)
    elif re.match(rb"\d+\s+\d+\s+obj", data[at : at + 40]):
        offsets = _offsets_of_stream(data, at)
    else:
        return False
    return all(_OBJECT.match(data, start + offset, start + offset + 40) for offset in offsets)


def _offsets_of_table(data: bytes, at: int) -> Iterator[int]:
    section = re.compile(rb"\s*(\d+)\s+(\d+)[ \t]*\r?\n?")
    entry = re.compile(rb"\s*(\d{10}) (\d{5}) ([nf])")
    while (head := section.match(data, at)) and not data[at : at + 20].lstrip().startswith(b"trailer"):
        at = head.end()
        for _ in range(min(int(head[2]), 100_000)):
            line = entry.match(data, at)
            if line is None:
                yield len(data)  # leads nowhere
                return
            at = line.end()
            if line[3] == b"n":
                yield int(line[1])


def _offsets_of_stream(data: bytes, at: int) -> Iterator[int]:
    """Yield the places in a cross-reference stream (PDF 32000, 7.5.8); none where its form is unusual."""
    begin = data.find(b"stream", at, at + 4096)
    head = data[at:begin]
    widths = re.search(rb"/W\s*\[\s*(\d)\s+(\d)\s+(\d)\s*\]", head)
    if begin < 0 or widths is None or b"/XRef" not in head:
        yield len(data)
        return
    if b"/FlateDecode" not in head or re.search(rb"/Predictor\s+(?!1\b|12\b)\d", head):
        return
    body = data[begin + 6 :].lstrip(b"\r\n") if begin >= 0 else b""
    try:
        table = zlib.decompressobj().decompress(body, 20_000_000)
    except zlib.error:
        yield len(data)
        return
    sizes = [int(widths[number]) for number in (1, 2, 3)]
    width = sum(sizes)
    if re.search(rb"/Predictor\s+12\b", head):
        table = _unpredicted(table, width)
    for row in range(0, len(table) - width + 1, width):
        kind = int.from_bytes(table[row : row + sizes[0]], "big") if sizes[0] else 1
        if kind == 1:
            yield int.from_bytes(table[row + sizes[0] : row + sizes[0] + sizes[1]], "big")


def _unpredicted(table: bytes, width: int) -> bytes:
    """Undo PNG's "up" filter: each row is told as its difference to the one above."""
    step = width + 1
    table = table[: len(table) // step * step]
    if table[::step].strip(b"\2"):
        return _unpredicted_rows(table, width)
    plain = bytearray(len(table) // step * width)
    for column in range(width):
        sums = itertools.accumulate(table[column + 1 :: step])
        plain[column::width] = bytes([number & 255 for number in sums])
    return bytes(plain)


def _unpredicted_rows(table: bytes, width: int) -> bytes:
    """Undo the filter where some rows have none."""
    above, plain = bytes(width), bytearray()
    for row in range(0, len(table), width + 1):
        line = table[row + 1 : row + 1 + width]
        if table[row] == 2:
            line = bytes((one + other) & 255 for one, other in zip(line, above, strict=True))
        plain += line
        above = line
    return bytes(plain)
