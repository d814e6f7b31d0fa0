"""What is painted on a page, by PDFium: boxes, clipping, colours, and what covers what was painted before it.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportflow_pandas.verify import plain_pdfium as pdfium
else:  # the program has loaded it by its path
    import reportflow_plain_pdfium as pdfium

__all__ = [
    "Box",
    "Painted",
    "bounds",
    "clip",
    "common",
    "covers",
    "font_height",
    "has_middle",
    "holds",
    "is_faint",
    "kind_of",
    "painted",
    "point",
    "within",
]

FAINT_ALPHA, FAINT_GREY = 60, 225
_MOST_DEPTH = 8
"""Forms within forms."""

Box = tuple[float, float, float, float]

Painted = tuple[int, Any, int, Box | None, bool]
"""An object's address and handle, how its text is drawn (below 0 for what is no text), the clipping of the forms
around it, and whether there are such forms."""

# made once: a page has hundreds of objects, and the program has one thread
_SIDES, (_LEFT, _BOTTOM, _RIGHT, _TOP) = pdfium.floats(4)
_AS_SIDES = struct.Struct("4f").unpack_from
_POINT, (_X, _Y) = pdfium.floats(2)
_AS_POINT = struct.Struct("2f").unpack_from
_COLOUR = (ctypes.c_uint * 4)()
_RED, _GREEN, _BLUE, _ALPHA = (ctypes.byref(_COLOUR, ctypes.sizeof(ctypes.c_uint) * at) for at in range(4))
_AS_COLOUR = struct.Struct("4I").unpack_from
_MATRIX, (_A, *_) = pdfium.floats(6)


def painted(page: Any) -> Iterator[Painted]:
    """Yield what is painted on a page, in its order, a form's own objects in its place."""
    handle, object_at, mode_of = pdfium.handle, pdfium.FPDFPage_GetObject, pdfium.FPDFTextObj_GetTextRenderMode
    for at in range(pdfium.FPDFPage_CountObjects(page)):
        address = object_at(page, at)
        thing = handle(address)
        mode = mode_of(thing)
        if mode < 0 and kind_of(thing) == pdfium.FPDF_PAGEOBJ_FORM:
            yield from _opened(thing, None, 1)
        else:
            yield address, thing, mode, None, False


def _opened(form: Any, around: Box | None, depth: int) -> Iterator[Painted]:
    """Yield the objects of a form, with the clipping of those around it."""
    around = within(clip(form), around)
    for at in range(pdfium.FPDFFormObj_CountObjects(form)):
        address = pdfium.FPDFFormObj_GetObject(form, ctypes.c_ulong(at))
        thing = pdfium.handle(address)
        if kind_of(thing) == pdfium.FPDF_PAGEOBJ_FORM and depth <= _MOST_DEPTH:
            yield from _opened(thing, around, depth + 1)
        else:
            yield address, thing, pdfium.FPDFTextObj_GetTextRenderMode(thing), around, True


def kind_of(thing: Any) -> int:
    """Return what an object is."""
    kind: int = pdfium.FPDFPageObj_GetType(thing)
    return kind


def bounds(thing: Any) -> Box:
    """Return an object's box."""
    pdfium.FPDFPageObj_GetBounds(thing, _LEFT, _BOTTOM, _RIGHT, _TOP)
    box: Box = _AS_SIDES(_SIDES)
    return box


def point(segment: Any) -> tuple[float, float] | None:
    """Return where a segment of a path goes to."""
    if not pdfium.FPDFPathSegment_GetPoint(segment, _X, _Y):
        return None
    place: tuple[float, float] = _AS_POINT(_POINT)
    return place


def font_height(text: Any) -> float:
    """Return how high a text object's font is, in the coordinates of what holds the object."""
    size = ctypes.c_float()
    is_known = pdfium.FPDFTextObj_GetFontSize(text, ctypes.byref(size))
    if not is_known or not pdfium.FPDFPageObj_GetMatrix(text, _A):
        return 0.0
    return size.value * math.hypot(_MATRIX[2], _MATRIX[3])


def clip(thing: Any) -> Box | None:
    """Return the box that a clipping path leaves of an object."""
    path = pdfium.handle(pdfium.FPDFPageObj_GetClipPath(thing))
    count = pdfium.FPDFClipPath_CountPaths(path)
    if count <= 0:
        return None
    left: Box | None = None
    for number in range(min(count, 50)):
        segments = range(min(pdfium.FPDFClipPath_CountPathSegments(path, number), 200))
        places = (point(pdfium.handle(pdfium.FPDFClipPath_GetPathSegment(path, number, at))) for at in segments)
        points = [place for place in places if place is not None]
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
    return common(one, other)


def common(one: Box, other: Box) -> Box:
    """Return what two boxes have in common."""
    return (max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3]))


def colour(thing: Any) -> tuple[int, int, int, int]:
    """Return an object's colour and how opaque it is."""
    if not pdfium.FPDFPageObj_GetFillColor(thing, _RED, _GREEN, _BLUE, _ALPHA):
        return (0, 0, 0, 255)
    parts: tuple[int, int, int, int] = _AS_COLOUR(_COLOUR)
    return parts


def is_faint(thing: Any) -> bool:
    """Tell whether an object is hardly to be seen on white."""
    red, green, blue, alpha = colour(thing)
    return alpha < FAINT_ALPHA or (red > FAINT_GREY and green > FAINT_GREY and blue > FAINT_GREY)


def covers(thing: Any) -> bool:
    """Tell whether an object may hide what was painted before it."""
    kind = kind_of(thing)
    if kind != pdfium.FPDF_PAGEOBJ_PATH:
        return kind == pdfium.FPDF_PAGEOBJ_IMAGE
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(thing, ctypes.byref(mode), ctypes.byref(stroke))
    return bool(mode.value) and colour(thing)[3] > 100
