"""The cells of the lines of a table that are known in a document: which unit holds each of them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.line_shape import Cells
from reportflow_pandas.verify.table_layout import Lines, TableLayout, Window, in_window, texts_found

__all__ = ["Known", "cells_of", "is_before"]


class Known(NamedTuple):
    """A document, its values, a table's lines, those with an anchor, their windows, and the page's units.

    ``first`` is what stands before the first anchor.
    """

    document: DocumentText
    expected: ExpectedValues
    lines: Lines
    numbers: Sequence[int]
    windows: Sequence[Window]
    first: Window | None
    outside: Collection[int]


def cells_of(layout: TableLayout, known: Known, most: int = sys.maxsize) -> Iterator[Cells]:
    """Yield the cells of known lines that have all numbers, at most of so many lines of each page."""
    document, _, lines, numbers, windows, first, _ = known
    own = layout.number_texts(lines)
    sources = layout.numbers
    wanted = {at for at, source in enumerate(sources) if source is not None}
    before: Cells = {}
    if first is not None and numbers[:1] == [0]:
        before = _cells(layout, known, first, -1, own)
    following = page = -1
    left = most
    for at, window in zip(numbers, windows, strict=False):
        anchor = document.units[document.unit_at(window.begin)]
        left = left - 1 if anchor.page == page else most
        page = anchor.page
        if left <= 0:
            continue
        cells: dict[str | int, Unit] = {layout.anchor: anchor}
        if at == following + 1:
            cells |= {key: unit for key, unit in before.items() if is_before(layout, key)}
        found = _cells(layout, known, window, at, own)
        cells |= {key: unit for key, unit in found.items() if not is_before(layout, key)}
        before, following = found, at
        if wanted.issubset(cells):
            yield cells


def is_before(layout: TableLayout, key: str | int) -> bool:
    """Tell whether a cell stands before the anchor of its line, hence in the window of the line before."""
    if isinstance(key, str):
        return layout.texts.get(key, False)
    source = layout.numbers[key]
    return source is not None and source.next_line


def _cells(layout: TableLayout, known: Known, window: Window, at: int, own: Collection[str]) -> Cells:
    """Return the cells in a line's window: its own, and those of the next line before that one's anchor."""
    document, lines = known.document, known.lines
    units, unit_at = document.units, document.unit_at
    taken, lost = texts_found(layout, document, window, lines, at)
    if lost:
        return {}
    cells: dict[str | int, Unit] = {}
    for name, is_before in layout.texts.items():
        number = at + is_before
        if name != layout.anchor and 0 <= number < len(lines) and name in lines[number]:
            place = in_window(document, window, lines[number][name], layout.forms.get(layout.path(name), []))
            if place is not None:
                cells[name] = units[unit_at(place.begin)]
    for column, place in _numbers(layout, layout.numbers_in(document, window, taken, own), window, lines, at):
        cells[column] = units[unit_at(place.begin)]
    return cells


def _numbers(
    layout: TableLayout, found: Sequence[tuple[str, Place]], window: Window, lines: Lines, at: int
) -> Iterator[tuple[int, Place]]:
    """Yield the columns of the numbers in a window: the line's own stand first, those of the next line last."""
    size = len(layout.numbers)
    told = [column for column, source in enumerate(layout.numbers) if source is not None]
    own = 1 + max((column for column in told if not is_before(layout, column)), default=-1)
    first = min((column for column in told if is_before(layout, column)), default=size)
    if at >= 0 and len(found) >= own and (len(found) == size or len(told) == size or window.is_last):
        yield from _fitting(layout, range(own), found[:own], lines, at)
    if not window.is_last and len(found) >= size - first:
        yield from _fitting(layout, range(first, size), found[len(found) - (size - first) :], lines, at)


def _fitting(
    layout: TableLayout, columns: range, found: Sequence[tuple[str, Place]], lines: Lines, at: int
) -> Iterator[tuple[int, Place]]:
    """Yield columns with their numbers, if all of them are those that they should be."""
    pairs = []
    for column, (text, place) in zip(columns, found, strict=True):
        source = layout.numbers[column]
        if source is None:
            continue
        number = layout.expected_number(source, lines, at)
        if number is None or not layout.fits(text, number):
            return
        pairs.append((column, place))
    yield from pairs
