"""Cells that a program writes after all others of a page, put back into their lines.

Calc writes cells of one line first and those of several lines after them, so that a table's lines come without
their longest cells. Such a cell goes back where others that were written one after the other stand beside it on
both sides, or several numbers on one, and something above them, or below it, was written in between: neither
columns of text nor cells that are written one after the other are like this.
"""

from __future__ import annotations

import itertools
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["in_lines"]

_SAME_LEVEL = 0.5
"""Of the letters' height: what shares less of it is another line."""
_NUMBERS, _NUMBER = 2, re.compile(r"\D{0,4}\d[\d.,' \-/]*\D{0,4}")
"""Beside a cell that goes back, where all others are on one side of it; with a currency or a unit."""
_NEXT_LINE = 2.6
"""Of the letters' height: how far below a line of a cell its next one is at most."""

_NEARER = 0.75
"""Of the way to the line above: what is so near to the one below belongs to that."""

Unit = Sequence[Any]
"""``[text, left, bottom, right, top, hidden]``."""


def in_lines(units: Sequence[Unit]) -> Sequence[Unit]:
    """Return a page's units in the order of the file, but cells that came late in their lines.

    Examples
    --------
    >>> early = [["1", 0, 90, 5, 98, 0], ["bolt", 60, 90, 80, 98, 0]]
    >>> early += [["2", 0, 60, 5, 68, 0], ["nut", 60, 60, 80, 68, 0]]
    >>> late = [["a long", 10, 90, 50, 98, 0], ["name", 10, 80, 50, 88, 0], ["another", 10, 60, 50, 68, 0]]
    >>> [unit[0] for unit in in_lines(early + late)]
    ['1', 'a long', 'name', 'bolt', '2', 'another', 'nut']
    """
    if not any(two[2] >= one[4] for one, two in itertools.pairwise(units)):
        return units  # it never goes up
    levels, floors = _levels(units)
    before: dict[int, list[list[Unit]]] = {}
    heights = sorted(levels)
    late = [_host(units, levels, heights, at) if units[at][4] > floors[at] else None for at in range(len(units))]
    if late.count(None) == len(late):
        return units
    moved: set[int] = set()
    for cell in _cells(units, late):
        host = next(at for number in cell if (at := late[number]) is not None)
        before.setdefault(host, []).append([units[number] for number in cell])
        moved.update(cell)
    if not moved:
        return units
    kept: list[Unit] = []
    for at in range(len(units) + 1):
        for own in sorted(before.get(at, ()), key=lambda one: one[0][1], reverse=_is_turned(units, at)):
            kept += own
        if at < len(units) and at not in moved:
            kept.append(units[at])
    return kept


def _levels(units: Sequence[Unit]) -> tuple[dict[int, list[range]], list[int]]:
    """Return by height the units of each line that were written one after the other, where there are several.

    With them comes, for each unit, the lowest edge of the lines before its own: what is below is in none of them.
    """
    found: dict[int, list[range]] = {}
    floors: list[int] = []
    begin, floor = 0, sys.maxsize
    for at in range(1, len(units) + 1):
        if at == len(units) or not _is_level(units[at - 1], units[at]):
            if at - begin > 1:
                middle = (units[begin][2] + units[begin][4]) // 2
                found.setdefault(middle, []).append(range(begin, at))
            floors += [floor] * (at - begin)
            floor = min(floor, *(units[number][2] for number in range(begin, at)))
            begin = at
    return found, floors


def _is_level(one: Unit, other: Unit) -> bool:
    low = min(one[4] - one[2], other[4] - other[2])
    return bool(min(one[4], other[4]) - max(one[2], other[2]) > _SAME_LEVEL * low)


def _is_beside(one: Unit, other: Unit) -> bool:
    return bool(one[3] <= other[1] + 1 or other[3] <= one[1] + 1)


def _has_numbers(units: Sequence[Unit], line: range) -> bool:
    """Tell whether a line has several numbers for itself, as tables do; words of justified text are none."""
    return sum(_is_number(units[number]) for number in line) >= _NUMBERS


def _is_number(unit: Unit) -> bool:
    return _NUMBER.fullmatch(str(unit[0])) is not None


def _is_later(units: Sequence[Unit], between: range, own: Unit) -> bool:
    """Tell whether what was written in between is above a unit, or below it: in its column, beside it, numbers."""
    below = [units[number] for number in between if units[number][4] <= own[2] + 1]
    if any(own[4] <= units[number][2] + 1 for number in between):
        return True
    if any(unit[1] < own[3] and own[1] < unit[3] for unit in below):
        return True
    lines = [(one, two) for one, two in itertools.pairwise(below) if _is_level(one, two)]
    return any(
        (one[3] <= own[1] + 1 and own[3] <= two[1] + 1) or (_is_number(one) and _is_number(two))
        for one, two in lines
    )


def _is_turned(units: Sequence[Unit], at: int) -> bool:
    """Tell whether the line that a unit belongs to is written from right to left."""
    return bool(0 < at < len(units) and _is_level(units[at - 1], units[at]) and units[at][1] < units[at - 1][1])


def _host(units: Sequence[Unit], levels: dict[int, list[range]], heights: Sequence[int], at: int) -> int | None:
    """Return the unit of an earlier line before which a unit goes; None for one that stays."""
    own = units[at]
    for middle in heights[bisect_left(heights, own[2]) : bisect_right(heights, own[4])]:
        for line in levels[middle]:
            if line.stop >= at or not all(
                _is_level(units[number], own) and _is_beside(units[number], own) for number in line
            ):
                continue
            turned = units[line[1]][1] < units[line[0]][1]
            first = next((number for number in line if (units[number][1] > own[1]) != turned), line.stop)
            is_a_cell = line.start < first < line.stop or _has_numbers(units, line)
            if is_a_cell and _is_later(units, range(line.stop, at), own):
                return first
    return None


def _cells(units: Sequence[Unit], late: Sequence[int | None]) -> Iterator[list[int]]:
    """Yield the units of each late cell: its line that others stand beside, and those above and below it."""
    cell: list[int] = []
    line: list[int] = []
    for at in range(len(units)):
        if line and _is_level(units[line[-1]], units[at]) and late[at] == late[line[-1]]:
            cell.append(at)
            line.append(at)
            continue
        follows = bool(line) and _goes_on(units, line, at)
        is_begun = any(late[number] is not None for number in cell)
        if follows and (not is_begun or (late[at] is None and not _is_nearer(units, line, at))):
            cell.append(at)
        else:
            if is_begun:
                yield cell
            cell = [at]
        line = [at]
    if any(late[number] is not None for number in cell):
        yield cell


def _goes_on(units: Sequence[Unit], line: Sequence[int], at: int) -> bool:
    """Tell whether a unit stands right below a line of a cell, in its column."""
    own, above = units[at], [units[number] for number in line]
    height = max(unit[4] - unit[2] for unit in above)
    is_below = any(unit[1] < own[3] and own[1] < unit[3] for unit in above)
    return bool(is_below and 0 < above[0][2] - own[2] <= _NEXT_LINE * max(1, height))


def _is_nearer(units: Sequence[Unit], line: Sequence[int], at: int) -> bool:
    """Tell whether the unit that follows is nearer than the line before: then it begins a cell."""
    if at + 1 == len(units) or not _goes_on(units, [at], at + 1):
        return False
    return bool(units[at][2] - units[at + 1][2] < _NEARER * (units[line[0]][2] - units[at][2]))
