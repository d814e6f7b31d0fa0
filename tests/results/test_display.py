"""A results frame at a glance."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.results.display import overview_html
from reportflow_pandas.results.results_frame import results_frame


def results(rows: int = 20) -> pd.DataFrame:
    outcomes = Outcomes([f"doc-{number}" for number in range(rows)])
    outcomes.refused(rows - 1, "failed", "invalid", "<script>alert(1)</script>", 400)
    return results_frame(outcomes, pd.RangeIndex(rows), {"run": "november", "design": "Invoice", "version": "1"})


def test_failures_come_first_and_nothing_is_markup() -> None:
    shown = overview_html(results())
    assert shown is not None
    assert shown.index("doc-19") < shown.index("doc-0.pdf")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "and 12 more rows" in shown


def test_links_are_for_people_and_only_http() -> None:
    frame = results(2)
    frame["url"] = ["javascript:alert(1)", "https://app.example.test/file"]
    shown = overview_html(frame)
    assert shown is not None
    assert "javascript:" not in shown
    assert 'href="https://app.example.test/file"' in shown


def test_the_file_on_disk_is_linked_where_there_is_one_and_the_page_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "doc 1#ü.pdf").write_bytes(b"%PDF-")
    frame = results(3)
    frame["path"] = [None, str(tmp_path / "pdfs" / "doc 1#ü.pdf"), str(tmp_path / "gone.pdf")]
    frame["url"] = ["https://api.example.test/v1/file/download/R", "https://app.example.test/file/R", None]
    shown = overview_html(frame)
    assert shown is not None
    assert 'href="pdfs/doc%201%23%C3%BC.pdf"' in shown
    assert "gone.pdf" not in shown
    assert "file/download" not in shown
    assert shown.count(">open page</a>") == 1


def test_a_document_without_a_pdf_for_good_is_among_the_first_and_counted() -> None:
    frame = results(20)
    frame.loc[11, ["status", "error_kind", "error"]] = ["accepted", "no_pdf", "its PDF can never be made"]
    shown = overview_html(frame)
    assert shown is not None
    assert "<b>1</b> without a PDF for good" in shown
    assert shown.index("doc-11") < shown.index("doc-0.pdf")


def test_a_frame_of_rows_shows_itself() -> None:
    assert overview_html(pd.DataFrame({"a": [1]})) is None
    assert pd.DataFrame({"a": [1]}).reportflow._repr_html_() is None
