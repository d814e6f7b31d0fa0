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

from reportflow_pandas.rows.series import column_values
from reportflow_pandas.rows.values import NotJson, as_text, json_value, without_missing

TOKYO = dt.timezone(dt.timedelta(hours=9))


class Colour(enum.StrEnum):
    RED = "red"


CASES: dict[str, tuple[Any, str]] = {
    "None": (None, "null"),
    "NaN": (float("nan"), "null"),
    "NA": (pd.NA, "null"),
    "NaT": (pd.NaT, "null"),
    "a NaT of numpy": (np.datetime64("NaT"), "null"),
    "a duration that is missing": (np.timedelta64("NaT"), "null"),
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
    "a duration": (dt.timedelta(days=1), '"P1DT0H0M0S"'),
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
    assert orjson.dumps(json_value(value)).decode() == wanted


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
def test_a_float_keeps_its_value_in_a_number_and_in_a_text(value: float) -> None:
    assert json_value(value) == value
    assert float(as_text(value)) == value
    assert "e" not in as_text(value)


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
