"""Values held against the types of parameters: what the service would refuse, row by row.

Only what can be known is said. A postal code that pandas has already made ``171`` gets no remark: it may be one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.rows.advice import boolean_advice, bytes_advice, list_advice
from reportflow_pandas.rows.date_advice import date_advice
from reportflow_pandas.rows.input_frame import cells_of, labels_at, named, rows_at, value_shown
from reportflow_pandas.rows.mapping import Sources
from reportflow_pandas.rows.number_advice import number_advice
from reportflow_pandas.rows.problems import Problem
from reportflow_pandas.rows.values import NotJson, column_values, holds_texts, json_value

__all__ = [
    "NEVER_NULL",
    "Place",
    "constant_problems",
    "null_problem",
    "refuse_in",
    "refuse_unsayable",
    "value_problems",
]

Mask = npt.NDArray[np.bool_]

NEVER_NULL = ("number", "boolean")
"""Types that the service refuses null for."""

_NAMES = {
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "text": "a text",
    "array": "a table",
    "collection": "a group of fields",
    "image": "an image",
}

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?", re.ASCII)
_BASE64 = re.compile(r"(data:[^,]*,)?[A-Za-z0-9+/\s]*={0,2}\s*")
_HEAD = 200
"""Characters of an image that are looked at: a megabyte of Base64 in each row would take seconds."""


@dataclass(frozen=True)
class Place:
    """Where a column of values stands, for people: its parameter, its title, how to reach it in code, its name."""

    parameter: str
    column: str
    code: str
    name: Any = None


@dataclass(frozen=True)
class _Verdict:
    """What is wrong with some cells; ``cure`` returns what to do, given the column in code."""

    level: str
    wrong: Mask
    what: str
    cure: Callable[[str], str]


def _said(text: str) -> Callable[[str], str]:
    """Return a cure that is the same for all values; ``{}`` stands for the column in code."""
    return text.format


def value_problems(
    cells: pd.Series[Any], kind: str, place: Place, frame: pd.DataFrame, *, drop_missing: bool
) -> Iterator[Problem]:
    """Yield what the service would refuse in a column, or print otherwise than meant.

    Parameters
    ----------
    cells : pandas.Series
        The values.
    kind : str
        The parameter's type.
    place : Place
        What the column is called.
    frame : pandas.DataFrame
        Whose rows the cells belong to: they are named by its labels, or by its file's cells.
    drop_missing : bool
        Whether missing values are left out; else they are null.
    """
    if kind in NEVER_NULL and not drop_missing:
        places = np.flatnonzero(cells.isna().to_numpy(dtype=bool)).tolist()
        if len(places):
            yield Problem(
                "error",
                place.column,
                f"{place.parameter!r} is {_NAMES[kind]}, and {place.column!r} is missing in "
                f"{rows_at(frame, places, place.name)}: the service refuses null there with 400",
                f"Fill it, e.g. {place.code}.fillna(…), or drop_missing=True leaves it out",
                labels_at(frame.index, places),
            )
    for verdict in _verdicts(cells, kind):
        places = np.flatnonzero(verdict.wrong).tolist()
        if len(places):
            example = value_shown(cells.iloc[places[0]])
            yield Problem(
                verdict.level,
                place.column,
                f"{place.parameter!r} is {_NAMES[kind]}, and {place.column!r} holds {verdict.what} in "
                f"{rows_at(frame, places, place.name)}, e.g. {example}",
                verdict.cure(place.code),
                labels_at(frame.index, places),
            )


def constant_problems(parameter: str, value: Any, kind: str, *, drop_missing: bool) -> Iterator[Problem]:
    """Yield what the service would refuse in a constant."""
    cells = pd.Series([value], dtype=object)
    if cells.isna().all():
        if kind in NEVER_NULL and not drop_missing:
            yield null_problem(parameter, kind)
        return
    for verdict in _verdicts(cells, kind):
        if verdict.wrong.any():
            yield Problem(
                verdict.level,
                parameter,
                f"{parameter!r} is {_NAMES[kind]}, and rf.Constant({value!r:.80}) is something else",
                f"Give it {_NAMES[kind]}",
            )


def null_problem(parameter: str, kind: str) -> Problem:
    """Return the problem of a parameter that would be null in every document."""
    return Problem(
        "error",
        parameter,
        f"{parameter!r} is {_NAMES[kind]} and would be null, which the service refuses with 400",
        "drop_missing=True leaves missing values out",
    )


def _verdicts(cells: pd.Series[Any], kind: str) -> list[_Verdict]:
    judge = _JUDGES.get(kind)
    return judge(cells) if judge is not None else []


def _where(cells: pd.Series[Any], test: Callable[[Any], Any]) -> Mask:
    """Tell of each cell whether it is there and the test holds; equal texts are tested once."""
    if holds_texts(cells.dtype):
        codes, distinct = pd.factorize(cells)
        held: Mask = np.array([*(bool(test(text)) for text in distinct.tolist()), False])[codes]
        return held
    present = cells.notna().to_numpy(dtype=bool)
    cases = zip(present.tolist(), cells.tolist(), strict=True)
    return np.fromiter((here and bool(test(cell)) for here, cell in cases), bool, len(cells))


def _are(cells: pd.Series[Any], kinds: Any) -> Mask:
    """Tell of each cell whether it is of these types; where no cell is, none is looked at."""
    values = cells.tolist()
    meant = {kind for kind in set(map(type, values)) if issubclass(kind, kinds)}
    if not meant:
        return np.zeros(len(values), dtype=bool)
    return np.fromiter((type(value) in meant for value in values), bool, len(values))


def _numbers(cells: pd.Series[Any]) -> list[_Verdict]:
    dtype = cells.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return []
    wrong = _where(cells, lambda cell: not _is_number(cell))
    texts = _are(cells, str) & ~wrong
    return [
        _Verdict("error", wrong, "something else", lambda code: number_advice(cells, wrong, code)),
        _Verdict("warning", texts, "numbers as text", lambda code: number_advice(cells, texts | wrong, code)),
    ]


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return _NUMBER.fullmatch(cell) is not None
    if isinstance(cell, bool | np.bool_ | np.timedelta64):
        return False
    return isinstance(cell, int | float | Decimal | np.number)


def _booleans(cells: pd.Series[Any]) -> list[_Verdict]:
    if pd.api.types.is_bool_dtype(cells.dtype) and not pd.api.types.is_object_dtype(cells.dtype):
        return []
    texts = _where(cells, lambda cell: isinstance(cell, str) and cell in ("true", "false"))
    wrong = _where(cells, lambda cell: not isinstance(cell, bool | np.bool_)) & ~texts
    return [
        _Verdict("error", wrong, "something else", lambda code: boolean_advice(cells, code)),
        _Verdict("warning", texts, "'true' and 'false' as text", lambda code: boolean_advice(cells, code)),
    ]


def _dates(cells: pd.Series[Any]) -> list[_Verdict]:
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return []
    wrong = _where(cells, lambda cell: not isinstance(cell, str | dt.date | np.datetime64 | pd.Period))
    odd = _where(cells, lambda cell: isinstance(cell, str) and cell != "" and not _is_day(cell))
    return [
        _Verdict("error", wrong, "something else", lambda code: date_advice(cells, wrong, code)),
        _Verdict(
            "warning", odd, "texts that do not look like 2026-11-23", lambda code: date_advice(cells, odd, code)
        ),
    ]


def _is_day(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        dt.date.fromisoformat(text[:10])
    except ValueError:  # 2026-13-45
        return False
    return True


def _texts(cells: pd.Series[Any]) -> list[_Verdict]:
    dtype = cells.dtype
    if holds_texts(dtype) or not (pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.ArrowDtype)):
        return []
    lists = _are(cells, (list, dict, tuple, np.ndarray))
    coded = _are(cells, (bytes, bytearray, memoryview))
    return [
        _Verdict("error", lists, "lists or dicts", lambda code: list_advice(cells, code)),
        _Verdict("warning", coded, "bytes, which would print as Base64", lambda code: bytes_advice(cells, code)),
    ]


def _tables(cells: pd.Series[Any]) -> list[_Verdict]:
    wrong = _where(cells, lambda cell: not _is_rows(cell))
    cure = "Each cell is a list of dicts; or nest a frame: tables={{…: rf.Table(lines, on='…')}}"
    return [_Verdict("error", wrong, "no list of dicts", _said(cure))]


def _groups(cells: pd.Series[Any]) -> list[_Verdict]:
    wrong = _where(cells, lambda cell: not isinstance(cell, Mapping) and not _is_rows(cell))
    return [_Verdict("error", wrong, "no dict", _said("Each cell is a dict {{field: value}}"))]


def _is_rows(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray) and all(isinstance(row, Mapping) for row in cell)


def _images(cells: pd.Series[Any]) -> list[_Verdict]:
    wrong = _where(cells, lambda cell: not _is_image(cell))
    return [_Verdict("error", wrong, "no image", _said("Give its bytes (Path(…).read_bytes()), or Base64"))]


def _is_image(cell: Any) -> bool:
    if isinstance(cell, str):
        return len(cell) > _HEAD or _BASE64.fullmatch(cell) is not None
    return isinstance(cell, bytes | bytearray | memoryview)


_JUDGES: dict[str, Callable[[pd.Series[Any]], list[_Verdict]]] = {
    "number": _numbers,
    "boolean": _booleans,
    "date": _dates,
    "text": _texts,
    "array": _tables,
    "collection": _groups,
    "image": _images,
}


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
            found, text = _bad_cells(source.cells, source.kind, frame, source.column)
            rows += found
            if found:
                texts.append(f"{_whose(source.column, source.parameter)}, {text}")
        elif source.constant is not None:
            try:
                json_value(source.constant.value, source.kind)
            except NotJson as reason:
                texts.append(f"params[{source.parameter!r}]: {reason}")
        elif source.nested is not None:
            lines = source.nested.lines.iloc[source.nested.lines_with_document()]
            for _, column, kind in source.nested.fields:
                found, text = (
                    _bad_cells(cells_of(lines, column), kind, lines, column) if named(lines, column) else ([], "")
                )
                if found:
                    texts.append(f"tables[{source.parameter!r}], column {column!r}, {text}")
        try:
            json_value(source.parameter)
        except NotJson as reason:
            texts.append(f"the name {source.parameter!r}: {reason}")
    _raise(texts, rows)


def refuse_in(frame: pd.DataFrame, columns: Mapping[str, pd.Series[Any]]) -> None:
    """Raise for values that JSON cannot hold in columns that are no parameters, by their names for people."""
    texts: list[str] = []
    rows: list[Any] = []
    for name, cells in columns.items():
        found, text = _bad_cells(cells, "", frame)
        rows += found
        if found:
            texts.append(f"{name}, {text}")
    _raise(texts, rows)


def _raise(texts: list[str], rows: list[Any]) -> None:
    if texts:
        unique = list(dict.fromkeys(rows))
        raise InvalidRows("some values cannot be sent; nothing was sent:\n  - " + "\n  - ".join(texts), unique)


def _whose(column: Any, parameter: str) -> str:
    return f"column {column!r}" if column is not None else f"params[{parameter!r}]"


def _bad_cells(cells: pd.Series[Any], kind: str, frame: pd.DataFrame, column: Any = None) -> tuple[list[Any], str]:
    bad = _unsayable(cells, kind)
    positions = [position for position, _ in bad]
    text = f"{rows_at(frame, positions, column)}: {bad[0][1]}" if bad else ""
    return labels_at(frame.index, positions), text


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
