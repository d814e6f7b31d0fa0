"""The counts of a results frame."""

from __future__ import annotations

import pandas as pd
import pytest
from support.reviewed_workbooks import make_results

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.results.summary import summary


def test_summary_counts_by_status_and_then_by_kind() -> None:
    counts = summary(make_results(["ready", "accepted", "failed", "failed", "unknown", "not_sent"]))
    assert counts.to_dict() == {
        "total": 6,
        "success": 2,
        "failed": 2,
        "unknown": 1,
        "not_sent": 1,
        "kind: invalid": 2,
        "kind: unknown_outcome": 1,
        "kind: auth": 1,
    }
    assert counts.dtype == "int64"


def test_an_accepted_document_whose_download_failed_is_a_success_with_a_kind() -> None:
    results = make_results(["accepted"])
    results["error_kind"] = "expired"
    assert summary(results).to_dict() == {
        "total": 1, "success": 1, "failed": 0, "unknown": 0, "not_sent": 0, "kind: expired": 1
    }  # fmt: skip


def test_a_document_whose_pdf_can_never_be_made_is_counted_by_itself_and_no_success() -> None:
    results = make_results(["accepted", "ready", "failed"])
    results["error_kind"] = ["no_pdf", None, "no_pdf"]
    assert summary(results).to_dict() == {
        "total": 3, "success": 1, "failed": 1, "unknown": 0, "not_sent": 0, "no_pdf": 1, "kind: no_pdf": 2
    }  # fmt: skip


def test_an_empty_frame_counts_nothing() -> None:
    assert summary(make_results(0)).tolist() == [0, 0, 0, 0, 0]


def test_another_frame_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'row' and 'status' is missing"):
        summary(pd.DataFrame({"a": [1]}))
