"""A cell as the sheet shows it, which still knows its number or date."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

__all__ = ["VALUED_TYPES", "ShownText", "with_values"]

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


def with_values(cells: pd.Series[Any], kind: str) -> pd.Series[Any]:
    """Return cells as a parameter of this type takes them: its values in place of shown texts."""
    if kind not in VALUED_TYPES or cells.dtype != object:
        return cells
    values = cells.tolist()
    if not any(type(value) is ShownText for value in values):
        return cells
    plain = [value.value if type(value) is ShownText else value for value in values]
    return pd.Series(plain, index=cells.index, name=cells.name, dtype=object)
