"""Colours and type of the workbook."""

from __future__ import annotations

from typing import Any

from openpyxl.styles import Font

from reportflow_pandas.results.colours import STATUS_PILLS

__all__ = [
    "BAR",
    "DECISION_COLOURS",
    "GREY",
    "HEADING_COLOURS",
    "INK",
    "INPUT",
    "NO_PDF_COLOURS",
    "PALE",
    "STATUS_COLOURS",
    "font",
    "on_paper",
]

INK = "1F2A37"
GREY = "6B7280"
PALE = "D7DCE3"
INPUT = "FFFBE6"

STATUS_COLOURS = STATUS_PILLS  # background, text
NO_PDF_COLOURS = STATUS_COLOURS["failed"]
HEADING_COLOURS = {"input": "B7791F", "source": "5B6B7F", "detail": "8792A2", "hidden": "8792A2"}
"""By the kind of a column; others are ``INK``."""
BAR = "9DB8D9"

A4_PAPER = 9
"""As the file format counts papers."""

DECISION_COLOURS = {
    "approve": STATUS_COLOURS["ready"],
    "redo": STATUS_COLOURS["unknown"],
    "reject": STATUS_COLOURS["failed"],
}


def font(
    color: str = INK, *, size: float = 11, bold: bool = False, link: bool = False, code: bool = False
) -> Font:
    """Return a font of the workbook; without a name, some programs fall back to a serif."""
    return Font(
        name="Consolas" if code else "Calibri",
        size=size,
        bold=bold,
        color="1F5FA8" if link else color,
        underline="single" if link else None,
    )


def on_paper(sheet: Any, title: str, *, one_page: bool = False) -> None:
    """Print a sheet landscape on A4, one page across, with its title above and the page's number below."""
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = A4_PAPER
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 1 if one_page else 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.75
    sheet.page_margins.header = sheet.page_margins.footer = 0.3
    sheet.oddHeader.left.text = title
    sheet.oddFooter.right.text = "&P / &N"
