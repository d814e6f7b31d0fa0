"""Calls of the last minute that another process made: counted at the service that counted them."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest
from support.virtual_service import people, plain, world

import reportflow_pandas as rf
from reportflow_pandas.journal.runs import recent_calls
from reportflow_pandas.settings import Limits, current


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


def test_a_run_that_begins_beside_another_counts_the_calls_in_flight_once() -> None:
    """The limit has room for both: what this process has in flight is in its rate limiter already."""
    with world(limits=Limits(async_calls=20), limit_window="sliding", latency=10.0) as made:
        options = {**plain(), "settings": made.settings, "endpoint": "async/single", "progress": False}
        options |= {"concurrency": 10, "limits": Limits(async_calls=20)}

        async def begun(names: str, behind: int) -> pd.DataFrame:
            while len(made.service.calls) < behind:
                await made.clock.sleep(0.1)
            frame = people(10).assign(name=[f"{names} {number}" for number in range(10)])
            return await frame.reportflow.agenerate(**options)

        async def both() -> list[pd.DataFrame]:
            return await asyncio.gather(begun("first", 0), begun("second", 10))

        for results in asyncio.run(both()):
            assert (results["status"] == "accepted").all()
        assert len(made.service.calls) == 20
        assert max(call.started for call in made.service.calls) < 60
        assert {call.status for call in made.service.calls} == {202}
