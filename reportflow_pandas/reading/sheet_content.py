"""What a workbook's sheet holds, whichever library opened it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils import get_column_letter

from reportflow_pandas.reading.number_formats import FormatCode
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.shown import ShownText, as_written
from reportflow_pandas.reading.table import Lines

__all__ = ["FormatLook", "Merge", "Place", "Sheet", "cell_name"]

Place = tuple[int, int]
"""Line, from 1, and column, from 0."""


@dataclass
class Sheet:
    """What a workbook's sheet holds.

    Attributes
    ----------
    name : str
        Its title.
    lines : Lines
        Its lines.
    errors : dict
        Cells in which a formula failed, with the word that they show.
    unstored : list
        Cells whose formula was never worked out, so that the file has no value of them.
    blank_results : list
        Cells of an ``.xls`` whose formula gave an empty text, which is also what xlwt writes for every formula.
    hidden : set of int
        Lines that are not seen.
    merged : list of str
        Ranges such as ``"C6:C7"``.
    seen : dict
        ``(column, format code)`` to count, line, value, shown text and whether the format scales, of the first
        cell that is seen otherwise than printed.
    """

    name: str
    lines: Lines = field(default_factory=Lines)
    errors: dict[Place, str] = field(default_factory=dict)
    unstored: list[Place] = field(default_factory=list)
    blank_results: list[Place] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    merged: list[str] = field(default_factory=list)
    seen: dict[tuple[int, str], list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Merge:
    """A merged cell whose rows all got its value."""

    cells: str
    column: int
    line: int
    value: Any


def cell_name(place: Place) -> str:
    """Return the name of a cell: ``E5``."""
    return f"{get_column_letter(place[1] + 1)}{place[0]}"


def _has_time(value: Any) -> bool:
    """Tell whether a moment has a time of day; a time alone is a day before the calendar begins."""
    if isinstance(value, dt.datetime):
        return bool(value.hour or value.minute or value.second or value.microsecond)
    return isinstance(value, dt.time | dt.timedelta)


class FormatLook:
    """Looks at cells with a number format: what is seen otherwise than printed is noted, or kept as shown.

    Parameters
    ----------
    sheet : Sheet
        Gets what is seen.
    reading : Reading
        Says whether cells are kept as shown.
    """

    def __init__(self, sheet: Sheet, reading: Reading) -> None:
        self._seen = sheet.seen
        self._as_shown = reading.as_shown
        self._text = bool(reading.text)
        self._decimal = reading.decimal or "."
        self._thousands = reading.thousands or ("." if self._decimal == "," else ",")

    def __call__(self, line: int, column: int, value: Any, code: FormatCode) -> Any:
        """Return the value, or the text that the sheet shows of it."""
        if self._as_shown:
            return self._shown(line, column, value, code)
        key = (column, code.code)
        if key in self._seen:
            self._seen[key][0] += 1
        elif type(value) is int and code.code == "0":
            return value
        elif self._otherwise(value, code):
            self._seen[key] = [1, line, value, code.shown(value), code.scales]
        if self._text and code.pads and isinstance(value, int | float):
            shown = code.shown(value)
            return value if shown is None else ShownText(shown, value)
        return value

    def _otherwise(self, value: Any, code: FormatCode) -> bool:
        if code.is_date and code.whole_date and not isinstance(value, str):
            return not code.shows_time and _has_time(value)
        shown = code.shown(value)
        if isinstance(value, dt.time | dt.timedelta) and shown is not None:
            return shown.lstrip("0") != as_written(value).lstrip("0")
        return shown != as_written(value)

    def _shown(self, line: int, column: int, value: Any, code: FormatCode) -> Any:
        shown = code.shown(value, self._decimal, self._thousands)
        if shown is None:
            known = self._seen.setdefault((column, code.code), [0, line, value, None, code.scales])
            known[0] += 1
            return value
        return value if shown == as_written(value) else ShownText(shown, value)
