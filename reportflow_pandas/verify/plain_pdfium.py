"""PDFium's functions and constants under their own names, with plain numbers as handles.

pypdfium2 makes an object of every handle that a function returns or takes. A page has hundreds of objects and
thousands of characters, and asked so often, that takes longer than PDFium's own work: as numbers it is half.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pypdfium2_raw import bindings as pdfium  # without pypdfium2's own classes it starts in two thirds of the time

_ANY_POINTER = type(ctypes.POINTER(ctypes.c_int))


def __getattr__(name: str) -> Any:
    """Return one of PDFium's functions or constants; from then on it is this module's own."""
    found = getattr(pdfium, name)
    globals()[name] = found = _with_numbers(found) if hasattr(found, "argtypes") else found
    return found


def _with_numbers(function: Any) -> Any:
    """Return a function of the same library and address that takes and returns handles as numbers."""
    plain = type(function)(ctypes.cast(function, ctypes.c_void_p).value)
    plain.argtypes = [_plain(kind) for kind in function.argtypes]
    plain.restype = _plain(function.restype)
    return plain


def _plain(kind: Any) -> Any:
    return ctypes.c_void_p if isinstance(kind, _ANY_POINTER) else kind
