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
from typing import Any

import numpy as np
import orjson
import pandas as pd

__all__ = ["BLANK", "NotJson", "as_text", "json_value", "without_missing"]

EXACT = 2**53
"""Floats beyond this hold no exact whole numbers, so they stay floats."""


LONGEST_NUMBER = 400
"""Digits: more than any amount has, fewer than Python refuses to print."""

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
        return format(Decimal(text), "f") if "e" in text else text
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


def _float(value: float) -> float | int | None:
    if value != value:  # noqa: PLR0124 - the quickest test for NaN
        return None
    if math.isinf(value):
        raise NotJson("infinity is no JSON number")
    if value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value


def _narrow(value: np.floating[Any]) -> float | int | None:
    # by its shortest digits: a float32 of 0.1 is 0.1 to whoever typed it, not 0.10000000149011612
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
        return str(pd.Timedelta(value).isoformat())
    except ValueError:  # months and years have no length
        raise NotJson(f"the duration {value} has no fixed length; turn it into days") from None


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
