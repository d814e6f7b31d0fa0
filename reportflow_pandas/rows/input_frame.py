"""Columns and labels of a frame: what every part of this folder asks of it."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.reading.locations import ATTRIBUTE, PLACES_SHOWN, ROWS_ATTRIBUTE, places
from reportflow_pandas.rows.values import NotJson, as_text, column_values, holds_texts, json_value, series_of

__all__ = [
    "aligned",
    "bare",
    "called",
    "cells_of",
    "check_frame",
    "columns_there",
    "did_you_mean",
    "heading_text",
    "key_kind",
    "label_shown",
    "label_texts",
    "labels_at",
    "named",
    "names_of",
    "nearest",
    "rows_at",
    "rows_phrase",
    "same_name",
    "value_shown",
]

LONGEST_SHOWN = 40
"""Characters of a value in a message."""


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
            f"{what} has several columns named {', '.join(map(repr, twice[:5]))}, so it is not known which one is "
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


def called(frame: pd.DataFrame, name: Any) -> Any | None:
    """Return the column or level that a name means: to the letter, else the only one that prints so.

    A heading that is a number or a date is meant by its text too: a job file, a template and the design's own
    names have nothing but texts.
    """
    if named(frame, name):
        return name
    text = heading_text(name)
    meant = [other for other in names_of(frame) if heading_text(other) == text] if text is not None else []
    return meant[0] if len(meant) == 1 else None


def heading_text(name: Any) -> str | None:
    """Return a heading as it prints in a document; None for what is no heading."""
    if isinstance(name, str):
        return name
    if isinstance(name, bool) or not isinstance(name, int | float | Decimal | dt.date | np.generic):
        return None
    try:
        text = json_value(name, "text")
    except NotJson:
        return None
    return text if isinstance(text, str) else None


def bare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without its ``attrs``: pandas copies them, deeply, for every column and every part of one.

    Where it was read from stays: that is one text, which costs nothing.
    """
    if not frame.attrs:
        return frame
    plain = pd.DataFrame(frame, copy=False)
    plain.attrs = {name: frame.attrs[name] for name in (ATTRIBUTE, ROWS_ATTRIBUTE) if name in frame.attrs}
    return plain


def cells_of(frame: pd.DataFrame, name: Any, what: str = "") -> pd.Series[Any]:
    """Return a column or an index level by its name."""
    if name in frame.columns:
        cells: pd.Series[Any] = frame[name]
        return cells
    if named(frame, name):
        return series_of(frame.index.get_level_values(name))
    raise ConfigurationError(f"{what + ': ' if what else ''}the frame has no column {name!r}")


def nearest(name: str, candidates: Sequence[Any]) -> Any | None:
    """Return the candidate that was probably meant: ignoring case and punctuation, else by likeness."""
    plain = {_plain(str(candidate)): candidate for candidate in reversed(candidates)}
    if _plain(name) and _plain(name) in plain:
        return plain[_plain(name)]
    near = difflib.get_close_matches(_plain(name), list(plain), 1, cutoff=0.75)
    return plain[near[0]] if near else None


def did_you_mean(frame: pd.DataFrame, name: Any) -> str:
    """Return `` Did you mean 'InvoiceId'?`` where a column or index level is called nearly so, else nothing."""
    near = nearest(str(name), names_of(frame))
    return f" Did you mean {near!r}?" if near is not None else ""


def columns_there(frame: pd.DataFrame, name: Any) -> str:
    """Return what an error says behind a column that is not there: the one probably meant, and those there are."""
    return f"{did_you_mean(frame, name)} Columns: {', '.join(map(repr, names_of(frame)[:20]))}"


def same_name(name: str, candidates: Sequence[Any]) -> Any | None:
    """Return the only candidate that is the same name but for case and punctuation: that one is meant."""
    same = [candidate for candidate in candidates if _plain(str(candidate)) == _plain(name) != ""]
    return same[0] if len(same) == 1 else None


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


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
        labels = column_values(series_of(index), "text")
    except NotJson:
        labels = [_label(label) for label in index]
    return ["missing" if label is None else _joined(label) for label in labels]


def _label(label: Any) -> Any:
    try:
        return json_value(label, "text")
    except NotJson:
        return repr(label)


def _joined(label: Any) -> str:
    if isinstance(label, str):
        return label
    parts = label if isinstance(label, list) else [label]
    return "-".join(part if isinstance(part, str) else as_text(part) for part in parts)


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


def label_shown(label: Any) -> str:
    """Return an index label as it is written in code: ``7``, not ``np.int64(7)``."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def value_shown(value: Any) -> str:
    """Return a cell for a message: ``'Acme'``, ``12.5``, ``2026-11-05``, ``blank``; long ones are cut."""
    try:
        if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
            return "blank"
        if isinstance(value, str):
            return repr(value) if len(value) <= LONGEST_SHOWN else repr(value[: LONGEST_SHOWN - 1]) + "…"
        text = json_value(value, "text")
    except NotJson:
        text = repr(value)
    text = str(text)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def rows_at(frame: pd.DataFrame, positions: Sequence[int], column: Any = None) -> str:
    """Return rows as a phrase: by their places in the file that they were read from, else by their labels."""
    shown = [int(position) for position in positions[: PLACES_SHOWN + 1]]
    told = places(frame, [*shown, *positions[PLACES_SHOWN + 1 :]], column)
    return told or rows_phrase(labels_at(frame.index, positions))


def rows_phrase(rows: Sequence[Any]) -> str:
    """Return ``row 7`` or ``3 rows (index 7, 9, 12)``."""
    shown = ", ".join(map(label_shown, rows[:5])) + (", …" if len(rows) > 5 else "")
    return f"row {shown}" if len(rows) == 1 else f"{len(rows):,} rows (index {shown})"


def key_kind(keys: pd.Series[Any]) -> str:
    """Return what sort of values a key column holds; keys of two sorts are never equal. Empty if it holds none."""
    if not keys.notna().any():
        return ""
    dtype: Any = keys.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        keys = series_of(keys.cat.categories)
        dtype = keys.dtype
    if pd.api.types.is_object_dtype(dtype):
        kind = str(pd.api.types.infer_dtype(keys, skipna=True))
        return _SORTS.get(kind, kind)
    for sort, test in _TESTS:
        if test(dtype):
            return sort
    return str(dtype)


def _has_zone(dtype: Any) -> bool:
    arrow = getattr(dtype, "pyarrow_dtype", None)
    return isinstance(dtype, pd.DatetimeTZDtype) or getattr(arrow, "tz", None) is not None


_TESTS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("text", holds_texts),
    ("true or false", pd.api.types.is_bool_dtype),
    ("numbers", pd.api.types.is_integer_dtype),
    ("numbers", pd.api.types.is_float_dtype),
    ("times with a time zone", _has_zone),
    ("timestamps", pd.api.types.is_datetime64_any_dtype),
    ("dates", lambda dtype: isinstance(dtype, pd.ArrowDtype) and dtype.type is dt.date),
    ("decimals", lambda dtype: isinstance(dtype, pd.ArrowDtype) and dtype.type is Decimal),
)

_SORTS = {
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "decimals",
    "boolean": "true or false",
    "date": "dates",
    "datetime": "timestamps",
    "datetime64": "timestamps",
    "mixed": "values of several sorts",
    "mixed-integer": "texts and numbers mixed",
}
