"""Letters that are drawn as the font's box for "none": different ones with one and the same outline, by PDFium.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportflow_pandas.verify import page_objects, plain_pdfium as pdfium
else:  # the program has loaded them by their paths
    import reportflow_page_objects as page_objects
    import reportflow_plain_pdfium as pdfium

__all__ = ["alike", "telling"]

_UNSHAPED = frozenset(
    (
        "LATIN",
        "GREEK",
        "CYRILLIC",
        "CJK",
        "HIRAGANA",
        "KATAKANA",
        "HANGUL",
        "FULLWIDTH",
        "HALFWIDTH",
        "IDEOGRAPHIC",
    )
)
"""Scripts whose letters look the same whatever stands beside them."""


def telling(text: str) -> set[int]:
    """Return the characters whose outlines are looked at: those that may stand for a box."""
    asked = {char for char in set(text) if char.isalnum() and not _is_shaped(char)}
    plain = set(filter(str.isascii, asked))
    others = asked - plain
    # of plain letters a part will do: a font that lacks one of them shows it in the first word
    places = {text.index(char) for char in plain}
    places.update(at for at in range(0, len(text), 8) if text[at] in plain)
    places.update(at for at, char in enumerate(text if others else "") if char in others)
    return places


@functools.lru_cache(maxsize=8192)
def _is_shaped(char: str) -> bool:
    """Tell whether a letter is asked for by another code than it is drawn with."""
    return not char.isascii() and unicodedata.name(char, "?").split()[0] not in _UNSHAPED


def alike(letters: dict[str, Any]) -> set[str]:
    """Return letters of one font and one script that have one outline, a complicated one: its box for "none"."""
    sized: dict[int, list[str]] = {}
    for char, outline in letters.items():
        if outline:
            sized.setdefault(pdfium.FPDFGlyphPath_CountGlyphSegments(outline), []).append(char)
    boxes: set[str] = set()
    for segments, chars in sized.items():
        if segments < 8 or len(chars) < 2:
            continue
        for same in _same_shape(letters, chars, segments):
            scripts = [unicodedata.name(char, "?").split()[0] for char in same]
            folded = {unicodedata.normalize("NFKD", char).casefold()[:1] for char in same}
            if len(folded) > 1 and len(set(scripts)) < len(scripts):
                boxes.update(same)
    return boxes


def _same_shape(letters: dict[str, Any], chars: list[str], segments: int) -> Iterator[list[str]]:
    """Yield letters of one outline: alike in one point after the other first, for few are alike in the first."""
    groups = [chars]
    some = range(0, segments, max(1, segments // 3))
    for places in (*(range(at, at + 1) for at in some), range(segments)):
        finer: list[list[str]] = []
        for group in groups:
            shapes: dict[tuple[Any, ...], list[str]] = {}
            for char in group:
                shapes.setdefault(_points(letters[char], places), []).append(char)
            finer += [same for same in shapes.values() if len(same) > 1]
        groups = finer
    yield from groups


def _points(outline: Any, places: range) -> tuple[tuple[float, float], ...]:
    ends = (
        page_objects.point(pdfium.handle(pdfium.FPDFGlyphPath_GetGlyphPathSegment(outline, at))) or (0.0, 0.0)
        for at in places
    )
    return tuple((round(x, 2), round(y, 2)) for x, y in ends)
