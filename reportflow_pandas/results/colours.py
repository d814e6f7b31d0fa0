"""Colours of a notebook's pictures: readable on a light page and on a dark one."""

from __future__ import annotations

__all__ = ["PICTURE_COLOURS", "PICTURE_FRAME", "STATUS_PILLS"]

STATUS_PILLS = {
    "ready": ("C9EBD3", "14532D"),
    "sent": ("C9EBD3", "14532D"),
    "accepted": ("DCEBFB", "1E4E8C"),
    "failed": ("F9D2CF", "8F1D14"),
    "unknown": ("FCE7B8", "7A4B00"),
    "not_sent": ("E5E7EB", "374151"),
}
"""Background and text, readable whatever is around them: on a light page and on a dark one."""

PICTURE_COLOURS = {"success": "#2a9149", "warning": "#b86e00", "danger": "#d93b30"}
"""Of bars and areas, by the bar's style: each 3.9:1 or more on white and on black."""

PICTURE_FRAME = "#858585"
"""Of the line around it; 3:1 and more on either, which is what WCAG 2.2 asks of graphics."""
