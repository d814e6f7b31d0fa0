"""Where the cells of a table's line stand on the page, and the lines that have this shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Unit
from reportflow_pandas.verify.text_forms import masked

__all__ = ["LineShape", "Placed", "shape_of"]

_APART = 2.5
"""Points that cells of one column may be apart, and those of one line."""
_IN_COLUMN = 0.9
_LEVEL = 0.8
"""Share of lines that have a cell in its column, and at its height."""
_LEAST_COLUMNS = 2
_MOST_PLACES = 3
_LANGUAGE, _ALL = 0.05, 0.99
"""Share of lines from which a column's place is another language's, and from which none is looked for."""
_BEFORE, _AFTER = 12, 20
"""Units of a line around the one that it is known by."""


class Edge(NamedTuple):
    """The side at which the cells of a column are flush, 0 for left, 2 for right, and where, in each language."""

    side: int
    places: tuple[float, ...]

    def has(self, unit: Unit) -> bool:
        """Tell whether a unit is flush with it."""
        at = unit.box[self.side]
        for place in self.places:  # noqa: SIM110 - it is asked of each unit
            if -_APART <= at - place <= _APART:
                return True
        return False


class Column(NamedTuple):
    """A column: its edge, how far above the line's known cell, and how its numbers look; nothing for texts."""

    edge: Edge
    height: float
    masks: frozenset[str]


@dataclass(frozen=True)
class LineShape:
    """The cell that lines are known by, and the columns of numbers beside it."""

    known_by: Edge
    columns: tuple[Column, ...]
    masks: frozenset[str]

    def rows(
        self, document: DocumentText, among: Sequence[int], known: Collection[int] = frozenset()
    ) -> Iterator[int]:
        """Yield those of some units that a line is known by: there are numbers in all columns beside them.

        Units that are ``known`` already are left out.
        """
        units = document.units
        for at, number in enumerate(among):
            unit = units[number]
            if not self.known_by.has(unit) or number in known or not any(map(str.isalpha, unit.text)):
                continue
            near = [units[other] for other in among[max(0, at - _BEFORE) : at + _AFTER] if other != number]
            near = [other for other in near if other.page == unit.page]
            middle, heights = _middle(unit), [_middle(other) for other in near]
            if all(_has_cell(column, middle, near, heights) for column in self.columns):
                yield number


Placed = tuple[Unit, list[tuple[Unit, Unit]]]
"""The unit that a line is known by and, by column, that of the line which the number belongs to and its own."""


def _middle(unit: Unit) -> float:
    return (unit.box[1] + unit.box[3]) / 2


def _has_cell(column: Column, middle: float, near: Sequence[Unit], heights: Sequence[float]) -> bool:
    """Tell whether a column has a cell beside a line's known one; the height, asked first, rules most out."""
    for unit, height in zip(near, heights, strict=True):
        if abs(height - middle - column.height) > _APART or not column.edge.has(unit):
            continue
        if not column.masks or masked(unit.text) in column.masks:
            return True
    return False


def shape_of(lines: Sequence[Placed], texts: int) -> LineShape | None:
    """Return the shape that nearly all lines have, the first of whose columns are texts; None for none."""
    known_by = _edge([known for known, _ in lines])
    columns: list[Column] = []
    for at, cells in enumerate(zip(*(cells for _, cells in lines), strict=True)):
        edge = _edge([unit for _, unit in cells])
        heights = [
            _middle(unit) - _middle(base) for base, unit in cells if unit.page == base.page and unit != base
        ]
        height, level = _usual(heights)
        if at < texts and abs(height) > _APART:
            continue  # below the first line of a text, which may have several
        if edge is not None and level >= _LEVEL * len(cells):
            masks = (masked(unit.text) for _, unit in cells) if at >= texts else ()
            columns.append(Column(edge, height, frozenset(masks)))
    numbers = frozenset[str]().union(*(column.masks for column in columns))
    if known_by is None or len(columns) < _LEAST_COLUMNS or not numbers:
        return None
    return LineShape(known_by, tuple(columns), numbers)


def _edge(units: Sequence[Unit]) -> Edge | None:
    """Return where nearly all cells of a column are flush; None where they are not."""
    best: tuple[int, int, Edge] | None = None
    for side in (0, 2):
        rest, places, number = [unit.box[side] for unit in units], list[float](), 0
        while len(places) < _MOST_PLACES:
            place, near = _usual(rest)
            if not near or near < _LANGUAGE * len(units):
                break
            places.append(place)
            number += near
            rest = [other for other in rest if abs(other - place) > _APART]
            if number >= _ALL * len(units):
                break
        if number >= _IN_COLUMN * len(units) and places:
            found = (-len(places), number, Edge(side, tuple(places)))
            best = found if best is None or found[:2] > best[:2] else best
    return best[2] if best is not None else None


def _usual(places: Sequence[float]) -> tuple[float, int]:
    """Return the most frequent place, and how many are near it."""
    if not places:
        return 0.0, 0
    usual = Counter(places).most_common(1)[0][0]
    return usual, sum(abs(place - usual) <= _APART for place in places)
