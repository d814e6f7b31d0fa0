"""A run over time."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.results import run_chart as module
from reportflow_pandas.results.display import overview_html
from reportflow_pandas.results.run_chart import drawn, run_chart

BEGAN = 1_000_000.0


def chart(*answers: tuple[float, str, int], rows: int) -> str:
    return drawn([(BEGAN + seconds, status, count) for seconds, status, count in answers], BEGAN, rows)


def heights(drawing: str, name: str) -> list[float]:
    """Return how high an area reaches after each answer, as a share of all rows."""
    found = re.search(rf'rf-{name}-area" d="([^"]*)"', drawing)
    assert found is not None
    return [round(1 - float(down) / 84, 2) for down in re.findall(r"V([\d.]+)", found[1])]


def test_accepted_failed_and_waiting_rows_are_seen_over_time() -> None:
    told = chart((1, "accepted", 50), (2, "failed", 10), (30, "accepted", 30), (31, "unknown", 10), rows=100)
    assert "80 accepted, 10 failed, 10 unknown of 100 over 31 s" in told
    assert heights(told, "accepted") == [0.5, 0.5, 0.8, 0.8]
    assert heights(told, "failed") == [0.5, 0.6, 0.9, 0.9]
    assert heights(told, "unknown") == [0.5, 0.6, 0.9, 1.0]
    assert "never sent" not in told


def test_a_long_run_shows_when_it_waited() -> None:
    told = chart(*((at, "accepted", 1) for at in (0.5, 1.0, 61.0, 62.0, 122.5)), rows=6)
    assert "5 accepted of 6 over 2 min; shaded: nothing was answered for a while (2 times, 60 s at most)" in told
    assert told.count("<rect") == 2
    assert "1 never sent in this run" in told


def test_a_run_that_never_waited_has_no_shade_and_one_without_failures_no_red() -> None:
    told = chart(*((float(at), "accepted", 1) for at in range(1, 31)), rows=30)
    assert "30 accepted of 30 over 30 s" in told
    assert "<rect" not in told
    assert "rf-failed-area" not in told


def test_a_short_run_has_none() -> None:
    assert chart((0.1, "accepted", 1), (2.0, "failed", 1), rows=2) == ""
    assert chart(rows=2) == ""


def test_a_hundred_thousand_calls_are_a_small_picture() -> None:
    assert len(chart(*((at / 1000, "accepted", 1) for at in range(100_000)), rows=100_000)) < 8_000


def test_nothing_in_it_goes_beyond_its_frame() -> None:
    numbers = re.findall(r"H([\d.]+)V([\d.]+)", chart((-1, "accepted", 1), (90, "failed", 9), rows=3))
    assert numbers
    assert all(float(right) <= 560 and 0 <= float(down) <= 84 for right, down in numbers)


@pytest.mark.usefixtures("service")
def test_the_ledger_tells_it_of_a_whole_run_and_of_no_part(
    orders: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.0)
    rows = orders.head(4).drop(columns="Total").assign(Total=[1.0, 2.0, 3.0, None])
    results = rows.reportflow.generate("invoice", params=[*rows.columns], check=False, endpoint="async/single")
    assert results["status"].tolist() == ["accepted", "accepted", "accepted", "failed"]
    told = run_chart(results)
    assert "3 accepted, 1 failed of 4" in told
    assert told in (overview_html(results) or "")
    assert run_chart(rf.load(results.attrs["reportflow"]["run"])) != ""
    assert run_chart(results.head(2)) == ""
    rf.forget(results.attrs["reportflow"]["run"])
    assert run_chart(results) == ""
