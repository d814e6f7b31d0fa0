"""The end of the program: its jobs stop cleanly or go on elsewhere, and whoever leaves is told of it."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.execution.run import PATIENCE, Running
from reportflow_pandas.queue.remote import Remote

__all__ = ["Unfinished"]

AT_EXIT = SHUTDOWN_GRACE_SECONDS + PATIENCE + 2.0
"""Seconds that the end of the program waits for jobs: the engine's, for what is in flight and for writing down."""

LOOK = 0.05
"""Seconds between two looks whether other machines have all of a job."""


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A job that the end of the program would cut off.

    Attributes
    ----------
    work : Running
        Its run.
    cancel : callable
        Stops sending; returns at once.
    error : callable
        Returns what ended the run as a whole, if anything did.
    finished : threading.Event
        The results are known; callbacks may still be at work, and Python itself waits for those.
    ended : threading.Event
        The callbacks have returned too.
    """

    work: Running
    cancel: Callable[[], None]
    error: Callable[[], BaseException | None]
    finished: threading.Event
    ended: threading.Event

    def begin(self) -> None:
        """Have the end of the program look after it."""
        _under_way.add(self)

    def end(self) -> None:
        """Have it look after this one no more."""
        _under_way.discard(self)

    def leave(self) -> bool:
        """Stop what this process sends, because it ends; return whether the job has to be waited for."""
        if self.finished.is_set():
            return False
        if self.work.remote is None:
            self.cancel()
        return True

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or goes on without this process: other machines have all of it."""
        end = time.monotonic() + seconds
        while not self.ended.is_set() and (left := end - time.monotonic()) > 0:
            dispatch = self.work.dispatch
            if dispatch is not None and dispatch.fed:
                if dispatch.awaited:
                    self.work.settled = None  # its thread of callbacks ends now
                    return
                self.cancel()  # what is left is done here: downloads
            self.ended.wait(min(LOOK, left))

    def last_words(self) -> str:
        """Return what became of a job that the end of the program cut off; nothing if it came to its end."""
        work, error = self.work, self.error()
        if not work.progress.ended and work.remote is not None:
            became = _elsewhere(work, work.remote)
        elif not work.progress.ended:
            became = f"it did not end in time; rf.load({work.run_name!r}) shows what was sent"
        elif error is not None:
            became = f"{type(error).__name__}: {error}. {work.line_of_summary()}; {work.way_on()}"
        elif not work.interrupted or self._complete:
            return ""
        else:
            became = work.goodbye(frame="")
        said = (
            f"the program ended before it did. {' '.join(became.split())}. job.wait() or job.result() waits for it"
        )
        return f"job {work.run_name}: {said}"

    @property
    def _complete(self) -> bool:
        counts = self.work.counts()
        return not (counts["not_sent"] or counts["unknown"] or self.work.options.download)


def _elsewhere(work: Running, remote: Remote) -> str:
    """Return what goes on without this process, and how to come back to it."""
    run, counts, dispatch = work.run_name, work.counts(), work.dispatch
    awaited = dispatch.awaited if dispatch is not None else 0
    said = f"{counts['done']:,} of {counts['total']:,} rows have their outcome"
    if awaited:
        said += f", and workers go on with {awaited:,} that are in the queue"
    if dispatch is not None and dispatch.fed:
        # no journal holds a password
        queue = ", queue='redis://…'" if remote.told()["address"] != remote.url else ""
        return f"{said}. rf.job({run!r}{queue}) collects what they do"
    if work.attrs["planned"]:
        return f"{said}. rf.resume({run!r}) puts the rest into the queue"
    return f"{said}. Submit the rows again with run={run!r}: what is in the queue is not sent twice"


_under_way: set[Unfinished] = set()
"""Jobs of this process. A fork has none of them: threads do not survive it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)


def _leave_none_behind() -> None:
    """At the end of the program: have its jobs stop cleanly or go on elsewhere, and say what became of each."""
    left = [one for one in tuple(_under_way) if one.leave()]
    deadline = time.monotonic() + AT_EXIT
    with contextlib.suppress(KeyboardInterrupt):  # somebody is in a hurry
        for one in left:
            one.wait(deadline - time.monotonic())
    for one in left:
        if (words := one.last_words()) and sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody listens any more
                print(words, file=sys.stderr, flush=True)  # noqa: T201 - there is no later moment to tell it


# before Python ends the pools of threads, which is before `atexit`: callbacks and downloads need them
getattr(threading, "_register_atexit", atexit.register)(_leave_none_behind)
