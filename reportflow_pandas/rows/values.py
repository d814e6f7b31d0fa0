"""Cells become JSON values: each by itself, so that no row changes another's document."""

from __future__ import annotations

import base64
import datetime as dt
import math
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast

import numpy as np
import orjson
import pandas as pd

__all__ = ["NotJson", "as_text", "column_values", "json_value"]

EXACT = 2**53
"""Floats beyond this hold no exact whole numbers, so they stay floats."""


class NotJson(ValueError):  # noqa: N818 - caught by rows/ only, which names the row and the column
    """A value that JSON cannot hold; the text says why."""


def json_value(value: Any, kind: str = "") -> Any:
    """Return what a cell becomes in JSON.

    Parameters
    ----------
    value
        Any cell.
    kind : str
        The parameter's type (api-contract 4.4). Into a ``"text"`` go texts: a number prints ``171``, not
        ``171.0``.

    Returns
    -------
    object
        Something that orjson encodes.

    Raises
    ------
    NotJson
        There is no way to say this value in JSON.

    Examples
    --------
    >>> json_value(171.0), json_value(171.0, "text"), json_value(float("nan"))
    (171, '171', None)
    """
    convert = _BY_TYPE.get(type(value))
    plain = convert(value) if convert else _unusual(value)
    if kind == "text" and plain is not None and not isinstance(plain, str | list | dict):
        return as_text(plain)
    return plain


def as_text(plain: Any) -> str:
    """Return a JSON scalar as the text that a document prints."""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, orjson.Fragment):
        contents = plain.contents
        return contents if isinstance(contents, str) else bytes(contents).decode()
    return str(plain)


def _float(value: float) -> float | int | None:
    if value != value:  # noqa: PLR0124 - the quickest test for NaN
        return None
    if math.isinf(value):
        raise NotJson("infinity is no JSON number")
    if value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value


def _int(value: int) -> Any:
    # orjson stops at 64 bits; JSON itself does not
    return value if -(2**63) <= value < 2**64 else orjson.Fragment(str(value))


def _decimal(value: Decimal) -> Any:
    if value.is_nan():
        return None
    if not value.is_finite():
        raise NotJson("infinity is no JSON number")
    if abs(value.adjusted()) > 400:
        raise NotJson("the number has more than 400 digits")
    return orjson.Fragment(format(value, "f"))


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotJson(
                "the text holds half of a character (a lone surrogate): it was decoded wrongly"
            ) from None
    return value


def _moment(value: Any) -> str | None:
    if value is pd.NaT:
        return None
    if value.tzinfo is None and not (
        value.hour or value.minute or value.second or value.microsecond or getattr(value, "nanosecond", 0)
    ):
        return str(value.date().isoformat())
    text: str = value.isoformat()
    return text


def _numpy_moment(value: np.datetime64) -> str | None:
    return _moment(pd.Timestamp(value))


def _duration(value: Any) -> str | None:
    return None if value is pd.NaT else pd.Timedelta(value).isoformat()


def _rows(value: Any) -> list[Any]:
    return [json_value(item) for item in value]


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    plain = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotJson(f"a dict's keys are texts in JSON, and {key!r} is none")
        plain[_text(key)] = json_value(item)
    return plain


def _missing(_value: Any) -> None:
    return None


_BY_TYPE: dict[type, Callable[[Any], Any]] = {
    type(None): _missing,
    type(pd.NA): _missing,
    type(pd.NaT): _missing,
    bool: bool,
    int: _int,
    float: _float,
    str: _text,
    Decimal: _decimal,
    pd.Timestamp: _moment,
    dt.datetime: _moment,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _duration,
    pd.Timedelta: _duration,
    pd.Period: str,
    np.datetime64: _numpy_moment,
    np.timedelta64: _duration,
    np.ndarray: _rows,
    list: _rows,
    tuple: _rows,
    dict: _object,
    bytes: lambda value: base64.b64encode(value).decode(),
    uuid.UUID: str,
}


def _unusual(value: Any) -> Any:
    if isinstance(value, Enum):
        return json_value(value.value)
    if isinstance(value, np.generic):
        return json_value(value.item())
    if isinstance(value, pd.DataFrame):
        raise NotJson("a DataFrame does not fit into a cell; nest it with tables={parameter: rf.Table(...)}")
    choices: tuple[tuple[type, Callable[[Any], Any]], ...] = (
        (str, _text),
        (bool, bool),
        (int, lambda number: _int(int(number))),
        (float, lambda number: _float(float(number))),
        (dt.datetime, _moment),
        (dt.date, dt.date.isoformat),
        (Mapping, _object),
        (pd.Series, _rows),
        (pd.Index, _rows),
        (pd.api.extensions.ExtensionArray, _rows),
        (list, _rows),
        (tuple, _rows),
        (bytearray, lambda value: base64.b64encode(value).decode()),
        (memoryview, lambda value: base64.b64encode(value).decode()),
        (PurePath, str),
        (pd.Interval, str),
    )
    for kind, convert in choices:
        if isinstance(value, kind):
            return convert(value)
    raise NotJson(f"{type(value).__name__} has no form in JSON; turn it into text, a number, a list or a dict")


def column_values(column: pd.Series[Any], kind: str = "") -> list[Any]:
    """Return a column's cells as JSON values.

    One conversion per dtype and no Python per cell where the dtype allows it (22 µs a row of 12 columns, where
    records and a cleaning pass cost 42).

    Parameters
    ----------
    column : pandas.Series
        Any dtype.
    kind : str
        The parameter's type.

    Returns
    -------
    list
        As long as the column.

    Raises
    ------
    NotJson
        A cell that JSON cannot hold. `json_value` tells of each cell which.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = column.cat.codes.tolist()
        words = [*column_values(pd.Series(dtype.categories), kind), None]
        return [words[code] for code in codes]
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        cells = column.tolist() if isinstance(dtype, np.dtype) else _nullable(column)
        return [None if cell is None else as_text(cell) for cell in cells] if kind == "text" else cells
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return [json_value(cell, kind) for cell in column.tolist()]
    if pd.api.types.is_float_dtype(dtype):
        return [json_value(cell, kind) for cell in _nullable(column)]
    if pd.api.types.is_string_dtype(dtype) and not pd.api.types.is_object_dtype(dtype):
        cells = _nullable(column)
        _whole_characters(cells)
        return cells
    return [json_value(cell, kind) for cell in column.tolist()]


def _nullable(column: pd.Series[Any]) -> list[Any]:
    # None is a documented na_value; the stubs leave it out
    cells: list[Any] = column.to_numpy(dtype=object, na_value=cast("Any", None)).tolist()
    return cells


def _whole_characters(cells: list[Any]) -> None:
    for cell in cells:
        if cell is not None:
            _text(cell)
