"""Results frames for the tests of this folder."""

from __future__ import annotations

import pandas as pd
import pytest

STATUSES = ["ready", "accepted", "failed", "unknown", "not_sent"]
KINDS = {"failed": "invalid", "unknown": "unknown_outcome", "not_sent": "auth"}


def make_results(statuses: list[str] | int = 5, *, index: object = None, run: str = "november") -> pd.DataFrame:
    """Return a results frame with one line for each status."""
    listed = [STATUSES[at % 5] for at in range(statuses)] if isinstance(statuses, int) else statuses
    accepted = [status in ("ready", "accepted") for status in listed]
    results = pd.DataFrame(
        {
            "row": range(len(listed)),
            "status": listed,
            "file_name": [f"INV-{at:04d}" for at in range(len(listed))],
            "url": [f"https://app.example.test/file/R1/F{at}" if ok else None for at, ok in enumerate(accepted)],
            "file_id": [f"F{at:015d}" if ok else None for at, ok in enumerate(accepted)],
            "request_id": ["R1" if ok else None for ok in accepted],
            "path": [None] * len(listed),
            "error_kind": [KINDS.get(status) for status in listed],
            "error": ["合計 must be a number" if status == "failed" else None for status in listed],
            "http_status": pd.array([202 if ok else pd.NA for ok in accepted], dtype="Int64"),
            "attempts": [0 if status == "not_sent" else 1 for status in listed],
            "elapsed": [0.5] * len(listed),
            "accepted_at": pd.to_datetime(["2026-11-23T20:24:05" if ok else None for ok in accepted], utc=True),
        }
    )
    if index is not None:
        results.index = pd.Index(index) if not isinstance(index, pd.Index) else index  # type: ignore[call-overload]
    results.attrs["reportflow"] = {
        "run": run,
        "design_id": "Zk3PpV0aNq8sUe5J",
        "design": "Invoice",
        "version": "2",
        "base_url": "https://api.example.test/v1",
        "endpoint": "async/multiple",
        "started_at": "2026-11-23T20:23:00+00:00",
        "finished_at": "2026-11-23T20:31:42+00:00",
        "download": "",
        "rows": str(len(listed)),
        "calls": "3",
    }
    return results


@pytest.fixture(name="make_results")
def make_results_fixture():
    """Give tests the maker of results frames."""
    return make_results
