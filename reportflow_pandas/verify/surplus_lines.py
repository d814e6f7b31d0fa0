"""Lines of a table that no row has: between those that it has, around them, or where a row has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.line_breaks import SOFT
from reportflow_pandas.verify.line_cells import Known, cells_of, is_before
from reportflow_pandas.verify.line_shape import Cells, Columns, LineShape, Row, has_numbers, is_level, shape_of
from reportflow_pandas.verify.table_layout import TableLayout, Window, has_letters, texts_found
from reportflow_pandas.verify.text_forms import masked

__all__ = ["learn_shape", "surplus_lines"]

_ENOUGH_LINES = 300
_LEAST_LINES = 6
_MOST_ALIKE = 1 / 3
_SELDOM = 0.02
"""Share of documents in which something of a line's shape stands beside the lines, and away from them."""
_FEW = 1
_SEVERAL, _OFTEN = 3, 0.03
"""Documents, and their share, in which a design adds a line by itself."""
_LEAST_WITHIN = 3
"""Characters of a value in the text of such a line."""
_RECOGNISED = 0.8
"""Share of known lines that have to be found by their shape."""
_TELLING_LINES = 2
"""Of a page: they tell where its columns are."""
_MOST_ABOVE = 24
"""Units above a table's first line among which its heads are."""


def learn_shape(layout: TableLayout, sample: Sequence[Known]) -> None:
    """Learn where the cells of a line stand, if nothing else in the documents stands like that."""
    chosen: list[tuple[Known, list[Cells]]] = []
    count = 0
    for known in sample:
        # a table that begins again on each page has columns of its own there
        for _, page in groupby(cells_of(layout, known), key=lambda cells: cells[layout.anchor].page):
            own = list(page)
            chosen.append((known, own))
            count += len(own)
        if count >= _ENOUGH_LINES:
            break
    layout.shape = None
    if count < _LEAST_LINES:
        return
    always = {name for name in layout.texts if all(name in line for known in sample for line in known.lines)}
    shape = shape_of(
        [own for _, own in chosen],
        [_heads(layout, known, own[0][layout.anchor]) for known, own in chosen],
        anchor=layout.anchor,
        always=always,
        after=[column for column in range(len(layout.numbers)) if not is_before(layout, column)],
    )
    if shape is None or not _is_telling(shape, chosen):
        return
    layout.shape = shape
    whole = [known for known in sample if known.windows and known.windows[-1].is_last]
    near = [(known, surplus_lines(layout, known)) for known in whole]
    layout.shape = shape = replace(shape, labels=_labels(layout, near, whole))
    away = there = lines = 0
    for known, beside in near:
        found = _away(layout, shape, known)
        other = _unclaimed(shape, known, found, known.windows)
        lines += len(known.windows)
        there += len(found) - len(other)
        away += bool(_unexplained(layout, shape, known, [row for row in other if row.text not in beside]))
    if sum(bool(_without_labels(layout, *one)) for one in near) > max(_FEW, _MOST_ALIKE * len(sample)):
        layout.shape = None
    layout.is_alone = away <= max(_FEW, _SELDOM * len(sample)) and there >= _RECOGNISED * lines


def _labels(
    layout: TableLayout, near: Sequence[tuple[Known, Sequence[int]]], whole: Sequence[Known]
) -> frozenset[str]:
    """Return the texts of what looks like a line in several documents and is a line of no row: sums of groups."""
    counts = Counter[str]()
    for known, found in near:
        if found:
            values, units = _values(layout, known), known.document.units
            counts.update({_label(values, units[number].text) for number in found})
    least = max(_SEVERAL, _OFTEN * len(whole))
    items = {line[layout.anchor].text for known in whole for line in known.lines if layout.anchor in line}
    return frozenset(
        label
        for label, count in counts.items()
        if count >= least and not any(item.startswith(label.rstrip(SOFT)) for item in items)
    )


def _label(values: Collection[str], text: str) -> str:
    """Return a text with its digits hidden, and a value of the document's in it: ``subtotal*``."""
    within = max((value for value in values if len(value) >= _LEAST_WITHIN and value in text), key=len, default="")
    return masked(text.replace(within, "*") if within else text)


def _heads(layout: TableLayout, known: Known, first: Unit) -> dict[str, Unit]:
    """Return the fixed text right above a table's first line, by its mask."""
    units, page = known.document.units, first.page
    number = known.document.unit_at(first.begin)
    found: dict[str, Unit] = {}
    for unit in reversed(units[max(0, number - _MOST_ABOVE) : number]):
        mask = masked(unit.text)
        if unit.page == page and mask in layout.fixed and has_letters(mask):
            found[mask] = unit
        elif found:
            break
    return found


def _is_telling(shape: LineShape, chosen: Sequence[tuple[Known, list[Cells]]]) -> bool:
    """Tell whether nearly all known lines have the shape, in columns that are known by another line."""
    asked = found = 0
    key = shape.numbers[0].key
    for known, own in chosen:
        document = known.document
        for one, cells in pairwise((own[-1], *own)) if len(own) > 1 else ():
            number = document.unit_at(cells[key].begin)
            near = range(max(0, number - _MOST_ABOVE), min(len(document.units), number + _MOST_ABOVE))
            columns = shape.columns_of([one], [()] * len(shape.columns))
            asked += 1
            found += any(row.number == number for row in shape.rows(document, near, columns))
    return found >= _RECOGNISED * asked


def surplus_lines(layout: TableLayout, known: Known) -> list[int]:
    """Return texts of lines that the row does not have, by their units."""
    document, _, lines, numbers, windows, _, _ = known
    shape = layout.shape
    if shape is None:
        return []
    if not windows:
        rows = _away(layout, shape, known) if layout.is_alone and not lines else []
        return [row.text for row in _unexplained(layout, shape, known, rows)]
    columns, units = shape.places, document.units
    parts = list(_parts(layout, shape, known, columns))
    if parts and not shape.is_everywhere:
        columns = shape.columns_of(
            list(cells_of(layout, known, _TELLING_LINES)), shape.columns_without_lines(document)
        )
        parts = list(_parts(layout, shape, known, columns))
    found = []
    for place, among in parts:
        rows = list(shape.rows(document, among, columns))
        rows = _unclaimed(shape, known, rows, windows[max(0, place) : place + 2])
        if rows and place >= 0:  # the second line of a long text may be level with the numbers
            taken, _ = texts_found(layout, document, windows[place], lines, numbers[place])
            rows = [row for row in rows if not _is_mostly_in(taken, units[row.text])]
        at = numbers[place] if place >= 0 else -1
        after = numbers[place + 1] if place + 1 < len(numbers) else len(lines)
        found += _unexplained(layout, shape, known, rows, after - at - 1)
    return [row.text for row in found]


def _parts(
    layout: TableLayout, shape: LineShape, known: Known, columns: Columns
) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield the parts of a document that are long enough for one line more: which window, and its units.

    What is above the first window comes with -1.
    """
    document, windows, outside = known.document, known.windows, known.outside
    first, last = (document.unit_at(windows[at].begin) for at in (0, -1))
    least, after = shape.least, shape.least_after
    above = _above(layout, document, first, outside, columns)
    if has_numbers(document, above, 2 * least - after):
        yield -1, above
    for place, window in enumerate(windows):
        if window.is_last:
            below = (last, *_below(layout, document, last, outside, columns))
            if has_numbers(document, below, after + least):
                yield place, below
        elif len(window.units) > 2 * least + 1 and has_numbers(document, window.units, 2 * least):
            yield place, window.units  # there is room for two lines, each with a text


def _unexplained(
    layout: TableLayout, shape: LineShape, known: Known, rows: Sequence[Row], others: int = 0
) -> list[Row]:
    """Return the rows that are neither other values of the document's nor lines that the design adds by itself.

    There are ``others`` lines of the row among them that have no anchor.
    """
    if not rows:
        return []
    units, values = known.document.units, _values(layout, known)
    left = [row for row in rows if not _is_one_of(values, known.document, row.text)]
    left = left[max(0, others - (len(rows) - len(left))) :]
    return [row for row in left if _label(values, units[row.text].text) not in shape.labels]


def _without_labels(layout: TableLayout, known: Known, found: Sequence[int]) -> list[int]:
    """Return the texts of lines that the design does not add by itself."""
    if layout.shape is None or not found:
        return []
    values, units, labels = _values(layout, known), known.document.units, layout.shape.labels
    return [number for number in found if _label(values, units[number].text) not in labels]


def _is_mostly_in(places: Sequence[Place], unit: Unit) -> bool:
    """Tell whether most of a unit belongs to some places."""
    common = sum(max(0, min(end, unit.end) - max(begin, unit.begin)) for begin, end in places)
    return 2 * common > unit.end - unit.begin


def _values(layout: TableLayout, known: Known) -> set[str]:
    """Return the values of a document but those that its lines are known by."""
    anchor = layout.path(layout.anchor)
    values = {value.text for path, value in known.expected.cells() if path != anchor}
    return values.union(value.text for value in known.expected.singles.values())


def _is_one_of(values: Collection[str], document: DocumentText, number: int) -> bool:
    """Tell whether a unit is a value, or the first line of a long one."""
    unit, stream = document.units[number], document.stream
    return unit.text in values or any(
        len(value) >= len(unit.text) and stream.startswith(value, unit.begin) for value in values
    )


def _away(layout: TableLayout, shape: LineShape, known: Known) -> list[Row]:
    """Return the lines of a document of which none is known."""
    document, outside = known.document, known.outside
    columns = shape.columns_without_lines(document)
    free = [number for number in range(len(document.units)) if number not in outside]
    return [
        row
        for row in shape.rows(document, free, columns)
        if not _is_page(layout, document, row.text, outside, columns)
    ]


def _unclaimed(shape: LineShape, known: Known, rows: Sequence[Row], windows: Sequence[Window]) -> list[Row]:
    """Return the rows without those that are the lines of these windows: for each the nearest at its height."""
    document, left = known.document, list(rows)
    for window in windows:
        anchor = document.units[document.unit_at(window.begin)]
        near = [
            (apart, row) for row in left if (apart := shape.apart(anchor, document.units[row.number])) is not None
        ]
        if near:
            left.remove(min(near)[1])
    return left


def _is_page(
    layout: TableLayout, document: DocumentText, number: int, outside: Collection[int], columns: Columns
) -> bool:
    """Tell whether a unit ends the table; what stands in a column like its numbers does not."""
    unit = document.units[number]
    if number in outside or _is_sign(document, number):
        return True
    if layout.shape is not None and any(map(str.isdigit, unit.text)) and layout.shape.is_number(unit, columns):
        return False
    return layout.is_page_text(document, number)


def _is_sign(document: DocumentText, number: int) -> bool:
    """Tell whether a unit is no word and no number: a dash for a blank cell, a head that is ``#``."""
    return not any(map(str.isalnum, document.units[number].text))


def _above(
    layout: TableLayout, document: DocumentText, first: int, outside: Collection[int], columns: Columns
) -> list[int]:
    """Return the units between the head of a table and its first known line."""
    begin = first
    while begin and (_is_sign(document, begin - 1) or not _is_page(layout, document, begin - 1, outside, columns)):
        begin -= 1
    return list(range(begin, first))


def _below(
    layout: TableLayout, document: DocumentText, last: int, outside: Collection[int], columns: Columns
) -> list[int]:
    """Return the units between a table's last known line and what ends it, also on pages that follow."""
    units, found, number = document.units, list[int](), last + 1
    while number < len(units):
        if _is_sign(document, number) or not _is_page(layout, document, number, outside, columns):
            found.append(number)
            number += 1
            continue
        page, label = units[number - 1].page, units[number]  # a head may be the first on the next page
        while number < len(units) and (
            units[number].page == page or _is_page(layout, document, number, outside, columns)
        ):
            if _is_page(layout, document, number, outside, columns):
                label = units[number]
            elif not is_level(label, units[number]):  # no sum that is carried forward
                return found
            number += 1
        while number < len(units) and is_level(label, units[number]):
            number += 1
    return found
