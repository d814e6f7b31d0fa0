"""Long runs, in virtual time or against a fast server: CI makes a tenth of each, ``-m long`` the whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.virtual_service import people, plain, sent, world
from support.virtual_time import VirtualClock

from reportflow_pandas.local.faults import Fault
from reportflow_pandas.settings import Limits

ROOT = Path(__file__).parents[2]
WINDOW = 60.0


@pytest.mark.parametrize(
    ("rows", "most"),
    # of 100,000 rows it is about 540 here; how far "auto" grows, 10 MB of it, differs by machine
    [(100_000, 700), pytest.param(1_000_000, 600, marks=pytest.mark.long)],
)
def test_so_many_rows_through_a_fast_server_take_no_more_memory_than_promised(rows: int, most: int) -> None:
    """Bytes a row at the peak, input and results apart."""
    command = [sys.executable, "-m", "tests.benchmarks.alone", "memory", str(rows)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own line
    sending, peak, results = map(int, ended.stdout.split())
    assert max(sending, peak - results) / rows <= most


class ChangingLimit:
    """A limit of calls a minute that is another one every five minutes, told by 429 alone."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.allowed = [100, 30, 60, 10, 90, 5, 40, 100, 20, 70, 15, 50]
        self.taken: Counter[int] = Counter()
        self.refused = 0

    def __call__(self, endpoint: str, _body: Mapping[str, Any] | None) -> Fault | None:
        now = self.clock.monotonic()
        window = int(now // WINDOW)
        if self.taken[window] >= self.allowed[window // 5 % len(self.allowed)]:
            self.refused += 1
            return Fault(status=429, retry_after=max(1, round((window + 1) * WINDOW - now + 0.5)))
        self.taken[window] += 1
        return None


@pytest.mark.parametrize("minutes", [6, pytest.param(60, marks=pytest.mark.long)])
def test_under_a_limit_that_changes_all_the_time_each_document_is_accepted_once(minutes: int) -> None:
    """The run is not told of the change; a refusal costs a wait, and its rows are sent again."""
    held: list[ChangingLimit] = []

    def limited(endpoint: str, body: Mapping[str, Any] | None) -> Fault | None:
        return held[0](endpoint, body) if endpoint.startswith("async") else None

    with world(faults=limited) as made:
        limit = ChangingLimit(made.clock)
        held.append(limit)
        rows = sum(limit.allowed[minute // 5] for minute in range(minutes))
        results = made.generate(rows, endpoint="async/single", progress=False)
        elapsed = made.clock.monotonic()
        assert set(sent(made.service).values()) == {1}
        assert made.accepted() == rows
    assert (results["status"] == "accepted").all()
    assert minutes * WINDOW - WINDOW <= elapsed <= 2 * minutes * WINDOW
    assert limit.refused <= rows


@pytest.fixture
def limited() -> Iterator[Any]:
    with world(limits=Limits(), limit_window="sliding") as made:
        yield made


@pytest.mark.parametrize("rows", [30, pytest.param(300, marks=pytest.mark.long)])
def test_ten_runs_at_once_share_one_limit(limited: Any, rows: int) -> None:
    """Not one 429 for all of them together, and not one slot lost."""

    async def all_of_them() -> list[Any]:
        made = [people(rows).assign(name=[f"{run}-{row}" for row in range(rows)]) for run in range(10)]
        options = {**plain(), "settings": limited.settings, "endpoint": "async/single", "progress": False}
        return await asyncio.gather(*[frame.reportflow.agenerate(**options) for frame in made])

    for results in asyncio.run(all_of_them()):
        assert (results["status"] == "accepted").all()
    counts = sent(limited.service)
    assert len(counts) == 10 * rows
    assert set(counts.values()) == {1}
    assert not [call for call in limited.service.calls if call.status == 429]
    least = (10 * rows - 1) // 100 * WINDOW
    assert least <= limited.clock.monotonic() <= least + 5
