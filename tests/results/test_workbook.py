"""The workbook, opened again."""

from __future__ import annotations

import openpyxl
import pytest

from reportflow_pandas.results.workbook import write_workbook


def headings(sheet):
    """Return the columns of a sheet by their headings."""
    return {cell.value: cell.column for cell in sheet[1]}


def column(sheet, heading):
    """Return the values under a heading."""
    at = headings(sheet)[heading]
    return [sheet.cell(row, at).value for row in range(2, sheet.max_row + 1)]


@pytest.fixture
def path(tmp_path):
    """Where a workbook goes."""
    return tmp_path / "review.xlsx"


def test_a_workbook_has_four_sheets(make_results, path):
    assert write_workbook(make_results(), path) == path
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results", "Failed", "Run"]


def test_results_has_every_document_in_the_frame_s_order(make_results, path):
    results = make_results(7).sort_values("row", ascending=False)
    write_workbook(results, path)
    sheet = openpyxl.load_workbook(path)["Results"]
    assert column(sheet, "document") == results["file_name"].tolist()
    assert column(sheet, "index") == results.index.tolist()


def test_failed_holds_what_failed_is_unknown_or_was_not_sent(make_results, path):
    write_workbook(make_results(10), path)
    sheet = openpyxl.load_workbook(path)["Failed"]
    assert column(sheet, "status") == ["failed", "unknown", "not sent"] * 2
    assert "decision" not in headings(sheet)
