"""What can be carried out, in the foreground with a bar or in the background as a job: a run, or its mails.

And what of it blocks, such as opening a ledger: done in a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import RunInterrupted
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.queue.run_queue import RunQueue
from reportflow_pandas.queue.submitter import Dispatch
from reportflow_pandas.settings import Settings

__all__ = ["Work", "in_thread", "watched"]

T = TypeVar("T")


class Work(Protocol):
    """What is carried out with a bar or as a job: a `Run`, or its mails."""

    name: str
    settings: Settings
    clock: Clock
    progress: Progress
    interrupted: bool
    on_row: Callable[[Outcome], None] | None
    listed_in: str
    """Where a person finds all rows that failed."""

    @property
    def progress_shown(self) -> bool | Literal["auto"]:
        """Whether there is a bar."""

    @property
    def warnings(self) -> Sequence[str]:
        """What looked odd before it began."""

    @property
    def queue(self) -> RunQueue | None:
        """The machines that carry it out; None: this process."""

    @property
    def dispatch(self) -> Dispatch | None:
        """What other machines carry the calls out by, as soon as there is something to carry out."""

    @property
    def pdf_folder(self) -> Path | None:
        """Where PDFs are saved; None: nowhere."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done."""

    async def carry_out(self) -> pd.DataFrame:
        """Do it all and return the results frame."""

    def interrupt(self) -> None:
        """Stop; call it on the loop that does the work."""

    def results(self) -> pd.DataFrame:
        """Return the results frame so far."""

    def counts(self) -> dict[str, int]:
        """Return counts: ``total``, ``done``, and by what became of them."""

    def failures(self, most: int) -> list[tuple[Any, Outcome]]:
        """Return the first rows that failed: their index labels and outcomes."""

    def no_pdf(self) -> int:
        """Return how many documents were accepted although their PDFs can never be made."""

    def summary(self) -> str:
        """Return it in one line."""

    def closing_words(self) -> str:
        """Return what a person should know although nothing ended it early; nothing if there is nothing."""

    def goodbye(self, *, raised: bool = True) -> str:
        """Return what a person should know who interrupted it."""

    def way_on(self) -> str:
        """Return how to go on with what was not sent."""


def watched(work: Work) -> pd.DataFrame:
    """Carry work out on the private loop, with its bar, and return its results.

    Raises
    ------
    RunInterrupted
        Ctrl-C, or "Interrupt kernel".
    """
    bar = Bar(work.progress, work.progress_shown)
    results = None
    try:
        results = event_loop.run(
            work.carry_out(), paint=bar.paint, interrupt=work.interrupt, how=work.settings.loop
        )
    except KeyboardInterrupt:
        # a second one: what was in flight was not waited for
        raise RunInterrupted(work.goodbye(), work.results()) from None
    finally:
        bar.close(work.summary() if results is not None else "")
    if work.interrupted:
        raise RunInterrupted(work.goodbye(), results)
    return results


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
