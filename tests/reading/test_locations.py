"""A row is found in its file again after everything that analysts do to a frame."""

from __future__ import annotations

import copy
from pathlib import Path

import pandas as pd
import pytest

from reportflow_pandas.reading.locations import Origin, location_index, places, where


def frame_of(origin: Origin, rows: int = 4) -> pd.DataFrame:
    frame = pd.DataFrame({"Id": range(rows), "Amount": range(rows)})
    frame.index = location_index(rows)
    return origin.kept_in(frame)


@pytest.fixture
def sheet() -> pd.DataFrame:
    """Four rows of a sheet: the lines 2, 3, 6 and 7."""
    return frame_of(
        Origin("orders.xlsx", "cell", [[0, 2, 2], [2, 6, 2]], {"Id": "A", "Amount": "E"}, sheet="Orders")
    )


def test_a_cell_is_named_as_in_the_sheet(sheet: pd.DataFrame) -> None:
    assert where(sheet, 2, "Amount") == "orders.xlsx, Orders!E6"
    assert where(sheet, 2) == "orders.xlsx, row 6"
    assert places(sheet, [2], "Amount") == "row 6 (orders.xlsx, Orders!E6)"
    assert places(sheet, [0, 3], "Amount") == "2 rows (orders.xlsx, Orders!E2, E7)"
    assert places(sheet, [0, 3]) == "2 rows (orders.xlsx, rows 2, 7)"


def test_filtering_and_sorting_keep_the_place(sheet: pd.DataFrame) -> None:
    changed = sheet[sheet["Id"] > 0].sort_values("Id", ascending=False).assign(More=1)
    assert where(changed, 0, "Amount") == "orders.xlsx, Orders!E7"
    assert where(changed.head(2), 1, "Amount") == "orders.xlsx, Orders!E6"
    assert where(changed, 0, "More") == "orders.xlsx, row 7"


def test_a_frame_that_was_numbered_again_names_no_other_rows_cell(sheet: pd.DataFrame) -> None:
    for changed in (
        sheet[sheet["Id"] > 0].reset_index(drop=True),
        sheet.sort_values("Id", ascending=False, ignore_index=True),
        sheet.set_index("Id"),
        pd.DataFrame({"Id": [1]}),
    ):
        assert where(changed, 0, "Amount") == ""
        assert places(changed, [0], "Amount") == ""


def test_lines_of_a_text_file_and_rows_of_a_folder_are_named() -> None:
    lines = frame_of(Origin("orders.csv", "line", [[0, 2, 4]]))
    assert where(lines, 3, "Amount") == "orders.csv, line 5"
    assert places(lines, [3], "Amount") == "line 5 (orders.csv)"
    assert places(lines, [0, 3], "Amount") == "2 lines (orders.csv, lines 2, 5)"
    parts = frame_of(Origin("orders", "row", [[0, 1, 2], [2, 1, 2]], files=[(0, "a.parquet"), (2, "b.parquet")]))
    assert where(parts, 2) == "b.parquet, row 1"
    assert places(parts, [1, 2]) == "2 rows (a.parquet, row 2; b.parquet, row 1)"


def test_it_survives_copies_and_parquet(sheet: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    sheet.to_parquet(path)
    for kept in (sheet.copy(), copy.deepcopy(sheet), pd.read_parquet(path)):
        assert where(kept, 2, "Amount") == "orders.xlsx, Orders!E6"


def test_a_sheet_with_a_space_is_quoted_as_in_a_formula() -> None:
    origin = Origin("a.xlsx", "cell", [[0, 2, 4]], {"Id": "A"}, sheet="Year's end")
    assert where(frame_of(origin), 0, "Id") == "a.xlsx, 'Year''s end'!A2"
