"""Words that a line's end tears apart, with a hyphen or without."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["SOFT", "WithoutHyphens", "after_break", "is_broken", "without_hyphens"]

SOFT = "\u00ad"
"""A hyphen at a line's end, in the stream of a document's text."""

_HYPHEN = re.compile(f"[-{SOFT}]")


class WithoutHyphens(NamedTuple):
    """A stream without its hyphens.

    Attributes
    ----------
    letters : str
        What is left of it.
    where : list of int
        Where each of them stands in the stream, and the stream's length.
    breaks : list of int
        The letters before which a line was broken.
    pairs : set of str
        Those on both sides of breaks: a text without any of these pairs stands over none of them.
    """

    letters: str
    where: list[int]
    breaks: list[int]
    pairs: set[str]


def without_hyphens(stream: str) -> WithoutHyphens:
    """Return a stream without its hyphens."""
    where: list[int] = []
    breaks: list[int] = []
    begin = 0
    for hyphen in _HYPHEN.finditer(stream):
        where += range(begin, hyphen.start())
        begin = hyphen.end()
        if hyphen[0] == SOFT:
            breaks.append(len(where))
    where += range(begin, len(stream) + 1)
    letters = _HYPHEN.sub("", stream)
    pairs = {letters[at - 1 : at + 1] for at in breaks if 0 < at < len(letters)}
    return WithoutHyphens(letters, where, breaks, pairs)


def is_broken(printed: str, text: str) -> bool:
    """Tell whether a piece of the stream is a text, but for hyphens at the ends of lines."""
    if printed.replace(SOFT, "-") == text:
        return True
    at = 0
    for char in printed:
        if at < len(text) and (char == text[at] or (char == SOFT and text[at] == "-")):
            at += 1
        elif char != SOFT:
            return False
    return at == len(text)


def after_break(text: str, head: str) -> str | None:
    """Return what follows of a text after a part of it at a line's end; None where the part is another text."""
    if head and text.startswith(head.replace(SOFT, "-")):
        return text[len(head) :]
    bare = head[:-1] if head.endswith(("-", SOFT)) else head
    if bare and bare != head and text.startswith(bare):
        return text[len(bare) :]
    return None
