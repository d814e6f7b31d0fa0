"""A run in the background: it goes on while the analyst works, and tells when it is finished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Unpack

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.errors import ConfigurationError, ReportFlowError, RunInterrupted
from reportflow_pandas.execution.preparation import takes_options
from reportflow_pandas.execution.run import Running, kind_of
from reportflow_pandas.exit_hook import Unfinished
from reportflow_pandas.generation import Generation
from reportflow_pandas.journal import journal_file, runs
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notebook import panel
from reportflow_pandas.notify import Notifier, ended, workbook_of
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.queue.messages import OnCrash
from reportflow_pandas.queue.remote import Remote
from reportflow_pandas.runs import Resumption, load
from reportflow_pandas.settings import current

__all__ = ["Job", "JobWarning", "job", "submit"]

log = logging.getLogger("reportflow_pandas")

Status = Literal["running", "done", "failed", "cancelled", "interrupted"]
_CALLBACKS = "reportflow-callbacks"
TICK = 0.1
"""Seconds between two looks of a waiting thread or coroutine: an interrupt is felt that often."""


class JobWarning(UserWarning):
    """Something beside the run failed: a callback or a notification. The run went on."""


class Job:
    """A run in the background. ``df.reportflow.submit`` returns one; ``rf.job(id)`` finds it again.

    In a notebook it displays as a panel.

    Attributes
    ----------
    id : str
        Name of the run.
    folder : pathlib.Path
        Where its journal is.
    warnings : list of str
        What failed beside the run: callbacks, notifications. Of an ``on_row`` that raises more than once, the
        first exception, and then how many more times.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     job = orders.head(3).reportflow.submit("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
    ...     results = job.result()
    >>> job.status, len(results)
    ('done', 3)
    """

    def __init__(
        self,
        work: Running,
        *,
        on_row: Callable[[Outcome], object] | None = None,
        on_done: Callable[[Job], object] | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.id = work.run_name
        self.folder = work.settings.runs.absolute()
        self.warnings: list[str] = []
        self._work = work
        self._on_row = on_row
        self._on_done = on_done
        self._notifier = notifier
        self._finished = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._results: pd.DataFrame | None = None
        self._raised = 0
        self._unfinished = Unfinished(work, self.cancel, lambda: self._error, self._finished, self._ended)
        # callbacks are the user's code: they get a thread of their own and may take their time
        self._callbacks = ThreadPoolExecutor(1, thread_name_prefix=_CALLBACKS)
        if on_row is not None:
            work.settled = self._row_settled
        if work.remote is not None:
            work.remote.warn = self.warn
        _jobs[self.folder, self.id] = self
        self._start()

    def _start(self) -> None:
        self._unfinished.begin()
        asyncio.run_coroutine_threadsafe(self._carry_out(), event_loop.private_loop())

    def __repr__(self) -> str:
        """Say how far it is."""
        return f"<Job {self.id}: {self.status}, {self._work.line_of_summary()}>"

    def _ipython_display_(self) -> None:
        panel.show(
            panel.Watched(
                id=self.id,
                counts=lambda: self.progress,
                status=lambda: self.status,
                wait=lambda: self._work.progress.wait,
                failures=self._work.failures,
                cancel=self.cancel,
                words=lambda: repr(self),
                error=lambda: str(self._error or ""),
                monotonic=self._work.clock.monotonic,
            )
        )

    @property
    def status(self) -> Status:
        """``running``, ``done``, ``failed`` (as a whole: see ``result()``), ``cancelled`` or ``interrupted``."""
        if not self._finished.is_set():
            return "running"
        if self._error is not None:
            return "failed"
        return "cancelled" if self._work.interrupted else "done"

    @property
    def progress(self) -> dict[str, int]:
        """Counts of rows: ``total``, ``done``, ``accepted``, ``ready``, ``failed``, ``unknown``, ``not_sent``."""
        return self._work.counts()

    def results(self) -> pd.DataFrame:
        """Return the results frame so far; it never waits."""
        return self._work.results() if self._results is None else self._results

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, at most ``timeout`` seconds; return whether it has."""
        # on_done may ask for the result itself; everybody else waits until it has returned
        inside = threading.current_thread().name.startswith(_CALLBACKS)
        event = self._finished if inside else self._ended
        waited = 0.0
        while not event.is_set():
            pause = TICK if timeout is None else min(TICK, timeout - waited)
            if pause <= 0:
                return False
            event.wait(pause)
            waited += pause
        return True

    def result(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait, and return the results frame.

        Raises
        ------
        TimeoutError
            The job has not ended within ``timeout`` seconds; it goes on.
        ReportFlowError
            What ended the run as a whole; ``.results`` is the frame so far.
        RunInterrupted
            The job was cancelled; ``.results`` is the frame so far.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"job {self.id} is still running; it goes on. {self._work.line_of_summary()}")
        return self._outcome()

    def cancel(self) -> None:
        """Stop sending. Calls in flight are waited for a few seconds or recorded as unknown; returns at once."""
        if not self._finished.is_set():
            with contextlib.suppress(RuntimeError):
                event_loop.private_loop().call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        if not self._work.progress.ended:  # else only its callbacks are still at work, and nothing is cut off
            self._work.interrupt()

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        return self._awaited().__await__()

    async def _awaited(self) -> pd.DataFrame:
        # a ticker: an awaiting cell feels an interrupt only when its loop wakes, and the job is on another loop
        while not self._ended.is_set():  # noqa: ASYNC110
            await asyncio.sleep(TICK)
        return self._outcome()

    def _outcome(self) -> pd.DataFrame:
        if self._error is not None:
            raise self._error
        if self._work.interrupted:
            raise RunInterrupted(self._work.goodbye(), self.results())
        return self.results()

    async def _carry_out(self) -> None:
        try:
            self._results = await self._work.carry_out()
        except ReportFlowError as error:
            self._error, self._results = error, error.results
        except BaseException as error:
            self._error = error
            raise
        finally:
            try:
                self._callbacks.submit(self._end)
            except RuntimeError:  # the program is ending and starts nothing more in its pools
                self._end()

    def _end(self) -> None:
        """End, after every ``on_row``: ``on_done`` first, then notifications, then whoever waits."""
        try:
            if self._results is None:
                self._results = self._work.results()
            self._finished.set()
            if self._raised > 1:
                self._say(_more_times(self._raised - 1))
            if self._on_done is not None:
                self._call("on_done", self._on_done, self)
            if self._notifier:
                self._tell(self._notifier)
        finally:
            self._finished.set()
            self._ended.set()
            self._unfinished.end()
            self._callbacks.shutdown(wait=False)

    def _tell(self, notifier: Notifier) -> None:
        run = self.results().attrs["reportflow"]
        message = ended(
            self.id,
            self.progress,
            design=run["design"] or run["design_id"],
            saved=int(self.results()["path"].notna().sum()),
            folder=run["download"],
            workbook=workbook_of(run),
            stopped="cancelled" if self._work.interrupted else kind_of(self._error),
            way_on=self._work.way_on(),
        )
        for problem in notifier.tell(message):
            self.warn(problem)

    def _row_settled(self, outcome: Outcome) -> None:
        if self._on_row is not None:
            self._callbacks.submit(self._call, "on_row", self._on_row, outcome)

    def _call(self, name: str, function: Callable[[Any], object], value: object) -> None:
        try:
            function(value)
        except (Exception, SystemExit, KeyboardInterrupt) as reason:  # noqa: BLE001 - the user's code: it may not end the run
            if name == "on_row":
                self._raised += 1
                if self._raised > 1:
                    self._count_again(self._raised - 1)
                    return
            self.warn(f"{name} raised {type(reason).__name__}: {reason}; the run went on")

    def _count_again(self, more: int) -> None:
        """Count what on_row raised after its first time: one line, however many rows there are."""
        if more == 1:
            self.warnings.append(_more_times(1))
        else:
            self.warnings[self.warnings.index(_more_times(more - 1))] = _more_times(more)

    def warn(self, text: str) -> None:
        """Note that something beside the run failed."""
        self.warnings.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        log.warning("job %s: %s", self.id, text)
        with contextlib.suppress(JobWarning):  # where warnings are errors, this one still ends nothing
            warnings.warn(f"job {self.id}: {text}", JobWarning, stacklevel=2)


def _more_times(count: int) -> str:
    return f"… and on_row raised {count:,} more {'time' if count == 1 else 'times'}; the run went on"


class PastJob(Job):
    """A job of an earlier or another process: what its journal tells."""

    def _start(self) -> None:
        self._finished.set()
        self._ended.set()
        self._callbacks.shutdown()

    @property
    def status(self) -> Status:
        """``done``, ``interrupted`` (``rf.resume(job.id)`` goes on), or ``running`` in another process."""
        recorded = runs.load(self._work.settings.runs, self.id)
        self._work.outcomes = recorded.outcomes
        if recorded.sending:
            return "running"
        return "done" if recorded.meta["planned"] and not recorded.outcomes.counts()["not_sent"] else "interrupted"

    def results(self) -> pd.DataFrame:
        """Return the results frame as the journal has it now."""
        return load(self.id)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait while another process carries the run out."""
        waited = 0.0
        while self.status == "running":
            if timeout is not None and waited >= timeout:
                return False
            threading.Event().wait(TICK)
            waited += TICK
        return True

    def cancel(self) -> None:
        """Refuse: another process carries the run out, or nobody does.

        Raises
        ------
        ConfigurationError
            Always, with what to do.
        """
        raise ConfigurationError(f"job {self.id!r} is not this process's: interrupt it where it runs")

    def _outcome(self) -> pd.DataFrame:
        return self.results()


_jobs: LruDict[tuple[Path, str], Job] = LruDict(100, pinned=lambda job: job.status == "running")
"""Jobs of this process by the folder of their journals and their names; what it lets go, the journals have."""


def _remembered(run: str, folder: Path) -> Job | None:
    """Return this process's job of a name: one of another folder only where this one has no such run."""
    here = _jobs.get((folder.absolute(), run))
    if here is not None or journal_file.path_of(folder, run).exists():
        return here
    return next((other for (_, name), other in reversed(_jobs.items()) if name == run), None)


@takes_options
def submit(
    frame: pd.DataFrame,
    design_id: str | None = None,
    *,
    on_row: Callable[[Outcome], object] | None = None,
    on_done: Callable[[Job], object] | None = None,
    notify: str | Sequence[str] | None = None,
    queue: str | None = None,
    on_crash: OnCrash = "unknown",
    **arguments: Unpack[Arguments],
) -> Job:
    """Generate one document for each row in the background, and return at once.

    The work lives as long as the program: a script ends with ``job.wait()`` or ``job.result()``. One that ends
    before its job stops it, waits a few seconds for the calls in flight, and says on stderr how far it came and
    how to go on. What other machines carry out (``queue=``) goes on there: the program waits a few seconds until
    all of it is in the queue, and says how to come back to it.

    Parameters
    ----------
    design_id : str
        The design.
    on_row : callable, optional
        Called with each row's outcome as it comes: an object with the attributes ``row``, ``status``,
        ``file_name``, ``request_id``, ``error_kind``, ``error`` and the other columns of the results frame.
    on_done : callable, optional
        Called with the job once at the end. An exception in either is a warning on the job, never the end of the
        run.
    notify : str or list of str, optional
        Who is told at the end, as Apprise's addresses (extra ``notify``): ``"mailto://user:password@example.com"``,
        ``"slack://…"``. The message has the run's name, the counts, and the path of the workbook if ``on_done``
        wrote one; never the content of documents. A notification that fails is a warning on the job.
    queue : str, optional
        ``"redis://host:6379/0"``: the calls go there, and workers on any machines carry them out
        (``reportflow-pandas worker --queue redis://host:6379/0``). The contents of the documents are in that Redis
        until the calls are collected; no key ever is. The journal stays here and is the truth. None: this process
        sends.
    on_crash : {"unknown", "retry"}
        With a queue: what becomes of a call whose worker died while sending it. ``"unknown"``: its rows are
        ``unknown``, at most once. ``"retry"``: it is sent again, and its documents may exist twice.
    **arguments
        The shared arguments, as for ``generate``.

    Returns
    -------
    Job
        ``.progress``, ``.results()``, ``.wait()``, ``.result()``, ``.cancel()``; can be awaited.

    Raises
    ------
    ConfigurationError, InvalidRows
        What can be known without a look-up, also that there is no Redis at ``queue``; everything else is raised by
        ``.result()``.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> seen = []
    >>> with rf.use_local():
    ...     job = orders.head(3).reportflow.submit(
    ...         "invoice",
    ...         tables={"Lines": rf.Table(lines, on="InvoiceId")},
    ...         on_row=lambda outcome: seen.append(outcome.row),
    ...     )
    ...     results = job.result()
    >>> sorted(seen)
    [0, 1, 2]
    """
    for name, function in (("on_row", on_row), ("on_done", on_done)):
        if function is not None and not callable(function):
            raise ConfigurationError(f"{name}={function!r}: a function, called with the row or the job")
    notifier = Notifier(notify)
    work = Generation(frame, Options.of(design_id, arguments))
    if queue is not None:
        work.remote = Remote(queue, on_crash)
        event_loop.run(work.remote.check())
    return Job(work, on_row=on_row, on_done=on_done, notifier=notifier)


def job(run: str, *, queue: str | None = None) -> Job:
    """Return a job again: one of this process, or, after a restart of the kernel, the run's own.

    Parameters
    ----------
    run : str
        ``job.id``, the name of the run.
    queue : str, optional
        The Redis of a run that other machines carry out, where its address needs a password: no journal holds one.

    Returns
    -------
    Job
        A job of an earlier process has ended: its ``.results()`` are what the journal has, and
        ``rf.resume(run)`` goes on with what is left. One that other machines carry out goes on: its outcomes are
        collected again.

    Raises
    ------
    ConfigurationError
        There is no such run.
    """
    if queue is not None:
        Remote(queue)  # known from now on
    if (known := _remembered(run, current().runs)) is not None:
        return known
    settings = current().checked()
    work = Resumption(run, settings, positions=frozenset())
    if work.remote is not None and runs.awaited(settings.runs, run):
        recorded = runs.load(settings.runs, run)
        if recorded.meta["planned"] and not recorded.sending:
            event_loop.run(work.remote.check())
            return Job(work)
    past = PastJob(Resumption(run, settings))
    del _jobs[past.folder, run]
    return past
