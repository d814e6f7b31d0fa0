"""An awaited run under the scopes that people put around coroutines: what goes in comes out, results in reach."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pandas as pd
import pytest
from support.virtual_service import people, plain, sent

import reportflow_pandas as rf
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.local.service import LocalService

Start = Callable[..., LocalService]


class Scene:
    """A run of 60 rows, two calls in flight, and the moment at which its caller has enough of it."""

    def __init__(self, service: LocalService) -> None:
        self.service = service

    def work(self, **more: Any) -> Any:
        options = {**plain(), "run": "november", "endpoint": "async/single", "concurrency": 2, "limits": False}
        return people(60).reportflow.agenerate(**{**options, **more})

    async def under_way(self, documents: int = 6) -> None:
        while len(self.service.documents) < documents:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0.01)

    def ends_when_under_way(self, scope: anyio.CancelScope) -> asyncio.Task[None]:
        """Let a scope's time be over as soon as the run is under way, however busy the machine is."""

        async def end() -> None:
            await self.under_way()
            scope.deadline = anyio.current_time()

        return asyncio.create_task(end())

    def times_out_when_under_way(self, limit: asyncio.Timeout) -> None:
        """Let a time-out be over as soon as the run is under way."""
        begun = asyncio.ensure_future(self.under_way())
        begun.add_done_callback(lambda _: limit.reschedule(asyncio.get_running_loop().time()))

    def clock_jumps_when_under_way(self, seconds: float) -> None:
        """Put the loop's clock forward once the run is under way: `asyncio.wait_for` has no deadline to move."""
        loop = asyncio.get_running_loop()
        of_the_machine = loop.time
        begun = asyncio.ensure_future(self.under_way())
        begun.add_done_callback(lambda _: setattr(loop, "time", lambda: of_the_machine() + seconds))

    def whole(self, results: pd.DataFrame) -> bool:
        """Tell whether what was in flight was waited for, and the rest is there to be resumed."""
        counts = results["status"].value_counts().to_dict()
        accepted = len(self.service.documents)
        assert counts == {"accepted": accepted, "not_sent": 60 - accepted}
        assert set(rf.resume("november")["status"]) == {"accepted"}
        return sent(self.service) == Counter(people(60)["name"])


@pytest.fixture
def scene(local: Start) -> Scene:
    return Scene(local(latency=0.1))


async def results_of(work: Awaitable[Any]) -> pd.DataFrame:
    """Return what a cancelled run carries, and let the cancellation go on its way no further."""
    try:
        await work
    except asyncio.CancelledError as cancelled:
        return cancelled.results
    raise AssertionError("it was not cancelled")


def test_the_very_cancellation_comes_out_with_the_results_and_what_to_do_next(scene: Scene) -> None:
    async def cell() -> asyncio.CancelledError:
        task = asyncio.ensure_future(scene.work())
        await scene.under_way()
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert task.cancelled()
        return caught.value

    cancelled = asyncio.run(cell())
    assert type(cancelled) is asyncio.CancelledError
    assert cancelled.args == ("enough",)
    assert "rf.resume('november') goes on" in "".join(cancelled.__notes__)
    assert scene.whole(cancelled.results)


def test_a_time_out_around_a_run_is_a_time_out(scene: Scene) -> None:
    async def cell() -> None:
        async with asyncio.timeout(None) as limit:
            scene.times_out_when_under_way(limit)
            await scene.work()

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(cell())
    assert scene.whole(caught.value.__context__.results)


def test_wait_for_around_a_run_is_a_time_out(scene: Scene) -> None:
    async def cell() -> None:
        scene.clock_jumps_when_under_way(20)
        await asyncio.wait_for(scene.work(), 20)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(cell())
    assert scene.whole(caught.value.__context__.results)


def test_an_inner_time_out_leaves_the_outer_one_alone(scene: Scene) -> None:
    async def cell() -> pd.DataFrame:
        async with asyncio.timeout(60) as outer:
            try:
                async with asyncio.timeout(None) as inner:
                    scene.times_out_when_under_way(inner)
                    await scene.work()
            except TimeoutError as error:
                await asyncio.sleep(0)  # the loop is not cancelled any more
                assert not outer.expired()
                return error.__context__.results
        raise AssertionError("there was no time-out")

    results = asyncio.run(cell())
    assert scene.whole(results)


def test_a_sibling_that_fails_ends_a_run_in_a_task_group(scene: Scene) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def cell() -> None:
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(scene.work()))
            await scene.under_way()
            raise ValueError("sibling")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(cell())
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    with pytest.raises(asyncio.CancelledError) as cancelled:
        tasks[0].result()
    assert scene.whole(cancelled.value.results)


def test_a_sibling_that_fails_ends_a_run_in_the_groups_own_body(scene: Scene) -> None:
    kept: list[pd.DataFrame] = []

    async def bad() -> None:
        await scene.under_way()
        raise ValueError("sibling")

    async def cell() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(bad())
            try:
                await scene.work()
            except asyncio.CancelledError as cancelled:
                kept.append(cancelled.results)
                raise

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(cell())
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert scene.whole(kept[0])


def test_two_runs_in_a_group_end_together_and_both_keep_what_they_have(local: Start) -> None:
    service = local(latency=0.1)
    scenes = [Scene(service), Scene(service)]

    async def cell() -> list[pd.DataFrame]:
        tasks = [asyncio.ensure_future(one.work(run=f"run {n}")) for n, one in enumerate(scenes)]
        await scenes[0].under_way(12)
        for task in tasks:
            task.cancel()
        return [await results_of(task) for task in tasks]

    results = asyncio.run(cell())
    counts = [one["status"].value_counts() for one in results]
    assert sum(one["accepted"] for one in counts) == len(service.documents)
    assert all(set(one.index) == {"accepted", "not_sent"} for one in counts)


def test_an_anyio_scope_that_is_over_goes_on_behind_its_block(scene: Scene) -> None:
    """It cancels at every step of the loop: the calls in flight are waited for all the same."""
    kept: list[pd.DataFrame] = []

    async def cell() -> bool:
        with anyio.CancelScope() as scope:
            elsewhere = asyncio.ensure_future(scene.under_way())
            elsewhere.add_done_callback(lambda _: scope.cancel())
            try:
                await scene.work()
            except asyncio.CancelledError as cancelled:
                kept.append(cancelled.results)
                raise
        await anyio.lowlevel.checkpoint()
        return scope.cancelled_caught

    assert anyio.run(cell)
    assert scene.whole(kept[0])


def test_anyios_move_on_after_moves_on(scene: Scene) -> None:
    async def cell() -> bool:
        with anyio.move_on_after(60) as scope:
            end = scene.ends_when_under_way(scope)
            await scene.work()
        await end
        return scope.cancelled_caught

    assert anyio.run(cell)
    assert scene.whole(rf.load("november"))


def test_anyios_fail_after_is_a_time_out(scene: Scene) -> None:
    async def cell() -> None:
        with anyio.fail_after(60) as scope:
            end = scene.ends_when_under_way(scope)
            await scene.work()
        await end

    with pytest.raises(TimeoutError):
        anyio.run(cell)
    assert scene.whole(rf.load("november"))


def test_a_sibling_that_fails_ends_a_run_in_anyios_task_group(scene: Scene) -> None:
    async def cell() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(scene.work)
            await scene.under_way()
            raise ValueError("sibling")

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(cell)
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert scene.whole(rf.load("november"))


def test_scopes_in_scopes_know_their_own(scene: Scene) -> None:
    async def cell() -> tuple[bool, bool]:
        with anyio.move_on_after(60) as outer:
            with anyio.move_on_after(60) as inner:
                end = scene.ends_when_under_way(inner)
                await scene.work()
            await end
            await anyio.lowlevel.checkpoint()
        return outer.cancelled_caught, inner.cancelled_caught

    assert anyio.run(cell) == (False, True)
    assert scene.whole(rf.load("november"))


def test_a_shielded_run_comes_to_its_end(scene: Scene) -> None:
    async def cell() -> pd.DataFrame:
        with anyio.CancelScope() as outer, anyio.CancelScope(shield=True):
            outer.cancel()
            return await scene.work(concurrency=30)

    assert set(anyio.run(cell)["status"]) == {"accepted"}


def test_a_cancellation_before_the_first_step_sends_nothing(scene: Scene) -> None:
    async def cell() -> None:
        task = asyncio.ensure_future(scene.work())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with anyio.move_on_after(0):
            await scene.work(run="december")

    asyncio.run(cell())
    assert not scene.service.documents


@pytest.mark.parametrize("run", ["november", None], ids=["named", "unnamed"])
def test_a_cancellation_while_the_ledger_is_being_opened_leaves_no_run_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, run: str | None
) -> None:
    """The opening thread can't be stopped: what it made is deleted, for "nothing was written down" is said."""
    opened = Journal.open

    async def cell() -> str:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(scene.work(run=run))

        def opened_too_late(*given: Any, **more: Any) -> Journal:
            ledger = opened(*given, **more)
            done = threading.Event()
            loop.call_soon_threadsafe(lambda: (task.cancel(), done.set()))
            assert done.wait(30)
            return ledger

        monkeypatch.setattr(Journal, "open", opened_too_late)
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return "".join(caught.value.__notes__)

    assert "nothing was sent or written down: generate again" in asyncio.run(cell())
    assert rf.runs().empty
    assert not scene.service.documents


def test_a_cancelled_await_of_a_job_leaves_the_job_alone(scene: Scene) -> None:
    options = {**plain(), "run": "november", "endpoint": "async/single", "concurrency": 20, "limits": False}

    async def cell() -> pd.DataFrame:
        job = people(60).reportflow.submit(**options)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaited(job), 0.01)
        return await job

    assert set(asyncio.run(cell())["status"]) == {"accepted"}


async def _awaited(job: rf.Job) -> pd.DataFrame:
    return await job
