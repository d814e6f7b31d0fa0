"""Colours and type of the workbook."""

from __future__ import annotations

from openpyxl.styles import Font

__all__ = ["DECISION_COLOURS", "GREY", "INK", "INPUT", "PALE", "STATUS_COLOURS", "font"]

INK = "1F2A37"
GREY = "6B7280"
PALE = "D7DCE3"
INPUT = "FFFBE6"

STATUS_COLOURS = {  # background, text
    "ready": ("C9EBD3", "14532D"),
    "accepted": ("DCEBFB", "1E4E8C"),
    "failed": ("F9D2CF", "8F1D14"),
    "unknown": ("FCE7B8", "7A4B00"),
    "not_sent": ("E5E7EB", "374151"),
}
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
