"""Ctrl-C while somebody waits: noted, not raised in whatever line happens to be executed."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["kept_for"]


@contextmanager
def kept_for(interrupted: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupted`` in place of raising KeyboardInterrupt.

    Raised by Python's own handler, it could strike between any two bytecodes: after a run was started and before
    anybody waits for it, or in the handling of an earlier one. Handlers that the caller has installed are left
    alone, and so is "ignore"; other threads than the main one are never interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def noted(_number: int, _frame: FrameType | None) -> None:
        interrupted()

    before: dict[int, Any] = {}
    try:
        # SIGTERM too, where a command line has told it to act like Ctrl-C
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is signal.default_int_handler or _is_of_a_runner(handler):
                before[number] = handler
                signal.signal(number, noted)
        yield
    finally:
        for taken, handler in before.items():
            signal.signal(taken, handler)


def _is_of_a_runner(handler: object) -> bool:
    """Tell ``asyncio.run``'s handler: it only cancels the main task, which a waiting thread would not notice."""
    of_runner = getattr(asyncio.Runner, "_on_sigint", None)
    return isinstance(handler, functools.partial) and getattr(handler.func, "__func__", None) is of_runner
