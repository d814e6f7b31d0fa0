"""Lines of a table that no row has: between those that it has, around them, or where a row has none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Unit
from reportflow_pandas.verify.line_shape import Placed, shape_of
from reportflow_pandas.verify.table_layout import Lines, TableLayout, Window, in_window, texts_found
from reportflow_pandas.verify.text_forms import masked
from reportflow_pandas.verify.value_places import overlaps

__all__ = ["Known", "learn_shape", "surplus_lines"]

_ENOUGH_LINES = 300
_LEAST_LINES = 6
_MOST_ALIKE = 1 / 3
_SELDOM = 0.02
"""Share of documents in which something of a line's shape stands beside the lines, and away from them."""
_FEW = 1


class Known(NamedTuple):
    """A document, its lines, those that have an anchor, their windows, and the units that belong to pages."""

    document: DocumentText
    lines: Lines
    numbers: Sequence[int]
    windows: Sequence[Window]
    outside: Collection[int]


def learn_shape(layout: TableLayout, sample: Sequence[Known]) -> None:
    """Learn where the cells of a line stand, if nothing else in the documents stands like that."""
    columns = [(at, source.next_line) for at, source in enumerate(layout.numbers) if source is not None]
    beside = [(name, before) for name, before in layout.texts.items() if name != layout.anchor]
    lines = list(islice((line for known in sample for line in _cells(layout, known, beside)), _ENOUGH_LINES))
    filled = [(name, before) for name, before in beside if all(name in texts for texts, _, _ in lines)]
    placed: list[Placed] = [
        (
            bases[0],
            [(bases[before], texts[name]) for name, before in filled]
            + [(bases[is_next], numbers[at]) for at, is_next in columns],
        )
        for texts, numbers, bases in lines
    ]
    layout.shape = shape_of(placed, len(filled)) if len(placed) >= _LEAST_LINES else None
    if layout.shape is None:
        return
    near_lines = away = 0
    for known in sample:
        document, _, _, windows, outside = known
        if not windows or not windows[-1].is_last:
            continue
        near = surplus_lines(layout, known)
        told = {document.unit_at(window.begin) for window in windows}.union(near)
        free = _off_page(document, outside)
        near_lines += bool(near)
        away += any(
            not _is_page(layout, document, number, outside) for number in layout.shape.rows(document, free, told)
        )
    if near_lines > max(_FEW, _MOST_ALIKE * len(sample)):
        layout.shape = None
    layout.is_alone = away <= max(_FEW, _SELDOM * len(sample))


def _cells(
    layout: TableLayout, known: Known, beside: Sequence[tuple[str, bool]]
) -> Iterator[tuple[dict[str, Unit], list[Unit], tuple[Unit, Unit]]]:
    """Yield the units of each line's texts and numbers, with the first ones of itself and of the next line."""
    document, lines, numbers, windows, _ = known
    own, units, unit_at = layout.number_texts(lines), document.units, document.unit_at
    for at, window in zip(numbers, windows, strict=True):
        if window.is_last:
            continue
        taken, lost = texts_found(layout, document, window, lines, at)
        found = layout.numbers_in(document, window, taken, own)
        if lost or len(found) != len(layout.numbers):
            continue
        texts = {}
        for name, before in beside:
            value = lines[at + before].get(name)
            forms = layout.forms.get(layout.path(name), [])
            place = in_window(document, window, value, forms) if value is not None else None
            if place is not None:
                texts[name] = units[unit_at(place.begin)]
        bases = (units[unit_at(window.begin)], units[unit_at(window.end)])
        yield texts, [units[unit_at(place.begin)] for _, place in found], bases


def surplus_lines(layout: TableLayout, known: Known) -> list[int]:
    """Return the units with which lines begin that the row does not have."""
    document, lines, numbers, windows, outside = known
    shape = layout.shape
    if shape is None:
        return []
    if not windows:
        free = _off_page(document, outside) if layout.is_alone else []
        return [number for number in shape.rows(document, free) if not _is_page(layout, document, number, outside)]
    units, least = document.units, 2 * sum(bool(column.masks) for column in shape.columns)
    first, last = (document.unit_at(windows[at].begin) for at in (0, -1))
    found = list(shape.rows(document, _above(layout, document, first, outside)))
    for at, window in zip(numbers, windows, strict=True):
        among = _below(layout, document, last, outside) if window.is_last else window.units[1:]
        if len(among) < least:
            continue  # too little for two lines
        more = list(shape.rows(document, among))
        if more:  # the second line of a long text may be level with the numbers
            taken, _ = texts_found(layout, document, window, lines, at)
            own = {number for number in more if overlaps(taken, units[number].begin, units[number].end)}
            found += [number for number in more if number not in own]
    return found


def _off_page(document: DocumentText, outside: Collection[int]) -> list[int]:
    """Return the units that are not the page's."""
    return [number for number in range(len(document.units)) if number not in outside]


def _is_page(layout: TableLayout, document: DocumentText, number: int, outside: Collection[int]) -> bool:
    """Tell whether a unit ends the table; what stands in a column like its numbers does not."""
    shape, unit = layout.shape, document.units[number]
    if number in outside or _is_sign(document, number):
        return True
    if shape is not None and masked(unit.text) in shape.masks and any(map(str.isdigit, unit.text)):
        return not any(column.edge.has(unit) for column in shape.columns) and layout.is_page_text(document, number)
    return layout.is_page_text(document, number)


def _is_sign(document: DocumentText, number: int) -> bool:
    """Tell whether a unit is no word and no number: a dash for a blank cell, a head that is ``#``."""
    return not any(map(str.isalnum, document.units[number].text))


def _above(layout: TableLayout, document: DocumentText, first: int, outside: Collection[int]) -> list[int]:
    """Return the units between the head of a table and its first known line."""
    begin = first
    while begin and (_is_sign(document, begin - 1) or not _is_page(layout, document, begin - 1, outside)):
        begin -= 1
    return list(range(begin, first))


def _below(layout: TableLayout, document: DocumentText, last: int, outside: Collection[int]) -> list[int]:
    """Return the units between a table's last known line and what ends it, also on pages that follow."""
    units, found, number = document.units, list[int](), last + 1
    while number < len(units):
        if _is_sign(document, number) or not _is_page(layout, document, number, outside):
            found.append(number)
            number += 1
            continue
        page = units[number].page
        while number < len(units) and units[number].page == page:
            if not _is_page(layout, document, number, outside):
                return found
            number += 1
        while number < len(units) and _is_page(layout, document, number, outside):
            number += 1
    return found
