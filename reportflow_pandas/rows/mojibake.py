"""Texts that were read with another encoding than they were written in, recognised and read again.

Bytes of UTF-8 that were taken for another encoding give themselves away: hardly any real text, written in that
encoding again, is UTF-8 by chance. The idea is that of ftfy (https://ftfy.readthedocs.io).
"""

from __future__ import annotations

import re

__all__ = ["may_be_mojibake", "repaired"]

_UPPER_HALF = bytes(range(0x80, 0xC0)).decode("cp1252", errors="ignore") + "".join(map(chr, range(0x80, 0xC0)))
_LATIN = re.compile(f"[\u00c2-\u00f4][{re.escape(_UPPER_HALF)}]")
_CYRILLIC = re.compile(f"[\u0412-\u0444][{re.escape(bytes(range(0x80, 0xC0)).decode('cp1251', errors='ignore'))}]")
_KANJI = re.compile("[\u3400-\u9fff\uff61-\uff9f]")
_SIGNS = re.compile("[\u20ac\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u0161\u0153]")
"""Signs that texts of Shift_JIS are full of where they were taken for cp1252."""
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]+")

_TAKEN_FOR = ((_LATIN, "cp1252", 2), (_CYRILLIC, "cp1251", 4), (_KANJI, "cp932", 3))
"""What UTF-8 looks like in another encoding, that encoding, and the fewest characters that are evidence."""

_ANY = re.compile("|".join(pattern.pattern for pattern in (_LATIN, _CYRILLIC, _KANJI, _SIGNS)))


def may_be_mojibake(text: str) -> bool:
    """Tell whether a text, or many at once, is worth a closer look."""
    return not text.isascii() and _ANY.search(text) is not None


def repaired(text: str) -> str | None:
    """Return what a text was before it was read with a wrong encoding; None where nothing says that it was.

    Examples
    --------
    >>> repaired("MÃ¼ller"), repaired("Müller")
    ('Müller', None)
    """
    if not may_be_mojibake(text):
        return None
    for look, encoding, fewest in _TAKEN_FOR:
        if len(text) >= fewest and look.search(text):
            read = _read_again(text, encoding, "utf-8")
            if read is not None and len(read) < len(text):
                return read
    if len(_SIGNS.findall(text)) > 1:
        read = _read_again(text, "cp1252", "cp932")
        if read is not None and _JAPANESE.fullmatch(read):
            return read
    return None


def _read_again(text: str, taken_for: str, written_in: str) -> str | None:
    try:
        # what cp1252 has no character for, readers leave as it is
        read = b"".join(_encoded(character, taken_for) for character in text).decode(written_in)
    except UnicodeError:
        return None
    return read if read.replace("\n", " ").replace("\t", " ").isprintable() else None


def _encoded(character: str, encoding: str) -> bytes:
    try:
        return character.encode(encoding)
    except UnicodeEncodeError:
        if encoding == "cp1252":
            return character.encode("latin-1")
        raise
