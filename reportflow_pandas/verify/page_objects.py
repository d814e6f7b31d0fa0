"""What is painted on a page, by PDFium: boxes, clipping, colours, and what covers what was painted before it.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium

__all__ = ["Box", "address", "bounds", "clip", "covers", "has_middle", "holds", "is_faint", "opened", "within"]

FAINT_ALPHA, FAINT_GREY = 60, 225

Box = tuple[float, float, float, float]

# made once: a page has hundreds of objects, and the program has one thread
_SIDES = [ctypes.c_float() for _ in range(4)]
_REFERENCES = [ctypes.byref(side) for side in _SIDES]
_COLOUR = [ctypes.c_uint() for _ in range(4)]
_COLOUR_REFERENCES = [ctypes.byref(part) for part in _COLOUR]


def address(handle: Any) -> int:
    """Return what an object is known by."""
    return ctypes.addressof(handle.contents) if handle else 0


def opened(thing: Any, around: Box | None, depth: int) -> Iterator[tuple[Any, int, Box | None]]:
    """Yield an object, a form's own objects in its place."""
    kind = pdfium.FPDFPageObj_GetType(thing)
    if kind != pdfium.FPDF_PAGEOBJ_FORM or depth > 8:
        yield thing, kind, around
        return
    inner = within(clip(thing), around)
    for at in range(pdfium.FPDFFormObj_CountObjects(thing)):
        yield from opened(pdfium.FPDFFormObj_GetObject(thing, at), inner, depth + 1)


def bounds(thing: Any) -> Box:
    """Return an object's box."""
    one, two, three, four = _SIDES
    pdfium.FPDFPageObj_GetBounds(thing, *_REFERENCES)
    return (one.value, two.value, three.value, four.value)


def clip(thing: Any) -> Box | None:
    """Return the box that a clipping path leaves of an object."""
    path = pdfium.FPDFPageObj_GetClipPath(thing)
    count = pdfium.FPDFClipPath_CountPaths(path) if path else 0
    left: Box | None = None
    x, y = ctypes.c_float(), ctypes.c_float()
    for number in range(min(count, 50) if count > 0 else 0):
        points = []
        for at in range(min(pdfium.FPDFClipPath_CountPathSegments(path, number), 200)):
            segment = pdfium.FPDFClipPath_GetPathSegment(path, number, at)
            if pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
                points.append((x.value, y.value))
        if points:
            across, along = zip(*points, strict=True)
            left = within(left, (min(across), min(along), max(across), max(along)))
    return left


def holds(limit: Box, box: Box) -> bool:
    """Tell whether a box lies within another one, but for half a point."""
    return (
        box[0] >= limit[0] - 0.5
        and box[1] >= limit[1] - 0.5
        and box[2] <= limit[2] + 0.5
        and box[3] <= limit[3] + 0.5
    )


def has_middle(box: Box, of: Box) -> bool:
    """Tell whether the middle of another box lies in a box."""
    x, y = (of[0] + of[2]) / 2, (of[1] + of[3]) / 2
    return box[0] < x < box[2] and box[1] < y < box[3]


def within(one: Box | None, other: Box | None) -> Box | None:
    """Return what two boxes have in common; None is everything."""
    if one is None or other is None:
        return one or other
    return (max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3]))


def colour(thing: Any) -> tuple[int, int, int, int]:
    """Return an object's colour and how opaque it is."""
    if not pdfium.FPDFPageObj_GetFillColor(thing, *_COLOUR_REFERENCES):
        return (0, 0, 0, 255)
    red, green, blue, alpha = _COLOUR
    return (red.value, green.value, blue.value, alpha.value)


def is_faint(thing: Any) -> bool:
    """Tell whether an object is hardly to be seen on white, or not painted at all."""
    red, green, blue, alpha = colour(thing)
    if alpha < FAINT_ALPHA or min(red, green, blue) > FAINT_GREY:
        return True
    is_text = pdfium.FPDFPageObj_GetType(thing) == pdfium.FPDF_PAGEOBJ_TEXT
    return bool(is_text and pdfium.FPDFTextObj_GetTextRenderMode(thing) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def covers(thing: Any, kind: int) -> bool:
    """Tell whether an object may hide what was painted before it."""
    if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
        return True
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(thing, ctypes.byref(mode), ctypes.byref(stroke))
    return bool(mode.value) and colour(thing)[3] > 100
