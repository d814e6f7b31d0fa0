"""A results frame at a glance."""

from __future__ import annotations

import pandas as pd

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


def test_a_frame_of_rows_shows_itself() -> None:
    assert overview_html(pd.DataFrame({"a": [1]})) is None
    assert pd.DataFrame({"a": [1]}).reportflow._repr_html_() is None
