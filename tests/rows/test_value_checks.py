from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.row_documents import made, parameters_of, problems_of

from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.options import Constant, Table

FINE: dict[str, tuple[str, Any]] = {
    "numbers": ("number", [1, 2.5]),
    "Decimals": ("number", [Decimal(1), Decimal("2.50")]),
    "numbers of several sorts": ("number", pd.Series([1, np.float32(2)], dtype=object)),
    "categories of numbers": ("number", pd.Series([1, 2], dtype="category")),
    "nullable numbers": ("number", pd.Series([1, 2], dtype="Int64")),
    "booleans": ("boolean", [True, False]),
    "nullable booleans": ("boolean", pd.Series([True, False], dtype="boolean")),
    "booleans in objects": ("boolean", pd.Series([True, np.bool_(False)], dtype=object)),
    "timestamps": ("date", [pd.Timestamp(2026, 1, 1), pd.NaT]),
    "days": ("date", [dt.date(2026, 1, 1), None]),
    "months": ("date", pd.Series(pd.period_range("2026-01", periods=2, freq="M"))),
    "dates as text": ("date", ["2026-01-01", "2026-01-01 09:00:00"]),
    "no date": ("date", ["", None]),
    "a postal code that is a number by now": ("text", [171, 70174]),
    "texts": ("text", ["0171", None]),
    "floats in a text": ("text", [171.0, np.nan]),
    "lists of dicts": ("array", [[{"Track": "a", "Price": 1}], None]),
    "dicts": ("collection", [{"a": 1}, [{"a": 1}]]),
    "bytes of an image": ("image", [b"\x89PNG", None]),
    "Base64": ("image", ["aGVsbG8=", "data:image/png;base64,aGVsbG8="]),
    "an unknown type": ("barcode", [object, None]),
}


@pytest.mark.parametrize("case", list(FINE))
def test_values_that_fit_get_no_remark(case: str) -> None:
    kind, values = FINE[case]
    assert problems_of(pd.DataFrame({"P": values}), parameters_of(P=kind)) == []


WRONG: dict[str, tuple[str, Any, str, str, str]] = {
    "a missing number": (
        "number",
        [1.5, None],
        "error",
        "missing in row 1.*null there with 400",
        "drop_missing=True",
    ),
    "a missing boolean": (
        "boolean",
        pd.Series([True, None], dtype="boolean"),
        "error",
        "missing in row 1",
        "fillna",
    ),
    "words for numbers": ("number", [1, "x"], "error", "something else in row 1, e.g. 'x'", "Correct .*'x'"),
    "an empty text for a number": ("number", [1, ""], "error", "something else in row 1", "drop_missing=True"),
    "a word that Python reads as a number": ("number", [1, "nan"], "error", "row 1", "Correct .*'nan'"),
    "numbers as text": ("number", [1, "2"], "warning", "numbers as text in row 1", "to_numeric"),
    "booleans for numbers": ("number", [True, True], "error", "2 rows", "astype.int"),
    "days for numbers": ("number", [1, dt.date(2026, 1, 1)], "error", "row 1", "right column"),
    "durations for numbers": ("number", [pd.Timedelta(1), pd.Timedelta(2)], "error", "2 rows", "which unit"),
    "numbers for booleans": ("boolean", [1, 0], "error", "2 rows", r"map\({1: True, 0: False}\)"),
    "words for booleans": ("boolean", [True, "yes"], "error", "row 1", "'yes': True"),
    "booleans as text": ("boolean", [True, "true"], "warning", "as text in row 1", "'true': True"),
    "numbers for dates": ("date", [20260101, 20260102], "error", "2 rows", "format='%Y%m%d'"),
    "words for dates": ("date", ["2026-01-01", "1. Mai"], "warning", "row 1, e.g. '1. Mai'", "one way"),
    "times for dates": ("date", [dt.time(9), None], "error", "row 0", "right column"),
    "lists for texts": ("text", ["a", ["b"]], "error", "lists or dicts in row 1", "str.join"),
    "bytes for texts": ("text", ["a", b"b"], "warning", "print as Base64", "decode"),
    "words for tables": ("array", [[], "a"], "error", "no list of dicts in row 1", "rf.Table"),
    "a dict for a table": ("array", [[], {"Track": 1, "Price": 2}], "error", "row 1", "list of dicts"),
    "lists of words for tables": ("array", [[], ["a"]], "error", "row 1", "rf.Table"),
    "words for groups": ("collection", [{}, "a"], "error", "no dict in row 1", "field: value"),
    "a path for an image": ("image", [b"a", PurePosixPath("a.png")], "error", "row 1", "read_bytes"),
    "a file name for an image": ("image", [b"a", "logo.png"], "error", "row 1", "read_bytes"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_values_that_do_not_fit_are_told_with_rows_and_a_cure(case: str) -> None:
    kind, values, level, problem, cure = WRONG[case]
    (found,) = problems_of(pd.DataFrame({"P": pd.Series(values)}), parameters_of(P=kind))
    assert found.level == level
    assert found.column == "P"
    assert re.search(problem, found.problem)
    assert re.search(cure, found.suggestion)


def test_left_out_missing_numbers_are_fine() -> None:
    frame = pd.DataFrame({"P": [1.5, None]})
    assert problems_of(frame, parameters_of(P="number"), drop_missing=True) == []


CONSTANTS: dict[str, tuple[str, Any, list[str]]] = {
    "a number": ("number", 3, []),
    "a missing number": ("number", None, ["error"]),
    "a word for a number": ("number", "x", ["error"]),
    "a number as text": ("number", "3", ["warning"]),
    "a text": ("text", "EUR", []),
    "a list for a text": ("text", ["EUR"], ["error"]),
    "a table": ("array", [{"Track": 1}], []),
}


@pytest.mark.parametrize("case", list(CONSTANTS))
def test_constants_are_held_against_their_types_too(case: str) -> None:
    kind, value, levels = CONSTANTS[case]
    found = problems_of(pd.DataFrame({"a": [1]}), parameters_of(P=kind), params={"P": Constant(value)})
    assert [problem.level for problem in found] == levels
    assert all(problem.column == "P" and not problem.rows for problem in found)


def test_a_number_that_is_blank_on_purpose_would_be_null() -> None:
    frame = pd.DataFrame({"a": [1]})
    (found,) = problems_of(frame, parameters_of(P="number"), params={"P": None})
    assert "would be null" in found.problem
    assert problems_of(frame, parameters_of(P="number"), params={"P": None}, drop_missing=True) == []


def test_lines_are_held_against_their_fields_if_they_are_sent() -> None:
    orders = pd.DataFrame({"Id": ["1"]})
    lines = pd.DataFrame({"Id": ["1", "1", "9"], "Track": "a", "Price": ["1", None, "x"]}, index=["p", "q", "r"])
    problems = problems_of(
        orders, parameters_of(Id="text", Lines="array"), tables={"Lines": Table(lines, on="Id")}
    )
    told = [(problem.level, problem.column, list(problem.rows)) for problem in problems]
    assert told == [
        ("error", "Lines.Price", ["q"]),
        ("warning", "Lines", ["r"]),
        ("warning", "Lines.Price", ["p"]),
    ]
    assert "lines['Price'].fillna" in problems[0].suggestion


COLUMNS: dict[str, tuple[Any, list[Any], str]] = {
    "infinity": ([1.0, math.inf, -math.inf], ["y", "z"], "infinity is no JSON number"),
    "infinity in a nullable column": (pd.array([1.0, math.inf, None], "Float64"), ["y"], "infinity"),
    "objects": ([1, object(), None], ["y"], "object has no form in JSON"),
    "half a character": (["a", "b", "\ud83d"], ["z"], "lone surrogate"),
    "a set in a list": ([[1], [{1}], None], ["y"], "set has no form"),
    "complex numbers": ([1j, 2j, 3j], ["x", "y", "z"], "complex has no form"),
}


@pytest.mark.parametrize("case", list(COLUMNS))
def test_a_value_that_cannot_be_sent_is_named_by_its_column_and_row(case: str) -> None:
    values, rows, reason = COLUMNS[case]
    frame = pd.DataFrame({"P": pd.Series(values, dtype=object) if case == "half a character" else values})
    frame.index = pd.Index(["x", "y", "z"])
    with pytest.raises(InvalidRows, match=rf"column 'P'.*{reason}") as caught:
        made(frame, parameters_of(P="unknown"))
    assert caught.value.rows == rows


def test_what_is_not_sent_is_not_looked_at() -> None:
    frame = pd.DataFrame({"a": [1], "b": [object()]})
    assert len(made(frame, parameters_of(a="number"))) == 1
    category = pd.Series(["a", math.inf], dtype="category").iloc[:1]
    assert len(list(made(pd.DataFrame({"P": category}), parameters_of(P="unknown")))) == 1


def test_values_in_the_lines_of_a_document_are_named_by_table_and_row() -> None:
    orders = pd.DataFrame({"Id": ["1"]})
    lines = pd.DataFrame({"Id": ["1", "9"], "Track": [object(), "a"], "Price": [1, 2]}, index=["p", "q"])
    design = parameters_of(Lines="array")
    with pytest.raises(InvalidRows, match=r"tables\['Lines'\], column 'Track', row 'p': object"):
        made(orders, design, tables={"Lines": Table(lines, on="Id")})
    assert len(made(orders, design, tables={"Lines": Table(lines.replace({"Id": {"1": "8"}}), on="Id")})) == 1


def test_a_constant_and_a_name_that_cannot_be_sent_are_told() -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(InvalidRows, match=r"params\['P'\]: infinity"):
        made(frame, params={"P": Constant(math.inf)})
    with pytest.raises(InvalidRows, match="half of a character"):
        made(frame, params={"\ud83d": "a"})


def test_all_columns_are_told_at_once() -> None:
    frame = pd.DataFrame({"a": [object(), 1], "b": [1, object()]})
    with pytest.raises(InvalidRows) as caught:
        made(frame)
    assert "column 'a', row 0" in str(caught.value)
    assert "column 'b', row 1" in str(caught.value)
    assert caught.value.rows == [0, 1]
