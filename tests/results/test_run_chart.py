"""A run over time."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.results.display import overview_html
from reportflow_pandas.results.results_frame import results_frame
from reportflow_pandas.results.run_chart import run_chart

BEGAN = pd.Timestamp("2026-11-05T12:00:00Z")


def results(*seconds: float | None) -> pd.DataFrame:
    outcomes = Outcomes([f"doc-{number}" for number in range(len(seconds))])
    about: dict[str, Any] = {"run": "november", "started_at": BEGAN.isoformat()}
    frame = results_frame(outcomes, pd.RangeIndex(len(seconds)), about)
    moments = [None if second is None else BEGAN + pd.Timedelta(seconds=second) for second in seconds]
    frame["accepted_at"] = pd.to_datetime(pd.Series(moments), utc=True)
    frame["status"] = ["not_sent" if second is None else "accepted" for second in seconds]
    return frame


def test_a_long_run_shows_when_it_waited() -> None:
    chart = run_chart(results(0.5, 1.0, 61.0, 62.0, None, 122.5))
    assert "5 of 6 accepted over 2 min; shaded: nothing was answered for a while (2 times, 60 s at most)" in chart
    assert chart.count("<rect") == 2
    assert chart in (overview_html(results(0.5, 1.0, 61.0, 62.0, None, 122.5)) or "")


def test_a_run_that_never_waited_is_a_line() -> None:
    chart = run_chart(results(*(float(second) for second in range(1, 31))))
    assert "30 of 30 accepted over 30 s" in chart
    assert "<rect" not in chart


def test_a_short_run_and_one_of_which_nothing_is_known_have_none() -> None:
    assert run_chart(results(0.1, 2.0)) == ""
    assert run_chart(results(None, None)) == ""
    unknown = results(1.0, 90.0)
    unknown.attrs["reportflow"]["started_at"] = ""
    assert run_chart(unknown) == ""


def test_a_hundred_thousand_rows_are_a_small_picture() -> None:
    assert len(run_chart(results(*(at / 1000 for at in range(100_000))))) < 8_000


def test_nothing_in_it_goes_beyond_its_frame() -> None:
    numbers = re.findall(r"H([\d.]+)V([\d.]+)", run_chart(results(-1.0, 5.0, 90.0)))
    assert all(float(right) <= 560 and float(up) <= 84 for right, up in numbers)
