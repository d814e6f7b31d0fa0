"""Workbooks of today's Excel (``.xlsx``, ``.xlsm``), read by openpyxl."""

from __future__ import annotations

import dataclasses
import datetime as dt
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

import openpyxl
import pandas as pd
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils.datetime import CALENDAR_WINDOWS_1900
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import (
    FORMULA_TAG,
    INLINE_STRING,
    MERGE_TAG,
    ROW_TAG,
    VALUE_TAG,
    WorkSheetParser,
)
from openpyxl.worksheet.merge import MergeCells
from openpyxl.xml.functions import iterparse

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.number_formats import FormatCode, parsed_format
from reportflow_pandas.reading.reading_options import Reading, refusal
from reportflow_pandas.reading.sheet_content import FormatLook, Place, Sheet
from reportflow_pandas.reading.workbook_sheets import chosen_sheet, frame_of_sheet

__all__ = ["cleaned_text", "impossible_day", "read_xlsx", "unreadable", "without_noise"]

_FIRST_OWN_FORMAT = 164
"""Ids of number formats from here on are the workbook's own."""

_BY_COMPUTER = {14, 22, *range(27, 37), *range(50, 59)}
"""Ids of built-in dates that each computer shows by its own settings: they have no text of their own."""

_OWN_DATE, _OWN_MOMENT = (
    dataclasses.replace(parsed_format(code), code="the computer's own date", known=False)
    for code in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm")
)
"""Such formats: what they show can't be told."""

_OWN_MOMENT_ID = 22

_NO_LEAP_DAY = 60
"""The 29 February 1900 of Excel's calendar, which there never was."""

_FIRST_YEAR = 1900
"""Of Excel's calendar."""

_SPREADSHEET_DIGITS = 15
"""Digits that a spreadsheet shows at most; it stores 17."""


def read_xlsx(path: Path, reading: Reading, content: IO[bytes] | None = None) -> pd.DataFrame:
    """Return the rows of a sheet.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.
    reading : Reading
        How.
    content : file, optional
        Its decrypted bytes.

    Raises
    ------
    ConfigurationError
        Damaged, or made by a program that openpyxl doesn't understand; see also `frame_of_sheet`.
    """
    try:
        with warnings.catch_warnings(), content or path.open("rb") as file:
            # what other programs add (LibreOffice's extensions, Excel's views) is not about the cells
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                sheets = [sheet for sheet in workbook.worksheets if hasattr(sheet, "_get_source")]
                named = [(str(sheet.title), sheet.sheet_state == "visible") for sheet in sheets]
                name = chosen_sheet(path, named, reading)
                sheet = _sheet(workbook, next(found for found in sheets if found.title == name), reading)
            finally:
                workbook.close()
    except ConfigurationError:
        raise
    except Exception as reason:  # noqa: BLE001 - damaged and foreign workbooks raise whatever their XML leads to
        raise unreadable(path, reason) from None
    return frame_of_sheet(sheet, path, reading, [title for title, visible in named if visible])


def unreadable(path: Path, reason: BaseException) -> ConfigurationError:
    """Return the refusal of a workbook that its library could not open."""
    what = " ".join(f"{type(reason).__name__}: {reason}".split())[:160]
    return refusal(
        path,
        f"cannot be read as a workbook: it is damaged, or another program wrote it in its own way ({what}). Open "
        f"it "
        "in Excel or LibreOffice and save it as .xlsx",
    )


def _sheet(workbook: Any, worksheet: Any, reading: Reading) -> Sheet:
    sheet = Sheet(str(worksheet.title))
    formats = _formats(workbook)
    look = FormatLook(sheet, reading)
    with worksheet._get_source() as source:  # noqa: SLF001 - the part's name is known to openpyxl only
        parser = _Parser(
            source,
            worksheet._shared_strings,  # noqa: SLF001 - the same
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,  # noqa: SLF001 - the same
            timedelta_formats=workbook._timedelta_formats,  # noqa: SLF001 - the same
        )
        parser.sheet = sheet
        parser.zeros = []
        parser.worked_out = not _left_to_excel(workbook)
        for number, cells in parser.parse():
            line: list[Any] = []
            for cell in cells:
                value = cell["value"]
                if value is None:
                    continue
                column = cell["column"] - 1
                kind = type(value)
                if kind is str:
                    value = cleaned_text(value)
                elif kind is float:
                    value = without_noise(value)
                if cell["data_type"] == "e":
                    sheet.errors[number, column] = value
                elif (code := formats.get(cell["style_id"])) is not None and (kind is not str or code.of_texts):
                    value = look(number, column, value, code)
                if column == len(line):
                    line.append(value)
                else:
                    line += [None] * (column + 1 - len(line))
                    line[column] = value
            sheet.lines.add(number, line)
    sheet.merged = parser.merged
    if not parser.worked_out:
        sheet.unstored += parser.zeros
    return sheet


def _left_to_excel(workbook: Any) -> bool:
    """Tell whether the program that wrote the file left its formulas to Excel, as XlsxWriter does.

    The part is read as it stands: openpyxl takes an attribute that is missing for true.
    """
    try:
        content = workbook._archive.read("xl/workbook.xml")  # noqa: SLF001 - the file that openpyxl opened
    except KeyError:
        return False
    return b'fullCalcOnLoad="1"' in content or b'fullCalcOnLoad="true"' in content


def cleaned_text(text: str) -> str:
    """Return a text as the sheet shows it: Excel writes a carriage return as ``_x000D_``."""
    if "_x" in text:
        text = unescape(text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def without_noise(number: float) -> float:
    """Return a number with the digits that a spreadsheet shows: 1234.56 for 1234.5600000000002."""
    return float(format(number, f".{_SPREADSHEET_DIGITS}g"))


def _formats(workbook: Any) -> dict[int, FormatCode]:
    """Return the formats, by the cells' style ids, that show something else than the value."""
    formats: dict[int, FormatCode] = {}
    for style, cell in enumerate(workbook._cell_styles):  # noqa: SLF001 - openpyxl gives it cell by cell only
        number = cell.numFmtId
        if number in _BY_COMPUTER:
            formats[style] = _OWN_MOMENT if number == _OWN_MOMENT_ID else _OWN_DATE
            continue
        if number < _FIRST_OWN_FORMAT:
            code = BUILTIN_FORMATS.get(number, "General")
        else:
            code = workbook._number_formats[number - _FIRST_OWN_FORMAT]  # noqa: SLF001 - the same
        parsed = parsed_format(code)
        if not parsed.general:
            formats[style] = parsed
    return formats


def impossible_day(serial: Any, epoch: dt.datetime) -> str:
    """Return what a sheet shows for a number that is no day of its calendar; nothing for one that is."""
    try:
        number = float(serial)
    except (TypeError, ValueError):  # a day in ISO 8601
        return ""
    if epoch != CALENDAR_WINDOWS_1900:
        return ""
    return "########" if number < 0 else "1900-02-29" if int(number) == _NO_LEAP_DAY else ""


class _Parser(WorkSheetParser):
    """openpyxl's own parser of a sheet, which also tells what its cells alone don't."""

    sheet: Sheet
    zeros: list[Place]
    """Formulas whose stored value is 0."""
    worked_out: bool
    """Whether the formulas have values; known as soon as one has another value than 0."""

    def parse(self) -> Generator[tuple[int, list[dict[str, Any]]], None, None]:
        """Yield rows; all else but merged cells is passed over, so that it can't be in the way."""
        self.merged: list[str] = []
        for _, element in iterparse(self.source):
            if element.tag == ROW_TAG:
                hidden = element.get("hidden") in ("1", "true") or element.get("ht") in ("0", "0.0")
                yield self.parse_row(element)
                if hidden:
                    self.sheet.hidden.add(self.row_counter)
                element.clear()
            elif element.tag == MERGE_TAG:
                found = MergeCells.from_tree(element)
                self.merged = [cells.ref for cells in found.mergeCell] if found is not None else []
                element.clear()
        self.row_dimensions.clear()

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """Return a cell; a formula without a value is noted."""
        cell: dict[str, Any] = super().parse_cell(element)
        value = cell["value"]
        if value is None:
            if (
                element.find(FORMULA_TAG) is not None
                and (element.get("t") != "str" or element.find(VALUE_TAG) is None)
                and element.find(INLINE_STRING) is None
            ):
                self.sheet.unstored.append((cell["row"], cell["column"] - 1))
        elif type(value) is dt.datetime and value.year <= _FIRST_YEAR:
            no_day = impossible_day(element.findtext(VALUE_TAG), self.epoch)
            if no_day:
                self.sheet.errors[cell["row"], cell["column"] - 1] = no_day
        if not self.worked_out and value is not None and element.find(FORMULA_TAG) is not None:
            if value == 0 and cell["data_type"] == "n":
                self.zeros.append((cell["row"], cell["column"] - 1))
            else:
                self.worked_out = True
        return cell
