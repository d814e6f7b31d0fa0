"""Where the cells of a table's line stand: in the columns of its own document, and level with each other."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Unit
from reportflow_pandas.verify.text_forms import masked

__all__ = ["Cells", "Column", "Columns", "LineShape", "Row", "has_numbers", "is_level", "shape_of"]

_APART = 2.5
"""Points that cells of one column may be apart, and those of one line."""
_IN_COLUMN = 0.9
_LEVEL = 0.8
"""Share of lines that have a cell in its column, and at its height."""
_LEAST_CELLS = 3
"""Of a line: fewer stand beside each other by chance."""
_MOST_PLACES = 3
_LANGUAGE, _ALL = 0.05, 0.99
"""Share of lines from which a column's place is another language's, and from which none is looked for."""
_ENOUGH_LINES = 6
"""In documents that have several: fewer don't tell at which side the cells of a column are flush."""
_OUTER = 0.05
"""Share of lines that are higher or lower than those by which the height of a cell is told."""
_NEAR = 24
"""Units of a line on one side of its first number."""
_NUMBER = re.compile(r"#(?:[.,']#)+")
_LEFT, _MIDDLE, _RIGHT = 0, 1, 2

Cells = Mapping[str | int, Unit]
"""The cells of a line: texts by their field, numbers by their column."""

Edges = tuple[tuple[int, float], ...]
"""Sides at which cells are flush, each with where; nothing where it is not known."""

Columns = Sequence[Edges]
"""The edges that each column has in a document."""


class Row(NamedTuple):
    """Units with which a line is recognised: its first number and one of its texts."""

    number: int
    text: int


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    key : str or int
        Field of a text; which of a line's numbers.
    sides : tuple of int
        At which its cells are flush in one document: 0 left, 1 in the middle, 2 right.
    places : tuple
        Where they are flush in all documents, in each language; empty where documents differ.
    heads : frozenset of str
        Fixed text above it that is flush with it.
    low, high : float
        How far above a line's first number.
    looks : frozenset of str
        How its numbers look; nothing for texts.
    """

    key: str | int
    sides: tuple[int, ...]
    places: Edges
    heads: frozenset[str]
    low: float
    high: float
    looks: frozenset[str]

    def is_level(self, middle: float, base: float) -> bool:
        """Tell whether a cell is as high above a line's first number as those of this column are."""
        return self.low - _APART <= middle - base <= self.high + _APART


@dataclass(frozen=True)
class LineShape:
    """The columns of numbers, the first of which lines are known by, and those of texts.

    Attributes
    ----------
    numbers, texts : tuple of Column
        Each line has all of the numbers, and one of the texts.
    always : frozenset
        Texts that each line has.
    order : tuple of int
        The columns that are level with each other, from left to right or from right to left.
    looks : frozenset of str
        How all numbers look.
    low, high : float
        How far at least and at most the text that a line is known by is above its first number.
    least, least_after : int
        Units in which a line has its numbers, and those of them that stand after its text.
    labels : frozenset of str
        Texts of lines that the design adds by itself.
    """

    numbers: tuple[Column, ...]
    texts: tuple[Column, ...]
    always: frozenset[str | int]
    order: tuple[str | int, ...]
    looks: frozenset[str]
    low: float
    high: float
    least: int
    least_after: int
    labels: frozenset[str] = frozenset()

    @functools.cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns."""
        return (*self.numbers, *self.texts)

    @functools.cached_property
    def lowest(self) -> float:
        """How far at least a cell is above a line's first number."""
        return min(column.low for column in self.columns)

    @functools.cached_property
    def highest(self) -> float:
        """How far at most a cell is above a line's first number."""
        return max(column.high for column in self.columns)

    @functools.cached_property
    def places(self) -> Columns:
        """Where the columns are in all documents, as far as they are at the same places."""
        return [column.places for column in self.columns]

    @functools.cached_property
    def is_everywhere(self) -> bool:
        """Whether all columns have the same places in all documents."""
        return all(self.places)

    def columns_of(self, lines: Sequence[Cells], otherwise: Columns) -> Columns:
        """Return where the columns of a document are, by the cells of lines that are known."""
        found = []
        for column, other in zip(self.columns, otherwise, strict=True):
            edges = {
                (side, _x(cells[column.key], side))
                for cells in lines
                if column.key in cells
                for side in column.sides
            }
            found.append(tuple(sorted(edges)) or other)
        return found

    def columns_without_lines(self, document: DocumentText) -> Columns:
        """Return where the columns are in a document of which no line is known: or below their heads."""
        if self.is_everywhere:
            return self.places
        heads: dict[str, list[Unit]] = {}
        wanted = frozenset[str]().union(*(column.heads for column in self.columns))
        for unit in document.units:
            if (mask := masked(unit.text)) in wanted:
                heads.setdefault(mask, []).append(unit)
        return [
            column.places
            or tuple(
                (side, _x(unit, side))
                for side in column.sides
                for mask in sorted(column.heads)
                for unit in heads.get(mask, ())
            )
            for column in self.columns
        ]

    def is_number(self, unit: Unit, columns: Columns) -> bool:
        """Tell whether a unit stands in a column of numbers, and looks like them."""
        return _look(unit.text) in self.looks and any(
            not edges or _is_flush(unit, edges) for edges in columns[: len(self.numbers)]
        )

    def apart(self, anchor: Unit, number: Unit) -> float | None:
        """Return how far a text is above a number; None where they are not those of one line."""
        apart = middle_of(anchor) - middle_of(number)
        is_level = anchor.page == number.page and self.low - _APART <= apart <= self.high + _APART
        return abs(apart) if is_level else None

    def rows(self, document: DocumentText, among: Sequence[int], columns: Columns) -> Iterator[Row]:
        """Yield those of some units that are lines: all numbers stand beside each other, and a text does."""
        units, first, edges = document.units, self.numbers[0], columns[0]
        for at, number in enumerate(among):
            unit = units[number]
            if (edges and not _is_flush(unit, edges)) or _look(unit.text) not in first.looks:
                continue
            row = self._row(document, number, among[max(0, at - _NEAR) : at + _NEAR], columns)
            if row is not None:
                yield row

    def _row(self, document: DocumentText, number: int, among: Sequence[int], columns: Columns) -> Row | None:
        """Return the line that has a unit as its first number, if it is one."""
        units, page = document.units, document.units[number].page
        base = middle_of(units[number])
        lowest, highest = base + self.lowest - _APART, base + self.highest + _APART
        near: list[tuple[int, Unit, float]] = []
        for other in among:
            unit = units[other]
            height = (unit.box[1] + unit.box[3]) / 2
            if lowest <= height <= highest and unit.page == page:
                near.append((other, unit, height))
        cells: dict[str | int, list[int]] = {self.numbers[0].key: [number]}
        for column, edges in zip(self.columns[1:], columns[1:], strict=True):
            found = [
                other
                for other, unit, height in near
                if column.is_level(height, base) and _is_cell(unit, column, edges)
            ]
            if found:
                cells[column.key] = found
            elif column.looks or column.key in self.always:
                return None
        texts = [column.key for column in self.texts if column.key in cells]
        if not texts:
            return None
        if not all(columns) and not self._is_in_order(document, cells):
            return None
        return Row(number, min(cells[texts[0]], key=lambda other: abs(middle_of(units[other]) - base)))

    def _is_in_order(self, document: DocumentText, cells: Mapping[str | int, Sequence[int]]) -> bool:
        """Tell whether cells stand beside each other in the order of their columns, from one side or the other."""
        places = [
            [(box[0], box[2]) for other in cells[key] for box in (document.units[other].box,)]
            for key in self.order
            if key in cells
        ]
        return _is_rising(places) or _is_rising([[(-right, -left) for left, right in own] for own in places])


@functools.lru_cache(maxsize=65536)
def _look(text: str) -> str:
    """Return how a number looks, whatever its size: ``€#`` for ``€1,250.00``."""
    return _NUMBER.sub("#", masked(text))


def _is_rising(places: Sequence[Sequence[tuple[float, float]]]) -> bool:
    """Tell whether of each there can be taken one that begins where the one before has ended."""
    end = float("-inf")
    for own in places:
        after = [right for left, right in own if left >= end]
        if not after:
            return False
        end = min(after)
    return True


def _is_cell(unit: Unit, column: Column, edges: Edges) -> bool:
    if edges and not _is_flush(unit, edges):
        return False
    return _look(unit.text) in column.looks if column.looks else any(map(str.isalnum, unit.text))


def _is_flush(unit: Unit, edges: Edges) -> bool:
    box = unit.box
    for side, place in edges:
        at = (box[0] + box[2]) / 2 if side == _MIDDLE else box[side]
        if -_APART <= at - place <= _APART:
            return True
    return False


def _x(unit: Unit, side: int) -> float:
    box = unit.box
    return (box[0] + box[2]) / 2 if side == _MIDDLE else box[side]


def has_numbers(document: DocumentText, among: Sequence[int], least: int) -> bool:
    """Tell whether so many of some units have a number in them."""
    units = document.units
    return len(among) >= least and sum("#" in masked(units[number].text) for number in among) >= least


def middle_of(unit: Unit) -> float:
    """Return the height of a unit's middle."""
    return (unit.box[1] + unit.box[3]) / 2


def is_level(one: Unit, other: Unit) -> bool:
    """Tell whether two units stand beside each other."""
    return one.page == other.page and abs(middle_of(one) - middle_of(other)) <= _APART


# -- learning ------------------------------------------------------------------------------------------------


def shape_of(
    documents: Sequence[Sequence[Cells]],
    above: Sequence[Mapping[str, Unit]],
    *,
    anchor: str,
    always: Collection[str],
    after: Collection[int],
) -> LineShape | None:
    """Return the shape that nearly all lines have; None for none.

    Parameters
    ----------
    documents : sequence of sequence of Cells
        The lines of each document, all of which have all numbers.
    above : sequence of mapping
        The fixed text above the lines of each document.
    anchor : str
        The text that lines are known by.
    always : collection of str
        Texts that each line has.
    after : collection of int
        Numbers that stand after that text.
    """
    lines = [cells for own in documents for cells in own]
    sides = {key: _sides(documents, key) for key in {key for cells in lines for key in cells}}
    numbers = [key for key in _numbers(lines) if sides[key] and _is_recurring(lines, key)]
    first = max(numbers, key=lambda key: (sum(_level(lines, key, other) for other in numbers), -key), default=None)
    if first is None:
        return None
    numbers = [first, *(key for key in numbers if key != first and _level(lines, first, key))]
    names = sorted((key for key in sides if isinstance(key, str)), key=lambda name: (name != anchor, name))
    keys: list[str | int] = [*numbers, *names]
    heights = {key: _span(lines, first, key) for key in keys}
    found, texts = (
        tuple(
            Column(
                key,
                sides[key],
                _places([cells[key] for cells in lines if key in cells], sides[key]),
                _heads(documents, above, key, sides[key]),
                *heights[key],
                frozenset(look for look, count in _looks(lines, key).items() if count > 1),
            )
            for key in keys
        )
        for keys in (numbers, [key for key in names if sides[key] and not _is_beside(lines, key, numbers)])
    )
    kept = frozenset(column.key for column in texts if column.key in always and column.low == column.high)
    if not texts or len(found) + max(1, len(kept)) < _LEAST_CELLS:
        return None
    looks = frozenset[str]().union(*(column.looks for column in found))
    own = _heights(lines, first, anchor) or [0.0]
    least, least_after = (
        min(len({id(cells[key]) for key in numbers if key in keys}) for cells in lines)
        for keys in (numbers, after)
    )
    order = _order(lines, (*found, *texts))
    return LineShape(found, texts, kept, order, looks, min(own), max(own), least, least_after)


def _numbers(lines: Sequence[Cells]) -> list[int]:
    return sorted({key for cells in lines for key in cells if isinstance(key, int)})


def _is_recurring(lines: Sequence[Cells], key: int) -> bool:
    """Tell whether the numbers of a column look like each other: no text stands in one unit with them."""
    return sum(count for count in _looks(lines, key).values() if count > 1) >= _IN_COLUMN * len(lines)


def _looks(lines: Sequence[Cells], key: str | int) -> Counter[str]:
    """Return how the numbers of a column look; nothing for a text."""
    return Counter(_look(cells[key].text) for cells in lines if isinstance(key, int))


def _is_beside(lines: Sequence[Cells], name: str | int, numbers: Sequence[int]) -> bool:
    """Tell whether a text mostly stands in one unit with a number, as the name of its unit does."""
    own = [cells for cells in lines if name in cells]
    return 2 * sum(any(cells[name] is cells[key] for key in numbers) for cells in own) > len(own)


def _sides(documents: Sequence[Sequence[Cells]], key: str | int) -> tuple[int, ...]:
    """Return the fewest sides at which nearly all cells of a column are flush in their document."""
    order = (_RIGHT, _LEFT, _MIDDLE) if isinstance(key, int) else (_LEFT, _RIGHT, _MIDDLE)
    flush: dict[int, list[bool]] = {side: [] for side in order}
    for own in documents:
        units = [cells[key] for cells in own if key in cells]
        for side in order if len(units) > 1 else ():
            places = [_x(unit, side) for unit in units]
            usual, _ = _usual(places)
            flush[side] += [abs(place - usual) <= _APART for place in places]
    count = len(flush[_LEFT])
    if count < _ENOUGH_LINES:
        return (_LEFT, _RIGHT)
    choices = [*((side,) for side in order), *combinations(order, 2)]
    shares = [sum(map(max, *(flush[side] for side in chosen), [False] * count)) / count for chosen in choices]
    # columns change sides where a language is written from right to left
    for least in (_ALL, _IN_COLUMN):
        for chosen, share in zip(choices, shares, strict=True):
            if share >= least:
                return chosen
    return ()


def _places(units: Sequence[Unit], sides: Sequence[int]) -> Edges:
    """Return where the cells of a column are flush in all documents, in each language, if they are."""
    for side in sides:
        rest, places = [_x(unit, side) for unit in units], list[float]()
        while len(places) < _MOST_PLACES and len(rest) > (1 - _ALL) * len(units):
            place, near = _usual(rest)
            if near < _LANGUAGE * len(units):
                break
            places.append(place)
            rest = [other for other in rest if abs(other - place) > _APART]
        if len(rest) <= (1 - _ALL) * len(units):
            return tuple((side, place) for place in places)
    return ()


def _heads(
    documents: Sequence[Sequence[Cells]],
    above: Sequence[Mapping[str, Unit]],
    key: str | int,
    sides: Sequence[int],
) -> frozenset[str]:
    """Return the fixed text above lines that is flush with a column wherever it stands."""
    seen, flush = Counter[str](), Counter[str]()
    for own, heads in zip(documents, above, strict=True):
        edges = tuple((side, _x(cells[key], side)) for cells in own if key in cells for side in sides)
        for mask, unit in heads.items() if edges else ():
            seen[mask] += 1
            flush[mask] += _is_flush(unit, edges)
    return frozenset(mask for mask, count in seen.items() if count > 1 and flush[mask] >= _ALL * count)


def _heights(lines: Sequence[Cells], first: int, key: str | int) -> list[float]:
    """Return how far above their lines' first number the cells of a column are."""
    return [
        middle_of(cells[key]) - middle_of(cells[first])
        for cells in lines
        if key in cells and cells[key].page == cells[first].page
    ]


def _height(lines: Sequence[Cells], first: int, key: str | int) -> tuple[float, float]:
    """Return how far above their lines' first number most cells of a column are, and how many of them."""
    usual, near = _usual(_heights(lines, first, key))
    return usual, near / max(1, sum(key in cells for cells in lines))


def _span(lines: Sequence[Cells], first: int, key: str | int) -> tuple[float, float]:
    """Return from how low to how high a cell is above its line's first number."""
    usual, share = _height(lines, first, key)
    heights = sorted(_heights(lines, first, key))
    outer = int(_OUTER * len(heights))
    return (usual, usual) if share >= _LEVEL else (heights[outer], heights[-1 - outer]) if heights else (0.0, 0.0)


def _level(lines: Sequence[Cells], first: int, key: int) -> bool:
    return _height(lines, first, key)[1] >= _LEVEL


def _order(lines: Sequence[Cells], columns: Sequence[Column]) -> tuple[str | int, ...]:
    """Return the columns that are level with the first number from left to right, as in most lines."""
    keys = [column.key for column in columns if -_APART <= column.low <= column.high <= _APART]
    orders = Counter(
        tuple(sorted(keys, key=lambda key: cells[key].box[0]))
        for cells in lines
        if all(key in cells for key in keys)
    )
    return orders.most_common(1)[0][0] if orders else tuple(keys)


def _usual(places: Sequence[float]) -> tuple[float, int]:
    """Return the most frequent place, and how many are near it."""
    if not places:
        return 0.0, 0
    usual = Counter(places).most_common(1)[0][0]
    return usual, sum(abs(place - usual) <= _APART for place in places)
