"""A run, from its first look-up to its results frame."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Channel, channel_to
from reportflow_pandas.engine.batching import Feed, pack
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.engine.rate_limit import BucketName
from reportflow_pandas.engine.runner import Runner
from reportflow_pandas.errors import AuthError, InvalidRows, ReportFlowError
from reportflow_pandas.execution.backends import Files, runner_of
from reportflow_pandas.execution.execute import Source, execute
from reportflow_pandas.execution.work import in_thread
from reportflow_pandas.journal import runs
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.next_steps import goes_on, interrupted, with_a_renewed_key
from reportflow_pandas.printable import counted
from reportflow_pandas.queue.run_queue import RunQueue
from reportflow_pandas.queue.submitter import Dispatch
from reportflow_pandas.results.download import fetch_outcomes
from reportflow_pandas.results.mail_columns import with_recorded_mails
from reportflow_pandas.results.missing_pdfs import documents_of, set_aside
from reportflow_pandas.results.pdf_folder import SUPERSEDED, PdfFolder, encoded_names
from reportflow_pandas.results.results_frame import results_frame
from reportflow_pandas.results.run_info import RunInfo
from reportflow_pandas.results.service_words import reasons
from reportflow_pandas.results.summary import in_one_line
from reportflow_pandas.rows.download_folders import download_root
from reportflow_pandas.settings import Settings
from reportflow_pandas.verify.read_back import read_back_or_say
from reportflow_pandas.verify.verified_results import with_verdicts

if TYPE_CHECKING:  # it needs the packages of an extra
    from reportflow_pandas.verify.run_check import Checked

__all__ = ["Run", "kind_of"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")


class Run:
    """One run, from its first look-up to its results frame.

    Parameters
    ----------
    source : Source
        Where its documents come from.
    queue : RunQueue, optional
        The machines that carry it out; None: this process.
    on_row : callable, optional
        Told of each row's outcome, on the loop that does the work.

    Attributes
    ----------
    name : str
        The run's.
    progress : Progress
        How far it is.
    interrupted : bool
        Whether it was stopped by a person.
    """

    listed_in = "job.results().reportflow.failed"

    def __init__(
        self, source: Source, queue: RunQueue | None = None, on_row: Callable[[Outcome], None] | None = None
    ) -> None:
        self.source = source
        self.options = source.options
        self.settings: Settings = source.options.effective_settings
        self.clock = self.settings.clock
        self.progress_shown = source.options.progress
        self.name = source.info.run
        self.progress = Progress(self.clock)
        self.interrupted = False
        self.queue = queue
        self.on_row = on_row
        folder = source.options.download
        self._files: Files | None = None
        if folder is not None:
            self._files = Files(PdfFolder(download_root(folder), self.name, clock=self.clock), source.folders)
        self._backend: Runner | Dispatch | None = None
        self._feed: Feed | None = None
        self._stage: asyncio.Task[Any] | None = None
        self._calls = 0
        self._checked: Checked | None = None

    # -- carrying it out -------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Stop sending. What is in flight is drained for a few seconds; call it on the loop that does the work."""
        self.interrupted = True
        if self._feed is not None:
            self._feed.abandoned = True
        if self._backend is not None:
            self._backend.stop()
        if self._stage is not None:
            self._stage.cancel()

    async def carry_out(self) -> pd.DataFrame:
        """Do it all and return the results frame."""
        # not the index: of a run whose disk was full at once the journal has none
        if not self.source.info.rows and not self.source.plans:
            return self.results()
        started = self.clock.monotonic()
        early: Exception | None = None
        try:
            async with Client(self.settings, timeout=self.options.timeout) as client:
                channel = channel_to(
                    self.settings,
                    limits=self.options.effective_limits,
                    attempts=self.options.attempts,
                    backoff=self.options.backoff,
                    timeout=self.options.timeout,
                    progress=self.progress,
                    rate_limiter=await self.queue.open(self.settings) if self.queue is not None else None,
                )
                opening = self.source.open(client, channel, self.progress, queue=self.queue is not None)
                ledger = await self._staged(opening)
                if self._files is not None and self._files.folder.has_older_files:
                    self._files.folder.rows_have(documents_of(self.source.outcomes))
                if ledger is not None:
                    await self._send(client, channel, ledger)
                await self._look_again()
                if self._files is not None and not self.interrupted:
                    await self._staged(self._fetch(client, channel, self._files.folder))
                    self._checked = await self._staged(self._read_back())
        except Exception as error:
            self._say_how_a_renewed_key_goes_on(error)
            log.error("run %s ended early: %s", self.name, _why(error))  # noqa: TRY400 - no traceback: it shows values
            early = error
            raise
        finally:
            self.progress.ended = True
            if self.queue is not None:
                await self.queue.close()
            await self._look_again()
            if self.source.ledger is not None:
                self.source.ledger.close()
            if self.interrupted or early is not None:
                # in what this process shows: the journal keeps them as rows that a resumed run sends
                why = "it was interrupted" if early is None else kind_of(early)
                self.source.outcomes.cut_off(f"the run ended before this row's turn: {why}")
            if isinstance(early, ReportFlowError):
                early.results = await in_thread(self.results)
            self.progress.lines += reasons(self.source.outcomes, self.source.index, self.settings.language)
            counts = self.source.outcomes.counts()
            word = "was interrupted" if self.interrupted else "ended"
            log.info("run %s %s after %.1f s: %s", self.name, word, self.clock.monotonic() - started, counts)
        return await in_thread(self.results)

    def _say_how_a_renewed_key_goes_on(self, error: Exception) -> None:
        """Add to a refused key how its run goes on with a new one: keys are renewed."""
        if isinstance(error, AuthError) and error.status == 401:
            way = goes_on(self.info.attrs()) if self.source.ledger is not None else "the same line again"
            error.args = (f"{error}. {with_a_renewed_key(way)}",)

    async def _staged(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Await a part that an interrupt cancels as a whole; None if it did."""
        self._stage = task = asyncio.ensure_future(work)
        if self.interrupted:  # before it began
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not self.interrupted:
                task.cancel()
                raise
            return None
        finally:
            self._stage = None

    async def _send(self, client: Client, channel: Channel, ledger: Journal) -> None:
        options, source = self.options, self.source
        info = source.info
        if self.queue is None:
            await _take_slots_of_processes_before(channel, self.settings)
            runs.count_calls(self.settings.runs, self.name)
        note = f"version {info.version}" if options.version == "latest" else ""
        phase = self.progress.begin("documents", len(source.index), note)
        phase.aside = len(source.index) - source.rows_concerned
        phase.done = sum(count for status, count in source.outcomes.counts().items() if status != "not_sent")
        log.info("run %s: %d rows for design %s", self.name, len(source.index), options.design_id)
        self._feed = feed = Feed(
            partial(
                pack,
                design_id=options.design_id,
                version=info.version or 0,
                endpoint=info.endpoint,
                batch_size=options.batch_size,
            )
        )
        feed.abandoned = self.interrupted
        if self.queue is None:
            backend: Runner | Dispatch = runner_of(
                options,
                feed,
                ledger,
                source.outcomes,
                client=client,
                channel=channel,
                phase=phase,
                files=self._files,
                on_row=self.on_row,
                endpoint=info.endpoint,
                first_alone=source.first_alone,
            )
        else:
            # before anything is planned again: what is in the queue is awaited, and not sent a second time
            awaited = await in_thread(ledger.awaited) if ledger.meta["planned"] else {}
            backend = self._dispatch(self.queue, ledger, feed, phase)
            backend.await_again(awaited)
        self._backend = backend
        if self.interrupted:
            backend.stop()
        try:
            await execute(source, backend, feed, ledger, phase)
        finally:
            self._calls = backend.calls_made
        backend.explain(source.outcomes.counts()["not_sent"])
        if backend.error is not None:
            raise backend.error

    def _dispatch(self, queue: RunQueue, ledger: Journal, feed: Feed, phase: Phase) -> Dispatch:
        """Return what has other machines send the calls."""
        options = self.options
        return queue.dispatch(
            feed,
            ledger,
            self.source.outcomes,
            settings=self.settings,
            limits=options.effective_limits,
            attempts=options.attempts,
            backoff=options.backoff,
            timeout=options.timeout,
            phase=phase,
            stop_on_failure=options.on_error == "raise",
            settled=self._row_collected if self.on_row is not None else None,
            away=self.progress.away,
        )

    def _row_collected(self, position: int) -> None:
        if self.on_row is not None:
            self.on_row(self.source.outcomes[position])

    async def _fetch(self, client: Client, channel: Channel, folder: PdfFolder) -> None:
        ledger, outcomes = self.source.ledger, self.source.outcomes
        await fetch_outcomes(
            outcomes,
            client,
            channel,
            folder,
            wait=self.options.wait_seconds,
            noted=ledger.saved if ledger is not None else None,
            folders=self.source.folders,
        )
        if ledger is not None:
            await ledger.flush()
            await in_thread(lambda: set_aside(folder, ledger.replaced(), outcomes))

    async def _read_back(self) -> Checked | None:
        documents = self.source.asked_for() if self.options.verify else None
        if documents is None:
            return None
        return await asyncio.to_thread(
            read_back_or_say, self.results(), documents, self.progress, lambda: self.interrupted
        )

    async def _look_again(self) -> None:
        """Learn what a webhook or a colleague wrote down meanwhile."""
        ledger = self.source.ledger
        if ledger is not None and ledger.meta["frame"]:
            with contextlib.suppress(ReportFlowError):
                await in_thread(ledger.look_again)

    # -- what it tells ---------------------------------------------------------------------------------------

    @property
    def info(self) -> RunInfo:
        """The state of the run."""
        return replace(
            self.source.info, calls=self._calls, finished_at=self.clock.now().isoformat(timespec="seconds")
        )

    @property
    def dispatch(self) -> Dispatch | None:
        """What other machines carry the calls out by, as soon as there is something to carry out."""
        return self._backend if isinstance(self._backend, Dispatch) else None

    def results(self) -> pd.DataFrame:
        """Return the results frame so far."""
        results = results_frame(self.source.outcomes, self.source.index, self.info.attrs())
        ledger = self.source.ledger
        if ledger is not None and not ledger.created:  # of a new run nothing was mailed
            with contextlib.suppress(ReportFlowError):  # a disk that fails hides no outcome of a document
                results = with_recorded_mails(results, self.settings.runs)
        return with_verdicts(results, self._checked) if self._checked is not None else results

    def counts(self) -> dict[str, int]:
        """Return counts of rows: ``total``, ``done``, and by status."""
        counts, rows = self.source.outcomes.counts(), len(self.source.index)
        return {"total": rows, "done": rows - counts["not_sent"], **counts}

    def failures(self, most: int) -> list[tuple[Any, Outcome]]:
        """Return the first rows that failed: their index labels and outcomes."""
        outcomes = self.source.outcomes
        return [(self.source.index[at], outcomes[at]) for at in outcomes.first_failed(most)]

    @property
    def pdf_folder(self) -> Path | None:
        """Where the PDFs are saved; None: nowhere."""
        return None if self._files is None else self._files.folder.path

    def no_pdf(self) -> int:
        """Return how many documents were accepted although their PDFs can never be made."""
        return 0 if self._files is None else self.source.outcomes.kinds()["no_pdf"]

    def summary(self) -> str:
        """Return the run in one line."""
        outcomes = self.source.outcomes
        if self._files is None:
            return in_one_line(outcomes.counts())
        saved = sum(path is not None for path in outcomes.path)
        folder = self._files.folder
        line = in_one_line(outcomes.counts(), saved=saved, folder=folder.path)
        if never := self.no_pdf():
            line += f", {never:,} without a PDF for good"
        if folder.encoded:
            line += f", {encoded_names(folder)}"
        if folder.superseded:
            line += f", {counted(folder.superseded, 'older one')} moved to {folder.path / SUPERSEDED}"
        return line

    @property
    def warnings(self) -> Sequence[str]:
        """What looked odd in the rows."""
        return self.source.info.warnings

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be sent or downloaded."""
        counts = self.counts()
        return not (counts["not_sent"] or counts["unknown"] or self.options.download)

    def closing_words(self) -> str:
        """Return nothing: the results say it all."""
        return ""

    def goodbye(self, *, raised: bool = True) -> str:
        """Return what a person should know who interrupted the run."""
        unknown = self.source.outcomes.counts()["unknown"]
        return interrupted(self.info.attrs(), self.summary(), unknown, raised=raised)

    def way_on(self) -> str:
        """Return how to go on with what was not sent."""
        return goes_on(self.info.attrs())


async def _take_slots_of_processes_before(channel: Channel, settings: Settings) -> None:
    """Count the calls of the last minute that other processes made."""
    clock, window = settings.clock, channel.limits.window
    now = clock.timestamp()
    ago: dict[BucketName, list[float]] = {"sync": [], "async": []}
    look = partial(runs.recent_calls, settings.runs, settings.owner, now - window, settings.base_url)
    for call in await in_thread(look):
        kind: BucketName = "sync" if call.endpoint.startswith("sync") else "async"
        ago[kind].append(now - call.answered_at if call.answered_at is not None else 0.0)
    for kind, moments in ago.items():
        if moments:
            await channel.rate_limiter.preload(kind, moments, clock=clock)


def kind_of(error: BaseException | None) -> str:
    """Return what kind of error it is, with its status; never its text, which might quote a document."""
    if error is None:
        return ""
    status = getattr(error, "status", None)
    return type(error).__name__ + (f" ({status})" if status else "")


def _why(error: Exception) -> str:
    """Return an error for the log: without the cells of the frame, which some errors quote to the person."""
    kind = type(error).__name__
    if isinstance(error, InvalidRows):
        return f"{kind}: rows or columns of the frame cannot become documents"
    return f"{kind}: {' '.join(str(error).split())}" if isinstance(error, ReportFlowError) else kind
