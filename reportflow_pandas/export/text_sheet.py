"""A sheet that reads like a page: a title, sections, a line for each thing."""

from __future__ import annotations

from typing import Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, PatternFill, Side

from reportflow_pandas.export.cells import is_formula
from reportflow_pandas.export.columns import display_width
from reportflow_pandas.export.style import GREY, INK, PALE, font

__all__ = ["Page"]

_UNDER = Border(bottom=Side(style="thin", color=PALE))
_LEFT = Alignment(horizontal="left", vertical="center", indent=1)
_RIGHT = Alignment(horizontal="right", vertical="center")
_TEXT_WIDTH = 96


class Page:
    """A sheet that is written line by line, from the second column on: the first is the margin.

    Parameters
    ----------
    sheet
        Empty write-only worksheet.
    widths : dict of str to float
        Characters, by the columns' letters.
    """

    def __init__(self, sheet: Any, widths: dict[str, float]) -> None:
        self.sheet = sheet
        self.line = 0
        self.columns = len(widths) - 1
        for letter, width in widths.items():
            sheet.column_dimensions[letter].width = width
        sheet.sheet_view.showGridLines = False
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = 9
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True

    def put(self, *cells: Any, height: float | None = None) -> None:
        """Write a line."""
        self.line += 1
        if height is not None:
            self.sheet.row_dimensions[self.line].height = height
        self.sheet.append([None, *cells])

    def title(self, text: str, below: str) -> None:
        """Write the band on top."""
        fill = PatternFill("solid", fgColor=INK)
        rest = [self._cell(None, fill=fill) for _ in range(self.columns - 1)]
        big, small = font("FFFFFF", size=20, bold=True), font(PALE)
        above = Alignment(horizontal="left", vertical="top", indent=1)
        self.put(self._cell(text, font=big, fill=fill, alignment=_LEFT), *rest, height=38)
        self.put(self._cell(below, font=small, fill=fill, alignment=above), *rest, height=22)

    def band(self, *headings: str) -> None:
        """Write the headings of a plain table."""
        white, fill = font("FFFFFF", bold=True), PatternFill("solid", fgColor=INK)
        self.put(*(self._cell(text, font=white, fill=fill, alignment=_LEFT) for text in headings), height=24)

    def fact(self, label: str, value: Any) -> None:
        """Write a label and its value."""
        bold, plain = font(bold=True), font()
        self.put(
            self._cell(label, font=bold, border=_UNDER, alignment=_LEFT),
            self._cell(value, font=plain, border=_UNDER, alignment=_LEFT),
            height=20,
        )

    def section(self, heading: str, number: str = "", share: str = "", text: str = "") -> None:
        """Begin a section; the smaller headings stand over its columns."""
        self.put()
        border = Border(bottom=Side(style="medium", color=INK))
        big, small = font(size=13, bold=True), font(GREY, size=10, bold=True)
        self.put(
            self._cell(
                heading, font=big, border=border, alignment=Alignment(horizontal="left", vertical="center")
            ),
            self._cell(number or None, font=small, border=border, alignment=_RIGHT),
            self._cell(share or None, font=small, border=border, alignment=_RIGHT),
            self._cell(text or None, font=small, border=border, alignment=_LEFT),
            height=26,
        )

    def entry(
        self,
        label: str,
        value: Any = None,
        share: float | None = None,
        text: str | None = None,
        *,
        colours: tuple[str, str] | None = None,
        bold: bool = False,
        form: str | None = None,
        link: str | None = None,
    ) -> None:
        """Write a line of a section: a label, a number, its share, a text."""
        number = font(bold=bold)
        named = self._cell(label, font=font(bold=bold), border=_UNDER, alignment=_LEFT)
        if colours is not None:
            named.fill, named.font = PatternFill("solid", fgColor=colours[0]), font(colours[1], bold=True)
        wrapped = Alignment(horizontal="left", vertical="center", wrap_text=True, indent=1)
        explained = self._cell(text, font=font(GREY, link=link is not None), border=_UNDER, alignment=wrapped)
        if link:
            explained.hyperlink = link
        self.put(
            named,
            self._cell(value, font=number, border=_UNDER, alignment=_RIGHT, number_format=form or "#,##0"),
            self._cell(share, font=number, border=_UNDER, alignment=_RIGHT, number_format="0.0%"),
            explained,
            height=20 if display_width(text or "") <= _TEXT_WIDTH else 34,
        )

    def say(self, text: str, *, big: bool = False, grey: bool = False, code: bool = False) -> None:
        """Write a sentence."""
        look = font(GREY if grey else INK, size=13 if big else 11, bold=big, code=code)
        self.put(self._cell(text, font=look, alignment=_LEFT), height=20)

    def _cell(self, value: Any, **look: Any) -> Any:
        cell = WriteOnlyCell(self.sheet, value=value)
        if isinstance(value, str) and is_formula(value):
            cell.data_type = "s"
        for name, setting in look.items():
            setattr(cell, name, setting)
        return cell
