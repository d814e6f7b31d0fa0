"""Colour profiles in PDFs: PDFium takes longer to work them out than to read a page, and text needs none of them.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import contextlib
import re
import zlib

__all__ = ["without_profiles"]

_STREAM = re.compile(rb"/N\s*[13]\b(?:(?!endobj).){0,400}?>>\s*stream\r?\n", re.DOTALL)
"""A stream with a number of colours, grey or RGB: these are shown alike without their profile."""

_SIGN = slice(36, 40)
"""Bytes by which a profile is known (ICC.1:2022, 7.2)."""


def without_profiles(data: bytes) -> bytes:
    """Return a PDF in which the profiles of its colours can't be read; all else stays in its place."""
    begins = [stream.end() for stream in _STREAM.finditer(data) if _is_profile(data, stream.end())]
    if not begins:
        return data
    changed = bytearray(data)
    for begin in begins:
        changed[begin : begin + _SIGN.stop] = bytes(_SIGN.stop)
    return bytes(changed)


def _is_profile(data: bytes, begin: int) -> bool:
    body = data[begin : begin + 4096]
    with contextlib.suppress(zlib.error):  # it is not packed
        body = zlib.decompressobj().decompress(body, _SIGN.stop)
    return body[_SIGN] == b"acsp"
