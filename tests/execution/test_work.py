"""Blocking work beside the event loop ends before whatever waits for it does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from reportflow_pandas.execution.work import in_thread


def test_what_was_opened_when_its_run_was_cancelled_is_closed_again() -> None:
    opened, closed = threading.Event(), []

    def work() -> str:
        opened.wait(10)
        return "a ledger"

    async def main() -> None:
        waiting = asyncio.create_task(in_thread(work, closed.append))
        await asyncio.sleep(0)
        for _ in range(2):  # impatient
            waiting.cancel()
            await asyncio.sleep(0)
        assert not waiting.done()
        opened.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert closed == ["a ledger"]


def test_what_the_work_raises_is_raised_and_nothing_is_undone() -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_thread(work, pytest.fail))
    assert asyncio.run(in_thread(lambda: 5)) == 5
