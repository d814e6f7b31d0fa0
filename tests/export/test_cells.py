"""One sanitiser for every value, and what it counts."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections import Counter
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from openpyxl.utils.escape import unescape

from reportflow_pandas.export.cells import (
    LONGEST_TEXT,
    CellValue,
    ColumnCells,
    Sanitiser,
    Stamp,
    Trap,
    clean_text,
)


def units(text: str) -> int:
    """Return the length as Excel counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize(
    ("value", "expected", "trap"),
    [
        ("a\x0bb", "a\ufffdb", Trap.CONTROL),
        ("a\x00b", "a\ufffdb", Trap.CONTROL),
        ("a\ufffeb", "a\ufffdb", Trap.CONTROL),
        ("a\ud800b", "a\ufffdb", Trap.SURROGATE),
        ("=1+1", "=1+1", Trap.FORMULA),
        ("#N/A", "#N/A", Trap.FORMULA),
        (float("inf"), "inf", Trap.INFINITE),
        (-np.inf, "-inf", Trap.INFINITE),
        (1234567890123456, "1234567890123456", Trap.LONG_NUMBER),
        (np.uint64(2**64 - 1), "18446744073709551615", Trap.LONG_NUMBER),
        (Decimal("1234567890123456.78"), "1234567890123456.78", Trap.LONG_NUMBER),
        ([1, "二"], '[1, "二"]', Trap.NESTED),
        ({"a": dt.date(2026, 1, 2)}, '{"a": "2026-01-02"}', Trap.NESTED),
        (np.array([1, 2]), "[1, 2]", Trap.NESTED),
        (b"%PDF", "<4 bytes>", Trap.OTHER),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", Trap.OTHER),
        (complex(1, 2), "(1+2j)", Trap.OTHER),
        (dt.date(1899, 1, 1), "1899-01-01", Trap.OLD_DATE),
        (dt.datetime(1, 1, 1, 3), "0001-01-01 03:00:00", Trap.OLD_DATE),  # noqa: DTZ001 - a cell's time has no zone
        (pd.Timestamp("2026-01-01 09:00", tz="Asia/Tokyo"), Stamp(46023, "date"), Trap.ZONE),
    ],
)
def test_what_excel_cannot_hold_is_changed_and_counted(value: Any, expected: CellValue, trap: Trap) -> None:
    sanitiser = Sanitiser()
    assert sanitiser.value(value) == expected
    assert sanitiser.traps == Counter({trap: 1})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (float("nan"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (Decimal("NaN"), None),
        (True, True),
        (np.bool_(0), False),
        (999_999_999_999_999, 999_999_999_999_999),
        (np.int8(-3), -3),
        (0.1, 0.1),
        (Decimal("12.50"), 12.5),
        ("+1", "+1"),
        ("-1", "-1"),
        ("@x", "@x"),
        ("007", "007"),
        (" two\nlines ", " two\nlines "),
        (dt.date(2026, 1, 1), 46023.0),
        (dt.datetime(2026, 1, 1, 12), 46023.5),  # noqa: DTZ001 - a cell's time has no zone
        (np.datetime64("2026-01-01T12:00"), 46023.5),
        (dt.time(6), 0.25),
        (dt.timedelta(hours=36), 1.5),
        (pd.Period("2026-01", freq="M"), "2026-01"),
    ],
)
def test_what_excel_can_hold_is_left_alone(value: Any, expected: CellValue) -> None:
    sanitiser = Sanitiser()
    assert sanitiser.value(value) == expected
    assert not sanitiser.traps


@pytest.mark.parametrize("text", ["x" * 40_000, "📄" * 20_000, "_x000D_" * 6_000, "_x0041" * 10_000 + "_" * 9])
def test_a_long_text_fits_into_a_cell_and_says_how_long_it_was(text: str) -> None:
    traps: Counter[Trap] = Counter()
    cleaned = clean_text(text, traps)
    assert LONGEST_TEXT - 40 < units(cleaned) <= LONGEST_TEXT
    assert cleaned.endswith(f"[…] ({len(text):,})")
    assert traps == {Trap.SHORTENED: 1}
    assert text.startswith(unescape(cleaned).rpartition(" […]")[0])


def test_a_text_of_just_the_limit_is_left_alone() -> None:
    assert clean_text("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT


def test_line_ends_become_those_of_a_cell() -> None:
    assert clean_text("a\r\nb\rc") == "a\nb\nc"


@given(st.text(alphabet=st.characters(), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back_from_a_cell_as_it_went_in_but_for_what_excel_cannot_hold(text: str) -> None:
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("x")
    column = ColumnCells(sheet).column(Sanitiser().column(pd.Series([text], dtype=object)))
    sheet.append(list(column))
    file = BytesIO()
    workbook.save(file)
    cell = openpyxl.load_workbook(file)["x"]["A1"]
    expected = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", "\ufffd", text)
    expected = expected.replace("\r\n", "\n").replace("\r", "\n")
    assert unescape(cell.value or "") == expected
    assert cell.data_type == ("s" if text else "n")


COLUMNS = {
    "bool": pd.Series([True, False]),
    "int8": pd.Series([1, -2], dtype="int8"),
    "long": pd.Series([1, 10**17]),
    "Int64": pd.Series([1, None], dtype="Int64"),
    "float": pd.Series([1.5, np.nan]),
    "inf": pd.Series([1.5, np.inf]),
    "Float64": pd.Series([1.5, None], dtype="Float64"),
    "boolean": pd.Series([True, None], dtype="boolean"),
    "text": pd.Series(["a", None]),
    "string": pd.Series(["a", None], dtype="string"),
    "object": pd.Series(["a", float("nan")], dtype=object),
    "mixed": pd.Series(["a", 1], dtype=object),
    "category": pd.Series(["a", None], dtype="category"),
    "day": pd.Series(pd.to_datetime(["2026-01-01", None])),
    "zone": pd.Series(pd.to_datetime(["2026-01-01T09:00", None]).tz_localize("Asia/Tokyo")),
    "old": pd.Series(pd.to_datetime(["1850-01-01", None]).as_unit("s")),
    "duration": pd.Series(pd.to_timedelta(["1 day", None])),
    "period": pd.Series(pd.period_range("2026-01", periods=2, freq="M")),
    "interval": pd.Series(pd.interval_range(0, 2)),
    "complex": pd.Series([1 + 2j, 0j]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_what_its_values_are_one_by_one(name: str) -> None:
    values, whole, single = COLUMNS[name], Sanitiser(), Sanitiser()
    column = whole.column(values, "date" if name == "old" else None)
    expected = [single.value(value) for value in values.astype(object).tolist()]
    assert [str(value)[:10] if name == "old" and value else value for value in column] == [
        str(value)[:10] if name == "old" and value else value for value in expected
    ]
    assert whole.traps == single.traps


def test_missing_values_are_counted_where_they_say_something() -> None:
    for values in COLUMNS.values():
        sanitiser = Sanitiser()
        sanitiser.column(values, count_missing=True)
        assert sanitiser.traps[Trap.MISSING] == int(values.isna().sum())


def test_a_line_with_several_columns_of_a_kind_keeps_them_apart() -> None:
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("x")
    lists = [["=a", "=b"], ["=c", "=d"], [Stamp(46023, "date"), None], [Stamp(46024, "date"), Stamp(0.5, "time")]]
    for line in zip(*(ColumnCells(sheet).column(values) for values in lists), strict=True):
        sheet.append(line)
    file = BytesIO()
    workbook.save(file)
    rows = list(openpyxl.load_workbook(file)["x"].iter_rows(values_only=True))
    assert rows[0][:2] == ("=a", "=c")
    assert rows[1][:2] == ("=b", "=d")
    assert [value and str(value) for value in rows[0][2:]] == ["2026-01-01 00:00:00", "2026-01-02 00:00:00"]
    assert rows[1][3] == dt.time(12)


@pytest.mark.parametrize("dtype", ["float32", "Float32"])
def test_a_narrow_float_is_shown_by_its_own_digits(dtype: str) -> None:
    values = pd.Series(np.array([19.99, 0.1], dtype="float32")).astype(dtype)
    assert Sanitiser().column(values) == [19.99, 0.1]
