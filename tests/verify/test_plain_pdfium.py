"""PDFium's functions are called as its headers declare them, though ctypes is told little of it."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import pytest
from pypdfium2_raw import bindings

from reportflow_pandas.verify import plain_pdfium

SOURCES = Path(plain_pdfium.__file__).parent
READING = ("read_pdf", "page_units", "page_objects", "glyph_outlines")
USED = sorted(
    {
        name
        for module in READING
        for name in re.findall(r"pdfium\.(FPDF\w+)", (SOURCES / f"{module}.py").read_text(encoding="utf-8"))
    }
)
FUNCTIONS = [name for name in USED if callable(getattr(bindings, name))]
PASSED_AS_THEIR_TYPES = {
    "FPDF_LoadMemDocument64": [ctypes.c_size_t],
    "FPDFBitmap_FillRect": [ctypes.c_ulong],
    "FPDFFont_GetGlyphPath": [ctypes.c_float],
    "FPDFFormObj_GetObject": [ctypes.c_ulong],
}


def is_pointer(kind: Any) -> bool:
    return kind is ctypes.c_void_p or hasattr(kind, "contents") or kind is ctypes.c_char_p or "String" in str(kind)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_returns_what_it_is_declared_to_return(name: str) -> None:
    declared, own = getattr(bindings, name).restype, getattr(plain_pdfium, name).restype
    if is_pointer(declared):
        assert own is ctypes.c_void_p
    elif declared in (ctypes.c_float, ctypes.c_double):
        assert own is declared
    else:  # nothing, or a number no larger than this
        assert own is ctypes.c_int


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_numbers_that_ctypes_passes_without_their_type(name: str) -> None:
    numbers = [kind for kind in getattr(bindings, name).argtypes if not is_pointer(kind)]
    assert [kind for kind in numbers if kind not in (ctypes.c_int, ctypes.c_uint)] == PASSED_AS_THEIR_TYPES.get(
        name, []
    )


@pytest.mark.parametrize("name", [name for name in USED if name not in FUNCTIONS])
def test_a_constant_is_that_of_the_headers(name: str) -> None:
    assert getattr(plain_pdfium, name) == getattr(bindings, name)
