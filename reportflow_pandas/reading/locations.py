"""Where each row of a frame stands in its file, kept in ``frame.attrs`` as one text.

A text costs nothing, although pandas copies ``attrs`` deeply with each operation and writes them as JSON into
Parquet files.
"""

from __future__ import annotations

import bisect
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from reportflow_pandas.reading.shown import as_written

__all__ = [
    "ATTRIBUTE",
    "PLACES_SHOWN",
    "ROWS_ATTRIBUTE",
    "Note",
    "Origin",
    "headings_found",
    "line_of_row",
    "location_index",
    "notes",
    "origin_of",
    "placed_as",
    "places",
    "where",
]

ATTRIBUTE = "reportflow_file"
"""Key in ``frame.attrs``."""

ROWS_ATTRIBUTE = "reportflow_file_rows"
"""Key in the ``attrs`` of a frame with labels of its own: those that its rows had when they were read."""

PLACES_SHOWN = 5
"""Cells or lines that a phrase names; a wrong column has thousands."""


HEADINGS_SHOWN = 10
"""Columns, or sheets, that a sentence names."""


@dataclass(frozen=True)
class Note:
    """What a reader of the file sees otherwise than a document would print it, for one column.

    Attributes
    ----------
    kind : str
        ``"format"`` (a number format), ``"merged"`` (a value taken for each row of a merged cell), ``"missing"``
        (a word such as NA taken as missing), ``"ambiguous"`` (numbers whose decimal sign can't be told),
        ``"bytes"`` (binary text decoded), ``"formula"`` (formulas that all show nothing),
        ``"quotes"`` (a quoted field that holds what looks like rows).
    column : str
        Its heading.
    problem, suggestion : str
        For people: what it is, with place and value; what to do.
    count : int
        Cells concerned.
    labels : list of int
        Labels of the first rows concerned.
    types : list of str
        Types of parameters that it matters for; empty: for all.
    value : str
        The first of these cells as a document prints it; empty: the note is about something else.
    """

    kind: str
    column: str
    problem: str
    suggestion: str
    count: int = 1
    labels: Sequence[int] = ()
    types: Sequence[str] = ()
    value: str = ""


@dataclass(frozen=True)
class Origin:
    """The file of a frame.

    Attributes
    ----------
    file : str
        Its name.
    unit : str
        What rows are called in it: ``"cell"`` in sheets, ``"line"`` in text files, ``"row"`` elsewhere.
    runs : list of list of int
        ``[label, line, count]``: rows that follow each other, from the first label and its line on.
    columns : dict
        Heading to letters of the column, in sheets.
    sheet : str
        Its name, in workbooks.
    header : int
        Line of the headings, 0 where there is none.
    files : list of list
        ``[label, name]``: in a folder, the file that the rows from this label on stand in.
    notes : list of Note
        What is seen otherwise than printed.
    sheets : list of str
        In workbooks, the names of the visible sheets.
    """

    file: str
    unit: Literal["cell", "line", "row"] = "row"
    runs: Sequence[Sequence[int]] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str = ""
    header: int = 0
    files: Sequence[tuple[int, str]] = ()
    notes: Sequence[Note] = ()
    sheets: Sequence[str] = ()

    def kept_in(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame, knowing where it came from."""
        frame.attrs[ATTRIBUTE] = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))
        return frame

    def line_of(self, label: Any) -> int | None:
        """Return the line of a row by its label."""
        at = bisect.bisect_right(self.runs, label, key=lambda run: run[0]) - 1
        if at < 0:
            return None
        first, line, count = self.runs[at]
        return line + (label - first) if label - first < count else None

    def file_of(self, label: int) -> str:
        """Return the name of the file that a row stands in."""
        at = bisect.bisect_right(self.files, label, key=lambda entry: entry[0]) - 1
        return self.files[at][1] if at >= 0 else self.file


def location_index(rows: int) -> pd.Index[int]:
    """Return labels 0, 1, 2 … which tell a frame that was filtered or sorted from one that was numbered again.

    ``reset_index`` makes a RangeIndex; this is none, so that no row is ever looked for in another row's line.
    """
    return pd.Index(list(range(rows)), dtype="int64")


def placed_as(frame: pd.DataFrame, read: pd.DataFrame, positions: Sequence[int]) -> pd.DataFrame:
    """Return a frame whose rows stand where those rows of a frame that was read from a file stand."""
    if origin_of(read) is not None and _knows_places(read.index):
        frame.attrs[ROWS_ATTRIBUTE] = json.dumps(read.index[positions].tolist())
    return frame


def origin_of(frame: pd.DataFrame) -> Origin | None:
    """Return where a frame was read from; None for one that was made by hand."""
    text = frame.attrs.get(ATTRIBUTE)
    return _parsed(text) if isinstance(text, str) else None


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> Origin:
    values = json.loads(text)
    return Origin(**{**values, "notes": [Note(**note) for note in values["notes"]]})


def notes(frame: pd.DataFrame) -> list[Note]:
    """Return what a reader of the file sees otherwise than a document would print it, as far as it is still so."""
    origin = origin_of(frame)
    return [note for note in origin.notes if _still_so(frame, note)] if origin is not None else []


def _still_so(frame: pd.DataFrame, note: Note) -> bool:
    """Tell whether the cells of a note are still in the frame, and as they were read."""
    if not note.column:
        return True
    if note.column not in frame.columns:
        return False
    if isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None or not note.labels:
        return True  # numbered again: better said once too often
    present = [label for label in note.labels if label in frame.index]
    if not present:
        return note.count > len(note.labels)
    if not note.value or present[0] != note.labels[0] or not frame.columns.is_unique:
        return True
    cell = frame[note.column].iloc[int(np.flatnonzero(frame.index == present[0])[0])]
    return as_written(cell) == note.value


def headings_found(frame: pd.DataFrame) -> str:
    """Return a sentence on the headings that were found, where none of those was that are needed.

    Returns
    -------
    str
        ``"orders.xlsx, Orders, line 1, gives the columns 'a', 'b'. If others are meant: header= …"``.
    """
    origin = origin_of(frame)
    if origin is None:
        return ""
    shown = ", ".join(repr(str(name)) for name in frame.columns[:HEADINGS_SHOWN])
    more = ", …" if len(frame.columns) > HEADINGS_SHOWN else ""
    line = f", line {origin.header}," if origin.header else ""
    sheet = f", {origin.sheet}" if origin.sheet else ""
    others = [name for name in origin.sheets if name != origin.sheet]
    ways = ["header= names the line of the headings"] if origin.header else []
    ways += [f"sheet= names another sheet ({', '.join(map(repr, others[:HEADINGS_SHOWN]))})"] if others else []
    ways = ways or ["name another file"]
    return f"{origin.file}{sheet}{line} gives the columns {shown}{more}. If others are meant: {'; '.join(ways)}"


def where(frame: pd.DataFrame, position: int, column: Any = None) -> str:
    """Return where a row, or a cell of it, stands in the file that the frame was read from.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `read_rows` made it, or filtered or sorted since.
    position : int
        The row's position in the frame as it is now, from 0.
    column : str, optional
        The cell's column.

    Returns
    -------
    str
        ``"orders.xlsx, Orders!E5"``, ``"orders.csv, line 5"``; empty where it is not known: a frame made by hand,
        or numbered again since.
    """
    found = _found(frame, position)
    if found is None:
        return ""
    origin, label, line = found
    if origin.unit == "cell":
        letters = _letters(origin, column)
        return f"{origin.file}, {_sheet(origin)}!{letters}{line}" if letters else f"{origin.file}, row {line}"
    return f"{origin.file_of(label)}, {origin.unit} {line}"


def places(frame: pd.DataFrame, positions: Sequence[int], column: Any = None) -> str:
    """Return rows, or cells of a column, as a phrase; empty where `where` is.

    Returns
    -------
    str
        ``"row 5 (orders.xlsx, Orders!E5)"``, ``"line 5 (orders.csv)"``,
        ``"3 rows (orders.xlsx, Orders!E5, E7, E9)"``.
    """
    found = [_found(frame, position) for position in positions[:PLACES_SHOWN]]
    known = [place for place in found if place is not None]
    if not known or len(known) < len(found):
        return ""
    origin, label, line = known[0]
    noun = "line" if origin.unit == "line" else "row"
    if len(positions) == 1:
        first = where(frame, positions[0], column)
        file = origin.file_of(label)
        return f"{noun} {line} ({first if origin.unit == 'cell' and _letters(origin, column) else file})"
    more = ", …" if len(positions) > PLACES_SHOWN else ""
    letters = _letters(origin, column) if origin.unit == "cell" else ""
    if letters:
        listed = f"{origin.file}, {_sheet(origin)}!" + ", ".join(f"{letters}{line}" for _, _, line in known)
    elif len({origin.file_of(label) for _, label, _ in known}) == 1:
        listed = f"{origin.file_of(label)}, {noun}s " + ", ".join(str(line) for _, _, line in known)
    else:
        listed = "; ".join(f"{origin.file_of(label)}, {noun} {line}" for _, label, line in known)
    return f"{len(positions):,} {noun}s ({listed}{more})"


def line_of_row(frame: pd.DataFrame, position: int) -> int | None:
    """Return the line of a row in its file; None where `where` is empty."""
    found = _found(frame, position)
    return found[2] if found is not None else None


def _found(frame: pd.DataFrame, position: int) -> tuple[Origin, int, int] | None:
    origin = origin_of(frame)
    if origin is None or not 0 <= position < len(frame):
        return None
    kept = frame.attrs.get(ROWS_ATTRIBUTE)
    labels = _kept_labels(kept) if isinstance(kept, str) else frame.index
    if len(labels) != len(frame) or (labels is frame.index and not _knows_places(frame.index)):
        return None
    label = int(labels[position])
    line = origin.line_of(label)
    return (origin, label, line) if line is not None else None


def _knows_places(index: pd.Index[Any]) -> bool:
    """Tell whether labels are those that the file's rows got."""
    return not isinstance(index, pd.RangeIndex) and index.name is None and index.dtype == "int64"


@functools.lru_cache(maxsize=8)
def _kept_labels(text: str) -> list[int]:
    labels: list[int] = json.loads(text)
    return labels


def _letters(origin: Origin, column: Any) -> str:
    return origin.columns.get(column, "") if isinstance(column, str) else ""


def _sheet(origin: Origin) -> str:
    plain = origin.sheet.replace("_", "").isalnum() and not origin.sheet[0].isdigit()
    return origin.sheet if plain else "'" + origin.sheet.replace("'", "''") + "'"
