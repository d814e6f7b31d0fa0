"""Workbooks of other programs and times: ``.xls``, ``.ods``, ``.xlsb``, and those under a password."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel
from openpyxl.xml.functions import fromstring

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.file_kinds import needed
from reportflow_pandas.reading.number_formats import FormatCode, parsed_format
from reportflow_pandas.reading.ods_files import ods_sheet
from reportflow_pandas.reading.reading_options import Reading, refusal
from reportflow_pandas.reading.sheet_content import FormatLook, Sheet
from reportflow_pandas.reading.workbook_sheets import chosen_sheet, frame_of_sheet
from reportflow_pandas.reading.xlsx_files import cleaned_text, impossible_day, read_xlsx, unreadable, without_noise

__all__ = ["read_other"]

_NO_PASSWORD = "VelvetSweatshop"  # noqa: S105 - what Excel encrypts with where no password was given
_WAY_OUT = "Open it in Excel and save it as .xlsx"
_SHEET_TEXT, _SHEET_NUMBER, _SHEET_DATE, _SHEET_TRUTH, _SHEET_ERROR = 1, 2, 3, 4, 5
"""Kinds of cells in xlrd."""
_BY_COMPUTER = {14, 22}
"""Ids of formats that each computer shows by its own settings."""


def read_other(path: Path, kind: str, reading: Reading) -> pd.DataFrame:
    """Return the rows of a workbook that openpyxl doesn't read.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.
    kind : str
        As `kind_of` told.
    reading : Reading
        How.

    Raises
    ------
    ConfigurationError
        Under a password, damaged; see also `frame_of_sheet`.
    """
    if kind == "protected":
        return read_xlsx(path, reading, _opened(path))
    readers: dict[str, Callable[[Path, Reading], tuple[Sheet, list[str]]]] = {
        "xls": _xls,
        "ods": ods_sheet,
        "xlsb": _xlsb,
    }
    try:
        sheet, visible = readers[kind](path, reading)
    except ConfigurationError:
        raise
    except BaseException as reason:
        # damaged bytes raise whatever they lead to; a panic of a Rust library is no Exception
        if isinstance(reason, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise unreadable(path, reason) from None
    return frame_of_sheet(sheet, path, reading, visible)


def _opened(path: Path) -> io.BytesIO:
    """Return a workbook that is encrypted without a password of its owner's.

    Raises
    ------
    ConfigurationError
        There is one.
    """
    msoffcrypto: Any = needed(path, "msoffcrypto", "msoffcrypto-tool", f"It is under a password. {_WAY_OUT}")
    content = io.BytesIO()
    try:
        with path.open("rb") as file:
            office = msoffcrypto.OfficeFile(file)
            office.load_key(password=_NO_PASSWORD)
            office.decrypt(content)
    except Exception:  # noqa: BLE001 - each kind of encryption has its own error
        raise refusal(
            path,
            "is protected by a password. Open it in Excel, take the password away (File, Info, Protect Workbook, "
            "Encrypt with Password: empty the field) and save it under another name",
        ) from None
    return content


def _xls(path: Path, reading: Reading) -> tuple[Sheet, list[str]]:
    xlrd: Any = needed(path, "xlrd", "xlrd", _WAY_OUT)
    try:
        book = xlrd.open_workbook(path, formatting_info=True, logfile=io.StringIO())
    except xlrd.XLRDError as reason:
        if "encrypted" in str(reason).lower():
            raise refusal(
                path, "is protected by a password. Open it in Excel, take the password away and save it as .xlsx"
            ) from None
        raise
    found = [(str(sheet.name), sheet.visibility == 0) for sheet in book.sheets()]
    sheet = Sheet(chosen_sheet(path, found, reading))
    cells = book.sheet_by_name(sheet.name)
    look = FormatLook(sheet, reading)
    words = {code: str(word) for code, word in xlrd.error_text_from_code.items()}
    for number in range(cells.nrows):
        line: list[Any] = []
        for column, cell in enumerate(cells.row(number)):
            if cell.ctype == _SHEET_ERROR:
                value: Any = words.get(cell.value, "#N/A")
                sheet.errors[number + 1, column] = value
            else:
                value = _xls_value(cell, book)
                if value == "":
                    sheet.blank_results.append((number + 1, column))
                if cell.ctype == _SHEET_DATE and (no_day := _xls_no_day(cell, book)):
                    sheet.errors[number + 1, column] = value = no_day
                elif value is not None and cell.ctype in (_SHEET_NUMBER, _SHEET_DATE):
                    code = _xls_format(cell, book)
                    value = value if code is None else look(number + 1, column, value, code)
            line.append(value)
        sheet.lines.add(number + 1, line)
    sheet.hidden = {row + 1 for row, about in cells.rowinfo_map.items() if about.hidden}
    sheet.merged = [
        f"{get_column_letter(left + 1)}{top + 1}:{get_column_letter(right)}{bottom}"
        for top, bottom, left, right in cells.merged_cells
    ]
    return sheet, [name for name, visible in found if visible]


def _xls_value(cell: Any, book: Any) -> Any:
    if cell.ctype == _SHEET_TEXT:
        return cleaned_text(cell.value)
    if cell.ctype == _SHEET_TRUTH:
        return bool(cell.value)
    if cell.ctype == _SHEET_NUMBER:
        number = without_noise(cell.value)
        return int(number) if number.is_integer() else number
    if cell.ctype == _SHEET_DATE:
        elapsed = any(token.kind == "elapsed" for token in _code_of(cell, book).sections[0])
        epoch = CALENDAR_MAC_1904 if book.datemode else CALENDAR_WINDOWS_1900
        return from_excel(cell.value, epoch, timedelta=elapsed)
    return None


def _xls_no_day(cell: Any, book: Any) -> str:
    return impossible_day(cell.value, CALENDAR_MAC_1904 if book.datemode else CALENDAR_WINDOWS_1900)


def _code_of(cell: Any, book: Any) -> FormatCode:
    return parsed_format(str(book.format_map[book.xf_list[cell.xf_index].format_key].format_str))


def _xls_format(cell: Any, book: Any) -> FormatCode | None:
    if book.xf_list[cell.xf_index].format_key in _BY_COMPUTER:
        return None
    code = _code_of(cell, book)
    return None if code.general else code


# .xlsb


def _xlsb(path: Path, reading: Reading) -> tuple[Sheet, list[str]]:
    """Return a sheet: its values by calamine, which knows dates; all else by pyxlsb."""
    calamine: Any = needed(path, "python_calamine", "python-calamine", _WAY_OUT)
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(damaged)
    with calamine.load_workbook(str(path)) as book:
        shown = calamine_visible(book)
        sheet = Sheet(chosen_sheet(path, shown, reading))
        formats = _look_behind(path, sheet)
        rows = book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
    look = FormatLook(sheet, reading)
    for number, cells in enumerate(rows, 1):
        line = [_calamine_value(cell) for cell in cells]
        for column, code in formats.get(number, {}).items():
            if column < len(line) and line[column] is not None:
                line[column] = look(number, column, line[column], code)
        for column in range(len(line)):
            if (number, column) in sheet.errors:
                line[column] = sheet.errors[number, column]
        sheet.lines.add(number, line)
    return sheet, [name for name, visible in shown if visible]


def calamine_visible(book: Any) -> list[tuple[str, bool]]:
    """Return the names of worksheets, and whether each is visible."""
    return [
        (sheet.name, str(sheet.visible).endswith("Visible"))
        for sheet in book.sheets_metadata
        if str(sheet.typ).endswith("WorkSheet")
    ]


def _calamine_value(cell: Any) -> Any:
    if isinstance(cell, str):
        return cleaned_text(cell)
    if isinstance(cell, float):
        number = without_noise(cell)
        return int(number) if number.is_integer() else number
    if type(cell) is dt.date:
        return dt.datetime.combine(cell, dt.time())
    return cell


_ERROR_CODES = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!"}
_ERROR_CODES |= {0x2A: "#N/A", 0x2B: "#GETTING_DATA"}
_HIDDEN_FLAG = 0x10
"""Of the byte of a row's record that holds its outline level ([MS-XLSB] 2.4.764, fDyZero)."""
_MERGE_RECORD = 0x01B0
"""[MS-XLSB] 2.4.705, BrtMergeCell."""
_TEXT_RECORD = 0x06
"""[MS-XLSB] 2.4.322, BrtCellSt."""
_MOST_COLUMNS = 16_384
"""Of a sheet of Excel's."""
_MOST_CELLS = 50_000_000
"""Of the rectangle from A1 that holds all cells: calamine makes 32 bytes for each, blank or not, and aborts the
process where there is no memory for them."""


_FORMAT_RECORD, _CELL_STYLE_RECORD = 0x2C, 0x2F
"""[MS-XLSB] 2.4.653, BrtFmt, and 2.4.812, BrtXF."""
_STYLE_BITS = 0xFFFFFF
"""Of the number of a cell's style ([MS-XLSB] 2.5.9); a flag stands above them."""


def _xlsb_records(archive: zipfile.ZipFile, part: str, handlers: Mapping[int, Any]) -> Any:
    """Return the records of a part, some of them read by handlers of ours."""
    from pyxlsb.reader import BIFF12Reader  # noqa: PLC0415 - of the extra `files`

    records = BIFF12Reader(io.BytesIO(archive.read(part)))
    records.handlers = {**records.handlers, **handlers}  # the class's own serve the whole process
    return records


def _xlsb_part(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the part that holds a sheet."""
    from pyxlsb import biff12  # noqa: PLC0415 - of the extra `files`

    relations = fromstring(archive.read("xl/_rels/workbook.bin.rels"))
    targets = {relation.attrib["Id"]: relation.attrib["Target"] for relation in relations}
    records = _xlsb_records(archive, "xl/workbook.bin", {})
    relation = next(sh.rId for record, sh in records if record == biff12.SHEET and sh.name == sheet)
    return f"xl/{targets[relation]}"


def _xlsb_formats(archive: zipfile.ZipFile) -> list[FormatCode | None]:
    """Return the number format of each style of cells; None where it says what the value says."""
    from pyxlsb import biff12, handlers  # noqa: PLC0415 - of the extra `files`

    class Format(handlers.Handler):  # type: ignore[misc] # pyxlsb ships no types
        """Reads a number format of the workbook's own."""

        def read(self, reader: Any, _: int, __: int) -> Any:
            return reader.read_short(), reader.read_string()

    class CellStyle(handlers.Handler):  # type: ignore[misc] # pyxlsb ships no types
        """Reads the number format of a style."""

        def read(self, reader: Any, _: int, length: int) -> Any:
            reader.skip(2)
            number = reader.read_short()
            reader.skip(length - 4)
            return number

    if "xl/styles.bin" not in archive.namelist():
        return []
    marks = {mark: handlers.BasicHandler(str(mark)) for mark in (biff12.CELLXFS, biff12.CELLXFS_END)}
    ours = {**marks, _FORMAT_RECORD: Format(), _CELL_STYLE_RECORD: CellStyle()}
    records = _xlsb_records(archive, "xl/styles.bin", ours)
    codes: dict[int, str] = dict(BUILTIN_FORMATS)
    numbers: list[int] = []
    of_cells = False  # styles that have a name come first
    for record, content in records:
        if record in (biff12.CELLXFS, biff12.CELLXFS_END):
            of_cells = record == biff12.CELLXFS
        elif record == _FORMAT_RECORD:
            codes[content[0]] = content[1]
        elif record == _CELL_STYLE_RECORD and of_cells:
            numbers.append(content)
    found = [
        parsed_format("General" if number in _BY_COMPUTER else codes.get(number, "General")) for number in numbers
    ]
    return [None if code.general else code for code in found]


def _in_rows(path: Path, sheet: str, records: Any) -> Iterator[tuple[int, int, Any]]:
    """Yield row, kind and content of each record; refuse a sheet before calamine makes its blank cells."""
    from pyxlsb import biff12  # noqa: PLC0415 - of the extra `files`

    row = height = width = 0
    for record, content in records:
        if record == biff12.ROW:
            row = content[0]
        elif biff12.BLANK < record <= biff12.FORMULA_BOOLERR:
            height, width = max(height, row + 1), max(width, content.c + 1)
            if width > _MOST_COLUMNS or height * width > _MOST_CELLS:
                raise refusal(
                    path,
                    f"is not read: sheet {sheet!r} reaches to row {height}, column {width}, which is too many "
                    "blank cells. Delete what stands far outside the rows (Ctrl+End goes there), or save it "
                    "as .xlsx",
                )
        yield row, record, content


def _look_behind(path: Path, sheet: Sheet) -> dict[int, dict[int, FormatCode]]:
    """Note the errors, hidden rows and merged cells of a sheet, and return the number formats of its lines."""
    needed(path, "pyxlsb", "pyxlsb", _WAY_OUT)
    from pyxlsb import biff12, handlers  # noqa: PLC0415 - of the extra `files`

    class Row(handlers.Handler):  # type: ignore[misc] # pyxlsb ships no types
        """Reads what pyxlsb's own handler passes over: whether the row is hidden."""

        def read(self, reader: Any, _: int, length: int) -> Any:
            row = reader.read_int()
            reader.skip(7)
            hidden = bool(reader.read_byte() & _HIDDEN_FLAG)
            reader.skip(length - 12)
            return row, hidden

    class Merge(handlers.Handler):  # type: ignore[misc] # pyxlsb ships no types
        """Reads a merged range."""

        def read(self, reader: Any, _: int, __: int) -> Any:
            return tuple(reader.read_int() for _ in range(4))

    numbers = (biff12.NUM, biff12.FLOAT, biff12.FORMULA_FLOAT)
    with zipfile.ZipFile(path) as archive:
        ours = {biff12.ROW: Row(), _MERGE_RECORD: Merge(), _TEXT_RECORD: handlers.CellHandler()}
        # pyxlsb's rows() tells no errors from texts, and its workbook leaves files open where a part is damaged
        records = _xlsb_records(archive, _xlsb_part(archive, sheet.name), ours)
        styles = _xlsb_formats(archive)
        formats: dict[int, dict[int, FormatCode]] = {}
        for row, record, content in _in_rows(path, sheet.name, records):
            if record == biff12.ROW:
                if content[1]:
                    sheet.hidden.add(row + 1)
            elif record in numbers:
                style = content.style & _STYLE_BITS
                code = styles[style] if style < len(styles) else None
                if code is not None:
                    formats.setdefault(row + 1, {})[content.c] = code
            elif record in (biff12.BOOLERR, biff12.FORMULA_BOOLERR):
                sheet.errors[row + 1, content.c] = _ERROR_CODES.get(int(content.v, 16), "#N/A")
            elif record == _MERGE_RECORD:
                top, bottom, left, right = content
                sheet.merged.append(
                    f"{get_column_letter(left + 1)}{top + 1}:{get_column_letter(right + 1)}{bottom + 1}"
                )
    return formats
