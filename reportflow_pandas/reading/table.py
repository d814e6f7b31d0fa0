"""Lines of cells become a frame: headings above, rows below, each column of one sort."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.printable import counted
from reportflow_pandas.reading.doubts import Doubt
from reportflow_pandas.reading.locations import Note, Origin, location_index
from reportflow_pandas.reading.reading_options import Reading, listed, refusal
from reportflow_pandas.reading.shown import as_written

__all__ = [
    "CELLS_SHOWN",
    "ERROR_WORDS",
    "Lines",
    "Table",
    "cells_shown",
    "framed",
    "header_of",
    "heading_of",
    "is_empty",
    "is_error_word",
    "runs_of",
    "short",
    "table_of",
    "typed",
    "without_empty",
    "written",
]

_ERRORS = """
#N/A #REF! #VALUE! #DIV/0! #NAME? #NUM! #NULL! #SPILL! #CALC! #GETTING_DATA #FIELD! #BLOCKED! #CONNECT! #BUSY!
#UNKNOWN! #EXTERNAL! #PYTHON! Err:502 Err:504 Err:508 Err:509 Err:510 Err:522 Err:523
#NV #WERT! #BEZUG! #ZAHL! #ÜBERLAUF! #VALEUR! #NOM? #NOMBRE! #NUL! #¡VALOR! #¡REF! #¡NUM! #¡DIV/0! #¡NULO!
#¿NOMBRE? #N/D #N/D! #VALOR! #NOME? #NÚM! #NULO! #RIF! #VALORE! #WAARDE! #VERW! #NAAM? #GETAL! #ARG! #ADR!
#LICZBA! #NAZWA? #N/B #LEEG! #VÄRDEFEL! #REFERENS! #OGILTIGT! #SAKNAS! #VÆRDI! #VERDI!
"""
ERROR_WORDS = frozenset(_ERRORS.split())
"""What spreadsheets show in place of a value that they can't work out, in English and as others export it."""

_TOO_NARROW = 3
"""Number signs, and nothing else, from which on a cell is one whose column was too narrow to show it."""

CELLS_SHOWN = 5
"""Cells or lines that a refusal names."""

_LINES_SEEN = 50
"""Lines that are looked at to tell headings from titles above them."""

_TITLES_WITHIN = 20
"""Lines that titles may take."""

_TEXT_SHOWN = 40
"""Characters of a value in a message."""

_UNSEEN = " \t\r\n\u00a0\u3000\u200b\ufeff"
"""White space and marks at the ends of a heading, which are not seen and not typed."""

_FRAGMENTS = 100
"""Columns from which on pandas warns of a frame that is put together from single ones."""

_MANY = 2**53
"""Whole numbers from here on are none in a float."""


@dataclass
class Lines:
    """The lines of a sheet or a text file that are not empty.

    Attributes
    ----------
    numbers : list of int
        Their numbers in the file, from 1.
    cells : list of list
        Their cells from the first column on; None or an empty text: an empty cell.
    """

    numbers: list[int] = field(default_factory=list)
    cells: list[list[Any]] = field(default_factory=list)

    def add(self, number: int, cells: list[Any]) -> None:
        """Add a line."""
        self.numbers.append(number)
        self.cells.append(cells)


@dataclass
class Table:
    """Headings and rows.

    Attributes
    ----------
    names : list of str
        Headings; ``column 4`` where there is none.
    header : int
        The line of the headings.
    numbers : list of int
        Line of each row.
    columns : list of list
        Cells of each column.
    places : list of int
        Position of each column in the file, from 0.
    """

    names: list[str]
    header: int
    numbers: list[int]
    columns: list[list[Any]]
    places: list[int]

    def at(self, name: str) -> int | None:
        """Return the position of the column of this name."""
        return self.names.index(name) if name in self.names else None


def is_error_word(text: str) -> bool:
    """Tell whether a text is what a spreadsheet shows where it has no value to show.

    Examples
    --------
    >>> is_error_word("#N/A"), is_error_word("######"), is_error_word("#1")
    (True, True, False)
    """
    return text in ERROR_WORDS or (text[:1] == "#" and len(text) >= _TOO_NARROW and not text.strip("#"))


def is_empty(cell: Any) -> bool:
    """Tell whether nothing stands in a cell; spaces cannot be seen."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def table_of(lines: Lines, path: Path, reading: Reading, at: int) -> Table:
    """Return the table in the lines of a file.

    Parameters
    ----------
    lines : Lines
        All lines that are not empty.
    path : pathlib.Path
        For messages.
    reading : Reading
        Says the header's line, and which columns stay text.
    at : int
        Position of the headings among the lines.

    Raises
    ------
    ConfigurationError
        ``text`` names no column.
    """
    widest = max((len(cells) for cells in lines.cells[at:]), default=0)
    headings = lines.cells[at] + [None] * (widest - len(lines.cells[at]))
    numbers = lines.numbers[at + 1 :]
    rows = [
        cells if len(cells) == widest else cells + [None] * (widest - len(cells))
        for cells in lines.cells[at + 1 :]
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(widest)]
    kept = [
        place for place in range(widest) if not is_empty(headings[place]) or not all(map(is_empty, columns[place]))
    ]
    table = Table(
        [_heading(headings[place], place) for place in kept],
        lines.numbers[at],
        numbers,
        [columns[place] for place in kept],
        kept,
    )
    for column in reading.text:
        if column not in table.names:
            raise refusal(
                path,
                f"has no such column as text={[column]!r} names. Columns: {listed(table.names)}",
            )
    return table


def header_of(lines: Lines, name: str, reading: Reading) -> tuple[int, Doubt | None]:
    """Return where the headings stand, and what makes that doubtful.

    Raises
    ------
    ConfigurationError
        Nothing stands in the line that was named.
    """
    if reading.header is not None:
        if reading.header in lines.numbers:
            return lines.numbers.index(reading.header), None
        shown = [
            f"line {number}: {cells_shown(cells)}"
            for number, cells in zip(lines.numbers[:CELLS_SHOWN], lines.cells[:CELLS_SHOWN], strict=True)
        ]
        raise ConfigurationError(
            f"{name!r} has nothing in line {reading.header}, where header={reading.header} expects the headings. "
            f"It "
            "has\n  " + "\n  ".join(shown)
        )
    at = _below_titles(lines)
    if not at:
        return 0, None
    titles = "; ".join(
        f"line {number}: {cells_shown(cells)}"
        for number, cells in zip(lines.numbers[:at][:3], lines.cells[:at][:3], strict=True)
    )
    return at, Doubt(
        f"what looks like a title stands above the headings ({titles}). If line {lines.numbers[at]} has the "
        f"headings "
        f"({cells_shown(lines.cells[at])}): header={lines.numbers[at]}. If the first line has them: "
        f"header={lines.numbers[0]}",
        {"header": lines.numbers[at]},
    )


def _below_titles(lines: Lines) -> int:
    """Return where the headings seem to stand: the first line that is more than half as full as the fullest."""
    counts = [sum(not is_empty(cell) for cell in cells) for cells in lines.cells[:_LINES_SEEN]]
    fullest = max(counts)
    if fullest < 2:
        return 0
    for at, count in enumerate(counts[:_TITLES_WITHIN]):
        if count >= 2 and count * 2 > fullest:
            return at
    return 0


def cells_shown(cells: Sequence[Any]) -> str:
    """Return the cells of a line for a message."""
    return listed(_short(cell) for cell in cells if not is_empty(cell))


def _short(cell: Any) -> str:
    text = " ".join(as_written(cell).split())
    return text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN] + "…"


def _heading(cell: Any, place: int) -> str:
    return f"column {place + 1}" if is_empty(cell) else heading_of(cell)


def heading_of(cell: Any) -> str:
    """Return what a heading is called: a year as a text, without white space around it."""
    return as_written(cell).strip(_UNSEEN)


def without_empty(
    lines: Lines, say: Callable[[str], None], name: str, unknown: Collection[int] = frozenset()
) -> Lines:
    """Return the lines that hold something, and say how many between and after them do not.

    Below the first, the lines of ``unknown`` count: they hold something of which the file has no value.
    """
    full = [at for at, cells in enumerate(lines.cells) if not all(map(is_empty, cells))]
    if full and unknown:
        full += [at for at, number in enumerate(lines.numbers) if at > full[0] and number in unknown]
        full = sorted(set(full))
    if full and len(full) < len(lines.numbers):
        # those above the first line that holds something are no rows
        count = len(lines.numbers) - full[0] - len(full)
        if count:
            say(f"{name}: {counted(count, 'empty line')} left out")
    return Lines([lines.numbers[at] for at in full], [lines.cells[at] for at in full])


def framed(table: Table, columns: Sequence[pd.Series[Any]], origin: Origin, notes: Sequence[Note]) -> pd.DataFrame:
    """Return the frame of typed columns, which knows where its rows came from."""
    index = location_index(len(table.numbers))
    frame = (
        pd.concat([column.set_axis(index) for column in columns], axis=1) if columns else pd.DataFrame(index=index)
    )
    if len(columns) > _FRAGMENTS:
        frame = frame.copy()
    frame.columns = pd.Index(table.names)
    known = dataclasses.replace(origin, runs=runs_of(table.numbers), header=table.header, notes=list(notes))
    return known.kept_in(frame)


def runs_of(numbers: Sequence[int]) -> list[list[int]]:
    """Return line numbers as runs ``[label, line, count]``."""
    runs: list[list[int]] = []
    for label, number in enumerate(numbers):
        if runs and number == runs[-1][1] + runs[-1][2]:
            runs[-1][2] += 1
        else:
            runs.append([label, number, 1])
    return runs


def typed(cells: Sequence[Any]) -> pd.Series[Any]:
    """Return typed cells as a column of one dtype, if one holds every value exactly; else as objects."""
    kinds = Counter(map(type, cells))
    missing = bool(kinds.pop(type(None), 0))
    only = set(kinds)
    values = list(cells)
    if only == {int}:
        return _wholes(values, missing=missing)
    if only == {float} or (only == {int, float} and all(abs(cell) < _MANY for cell in cells if type(cell) is int)):
        return pd.Series(values, dtype="float64")
    if only == {bool}:
        return pd.Series(values, dtype="boolean" if missing else "bool")
    if only in ({str}, {dt.datetime}):
        return pd.Series(values).infer_objects()
    return pd.Series(values, dtype=object)


def _wholes(values: list[Any], *, missing: bool) -> pd.Series[Any]:
    present = [value for value in values if value is not None]
    low, high = min(present), max(present)
    if low >= -(2**63) and high < 2**63:
        return pd.Series(values, dtype="Int64" if missing else "int64")
    if low >= 0 and high < 2**64:
        return pd.Series(values, dtype="UInt64" if missing else "uint64")
    return pd.Series(values, dtype=object)


def written(cells: Sequence[Any]) -> pd.Series[Any]:
    """Return typed cells as the texts that documents print of them."""
    return pd.Series([None if cell is None else as_written(cell) for cell in cells], dtype="str")


def short(value: Any) -> str:
    """Return a value for a message, in quotes if it is a text."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return as_written(value)
    return repr(_short(value))
