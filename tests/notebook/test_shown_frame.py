"""Frames that a notebook shows to be read, and that are plain frames underneath."""

from __future__ import annotations

import pickle
import time

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.notebook.shown_frame import MOST_SHOWN, readable


@pytest.fixture
def runs() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "run": ["<b>november</b>", "december"],
            "rows": [12_000, 7],
            "failed": [0, 2],
            "version": pd.array([1, None], dtype="Int64"),
            "created_at": pd.to_datetime(["2026-11-05T22:30:00Z", None], utc=True),
            "problem": [None, ""],
        }
    )
    return readable(frame, "no runs")


def test_what_is_missing_or_zero_is_blank_and_an_empty_column_is_left_out(runs: pd.DataFrame) -> None:
    shown = runs._repr_html_()
    for word in ("None", "NaN", "NaT", "<NA>", ">0<", "problem", "<b>november"):
        assert word not in shown
    for word in ("&lt;b&gt;november&lt;/b&gt;", "12,000", "<td>2</td>", "created at", "text-align: left"):
        assert word in shown


def test_times_are_those_of_the_readers_clock(runs: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert "2026-11-06 07:30" in runs._repr_html_()
    time.tzset()


def test_it_is_a_plain_frame_that_equals_any_other(runs: pd.DataFrame) -> None:
    assert type(runs) is pd.DataFrame
    assert "UTC" in str(runs["created_at"].dtype)
    assert runs["failed"].tolist() == [0, 2]
    plain = pd.DataFrame(runs).copy()
    pd.testing.assert_frame_equal(runs, plain)
    pd.testing.assert_frame_equal(plain, runs)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(runs)), runs)  # noqa: S301 - our own


def test_what_pandas_makes_of_it_shows_itself_as_pandas_does(runs: pd.DataFrame) -> None:
    for part in (runs[runs["failed"] > 0], runs.sort_values("rows"), runs[["run", "failed"]], runs.copy()):
        assert "rf-frame" not in part._repr_html_()
        assert "dataframe" in part._repr_html_()
    assert "rf-frame" in runs._repr_html_()


def test_the_picture_is_of_the_values_as_they_are_now(runs: pd.DataFrame) -> None:
    runs.loc[0, "run"] = "january"
    assert "january" in runs._repr_html_()


def test_without_rows_it_says_what_there_is_none_of() -> None:
    assert readable(pd.DataFrame({"run": []}), "no runs")._repr_html_() == "<p>no runs</p>"


def test_a_notebooks_formatter_takes_the_picture(runs: pd.DataFrame) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    assert 'class="rf-frame"' in formatters.HTMLFormatter()(runs)


def test_a_long_one_is_cut_and_says_so() -> None:
    shown = readable(
        pd.DataFrame({"run": [f"run-{number}" for number in range(MOST_SHOWN + 5)]}), ""
    )._repr_html_()
    assert f"run-{MOST_SHOWN - 1}<" in shown
    assert f"run-{MOST_SHOWN}<" not in shown
    assert "and 5 more rows" in shown


@pytest.mark.usefixtures("service")
def test_what_the_service_and_the_disk_tell_is_shown_so() -> None:
    orders, lines = rf.example_orders()
    tables = {"Lines": rf.Table(lines, on="InvoiceId")}
    found = orders.drop(columns="Total").reportflow.check("invoice", tables=tables)
    for frame in (found, rf.parameters("invoice"), rf.designs(), rf.runs()):
        assert type(frame) is pd.DataFrame
        assert "rf-frame" in frame._repr_html_() or "<p>no " in frame._repr_html_()
    shown = found._repr_html_()
    assert "border-radius:9px" in shown
    assert "<td>None" not in shown
    assert "Total" in shown
