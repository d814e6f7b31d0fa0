"""A sheet of rows: headings, colours, widths, and as many sheets as the rows need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from reportflow_pandas.export.cells import ColumnCells, Sanitiser, Trap, is_formula
from reportflow_pandas.export.columns import Column
from reportflow_pandas.export.links import MOST_LINKS
from reportflow_pandas.export.style import DECISION_COLOURS, INK, INPUT, STATUS_COLOURS, font
from reportflow_pandas.export.texts import DECISIONS, STATUSES, Words

__all__ = ["MOST_ROWS", "write_rows"]

MOST_ROWS = 1_048_576
"""Rows of a sheet, its heading among them."""
_CHUNK = 2_000
_WIDEST_FROZEN = 70

_HEADINGS = {"input": "B7791F", "source": "5B6B7F", "detail": "8792A2", "hidden": "8792A2"}


def write_rows(
    workbook: Workbook,
    title: str,
    columns: Sequence[Column],
    sanitiser: Sanitiser,
    *,
    rows: int,
    words: Words,
    frozen: int,
) -> None:
    """Write rows into a sheet, and into further ones where they do not fit.

    Parameters
    ----------
    workbook : openpyxl.Workbook
        Write-only.
    title : str
        Name of the sheet; the further ones are ``"Results 2"`` and so on.
    columns : sequence of Column
        In their order.
    sanitiser : Sanitiser
        Counts the further sheets.
    rows : int
        How many.
    words : Words
        The language.
    frozen : int
        Columns at the left that stay when the sheet is scrolled.
    """
    number, begin = 1, 0
    while True:
        end = min(rows, begin + MOST_ROWS - 1)
        sheet = workbook.create_sheet(title if number == 1 else f"{title} {number}")
        _lay_out(sheet, columns, end - begin, words, frozen)
        on_top = any(column.wrap for column in columns)
        room = MOST_LINKS
        for column in columns:
            room = column.begin(ColumnCells(sheet, on_top=on_top), room)
        sheet.append([_heading(sheet, column) for column in columns])
        for start in range(begin, end, _CHUNK):
            stop = min(start + _CHUNK, end)
            for line in zip(*(column.chunk(start, stop) for column in columns), strict=True):
                sheet.append(line)
        sheet.close()
        if end == rows:
            break
        number, begin = number + 1, end
    if number > 1:
        sanitiser.traps[Trap.ROWS] += number - 1


def _lay_out(sheet: Any, columns: Sequence[Column], rows: int, words: Words, frozen: int) -> None:
    """Set everything that is not a cell: openpyxl wants it before the first row."""
    last = rows + 1
    width = sum(column.width for column in columns[:frozen])
    sheet.freeze_panes = f"{get_column_letter(frozen + 1 if width <= _WIDEST_FROZEN else 1)}2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{last}"
    sheet.sheet_view.zoomScale = 100
    sheet.row_dimensions[1].height = 24
    if any(column.wrap for column in columns):
        # Two lines for every row: a height of each row's own would cost 1 KB a row.
        sheet.sheet_format.customHeight = True
        sheet.sheet_format.defaultRowHeight = 36
    for number, column in enumerate(columns, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = column.width
        sheet.column_dimensions[letter].hidden = column.kind == "hidden"
        if rows == 0:
            continue
        where = f"{letter}2:{letter}{last}"
        if column.kind == "status":
            _colour(sheet, where, {words.statuses[status]: STATUS_COLOURS[status] for status in STATUSES})
        elif column.kind == "input":
            _input(sheet, where, letter, column, words)
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4 if hasattr(sheet, "PAPERSIZE_A4") else 9
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"


def _input(sheet: Any, where: str, letter: str, column: Column, words: Words) -> None:
    """Colour what the reviewer fills in, and offer the words for a decision."""
    if column.heading == words.headings["decision"]:
        choices = [words.decisions[decision] for decision in DECISIONS]
        _colour(sheet, where, {words.decisions[name]: colours for name, colours in DECISION_COLOURS.items()})
        listed = DataValidation(
            type="list",
            formula1=f'"{",".join(choices)}"',
            allow_blank=True,
            showErrorMessage=True,
            showInputMessage=True,
            errorStyle="stop",
            errorTitle=words.says["refusal_title"],
            error=words.says["refusal"].format(words=", ".join(choices)),
            promptTitle=words.says["prompt_title"],
            prompt=words.says["prompt"],
        )
        listed.add(where)
        sheet.data_validations.append(listed)
    blank = Rule(type="expression", formula=[f"LEN({letter}2)=0"], dxf=_look(INPUT, INK))
    sheet.conditional_formatting.add(where, blank)


def _colour(sheet: Any, where: str, colours: dict[str, tuple[str, str]]) -> None:
    for word, (background, text) in colours.items():
        rule = Rule(type="cellIs", operator="equal", formula=[f'"{word}"'], dxf=_look(background, text))
        sheet.conditional_formatting.add(where, rule)


def _look(background: str, text: str) -> DifferentialStyle:
    return DifferentialStyle(font=Font(color=text), fill=PatternFill(bgColor=background, fill_type="solid"))


def _heading(sheet: Any, column: Column) -> Any:
    cell = WriteOnlyCell(sheet, value=column.heading)
    if is_formula(column.heading):
        cell.data_type = "s"
    cell.font = font("FFFFFF", bold=True)
    cell.fill = PatternFill("solid", fgColor=_HEADINGS.get(column.kind, INK))
    cell.alignment = Alignment(vertical="center")
    cell.border = Border(right=Side(style="thin", color="FFFFFF"))
    return cell
