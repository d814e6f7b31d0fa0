"""Which characters a font can show, read from its ``cmap`` table."""

from __future__ import annotations

import functools
import struct
from pathlib import Path

__all__ = ["coverage"]

_IGNORABLE = (
    {0x0A, 0x20, 0xA0, 0xAD, 0x34F, 0x61C, 0x3000, 0xFEFF}
    | set(range(0x2000, 0x2010))
    | set(range(0x2028, 0x2030))
    | set(range(0x205F, 0x2070))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)
"""White space and what Unicode calls default ignorable: nothing is drawn for these, so no font needs them."""


@functools.cache
def coverage(folders: tuple[Path, ...]) -> frozenset[str]:
    """Return the characters that the fonts in ``folders`` can show between them, blanks included.

    Typst takes each character from any of its fonts that has it, so the union is what counts.
    """
    points = set(_IGNORABLE)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in (".ttf", ".otf", ".ttc", ".otc"):
                points |= _points(path.read_bytes())
    return frozenset(map(chr, points))


def _points(font: bytes) -> set[int]:
    starts = [0]
    if font[:4] == b"ttcf":
        (count,) = struct.unpack_from(">L", font, 8)
        starts = list(struct.unpack_from(f">{count}L", font, 12))
    points: set[int] = set()
    for start in starts:
        (tables,) = struct.unpack_from(">H", font, start + 4)
        for place in range(start + 12, start + 12 + 16 * tables, 16):
            tag, _, offset, _ = struct.unpack_from(">4sLLL", font, place)
            if tag == b"cmap":
                points |= _cmap(font, offset)
    return points


def _cmap(font: bytes, table: int) -> set[int]:
    points: set[int] = set()
    (count,) = struct.unpack_from(">H", font, table + 2)
    for place in range(table + 4, table + 4 + 8 * count, 8):
        platform, encoding, offset = struct.unpack_from(">HHL", font, place)
        if platform == 0 or (platform == 3 and encoding in (1, 10)):  # the Unicode ones
            (kind,) = struct.unpack_from(">H", font, table + offset)
            if kind == 4:
                points |= _segments(font, table + offset)
            elif kind == 12:
                points |= _groups(font, table + offset)
    return points


def _segments(font: bytes, at: int) -> set[int]:
    """Read format 4: ranges of the Basic Multilingual Plane."""
    count = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, at + 14)
    starts = struct.unpack_from(f">{count}H", font, at + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", font, at + 16 + 4 * count)
    offsets_at = at + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", font, offsets_at)
    points = set()
    for segment, (start, end, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        for point in range(start, min(end, 0xFFFE) + 1):
            glyph = point
            if offset:
                (glyph,) = struct.unpack_from(">H", font, offsets_at + 2 * segment + offset + 2 * (point - start))
                if not glyph:
                    continue
            if (glyph + delta) & 0xFFFF:
                points.add(point)
    return points


def _groups(font: bytes, at: int) -> set[int]:
    """Read format 12: ranges of all planes."""
    (count,) = struct.unpack_from(">L", font, at + 12)
    points: set[int] = set()
    for group in range(count):
        start, end, glyph = struct.unpack_from(">LLL", font, at + 16 + 12 * group)
        points.update(range(start if glyph else start + 1, end + 1))
    return points
