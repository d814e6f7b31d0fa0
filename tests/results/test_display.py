"""A results frame at a glance."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from support.browsers import started

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.results.display import STATUS_PILLS, overview_html
from reportflow_pandas.results.results_frame import results_frame

DRIVER = shutil.which("chromedriver")


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
    assert "1 without a PDF for good" in shown
    assert shown.index("doc-11") < shown.index("doc-0.pdf")


def test_a_frame_of_rows_shows_itself() -> None:
    assert overview_html(pd.DataFrame({"a": [1]})) is None
    assert pd.DataFrame({"a": [1]}).reportflow._repr_html_() is None


def test_a_long_frame_carries_its_rows_and_loads_nothing_from_elsewhere() -> None:
    shown = overview_html(results(1_200))
    assert shown is not None
    (embedded,) = re.findall(r'<script type="application/json">(.*?)</script>', shown, re.DOTALL)
    rows = json.loads(embedded)
    assert len(rows) == 1_000
    assert rows[0][:3] == ["1199", "failed", "doc-1199.pdf"]
    assert rows[0][5] == "<script>alert(1)</script>"
    assert "200 further rows are in the frame" in shown
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", shown)
    assert "import(" not in shown


def test_a_short_frame_needs_no_script() -> None:
    shown = overview_html(results(8))
    assert shown is not None
    assert "<script" not in shown


@pytest.mark.parametrize("pair", STATUS_PILLS.items(), ids=lambda pair: pair[0])
def test_statuses_are_readable_whatever_is_around_them(pair: tuple[str, tuple[str, str]]) -> None:
    """4.5:1, as WCAG 2 counts contrast."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(colour) for colour in pair[1]), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.skipif(
    DRIVER is None and os.environ.get("CI") != "true", reason="no Chromium with its driver on this machine"
)
def test_a_saved_table_sorts_filters_and_pages_in_a_browser_without_a_kernel(tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By  # noqa: PLC0415 - only here

    assert DRIVER is not None, "CI needs Chromium: apt-get install chromium chromium-driver"
    frame = results(20)
    frame["url"] = ["https://app.example.test/file"] * 20
    (tmp_path / "saved.html").write_text(f"<!doctype html><meta charset='utf-8'>{overview_html(frame)}", "utf-8")
    browser = started(DRIVER, tmp_path / "profile", "--headless")
    try:
        browser.get((tmp_path / "saved.html").as_uri())

        def labels() -> list[str]:
            cells = browser.find_elements(By.CSS_SELECTOR, "tbody td:first-child")
            return [cell.text for cell in cells]

        assert labels() == ["19", *map(str, range(7))]
        assert "and 12 more rows" not in browser.find_element(By.TAG_NAME, "body").text
        browser.find_element(By.CSS_SELECTOR, "[aria-label='next page']").click()
        assert labels() == [str(number) for number in range(7, 15)]
        head = browser.find_element(By.CSS_SELECTOR, "th")
        head.click()
        head.click()
        assert head.get_attribute("aria-sort") == "descending"
        assert "page 2 of 3" in browser.find_element(By.CSS_SELECTOR, ".rf-tools").text
        browser.find_element(By.CSS_SELECTOR, "input").send_keys("doc-1")
        assert labels() == [str(number) for number in (19, 18, 17, 16, 15, 14, 13, 12)]
        browser.find_element(By.CSS_SELECTOR, "option[value='failed']").click()
        assert labels() == ["19"]
        link = browser.find_element(By.CSS_SELECTOR, "tbody a")
        assert link.get_attribute("href") == "https://app.example.test/file"
        assert "<script>alert(1)</script>" in browser.find_element(By.TAG_NAME, "tbody").text
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        browser.quit()
