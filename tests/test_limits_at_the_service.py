"""The documented limits, enforced by the embedded service on a virtual clock: no 429, and no time wasted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from support.virtual_time import VirtualClock

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.settings import Limits

WINDOW = 60.0
COUNTED = [(kind, moment) for kind in ("fixed", "aligned", "sliding") for moment in ("arrival", "answer")]


def latencies() -> Callable[[], float]:
    """Up to 200 ms, in steps that let virtual time jump less often."""
    chance = random.Random(4)  # noqa: S311 - a test's chance
    return lambda: chance.choice((0.0, 0.1, 0.2))


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock() as time:
        yield time


def graduates(rows: int) -> pd.DataFrame:
    """Every parameter of the certificate."""
    return pd.DataFrame(
        {
            "CertificateId": [f"C-{number:05d}" for number in range(rows)],
            "RecipientName": [f"Person {number}" for number in range(rows)],
            "Company": "Example Ltd",
            "Course": "Analysis",
            "Hours": 12,
            "CompletionDate": "2026-10-30",
            "Instructor": "A. Teacher",
        }
    )


def carried_out(
    clock: VirtualClock, kind: Any, moment: Any, rows: int, **arguments: Any
) -> tuple[float, pd.DataFrame, LocalService]:
    """Virtual seconds that a run took, its results, and the service that counted."""
    limited = rf.local_service(
        limits=Limits(), limit_window=kind, limit_counted=moment, latency=latencies(), clock=clock, render=False
    )
    with limited as service:
        runs = rf.configure().runs
        settings = rf.Settings(app_key=service.app_key, base_url=service.base_url, clock=clock, runs=runs)
        asyncio.run(clock.sleep(37.0))  # in the midst of an aligned window
        begun = clock.monotonic()
        results = graduates(rows).reportflow.generate(
            "certificate", settings=settings, progress=False, **arguments
        )
        return clock.monotonic() - begun, results, service


@pytest.mark.parametrize(("kind", "moment"), COUNTED)
def test_1000_single_calls_take_the_least_time_that_100_a_minute_allow(
    clock: VirtualClock, kind: str, moment: str
) -> None:
    """Ten windows of 100 calls: the last hundred can start when nine windows have passed."""
    took, results, service = carried_out(
        clock, kind, moment, 1000, version=1, check=False, params=["RecipientName"], endpoint="async/single"
    )
    assert Counter(call.status for call in service.calls) == {202: 1000}
    assert Counter(results["status"]) == {"accepted": 1000}
    assert took <= 1.05 * 9 * WINDOW


@pytest.mark.parametrize(("kind", "moment"), COUNTED)
def test_10000_rows_take_102_calls_and_little_more_than_a_minute(
    clock: VirtualClock, kind: str, moment: str
) -> None:
    """Two look-ups and a hundred batches: two calls have to wait for the second window."""
    took, results, service = carried_out(clock, kind, moment, 10_000)
    assert Counter((call.endpoint, call.status) for call in service.calls) == {
        ("designs", 200): 1,
        ("parameters", 200): 1,
        ("async/multiple", 202): 100,
    }
    assert Counter(results["status"]) == {"accepted": 10_000}
    assert len({document.file_name for document in service.documents}) == 10_000
    assert took <= 1.05 * WINDOW
