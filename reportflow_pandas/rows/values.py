"""Cells and whole columns become JSON values: each cell by itself, so that no row changes another's document."""

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

from reportflow_pandas.reading.shown import VALUED_TYPES, ShownText, UnknownValue

__all__ = [
    "BLANK",
    "NotJson",
    "as_text",
    "column_values",
    "duration_text",
    "holds_texts",
    "json_value",
    "series_of",
    "without_missing",
]

LARGEST_WHOLE = 2**64
"""Whole floats up to this are sent as the integers that they are: what an identifier of 64 bits became."""

SHORT_REPR_LENGTH = 16
"""Characters: a float whose shortest form is no longer than this has at most 15 digits, so it has no noise."""

SPREADSHEET_DIGITS = 15
"""Significant digits that a spreadsheet shows; what its formulas leave behind them is noise."""

LONGEST_NUMBER = 400
"""Digits: more than any amount has, fewer than Python refuses to print."""

BYTE_ORDER_MARK = "\ufeff"
"""Comes along with the text of pasted files and is no part of it: it has no glyph, and PDF/A forbids it."""

BLANK: dict[str, Any] = {"array": [], "collection": {}}
"""What a missing value is in a table, which cannot be null; everywhere else it is null."""


class NotJson(ValueError):  # noqa: N818 - caught by rows/ only, which names the row and the column
    """A value that JSON cannot hold; the text says why."""


def json_value(value: Any, kind: str = "") -> Any:
    """Return what a cell becomes in JSON.

    Parameters
    ----------
    value
        Any cell.
    kind : str
        The parameter's type. Into a ``"text"`` go texts: a number prints ``171``, not
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
    if type(value) is ShownText:  # a cell that keeps what its sheet shows beside its value
        value = value.value if kind in VALUED_TYPES else str(value)
    try:
        plain = _plain(value)
    except RecursionError:
        raise NotJson("it holds itself, or is nested too deeply") from None
    if isinstance(plain, list | dict):
        _encodable(plain)
    elif kind == "text" and plain is not None and not isinstance(plain, str):
        return as_text(plain)
    return plain


def as_text(plain: Any) -> str:
    """Return a JSON scalar as the text that a document prints: its digits, never ``1e+22``."""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, float):
        text = repr(plain)
        return format(Decimal(text), "f") if "e" in text else text.removesuffix(".0")
    if isinstance(plain, int | str):
        return str(plain)
    return orjson.dumps(plain).decode()


def without_missing(value: Any) -> Any:
    """Leave missing values out of dicts, those in lists too; a list keeps its length."""
    if isinstance(value, dict):
        return {name: without_missing(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_missing(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    convert = _BY_TYPE.get(type(value))
    return convert(value) if convert else _unusual(value)


def _encodable(plain: Any) -> None:
    try:
        orjson.dumps(plain)
    except TypeError as reason:  # orjson nests 254 levels, Python more
        raise NotJson(f"JSON cannot hold it ({reason})") from None


def _float(value: float) -> Any:
    if value != value:  # noqa: PLR0124 - the quickest test for NaN
        return None
    if math.isinf(value):
        raise NotJson("infinity is no JSON number")
    if value.is_integer():
        return _int(int(value)) if abs(value) <= LARGEST_WHOLE else value
    return value if len(repr(value)) <= SHORT_REPR_LENGTH else _without_noise(value)


def _without_noise(value: float) -> float | int:
    """Return the number that a spreadsheet shows for the result of a formula: 0.1 + 0.2 is 0.3.

    Only where 15 digits end in two zeros: one third has no noise, it has digits.
    """
    shown = f"{value:.{SPREADSHEET_DIGITS - 1}e}"
    if shown.partition("e")[0].endswith("00"):
        near = float(shown)
        return int(near) if near.is_integer() and abs(near) < LARGEST_WHOLE else near
    return value


def _narrow(value: np.floating[Any]) -> Any:
    # by its shortest digits: a float32 of 0.1 is 0.1 to the person who typed it, not 0.10000000149011612
    return _float(float(str(value)))


def _int(value: int) -> Any:
    # orjson stops at 64 bits; JSON itself does not
    if -(2**63) <= value < 2**64:
        return value
    if abs(value) >= 10**LONGEST_NUMBER:
        raise NotJson(f"the number has more than {LONGEST_NUMBER} digits")
    return orjson.Fragment(str(value))


def _decimal(value: Decimal) -> Any:
    if value.is_nan():
        return None
    if not value.is_finite():
        raise NotJson("infinity is no JSON number")
    if abs(value.adjusted()) >= LONGEST_NUMBER:
        raise NotJson(f"the number has more than {LONGEST_NUMBER} digits")
    return orjson.Fragment(format(value, "f"))


def _text(value: str) -> str:
    if not value.isascii():
        if BYTE_ORDER_MARK in value:
            value = value.replace(BYTE_ORDER_MARK, "")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotJson(
                "the text holds half of a character (a lone surrogate): it was decoded wrongly; read the file "
                "with its right encoding="
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
    if value is pd.NaT or (isinstance(value, np.timedelta64) and np.isnat(value)):
        return None
    try:
        return duration_text(pd.Timedelta(value))
    except ValueError:  # months and years have no length
        raise NotJson(f"the duration {value} has no fixed length; turn it into days") from None


def duration_text(duration: pd.Timedelta) -> str:
    """Return a duration as spreadsheets and people write it: hours, minutes, seconds, and no more than there is.

    Examples
    --------
    >>> duration_text(pd.Timedelta(days=2, hours=6, minutes=5, seconds=3))
    '54:05:03'
    """
    nanoseconds = (duration.days * 86_400 + duration.seconds) * 10**9
    nanoseconds += duration.microseconds * 1000 + duration.nanoseconds
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    behind = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{'-' if nanoseconds < 0 else ''}{hours}:{minutes:02d}:{seconds:02d}{behind}"


def _rows(value: Any) -> list[Any]:
    return [_plain(item) for item in value]


def _array(value: np.ndarray[Any, Any]) -> Any:
    return _rows(value) if value.ndim else _plain(value[()])


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    plain = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotJson(f"a dict's keys are texts in JSON, and {key!r} is none")
        plain[str(_text(key))] = _plain(item)
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
    np.float32: _narrow,
    np.float16: _narrow,
    np.ndarray: _array,
    list: _rows,
    tuple: _rows,
    dict: _object,
    bytes: lambda value: base64.b64encode(value).decode(),
    uuid.UUID: str,
}


def _unusual(value: Any) -> Any:
    if isinstance(value, UnknownValue):
        raise NotJson(value.why)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, np.longdouble):
        return _float(float(value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, pd.DataFrame):
        raise NotJson("a DataFrame does not fit into a cell; nest it with tables={parameter: rf.Table(...)}")
    choices: tuple[tuple[type, Callable[[Any], Any]], ...] = (
        (str, lambda text: _text(str.__str__(text))),
        (bool, bool),
        (int, lambda number: _int(int(number))),
        (float, lambda number: _float(float(number))),
        (dt.datetime, _moment),
        (dt.date, dt.date.isoformat),
        (Mapping, _object),
        (pd.Series, _rows),
        (pd.Index, _rows),
        (pd.api.extensions.ExtensionArray, _rows),
        (np.ndarray, _array),
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
        return _category_values(column, kind)
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        cells = column.tolist() if isinstance(dtype, np.dtype) else _nullable(column)
        return [None if cell is None else as_text(cell) for cell in cells] if kind == "text" else cells
    if pd.api.types.is_float_dtype(dtype):
        return [json_value(cell, kind) for cell in _floats(column)]
    if holds_texts(dtype):
        return _texts(_nullable(column))
    cells = column.tolist()
    if set(map(type, cells)) <= _MOSTLY_TEXTS:
        return [
            text if text is None or isinstance(text, str) else json_value(text, kind) for text in _texts(cells)
        ]
    return [json_value(cell, kind) for cell in cells]


_MOSTLY_TEXTS = {str, type(None), float, type(pd.NA), type(pd.NaT)}
"""What a column of texts with gaps holds as objects: a third of the time of a look at each cell's type."""


def holds_texts(dtype: Any) -> bool:
    """Tell whether a dtype holds texts only, in any storage; ``object`` may hold anything."""
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.type is str
    return isinstance(dtype, pd.StringDtype)


def series_of(index: pd.Index[Any]) -> pd.Series[Any]:
    """Return an index as a column of its own dtype: pandas 2 would guess another one for objects."""
    column: pd.Series[Any] = pd.Series(index, dtype=cast("Any", index.dtype))
    return column


def _category_values(column: pd.Series[Any], kind: str) -> list[Any]:
    # only those that occur: a chunk of a column with 100,000 categories must not convert them all
    codes, places = np.unique(column.cat.codes.to_numpy(), return_inverse=True)
    missing = bool(len(codes)) and codes[0] < 0
    words = column_values(series_of(column.cat.categories[codes[int(missing) :]]), kind)
    words = [None, *words] if missing else words
    return [words[place] for place in places.tolist()]


def _floats(column: pd.Series[Any]) -> list[Any]:
    dtype: Any = column.dtype
    plain = getattr(dtype, "numpy_dtype", dtype)
    if isinstance(plain, np.dtype) and plain.itemsize < np.dtype(float).itemsize:
        return list(column.to_numpy(dtype=plain, na_value=np.nan))
    return column.tolist() if isinstance(dtype, np.dtype) else _nullable(column)


def _nullable(column: pd.Series[Any]) -> list[Any]:
    # None is a documented na_value; the stubs leave it out
    cells: list[Any] = column.to_numpy(dtype=object, na_value=cast("Any", None)).tolist()
    return cells


def _texts(cells: list[Any]) -> list[Any]:
    """Return texts as they are sent, what is none as it is; all are looked at at once, unless one is odd."""
    together = "".join([cell for cell in cells if isinstance(cell, str)])
    try:
        together.encode()
    except UnicodeEncodeError:
        pass
    else:
        if BYTE_ORDER_MARK not in together:
            return cells
    return [json_value(cell) if isinstance(cell, str) else cell for cell in cells]
