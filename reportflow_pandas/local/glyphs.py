"""Which characters the packaged fonts and a design's own can show."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont

__all__ = ["FONTS", "code_point_ranges", "coverage", "font_folders"]

FONTS = Path(__file__).parent / "fonts"

_FONT_FILES = (".ttf", ".otf", ".ttc", ".otc")

_NEEDS_NO_GLYPH = (
    {0x0A, 0x20, 0xA0, 0xAD, 0x34F, 0x61C, 0x3000, 0xFEFF}
    | set(range(0x2000, 0x2010))
    | set(range(0x2028, 0x2030))
    | set(range(0x205F, 0x2070))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)
"""White space and Unicode's default ignorable code points: nothing is drawn for these, so no font needs them."""


def font_folders(design: Path) -> tuple[Path, ...]:
    """Return the folders whose fonts a design is set in: the packaged ones, and its own if it has any."""
    own = design / "fonts"
    return (FONTS, own) if own.is_dir() else (FONTS,)


@functools.cache
def coverage(folders: tuple[Path, ...]) -> frozenset[str]:
    """Return the characters that the fonts in ``folders`` can show between them, blanks included.

    Typst takes each character from any of its fonts that has it, so the union is what counts.
    """
    points = set(_NEEDS_NO_GLYPH)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in _FONT_FILES:
                for font in _faces(path):
                    points.update(font.getBestCmap() or ())
    return frozenset(map(chr, points))


@functools.cache
def code_point_ranges(folders: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """Return `coverage` as sorted ranges of code points, first and last included.

    Examples
    --------
    >>> code_point_ranges((FONTS,))[:2]
    ((10, 10), (32, 126))
    """
    return tuple(_ranges(sorted(map(ord, coverage(folders)))))


def _faces(path: Path) -> Iterator[TTFont]:
    """Yield the fonts of a file: one, or those of a collection."""
    if path.suffix.lower() in (".ttc", ".otc"):
        with TTCollection(path, lazy=True) as collection:
            yield from collection.fonts
    else:
        with TTFont(path, lazy=True) as font:
            yield font


def _ranges(points: list[int]) -> Iterable[tuple[int, int]]:
    start = 0
    for at in range(1, len(points) + 1):
        if at == len(points) or points[at] != points[at - 1] + 1:
            yield points[start], points[at - 1]
            start = at
