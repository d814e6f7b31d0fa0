"""Work that is under way on a loop while a thread waits for it, and that can be asked to end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Carried"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

HEARD = 5.0
"""Seconds that a loop may take to hear of an interrupt that came when the work was over."""


class Carried(Generic[T]):
    """A coroutine on a loop, and the interrupts that it was sent.

    Parameters
    ----------
    work : coroutine
        What to run.
    interrupt : callable, optional
        What the first interrupt does on the loop, so that ``work`` ends soon by itself; None: cancel it, as
        further ones do.

    Attributes
    ----------
    ended : threading.Event
        Set when the work's task is done. A future of ``run_coroutine_threadsafe`` would say so too early, while
        cancelled tasks still unwind.
    asked : int
        How often the work was asked to end.
    """

    def __init__(self, work: Coroutine[Any, Any, T], interrupt: Callable[[], None] | None) -> None:
        self.ended = threading.Event()
        self.asked = 0
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupt = interrupt
        self._heard = 0
        self._first_heard = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._broken_off: BaseException | None = None
        self._given_up = False

    def start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on a loop that runs in another thread."""
        self._loop = loop
        loop.call_soon_threadsafe(self.start_here, loop)

    def start_here(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Begin on a loop that runs in this thread."""
        self._loop = loop
        self._task = task = loop.create_task(self._carry_out())
        task.add_done_callback(self._done)
        self._stop()
        return task

    async def _carry_out(self) -> None:
        try:
            self._result.append(await self._work)
        except BaseException as error:  # noqa: BLE001 - told to the waiting thread; SystemExit would end the loop
            self._error = error

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.close()  # where it was cancelled before its first step
        if task.cancelled() and self._error is None:
            self._error = asyncio.CancelledError()
        self.ended.set()

    def ask_to_end(self) -> None:
        """Ask the work to end; in any thread, in a signal handler too."""
        self.asked += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._task is None:  # asked before the start, which looks here again
            return
        while self._heard < self.asked:
            self._heard += 1
            if self._interrupt is not None and self._heard == 1:
                try:
                    self._interrupt()
                except Exception:
                    log.exception("the run could not be stopped in its own way and is cancelled")
                    self._task.cancel()
            else:
                self._task.cancel()
            self._first_heard.set()

    def broken_off(self, reason: BaseException) -> None:
        """Note that the waiting was broken off by an exception, and ask the work to end: nobody waits any more."""
        if self._broken_off is None:
            self._broken_off = reason
        self.ask_to_end()

    def give_up(self) -> None:
        """Wait no longer for work that does not end."""
        self._given_up = True

    def answer(self) -> T:
        """Return the work's result, or raise what ended it."""
        broken_off = self._broken_off
        if broken_off is not None and not isinstance(broken_off, KeyboardInterrupt):
            raise broken_off
        if self.asked:
            if self._given_up:
                raise KeyboardInterrupt(
                    "interrupted; a part of the work does not end (a callable of yours?) and was left behind"
                )
            # also when it came too late to stop anything: who asked must learn that it was heard
            if _running_here(self._loop):
                self._stop()
            self._first_heard.wait(HEARD)
            if self._interrupt is None or not self._result:
                cause = None if isinstance(self._error, asyncio.CancelledError) else self._error
                raise (broken_off or KeyboardInterrupt()) from cause
        if self._error is not None:
            raise self._error
        return self._result[0]


def _running_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
