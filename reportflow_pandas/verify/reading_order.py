"""Units of text in the order in which they are read: words that a producer tore apart, right-to-left scripts.

Imports neither pandas nor the package: the reading program loads it by its path.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportflow_pandas.verify.page_objects import Box

__all__ = ["around", "from_left", "is_right_to_left", "reunited", "right_to_left", "turned_lines"]

SAME_LEVEL = 0.5
"""Of the letters' height: what shares less of it is another line."""

LAST_BEFORE_HEBREW = "\u0590"


def turned_lines(units: list[list[Any]]) -> list[list[Any]]:
    """Return units in which those of one line stand from right to left, on a page that is read so."""
    lettered = [unit for unit in units if any(map(str.isalpha, unit[0]))]
    turned = [unit for unit in lettered if any(map(is_right_to_left, unit[0]))]
    if 2 * len(turned) <= len(lettered):
        return units
    lines: list[list[list[Any]]] = []
    for unit in units:
        before = lines[-1][-1] if lines else None
        level = min(before[4], unit[4]) - max(before[2], unit[2]) if before else 0.0
        if before and level > SAME_LEVEL * min(before[4] - before[2], unit[4] - unit[2]):
            lines[-1].append(unit)
        else:
            lines.append([unit])
    return [unit for line in lines for unit in sorted(line, key=lambda one: -one[3])]


def around(one: Box, other: Box) -> Box:
    """Return the box that holds both."""
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))


def is_right_to_left(char: str) -> bool:
    """Tell whether a letter is Arabic or Hebrew."""
    return unicodedata.bidirectional(char) in ("R", "AL")


def _read(word: list[tuple[float, str]]) -> list[str]:
    """Return the letters of a word from right to left, numbers in it from left to right."""
    letters = [(char.isascii() and char.isalnum(), char) for _, char in sorted(word, key=lambda one: -one[0])]
    return _with_runs([(not is_plain, char) for is_plain, char in letters])


def _with_runs(pieces: list[tuple[bool, str]]) -> list[str]:
    """Return pieces in their order, but those in a row that are read from left to right turned round."""
    found: list[str] = []
    for turned, run in itertools.groupby(pieces, key=lambda one: one[0]):
        texts = [text for _, text in run]
        found += texts if turned else texts[::-1]
    return found


def reunited(units: list[list[Any]]) -> list[list[Any]]:
    """Return units, those together that are parts of one word though others stand between them in the file.

    A letter in another font, and turned text beside it on the page, tear a word apart.
    """
    ends: dict[int, list[int]] = {}
    kept: list[list[Any]] = []
    for unit in units:
        _, left, bottom, right, top, hidden = unit
        if left not in ends and left - 1 not in ends and left + 1 not in ends:
            ends.setdefault(right, []).append(len(kept))
            kept.append(unit)
            continue
        for at in (at for edge in (left, left - 1, left + 1) for at in ends.get(edge, ())):
            head = kept[at]
            low, high = sorted((head[4] - head[2], top - bottom))
            level = min(head[4], top) - max(head[2], bottom)
            if head[5] == hidden and low > 0.6 * high and level > 0.7 * low and at < len(kept) - 1:
                head[0] += unit[0]
                ends[head[3]].remove(at)
                head[2], head[3], head[4] = min(head[2], bottom), unit[3], max(head[4], top)
                ends.setdefault(head[3], []).append(at)
                break
        else:
            ends.setdefault(unit[3], []).append(len(kept))
            kept.append(unit)
    return kept


def from_left(word: Sequence[tuple[float, str]]) -> str:
    """Return the letters of a word that is read from left to right, by their places where these go back."""
    goes_back = any(two[0] < one[0] - 1 for one, two in itertools.pairwise(word))
    return "".join(char for _, char in (sorted(word, key=lambda one: one[0]) if goes_back else word))


def right_to_left(chars: Sequence[str], box: Callable[[int], Box], begin: int, end: int) -> list[Any] | None:
    """Return a unit with Arabic or Hebrew words in the order in which they are read; None for one without.

    Producers write them as they are read or as they stand, and both in one line: their places tell.
    ``K-417`` between them is read from left to right, in whatever order it comes.
    """
    if not any(char > LAST_BEFORE_HEBREW and is_right_to_left(char) for char in chars[begin:end]):
        return None
    words: list[tuple[float, bool, str]] = []
    sides: list[Box] = []
    word: list[tuple[float, str]] = []
    for at in range(begin, end + 1):
        if at < end and chars[at] and not chars[at].isspace():
            room = box(at)
            sides.append(room)
            word.append(((room[0] + room[2]) / 2, chars[at]))
        elif word:
            is_turned = any(is_right_to_left(char) for _, char in word)
            text = "".join(_read(word)) if is_turned else from_left(word)
            words.append((max(x for x, _ in word), is_turned, text))
            word = []
    words.sort(key=lambda one: -one[0])
    text = " ".join(_with_runs([(is_turned, text) for _, is_turned, text in words]))
    left, bottom = min(room[0] for room in sides), min(room[1] for room in sides)
    right, top = max(room[2] for room in sides), max(room[3] for room in sides)
    return [text, round(left), round(bottom), round(right), round(top), 0]
