"""Texts for people: without characters that change what is seen, and with a number's noun as it is spoken."""

from __future__ import annotations

import re

__all__ = ["INVISIBLE", "JOINERS", "counted", "printable"]

INVISIBLE = (
    r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0001-\U000e007f"
)
"""As a class of a regular expression: marks of direction (CVE-2021-42574), joiners, separators, tags."""

_JOINED = (
    r"[\u0600-\u0603\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17ff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
)
"""Arabic, Indic, Tibetan, Burmese, Khmer, emoji."""

JOINERS = rf"(?<={_JOINED})[\u200c\u200d](?={_JOINED})"
"""A joiner where writing needs it: Persian and Hindi words, a person at a computer. Elsewhere it only hides."""

_NOT_PRINTED = re.compile(rf"(?!{JOINERS})[\x00-\x08\x0b-\x1f\x7f-\x9f{INVISIBLE}]")


def printable(text: str) -> str:
    r"""Return a text for a terminal: what would move its cursor or turn its direction is written as an escape.

    Examples
    --------
    >>> printable("INV-\u202efdp.exe")
    'INV-\\u202efdp.exe'
    """
    return _NOT_PRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, word: str) -> str:
    """Return a number with its word.

    Examples
    --------
    >>> counted(1, "run"), counted(2000, "run")
    ('1 run', '2,000 runs')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
