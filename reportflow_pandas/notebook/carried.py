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
    loop : asyncio.AbstractEventLoop
        Where.
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

    def __init__(
        self,
        work: Coroutine[Any, Any, T],
        loop: asyncio.AbstractEventLoop,
        interrupt: Callable[[], None] | None,
    ) -> None:
        self.ended = threading.Event()
        self.asked = 0
        self.task: asyncio.Task[None] | None = None
        self._work = work
        self._loop = loop
        self._interrupt = interrupt
        self._heard = 0
        self._all_heard = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._broken_off: BaseException | None = None
        self._given_up = False

    def start(self) -> None:
        """Begin; on the loop."""
        self.task = self._loop.create_task(self._carry_out())
        self.task.add_done_callback(self._done)

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
        self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._heard += 1
        try:
            if self._interrupt is not None and self._heard == 1:
                self._interrupt()
            elif self.task is not None:
                self.task.cancel()
        except Exception:
            log.exception("the run could not be stopped in its own way and is cancelled")
            if self.task is not None:
                self.task.cancel()
        finally:
            if self._heard >= self.asked:
                self._all_heard.set()

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
            self._all_heard.wait(HEARD)
            if self._interrupt is None or not self._result:
                cause = None if isinstance(self._error, asyncio.CancelledError) else self._error
                raise (broken_off or KeyboardInterrupt()) from cause
        if self._error is not None:
            raise self._error
        return self._result[0]
