"""Blocking work of a run beside its event loop: opening and reading its ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Do blocking work in a thread, and return what it returned.

    A cancellation waits for the end of the work, for no thread can be stopped: a ledger that is being opened holds
    its lock, and one that is being read may not be closed meanwhile. Then ``undo`` is told of the result.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([working])
        if undo is not None and working.exception() is None:
            undo(working.result())
        raise
