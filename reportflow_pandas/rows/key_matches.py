"""Keys of two frames that do not meet: which would if they were written alike, tried on the keys themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

__all__ = ["NearKeys", "alike_advice", "near_keys", "split_keys"]


@dataclass(frozen=True)
class NearKeys:
    """What makes keys meet that do not.

    Attributes
    ----------
    how : str
        In words: ``"after trimming"``.
    code : str
        What does it to a column, ``{}`` standing for it.
    count : int
        Lines that would belong to a document then.
    """

    how: str
    code: str
    count: int


def _trimmed(key: Any) -> Any:
    return unicodedata.normalize("NFKC", key).replace("\ufeff", "").strip() if isinstance(key, str) else key


def _folded(key: Any) -> Any:
    text = _trimmed(key)
    return text.casefold() if isinstance(text, str) else text


def _number(key: Any) -> Any:
    try:
        return Decimal(_trimmed(str(key)))
    except InvalidOperation:
        return _folded(key)


def _rough(key: Any) -> str:
    """Return a text that is the same for all keys that any of the ways makes alike."""
    text = str(key)
    text = text if text.isascii() else unicodedata.normalize("NFKC", text).replace("\ufeff", "")
    text = text.strip().casefold()
    if text[:1].isdigit() or text[:1] in "+-.":
        number = _number(text)
        return str(number.normalize()) if isinstance(number, Decimal) else text
    return text


_WAYS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("after trimming", "{}.str.strip()", _trimmed),
    ("with the same capitals", "{}.str.strip().str.upper()", _folded),
    ("as numbers", "pd.to_numeric({})", _number),
)


def near_keys(documents: Sequence[tuple[Any, ...]], lost: Sequence[tuple[Any, ...]]) -> NearKeys | None:
    """Return what would make lines meet documents; the mildest way that makes any meet.

    Parameters
    ----------
    documents : sequence of tuple
        Keys of all documents.
    lost : sequence of tuple
        Keys of the lines that belong to none.

    Examples
    --------
    >>> near_keys([("A1",), ("B2",)], [("A1 ",), ("C3",)])
    NearKeys(how='after trimming', code='{}.str.strip()', count=1)
    """
    for how, code, written in _WAYS:
        there = {tuple(map(written, key)) for key in set(documents)}
        count = sum(tuple(map(written, key)) in there for key in lost)
        if count:
            return NearKeys(how, code, count)
    return None


def split_keys(keys: Sequence[tuple[Any, ...]]) -> tuple[NearKeys, list[int]] | None:
    """Return which keys are one key written in several ways, by their positions; None if none are.

    Examples
    --------
    >>> split_keys([("A1",), ("B2",), ("A1 ",)])
    (NearKeys(how='after trimming', code='{}.str.strip()', count=2), [0, 2])
    """
    if len({tuple(map(_rough, key)) for key in keys}) == len(keys):
        return None  # a hundred thousand keys are told apart by one look at each
    for how, code, written in _WAYS:
        alike: dict[tuple[Any, ...], list[int]] = {}
        for position, key in enumerate(keys):
            alike.setdefault(tuple(map(written, key)), []).append(position)
        if len(alike) < len(keys):
            several = sorted(at for places in alike.values() if len(places) > 1 for at in places)
            return NearKeys(how, code, len(several)), several
    return None


_CONVERSIONS: tuple[tuple[str, Callable[[pd.Series[Any]], pd.Series[Any]]], ...] = (
    ("{}.astype('Int64').astype('string')", lambda keys: keys.astype("Int64").astype("string")),
    ("{}.astype('string')", lambda keys: keys.astype("string")),
    ("pd.to_numeric({})", pd.to_numeric),
    ("pd.to_datetime({})", pd.to_datetime),
    ("{}.dt.tz_localize(None)", lambda keys: keys.dt.tz_localize(None)),
    ("{}.astype(float)", lambda keys: keys.astype(float)),
)


def alike_advice(
    left: pd.Series[Any], right: pd.Series[Any], names: tuple[Any, Any], sort: Callable[[pd.Series[Any]], str]
) -> str:
    """Return what makes keys of two sorts meet, tried on them; a question where nothing does.

    Parameters
    ----------
    left, right : pandas.Series
        The key in the frame of documents, and in the table.
    names : tuple
        What the columns are called.
    sort : callable
        Tells what sort of values a column holds.
    """
    left, right = left.dropna(), right.dropna()
    best, advice = 0, ""
    for code, convert in _CONVERSIONS:
        for keys, others, name, frame in ((right, left, names[1], "lines"), (left, right, names[0], "df")):
            try:
                converted = convert(keys)
                found = int(converted.isin(others).sum()) if sort(converted) == sort(others) else 0
            except Exception:  # noqa: BLE001, S112 - whatever it raises: this is no advice
                continue
            if found > best:
                column = f"{frame}[{name!r}]"
                best, advice = found, f"Make them alike: {column} = {code.format(column)}"
    return advice or "No key of the one is one of the other, however they are written: is it the right column?"
