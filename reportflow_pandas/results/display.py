"""A results frame at a glance: counts in colour, failures first, links; shown for ``results.reportflow``."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from reportflow_pandas.contract import opens_in_browser
from reportflow_pandas.results.results_frame import is_results
from reportflow_pandas.results.summary import without_pdf_for_good

__all__ = ["STATUS_COLOURS", "file_link", "folder_link", "overview_html"]

SHOWN = 8
"""Rows that are listed."""

STATUS_COLOURS = {
    "failed": "#b3261e",
    "unknown": "#9a6700",
    "not_sent": "#666666",
    "accepted": "#2563a8",
    "ready": "#22783c",
}
"""On a screen, readable on white and on dark; rows are listed in this order, what needs a person first."""


def overview_html(frame: pd.DataFrame) -> str | None:
    """Return short HTML for a results frame; None for any other frame, which shows itself as it is."""
    if not is_results(frame):
        return None
    attrs = frame.attrs["reportflow"]
    never = without_pdf_for_good(frame)
    counts = frame["status"][~never].value_counts()
    chips = "".join(
        f'<span style="display:inline-block;margin-right:14px;color:{colour}">'
        f"<b>{counts[status]:,}</b> {status.replace('_', ' ')}</span>"
        for status, colour in STATUS_COLOURS.items()
        if counts.get(status, 0)
    )
    if never.any():
        chips += (
            f'<span style="display:inline-block;margin-right:14px;color:{STATUS_COLOURS["failed"]}">'
            f"<b>{int(never.sum()):,}</b> without a PDF for good</span>"
        )
    first = frame["status"].map(list(STATUS_COLOURS).index).mask(never, 0)
    order = first.argsort(kind="stable").to_numpy()
    ordered = frame.iloc[order[:SHOWN]]
    rows = "".join(_row(label, row) for label, row in zip(ordered.index, ordered.itertuples(), strict=True))
    more = len(frame) - SHOWN
    note = f'<tr><td colspan="5" style="color:#666">and {more:,} more rows</td></tr>' if more > 0 else ""
    design = html.escape(
        f"{attrs.get('design') or attrs.get('design_id', '')}, version {attrs.get('version', '')}"
    )
    return (
        f'<div style="margin-bottom:4px"><b>{len(frame):,} documents</b> · {design} · '
        f"run {html.escape(attrs.get('run', ''))}</div>"
        f'<div style="margin-bottom:6px">{chips}</div>'
        f"<table><tr>{_HEADS}</tr>{rows}{note}</table>"
    )


_HEADS = "".join(
    f'<th style="text-align:left">{head}</th>' for head in ("row", "status", "file", "page", "what happened")
)


def _row(label: Any, row: Any) -> str:
    colour = STATUS_COLOURS.get(row.status, "inherit")
    name = html.escape(str(row.file_name))
    target = None if pd.isna(row.path) else file_link(str(row.path))
    if target is not None:
        name = f'<a href="{html.escape(target)}" target="_blank" rel="noopener">{name}</a>'
    page = ""
    if opens_in_browser(row.url):
        # for people to click: nothing of ours ever fetches it
        page = f'<a href="{html.escape(str(row.url))}" target="_blank" rel="noopener">open page</a>'
    told = "" if pd.isna(row.error) else str(row.error)
    told = told if len(told) <= 160 else told[:159] + "…"
    return (
        f'<tr><td style="text-align:left">{html.escape(repr(label) if not isinstance(label, str) else label)}</td>'
        f'<td style="text-align:left;color:{colour}">{row.status.replace("_", " ")}</td>'
        f'<td style="text-align:left">{name}</td><td style="text-align:left">{page}</td>'
        f'<td style="text-align:left">{html.escape(told)}</td></tr>'
    )


def file_link(path: str) -> str | None:
    """Return a link to a file on the disk that a notebook can open, relative to its folder; None if it is gone."""
    file = Path(path)
    return _address(file) if file.is_file() else None


def folder_link(folder: Path) -> str:
    """Return a link to a folder, called as it is short to read."""
    return (
        f'<a href="{html.escape(_address(folder))}" target="_blank" rel="noopener">{html.escape(str(folder))}</a>'
    )


def _address(path: Path) -> str:
    try:
        return quote(os.path.relpath(path).replace(os.sep, "/"))
    except ValueError:  # another drive of Windows
        return path.resolve().as_uri()
