"""Which characters the packaged fonts and a design's own can show."""

from __future__ import annotations

import functools
from pathlib import Path

from reportflow_pandas.local.compile_program import code_points, ranges
from reportflow_pandas.local.compiler_process import code_points_apart

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

    Raises
    ------
    Refused
        A font of a stranger's design is none.
    """
    points = set(_NEEDS_NO_GLYPH)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in _FONT_FILES:
                known = code_points(str(path)) if folder == FONTS else code_points_apart(path)
                points.update(point for first, last in known for point in range(first, last + 1))
    return frozenset(map(chr, points))


@functools.cache
def code_point_ranges(folders: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """Return `coverage` as sorted ranges of code points, first and last included.

    Examples
    --------
    >>> code_point_ranges((FONTS,))[:2]
    ((10, 10), (32, 126))
    """
    return tuple(ranges(sorted(map(ord, coverage(folders)))))
