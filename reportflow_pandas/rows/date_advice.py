"""What makes dates of texts and numbers: each way is tried on the very values before it is printed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.rows.advice import Cure, Mask, cell_list, examples, is_real
from reportflow_pandas.rows.input_frame import value_shown

__all__ = ["date_advice"]

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Years that a text in a date column is taken for."""

FIRST_SERIAL_YEAR = 1950
"""Numbers are taken for days of a spreadsheet only from this year on: smaller ones are anything."""

SPREADSHEET_EPOCH = "1899-12-30"
"""Day 0 of a spreadsheet's calendar."""

_DAYS = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y-%m-%d",
    "%d %B %Y",
    "%d %b %Y",
    "%d. %B %Y",
    "%d. %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%Y年%m月%d日",
)
_TIMES = ("", " %H:%M", " %H:%M:%S")


_BY_DIGITS = Cure(
    "pd.to_datetime({}.astype('Int64').astype('string'), format='%Y%m%d')",
    lambda given: pd.to_datetime(given.astype("Int64").astype("string"), format="%Y%m%d"),
)
_BY_DAYS = Cure(
    f"pd.to_datetime({{}}, unit='D', origin='{SPREADSHEET_EPOCH}')",
    lambda given: pd.to_datetime(given, unit="D", origin=SPREADSHEET_EPOCH),
)
_BY_DAYS_IN_OBJECTS = Cure(
    f"pd.to_datetime(pd.to_numeric({{}}), unit='D', origin='{SPREADSHEET_EPOCH}')",
    lambda given: pd.to_datetime(pd.to_numeric(given), unit="D", origin=SPREADSHEET_EPOCH),
)


def date_advice(cells: pd.Series[Any], wrong: Mask, code: str) -> str:
    """Return what makes dates of cells, or the question that has to be answered first.

    Parameters are those of `number_advice`.
    """
    values = cell_list(cells)
    odd = [value for value, meant in zip(values, wrong.tolist(), strict=True) if meant]
    present = [value for value in values if value is not None]
    if all(is_real(value) and not isinstance(value, bool | np.bool_) for value in present):
        return _date_from_numbers(cells, present, code)
    if dt.time() in odd:
        return "Is this the right column? 00:00:00 is a 0 in the sheet: a formula makes it of an empty cell"
    if not all(isinstance(value, str) for value in present):
        return f"Is this the right column? {examples(odd)} can't be told to be a date"
    if not all(any(map(str.isdigit, value)) for value in present):
        return f"Write all of them as 2026-11-23: {examples(value for value in odd)} names no day"
    if not any(value.strip() for value in odd):
        return "An empty text is no date: make it missing (None), which prints blank"
    return _date_from_texts(cells, present, odd, code)


def _date_from_numbers(cells: pd.Series[Any], present: list[Any], code: str) -> str:
    for cure, first_year in (
        (_BY_DIGITS, FIRST_YEAR),
        (_BY_DAYS, FIRST_SERIAL_YEAR),
        (_BY_DAYS_IN_OBJECTS, FIRST_SERIAL_YEAR),
    ):
        if _plausible(_dates_of(cells, cure), cells, first_year):
            return f"Make it a date: {cure.code.format(code)}"
    return f"Which days are {examples(present)}? They are neither 20261105 nor a spreadsheet's days"


def _dates_of(cells: pd.Series[Any], cure: Cure) -> pd.Series[Any] | None:
    try:
        return cure.apply(cells)
    except (ValueError, TypeError, OverflowError):
        return None


def _plausible(dates: pd.Series[Any] | None, cells: pd.Series[Any], first_year: int = FIRST_YEAR) -> bool:
    if dates is None or not pd.api.types.is_datetime64_any_dtype(dates.dtype):
        return False
    present = cells.notna().to_numpy(dtype=bool)
    years = dates.dt.year.to_numpy(dtype=float, na_value=np.nan)[present]
    return bool(len(years)) and bool(((years >= first_year) & (years <= LAST_YEAR)).all())


def _date_from_texts(cells: pd.Series[Any], present: list[str], odd: list[str], code: str) -> str:
    numbers = all(value.strip().isdecimal() and len(value.strip()) < len("20261105") for value in present)
    if numbers and _plausible(_dates_of(cells, _BY_DAYS_IN_OBJECTS), cells, FIRST_SERIAL_YEAR):
        return f"Make it a date: {_BY_DAYS_IN_OBJECTS.code.format(code)}"
    sample = pd.Series(list(dict.fromkeys(present))[:1], dtype=object)
    readings: list[tuple[str, list[Any]]] = []
    for form in (day + time for day in _DAYS for time in _TIMES):
        if _dates_of(sample, _by_format(form)) is None:
            continue  # the first value tells most of them apart
        dates = _dates_of(cells, _by_format(form))
        if dates is not None and _plausible(dates, cells):
            days = dates.tolist()
            if all(days != others for _, others in readings):
                readings.append((form, days))
    if len(readings) == 1:
        return f"Make it a date: {_by_format(readings[0][0]).code.format(code)}"
    if readings:
        (one, first), (other, second) = readings[:2]
        differ = [a != b and not pd.isna(a) for a, b in zip(first, second, strict=True)]
        place = differ.index(True)
        return (
            f"Is {value_shown(cells.iloc[place])} {first[place]:%Y-%m-%d} or {second[place]:%Y-%m-%d}? The column "
            f"does not tell. Read it with its format, {one!r} or {other!r}, by pd.to_datetime"
        )
    return f"Write all of them one way, as 2026-11-23: there is no one format for {examples([*odd, *present])}"


def _by_format(form: str) -> Cure:
    return Cure(f"pd.to_datetime({{}}, format={form!r})", lambda given: pd.to_datetime(given, format=form))
