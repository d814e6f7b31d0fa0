from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from reportflow_pandas.rows.series import column_values, holds_texts
from reportflow_pandas.rows.values import NotJson

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
    "timedelta": (pd.Series([pd.Timedelta(days=1), pd.NaT]), '["P1DT0H0M0S",null]'),
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


def test_categories_that_do_not_occur_are_not_looked_at() -> None:
    column = pd.Series(["a", math.inf], dtype="category").iloc[:1]
    assert column_values(column) == ["a"]


def test_half_a_character_is_found_in_a_column_of_texts() -> None:
    with pytest.raises(NotJson, match="half of a character"):
        column_values(pd.Series(["a", "\ud83d"], dtype=object))
    with pytest.raises(NotJson, match="half of a character"):
        column_values(pd.Series(["a", "\ud83d"], dtype="string[python]"))


@pytest.mark.parametrize("dtype", ["str", "string", "string[python]", "string[pyarrow]", arrow(pa.string())])
def test_texts_are_known_whoever_stores_them(dtype: Any) -> None:
    assert holds_texts(pd.Series(["a"], dtype=dtype).dtype) or pd.Series(["a"], dtype=dtype).dtype == object
    assert not holds_texts(pd.Series([1]).dtype)
