"""A results frame at a glance: counts in colour, failures first, links; shown for ``results.reportflow``."""

from __future__ import annotations

import functools
import html
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from reportflow_pandas.contract import opens_in_browser
from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED
from reportflow_pandas.printable import counted
from reportflow_pandas.results.colours import STATUS_PILLS
from reportflow_pandas.results.results_frame import is_results
from reportflow_pandas.results.run_chart import run_chart
from reportflow_pandas.results.service_words import grouped, in_plain_words
from reportflow_pandas.results.summary import without_pdf_for_good
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import current

__all__ = ["file_link", "folder_link", "overview_html"]

SHOWN = 8
"""Rows that are listed, and that a page has."""

MOST_EMBEDDED = 1_000
"""Rows that can be sorted, filtered and paged: each takes 150 bytes of a saved notebook."""

LONGEST_TOLD = 160
"""Characters of an error; the frame has it whole."""

ORDER = (*NOT_ACCEPTED, *ACCEPTED)
"""What needs a person first."""


def overview_html(frame: pd.DataFrame) -> str | None:
    """Return HTML for a results frame; None for any other frame, which shows itself as it is.

    The first rows are plain HTML with their links. A script of ours, which loads nothing from elsewhere, makes the
    table sort, filter and page, also in a saved notebook without a kernel; where scripts are not run, it stays as
    it is.
    """
    if not is_results(frame):
        return None
    attrs = frame.attrs["reportflow"]
    never = without_pdf_for_good(frame)
    counts = frame["status"][~never].value_counts()
    pills = [
        _pill(status, f"{counts[status]:,} {status.replace('_', ' ')}")
        for status in ORDER
        if counts.get(status, 0)
    ]
    if never.any():
        pills.append(_pill("failed", f"{int(never.sum()):,} without a PDF for good"))
    first = frame["status"].map(ORDER.index).mask(never, 0)
    order = first.argsort(kind="stable").to_numpy()
    ordered = frame.iloc[order[:MOST_EMBEDDED]]
    language = current().language
    rows = [_values(label, row, language) for label, row in zip(ordered.index, ordered.itertuples(), strict=True)]
    more = len(frame) - SHOWN
    note = f'<p class="rf-more rf-soft">and {more:,} more rows</p>' if more > 0 else ""
    beyond = len(frame) - len(rows)
    left_out = f'<p class="rf-soft">{beyond:,} further rows are in the frame.</p>' if beyond else ""
    design = html.escape(
        f"{attrs.get('design') or attrs.get('design_id', '')}, version {attrs.get('version', '')}"
    )
    root = f"rf-{secrets.token_hex(6)}"
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    live = _script(root, rows) if more > 0 else ""
    return (
        f'<div id="{root}"><style>{_style(root)}</style>'
        f"<div><b>{counted(len(frame), 'document')}</b> · {design} · run {html.escape(attrs.get('run', ''))}</div>"
        f'<div class="rf-counts">{"".join(pills)}</div>{_reasons(frame, language)}{run_chart(frame)}'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_line, rows[:SHOWN]))}</tbody></table>"
        f"{note}{left_out}{live}</div>"
    )


HEADS = ("row", "status", "file", "page", "what happened")

Values: TypeAlias = tuple[str, str, str, str | None, str | None, str]
"""Of a row: label, status, file name, link to the file, link to the page, what happened."""


def _reasons(frame: pd.DataFrame, language: str | None) -> str:
    """Return why rows failed, one line for those of which the same is said."""
    failed = frame.loc[frame["status"].eq("failed"), "error"]
    groups = grouped(failed.items(), language)
    if not groups:
        return ""
    lines = [
        f"<li>{html.escape(rows_phrase(rows))}: {html.escape(_cut(words))}</li>" for words, rows in groups.items()
    ]
    more = len(lines) - SHOWN
    rest = f"<li>and {more:,} more reasons</li>" if more > 0 else ""
    return f'<ul class="rf-reasons">{"".join(lines[:SHOWN])}{rest}</ul>'


def _values(label: Any, row: Any, language: str | None) -> Values:
    told = "" if pd.isna(row.error) else _cut(str(row.error))
    words = in_plain_words(row.error, language)
    return (
        label if isinstance(label, str) else repr(label),
        str(row.status),
        str(row.file_name),
        None if pd.isna(row.path) else file_link(str(row.path)),
        # for people to click: nothing of ours ever fetches it
        str(row.url) if opens_in_browser(row.url) else None,
        told if words is None else f"{words}\n{told}",
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 1] + "…"


def _line(values: Values) -> str:
    label, status, name, file, page, told = values
    cells = (
        html.escape(label),
        _pill(status, status.replace("_", " ")),
        html.escape(name) if file is None else _link(file, name),
        "" if page is None else _link(page, "open page"),
        html.escape(told),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _pill(status: str, text: str) -> str:
    return f'<span class="rf-pill rf-{status}">{text}</span>'


def _link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address)}" target="_blank" rel="noopener">{html.escape(text)}</a>'


def _style(root: str) -> str:
    rules = "\n".join(
        f"#ROOT .rf-{status} {{ background: #{background}; color: #{text}; }}"
        for status, (background, text) in STATUS_PILLS.items()
    )
    return _file("overview.css").replace("STATUS_RULES", rules).replace("ROOT", root)


def _script(root: str, rows: Sequence[Values]) -> str:
    """Return the rows and the script that shows them."""
    written = json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")
    code = _file("overview.js").replace('"ROOT"', f'"{root}"').replace("PAGE_ROWS", str(SHOWN))
    return f'<script type="application/json">{written}</script><script type="text/javascript">{code}</script>'


@functools.cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


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
