"""Jobs: a run in the background, which goes on while the analyst works and tells when it is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.argument_help import takes_options
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.execution.background import TICK_SECONDS, Background, JobWarning, Recorded, Status
from reportflow_pandas.execution.from_frame import FromFrame
from reportflow_pandas.execution.from_ledger import FromLedger
from reportflow_pandas.execution.run import Run
from reportflow_pandas.journal import runs, runs_folder
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notebook import panel
from reportflow_pandas.notify import Notifier
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.queue.messages import QUEUE_BACKOFF_SECONDS, OnCrash
from reportflow_pandas.queue.run_queue import RunQueue
from reportflow_pandas.settings import current

__all__ = ["Job", "JobWarning", "job", "started", "submit"]


class Job:
    """A run in the background. ``df.reportflow.submit`` returns one; ``rf.job(id)`` finds it again.

    In a notebook it displays as a panel.

    Attributes
    ----------
    id : str
        Name of the run.
    folder : pathlib.Path
        Where its journal is.

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

    def __init__(self, work: Background | Recorded) -> None:
        self._work = work
        self.id = work.id
        self.folder = work.folder

    def __repr__(self) -> str:
        """Say how far it is."""
        return f"<Job {self.id}: {self.status}, {self._work.summary()}>"

    def _ipython_display_(self) -> None:
        panel.show(self._work, repr(self))

    @property
    def status(self) -> Status:
        """``running``, ``done``, ``failed`` (as a whole: see ``result()``), ``cancelled`` or ``interrupted``."""
        return self._work.status

    @property
    def warnings(self) -> list[str]:
        """What looked odd in the rows before they were sent, and what failed beside the run.

        The latter are callbacks and notifications. Of an ``on_row`` that raises more than once, the first
        exception, and then how many more times.
        """
        return self._work.warnings

    @property
    def error(self) -> BaseException | None:
        """What ended the run as a whole; None: nothing did."""
        return self._work.error

    @property
    def progress(self) -> dict[str, int]:
        """Counts of rows: ``total``, ``done``, ``accepted``, ``ready``, ``failed``, ``unknown``, ``not_sent``.

        Of mails (``mail(…, background=True)``): of messages, with ``sent`` in place of ``accepted`` and ``ready``.
        And ``wait``: the seconds that the run still waits for a limit, or for the service.
        """
        return self._work.progress

    def results(self) -> pd.DataFrame:
        """Return the results frame so far; it never waits."""
        return self._work.results()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, at most ``timeout`` seconds; return whether it has."""
        return self._work.wait(timeout)

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
            raise TimeoutError(f"job {self.id} is still running; it goes on. {self._work.summary()}")
        return self._work.outcome()

    def cancel(self) -> None:
        """Stop sending. Calls in flight are waited for a few seconds or recorded as unknown; returns at once.

        Raises
        ------
        ConfigurationError
            Another process carries the run out: it is interrupted there.
        """
        self._work.cancel()

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        return self._awaited().__await__()

    async def _awaited(self) -> pd.DataFrame:
        # a ticker: an awaiting cell feels an interrupt only when its loop wakes, and the job is on another loop
        while not self._work.has_ended():  # noqa: ASYNC110
            await asyncio.sleep(TICK_SECONDS)
        return self._work.outcome()


_jobs: LruDict[tuple[Path, str], Job] = LruDict(100, pinned=lambda job: job.status == "running")
"""Jobs of this process by the folder of their journals and their names; what it lets go, the journals have."""


def _remembered(run: str, folder: Path) -> Job | None:
    """Return this process's job of a name: one of another folder only where this one has no such run."""
    here = _jobs.get((folder.absolute(), run))
    if here is not None or runs_folder.path_of(folder, run).exists():
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
        until the calls are collected; no key ever is. The journal stays here and is the truth. ``rediss://`` is
        TLS, ``redis+sentinel://host1:26379,host2:26379/mymaster/0`` asks sentinels; ``?prefix=app:reportflow`` is
        what the names of all keys begin with. User and password are percent-encoded. None: this process sends.
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
    if queue is not None and arguments.get("backoff") is None:
        arguments["backoff"] = QUEUE_BACKOFF_SECONDS
    source = FromFrame(frame, Options.of(design_id, arguments))
    machines = None
    if queue is not None:
        machines = RunQueue(queue, on_crash)
        event_loop.run(machines.check())
    return started(Background(Run(source, machines), on_row=on_row, notifier=notifier), on_done)


def started(work: Background, on_done: Callable[[Job], object] | None = None) -> Job:
    """Return the job of work that begins now; `job` finds it by its run."""
    job = _jobs[work.folder, work.id] = Job(work)
    if on_done is not None:
        work.on_done = partial(on_done, job)
    work.start()
    return job


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

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     name = orders.head(3).reportflow.submit(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}
    ...     ).id
    ...     results = rf.job(name).result()
    >>> rf.job(name).status, rf.job(name).progress["accepted"]
    ('done', 3)
    """
    if queue is not None:
        RunQueue(queue)  # its password is known to this process from now on
    if (known := _remembered(run, current().runs)) is not None:
        return known
    settings = current().checked()
    known_of = runs.summary(settings.runs, run)
    if known_of.queued and known_of.state not in ("unplanned", "sending") and runs.awaited(settings.runs, run):
        source = FromLedger(run, settings, positions=frozenset())
        if source.queue is not None:
            event_loop.run(source.queue.check())
            return started(Background(Run(source, source.queue)))
    return Job(Recorded(settings.runs, run))
