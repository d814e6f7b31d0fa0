"""Files become frames in which every identifier is what the file says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from reportflow_pandas.cli.input_files import Reading, _inferred, read_frame
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.rows.values import column_values


def read(folder: Path, text: str, reading: Reading = Reading(), encoding: str = "utf-8") -> pd.DataFrame:  # noqa: B008 - frozen
    path = folder / "rows.csv"
    path.write_text(text, encoding=encoding)
    return read_frame(path, reading)


@pytest.mark.parametrize(
    "cells",
    [
        ["0171", "171"],
        ["+81312345678", "5"],
        ["12345678901234567890", "1"],
        ["1e5", "2"],
        ["1,234.50", "2"],
        ["-0", "1"],
        ["NA", "ZA"],
        ["True", "False"],
        ["05.11.2026", "06.11.2026"],
        ["2026-02-31", "2026-03-01"],
        ["1 ", "2"],
    ],
)
def test_text_that_no_number_writes_stays_text(cells: list[str]) -> None:
    assert _inferred(pd.Series(cells)).tolist() == cells


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["1", "2"], [1, 2]),
        (["1.5", "NA", "2.25"], [1.5, None, 2.25]),
        (["true", "false", ""], [True, False, None]),
        (["2026-11-05", ""], ["2026-11-05", None]),
        (["2026-11-05 00:00:00", "2026-11-06 00:00:00"], ["2026-11-05", "2026-11-06"]),
        (["2026-11-05 09:30:00", "2026-11-06 00:00:00"], ["2026-11-05 09:30:00", "2026-11-06 00:00:00"]),
    ],
)
def test_plain_numbers_dates_and_booleans_become_what_they_are(cells: list[str], values: list[object]) -> None:
    assert column_values(_inferred(pd.Series(cells))) == values


def test_an_amount_keeps_its_digits() -> None:
    assert _inferred(pd.Series(["10.50", "9.00"])).tolist() == [Decimal("10.50"), Decimal("9.00")]


@given(st.lists(st.from_regex(r"[-+]?[0-9]{0,17}(\.[0-9]{0,17})?(e5)?", fullmatch=True).filter(bool), min_size=1))
def test_whatever_looks_like_a_number_prints_as_it_was_written(cells: list[str]) -> None:
    assert column_values(_inferred(pd.Series(cells)), "text") == cells


def test_an_empty_line_becomes_no_document_and_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    frame = read(tmp_path, "a,b\n1,x\n,\n2,y\n", Reading(say=told.append))
    assert frame["a"].tolist() == [1, 2]
    assert told == ["rows.csv: 1 empty line left out"]


def test_two_columns_of_one_name_are_not_renamed(tmp_path: Path) -> None:
    """The check refuses them by their own names."""
    assert read(tmp_path, "a,a\n1,2\n").columns.tolist() == ["a", "a"]


def test_excels_mark_at_the_start_of_a_file_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n1,2\n", encoding="utf-8-sig").columns.tolist() == ["a", "b"]


def test_a_file_of_japanese_excel_is_read_when_its_encoding_is_named(tmp_path: Path) -> None:
    text = "名前,町\n佐藤,東京\n"
    with pytest.raises(ConfigurationError, match="--encoding cp932"):
        read(tmp_path, text, encoding="cp932")
    assert read(tmp_path, text, Reading(encoding="cp932"), encoding="cp932")["町"].tolist() == ["東京"]


@pytest.mark.parametrize(
    ("text", "taught"),
    [("", "is empty"), ("a,b\n1,2,3\n", "cannot be read as a table"), ("a;b\n1;2\n", "--separator ';'")],
)
def test_a_file_that_is_no_table_is_refused_with_the_way_out(tmp_path: Path, text: str, taught: str) -> None:
    with pytest.raises(ConfigurationError, match=taught):
        read(tmp_path, text)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_a_damaged_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(b"no such thing")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_frame(path, Reading())


def test_a_file_with_a_header_only_is_an_empty_frame(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b\n")
    assert frame.columns.tolist() == ["a", "b"]
    assert len(frame) == 0


def test_a_column_that_shall_be_text_stays_as_it_stands(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b\n1,2.50\n2,\n", Reading(text=["a"]))
    assert frame["a"].tolist() == ["1", "2"]


def test_a_sheet_is_found_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    with pd.ExcelWriter(path) as writer:
        pd.DataFrame({"a": [1]}).to_excel(writer, sheet_name="October", index=False)
        pd.DataFrame({"a": [2]}).to_excel(writer, sheet_name="November", index=False)
    assert read_frame(path, Reading(sheet="November"))["a"].tolist() == [2]
    with pytest.raises(ConfigurationError, match="December"):
        read_frame(path, Reading(sheet="December"))
