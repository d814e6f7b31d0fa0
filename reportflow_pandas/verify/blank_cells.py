"""What stands in a table's cell that the row does not have: known by the column that it stands in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.table_layout import NUMBER, Lines, TableLayout, Window, in_window
from reportflow_pandas.verify.text_forms import masked

__all__ = ["Edges", "Seen", "edges_in", "few_lines", "filled_cells", "is_number", "learn_blank_cells"]

_APART = 2.5
"""Points that cells of one column may be apart."""
_IN_COLUMN = 0.1
"""Share of a column's cells from which an edge is one of its edges: each language may have its own."""
_FEW, _FEW_SHARE = 3, 0.02
"""Lines, and the share of those without a cell, in which something may stand there by mistake; more is a rule."""
_USUAL_SHARE = 0.3
"""Of the lines without a cell: if so many have something there that is no value of the column, it is a rule."""
_ENOUGH_LINES = 300
"""Of a sample: more of them tell no more of columns."""
_MOST_KNOWN = 60
"""Lines of a document whose texts are known as values of their column."""


Edges = Mapping[str, set[tuple[int, int]]]
"""By column, at which side cells are flush, and where."""


class Seen(NamedTuple):
    """A document, its lines, the number of one of them, its window, and where its texts stand there.

    ``own`` are edges of columns in this document, which may be as wide as its content.
    """

    document: DocumentText
    lines: Lines
    at: int
    window: Window
    taken: Sequence[Place]
    own: Edges


def is_number(text: str) -> bool:
    """Tell whether a printed number is another one than zero."""
    return any(char.isdigit() and char != "0" for char in text)


def few_lines(texts: Sequence[str], blank: int) -> bool:
    """Tell whether what stands in place of blank cells is as seldom as mistakes, and not always the same."""
    is_default = len(texts) > 1 and len(set(texts)) == 1
    return not is_default and len(texts) <= max(_FEW, _FEW_SHARE * blank)


def learn_blank_cells(layout: TableLayout, seen: Sequence[Seen]) -> None:
    """Learn where columns are, and in which ones something often stands where a line has nothing.

    Parameters
    ----------
    layout : TableLayout
        With its texts and numbers.
    seen : sequence of tuple
        Lines of a sample.
    """
    layout.columns = _columns(layout, seen)
    layout.known = {
        name: {line[name].text for one in seen for line in one.lines[:_MOST_KNOWN] if name in line}
        for name in layout.texts
    }
    blank: Counter[str] = Counter()
    texts: dict[str, list[str]] = defaultdict(list)
    for one in seen:
        blank.update(name for name, _ in _blanks(layout, one.lines, one.at))
        for name, _, unit in filled_cells(layout, one):
            texts[name].append(unit.text)
    for name, own in texts.items():
        # where the album stands in place of an artist that is blank, it does so in most lines
        is_usual = name in layout.texts and len(own) > _USUAL_SHARE * blank[name]
        is_usual = is_usual and layout.known[name].isdisjoint(own)
        if is_usual or not few_lines(own, blank[name]):
            layout.filled[name] = (
                f"something stands in its place in {len(own):,} of {blank[name]:,} lines that have nothing"
            )


def _columns(layout: TableLayout, seen: Sequence[Seen]) -> dict[str, set[tuple[int, int]]]:
    """Return the edges of each column: the side, and where that is."""
    edges: dict[str, Counter[tuple[int, int]]] = defaultdict(Counter)
    count: Counter[str] = Counter()
    for one in seen[
        :: 1 + len(seen) // _ENOUGH_LINES
    ]:  # of all documents: languages may have columns of their own
        for name, place in _cells(layout, one):
            count[name] += 1
            edges[name].update(_edges(one.document, place))
    found: dict[str, set[tuple[int, int]]] = {}
    for name, counts in edges.items():
        least = max(2, _IN_COLUMN * count[name])
        found[name] = {
            (side, at) for side, at in counts if sum(counts[side, near] for near in range(at - 2, at + 3)) >= least
        }
    return found


def _cells(layout: TableLayout, seen: Seen) -> Iterator[tuple[str, Place]]:
    """Yield the columns of a line with the places of their cells."""
    document, lines, at, window, taken, _ = seen
    for name, is_before in layout.texts.items():
        line = lines[at + is_before] if 0 <= at + is_before < len(lines) else {}
        if name in line:
            place = in_window(document, window, line[name], layout.forms.get(layout.path(name), []))
            if place is not None:
                yield name, place
    numbers = layout.numbers_in(document, window, taken, layout.number_texts(lines))
    if len(numbers) == len(layout.numbers):
        for source, (_, place) in zip(layout.numbers, numbers, strict=True):
            if source is not None and len(source.fields) == 1:
                yield source.fields[0], place


def edges_in(
    layout: TableLayout, document: DocumentText, lines: Lines, windows: Iterable[tuple[int, Window]]
) -> Edges:
    """Return where the cells of texts that some lines of a document don't have are flush in the others."""
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    names = [name for name in layout.texts if any(name not in line for line in lines)]
    for at, window in windows if names else ():
        for name in names:
            number = at + layout.texts[name]
            if number < len(lines) and name in lines[number]:
                forms = layout.forms.get(layout.path(name), [])
                place = in_window(document, window, lines[number][name], forms)
                if place is not None:
                    found[name].update(_edges(document, place))
    return found


def _edges(document: DocumentText, place: Place) -> Iterator[tuple[int, int]]:
    unit = document.units[document.unit_at(place.begin)]
    if place.begin == unit.begin:
        yield 0, round(unit.box[0])
    if place.end == unit.end:
        yield 2, round(unit.box[2])


def _blanks(layout: TableLayout, lines: Lines, at: int) -> Iterator[tuple[str, bool]]:
    """Yield the columns in which a line has nothing, and whether they stand before the anchor."""
    sources = {
        source.fields[0]: source.next_line
        for source in layout.numbers
        if source is not None and len(source.fields) == 1
    }
    columns: Mapping[str, bool] = layout.texts | sources
    for name, is_before in columns.items():
        if 0 <= at + is_before < len(lines) and name not in lines[at + is_before]:
            yield name, is_before


def filled_cells(layout: TableLayout, seen: Seen) -> Iterator[tuple[str, bool, Unit]]:
    """Yield the columns in which a line has nothing, whether the next one's is meant, and what stands there."""
    document, lines, at, window, *_ = seen
    for name, is_before in _blanks(layout, lines, at):
        edges = layout.columns.get(name, set()) | seen.own.get(name, set())
        if not edges or name in layout.filled or (window.is_last and is_before):
            continue
        first, after = document.units[window.units[0]], document.units[document.unit_at(window.end - 1)]
        is_open = window.is_last or after.page != first.page  # the foot of the page may stand in the same column
        for number in window.units:
            unit = document.units[number]
            if (
                any(abs(unit.box[side] - place) <= _APART for side, place in edges)
                and (not is_open or _is_level(unit, first))
                and _says(layout, name, unit, _rest(layout, unit, seen, at + is_before))
            ):
                yield name, is_before, unit
                break


def _is_level(one: Unit, other: Unit) -> bool:
    common = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return one.page == other.page and 2 * common > min(one.box[3] - one.box[1], other.box[3] - other.box[1])


def _rest(layout: TableLayout, unit: Unit, seen: Seen, at: int) -> str:
    """Return what is no text and no other number of a line in a unit, which may be of several cells.

    Another number of the line stands there in another language, whose columns are elsewhere.
    """
    wanted = (
        layout.expected_number(source._replace(next_line=False), seen.lines, at)
        for source in layout.numbers
        if source is not None
    )
    numbers = [one for one in wanted if one is not None]
    rest = list(unit.text)
    for place in seen.taken:
        for number in range(max(place.begin, unit.begin), min(place.end, unit.end)):
            rest[number - unit.begin] = " "
    return NUMBER.sub(
        lambda found: "" if any(layout.fits(found[0].strip(".,'"), one) for one in numbers) else found[0],
        "".join(rest),
    ).strip()


def _says(layout: TableLayout, name: str, unit: Unit, rest: str) -> bool:
    """Tell whether what is left of a unit is a word or a number, as its column has, and not the design's own."""
    if not is_number(rest) and (name not in layout.texts or not any(map(str.isalpha, rest))):
        return False
    if rest in layout.known.get(name, ()):
        return True
    mask = masked(unit.text)
    return mask not in layout.fixed and not {mask, masked(rest), f"#{rest}"} & layout.glue
