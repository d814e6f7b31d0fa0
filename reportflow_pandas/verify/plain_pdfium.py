"""PDFium's functions by their own names, called in the quickest way that ctypes has.

A page has hundreds of objects and thousands of characters, and asked so often, Python's share of a call is longer
than PDFium's. So what a function returns is a plain address, it is made an argument once and not at each call
(`handle`), ctypes is told no types of arguments, which it would look into each time, and the interpreter stays
locked, for the program has one thread. pypdfium2's own declarations take as long to load as Python itself.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.machinery import PathFinder
from typing import Any

FPDF_PAGEOBJ_TEXT, FPDF_PAGEOBJ_PATH, FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_FORM = 1, 2, 3, 5
FPDF_TEXTRENDERMODE_UNKNOWN, FPDF_TEXTRENDERMODE_INVISIBLE = -1, 3
FPDF_ERR_PASSWORD = 4
FPDF_GRAYSCALE = 0x08

_RETURNED = {
    **dict.fromkeys(
        (
            "FPDF_LoadMemDocument64",
            "FPDF_LoadPage",
            "FPDFBitmap_Create",
            "FPDFBitmap_GetBuffer",
            "FPDFClipPath_GetPathSegment",
            "FPDFFont_GetGlyphPath",
            "FPDFFormObj_GetObject",
            "FPDFGlyphPath_GetGlyphPathSegment",
            "FPDFPageObj_GetClipPath",
            "FPDFPage_GetObject",
            "FPDFTextObj_GetFont",
            "FPDFText_GetTextObject",
            "FPDFText_LoadPage",
        ),
        ctypes.c_void_p,
    ),
    "FPDF_GetPageHeightF": ctypes.c_float,
    "FPDF_GetPageWidthF": ctypes.c_float,
    "FPDFText_GetFontSize": ctypes.c_double,
}
"""What functions return that return no int."""

handle = ctypes.c_void_p.from_param
"""Makes an argument of an address."""


def floats(count: int) -> tuple[Any, list[Any]]:
    """Return room for numbers that PDFium writes, and the arguments that say where each of them goes."""
    room = (ctypes.c_float * count)()
    return room, [ctypes.byref(room, ctypes.sizeof(ctypes.c_float) * at) for at in range(count)]


def _library() -> ctypes.PyDLL:
    """Return PDFium as pypdfium2 brings it; as its declarations find it where it is the system's own."""
    names = {"win32": "pdfium.dll", "darwin": "libpdfium.dylib"}
    found = PathFinder.find_spec("pypdfium2_raw")
    if found is not None and found.origin is not None:
        path = os.path.join(os.path.dirname(found.origin), names.get(sys.platform, "libpdfium.so"))  # noqa: PTH118, PTH120 - pathlib takes longer to load than this
        if os.path.exists(path):  # noqa: PTH110 - the same
            return ctypes.PyDLL(path)
    from pypdfium2_raw import bindings  # noqa: PLC0415

    return ctypes.PyDLL(bindings._libs["pdfium"]._name)  # noqa: SLF001 - it has no other name


_pdfium = _library()


def __getattr__(name: str) -> Any:
    """Return one of PDFium's functions; from then on it is this module's own."""
    if not name.startswith("FPDF"):
        raise AttributeError(name)
    function = getattr(_pdfium, name)
    function.restype = _RETURNED.get(name, ctypes.c_int)
    globals()[name] = function
    return function
