"""Columns and labels of a frame: what every part of this folder asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.values import NotJson, as_text, column_values, json_value

__all__ = ["aligned", "cells_of", "check_frame", "key_kind", "label_texts", "labels_at", "named", "rows_phrase"]


def check_frame(frame: Any, what: str = "the frame") -> None:
    """Refuse a frame whose columns can't be told apart.

    Raises
    ------
    ConfigurationError
        No DataFrame, duplicate column names or MultiIndex columns, with the way out.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ConfigurationError(
            f"{what} is a {type(frame).__name__}, not a DataFrame; Series.to_frame() makes one"
        )
    if isinstance(frame.columns, pd.MultiIndex):
        raise ConfigurationError(
            f"{what} has columns of {frame.columns.nlevels} levels (MultiIndex); documents need plain names: "
            "df.columns = ['_'.join(map(str, name)) for name in df.columns]"
        )
    if not frame.columns.is_unique:
        twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
        raise ConfigurationError(
            f"{what} has several columns named {', '.join(map(repr, twice[:5]))}, so nobody can tell which one is "
            "meant. Keep the first of each: df = df.loc[:, ~df.columns.duplicated()]"
        )


def named(frame: pd.DataFrame, name: Any) -> bool:
    """Tell whether a column, or an index level, has this name (as in ``merge``)."""
    try:
        return name in frame.columns or (name is not None and name in frame.index.names)
    except TypeError:
        return False


def names_of(frame: pd.DataFrame) -> list[Any]:
    """Return the names of columns and index levels, columns first."""
    return [
        *frame.columns,
        *(name for name in frame.index.names if name is not None and name not in frame.columns),
    ]


def cells_of(frame: pd.DataFrame, name: Any, what: str = "") -> pd.Series[Any]:
    """Return a column or an index level by its name."""
    if name in frame.columns:
        cells: pd.Series[Any] = frame[name]
        return cells
    if named(frame, name):
        return pd.Series(frame.index.get_level_values(name))
    raise ConfigurationError(f"{what + ': ' if what else ''}the frame has no column {name!r}")


def labels_at(index: pd.Index[Any], positions: Sequence[int]) -> list[Any]:
    """Return the index labels at some positions."""
    return [index[position] for position in positions]


def label_texts(index: pd.Index[Any]) -> list[str]:
    """Return each index label as a text for a file name; levels are joined by ``-``."""
    if isinstance(index, pd.MultiIndex):
        levels = [label_texts(index.get_level_values(level)) for level in range(index.nlevels)]
        return ["-".join(parts) for parts in zip(*levels, strict=True)]
    if isinstance(index, pd.RangeIndex):
        return list(map(str, index))
    try:
        return ["missing" if text is None else text for text in column_values(pd.Series(index), "text")]
    except NotJson:
        return [_label(label) for label in index]


def _label(label: Any) -> str:
    try:
        plain = json_value(label)
    except NotJson:
        return repr(label)
    return plain if isinstance(plain, str) else as_text(plain)


def aligned(frame: pd.DataFrame, given: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Return a Series argument (``share=``, ``passcode=``) that belongs to the frame row by row."""
    if not given.index.equals(frame.index):
        raise ConfigurationError(
            f"{name}: the Series has another index than the frame. Derive it from the frame "
            f"(df['country'].map(...)), or reindex it: {name}=series.reindex(df.index)"
        )
    if given.isna().any():
        rows = labels_at(frame.index, [int(position) for position in given.isna().to_numpy().nonzero()[0]])
        raise InvalidRows(f"{name}: no value for {rows_phrase(rows)}", rows)
    return given


def rows_phrase(rows: Sequence[Any]) -> str:
    """Return ``row 7`` or ``3 rows (index 7, 9, 12)``."""
    shown = ", ".join(map(repr, rows[:5])) + (", …" if len(rows) > 5 else "")
    return f"row {shown}" if len(rows) == 1 else f"{len(rows):,} rows (index {shown})"


def key_kind(keys: pd.Series[Any]) -> str:
    """Return what sort of values a key column holds: text, number, date or another word."""
    dtype: Any = keys.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if pd.api.types.is_object_dtype(dtype):
        kind = pd.api.types.infer_dtype(keys, skipna=True)
        return {"string": "text", "integer": "number", "decimal": "decimal", "empty": ""}.get(kind, kind)
    if pd.api.types.is_string_dtype(dtype):
        return "text"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    return str(dtype)
