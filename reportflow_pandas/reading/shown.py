"""A cell as the sheet shows it, which still knows its number or date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self

import numpy as np
import pandas as pd

__all__ = ["VALUED_TYPES", "ShownText", "UnknownValue", "as_written", "with_values"]

VALUED_TYPES = ("number", "date", "boolean")
"""Types of parameters that take the value; the others take the text."""


class ShownText(str):
    """The text that a cell shows, such as ``19%``, together with its value, ``0.19``.

    A text parameter prints the text, a number parameter gets the number. For pandas it is a text.

    Parameters
    ----------
    text : str
        What the sheet shows.
    value
        What the cell holds.
    """

    __slots__ = ("value",)

    value: Any

    def __new__(cls, text: str, value: Any) -> Self:
        """Make a text that knows its value."""
        shown = super().__new__(cls, text)
        shown.value = value
        return shown

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.value)


class UnknownValue:
    """A cell whose value is not known: an error, or a formula that was never worked out.

    It stays in a frame until a document needs it, which refuses it then.

    Parameters
    ----------
    word : str
        What the sheet shows: ``"#N/A"``; empty for a formula.
    why : str
        Where it stands, what it is and what to do, for the refusal.
    """

    __slots__ = ("why", "word")

    def __init__(self, word: str, why: str) -> None:
        self.word = word
        self.why = why

    def __str__(self) -> str:
        return self.word

    def __repr__(self) -> str:
        return f"<{self.word or 'formula without a value'}>"


def with_values(cells: pd.Series[Any], kind: str) -> pd.Series[Any]:
    """Return cells as a parameter of this type takes them: its values in place of shown texts."""
    if kind not in VALUED_TYPES or cells.dtype != object:
        return cells
    values = cells.tolist()
    if not any(type(value) is ShownText for value in values):
        return cells
    plain = [value.value if type(value) is ShownText else value for value in values]
    return pd.Series(plain, index=cells.index, name=cells.name, dtype=object)


def as_written(value: Any) -> str:
    """Return a cell as the text that a document prints of it: numbers and dates without zeros at the end.

    Examples
    --------
    >>> as_written(171.0), as_written(True), as_written(dt.datetime(2026, 11, 5))
    ('171', 'true', '2026-11-05')
    """
    write = _BY_TYPE.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, np.generic):  # by its shortest digits: a float32 of 19.99 is 19.99
        value = float(str(value)) if isinstance(value, np.floating) else value.item()
    return next((write(value) for kind, write in _BY_TYPE.items() if isinstance(value, kind)), str(value))


def _float(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _moment(value: dt.datetime) -> str:
    midnight = value.tzinfo is None and value.time() == dt.time()
    return value.date().isoformat() if midnight else value.isoformat()


def _duration(value: dt.timedelta) -> str:
    sign = "-" if value < dt.timedelta() else ""
    seconds, fraction = divmod(abs(value), dt.timedelta(seconds=1))
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction.microseconds:06}".rstrip("0") if fraction else text


_BY_TYPE: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _float,
    Decimal: lambda value: format(value, "f"),
    dt.datetime: _moment,
    dt.timedelta: _duration,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
}
