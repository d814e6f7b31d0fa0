"""Values that JSON cannot hold: found before anything is sent, and named by row and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.rows.input_frame import cells_of, labels_at, named, rows_phrase
from reportflow_pandas.rows.mapping import Sources
from reportflow_pandas.rows.series import column_values
from reportflow_pandas.rows.values import NotJson, json_value

__all__ = ["refuse_in", "refuse_unsayable"]


def refuse_unsayable(frame: pd.DataFrame, sources: Sources) -> None:
    """Raise for values that JSON cannot hold; dtypes that can't hold such values cost nothing.

    Raises
    ------
    InvalidRows
        Names each column and its rows.
    """
    texts: list[str] = []
    rows: list[Any] = []
    for source in sources:
        if source.cells is not None:
            found, text = _told(source.cells, source.kind, frame.index)
            rows += found
            if found:
                texts.append(f"{_where(source.column, source.parameter)}, {text}")
        elif source.constant is not None:
            try:
                json_value(source.constant.value, source.kind)
            except NotJson as reason:
                texts.append(f"params[{source.parameter!r}]: {reason}")
        elif source.nested is not None:
            lines = source.nested.lines.iloc[source.nested.lines_with_document()]
            for _, column, kind in source.nested.fields:
                found, text = (
                    _told(cells_of(lines, column), kind, lines.index) if named(lines, column) else ([], "")
                )
                if found:
                    texts.append(f"tables[{source.parameter!r}], column {column!r}, {text}")
        try:
            json_value(source.parameter)
        except NotJson as reason:
            texts.append(f"the name {source.parameter!r}: {reason}")
    _raise(texts, rows)


def refuse_in(index: pd.Index[Any], columns: Mapping[str, pd.Series[Any]]) -> None:
    """Raise for values that JSON cannot hold in columns that are no parameters, by their names for people."""
    texts: list[str] = []
    rows: list[Any] = []
    for name, cells in columns.items():
        found, text = _told(cells, "", index)
        rows += found
        if found:
            texts.append(f"{name}, {text}")
    _raise(texts, rows)


def _raise(texts: list[str], rows: list[Any]) -> None:
    if texts:
        unique = list(dict.fromkeys(rows))
        raise InvalidRows("some values cannot be sent; nothing was sent:\n  - " + "\n  - ".join(texts), unique)


def _where(column: Any, parameter: str) -> str:
    return f"column {column!r}" if column is not None else f"params[{parameter!r}]"


def _told(cells: pd.Series[Any], kind: str, index: pd.Index[Any]) -> tuple[list[Any], str]:
    bad = _unsayable(cells, kind)
    labels = labels_at(index, [position for position, _ in bad])
    return labels, f"{rows_phrase(labels)}: {bad[0][1]}" if bad else ""


def _unsayable(cells: pd.Series[Any], kind: str) -> list[tuple[int, str]]:
    """Return the positions of cells that JSON cannot hold, each with the reason."""
    if _always_sayable(cells):
        return []
    try:
        column_values(cells, kind)
    except NotJson:
        pass
    else:
        return []
    bad = []
    for position, cell in enumerate(cells.tolist()):
        try:
            json_value(cell, kind)
        except NotJson as reason:
            bad.append((position, str(reason)))
    return bad


def _always_sayable(cells: pd.Series[Any]) -> bool:
    dtype = cells.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "f":
            return not np.isinf(cells.to_numpy()).any()
        return dtype.kind in "biuMm"
    if isinstance(dtype, pd.CategoricalDtype):
        return False
    if isinstance(dtype, pd.StringDtype):
        return dtype.storage == "pyarrow"  # UTF-8, which has no halves of characters
    return pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)
