"""One sanitiser for every value that goes into a workbook: what Excel cannot hold is changed, and counted.

Values leave as the few types that openpyxl writes as they are (text, number, boolean, nothing) or as a
`Stamp`. No cell is a live formula: `ColumnCells` writes texts that Excel would take for a formula or an error as
literal text.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import numbers
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Alignment

__all__ = ["LONGEST_TEXT", "CellValue", "ColumnCells", "Sanitiser", "Stamp", "Trap", "clean_text", "is_formula"]

LONGEST_TEXT = 32_767
"""Characters (UTF-16 units) that an Excel cell holds."""

_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's day 0 has no time zone
_FIRST_DAY = 61
"""1900-03-01: before it Excel counts a 29 February 1900 that never was."""
_LAST_DAY = 2_958_466
_DAY_US = 86_400_000_000
_MOST_DIGITS = 15

_FORMATS = {
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm:ss",
    "time": "hh:mm:ss",
    "duration": "[h]:mm:ss",
    "seconds": "#,##0.0",
    "money": "#,##0.00",
    "whole_money": "#,##0",
    "label": "General",
}

_ON_THE_LEFT = ("date", "datetime", "label")
"""What reads like a name: a number on the right would touch the text of the next column."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE_LIKE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_HAZARD = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_|(?:^|\x0a)[=#]")


class Trap(StrEnum):
    """What had to be changed for Excel, and is said on the Summary sheet."""

    SHORTENED = "shortened"
    CONTROL = "control"
    SURROGATE = "surrogate"
    FORMULA = "formula"
    ZONE = "zone"
    MISSING = "missing"
    INFINITE = "infinite"
    LONG_NUMBER = "long_number"
    NESTED = "nested"
    OTHER = "other"
    OLD_DATE = "old_date"
    LINKS_TOO_MANY = "links_too_many"
    LINK_TOO_LONG = "link_too_long"
    LINK_ODD = "link_odd"
    COLUMNS = "columns"
    ROWS = "rows"


class Stamp(float):
    """Days since 1899-12-30, as Excel counts time, with the ``form`` it is shown in."""

    form: str

    def __new__(cls, days: float, form: str) -> Self:
        """Return the number with its form."""
        stamp = super().__new__(cls, days)
        stamp.form = form
        return stamp


CellValue: TypeAlias = str | int | float | bool | None


def is_formula(text: str) -> bool:
    """Tell whether openpyxl or Excel would take a text for a formula or an error value."""
    return text.startswith("=") or text in ERROR_CODES


def clean_text(text: str, traps: Counter[Trap] | None = None) -> str:
    """Return a text that an Excel cell can hold.

    Parameters
    ----------
    text : str
        Any text.
    traps : collections.Counter, optional
        Where it is counted if the text had to be changed.

    Returns
    -------
    str
        At most 32,767 UTF-16 units; control characters and halves of surrogate pairs are U+FFFD; line ends
        are ``\\n``; what only looks like Excel's own escape (``_x000D_``) is escaped once more.

    Examples
    --------
    >>> clean_text("a\\x00b")
    'a\ufffdb'
    """  # noqa: D301 - the escapes are part of the example
    traps = Counter() if traps is None else traps
    if _CONTROL.search(text):
        traps[Trap.CONTROL] += 1
        text = _CONTROL.sub("\ufffd", text)
    if _SURROGATE.search(text):
        traps[Trap.SURROGATE] += 1
        text = _SURROGATE.sub("\ufffd", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    escaped = _ESCAPE_LIKE.sub("_x005F_", text)
    if len(escaped) * 2 > LONGEST_TEXT and _units(escaped) > LONGEST_TEXT:
        traps[Trap.SHORTENED] += 1
        marker = f" […] ({len(text):,})"
        room = LONGEST_TEXT - len(marker)
        text = text[:room]
        while (over := _units(escaped := _ESCAPE_LIKE.sub("_x005F_", text)) - room) > 0:
            text = text[: -max(1, over // 8)]  # no character counts more than 7
        escaped += marker
    return escaped


def _units(text: str) -> int:
    """Return the length as Excel counts it: characters beyond the basic plane are two."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


def _by_their_digits(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return narrow floats by their shortest digits, as documents print them: 19.99, not 19.989999771118164."""
    narrow = getattr(values.dtype, "numpy_dtype", values.dtype)
    if not isinstance(narrow, np.dtype) or narrow.kind != "f" or narrow.itemsize >= np.dtype(float).itemsize:
        return values
    digits = values.to_numpy(dtype=narrow, na_value=np.nan).astype(str)
    return pd.Series(digits.astype(float), index=values.index)


class Sanitiser:
    """Makes columns of values that openpyxl can write, and counts what had to be changed.

    Attributes
    ----------
    traps : collections.Counter
        How many values were changed, by `Trap`.
    """

    def __init__(self) -> None:
        self.traps: Counter[Trap] = Counter()

    def column(self, values: pd.Series[Any], form: str | None = None, *, count_missing: bool = False) -> list[Any]:
        """Return one column's values for Excel: the fast way where the dtype allows it.

        Parameters
        ----------
        values : pandas.Series
            Any dtype.
        form : str, optional
            How times are shown: ``"date"``, ``"datetime"``. By default as each value is.
        count_missing : bool
            Count missing values too.

        Returns
        -------
        list
            As long as ``values``.
        """
        dtype = values.dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            self.traps[Trap.ZONE] += int(values.notna().sum())
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
            dtype = values.dtype
        values = _by_their_digits(values)
        dtype = values.dtype
        if isinstance(dtype, np.dtype):
            if dtype.kind == "b":
                return values.tolist()
            if dtype.kind in "iu":
                return self._integers(values)
            if dtype.kind == "f":
                return self._floats(values, count_missing=count_missing)
            if dtype.kind == "M":
                return self._moments(values, form or "datetime", count_missing=count_missing)
        listed: list[Any] = values.tolist()
        missing = values.isna().to_numpy()
        if missing.any():
            if count_missing:
                self.traps[Trap.MISSING] += int(missing.sum())
            listed = [None if gone else value for value, gone in zip(listed, missing, strict=True)]
        if set(map(type, listed)) <= {str, type(None)}:
            return self.texts(listed)
        return [self.value(value) for value in listed]

    def texts(self, values: list[str | None]) -> list[str | None]:
        """Return texts that Excel can hold; a chunk without any hazard is looked at only once, as a whole."""
        values = [text or None for text in values]  # an empty inline string is no valid cell
        present = [text for text in values if text]
        if not _HAZARD.search("\n".join(present)) and max(map(len, present), default=0) * 2 <= LONGEST_TEXT:
            return values
        return [self.text(text) if text else None for text in values]

    def text(self, text: str) -> str:
        """Return one text that Excel can hold."""
        text = clean_text(text, self.traps)
        if is_formula(text):
            self.traps[Trap.FORMULA] += 1
        return text

    def value(self, value: Any) -> CellValue:  # noqa: C901, PLR0911, PLR0912 - one line per type reads best as a table
        """Return any one value as something that Excel can hold."""
        if value is None or value is pd.NaT or value is pd.NA:
            return None
        if isinstance(value, str):
            return self.text(str(value)) or None
        if isinstance(value, bool | np.bool_):
            return bool(value)
        if isinstance(value, Decimal):
            return self._decimal(value)
        if isinstance(value, numbers.Integral):
            return self._integer(int(value))
        if isinstance(value, np.float32 | np.float16):
            return self._float(float(str(value)))
        if isinstance(value, float | np.floating):
            return self._float(float(value))
        if isinstance(value, np.datetime64):
            return self.value(pd.Timestamp(value))
        if isinstance(value, np.timedelta64):
            return self.value(pd.Timedelta(value))
        if isinstance(value, dt.datetime):
            return self._moment(value)
        if isinstance(value, dt.date):
            return self._day(value)
        if isinstance(value, dt.time):
            seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
            return Stamp(seconds / 86_400, "time")
        if isinstance(value, dt.timedelta):
            days = value.total_seconds() / 86_400
            return Stamp(days, "duration") if days >= 0 else self.text(str(value))
        if isinstance(value, list | tuple | dict | set | frozenset | np.ndarray | pd.Series):
            return self._nested(value)
        if isinstance(value, pd.Period | pd.Interval):
            return self.text(str(value))
        self.traps[Trap.OTHER] += 1
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value):,} bytes>"
        return self.text(str(value))

    def _integers(self, values: pd.Series[Any]) -> list[Any]:
        limit = 10**_MOST_DIGITS
        array = values.to_numpy()
        if len(array) and (int(array.max()) >= limit or int(array.min()) <= -limit):
            return [self._integer(value) for value in array.tolist()]
        listed: list[Any] = array.tolist()
        return listed

    def _integer(self, value: int) -> int | str:
        if abs(value) < 10**_MOST_DIGITS:
            return value
        self.traps[Trap.LONG_NUMBER] += 1
        return self.text(str(value))

    def _floats(self, values: pd.Series[Any], *, count_missing: bool) -> list[Any]:
        array = values.to_numpy()
        if np.isfinite(array).all():
            listed: list[Any] = array.tolist()
            return listed
        if count_missing:
            self.traps[Trap.MISSING] += int(np.isnan(array).sum())
        return [self._float(value) for value in array.tolist()]

    def _float(self, value: float) -> float | str | None:
        if math.isnan(value):
            return None
        if math.isinf(value):
            self.traps[Trap.INFINITE] += 1
            return "inf" if value > 0 else "-inf"
        return value

    def _decimal(self, value: Decimal) -> CellValue:
        if not value.is_finite():
            return self._float(float(value)) if not value.is_snan() else None
        if (
            len(value.normalize().as_tuple().digits) <= _MOST_DIGITS and abs(value.adjusted()) < 300
        ):  # a float's range
            return float(value)
        self.traps[Trap.LONG_NUMBER] += 1
        return self.text(str(value))

    def _moments(self, values: pd.Series[Any], form: str, *, count_missing: bool) -> list[Any]:
        stamps = values.to_numpy().astype("datetime64[us]")
        gone = np.isnat(stamps)
        days = (stamps - np.datetime64(_EPOCH, "us")).astype("int64") / _DAY_US
        listed: list[Any] = days.tolist()
        odd = gone | (days < _FIRST_DAY) | (days >= _LAST_DAY)
        if odd.any():
            if count_missing:
                self.traps[Trap.MISSING] += int(gone.sum())
            self.traps[Trap.OLD_DATE] += int((odd & ~gone).sum())
            for at in np.flatnonzero(odd).tolist():
                shown = str(stamps[at].astype("datetime64[D]" if form == "date" else "datetime64[s]"))
                listed[at] = None if gone[at] else shown.replace("T", " ")
        return listed

    def _moment(self, value: dt.datetime) -> CellValue:
        try:
            if value.tzinfo is not None:
                value = value.astimezone(dt.UTC).replace(tzinfo=None)
                self.traps[Trap.ZONE] += 1
            if isinstance(value, pd.Timestamp):
                value = value.to_pydatetime(warn=False)
            days = (value - _EPOCH) / dt.timedelta(days=1)
        except (ValueError, OverflowError):
            days = 0.0
        if not _FIRST_DAY <= days < _LAST_DAY:
            self.traps[Trap.OLD_DATE] += 1
            return self.text(str(value))
        return Stamp(days, "datetime" if days % 1 else "date")

    def _day(self, value: dt.date) -> CellValue:
        days = (value - _EPOCH.date()).days
        if days < _FIRST_DAY:
            self.traps[Trap.OLD_DATE] += 1
            return value.isoformat()
        return Stamp(days, "date")

    def _nested(self, value: Any) -> str:
        self.traps[Trap.NESTED] += 1
        if isinstance(value, np.ndarray | pd.Series):
            value = value.tolist()
        elif isinstance(value, set | frozenset):
            value = sorted(value, key=str)
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError):
            text = str(value)
        return self.text(text)


class ColumnCells:
    """The cells of one column of a sheet that need more than a value; each is made once and used for every row.

    openpyxl writes a row before it takes the next one, so a cell can carry one value after the other. Not so for
    the columns of a row: each has cells of its own.
    """

    def __init__(self, sheet: Any, *, on_top: bool = False) -> None:
        self.sheet = sheet
        self._on_top = Alignment(vertical="top") if on_top else None
        self._plain = self.made()
        self._literal = self.made()
        # As if the text had been typed behind an apostrophe: it stays a text when the cell is edited.
        self._literal.quotePrefix = True
        self._stamps: dict[str, Any] = {}

    def column(self, values: list[Any], form: str | None = None) -> Iterable[Any]:
        """Return the column as `append` takes it: as it is where every value may stand for itself."""
        if form is not None:
            return self._formed(values, self.stamp(form))
        if self._on_top is not None or any(
            type(value) is Stamp or (type(value) is str and value[:1] in "=#") for value in values
        ):
            return self._mixed(values)
        return values

    def wrapped(self, texts: list[Any]) -> Iterator[Any]:
        """Yield texts that are broken into lines."""
        alignment = Alignment(wrap_text=True, vertical="top")
        plain, literal = WriteOnlyCell(self.sheet), WriteOnlyCell(self.sheet)
        plain.alignment = literal.alignment = alignment
        literal.quotePrefix = True
        for text in texts:
            if type(text) is str and is_formula(text):
                literal.value = text
                literal.data_type = "s"
                yield literal
            else:
                plain.value = text
                yield plain

    def stamp(self, form: str) -> Any:
        """Return the cell for times and numbers of one form."""
        if form not in self._stamps:
            cell = self.made()
            cell.number_format = _FORMATS[form]
            if form in _ON_THE_LEFT:
                cell.alignment = Alignment(horizontal="left", vertical="top" if self._on_top else None)
            elif form in ("money", "whole_money"):  # apart from what begins on the left of the next column
                cell.alignment = Alignment(horizontal="right", indent=1, vertical="top" if self._on_top else None)
            self._stamps[form] = cell
        return self._stamps[form]

    def made(self) -> Any:
        """Return a cell of this sheet, which stands where its texts begin."""
        cell = WriteOnlyCell(self.sheet)
        if self._on_top is not None:
            cell.alignment = self._on_top
        return cell

    def _formed(self, values: list[Any], cell: Any) -> Iterator[Any]:
        for value in values:
            if value is None or (type(value) is str and self._on_top is None):
                yield value
                continue
            shown = self._plain if type(value) is str else cell
            shown.value = value
            yield shown

    def _mixed(self, values: list[Any]) -> Iterator[Any]:
        for value in values:
            if type(value) is str and is_formula(value):
                self._literal.value = value
                self._literal.data_type = "s"
                yield self._literal
            elif type(value) is Stamp:
                cell = self.stamp(value.form)
                cell.value = float(value)
                yield cell
            elif self._on_top is not None:
                self._plain.value = value
                yield self._plain
            else:
                yield value
