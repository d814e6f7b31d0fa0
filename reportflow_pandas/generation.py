"""The verb: a frame and its options become documents, a run, and a results frame."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

import pandas as pd

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Accepted, Delivered, FileEntry
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.line import Line, line_to
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.plan import Call, Document, endpoint_for
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.run import Run
from reportflow_pandas.errors import ReportFlowError, RunCancelled, RunInterrupted
from reportflow_pandas.notebook import loop
from reportflow_pandas.notebook.progress import Bar
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.preparation import Prepared, check_offline, prepare, takes_options
from reportflow_pandas.results.download import fetch_outcomes, save_delivered
from reportflow_pandas.results.folder import PdfFolder
from reportflow_pandas.results.frame import results_frame
from reportflow_pandas.rows.checks import refuse

__all__ = ["Generation", "agenerate", "generate"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

TICK = 0.1
"""Seconds between two looks of a waiting coroutine: an awaiting cell feels an interrupt when its loop wakes."""


@takes_options
def generate(frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]) -> pd.DataFrame:
    """Generate one document for each row.

    Works in a script, in IPython and in any notebook: the work runs on an event loop of its own.

    Parameters
    ----------
    design_id : str
        The design; ``rf.designs()`` lists yours.
    **arguments
        The shared arguments, see `reportflow_pandas.options.Options`: ``version``, ``params``, ``tables``,
        ``file_name``, ``share``, ``passcode``, ``passthrough``, ``endpoint``, ``batch_size``, ``concurrency``,
        ``limits``, ``attempts``, ``backoff``, ``timeout``, ``download``, ``wait``, ``on_error``, ``check``,
        ``drop_missing``, ``progress``, ``settings``.

    Returns
    -------
    pandas.DataFrame
        One line for each row, same index, same order, whatever happened: ``row``, ``status``, ``file_name``,
        ``url``, ``file_id``, ``request_id``, ``path``, ``error_kind``, ``error``, ``http_status``, ``attempts``,
        ``elapsed`` (seconds), ``accepted_at`` (UTC).

    Raises
    ------
    ConfigurationError, InvalidRows
        Something cannot be sent as it is; nothing was sent.
    AuthError, NotFoundError, RateLimited
        The service refuses everything alike; ``.results`` is the frame so far.
    RunInterrupted
        Ctrl-C or "Interrupt kernel"; ``.results`` is the frame so far.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     results = orders.head(2).reportflow.generate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> results["status"].tolist()
    ['accepted', 'accepted']
    """
    work = Generation(frame, Options.of(design_id, arguments))
    bar = Bar(work.progress, work.options.progress)
    results = None
    try:
        results = loop.run(work.carry_out(), paint=bar.paint, interrupt=work.interrupt)
    finally:
        bar.close(work.line_of_summary() if results is not None else "")
    if work.interrupted:
        raise RunInterrupted(work.goodbye(), results)
    return results


@takes_options
async def agenerate(
    frame: pd.DataFrame, design_id: str | None = None, **arguments: Unpack[Arguments]
) -> pd.DataFrame:
    """Generate one document for each row, as a coroutine on the caller's own loop.

    Parameters, results and errors are those of `generate`; a cancelled ``await`` raises `RunCancelled` with
    ``.results``.

    Examples
    --------
    >>> import asyncio
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> async def main():
    ...     return await orders.head(1).reportflow.agenerate(
    ...         design_id="invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     )
    >>> with rf.use_local():
    ...     results = asyncio.run(main())
    >>> len(results)
    1
    """
    work = Generation(frame, Options.of(design_id, arguments))
    bar = Bar(work.progress, work.options.progress)
    task = asyncio.create_task(work.carry_out())
    cancelled = False
    try:
        while not task.done():
            try:
                await asyncio.wait([task], timeout=TICK)
            except asyncio.CancelledError:
                if cancelled:
                    task.cancel()
                cancelled = True
                work.interrupt()
            bar.paint()
    finally:
        bar.close(work.line_of_summary() if task.done() and not task.cancelled() and not task.exception() else "")
    if cancelled:
        with contextlib.suppress(asyncio.CancelledError, ReportFlowError):
            raise RunCancelled(work.goodbye(), task.result())
    return task.result()


class Generation:
    """One generation, from a frame and its options to the results frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    options : Options
        How.
    """

    def __init__(self, frame: pd.DataFrame, options: Options) -> None:
        check_offline(frame, options)
        self.options = options
        self.settings = options.effective_settings
        self.clock = self.settings.clock
        self.progress = Progress(self.clock)
        self.interrupted = False
        self.run_name = f"{self.clock.now():%Y-%m-%d-%H%M%S}-{secrets.token_hex(2)}"
        self._frame = frame
        self._outcomes = Outcomes(
            ["" for _ in range(len(frame))] if options.file_name is None else [""] * len(frame)
        )
        self._folder = PdfFolder(options.download) if options.download is not None else None
        self._run: Run | None = None
        self._stage: asyncio.Task[Any] | None = None
        self._attrs = {
            "run": self.run_name,
            "design_id": options.design_id,
            "design": "",
            "version": "" if options.version == "latest" else str(options.version),
            "base_url": self.settings.base_url,
            "workspace": self.settings.workspace,
            "endpoint": endpoint_for(options.endpoint, len(frame)),
            "rows": str(len(frame)),
            "calls": "0",
            "started_at": self.clock.now().isoformat(timespec="seconds"),
            "finished_at": "",
            "download": str(Path(options.download).resolve()) if options.download is not None else "",
        }

    def interrupt(self) -> None:
        """Stop sending. What is in flight is waited for a few seconds; call it on the loop that does the work."""
        self.interrupted = True
        if self._run is not None:
            self._run.stop()
        if self._stage is not None:
            self._stage.cancel()

    async def carry_out(self) -> pd.DataFrame:
        """Do it all."""
        if not len(self._frame):
            return self.results()
        started = self.clock.monotonic()
        async with Client(self.settings, timeout=self.options.timeout) as client:
            line = line_to(
                self.settings,
                limits=self.options.effective_limits,
                attempts=self.options.attempts,
                backoff=self.options.backoff,
                timeout=self.options.timeout,
                progress=self.progress,
            )
            try:
                prepared = await self._staged(prepare(self._frame, self.options, client, line, self.run_name))
                if prepared is None:
                    return self.results()
                self._refuse_or_warn(prepared)
                await self._send(prepared, client, line)
                if self._folder is not None and not self.interrupted:
                    await self._staged(self._fetch(client, line, self._folder))
            except ReportFlowError as error:
                error.results = self.results()
                raise
            finally:
                self.progress.ended = True
        log.info(
            "run %s ended after %.1f s: %s",
            self.run_name,
            self.clock.monotonic() - started,
            self._outcomes.counts(),
        )
        return self.results()

    async def _staged(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Await a part that an interrupt cancels as a whole; None if it did."""
        self._stage = task = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            if not self.interrupted:
                task.cancel()
                raise
            return None
        finally:
            self._stage = None

    def _refuse_or_warn(self, prepared: Prepared) -> None:
        self._attrs |= {"design": prepared.design, "version": str(prepared.version)}
        self._outcomes = Outcomes(prepared.names)
        if self.options.check is True:
            refuse(prepared.problems, self._frame, prepared.sources, prepared.parameters or [])
        else:
            for problem in prepared.problems:
                if problem.level == "error":
                    self.progress.lines.append(f"check: {problem.problem}")
                    log.warning("check: %s", problem.problem)

    async def _send(self, prepared: Prepared, client: Client, line: Line) -> None:
        options = self.options
        note = f"version {prepared.version}, the latest" if options.version == "latest" else ""
        phase = self.progress.begin("documents", len(self._frame), note)
        log.info("run %s: %d rows for design %s", self.run_name, len(self._frame), options.design_id)

        async def send(call: Call, body: bytes) -> Accepted:
            return await client.send(call.endpoint, body)

        gate = Gate(options.concurrency, clock=self.clock)
        most = len(self._frame) if prepared.endpoint.endswith("single") else 1 + len(self._frame) // 2
        ceiling = 256 if options.concurrency == "auto" else options.concurrency
        self._run = Run(
            prepared.calls(options),
            self._outcomes,
            send=send,
            line=line,
            phase=phase,
            gate=gate,
            workers=max(1, min(ceiling, most)),
            stop_on_failure=options.on_error == "raise",
            first_alone=not prepared.looked_up,
            deliver=self._deliver if self._folder is not None else None,
        )
        if self.interrupted:
            self._run.stop()
        await self._run.carry_out()
        self._attrs["calls"] = str(self._run.calls_made)
        if self._run.error is not None:
            raise self._run.error

    async def _deliver(self, answer: Delivered, pairs: Sequence[tuple[Document, FileEntry | None]]) -> None:
        assert self._folder is not None  # noqa: S101 - only then is this called
        await save_delivered(
            answer, pairs, self._folder, lambda position, path: self._outcomes.saved(position, str(path))
        )

    async def _fetch(self, client: Client, line: Line, folder: PdfFolder) -> None:
        await fetch_outcomes(self._outcomes, client, line, folder, wait=self.options.wait_seconds)

    def results(self) -> pd.DataFrame:
        """Return the results frame so far."""
        self._attrs["finished_at"] = self.clock.now().isoformat(timespec="seconds")
        return results_frame(self._outcomes, self._frame.index, self._attrs)

    def line_of_summary(self) -> str:
        """Return the run in one line."""
        counts = self._outcomes.counts()
        good = counts["accepted"] + counts["ready"]
        parts = [f"{good:,} of {len(self._outcomes):,} accepted"]
        parts += [
            f"{counts[word]:,} {word.replace('_', ' ')}"
            for word in ("failed", "unknown", "not_sent")
            if counts[word]
        ]
        if self._folder is not None:
            saved = sum(path is not None for path in self._outcomes.path)
            parts.append(f"{saved:,} PDFs in {self._folder.path}")
        return ", ".join(parts)

    def goodbye(self) -> str:
        """Return what an interrupted person should know."""
        counts = self._outcomes.counts()
        return (
            f"interrupted: {self.line_of_summary()}. Nothing more is being sent. The frame so far is in this "
            f"exception's .results"
            + (
                f"; {counts['unknown']:,} were in flight and are unknown, they may have been accepted"
                if counts["unknown"]
                else ""
            )
        )
