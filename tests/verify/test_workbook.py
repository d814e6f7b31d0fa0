"""The workbook of results that were read back: columns, the sheet Look first, and its decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import reportflow_pandas as rf

ORDERS, LINES = rf.example_orders()
ORDERS = ORDERS.head(12)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("made")
    how: dict[str, Any] = {"tables": {"Lines": rf.Table(LINES, on="InvoiceId")}, "progress": False}
    with rf.local_service() as service:
        how["settings"] = rf.Settings(app_key=service.app_key, base_url=service.base_url, runs=folder / "runs")
        results = ORDERS.reportflow.generate("invoice", download=folder / "pdfs", **how)
        asked = ORDERS.copy()
        asked.loc[asked.index[4], "BillingCity"] = "Trondheim"
        asked.loc[asked.index[7], "CustomerName"] = "Ingrid Sørensen"
        return asked.reportflow.verify(results, **how)


def column(sheet: Any, heading: str) -> int:
    return [cell.value for cell in sheet[1]].index(heading) + 1


def decide(book: Path, sheet: str, row: int, word: str) -> None:
    workbook = openpyxl.load_workbook(book)
    page = workbook[sheet]
    rows = [page.cell(line, column(page, "rf_row")).value for line in range(1, page.max_row + 1)]
    page.cell(rows.index(row) + 1, column(page, "decision")).value = word
    workbook.save(book)


def test_look_first_shows_pictures_of_what_was_found_first(verified: pd.DataFrame, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(verified.reportflow.to_excel(tmp_path / "review.xlsx"))
    assert book.sheetnames == ["Summary", "Look first", "Results", "Failed", "Run"]
    page = book["Look first"]
    rows = [page.cell(line, column(page, "rf_row")).value for line in range(2, page.max_row + 1)]
    assert set(rows[:2]) == {4, 7}
    assert len(page._images) == len(rows)
    assert "Trondheim" in "".join(str(page.cell(line, column(page, "findings")).value) for line in (2, 3))
    assert page.row_dimensions[2].height > 200


def test_results_have_verdict_and_findings_and_the_summary_tells_what_was_not_judged(
    verified: pd.DataFrame, tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(verified.reportflow.to_excel(tmp_path / "review.xlsx"))
    page = book["Results"]
    verdicts = [page.cell(line, column(page, "verdict")).value for line in range(2, page.max_row + 1)]
    assert verdicts == verified["verdict"].tolist()
    assert page.cell(6, column(page, "findings")).value == verified["findings"].iloc[4]
    told = " ".join(str(cell) for row in book["Summary"].iter_rows(values_only=True) for cell in row if cell)
    assert "Everything that could be read is there" in told


def test_an_empty_decision_takes_the_other_sheets(verified: pd.DataFrame, tmp_path: Path) -> None:
    book = verified.reportflow.to_excel(tmp_path / "review.xlsx")
    decide(book, "Look first", 4, "redo")
    decide(book, "Results", 2, "approve")
    review = verified.reportflow.read_review(book)
    assert review["decision"].dropna().to_dict() == {verified.index[2]: "approve", verified.index[4]: "redo"}


def test_two_different_decisions_are_refused_with_the_row(verified: pd.DataFrame, tmp_path: Path) -> None:
    book = verified.reportflow.to_excel(tmp_path / "review.xlsx")
    decide(book, "Look first", 4, "redo")
    decide(book, "Results", 4, "approve")
    with pytest.raises(rf.ConfigurationError, match=r"Look first!.*Results!.*row 4"):
        verified.reportflow.read_review(book)


def test_writing_again_keeps_a_decision_from_look_first(verified: pd.DataFrame, tmp_path: Path) -> None:
    book = verified.reportflow.to_excel(tmp_path / "review.xlsx")
    decide(book, "Look first", 4, "redo")
    verified.reportflow.to_excel(book)
    assert verified.reportflow.read_review(book)["decision"].dropna().tolist() == ["redo"]


def test_results_that_were_not_read_back_have_no_such_sheet(verified: pd.DataFrame, tmp_path: Path) -> None:
    plain = verified.drop(columns=["verdict", "suspicion", "findings", "pages"])
    book = openpyxl.load_workbook(plain.reportflow.to_excel(tmp_path / "review.xlsx", language="ja"))
    assert book.sheetnames == ["Summary", "Results", "Failed", "Run"]


def test_the_japanese_workbook_has_its_own_words(verified: pd.DataFrame, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(verified.reportflow.to_excel(tmp_path / "review.xlsx", language="ja"))
    page = book["Results"]
    assert "要確認" in {page.cell(line, column(page, "照合結果")).value for line in range(2, page.max_row + 1)}
