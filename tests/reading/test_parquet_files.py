"""Typed values stay what they are."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas import read_rows
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.locations import where
from reportflow_pandas.rows.values import column_values


def read(folder: Path, values: Any, **how: Any) -> pd.Series[Any]:
    pq.write_table(pa.table({"a": values, "b": pa.nulls(len(values))}), folder / "rows.parquet")
    column: pd.Series[Any] = read_rows(folder / "rows.parquet", **how)["a"]
    return column


@pytest.mark.parametrize(
    ("values", "printed"),
    [
        (pa.array([9007199254740993, None], pa.int64()), ["9007199254740993", None]),
        (pa.array([2**64 - 1, None], pa.uint64()), [str(2**64 - 1), None]),
        (pa.array([17, None], pa.int8()), ["17", None]),
        (pa.array([Decimal("10.50"), None]), ["10.50", None]),
        (pa.array([19.99, None], pa.float32()), ["19.99", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["0171", None]), ["0171", None]),
        (pa.array(["x", None], pa.large_string()), ["x", None]),
        (pa.array([b"Consulting", None], pa.binary()), ["Consulting", None]),
        (pa.array(["x", "y", None]).dictionary_encode(), ["x", "y", None]),
        (pa.array([9007199254740993, None]).dictionary_encode(), ["9007199254740993", None]),
        (pa.array([dt.date(2026, 11, 1), None]), ["2026-11-01", None]),
        (pa.array([1793491200000000, None], pa.timestamp("us")), ["2026-11-01", None]),
        (pa.array([-62135596800, None], pa.timestamp("s")), ["0001-01-01", None]),
        (pa.array([253370764800000, None], pa.timestamp("ms")), ["9999-01-01", None]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_a_value_prints_as_the_file_holds_it(tmp_path: Path, values: Any, printed: list[str | None]) -> None:
    assert column_values(read(tmp_path, values), "text") == printed
    assert column_values(read(tmp_path, values, text="a")) == printed


def test_nested_values_keep_their_digits(tmp_path: Path) -> None:
    lines = [[{"Id": 9007199254740993, "Note": b"x"}, {"Id": None, "Note": None}], None]
    kind = pa.list_(pa.struct([("Id", pa.int64()), ("Note", pa.binary())]))
    assert read(tmp_path, pa.array(lines, kind)).tolist() == [
        [{"Id": 9007199254740993, "Note": "x"}, {"Id": None, "Note": None}],
        None,
    ]
    maps = pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))
    assert read(tmp_path, maps).tolist() == [{"a": 1}, None]


def test_pictures_stay_bytes_and_other_bytes_among_texts_are_refused(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00"
    assert read(tmp_path, pa.array([picture, None])).tolist() == [picture, None]
    with pytest.raises(ConfigurationError, match="row 2 is none in UTF-8"):
        read(tmp_path, pa.array([b"Caf\xc3\xa9", b"Caf\xe9"]))


def test_a_folder_is_one_table_whose_rows_know_their_files(tmp_path: Path) -> None:
    for country, name in (("DE", "a"), ("FR", "b")):
        for year in ("001", "002"):
            folder = tmp_path / "orders" / f"Country={country}" / f"Year={year}"
            folder.mkdir(parents=True)
            pd.DataFrame({"Id": [1, 2], "Name": [name, None]}).to_parquet(folder / "part-0.parquet", index=False)
    (tmp_path / "orders" / "_SUCCESS").touch()
    frame = read_rows(tmp_path / "orders")
    assert frame["Country"].tolist() == ["DE"] * 4 + ["FR"] * 4
    assert frame["Year"].tolist() == ["001", "001", "002", "002"] * 2
    assert where(frame, 3) == "Country=DE/Year=002/part-0.parquet, row 2"


def test_a_column_that_only_one_file_has_is_not_lost(tmp_path: Path) -> None:
    pd.DataFrame({"Id": [1]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"Id": [2], "Note": ["x"]}).to_parquet(tmp_path / "b.parquet")
    frame = read_rows(tmp_path)
    assert frame["Note"].tolist()[1] == "x"
    pd.DataFrame({"Id": ["3"]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(ConfigurationError, match="different types"):
        read_rows(tmp_path)


def test_a_folder_without_parquet_files_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").touch()
    with pytest.raises(ConfigurationError, match=r"orders\.csv"):
        read_rows(tmp_path)


def test_labels_that_pandas_kept_are_labels_again(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    frame.to_parquet(tmp_path / "rows.parquet")
    assert read_rows(tmp_path / "rows.parquet").index.tolist() == ["x", "y"]


values = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1).map(
        lambda v: pa.array(v, pa.int64())
    ),
    st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8")))).map(lambda v: pa.array(v, pa.string())),
    st.lists(st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=3))).map(
        lambda v: pa.array(v, pa.decimal128(18, 3))
    ),
    st.lists(st.one_of(st.none(), st.booleans())).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.one_of(st.none(), st.dates())).map(lambda v: pa.array(v, pa.date32())),
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_what_pyarrow_wrote_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    found = read(tmp_path_factory.mktemp("parquet"), values)
    assert [None if pd.isna(cell) else cell for cell in found.tolist()] == values.to_pylist()
