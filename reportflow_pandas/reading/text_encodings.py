"""Bytes of a text file become text: by their first bytes, by what was named, or the likely ones are told."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.reading_options import refusal

__all__ = ["decoded"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = (
    ("cp932", "Excel in Japan"),
    ("euc_jp", "older programs in Japan"),
    ("cp1252", "Excel in Western Europe"),
    ("cp1250", "Excel in Central Europe"),
    ("cp1251", "Excel in Cyrillic"),
    ("gb18030", "Excel in China"),
    ("big5", "Excel in Taiwan"),
    ("cp949", "Excel in Korea"),
)
_KANA = frozenset(map(chr, range(0x3001, 0x3100)))
"""Letters and punctuation of Japanese beside kanji."""
_ENCODINGS_SHOWN = 4
_COMMON = {
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5": ("big5", 0xA4, 0xC6),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
"""Where the characters that people use stand in the tables of East Asia: code, first and last lead byte."""
_SAMPLE_SIGNS = 20
"""Characters by which people know the right encoding."""
_BYTES_LOOKED_AT = 1 << 16
"""Of a file whose encoding is guessed."""
_ZEROS_ON_ONE_SIDE = 5
"""Times as many zeros in every second byte as in the others has a text in UTF-16."""
_FEWEST_ZEROS = 1 / 32
"""Share of zeros from which on they are no accident: a text in UTF-16 has line breaks and separators at least."""
_ISO_2022 = b"\x1b$"
"""How Japanese begins in mails and on mainframes: all bytes after it look like plain English."""


def decoded(path: Path, encoding: str | None) -> str:
    """Return a file's text.

    Raises
    ------
    ConfigurationError
        It is written in another encoding, with those that are likely.
    """
    content = path.read_bytes()
    marked = next((name for mark, name in _BOMS if content.startswith(mark)), None)
    used = marked if encoding is None or marked in ("utf-8-sig", "utf-16", "utf-32") else encoding
    if used is None:
        used = _without_mark(content)
    try:
        text = content.decode(used)
    except UnicodeDecodeError as reason:
        line = content.count(b"\n", 0, reason.start) + 1
        raise refusal(
            path, f"is not written in {used.removesuffix('-sig')} (line {line}). {_other_encodings(content, used)}"
        ) from None
    except LookupError:
        raise ConfigurationError(
            f"encoding={encoding!r}: there is none of this name; 'utf-8', 'cp932' and 'cp1252' are common"
        ) from None
    text = text.rstrip("\x1a")  # how DOS ends a text
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise refusal(
            path,
            f"holds bytes that no text has (line {line}): it is damaged, or no text file. Save it as 'CSV UTF-8'",
        )
    return text.removeprefix("\ufeff")


def _without_mark(content: bytes) -> str:
    """Return the encoding of a file that doesn't begin with a mark: UTF-16 shows by its zeros."""
    head = content[:_BYTES_LOOKED_AT]
    if b"\x00" not in head:
        return "iso2022_jp" if _ISO_2022 in head and head.isascii() else "utf-8"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < max(_ZEROS_ON_ONE_SIDE * min(even, odd), _FEWEST_ZEROS * len(head)):
        return "utf-8"  # zeros anywhere: no text at all, which decoding tells
    return "utf-16-le" if odd > even else "utf-16-be"


def _other_encodings(content: bytes, used: str) -> str:
    ways = [(name, where) for name, where in _ENCODINGS if name != used and _decodes(content, name)]
    likely = _likely(content)
    if likely in dict(ways):  # the commonest of those that say the same
        likely = next(name for name, _ in ways if content.decode(name) == content.decode(likely))
    ways.sort(key=lambda way: (_plausible(content, way[0]), way[0] == likely), reverse=True)
    read: dict[str, str] = {}
    for name, where in ways:
        read.setdefault(_sample(content, name), f"encoding={name!r} ({where})")
    named = "; ".join(f"{way} reads {sample!r}" for sample, way in list(read.items())[:_ENCODINGS_SHOWN])
    return (
        f"What it may be: {named}. Add the right one, or save it as 'CSV UTF-8'"
        if named
        else "Save it as 'CSV UTF-8'"
    )


def _sample(content: bytes, encoding: str) -> str:
    """Return the first word that is no plain English, by which people know the right encoding."""
    text = content[:_BYTES_LOOKED_AT].decode(encoding, errors="ignore")
    words = (word for word in re.split(r"[\s,;|]+", text) if not word.isascii())
    return next(words, "")[:_SAMPLE_SIGNS]


def _plausible(content: bytes, encoding: str) -> tuple[float, int]:
    """Return the share of characters beyond English that people use, in tenths, and how few these are."""
    text = content[:_BYTES_LOOKED_AT].decode(encoding, errors="ignore")
    foreign = [at for at, character in enumerate(text) if not character.isascii()]
    if encoding in _COMMON:
        code, first, last = _COMMON[encoding]
        good = sum(
            first <= text[at].encode(code, errors="replace")[0] <= last or (code == "euc_jp" and text[at] in _KANA)
            for at in foreign
        )
    else:  # a capital inside a word is none
        first, last = 0, 255
        good = sum(
            text[at].isalpha() and not (text[at].isupper() and text[at - 1 : at].islower()) for at in foreign
        )
    return round(good / max(len(foreign), 1), 1), first - last


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _likely(content: bytes) -> str:
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415 - of the extra `files`, needed here only
    except ImportError:
        return ""
    best = from_bytes(content[:_BYTES_LOOKED_AT], cp_isolation=[name for name, _ in _ENCODINGS]).best()
    return best.encoding if best is not None else ""
