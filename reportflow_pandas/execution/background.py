"""A run in the background: on the private loop, with the user's callbacks in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reportflow_pandas import event_loop, exit_hook
from reportflow_pandas.engine.outcomes import Outcome
from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.errors import ConfigurationError, ReportFlowError, RunInterrupted
from reportflow_pandas.execution.execute import PLANNING_GRACE_SECONDS
from reportflow_pandas.execution.from_ledger import index_of, recorded_results
from reportflow_pandas.execution.run import kind_of
from reportflow_pandas.execution.work import Work
from reportflow_pandas.journal import runs
from reportflow_pandas.next_steps import cut_short, elsewhere
from reportflow_pandas.notebook.panel import Snapshot
from reportflow_pandas.notify import Notifier, ended, workbook_of
from reportflow_pandas.printable import counted
from reportflow_pandas.results.summary import in_one_line

__all__ = [
    "EXIT_WAIT_SECONDS",
    "TICK_SECONDS",
    "Background",
    "JobWarning",
    "Recorded",
    "Status",
    "because_of_python",
]

log = logging.getLogger("reportflow_pandas")

Status = Literal["running", "done", "failed", "cancelled", "interrupted"]

TICK_SECONDS = 0.1
"""Between two looks of a waiting thread: an interrupt is felt that often."""

EXIT_WAIT_SECONDS = SHUTDOWN_GRACE_SECONDS + PLANNING_GRACE_SECONDS + 2.0
"""How long the end of the program waits for a run: for what is in flight, for writing down, and a little more."""

LOOK_SECONDS = 0.05
"""Between two looks whether other machines have all of a run."""

_CALLBACKS = "reportflow-callbacks"


class JobWarning(UserWarning):
    """Something beside the run failed: a callback or a notification. The run went on."""


class Background:
    """A run of this process that goes on while its caller does other things.

    Parameters
    ----------
    run : Work
        What is carried out: a run, or its mails.
    on_row : callable, optional
        Told of each row's outcome, in the thread of callbacks.
    on_done : callable, optional
        Called once at the end, without arguments.
    notifier : Notifier, optional
        Tells people at the end.
    """

    def __init__(
        self,
        run: Work,
        *,
        on_row: Callable[[Outcome], object] | None = None,
        on_done: Callable[[], object] | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.id = run.name
        self.folder = run.settings.runs.absolute()
        self.run = run
        self.error: BaseException | None = None
        self.finished = threading.Event()
        """The results are known; callbacks may still be at work."""
        self.ended = threading.Event()
        """The callbacks have returned too."""
        self.on_done = on_done
        self._failed_beside: list[str] = []
        self._on_row = on_row
        self._notifier = notifier
        self._results: pd.DataFrame | None = None
        self._raised = 0
        self._at_exit = _AtExit(self)
        # callbacks are the user's code: they get a thread of their own and may take their time
        self._callbacks = ThreadPoolExecutor(1, thread_name_prefix=_CALLBACKS)
        if on_row is not None:
            run.on_row = self._row_known
        if run.queue is not None:
            run.queue.warn = self.warn

    def start(self) -> None:
        """Begin; returns at once."""
        exit_hook.watch(self._at_exit)
        asyncio.run_coroutine_threadsafe(self._carry_out(), event_loop.private_loop())

    @property
    def status(self) -> Status:
        """As `Job.status`."""
        if not self.finished.is_set():
            return "running"
        if self.error is not None:
            return "failed"
        return "cancelled" if self.run.interrupted else "done"

    @property
    def warnings(self) -> list[str]:
        """As `Job.warnings`."""
        return [*self.run.warnings, *self._failed_beside]

    @property
    def progress(self) -> dict[str, int]:
        """As `Job.progress`."""
        return {**self.run.counts(), "wait": math.ceil(max(self.run.progress.wait, self.run.progress.outage))}

    def snapshot(self, failures: int) -> Snapshot:
        """Return how far it is, for its panel."""
        return Snapshot(
            self.run.clock.monotonic(),
            self.status,
            self.run.counts(),
            self.run.progress.wait,
            self.run.failures(failures),
            str(self.error or ""),
            self.run.pdf_folder,
            self.run.no_pdf(),
            self.run.progress.outage,
            self.run.progress.reason,
            self.run.listed_in,
        )

    def summary(self) -> str:
        """Return it in one line."""
        return self.run.summary()

    def results(self) -> pd.DataFrame:
        """Return the results frame so far; it never waits."""
        return self.run.results() if self._results is None else self._results

    def has_ended(self) -> bool:
        """Tell whether there is nothing more to wait for."""
        # on_done may ask for the result itself; everything else waits until it has returned
        inside = threading.current_thread().name.startswith(_CALLBACKS)
        return (self.finished if inside else self.ended).is_set()

    def wait(self, timeout: float | None) -> bool:
        """Wait for its end, at most so many seconds; return whether it has come."""
        inside = threading.current_thread().name.startswith(_CALLBACKS)
        event = self.finished if inside else self.ended
        waited = 0.0
        while not event.is_set():
            pause = TICK_SECONDS if timeout is None else min(TICK_SECONDS, timeout - waited)
            if pause <= 0:
                return False
            event.wait(pause)
            waited += pause
        return True

    def outcome(self) -> pd.DataFrame:
        """Return the results of a run that has ended, or raise what ended it."""
        if self.error is not None:
            raise self.error
        if self.run.interrupted:
            raise RunInterrupted(self.run.goodbye(), self.results())
        return self.results()

    def cancel(self) -> None:
        """Stop sending; returns at once."""
        if not self.finished.is_set():
            with contextlib.suppress(RuntimeError):
                event_loop.private_loop().call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        if not self.run.progress.ended:  # else only its callbacks are still at work, and nothing is cut off
            self.run.interrupt()

    # -- its end ---------------------------------------------------------------------------------------------

    async def _carry_out(self) -> None:
        try:
            self._results = await self.run.carry_out()
        except ReportFlowError as error:
            self.error, self._results = error, error.results
        except BaseException as error:
            self.error = error
            raise
        finally:
            try:
                self._callbacks.submit(self._end)
            except RuntimeError:  # the program is ending and starts nothing more in its pools
                self._end()

    def _end(self) -> None:
        """End, after every ``on_row``: ``on_done`` first, then notifications, then those who wait."""
        try:
            if self._results is None:
                self._results = self.run.results()
            self.finished.set()
            if self._raised > 1:
                self._say(_more_times(self._raised - 1))
            if self.error is None and not self.run.interrupted and (told := self.run.closing_words()):
                self.warn(told)
            if self.on_done is not None:
                self._call("on_done", self.on_done)
            if self._notifier:
                self._tell(self._notifier)
        finally:
            self.finished.set()
            self.ended.set()
            exit_hook.unwatch(self._at_exit)
            self._callbacks.shutdown(wait=False)

    def _tell(self, notifier: Notifier) -> None:
        run = self.results().attrs["reportflow"]
        message = ended(
            self.id,
            self.run.counts(),
            design=run["design"] or run["design_id"],
            saved=int(self.results()["path"].notna().sum()),
            folder=run["download"],
            workbook=workbook_of(run),
            stopped="cancelled" if self.run.interrupted else kind_of(self.error),
            way_on=self.run.way_on(),
        )
        for problem in notifier.tell(message):
            self.warn(problem)

    # -- the user's code -------------------------------------------------------------------------------------

    def _row_known(self, outcome: Outcome) -> None:
        if self._on_row is not None:
            self._callbacks.submit(self._call, "on_row", self._on_row, outcome)

    def _call(self, name: str, function: Callable[..., object], *values: object) -> None:
        try:
            function(*values)
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
            self._failed_beside.append(_more_times(1))
        else:
            self._failed_beside[self._failed_beside.index(_more_times(more - 1))] = _more_times(more)

    def warn(self, text: str) -> None:
        """Note that something beside the run failed."""
        self._failed_beside.append(text)
        self._say(text)

    def _say(self, text: str) -> None:
        log.warning("job %s: %s", self.id, text)
        with contextlib.suppress(JobWarning):  # where warnings are errors, this one still ends nothing
            warnings.warn(f"job {self.id}: {text}", JobWarning, stacklevel=2)


def because_of_python(error: BaseException) -> str:
    """Say why nothing could begin at the end of the program: https://github.com/python/cpython/issues/113964."""
    early = (3, 12) <= sys.version_info < (3, 12, 3) and isinstance(error, RuntimeError) and "thread" in str(error)
    return "Python 3.12.0 to 3.12.2 start no thread once a script has ended; newer ones do. " if early else ""


def _more_times(count: int) -> str:
    return f"… and on_row raised {counted(count, 'more time')}; the run went on"


class _AtExit:
    """What the end of the program does about a run in the background."""

    def __init__(self, work: Background) -> None:
        self._work = work

    @property
    def patience_seconds(self) -> float:
        """How long it is waited for."""
        return EXIT_WAIT_SECONDS

    def leave(self) -> bool:
        """Stop what this process sends; return whether the run has to be waited for."""
        if self._work.finished.is_set():
            return False
        if self._work.run.queue is None:
            self._work.cancel()
        return True

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or goes on without this process: other machines have all of it."""
        work, end = self._work, time.monotonic() + seconds
        while not work.ended.is_set() and (left := end - time.monotonic()) > 0:
            dispatch = work.run.dispatch
            if dispatch is not None and dispatch.fed:
                if dispatch.awaited:
                    work.run.on_row = None  # its thread of callbacks ends now
                    return
                work.cancel()  # what is left is done here: downloads
            work.ended.wait(min(LOOK_SECONDS, left))

    def last_words(self) -> str:
        """Return what became of a run that the end of the program cut off; nothing if it came to its end."""
        run, error = self._work.run, self._work.error
        if not run.progress.ended and run.queue is not None:
            dispatch = run.dispatch
            became = elsewhere(
                self._work.results().attrs["reportflow"],
                run.counts(),
                awaited=dispatch.awaited if dispatch is not None else 0,
                fed=dispatch is not None and dispatch.fed,
                password=run.queue.needs_password,
            )
        elif not run.progress.ended:
            became = cut_short(run.name)
        elif error is not None:
            became = f"{type(error).__name__}: {error}. {because_of_python(error)}{run.summary()}; {run.way_on()}"
        elif not run.interrupted or run.complete:
            return ""
        else:
            became = run.goodbye(raised=False)
        said = (
            f"the program ended before it did. {' '.join(became.split())}. job.wait() or job.result() waits for it"
        )
        return f"job {run.name}: {said}"


class Recorded:
    """A run of an earlier or another process: what its ledger tells. Nothing is written.

    Parameters
    ----------
    folder : pathlib.Path
        The runs' folder.
    run : str
        The run's name.

    Raises
    ------
    ConfigurationError
        There is no such run.
    """

    error: BaseException | None = None

    def __init__(self, folder: Path, run: str) -> None:
        self.id = run
        self.folder = folder.absolute()
        runs.summary(self.folder, run)

    @property
    def warnings(self) -> list[str]:
        """As `Job.warnings`: what looked odd in the rows; what failed beside the run is in no ledger."""
        return list(runs.summary(self.folder, self.id).warnings)

    @property
    def status(self) -> Status:
        """``done``, ``interrupted`` (``rf.resume(id)`` goes on), or ``running`` in another process."""
        return self._status(runs.summary(self.folder, self.id))

    def _status(self, known: runs.Summary) -> Status:
        if known.state == "sending":
            return "running"
        return "done" if known.state != "unplanned" and not known.counts["not_sent"] else "interrupted"

    @property
    def progress(self) -> dict[str, int]:
        """As `Job.progress`; what another process waits for is not known here."""
        return {**self._counts(runs.summary(self.folder, self.id)), "wait": 0}

    def _counts(self, known: runs.Summary) -> dict[str, int]:
        return {"total": known.rows, "done": known.rows - known.counts["not_sent"], **known.counts}

    def snapshot(self, failures: int) -> Snapshot:
        """Return how far it is, for its panel; reads the ledger."""
        known = runs.summary(self.folder, self.id)
        found: list[tuple[Any, Outcome]] = []
        if known.counts["failed"]:
            recorded = runs.load(self.folder, self.id)
            outcomes, index = recorded.outcomes, index_of(recorded.meta, recorded.frame)
            found = [(index[at], outcomes[at]) for at in outcomes.first_failed(failures)]
        return Snapshot(time.monotonic(), self._status(known), self._counts(known), failures=found)

    def summary(self) -> str:
        """Return it in one line."""
        return in_one_line(runs.summary(self.folder, self.id).counts)

    def results(self) -> pd.DataFrame:
        """Return the results frame as the ledger has it now."""
        return recorded_results(self.folder, self.id)

    def has_ended(self) -> bool:
        """Tell whether no process carries it out."""
        return not runs.is_sending(self.folder, self.id)

    def wait(self, timeout: float | None) -> bool:
        """Wait while another process carries the run out."""
        waited = 0.0
        while not self.has_ended():
            if timeout is not None and waited >= timeout:
                return False
            threading.Event().wait(TICK_SECONDS)
            waited += TICK_SECONDS
        return True

    def outcome(self) -> pd.DataFrame:
        """Return the results."""
        return self.results()

    def cancel(self) -> None:
        """Refuse: another process carries the run out, or none does.

        Raises
        ------
        ConfigurationError
            Always, with what to do.
        """
        raise ConfigurationError(f"job {self.id!r} is not this process's: interrupt it where it runs")
