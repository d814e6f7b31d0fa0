from __future__ import annotations

import pandas as pd

from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.results.results_frame import COLUMNS, outcome_of, results_frame


def outcomes_of_all_sorts() -> Outcomes:
    """Return one row accepted, one that the service called otherwise, one ready, failed, unknown, not sent."""
    outcomes = Outcomes([f"INV-{position}" for position in range(6)])
    for position, name in enumerate(["INV-0.pdf", "INV-1 (2).pdf", None]):
        outcomes.put(
            Outcome(
                position,
                "ready" if position == 2 else "accepted",
                file_name=name,
                url="https://example.test/r",
                file_id=f"f{position}",
                request_id="r",
                http_status=202,
                attempts=position + 1,
                elapsed=0.5,
                accepted_at=1_000_000.25,
            )
        )
    outcomes.refused(3, "failed", "invalid", "金額が不正です", 400)
    outcomes.refused(4, "unknown", "unknown_outcome", "lost", None)
    return outcomes


def test_a_results_frame_says_what_the_outcomes_say() -> None:
    outcomes = outcomes_of_all_sorts()
    frame = results_frame(outcomes, pd.Index(list("abcdef")), {"run": "november"})
    assert [outcome_of(row) for row in frame.itertuples(index=False)] == list(outcomes)
    assert frame["file_name"].tolist()[:3] == ["INV-0.pdf", "INV-1 (2).pdf", "INV-2.pdf"]
    assert list(frame.columns) == COLUMNS
    text = pd.Series(["text"]).dtype
    for column in ("status", "file_name", "url", "file_id", "request_id", "path", "error_kind", "error"):
        assert frame[column].dtype == text, column


def test_a_results_frame_of_no_rows_has_the_same_dtypes() -> None:
    some = results_frame(outcomes_of_all_sorts(), pd.RangeIndex(6), {})
    none = results_frame(Outcomes([]), pd.RangeIndex(0), {})
    assert none.dtypes.tolist() == some.dtypes.tolist()


def test_a_results_frame_stays_as_it_is_when_the_outcomes_go_on() -> None:
    outcomes = outcomes_of_all_sorts()
    frame = results_frame(outcomes, pd.RangeIndex(6), {})
    before = frame.copy(deep=True)
    for position in range(6):
        outcomes.put(outcomes[5]._replace(row=position, status="failed", attempts=9, elapsed=7.0))
    pd.testing.assert_frame_equal(frame, before)
