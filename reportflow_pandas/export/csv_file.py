"""Results as CSV in which no cell starts a formula."""

from __future__ import annotations

import datetime as dt
import json
import numbers
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.export.atomic_write import checked_path, place
from reportflow_pandas.export.source_columns import beside, distinct
from reportflow_pandas.printable import INVISIBLE
from reportflow_pandas.results.index_labels import levels_of
from reportflow_pandas.results.summary import checked_results

__all__ = ["escaped", "harmless", "unescaped", "write_csv"]

_SIGNS = "=+\\-@＝＋－＠"  # noqa: RUF001 - Excel takes the wide ones too
_BLANK = rf"[\s\x00-\x1f{INVISIBLE}]*"
_STARTS = re.compile(rf"^(?=[\t\r]|{_BLANK}[{_SIGNS}])")
_STARTS_WITHIN = re.compile(rf"(?<=[;\t\r\n])(?={_BLANK}[{_SIGNS}][^;\t\r\n]*[(|!])")
"""Behind what another country's spreadsheet, which separates by ``;``, takes for the beginning of a cell: where a
function, a program or another file is named; a telephone number or a list's dash stays as it is."""


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before what starts like one.

    Examples
    --------
    >>> harmless("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    >>> harmless("Miller;=cmd|' /C calc'!A0")
    "Miller;'=cmd|' /C calc'!A0"
    >>> harmless("Miller & Sons")
    'Miller & Sons'
    """
    return _STARTS_WITHIN.sub("'", _STARTS.sub("'", text, count=1))


_BLANK_OR_ESCAPED = rf"['\s\x00-\x1f{INVISIBLE}]*"
_FORMULA = rf"(?={_BLANK_OR_ESCAPED}[{_SIGNS}])"
_FORMULA_WITHIN = rf"(?={_BLANK_OR_ESCAPED}[{_SIGNS}][^;\t\r\n]*[(|!])"
_PLACES = re.compile(rf"^(?![-+]?[\d.,]+$){_FORMULA}|(?<=[;\t\r\n]){_FORMULA_WITHIN}")
_ESCAPES = re.compile(rf"^'{_FORMULA}|(?<=[;\t\r\n])'{_FORMULA_WITHIN}")


def escaped(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, and that `unescaped` turns back; a number stays one.

    Examples
    --------
    >>> escaped("=1+1"), escaped("'=1+1"), escaped("-12.50")
    ("'=1+1", "''=1+1", '-12.50')
    """
    return _PLACES.sub("'", text)


def unescaped(text: str) -> str:
    """Return what `escaped` was given.

    Examples
    --------
    >>> unescaped("'=1+1"), unescaped("'quoted'")
    ('=1+1', "'quoted'")
    """
    return _ESCAPES.sub("", text)


def write_csv(results: pd.DataFrame, path: str | Path, source: pd.DataFrame | Sequence[str] | None = None) -> Path:
    """Write a results frame as CSV that is safe to open in a spreadsheet.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame, also a filtered or sorted part of one.
    path : str or pathlib.Path
        Ends in ``.csv``.
    source : pandas.DataFrame or list of str, optional
        Columns to stand beside the results, as for the workbook.

    Returns
    -------
    pathlib.Path
        Where it was written: ``path``, or a dated name beside it while ``path`` is open in another program.

    Notes
    -----
    UTF-8 with a byte order mark, so that Excel shows Japanese. The columns are those of the frame: index, results,
    source (``_source`` is added to a name that the results have too). A text that begins with ``=``, ``+``, ``-``,
    ``@``, a tab or a carriage return, also behind spaces, gets an apostrophe before it, and so does what would be
    a formula behind a semicolon or a line break; a negative number is a number and stays as it is. Lists and
    records are JSON, times ISO 8601.

    Examples
    --------
    >>> results.reportflow.to_csv("results.csv", source=df)          # doctest: +SKIP
    """
    checked_results(results)
    target = checked_path(path, ".csv")
    extra = beside(results, source)
    index = results.index
    names = ["index" if name is None else name for name in index.names]
    own = distinct(names, results.columns, "_index")
    headings = [*own, *results.columns, *distinct(extra.names, [*results.columns, *own])]
    columns = [
        *levels_of(index),
        *(results[name] for name in results.columns),
        *(extra.frame[at] for at in extra.frame.columns),
    ]
    table = pd.DataFrame({at: _written(column) for at, column in enumerate(columns)})
    table.columns = pd.Index([harmless(str(heading)) for heading in headings])
    return place(target, partial(_save, table))


def _save(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, encoding="utf-8-sig", errors="replace")


def _written(values: pd.Series[Any]) -> pd.Series[Any]:
    plain = values.reset_index(drop=True)
    if plain.dtype.kind in "biuf":
        return plain
    missing = plain.isna().tolist()
    listed = [None if gone else _cell(value) for value, gone in zip(plain.tolist(), missing, strict=True)]
    return pd.Series(listed, dtype=object)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, numbers.Number | Decimal):
        return value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple | dict):
        return harmless(json.dumps(value, ensure_ascii=False, default=str))
    return harmless(str(value))
