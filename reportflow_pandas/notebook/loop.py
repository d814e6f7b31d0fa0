"""The private event loop: one daemon thread, so that work never touches the caller's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["SLICE", "private_loop", "run"]

SLICE = 0.1
"""Seconds that the calling thread waits at a time: an interrupt is felt, and the bar painted, that often."""

T = TypeVar("T")


class _Private:
    """The loop of this process. A fork gets a fresh one: threads do not survive it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.SelectorEventLoop() if os.name != "nt" else asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._serve, args=(self._loop,), name="reportflow", daemon=True
                )
                self._thread.start()
            return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._loop = self._thread = None


_private = _Private()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private.forget)


def private_loop() -> asyncio.AbstractEventLoop:
    """Return the process's private loop, running in its thread."""
    return _private.loop()


def run(  # noqa: C901 - two ways to end, each with an interrupt in any line
    work: Coroutine[Any, Any, T],
    *,
    paint: Callable[[], None] | None = None,
    interrupt: Callable[[], None] | None = None,
) -> T:
    """Run a coroutine on the private loop and wait for it, painting meanwhile.

    Parameters
    ----------
    work : coroutine
        What to run.
    paint : callable, optional
        Called in this thread about ten times a second.
    interrupt : callable, optional
        Called on the loop when this thread is interrupted (Ctrl-C, "Interrupt kernel"); it must make ``work``
        end soon by itself. None: the task is cancelled.

    Returns
    -------
    object
        What the coroutine returns.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt that the coroutine did not answer with a result of its own, when it has ended and
        nothing of it is left behind.
    """
    loop = private_loop()
    ended = threading.Event()
    task: asyncio.Task[T] | None = None

    async def started() -> T:
        nonlocal task
        task = asyncio.current_task()
        try:
            return await work
        finally:
            # The future of run_coroutine_threadsafe says "done" while cancelled tasks still unwind: this does not.
            loop.call_soon(ended.set)

    future = asyncio.run_coroutine_threadsafe(started(), loop)

    def stop() -> None:
        if interrupt is not None:
            interrupt()
        elif task is not None:
            task.cancel()

    interrupted: KeyboardInterrupt | None = None
    while not ended.is_set():
        try:
            if not ended.wait(SLICE) and paint is not None:
                paint()
        except KeyboardInterrupt as signal:
            if interrupted is not None:
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)
            else:
                interrupted = signal
                loop.call_soon_threadsafe(stop)
    if paint is not None:
        with contextlib.suppress(KeyboardInterrupt):
            paint()
    if interrupted is not None and (future.cancelled() or future.exception() is not None):
        raise interrupted
    return future.result()
