"""Documents from a run's own ledger: the source of a resumed run, and of a retry of rows as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel
from reportflow_pandas.engine.batching import Document, Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.errors import ConfigurationError, ReportFlowError
from reportflow_pandas.execution.preparation import refuse_too_many
from reportflow_pandas.execution.work import in_thread
from reportflow_pandas.execution.workspace import is_of_this_workspace
from reportflow_pandas.journal import runs
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.next_steps import with_any_rows
from reportflow_pandas.options import Options
from reportflow_pandas.queue.run_queue import RunQueue
from reportflow_pandas.results import index_labels
from reportflow_pandas.results.mail_columns import with_recorded_mails
from reportflow_pandas.results.results_frame import results_frame
from reportflow_pandas.results.run_info import RunInfo
from reportflow_pandas.rows.download_folders import download_root
from reportflow_pandas.settings import Settings

__all__ = ["FromLedger", "hand_on", "index_of", "recorded_results"]

DOCUMENTS_AT_ONCE = 500
"""Read from the ledger together."""


class FromLedger:
    """The documents of a run as its ledger has them, without the frame.

    Parameters
    ----------
    run : str
        The run.
    settings : Settings
        Of the same address and workspace.
    positions : collection of int, optional
        Of these rows only.
    unknown : bool
        Rows that may have been accepted, too.
    same_workspace : bool
        The person says that the key is another one of the run's own workspace.
    more : Any
        Options in place of the run's: ``progress``, ``download``.

    Attributes
    ----------
    queue : RunQueue or None
        The machines that the run is carried out by; None: this process.
    """

    plans = False
    first_alone = True

    def __init__(
        self,
        run: str,
        settings: Settings,
        *,
        positions: Collection[int] | None = None,
        unknown: bool = False,
        same_workspace: bool = False,
        **more: Any,
    ) -> None:
        meta, frame = runs.frame_of(settings.runs, run)
        if not meta.get("frame"):
            raise ConfigurationError(f"run {run!r} was never begun: {with_any_rows(run)} begins it")
        self.options = options = Options.of_kept(
            meta["design_id"], meta["version"], meta["endpoint"], meta["options"], settings=settings, **more
        )
        folder = str(download_root(options.download).resolve()) if options.download is not None else ""
        self.info = replace(RunInfo.of_meta(meta), download=folder)
        self.index: pd.Index[Any] = index_of(meta, frame)
        self.folders = frame.folders
        self.outcomes = Outcomes([""] * len(self.index))
        self.ledger: Journal | None = None
        self.queue = RunQueue.recorded(meta["queue"]) if meta.get("queue") else None
        self._positions = positions
        self._unknown = unknown
        self._same_workspace = same_workspace

    async def open(
        self,
        client: Client,
        channel: Channel,
        progress: Progress,  # noqa: ARG002
        *,
        queue: bool,
    ) -> Journal:
        """Open the ledger for sending, and take its last frame up again."""
        settings = self.options.effective_settings
        opening = partial(
            Journal.open,
            settings.runs,
            self.info.run,
            base_url=settings.base_url,
            owner=settings.owner,
            clock=settings.clock,
            must_exist=True,
            queue=queue,
        )
        try:
            proven = await is_of_this_workspace(
                self.info.run, settings, client, channel, same_workspace=self._same_workspace
            )
            self.ledger = await in_thread(partial(opening, proven=proven), Journal.close)
        except ReportFlowError:
            with contextlib.suppress(ReportFlowError):  # what the run has is shown with the refusal
                self.outcomes = (await in_thread(partial(runs.load, settings.runs, self.info.run))).outcomes
            raise
        self.outcomes = await in_thread(self.ledger.go_on)
        words = {"not_sent", "failed", *(["unknown"] if self._unknown else [])}
        rows = range(len(self.outcomes)) if self._positions is None else self._positions
        refuse_too_many(sum(self.outcomes.status_of(row) in words for row in rows), self.options)
        return self.ledger

    @staticmethod
    def asked_for() -> None:
        """Return nothing: a ledger keeps the content of what is not accepted yet alone."""

    @property
    def rows_concerned(self) -> int:
        """How many rows this attempt is about: all, or those of a retry."""
        return len(self.index) if self._positions is None else len(self._positions)

    async def documents(self, ledger: Journal, feed: Feed, phase: Phase) -> None:
        """Hand on what is not sent, has failed, or was asked for."""
        pending = ledger.pending(failed=True, unknown=self._unknown, positions=self._positions)

        def counted(chunk: Sequence[Document]) -> None:
            phase.done -= sum(self.outcomes.status_of(document.position) != "not_sent" for document in chunk)

        await hand_on(pending, feed, counted)


async def hand_on(
    pending: Iterator[Document], feed: Feed, each: Callable[[Sequence[Document]], object] = len
) -> None:
    """Give a feed what the ledger has still to be sent, in chunks as there is room; ``each`` is told of them."""
    while await feed.has_room():
        chunk = await in_thread(partial(_next, pending))
        each(chunk)
        feed.add(chunk)
        if len(chunk) < DOCUMENTS_AT_ONCE:
            feed.end()
            return


def _next(pending: Iterator[Document]) -> list[Document]:
    return list(islice(pending, DOCUMENTS_AT_ONCE))


def index_of(meta: Mapping[str, Any], frame: runs.Frame) -> pd.Index[Any]:
    """Return the index of the rows that a run was last given."""
    if frame.labels is None:
        return pd.RangeIndex(len(frame.names))
    return index_labels.rebuilt(frame.labels, meta.get("index") or {})


def recorded_results(folder: Path, run: str) -> pd.DataFrame:
    """Return the results of a run as its ledger has them, those of its mails too."""
    recorded = runs.load(folder, run)
    index, attrs = index_of(recorded.meta, recorded.frame), RunInfo.of_meta(recorded.meta).attrs()
    return with_recorded_mails(results_frame(recorded.outcomes, index, attrs), folder)
