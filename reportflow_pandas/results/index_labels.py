"""The labels of an index as text and back, whatever their type, for the hidden column of a workbook."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import numpy as np
import pandas as pd

__all__ = ["decoded", "described", "encoded", "levels_of", "lost_labels", "rebuilt"]

_PLAIN = {str, int, bool, type(None)}


def encoded(index: pd.Index[Any]) -> list[list[Any]]:
    """Return each row's labels, one for each level, as values that JSON holds.

    Parameters
    ----------
    index : pandas.Index
        Any index, also a MultiIndex, also with equal labels.

    Returns
    -------
    list of list
        As long as the index; a label that JSON cannot hold is ``{type: text}``.
    """
    levels = [_level(index.get_level_values(number)) for number in range(index.nlevels)]
    return [list(labels) for labels in zip(*levels, strict=True)]


def levels_of(index: pd.Index[Any]) -> list[pd.Series[Any]]:
    """Return an index's levels as columns, of their own dtypes: guessed again, broken texts would not pass."""
    levels = [index.get_level_values(number) for number in range(index.nlevels)]
    return [pd.Series(level, dtype=level.dtype) for level in levels]


def described(index: pd.Index[Any]) -> dict[str, Any]:
    """Return what the labels alone do not tell: names, dtypes, categories."""
    levels = [index.get_level_values(number) for number in range(index.nlevels)]
    description: dict[str, Any] = {
        "names": [_tagged(name) for name in index.names],
        "dtypes": [str(level.dtype) for level in levels],
        "multi": isinstance(index, pd.MultiIndex),
    }
    categories = {
        str(number): {"values": _level(level.categories), "ordered": bool(level.ordered)}
        for number, level in enumerate(levels)
        if isinstance(level, pd.CategoricalIndex)
        and len(level.categories) <= 500  # a cell holds 32,767 characters
    }
    if categories and len(json.dumps(categories)) < 20_000:
        description["categories"] = categories
    arrow = {
        str(number): _written(level.dtype)
        for number, level in enumerate(levels)
        if isinstance(level.dtype, pd.ArrowDtype)
    }
    if arrow:
        description["arrow"] = arrow
    return description


def lost_labels(index: pd.Index[Any], longest: int) -> list[int]:
    """Return the positions of labels that would not come back as they are from cells of so many characters.

    Parameters
    ----------
    index : pandas.Index
        Any index.
    longest : int
        Characters of JSON that a label may take.
    """
    levels = [index.get_level_values(number) for number in range(index.nlevels)]
    if all(isinstance(level, pd.RangeIndex) or level.dtype.kind in "iu" for level in levels):
        return []
    if all(_short_texts(level, longest) for level in levels):
        return []
    written = [json.dumps(labels) for labels in encoded(index)]
    back = rebuilt([json.loads(text) for text in written], json.loads(json.dumps(described(index)))).tolist()
    return [
        at
        for at, (label, again, text) in enumerate(zip(index.tolist(), back, written, strict=True))
        if len(text) > longest or not _same(label, again)
    ]


def _short_texts(level: pd.Index[Any], longest: int) -> bool:
    # a character takes up to 12 in JSON: half of a pair is written as \ud83d
    plain = isinstance(level.dtype, pd.StringDtype) and not level.hasnans
    return plain and max(map(len, level.tolist()), default=0) * 12 <= longest


def _same(label: Any, again: Any) -> bool:
    if isinstance(label, tuple):
        return isinstance(again, tuple) and len(label) == len(again) and all(map(_same, label, again))
    if pd.api.types.is_scalar(label) and pd.isna(label):
        return pd.api.types.is_scalar(again) and bool(pd.isna(again))
    alike = type(label) is type(again) or isinstance(label, np.generic)
    try:
        return alike and bool(label == again)
    except (TypeError, ValueError):
        return False


def _written(dtype: pd.ArrowDtype) -> str:
    """Return an Arrow type as text that it is made of again, whatever its parts."""
    import pyarrow as pa  # noqa: PLC0415 - there is a dtype of it, so it is here

    schema = pa.schema([("label", dtype.pyarrow_dtype)])
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _arrow_type(written: str) -> pd.ArrowDtype:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    return pd.ArrowDtype(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(written))).field("label").type)


def rebuilt(rows: Sequence[Sequence[Any]], description: dict[str, Any]) -> pd.Index[Any]:
    """Return the index again, of the dtypes it had.

    Parameters
    ----------
    rows : sequence of sequence
        What `encoded` returned, in any order, any part of it.
    description : dict
        What `described` returned; may be empty.
    """
    names = [decoded(name) for name in description.get("names", [])]
    levels = [[decoded(label) for label in level] for level in zip(*rows, strict=True)]
    width = len(names) or len(levels) or 1
    names = names or [None] * width
    levels = levels or [[] for _ in range(width)]
    dtypes = description.get("dtypes", [None] * width)
    categories, arrow = description.get("categories", {}), description.get("arrow", {})
    built = [
        _typed(labels, dtype, categories.get(str(number)), arrow.get(str(number)))
        for number, (labels, dtype) in enumerate(zip(levels, dtypes, strict=True))
    ]
    if description.get("multi", width > 1):
        return pd.MultiIndex.from_arrays(built, names=names)
    index: pd.Index[Any] = built[0].rename(names[0])
    return index


def _level(level: pd.Index[Any]) -> list[Any]:
    labels: list[Any] = level.tolist()
    return labels if set(map(type, labels)) <= _PLAIN else [_tagged(label) for label in labels]


def _typed(
    labels: list[Any], dtype: str | None, categories: dict[str, Any] | None, arrow: str | None = None
) -> Any:
    if categories is not None:
        values = [decoded(value) for value in categories["values"]]
        return pd.CategoricalIndex(labels, categories=values, ordered=categories["ordered"])
    if dtype == "object":
        return pd.Index(labels, dtype=object, tupleize_cols=False)
    try:
        if arrow is not None:
            return pd.Index(pd.array(labels, dtype=cast("Any", _arrow_type(arrow))))
        built = pd.Index(labels, tupleize_cols=False)
        return built if dtype is None else built.astype(dtype)
    except (TypeError, ValueError, ImportError, NotImplementedError):
        # Another pandas wrote it, or pyarrow is not here: the labels themselves have their types.
        return pd.Index(labels, dtype=object, tupleize_cols=False)


def _tagged(label: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one line per type reads best as a table
    """Return one label as JSON holds it."""
    if label is pd.NaT:
        return {"missing": "NaT"}
    if label is pd.NA:
        return {"missing": "NA"}
    if isinstance(label, np.generic) and not isinstance(label, np.datetime64 | np.timedelta64):
        label = label.item()
    if type(label) in _PLAIN:
        return label
    if isinstance(label, float):
        return label if math.isfinite(label) else {"float": str(label)}
    if isinstance(label, tuple):
        return {"tuple": [_tagged(part) for part in label]}
    if isinstance(label, pd.Interval):
        return {"interval": [_tagged(label.left), _tagged(label.right), label.closed]}
    if isinstance(label, pd.Period):
        return {"period": [str(label), label.freqstr]}
    if isinstance(label, pd.Timestamp | np.datetime64):
        label = pd.Timestamp(label)
        return {"timestamp": [label.isoformat(), None if label.tzinfo is None else str(label.tzinfo)]}
    if isinstance(label, pd.Timedelta | np.timedelta64):
        return {"timedelta": pd.Timedelta(label).isoformat()}
    if isinstance(label, dt.datetime):
        return {"datetime": label.isoformat()}
    if isinstance(label, dt.date):
        return {"date": label.isoformat()}
    if isinstance(label, dt.time):
        return {"time": label.isoformat()}
    if isinstance(label, dt.timedelta):
        return {"duration": [label.days, label.seconds, label.microseconds]}
    if isinstance(label, Decimal):
        return {"decimal": str(label)}
    if isinstance(label, UUID):
        return {"uuid": str(label)}
    if isinstance(label, bytes):
        return {"bytes": label.hex()}
    return str(label)


def decoded(label: Any) -> Any:
    """Return a label that `encoded` made into JSON."""
    if not isinstance(label, dict):
        return label
    ((kind, value),) = label.items()
    return _READERS[kind](value)


def _timestamp(value: list[Any]) -> pd.Timestamp:
    stamp = pd.Timestamp(value[0])
    return stamp if value[1] is None else stamp.tz_convert(value[1])


_READERS: dict[str, Callable[[Any], Any]] = {
    "missing": lambda value: pd.NaT if value == "NaT" else pd.NA,
    "float": float,
    "tuple": lambda value: tuple(decoded(part) for part in value),
    "interval": lambda value: pd.Interval(decoded(value[0]), decoded(value[1]), closed=value[2]),
    "period": lambda value: pd.Period(value[0], freq=value[1]),
    "timestamp": _timestamp,
    "timedelta": pd.Timedelta,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "duration": lambda value: dt.timedelta(*value),
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": bytes.fromhex,
}
