from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.rows.values import NotJson, column_values, holds_texts, json_value, without_missing

TOKYO = dt.timezone(dt.timedelta(hours=9))


class Colour(enum.StrEnum):
    RED = "red"


CASES: dict[str, tuple[Any, str]] = {
    "None": (None, "null"),
    "NaN": (float("nan"), "null"),
    "NA": (pd.NA, "null"),
    "NaT": (pd.NaT, "null"),
    "a NaT of numpy": (np.datetime64("NaT", "ns"), "null"),
    "a duration that is missing": (np.timedelta64("NaT", "ns"), "null"),
    "a NaN of Decimal": (Decimal("NaN"), "null"),
    "true": (True, "true"),
    "true of numpy": (np.bool_(True), "true"),
    "an integral float": (171.0, "171"),
    "an integral float of numpy": (np.float64(171), "171"),
    "a float with a fraction": (1.98, "1.98"),
    "a narrow float by its own digits": (np.float32(0.1), "0.1"),
    "a half float by its own digits": (np.float16(0.1), "0.1"),
    "a float too large to be exact": (1e300, "1e+300"),
    "an integer of numpy": (np.int8(-3), "-3"),
    "a large unsigned integer": (np.uint64(2**64 - 1), str(2**64 - 1)),
    "an integer beyond 64 bits": (10**30, str(10**30)),
    "a Decimal with its zeros": (Decimal("1.500"), "1.500"),
    "a Decimal in scientific notation": (Decimal("1E+2"), "100"),
    "text": ("Łódź 日本語", '"Łódź 日本語"'),
    "text of numpy": (np.str_("a"), '"a"'),
    "an enum's value": (Colour.RED, '"red"'),
    "a day": (dt.date(2026, 11, 23), '"2026-11-23"'),
    "a timestamp without a time": (pd.Timestamp("2026-11-23"), '"2026-11-23"'),
    "a timestamp with a time": (pd.Timestamp("2026-11-23 04:05:06"), '"2026-11-23T04:05:06"'),
    "a timestamp of one nanosecond": (pd.Timestamp(1), '"1970-01-01T00:00:00.000000001"'),
    "midnight somewhere": (dt.datetime(2026, 11, 23, tzinfo=TOKYO), '"2026-11-23T00:00:00+09:00"'),
    "a timestamp of numpy": (np.datetime64("2026-11-23"), '"2026-11-23"'),
    "a time": (dt.time(4, 5), '"04:05:00"'),
    "a duration": (dt.timedelta(days=1), '"24:00:00"'),
    "a duration of pandas": (pd.Timedelta(hours=54, minutes=5, seconds=3), '"54:05:03"'),
    "a duration of numpy": (np.timedelta64(150, "m"), '"2:30:00"'),
    "a duration with a part of a second": (pd.Timedelta("1.5s"), '"0:00:01.5"'),
    "a negative duration": (pd.Timedelta("-90s"), '"-0:01:30"'),
    "an identifier that became a float": (9007199254740992.0, "9007199254740992"),
    "a float of 64 bits": (2.0**64, str(2**64)),
    "a negative float of 64 bits": (-(2.0**64), str(-(2**64))),
    "what a formula left behind": (1234.5600000000002, "1234.56"),
    "the sum of a tenth and a fifth": (0.1 + 0.2, "0.3"),
    "a product that should be whole": (4.35 * 100, "435"),
    "a third": (1 / 3, "0.3333333333333333"),
    "a mark that came along with a pasted text": ("\ufeffBob", '"Bob"'),
    "a month": (pd.Period("2026-11", "M"), '"2026-11"'),
    "an interval": (pd.Interval(0, 1), '"(0, 1]"'),
    "bytes": (b"\x00\xff", '"AP8="'),
    "a bytearray": (bytearray(b"a"), '"YQ=="'),
    "a UUID": (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    "a path": (PurePosixPath("a/b"), '"a/b"'),
    "a list with gaps": ([1.0, float("nan"), None, pd.NaT], "[1,null,null,null]"),
    "a tuple": ((1, "a"), '[1,"a"]'),
    "an array": (np.array([1.0, 2.5, np.nan]), "[1,2.5,null]"),
    "an array of no dimension": (np.array(7), "7"),
    "an array of days": (np.array(["2026-11-23"], "M8[D]"), '["2026-11-23"]'),
    "a Series": (pd.Series([1, 2]), "[1,2]"),
    "dicts in a list": ([{"a": float("nan"), "b": np.int64(1)}], '[{"a":null,"b":1}]'),
    "a dict in a dict": ({"a": {"b": Decimal("0.10")}}, '{"a":{"b":0.10}}'),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_value_becomes_json(case: str) -> None:
    value, wanted = CASES[case]
    said = orjson.dumps(json_value(value)).decode()
    assert said.replace("e+", "e") == wanted.replace("e+", "e")  # as orjson's versions write an exponent


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def deep() -> list[Any]:
    items: list[Any] = []
    for _ in range(300):
        items = [items]
    return items


IMPOSSIBLE: dict[str, tuple[Any, str]] = {
    "infinity": (math.inf, "infinity"),
    "infinity of numpy": (np.float32("-inf"), "infinity"),
    "infinity of Decimal": (Decimal("Infinity"), "infinity"),
    "infinity in a list": ([1, math.inf], "infinity"),
    "half a character": ("a\ud83d", "half of a character"),
    "half a character in a key": ({"\ud83d": 1}, "half of a character"),
    "a number for a key": ({1: 2}, "keys are texts"),
    "a complex number": (1j, "complex has no form"),
    "a complex number of numpy": (np.complex128(1j), "complex has no form"),
    "a set": ({1}, "set has no form"),
    "a duration of months": (np.timedelta64(2, "M"), "no fixed length"),
    "an object": (object(), "object has no form"),
    "a frame": (pd.DataFrame({"a": [1]}), "tables="),
    "a list that holds itself": (circle(), "holds itself"),
    "a list too deep": (deep(), "JSON cannot hold"),
    "an endless Decimal": (Decimal("1E+5000"), "digits"),
    "an endless integer": (10**5000, "digits"),
}


@pytest.mark.parametrize("case", list(IMPOSSIBLE))
def test_what_json_cannot_hold_says_why(case: str) -> None:
    value, reason = IMPOSSIBLE[case]
    with pytest.raises(NotJson, match=reason):
        json_value(value)


TEXTS: dict[str, tuple[Any, str | None]] = {
    "an integral float": (171.0, "171"),
    "an integer": (171, "171"),
    "a float of 64 bits": (2.0**64, str(2**64)),
    "a float beyond 64 bits": (1e23, "1" + "0" * 23),
    "a small float with noise": (0.000012300000000000001, "0.0000123"),
    "a duration": (pd.Timedelta(hours=54, minutes=5, seconds=3), "54:05:03"),
    "a fraction": (1.5, "1.5"),
    "a large float in full": (1e22, "10000000000000000000000"),
    "a small float in full": (1e-7, "0.0000001"),
    "a Decimal with its zeros": (Decimal("1.50"), "1.50"),
    "an integer beyond 64 bits": (10**30, str(10**30)),
    "true": (True, "true"),
    "a day": (pd.Timestamp("2026-11-23"), "2026-11-23"),
    "leading zeros": ("0171", "0171"),
    "nothing": (None, None),
}


@pytest.mark.parametrize("case", list(TEXTS))
def test_a_number_goes_into_a_text_by_its_digits(case: str) -> None:
    value, wanted = TEXTS[case]
    assert json_value(value, "text") == wanted
    assert column_values(pd.Series([value, value], dtype=object), "text") == [wanted, wanted]


plain_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_infinity=False)
    | st.decimals(allow_infinity=False, min_value=-(10**9), max_value=10**9)
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.dates()
)
values = st.recursive(
    plain_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(values)
@settings(deadline=None)
def test_whatever_becomes_json_is_read_back_strictly(value: Any) -> None:
    """No NaN, no infinity, nothing that a strict reader refuses."""
    try:
        plain = json_value(value)
    except NotJson:
        return
    orjson.loads(orjson.dumps(plain))
    text = json_value(value, "text")
    assert text is None or isinstance(text, str | list | dict)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_a_float_keeps_what_a_spreadsheet_shows_of_it_in_a_number_and_in_a_text(value: float) -> None:
    number, text = orjson.loads(orjson.dumps(json_value(value))), json_value(value, "text")
    assert number == pytest.approx(value, rel=5e-15, abs=0)
    assert float(text) == number
    assert "e" not in text
    assert not text.endswith(".0")
    assert json_value(number) == json_value(value)


@given(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), st.integers(-2, 2))
@settings(deadline=None)
def test_an_amount_with_the_noise_of_a_formula_prints_as_the_amount(amount: Decimal, steps: int) -> None:
    noisy = float(amount)
    for _ in range(abs(steps)):
        noisy = math.nextafter(noisy, math.copysign(math.inf, steps))
    assert Decimal(json_value(noisy, "text")) == amount


@given(st.lists(plain_values))
@settings(deadline=None)
def test_a_column_of_objects_is_converted_as_each_of_its_cells(cells: list[Any]) -> None:
    def converted() -> Any:
        return [orjson.dumps(json_value(cell)) for cell in cells]

    try:
        wanted = converted()
    except NotJson:
        with pytest.raises(NotJson):
            column_values(pd.Series(cells, dtype=object))
        return
    assert [orjson.dumps(value) for value in column_values(pd.Series(cells, dtype=object))] == wanted


def test_missing_values_are_left_out_of_dicts_and_lists_keep_their_length() -> None:
    assert without_missing({"a": None, "b": [None, {"c": None, "d": 0}]}) == {"b": [None, {"d": 0}]}


pa = pytest.importorskip("pyarrow")


def arrow(kind: Any) -> pd.ArrowDtype:
    return pd.ArrowDtype(kind)


DAY = pd.Timestamp(2026, 11, 23).to_pydatetime()
COLUMNS: dict[str, tuple[pd.Series[Any], str]] = {
    "int64": (pd.Series([1, 2]), "[1,2]"),
    "uint64": (pd.Series([2**64 - 1], dtype="uint64"), f"[{2**64 - 1}]"),
    "bool": (pd.Series([True, False]), "[true,false]"),
    "float64": (pd.Series([1.0, 1.5, np.nan]), "[1,1.5,null]"),
    "float32": (pd.Series([0.1, np.nan], dtype="float32"), "[0.1,null]"),
    "Int64": (pd.Series([2**60 + 1, None], dtype="Int64"), f"[{2**60 + 1},null]"),
    "boolean": (pd.Series([True, None], dtype="boolean"), "[true,null]"),
    "Float64": (pd.Series([1.0, None], dtype="Float64"), "[1,null]"),
    "Float32": (pd.Series([0.1, None], dtype="Float32"), "[0.1,null]"),
    "object": (pd.Series([1, "a", None, [np.nan]], dtype=object), '[1,"a",null,[null]]'),
    "str": (pd.Series(["0171", None], dtype="str"), '["0171",null]'),
    "string": (pd.Series(["0171", None], dtype="string"), '["0171",null]'),
    "string[python]": (pd.Series(["0171", None], dtype="string[python]"), '["0171",null]'),
    "string[pyarrow]": (pd.Series(["0171", None], dtype="string[pyarrow]"), '["0171",null]'),
    "datetime": (pd.Series([pd.Timestamp(DAY), pd.NaT]), '["2026-11-23",null]'),
    "datetime with a time": (
        pd.Series([pd.Timestamp(DAY), pd.Timestamp(2026, 1, 1, 9)]),
        '["2026-11-23","2026-01-01T09:00:00"]',
    ),
    "datetime with a zone": (
        pd.Series([pd.Timestamp(DAY, tz="Asia/Tokyo"), pd.NaT]),
        '["2026-11-23T00:00:00+09:00",null]',
    ),
    "timedelta": (pd.Series([pd.Timedelta(days=1), pd.NaT]), '["24:00:00",null]'),
    "period": (pd.Series([pd.Period("2026-11", "M"), pd.NaT], dtype="period[M]"), '["2026-11",null]'),
    "interval": (pd.Series(pd.interval_range(0, 1)), '["(0, 1]"]'),
    "categories of text": (pd.Series(["b", None, "a", "b"], dtype="category"), '["b",null,"a","b"]'),
    "categories of integers": (pd.Series([2, None], dtype="Int64").astype("category"), "[2,null]"),
    "categories of intervals": (pd.cut(pd.Series([1, 9]), [0, 2]), '["(0, 2]",null]'),
    "no categories": (pd.Series([None], dtype="category"), "[null]"),
    "sparse": (pd.Series([0.0, 1.5, np.nan], dtype="Sparse[float]"), "[0,1.5,null]"),
    "arrow int": (pd.Series([2**60 + 1, None], dtype=arrow(pa.int64())), f"[{2**60 + 1},null]"),
    "arrow bool": (pd.Series([True, None], dtype=arrow(pa.bool_())), "[true,null]"),
    "arrow float": (pd.Series([1.0, None], dtype=arrow(pa.float64())), "[1,null]"),
    "arrow float32": (pd.Series([0.1, None], dtype=arrow(pa.float32())), "[0.1,null]"),
    "arrow text": (pd.Series(["a", None], dtype=arrow(pa.string())), '["a",null]'),
    "arrow decimal": (pd.Series([Decimal("1.50"), None], dtype=arrow(pa.decimal128(9, 2))), "[1.50,null]"),
    "arrow day": (pd.Series([DAY.date(), None], dtype=arrow(pa.date32())), '["2026-11-23",null]'),
    "arrow timestamp": (pd.Series([DAY, None], dtype=arrow(pa.timestamp("us"))), '["2026-11-23",null]'),
    "arrow bytes": (pd.Series([b"a", None], dtype=arrow(pa.binary())), '["YQ==",null]'),
    "arrow list": (pd.Series([[1, None], None], dtype=arrow(pa.list_(pa.int64()))), "[[1,null],null]"),
    "arrow struct": (pd.Series([{"a": 1}], dtype=arrow(pa.struct([("a", pa.int64())]))), '[{"a":1}]'),
    "arrow dictionary": (pd.Series(["a"], dtype=arrow(pa.dictionary(pa.int32(), pa.string()))), '["a"]'),
    "nothing": (pd.Series([], dtype=object), "[]"),
}


@pytest.mark.parametrize("case", list(COLUMNS))
def test_a_column_of_any_dtype_becomes_json(case: str) -> None:
    """Each value is what it is alone, and the column is what it was."""
    column, wanted = COLUMNS[case]
    before = column.copy(deep=True)
    assert orjson.dumps(column_values(column)).decode() == wanted
    assert orjson.dumps([column_values(column.iloc[[at]])[0] for at in range(len(column))]).decode() == wanted
    pd.testing.assert_series_equal(column, before)


@pytest.mark.parametrize("case", list(COLUMNS))
def test_a_column_of_any_dtype_goes_into_a_text(case: str) -> None:
    column, _ = COLUMNS[case]
    assert all(value is None or isinstance(value, str | list | dict) for value in column_values(column, "text"))


@pytest.mark.parametrize(
    "dtype", [object, "str", "string", "string[python]", "string[pyarrow]", arrow(pa.string())]
)
def test_a_mark_that_came_along_is_left_out_whatever_stores_the_text(dtype: Any) -> None:
    assert column_values(pd.Series(["\ufeffBob", None, "Ann"], dtype=dtype)) == ["Bob", None, "Ann"]


def test_categories_that_do_not_occur_are_not_looked_at() -> None:
    column = pd.Series(["a", math.inf], dtype="category").iloc[:1]
    assert column_values(column) == ["a"]


def test_half_a_character_is_found_in_a_column_of_texts() -> None:
    with pytest.raises(NotJson, match="half of a character"):
        column_values(pd.Series(["a", "\ud83d"], dtype=object))
    with pytest.raises(NotJson, match="half of a character"):
        column_values(pd.Series(["a", "\ud83d"], dtype="string[python]"))


@pytest.mark.parametrize("dtype", ["str", "string", "string[python]", "string[pyarrow]", arrow(pa.string())])
def test_texts_are_known_however_they_are_stored(dtype: Any) -> None:
    assert holds_texts(pd.Series(["a"], dtype=dtype).dtype) or pd.Series(["a"], dtype=dtype).dtype == object
    assert not holds_texts(pd.Series([1]).dtype)
