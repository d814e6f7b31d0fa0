"""The private loop, the thread that waits for it, and cancellation on the caller's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas import event_loop


async def soon(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def for_ever() -> None:
    await asyncio.Event().wait()


class Strikes:
    """Raises SIGINT in this process from another thread, each time a moment is reached."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.reached = threading.Event()

    def paint(self) -> None:
        """Strike in the middle of painting: a line without protection."""
        if self.left and self.reached.is_set():
            self.left -= 1
            signal.raise_signal(signal.SIGINT)


def tasks_left() -> int:
    """Return how many tasks the private loop still has."""

    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return asyncio.run_coroutine_threadsafe(count(), event_loop.private_loop()).result(30)


@contextmanager
def handler(number: int, react: Callable[[int, Any], None]) -> Iterator[None]:
    before = signal.signal(number, react)
    try:
        yield
    finally:
        signal.signal(number, before)


def output_of(script: str) -> tuple[str, str]:
    """Run a script in a process of its own; return what it printed and what it complained about."""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(script)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    return answer.stdout, answer.stderr


def test_the_result_comes_back_and_work_runs_in_another_thread() -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert event_loop.run(soon(3)) == 3
    assert event_loop.run(where()) == "reportflow"


def test_one_loop_serves_all_runs() -> None:
    first = event_loop.private_loop()
    event_loop.run(soon(None))
    assert event_loop.private_loop() is first
    assert sum(thread.name == "reportflow" for thread in threading.enumerate()) == 1


def test_an_exception_of_the_work_is_raised_where_one_waits() -> None:
    async def fails() -> None:
        raise rf.NotFoundError(404, ["no such design"])

    with pytest.raises(rf.NotFoundError, match="no such design"):
        event_loop.run(fails())


def test_a_loop_that_runs_already_is_no_obstacle() -> None:
    """As in a notebook's cell."""

    async def cell() -> int:
        return event_loop.run(soon(5))

    assert asyncio.run(cell()) == 5


def test_painting_goes_on_while_one_waits_in_the_thread_that_waits() -> None:
    painted: list[str] = []
    enough = asyncio.Event()

    def paint() -> None:
        painted.append(threading.current_thread().name)
        if len(painted) == 3:
            event_loop.private_loop().call_soon_threadsafe(enough.set)

    event_loop.run(enough.wait(), paint=paint)
    assert painted[:3] == [threading.current_thread().name] * 3


def test_an_interrupt_cancels_work_that_has_no_better_way_and_leaves_nothing_behind() -> None:
    strikes = Strikes(1)
    unwound = []

    async def work() -> None:
        async def part() -> None:
            try:
                await for_ever()
            finally:
                await asyncio.sleep(0.01)
                unwound.append(1)

        parts = [asyncio.create_task(part()) for _ in range(50)]
        strikes.reached.set()
        try:
            await asyncio.gather(*parts)
        finally:
            for one in parts:
                one.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    with pytest.raises(KeyboardInterrupt):
        event_loop.run(work(), paint=strikes.paint)
    assert len(unwound) == 50
    assert tasks_left() == 0


def test_work_that_answers_an_interrupt_itself_keeps_its_result() -> None:
    strikes = Strikes(1)
    stop = asyncio.Event()

    async def work() -> str:
        strikes.reached.set()
        await stop.wait()
        return "so far"

    assert event_loop.run(work(), paint=strikes.paint, interrupt=stop.set) == "so far"


def test_a_second_interrupt_cancels_work_that_takes_its_time() -> None:
    strikes = Strikes(2)
    asked = []

    async def work() -> None:
        strikes.reached.set()
        await for_ever()

    with pytest.raises(KeyboardInterrupt):
        event_loop.run(work(), paint=strikes.paint, interrupt=lambda: asked.append(1))
    assert asked == [1]
    assert tasks_left() == 0


def test_an_interrupt_that_cannot_be_carried_out_cancels() -> None:
    strikes = Strikes(1)

    async def work() -> None:
        strikes.reached.set()
        await for_ever()

    def broken() -> None:
        raise RuntimeError("no way to stop")

    with pytest.raises(KeyboardInterrupt):
        event_loop.run(work(), paint=strikes.paint, interrupt=broken)


def test_a_third_interrupt_leaves_work_behind_that_blocks_the_loop() -> None:
    """A callable of the user's that never returns: the notebook goes on, and the next run gets a fresh loop."""
    strikes = Strikes(3)
    released = threading.Event()
    blocked = event_loop.private_loop()

    async def work() -> None:
        strikes.reached.set()
        released.wait(60)

    with pytest.raises(KeyboardInterrupt, match="left behind"):
        event_loop.run(work(), paint=strikes.paint)
    assert event_loop.private_loop() is not blocked
    assert event_loop.run(soon(1)) == 1
    released.set()
    blocked.call_soon_threadsafe(blocked.stop)


@pytest.mark.parametrize("moment", range(1, 40))
def test_an_interrupt_in_any_line_of_the_waiting_is_heard(moment: int) -> None:
    """At the n-th line that this thread executes in the package: nothing hangs, is lost, or is left behind."""
    stop = asyncio.Event()
    ended: list[str] = []

    async def work() -> str:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.12)
        ended.append("work")
        return "so far"

    lines = 0
    asked = []

    def stopped() -> None:
        asked.append(1)
        stop.set()

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if "reportflow_pandas/event_loop" not in frame.f_code.co_filename.replace(os.sep, "/"):
            return None
        if event == "line":
            lines += 1
            if lines == moment:
                signal.raise_signal(signal.SIGINT)
        return trace

    coroutine = work()
    sys.settrace(trace)
    try:
        answer = event_loop.run(coroutine, interrupt=stopped)
    except KeyboardInterrupt:
        answer = "raised"
    finally:
        sys.settrace(None)
        coroutine.close()
    # heard by the work, or raised before the work began or after it was over; when there were fewer lines, neither
    assert answer == "raised" or asked or lines < moment
    assert tasks_left() == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exception_of_the_callers_own_signal_handler_ends_the_work_too() -> None:
    """A time limit by SIGALRM, as test runners and schedulers set it: nothing goes on sending."""
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        await for_ever()

    def limit(_number: int, _frame: Any) -> None:
        raise TimeoutError("the cell took too long")

    def paint() -> None:
        if begun.is_set():
            signal.raise_signal(signal.SIGUSR1)

    with handler(signal.SIGUSR1, limit), pytest.raises(TimeoutError, match="too long"):
        event_loop.run(work(), paint=paint)
    assert tasks_left() == 0


def test_a_handler_of_the_caller_is_left_alone() -> None:
    heard = []
    with handler(signal.SIGINT, lambda *_: heard.append(1)):
        event_loop.run(soon(None))
        strikes = Strikes(1)
        strikes.reached.set()

        async def work() -> None:
            while not heard:  # noqa: ASYNC110 - the handler runs in another thread
                await asyncio.sleep(0.01)

        event_loop.run(work(), paint=strikes.paint)
    assert heard == [1]


def test_ctrl_c_under_asyncio_run_is_felt_by_a_blocking_call() -> None:
    """asyncio.run's own handler would only cancel the main task, which would show only at the end."""
    strikes = Strikes(1)

    async def work() -> None:
        strikes.reached.set()
        await for_ever()

    async def main() -> str:
        try:
            event_loop.run(work(), paint=strikes.paint)
        except KeyboardInterrupt:
            return "felt"
        return "not felt"

    assert asyncio.run(main()) == "felt"


def test_a_call_from_inside_a_run_is_refused_and_does_not_hang() -> None:
    async def work() -> None:
        event_loop.run(soon(1))

    with pytest.raises(rf.ConfigurationError, match="from inside a run"):
        event_loop.run(work())


def test_sys_exit_in_the_work_ends_neither_the_loop_nor_its_thread() -> None:
    before = event_loop.private_loop()

    async def leaves() -> None:
        sys.exit(3)

    async def leaves_in_a_part() -> None:
        await asyncio.create_task(leaves())

    for work in (leaves, leaves_in_a_part):
        with pytest.raises(SystemExit):
            event_loop.run(work())
    assert event_loop.private_loop() is before
    assert event_loop.run(soon(1)) == 1


def test_threads_may_wait_side_by_side() -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(event_loop.run(soon(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(8))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_gets_a_loop_of_its_own_and_the_parent_keeps_its() -> None:
    """In a process of its own: a fork of this one would take its other threads' locks along."""
    script = """
        import asyncio, os, warnings
        from reportflow_pandas import event_loop

        warnings.filterwarnings("ignore", ".* is multi-threaded", DeprecationWarning)  # from 3.12 on

        async def soon(value):
            await asyncio.sleep(0.01)
            return value

        assert event_loop.run(soon(1)) == 1
        parents = event_loop.private_loop()
        child = os.fork()
        if not child:
            ok = event_loop.run(soon(2)) == 2 and event_loop.private_loop() is not parents
            os._exit(0 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert event_loop.private_loop() is parents
        assert event_loop.run(soon(3)) == 3
        print("both")
    """
    assert output_of(script) == ("both\n", "")


def test_asyncio_is_the_same_after_import_and_use() -> None:
    script = """
        import asyncio
        names = ("run", "Task", "Future", "get_event_loop", "gather", "wait_for")
        before = [getattr(asyncio, name) for name in names]
        forever = asyncio.BaseEventLoop.run_forever
        import pandas as pd
        import reportflow_pandas as rf
        with rf.use_local(render=False):
            pd.DataFrame({"Name": ["A"]}).reportflow.generate("certificate", check="warn")
        assert [getattr(asyncio, name) for name in names] == before
        assert asyncio.BaseEventLoop.run_forever is forever
        assert not hasattr(asyncio, "_nest_patched")
        import sys
        print([name for name in sys.modules if name.startswith(("nest_asyncio", "ipywidgets", "IPython"))])
    """
    assert output_of(script) == ("[]\n", "")


def test_an_interrupted_generation_raises_with_its_results_and_sends_nothing_more(local: Any) -> None:
    service = local(latency=0.2)
    frame = pd.DataFrame({"name": [f"Person {n}" for n in range(200)]})
    plain = {"design_id": "certificate", "version": 1, "check": False, "params": {"Name": "name"}}

    def strike() -> None:
        while service.counts()["async/single"] < 6:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    striking = threading.Thread(target=strike)
    striking.start()
    with pytest.raises(rf.RunInterrupted) as caught:
        frame.reportflow.generate(**plain, endpoint="async/single", limits=False, concurrency=3)
    striking.join()
    results = caught.value.results
    sent = service.counts()["async/single"]
    assert len(results) == 200
    assert (results["status"] == "accepted").sum() == sent < 200
    assert (results["status"] == "not_sent").sum() == 200 - sent
    assert tasks_left() == 0
    assert service.counts()["async/single"] == sent
