"""A run under way: what generating, resuming and retrying have in common."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Accepted, Delivered, FileEntry
from reportflow_pandas.engine.batching import Call, Document, pack
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.feed import Feed
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.engine.progress import Phase, Progress
from reportflow_pandas.engine.rate_limit import Kind
from reportflow_pandas.engine.runner import Run
from reportflow_pandas.engine.sender import Line, line_to
from reportflow_pandas.errors import ConfigurationError, InvalidRows, ReportFlowError, RunInterrupted
from reportflow_pandas.journal import runs
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.notebook.bar import Bar
from reportflow_pandas.options import Options
from reportflow_pandas.queue.remote import Remote
from reportflow_pandas.queue.submitter import Dispatch
from reportflow_pandas.results.download import documents_of, fetch_outcomes, save_delivered
from reportflow_pandas.results.pdf_folder import SUPERSEDED, PdfFolder
from reportflow_pandas.results.results_frame import line_on, results_frame

__all__ = ["CEILING", "PATIENCE", "Running", "kind_of", "watched"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that the writing down of a stopped run's rows may still take; 100,000 rows need about 3."""

CEILING = 256
"""Calls in flight that ``concurrency="auto"`` may grow to."""


class Running(ABC):
    """One run under way, from its first look-up to its results frame.

    Subclasses say where the documents come from (`_begin`).

    Attributes
    ----------
    run_name : str
        The run.
    progress : Progress
        For whoever watches.
    settled : callable or None
        Told of each row's outcome, on the loop that does the work.
    interrupted : bool
        Whether somebody stopped it.
    plans : bool
        Whether the rows are written down while they are sent; else they are already.
    remote : Remote or None
        The machines that carry it out; None: this one.
    """

    plans = False

    def __init__(self, options: Options, run_name: str, index: pd.Index[Any]) -> None:
        self.options = options
        self.settings = options.effective_settings
        self.clock = self.settings.clock
        self.progress = Progress(self.clock)
        self.interrupted = False
        self.run_name = run_name
        self.settled: Callable[[Outcome], None] | None = None
        self.index = index
        self.outcomes = Outcomes([""] * len(index))
        self.journal: Journal | None = None
        self.version = 0
        self.endpoint: str = options.endpoint
        self.first_alone = True
        self._folder = (
            PdfFolder(options.download, run_name, clock=self.clock) if options.download is not None else None
        )
        self.remote: Remote | None = None
        self._run: Run | Dispatch | None = None
        self._stage: asyncio.Task[Any] | None = None
        self._planning: asyncio.Task[None] | None = None
        self.attrs = {
            "run": run_name,
            "design_id": options.design_id,
            "design": "",
            "version": "",
            "base_url": self.settings.base_url,
            "workspace": self.settings.workspace_id,
            "endpoint": options.endpoint,
            "rows": str(len(index)),
            "frame": "",
            "planned": "",
            "calls": "0",
            "started_at": self.clock.now().isoformat(timespec="seconds"),
            "finished_at": "",
            "download": str(Path(options.download).resolve()) if options.download is not None else "",
            "group_by": options.grouped_by,
        }

    # -- where the documents come from -----------------------------------------------------------------------

    @abstractmethod
    async def _begin(self, client: Client, line: Line) -> bool:
        """Look up, open the journal, set ``version`` and ``endpoint``; False when there is nothing to send."""

    @abstractmethod
    async def _plan(self, feed: Feed) -> None:
        """Give the feed its documents, written down first."""

    @property
    def dispatch(self) -> Dispatch | None:
        """What other machines carry the calls out by, as soon as there is something to carry out."""
        return self._run if isinstance(self._run, Dispatch) else None

    # -- carrying it out -------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Stop sending. What is in flight is waited for a few seconds; call it on the loop that does the work."""
        self.interrupted = True
        if self._run is not None:
            self._run.stop()
        if self._stage is not None:
            self._stage.cancel()

    async def carry_out(self) -> pd.DataFrame:
        """Do it all and return the results frame."""
        if not int(self.attrs["rows"]):  # not the index: of a run whose disk was full at once the journal has none
            return self.results()
        started = self.clock.monotonic()
        early: Exception | None = None
        try:
            async with Client(self.settings, timeout=self.options.timeout) as client:
                line = line_to(
                    self.settings,
                    limits=self.options.effective_limits,
                    attempts=self.options.attempts,
                    backoff=self.options.backoff,
                    timeout=self.options.timeout,
                    progress=self.progress,
                    window=await self.remote.open(self.settings) if self.remote is not None else None,
                )
                begun = await self._staged(self._begin(client, line))
                if self._folder is not None and self._folder.has_older_files:
                    self._folder.rows_have(documents_of(self.outcomes))
                if begun:
                    await self._send(client, line)
                self._look_again()
                if self._folder is not None and not self.interrupted:
                    await self._staged(self._fetch(client, line, self._folder))
        except Exception as error:
            log.error("run %s ended early: %s", self.run_name, _why(error))  # noqa: TRY400 - no traceback: it shows values
            early = error
            raise
        finally:
            self.progress.ended = True
            if self.remote is not None:
                await self.remote.close()
            self._look_again()
            self._close()
            if self.interrupted or early is not None:
                # in what this process shows: the journal keeps them as rows that a resumed run sends
                why = "it was interrupted" if early is None else kind_of(early)
                self.outcomes.cut_off(f"the run ended before this row's turn: {why}")
            if isinstance(early, ReportFlowError):
                early.results = self.results()
            counts = self.outcomes.counts()
            word = "was interrupted" if self.interrupted else "ended"
            log.info("run %s %s after %.1f s: %s", self.run_name, word, self.clock.monotonic() - started, counts)
        return self.results()

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

    async def _send(self, client: Client, line: Line) -> None:
        options, journal = self.options, self._open_journal
        if self.remote is None:
            await self._take_slots_of_processes_before(line)
        note = f"version {self.version}, the latest" if options.version == "latest" else ""
        phase = self.progress.begin("documents", len(self.index), note)
        phase.done = sum(count for status, count in self.outcomes.counts().items() if status != "not_sent")
        log.info("run %s: %d rows for design %s", self.run_name, len(self.index), options.design_id)
        feed = Feed(
            partial(
                pack,
                design_id=options.design_id,
                version=self.version,
                endpoint=self.endpoint,
                batch_size=options.batch_size,
            )
        )

        self._run = run = self._runner(client, line, feed, phase)
        if self.interrupted:
            run.stop()
        planning = asyncio.ensure_future(self._planned(feed))
        try:
            await run.carry_out()
            if not run.error and not self.interrupted:
                await planning
            elif self.plans:
                # what is written down to the end can be resumed by its name alone
                await asyncio.wait([planning], timeout=PATIENCE)
        finally:
            planning.cancel()
            await asyncio.gather(planning, return_exceptions=True)
            self.attrs["calls"] = str(run.calls_made)
            with contextlib.suppress(ReportFlowError):
                await journal.flush()
        if run.error is not None:
            raise run.error

    def _runner(self, client: Client, line: Line, feed: Feed, phase: Phase) -> Run | Dispatch:
        """Return what carries the calls out: here, or on other machines."""
        options = self.options
        settled = self._row_settled if self.settled is not None else None
        if self.remote is not None:
            return self.remote.dispatch(
                feed,
                self._open_journal,
                self.outcomes,
                settings=self.settings,
                limits=options.effective_limits,
                attempts=options.attempts,
                backoff=options.backoff,
                timeout=options.timeout,
                phase=phase,
                stop_on_failure=options.on_error == "raise",
                settled=settled,
            )

        def send(call: Call, body: bytes) -> Awaitable[Accepted]:
            return client.send(call.endpoint, body)

        most = len(self.index) if self.endpoint.endswith("single") else 1 + len(self.index) // 2
        ceiling = CEILING if options.concurrency == "auto" else options.concurrency
        return Run(
            feed,
            self._open_journal,
            self.outcomes,
            send=send,
            line=line,
            phase=phase,
            gate=Gate(options.concurrency, clock=self.clock, ceiling=ceiling),
            workers=max(1, min(ceiling, most)),
            stop_on_failure=options.on_error == "raise",
            first_alone=self.first_alone,
            deliver=self._deliver if self._folder is not None else None,
            settled=settled,
            name=self.run_name,
        )

    async def _planned(self, feed: Feed) -> None:
        try:
            await self._plan(feed)
        except Exception as error:  # noqa: BLE001 - whatever it is: who waits for documents must hear of it
            feed.fail(error)

    async def _take_slots_of_processes_before(self, line: Line) -> None:
        """Count the calls of the last minute that a process made which is no more."""
        now, window = self.clock.timestamp(), line.limits.window
        ago: dict[Kind, list[float]] = {"sync": [], "async": []}
        recent = runs.recent_calls(self.settings.runs, self.settings.workspace_id, now - window)
        for call in recent:
            kind: Kind = "sync" if call.endpoint.startswith("sync") else "async"
            ago[kind].append(now - call.answered_at if call.answered_at is not None else 0.0)
        for kind, moments in ago.items():
            if moments:
                await line.window.preload(kind, moments, clock=self.clock)

    def _row_settled(self, position: int) -> None:
        if (settled := self.settled) is not None:
            settled(self.outcomes[position])

    async def _deliver(self, answer: Delivered, pairs: Sequence[tuple[Document, FileEntry | None]]) -> None:
        assert self._folder is not None  # noqa: S101 - only then is this called
        try:
            await save_delivered(answer, pairs, self._folder, self._saved)
        except ConfigurationError as problem:
            # What is in flight is paid for, a full disk or not: the download at the end tries again, and raises.
            log.warning("%s", problem)

    def _saved(self, position: int, path: Path) -> None:
        self.outcomes.saved(position, str(path))
        if self.journal is not None:
            self.journal.saved(position)

    async def _fetch(self, client: Client, line: Line, folder: PdfFolder) -> None:
        journal = self.journal
        noted = journal.saved if journal is not None else None
        await fetch_outcomes(self.outcomes, client, line, folder, wait=self.options.wait_seconds, noted=noted)
        if journal is not None:
            await journal.flush()

    @property
    def _open_journal(self) -> Journal:
        assert self.journal is not None  # noqa: S101 - _begin opens it
        return self.journal

    def _look_again(self) -> None:
        """Learn what a webhook or a colleague wrote down meanwhile."""
        if self.journal is not None and self.journal.meta["frame"]:
            with contextlib.suppress(ReportFlowError):
                self.journal.look_again()

    def _close(self) -> None:
        if self.journal is not None:
            self.journal.close()

    # -- what it tells ---------------------------------------------------------------------------------------

    def results(self) -> pd.DataFrame:
        """Return the results frame so far."""
        self.attrs["finished_at"] = self.clock.now().isoformat(timespec="seconds")
        return results_frame(self.outcomes, self.index, self.attrs)

    def counts(self) -> dict[str, int]:
        """Return counts of rows: ``total``, ``done``, and by status."""
        counts = self.outcomes.counts()
        return {"total": len(self.index), "done": len(self.index) - counts["not_sent"], **counts}

    def failures(self, most: int) -> list[tuple[Any, Outcome]]:
        """Return the first rows that failed: their index labels and outcomes."""
        found: list[tuple[Any, Outcome]] = []
        at = self.outcomes.next_failed(0)
        while at >= 0 and len(found) < most:
            found.append((self.index[at], self.outcomes[at]))
            at = self.outcomes.next_failed(at + 1)
        return found

    def line_of_summary(self) -> str:
        """Return the run in one line."""
        counts = self.outcomes.counts()
        good = counts["accepted"] + counts["ready"]
        parts = [f"{good:,} of {len(self.outcomes):,} accepted"]
        parts += [
            f"{counts[word]:,} {word.replace('_', ' ')}"
            for word in ("failed", "unknown", "not_sent")
            if counts[word]
        ]
        if self._folder is not None:
            saved = sum(path is not None for path in self.outcomes.path)
            parts.append(f"{saved:,} PDFs in {self._folder.path}")
            if self._folder.superseded:
                parts.append(f"{self._folder.superseded:,} older ones moved to {self._folder.path / SUPERSEDED}")
        return ", ".join(parts)

    def goodbye(self, frame: str = "The frame so far is in this exception's .results; ") -> str:
        """Return what a person should know who interrupted the run; ``frame`` says where its results are."""
        counts = self.outcomes.counts()
        unknown = ""
        if counts["unknown"]:
            unknown = f"; {counts['unknown']:,} were in flight and are unknown, they may have been accepted"
        return (
            f"interrupted: {self.line_of_summary()}{unknown}. Nothing more is being sent. {frame}{self.way_on()}"
        )

    def way_on(self) -> str:
        """Return how to go on with what was not sent, as far as the run has come."""
        if not self.attrs["frame"]:
            return "nothing was sent or written down: generate again"
        return f"{line_on(self.attrs)} goes on"


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


def watched(work: Running) -> pd.DataFrame:
    """Carry a run out on the private loop, with its bar, and return its results.

    Raises
    ------
    RunInterrupted
        Ctrl-C, or "Interrupt kernel".
    """
    bar = Bar(work.progress, work.options.progress)
    results = None
    try:
        results = event_loop.run(
            work.carry_out(), paint=bar.paint, interrupt=work.interrupt, how=work.settings.loop
        )
    except KeyboardInterrupt:
        # a second one: what was in flight was not waited for
        raise RunInterrupted(work.goodbye(), work.results()) from None
    finally:
        bar.close(work.line_of_summary() if results is not None else "")
    if work.interrupted:
        raise RunInterrupted(work.goodbye(), results)
    return results
