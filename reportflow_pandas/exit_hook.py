"""The end of the program: what is still under way stops cleanly or goes on elsewhere, and says so."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import Protocol

__all__ = ["Unfinished", "unwatch", "watch"]


class Unfinished(Protocol):
    """Work that the end of the program would cut off."""

    def leave(self) -> bool:
        """Stop what this process does, because it ends; return whether that has to be waited for."""

    @property
    def patience_seconds(self) -> float:
        """How long the end of the program waits for it at most."""

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or goes on without this process."""

    def last_words(self) -> str:
        """Return what became of it; nothing if it came to its end."""


_under_way: set[Unfinished] = set()
"""Of this process. A fork has none of it: threads do not survive it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)


def watch(work: Unfinished) -> None:
    """Have the end of the program wait for this work."""
    _under_way.add(work)


def unwatch(work: Unfinished) -> None:
    """Have it wait no longer."""
    _under_way.discard(work)


def _leave_nothing_behind() -> None:
    """Have all work stop cleanly or go on elsewhere, and say on stderr what became of each."""
    left = [work for work in tuple(_under_way) if work.leave()]
    started = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C: it is not waited for any longer
        for work in left:
            work.wait(started + work.patience_seconds - time.monotonic())
    for work in left:
        if (words := work.last_words()) and sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):  # stderr is closed
                print(words, file=sys.stderr, flush=True)  # noqa: T201 - there is no later moment to tell it


# before Python ends the pools of threads, which is before `atexit`: callbacks and downloads need them
getattr(threading, "_register_atexit", atexit.register)(_leave_nothing_behind)
