"""The text of one document as it is searched: its units, one after the other, and where each stands."""

from __future__ import annotations

import functools
import itertools
import operator
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from reportflow_pandas.verify.late_cells import in_lines
from reportflow_pandas.verify.line_breaks import SOFT, WithoutHyphens, after_break, is_broken, without_hyphens
from reportflow_pandas.verify.text_forms import is_cjk, masked, normal

if TYPE_CHECKING:  # it belongs to the reading program, and is loaded by its path
    from reportflow_pandas.verify.page_objects import Box

__all__ = ["DocumentText", "Place", "Unit"]

_MOST_IN_FOOT, _MOST_IN_HEAD = 4, 8
"""Units of a column between a value's last line on one page and its first on the next: foot and head."""
_COLUMN_POINTS, _MOST_DROP = 2, 8.0
"""Between lines of an address: how far apart they begin, and of the letters' height how far below each other."""
_SEVERAL = -1
"""In place of a page's number."""
_MOST_IN_LINE = 12
"""Units of a table's line on one side of a cell, the further lines of other cells among them."""
_MOST_STEPS = 40
"""Units that a broken value may be spread over."""


class Place(NamedTuple):
    """Where a value stands: from one character of the stream up to another."""

    begin: int
    end: int


class _Word(NamedTuple):
    """A word: its letters in the order of the alphabet, its place and its unit."""

    letters: str
    begin: int
    end: int
    unit: int


@dataclass(slots=True)
class Unit:
    """Characters of one line without a wide gap."""

    text: str
    begin: int
    page: int
    box: Box
    raw: str

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.begin + len(self.text)


class DocumentText:
    """Text of a document, without its spaces, and the units that it stands in.

    Parameters
    ----------
    pages : sequence of mapping
        As the reading program answers: ``size``, ``units``, ``bare``.
    """

    def __init__(self, pages: Sequence[dict[str, Any]]) -> None:
        self.sizes = [tuple(page["size"]) for page in pages]
        self.bare = [bool(page["bare"]) for page in pages]
        self.units: list[Unit] = []
        self.hidden: list[Unit] = []
        edges: list[int] = []
        parts: list[str] = []
        length = 0
        for number, page in enumerate(pages):
            for raw, left, bottom, right, top, hidden in in_lines(page["units"]):
                if hidden:
                    self.hidden.append(Unit(normal(raw), length, number, (left, bottom, right, top), raw))
                    continue
                begin = length
                if raw.isascii():
                    words = raw.lower().split()
                else:
                    words = [normal(word) + (SOFT if word.endswith(SOFT) else "") for word in raw.split()]
                for word in words:
                    edges.append(length)
                    length += len(word)
                if length > begin:
                    text = "".join(words)
                    parts.append(text)
                    shown = raw.replace(SOFT, "-")
                    self.units.append(Unit(text, begin, number, (left, bottom, right, top), shown))
        self.stream = "".join(parts)
        self._soften_hyphens()
        self.edges = bytearray(length + 1)
        for edge in edges:
            self.edges[edge] = 1
        self.edges[length] = 1
        self._plain: WithoutHyphens | None = None
        self._unit_at: list[int] | None = None
        self._known: dict[str, tuple[Place, ...]] = {}
        self._words: list[_Word] | None = None
        self._by_letters: dict[str, list[int]] = {}
        self._by_head: dict[str, list[int]] | None = None
        self._broken: dict[tuple[str, str], tuple[Place, ...] | None] = {}

    def _soften_hyphens(self) -> None:
        """Tell a hyphen at a line's end from others: it may belong to the word, or to the break."""
        is_soft = False
        for unit in self.units:
            text = unit.text
            if text.endswith("-") and text[-2:-1].isalpha():
                unit.text = text[:-1] + SOFT
                is_soft = True
        if is_soft:
            self.stream = "".join(unit.text for unit in self.units)
        self._has_soft = SOFT in self.stream

    def unit_at(self, place: int) -> int:
        """Return the number of the unit that a character belongs to."""
        if self._unit_at is None:
            self._unit_at = []
            for number, unit in enumerate(self.units):
                self._unit_at += [number] * len(unit.text)
            self._unit_at.append(max(0, len(self.units) - 1))
        return self._unit_at[place]

    @functools.cached_property
    def empty_pages(self) -> list[int]:
        """Return the pages on which nothing stands, or only what stands at the same height of another page."""
        heights: dict[tuple[str, int], int] = {}
        for unit in self.units:
            key = masked(unit.text), round(unit.box[1])
            if heights.setdefault(key, unit.page) != unit.page:
                heights[key] = _SEVERAL
        filled = set(heights.values())
        return [number for number in range(len(self.sizes)) if number not in filled]

    def line_around(self, place: int) -> Place:
        """Return from where to where units stand at a character's height, with those between them in the file."""
        here = self.unit_at(place)
        near = range(max(0, here - _MOST_IN_LINE), min(len(self.units), here + _MOST_IN_LINE + 1))
        level = [number for number in near if number == here or self._is_level(number, here)]
        return Place(self.units[level[0]].begin, self.units[level[-1]].end)

    def _is_level(self, number: int, other: int) -> bool:
        one, two = self.units[number], self.units[other]
        common = min(one.box[3], two.box[3]) - max(one.box[1], two.box[1])
        return one.page == two.page and 2 * common > min(one.box[3] - one.box[1], two.box[3] - two.box[1])

    # -- finding values ------------------------------------------------------------------------------------------

    def places(self, text: str, begin: int = 0, end: int | None = None) -> Iterator[Place]:
        """Yield where a text stands for itself: not within a longer word or number."""
        if not text:
            return
        stream, size = self.stream, len(text)
        at = stream.find(text, begin, end)
        while at >= 0:
            if self._stands_alone(at, at + size):
                yield Place(at, at + size)
            at = stream.find(text, at + 1, end)
        if self._has_soft and size > 3:
            stop = len(stream) if end is None else end
            if stream.find(SOFT, begin, stop) >= 0:
                yield from self._hyphenated(text, begin, stop)

    def every_place(self, text: str) -> tuple[Place, ...]:
        """Return where a text stands for itself in the whole document; it is looked for once."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = tuple(self.places(text))
        return found

    def _hyphenated(self, text: str, begin: int, end: int) -> Iterator[Place]:
        """Yield where a text stands with a hyphen at a line's end in it."""
        if self._plain is None:
            self._plain = without_hyphens(self.stream)
        plain, where, breaks, pairs = self._plain
        wanted = text.replace("-", "")
        if pairs.isdisjoint(map(operator.add, wanted, wanted[1:])):
            return
        size = len(wanted)
        at, stop = bisect_left(where, begin), bisect_left(where, end)
        number = 0
        while size > 1:
            number = bisect_right(breaks, at, number)
            if number == len(breaks) or breaks[number] >= stop:
                return
            # no earlier beginning has the next break within it
            at = plain.find(wanted, max(at, breaks[number] - size + 1), stop)
            if at < 0:
                return
            number = bisect_right(breaks, at, number)
            if number < len(breaks) and breaks[number] < at + size:
                first, after = where[at], where[at + size - 1] + 1
                if is_broken(self.stream[first:after], text) and self._stands_alone(first, after):
                    yield Place(first, after)
            at += 1

    def has(self, text: str) -> bool:
        """Tell whether a text stands somewhere for itself."""
        return next(self.places(text), None) is not None

    def _stands_alone(self, begin: int, end: int) -> bool:
        return self._is_edge_before(begin) and self._is_edge_after(end)

    def _is_edge_before(self, begin: int) -> bool:
        stream, edges = self.stream, self.edges
        if not begin or edges[begin]:
            return True
        before, first = stream[begin - 1], stream[begin]
        if first.isdigit():
            is_decimal = before in ".,'" and begin > 1 and stream[begin - 2].isdigit() and not edges[begin - 1]
            return not (before.isdigit() or is_decimal)
        return not (before.isalpha() and first.isalpha()) or is_cjk(before) or is_cjk(first)

    def _is_edge_after(self, end: int) -> bool:
        stream, edges = self.stream, self.edges
        if end >= len(stream) or edges[end]:
            return True
        last, after = stream[end - 1], stream[end]
        if last.isdigit():
            is_decimal = after in ".,'" and stream[end + 1 : end + 2].isdigit() and not edges[end + 1]
            return not (after.isdigit() or is_decimal)
        return not (after.isalpha() and last.isalpha()) or is_cjk(after) or is_cjk(last)

    def hides(self, text: str) -> bool:
        """Tell whether a text is in the file and no eye sees it, or a part of it."""
        return any(len(unit.text) > 2 and (unit.text in text or text in unit.text) for unit in self.hidden)

    def unseen(self, text: str) -> Unit | None:
        """Return the unit that has a whole text and that no eye sees."""
        return next((unit for unit in self.hidden if unit.text == text and len(text) > 2), None)

    def right_to_left(self, raw: str, begin: int = 0, end: int | None = None) -> list[tuple[Place, ...]]:
        """Return where a text in Arabic or Hebrew letters stands, each place with its parts in several lines."""
        if raw.isascii() or not any(map(_is_right_to_left, raw)):
            return []
        if self._words is None:
            self._words, self._by_letters = self._lettered()
        wanted = [letters for word in raw.split() if (letters := _letters(word))]
        found = []
        for order in (wanted, _other_way(raw)):
            for first in self._by_letters.get(order[0], ()) if order else ():
                word = self._words[first]
                if begin <= word.begin and (end is None or word.end <= end):
                    parts = self._words_from(order, first)
                    if parts is not None:
                        found.append(parts)
            if found:
                break
        return found

    def _lettered(self) -> tuple[list[_Word], dict[str, list[int]]]:
        """Return the words in their order, by their letters alone: joined letters are told in another order."""
        words: list[_Word] = []
        by_letters: dict[str, list[int]] = {}
        for number, unit in enumerate(self.units):
            begin = unit.begin
            for raw in unit.raw.split():
                end = begin + len(normal(raw))
                if letters := _letters(raw):
                    by_letters.setdefault(letters, []).append(len(words))
                    words.append(_Word(letters, begin, end, number))
                begin = end
        return words, by_letters

    def _words_from(self, wanted: Sequence[str], first: int) -> tuple[Place, ...] | None:
        """Return where words stand, from a first one on: in its line, and in the lines of its column below it."""
        assert self._words is not None  # noqa: S101 - made by the only caller
        words = self._words
        at = 0
        while at < len(wanted) and first + at < len(words) and words[first + at].letters == wanted[at]:
            at += 1
        if not at:
            return None
        part = Place(words[first].begin, words[first + at - 1].end)
        if at == len(wanted):
            return (part,)
        unit = words[first + at - 1].unit
        if first + at < len(words) and words[first + at].unit == unit:
            return None  # another word follows in this line
        for below in self._below(unit):
            following = bisect_left(words, self.units[below].begin, key=lambda word: word.begin)
            if following != first + at and following < len(words) and words[following].unit == below:
                rest = self._words_from(wanted[at:], following)
                if rest is not None:
                    return (part, *rest)
        return None

    def broken(self, text: str, raw: str = "") -> tuple[Place, ...] | None:
        """Return the parts of a value that is broken over lines of its column, or over pages; hyphens aside.

        ``raw`` has its words, which tell it in scripts that are read from right to left.
        """
        if len(text) < 4:
            return None
        if (text, raw) not in self._broken:
            self._broken[text, raw] = self._in_parts(text, raw) or self._in_own_lines(raw)
        return self._broken[text, raw]

    def _in_parts(self, text: str, raw: str) -> tuple[Place, ...] | None:
        if turned := self.right_to_left(raw):
            return turned[0]
        if self._by_head is None:
            self._by_head = {}
            for number, unit in enumerate(self.units):
                self._by_head.setdefault(unit.text[:2], []).append(number)
        for number in self._starts(text):
            unit = self.units[number]
            begin = unit.text.find(text[:2])
            head = unit.text[begin:]
            rest = after_break(text, head)
            if rest is not None and (not begin or self._stands_alone(unit.begin + begin, unit.begin + begin + 2)):
                parts = self._continued(rest, number, [Place(unit.begin + begin, unit.end)])
                if parts is not None:
                    return tuple(parts)
        return None

    def _in_own_lines(self, raw: str) -> tuple[Place, ...] | None:
        """Return where the lines of an address stand below each other: cells beside them may keep them apart."""
        wanted = [text for line in raw.splitlines() if (text := normal(line))]
        if len(wanted) < 2 or len(wanted[0]) < 3:
            return None
        for first in self.places(wanted[0]):
            parts, above = [first], self.units[self.unit_at(first.begin)]
            for text in wanted[1:]:
                for place in self.places(text):
                    unit = self.units[self.unit_at(place.begin)]
                    drop = above.box[1] - unit.box[1]
                    is_aligned = unit.page == above.page and abs(unit.box[0] - above.box[0]) <= _COLUMN_POINTS
                    if is_aligned and 0 < drop <= _MOST_DROP * (above.box[3] - above.box[1]):
                        parts.append(place)
                        above = unit
                        break
            if len(parts) == len(wanted):
                return tuple(parts)
        return None

    def _starts(self, text: str) -> list[int]:
        assert self._by_head is not None  # noqa: S101 - made by the only caller
        whole = self._by_head.get(text[:2], [])
        within = {self.unit_at(place.begin) for place in self.places_of_head(text[:3])}
        return [*whole, *sorted(within - set(whole))]

    def places_of_head(self, head: str) -> Iterator[Place]:
        """Yield where a beginning stands, whatever follows."""
        at = self.stream.find(head)
        while at >= 0:
            yield Place(at, at + len(head))
            at = self.stream.find(head, at + 1)

    def _continued(self, rest: str, number: int, parts: list[Place]) -> list[Place] | None:
        if not rest:
            return parts
        if len(parts) >= _MOST_STEPS:
            return None
        for following in self._below(number):
            unit = self.units[following]
            if unit.text.startswith(rest):
                return [*parts, Place(unit.begin, unit.begin + len(rest))]
            remainder = after_break(rest, unit.text)
            if remainder is not None:
                found = self._continued(remainder, following, [*parts, Place(unit.begin, unit.end)])
                if found is not None:
                    return found
        return None

    def _below(self, number: int) -> Iterator[int]:
        """Yield the units in which a column may go on: the next line, the next page."""
        here = self.units[number]
        page = here.page
        left, bottom, right, top = here.box
        height = max(4.0, top - bottom)
        lower = 0
        following = []
        for other in range(max(0, number - 60), min(len(self.units), number + 60)):
            unit = self.units[other]
            begin, foot, end, _ = unit.box
            if unit.page == page:
                drop = bottom - foot
                if drop > 0.5 * height:
                    if drop < 2.6 * height and begin < right + height and end > left - height:
                        yield other
                    lower += begin < right and end > left
            elif unit.page == page + 1 and begin < right + height and end > left - height:
                following.append(other)
        if lower <= _MOST_IN_FOOT:
            yield from sorted(following, key=lambda one: -self.units[one].box[3])[:_MOST_IN_HEAD]
        if number + 1 < len(self.units):
            yield number + 1  # the file's own order: a further column, letters set one by one

    # -- telling -------------------------------------------------------------------------------------------------

    def raw(self, begin: int, end: int) -> str:
        """Return a piece of the stream as it is printed, with its spaces."""
        parts = []
        for number in range(self.unit_at(begin), self.unit_at(max(begin, end - 1)) + 1):
            unit = self.units[number]
            if unit.begin >= begin and unit.end <= end:
                parts.append(unit.raw)
            else:
                parts.append(_piece(unit.raw, max(0, begin - unit.begin), min(len(unit.text), end - unit.begin)))
        return " ".join(parts)

    def marks(self, place: Place) -> list[tuple[int, Box]]:
        """Return page and box of each unit's share of a place."""
        found = []
        for number in range(self.unit_at(place.begin), self.unit_at(max(place.begin, place.end - 1)) + 1):
            unit = self.units[number]
            left, bottom, right, top = unit.box
            width = (right - left) / max(1, len(unit.text))
            first, after = max(0, place.begin - unit.begin), min(len(unit.text), place.end - unit.begin)
            found.append((unit.page, (left + first * width, bottom, left + after * width, top)))
        return found

    def mask(self, number: int) -> str:
        """Return a unit's text with its digits hidden; an empty text before the first."""
        return masked(self.units[number].text) if 0 <= number < len(self.units) else ""


def _is_right_to_left(char: str) -> bool:
    return unicodedata.bidirectional(char) in ("R", "AL")


@functools.lru_cache(maxsize=65536)
def _letters(word: str) -> str:
    """Return the letters and digits of a word in the order of the alphabet."""
    return "".join(sorted(char for char in normal(word) if char.isalnum() or unicodedata.combining(char)))


def _other_way(raw: str) -> list[str]:
    """Return a text's words as they are read within a line of the other direction: its runs from the last one."""
    words = [(any(map(_is_right_to_left, word)), _letters(word)) for word in raw.split()]
    runs = [[word for _, word in run if word] for _, run in itertools.groupby(words, key=lambda one: one[0])]
    return [word for run in reversed(runs) for word in run] if len(runs) > 1 else []


def _piece(raw: str, first: int, after: int) -> str:
    """Return the part of a printed text that holds these characters, spaces not counted."""
    count = 0
    kept: list[str] = []
    for char in raw:
        size = len(normal(char))
        if first <= count < after or (kept and not size and count < after):
            kept.append(char)
        count += size
    return "".join(kept).strip() or re.sub(r"\s+", " ", raw).strip()
