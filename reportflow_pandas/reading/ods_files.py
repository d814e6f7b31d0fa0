"""OpenDocument spreadsheets (LibreOffice), read by odfpy: they keep what a sheet shows beside its values."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pandas as pd
from openpyxl.utils import get_column_letter

from reportflow_pandas.reading.file_kinds import needed
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.sheet_content import Place, Sheet
from reportflow_pandas.reading.shown import ShownText, as_written
from reportflow_pandas.reading.table import is_error_word
from reportflow_pandas.reading.workbook_sheets import chosen_sheet
from reportflow_pandas.reading.xlsx_files import without_noise

__all__ = ["ods_sheet"]

_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_STYLE = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"

_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
"""Of a sheet: more equal rows or cells in one element are none."""

_TRUTHS = {"TRUE": True, "FALSE": False}

_MIDNIGHT = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - a time of day has no time zone


@dataclass
class _Sheet(Sheet):
    """A sheet, how its cells are kept, and whether the program that wrote it worked its formulas out."""

    as_shown: bool = False
    worked_out: bool = True


def ods_sheet(path: Path, reading: Reading) -> tuple[Sheet, list[str]]:
    """Return a sheet, and the names of the visible ones."""
    needed(path, "odf", "odfpy", "Open it and save it as .xlsx")
    from odf.opendocument import load  # noqa: PLC0415 - of the extra `files`
    from odf.table import Table  # noqa: PLC0415 - the same

    with zipfile.ZipFile(path) as archive:
        # odfpy takes what it can read of a cut document for the whole
        expat.ParserCreate().Parse(archive.read("content.xml"), True)
    document = load(str(path))
    tables = document.spreadsheet.getElementsByType(Table)
    hidden = _hidden_styles(document)
    found = [
        (_attribute(table, _TABLE, "name"), _attribute(table, _TABLE, "style-name") not in hidden)
        for table in tables
    ]
    name = chosen_sheet(path, found, reading)
    table = next(entry for entry in tables if _attribute(entry, _TABLE, "name") == name)
    sheet = _Sheet(name, as_shown=reading.as_shown, worked_out=_worked_out(document))
    number = 0
    for row in _rows(table):
        repeated = int(_attribute(row, _TABLE, "number-rows-repeated") or 1)
        line = _line(row, number + 1, sheet)
        if not line:
            number += repeated
            continue
        for _ in range(min(repeated, _MOST_ROWS)):
            number += 1
            sheet.lines.add(number, list(line))
            if _attribute(row, _TABLE, "visibility") in ("collapse", "filter"):
                sheet.hidden.add(number)
    return sheet, [title for title, visible in found if visible]


def _worked_out(document: Any) -> bool:
    """Tell whether formulas without a value are empty: LibreOffice writes those so whose result is no text."""
    from odf.meta import Generator  # noqa: PLC0415 - of the extra `files`

    return any("Office" in str(generator) for generator in document.meta.getElementsByType(Generator))


def _hidden_styles(document: Any) -> set[str]:
    """Return the names of the styles of hidden sheets."""
    from odf.style import Style, TableProperties  # noqa: PLC0415 - of the extra `files`

    return {
        _attribute(style, _STYLE, "name")
        for style in document.automaticstyles.getElementsByType(Style)
        for properties in style.getElementsByType(TableProperties)
        if _attribute(properties, _TABLE, "display") == "false"
    }


def _attribute(element: Any, space: str, name: str) -> str:
    return str(element.attributes.get((space, name)) or "")


def _rows(table: Any) -> Iterator[Any]:
    from odf.table import TableRow  # noqa: PLC0415 - of the extra `files`

    yield from table.getElementsByType(TableRow)


def _line(row: Any, number: int, sheet: _Sheet) -> list[Any]:
    """Return the cells of a row up to the last one that holds something."""
    line: list[Any] = []
    for cell in row.childNodes:
        kind = cell.qname[1] if hasattr(cell, "qname") else ""
        if kind not in ("table-cell", "covered-table-cell"):
            continue
        repeated = int(_attribute(cell, _TABLE, "number-columns-repeated") or 1)
        value = _value(cell, (number, len(line)), sheet) if cell.attributes or cell.childNodes else None
        if kind == "table-cell":
            _merged(cell, number, len(line), sheet)
        line += [value] * min(repeated, _MOST_COLUMNS)
    while line and line[-1] is None:
        line.pop()
    return line


def _merged(cell: Any, number: int, column: int, sheet: Sheet) -> None:
    wide = int(_attribute(cell, _TABLE, "number-columns-spanned") or 1)
    high = int(_attribute(cell, _TABLE, "number-rows-spanned") or 1)
    if wide > 1 or high > 1:
        last = f"{get_column_letter(column + wide)}{number + high - 1}"
        sheet.merged.append(f"{get_column_letter(column + 1)}{number}:{last}")


def _value(cell: Any, place: Place, sheet: _Sheet) -> Any:
    kind = _attribute(cell, _OFFICE, "value-type")
    formula = _attribute(cell, _TABLE, "formula")
    shown = _shown(cell)
    if _attribute(cell, _CALC, "value-type") == "error" or (formula and is_error_word(shown)):
        sheet.errors[place] = shown or "#N/A"
        return shown or "#N/A"
    if not kind:
        if formula and not sheet.worked_out:
            sheet.unstored.append(place)
        return None
    if kind == "string":
        return shown or None
    value = _typed(cell, kind)
    return _looked_at(value, shown, place, sheet)


def _typed(cell: Any, kind: str) -> Any:
    if kind == "boolean":
        return _attribute(cell, _OFFICE, "boolean-value") == "true"
    if kind == "date":
        moment = pd.Timestamp(_attribute(cell, _OFFICE, "date-value"))
        return moment.to_pydatetime()
    if kind == "time":
        length = pd.Timedelta(_attribute(cell, _OFFICE, "time-value")).to_pytimedelta()
        whole_days = length < dt.timedelta() or length >= dt.timedelta(days=1)
        return length if whole_days else (_MIDNIGHT + length).time()
    number = without_noise(float(_attribute(cell, _OFFICE, "value")))
    return int(number) if number.is_integer() else number


def _shown(cell: Any) -> str:
    """Return the text that a cell shows: its paragraphs, without its comment."""
    from odf.element import Text  # noqa: PLC0415 - of the extra `files`

    def text_of(element: Any) -> str:
        if isinstance(element, Text):
            return str(element.data)
        space, name = element.qname
        if name == "s" and space == _TEXT:
            return " " * int(_attribute(element, _TEXT, "c") or 1)
        if name in ("tab", "line-break") and space == _TEXT:
            return "\t" if name == "tab" else "\n"
        return "" if name == "annotation" else "".join(map(text_of, element.childNodes))

    paragraphs = [child for child in cell.childNodes if getattr(child, "qname", ("", ""))[1] in ("p", "h")]
    return "\n".join(map(text_of, paragraphs))


def _looked_at(value: Any, shown: str, place: Place, sheet: _Sheet) -> Any:
    """Return a value, or the text that the sheet shows of it; note where they differ."""
    if shown in _TRUTHS and value in (0, 1):  # LibreOffice's own formulas keep truths as numbers
        value = _TRUTHS[shown]
    if not shown or isinstance(value, bool) or shown == as_written(value):
        return value
    if sheet.as_shown:
        return ShownText(shown, value)
    differs = not _whole_date(value, shown) if isinstance(value, dt.date) else not _same_time(value, shown)
    if differs:
        scales = shown.rstrip().endswith("%")
        seen = sheet.seen.setdefault((place[1], ""), [0, place[0], value, shown, scales])
        seen[0] += 1
    padded = isinstance(value, int) and re.fullmatch(r"0\d+", shown)
    return ShownText(shown, value) if padded else value


def _whole_date(value: dt.date, shown: str) -> bool:
    """Tell whether a text shows year, month and day."""
    numbers = {int(digits) for digits in re.findall(r"\d+", shown)}
    named = bool(re.search(r"[^\W\d_]{3}", shown))
    return (
        value.day in numbers
        and bool({value.year, value.year % 100} & numbers)
        and (named or value.month in numbers)
    )


def _same_time(value: Any, shown: str) -> bool:
    return isinstance(value, dt.time | dt.timedelta) and as_written(value).lstrip("0") == shown.lstrip("0")
