"""Results as CSV."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from support.reviewed_workbooks import make_results

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.csv_file import harmless, write_csv


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", " =1", "\n=1", "＝1"])  # noqa: RUF001
def test_what_starts_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a", "1", "a=b", "'=1", "株式会社"])
def test_other_text_is_left_alone(text: str) -> None:
    assert harmless(text) == text


@given(st.text())
def test_no_text_starts_a_formula_afterwards(text: str) -> None:
    assert not harmless(text).lstrip().startswith(("=", "+", "-", "@"))
    assert harmless(text).removeprefix("'").endswith(text.removeprefix("'"))


def test_no_cell_of_the_file_starts_a_formula(tmp_path: Path) -> None:
    results = make_results(4, index=pd.Index(["=a", "+b", "-c", "@d"], name="=label"))
    results["error"] = "=1"
    source = pd.DataFrame({"-head": ["-x", {"a": 1}, ["=1"], b"=1"], "n": [-1, -2, 3, 4]}, index=results.index)
    path = write_csv(results, tmp_path / "safe.csv", source)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][0] == "'=label"
    for row in rows:
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r"))
            assert not cell.startswith("-") or cell in ("-1", "-2")


def test_the_file_has_the_frame_s_columns_in_its_order(tmp_path: Path) -> None:
    results = make_results(3).iloc[[2, 0]]
    source = pd.DataFrame({"status": list("abc"), "day": [dt.date(2026, 1, 2)] * 3})
    found = pd.read_csv(write_csv(results, tmp_path / "results.csv", source))
    assert found.columns.tolist() == ["index", *results.columns, "status_source", "day"]
    assert found["status_source"].tolist() == ["c", "a"]
    assert found["day"].tolist() == ["2026-01-02"] * 2
    assert found["accepted_at"].tolist()[1] == "2026-11-23T20:24:05+00:00"


def test_excel_shows_japanese_since_the_file_says_that_it_is_utf_8(tmp_path: Path) -> None:
    path = write_csv(make_results(5), tmp_path / "results.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "合計" in path.read_text(encoding="utf-8-sig")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.csv"):
        write_csv(make_results(1), tmp_path / "results.xlsx")
