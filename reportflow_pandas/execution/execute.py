"""How a run is carried out: the documents of a source are sent by a backend, and their outcomes recorded."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.execution.backends import Backend
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.options import Options
from reportflow_pandas.results.run_info import RunInfo
from reportflow_pandas.rows.documents import Documents

__all__ = ["PLANNING_GRACE_SECONDS", "Source", "execute"]

PLANNING_GRACE_SECONDS = 5.0
"""How long the writing down of a stopped run's rows may still take; 100,000 rows need about 3 s."""


class Source(Protocol):
    """Where the documents of a run come from: a frame, or the ledger that has them already.

    Attributes
    ----------
    options : Options
        How they are sent.
    info : RunInfo
        The run, as far as it is known.
    index : pandas.Index
        Labels of the rows.
    outcomes : Outcomes
        By position; of the run from `open` on.
    ledger : Journal or None
        The run's, from `open` on.
    first_alone : bool
        Whether nothing was looked up, so that a bad key shows at the first call only.
    plans : bool
        Whether the rows are written down while they are sent; else they are already.
    folders : list of str or None
        Of each row below the download folder; None: all PDFs are in it.
    """

    options: Options
    info: RunInfo
    index: pd.Index[Any]
    outcomes: Outcomes
    ledger: Journal | None
    first_alone: bool
    plans: bool
    folders: list[str] | None

    async def open(self, client: Client, channel: Channel, progress: Progress, *, queue: bool) -> Journal | None:
        """Look up what must be known, refuse what cannot be sent, and return the ledger, open for sending.

        None: there are no rows. ``queue``: other machines send the calls, and may have some of a process before.
        """

    @property
    def rows_concerned(self) -> int:
        """How many rows this attempt is about: all, or those of a retry."""

    async def documents(self, ledger: Journal, feed: Feed, phase: Phase) -> None:
        """Give the feed the documents that are to be sent, each written down first, and end it."""

    def asked_for(self) -> Documents | None:
        """Return what the documents should show, after `open`; None where it is not known any more."""


async def execute(source: Source, backend: Backend, feed: Feed, ledger: Journal, phase: Phase) -> None:
    """Send the documents of a source by a backend.

    Returns when each has its outcome in the ledger, or the backend was stopped and is drained; see its ``error``.
    """
    planning = asyncio.ensure_future(_feed(source, ledger, feed, phase))
    try:
        await backend.run()
        feed.close()
        try:
            await ledger.flush()
        except ReportFlowError as error:
            backend.stop(error)
        if backend.error is None and not feed.abandoned:
            await planning
        elif source.plans:
            # what is written down to the end can be resumed by its name alone
            await asyncio.wait([planning], timeout=PLANNING_GRACE_SECONDS)
    finally:
        planning.cancel()
        await asyncio.gather(planning, return_exceptions=True)
        with contextlib.suppress(ReportFlowError):
            await ledger.flush()


async def _feed(source: Source, ledger: Journal, feed: Feed, phase: Phase) -> None:
    try:
        await source.documents(ledger, feed, phase)
    except Exception as error:  # noqa: BLE001 - whatever it is: the backend waits for documents and must hear of it
        feed.fail(error)
