"""Calls of the last minute that another process made: counted at the service that counted them."""

from __future__ import annotations

import pandas as pd
import pytest
from support.virtual_service import people

import reportflow_pandas as rf
from reportflow_pandas.journal.runs import recent_calls
from reportflow_pandas.settings import current


@pytest.mark.usefixtures("fresh_process")
def test_an_embedded_service_that_was_restarted_has_counted_nothing() -> None:
    """Two notebooks of a day, one after the other: the second waits for no window of the first one's service."""
    with rf.use_local(render=False):
        results: pd.DataFrame = people(3).reportflow.generate(
            "certificate", version=1, check=False, params={"RecipientName": "name"}, progress=False
        )
        assert set(results["status"]) == {"accepted"}
        ours = current()
        assert len(recent_calls(ours.runs, ours.owner, 0.0, ours.base_url)) == 3
    with rf.use_local(render=False):
        ours = current()
        assert recent_calls(ours.runs, ours.owner, 0.0, ours.base_url) == []
        assert len(recent_calls(ours.runs, ours.owner, 0.0)) == 3
