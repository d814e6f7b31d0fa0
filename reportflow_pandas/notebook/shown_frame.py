"""Frames of texts, times and counts that a notebook shows to be read; to everything else they are pandas' own."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from reportflow_pandas.results.display import STATUS_PILLS

__all__ = ["ShownFrame"]

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


class ShownFrame(pd.DataFrame):
    """A frame whose picture in a notebook has wrapped texts, local times, and blanks for what is missing or 0.

    Its values are those of any frame: times are UTC, counts are numbers. What is made of it by pandas (filtered,
    sorted, chosen columns) shows itself in the same way.

    Examples
    --------
    >>> ShownFrame({"run": ["november", "december"], "failed": [0, 2]})._repr_html_().count("<td></td>")
    1
    """

    _metadata = ["nothing"]  # noqa: RUF012 - pandas' own way of carrying an attribute through its verbs
    nothing = "no rows"

    @classmethod
    def of(cls, frame: pd.DataFrame, nothing: str) -> ShownFrame:
        """Return the frame so that it shows itself; ``nothing`` is said where it has no rows."""
        shown = cls(frame)
        shown.nothing = nothing
        return shown

    @property
    def _constructor(self) -> type[ShownFrame]:
        return ShownFrame

    def _constructor_from_mgr(self, mgr: Any, axes: Any) -> ShownFrame:
        # pandas 2.2 gives a subclass its blocks, and warns that they are given
        return ShownFrame(pd.DataFrame._from_mgr(mgr, axes=axes))  # type: ignore[attr-defined]  # noqa: SLF001

    def _repr_html_(self) -> str:
        """Return the table: without script, readable on a light page and on a dark one."""
        if not len(self):
            return f"<p>{html.escape(self.nothing)}</p>"
        kept = pd.DataFrame(self.head(MOST_SHOWN))
        if kept.index.dtype.kind not in "iu" or kept.index.name is not None:
            kept = kept.reset_index()
        columns = {name: [_text(value) for value in kept.iloc[:, at]] for at, name in enumerate(kept.columns)}
        # a column that says nothing of any row only takes the others' room
        columns = {name: texts for name, texts in columns.items() if any(texts)}
        heads = "".join(f"<th>{html.escape(str(name).replace('_', ' '))}</th>" for name in columns)
        cells = [[_cell(name, text) for text in texts] for name, texts in columns.items()]
        lines = "".join(f"<tr>{''.join(line)}</tr>" for line in zip(*cells, strict=True))
        more = len(self) - len(kept)
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
