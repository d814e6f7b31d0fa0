"""Frames of texts, times and counts that a notebook shows to be read; to everything else they are pandas' own."""

from __future__ import annotations

import html
from functools import partial
from typing import Any

import pandas as pd

from reportflow_pandas.results.colours import STATUS_PILLS

__all__ = ["readable"]

MOST_SHOWN = 60
"""Rows that are shown, as pandas does; the frame has all."""

LONG = 16
"""Characters beyond which a text is wrapped; a time is not."""

_PILLS = {"error": "failed", "warning": "unknown"}
"""Values of a column ``level``, and the status in whose colours they stand."""

_STYLE = """<style>
.rf-frame { overflow-x: auto; }
.rf-frame table { border-collapse: collapse; table-layout: auto; max-width: 100%; }
.rf-frame th, .rf-frame td { text-align: left !important; vertical-align: top; white-space: nowrap;
  padding: 3px 8px; max-width: 44em; }
.rf-frame .rf-long { white-space: pre-wrap !important; overflow-wrap: anywhere; min-width: 7.5em; }
</style>"""


def readable(frame: pd.DataFrame, nothing: str) -> pd.DataFrame:
    """Return a frame whose picture in a notebook has wrapped texts, local times, and no ``None`` and ``0``.

    It is a plain `pandas.DataFrame` that has a picture of its own: a subclass would not equal a plain frame in
    ``assert_frame_equal``. What pandas makes of it (filtered, sorted, copied) shows itself as pandas does.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its values stay as they are: times are UTC, counts are numbers.
    nothing : str
        Said where it has no rows.

    Examples
    --------
    >>> runs = readable(pd.DataFrame({"run": ["november", "december"], "failed": [0, 2]}), "no runs")
    >>> type(runs).__name__, runs._repr_html_().count("<td></td>")
    ('DataFrame', 1)
    """
    shown = frame.copy(deep=False)  # the picture is this object's alone
    vars(shown)["_repr_html_"] = partial(_picture, shown, nothing)
    return shown


def _picture(shown: pd.DataFrame, nothing: str) -> str:
    """Return the table: without script, readable on a light page and on a dark one."""
    if not len(shown):
        return f"<p>{html.escape(nothing)}</p>"
    kept = shown.head(MOST_SHOWN)
    if kept.index.dtype.kind not in "iu" or kept.index.name is not None:
        kept = kept.reset_index()
    columns = {name: [_text(value) for value in kept.iloc[:, at]] for at, name in enumerate(kept.columns)}
    # a column that says nothing of any row only takes the others' room
    columns = {name: texts for name, texts in columns.items() if any(texts)}
    heads = "".join(f"<th>{html.escape(str(name).replace('_', ' '))}</th>" for name in columns)
    cells = [[_cell(name, text) for text in texts] for name, texts in columns.items()]
    lines = "".join(f"<tr>{''.join(line)}</tr>" for line in zip(*cells, strict=True))
    more = len(shown) - len(kept)
    rest = f"<p>and {more:,} more rows</p>" if more else ""
    return (
        f'<div class="rf-frame">{_STYLE}<table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table>{rest}</div>"
    )


def _cell(column: object, text: str) -> str:
    shown = html.escape(text)
    if column == "level" and text in _PILLS:
        ground, ink = STATUS_PILLS[_PILLS[text]]
        shown = f'<span style="background:#{ground};color:#{ink};border-radius:9px;padding:0 8px">{shown}</span>'
    return f'<td class="rf-long">{shown}</td>' if len(text) > LONG else f"<td>{shown}</td>"


def _text(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        moment = value.to_pydatetime()
        return f"{moment.astimezone() if value.tzinfo else moment:%Y-%m-%d %H:%M}"
    if pd.api.types.is_scalar(value) and (pd.isna(value) or (pd.api.types.is_number(value) and value == 0)):
        return ""
    if pd.api.types.is_integer(value) and not isinstance(value, bool):
        return f"{value:,}" if value >= 10_000 else str(value)
    return str(value)
