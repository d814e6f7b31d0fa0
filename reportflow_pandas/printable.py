"""Characters that cannot be seen and that change what is seen: kept out of file names and of terminals."""

from __future__ import annotations

import re

__all__ = ["INVISIBLE", "printable"]

INVISIBLE = (
    r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0001-\U000e007f"
)
"""As a class of a regular expression: marks of direction (CVE-2021-42574), joiners, separators, tags."""

_NOT_PRINTED = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{INVISIBLE}]")


def printable(text: str) -> str:
    r"""Return a text for a terminal: what would move its cursor or turn its direction is written as an escape.

    Examples
    --------
    >>> printable("INV-\u202efdp.exe")
    'INV-\\u202efdp.exe'
    """
    return _NOT_PRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
