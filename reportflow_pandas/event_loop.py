"""Coroutines from synchronous code: the private event loop, Ctrl-C while a thread waits, nesting, cancellation.

The one place that knows of interrupts. It asks a run to end (`interrupt`), and waits until the run's backend has
drained what is in flight, for which that has its own grace time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, Generic, Literal, TypeVar

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.settings import Settings, current, when_configured

__all__ = [
    "TICK_SECONDS",
    "check_nesting",
    "make_reentrant",
    "private_loop",
    "run",
    "run_here",
]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

TICK_SECONDS = 0.1
"""Between two looks of a waiting thread or coroutine: an interrupt is felt, and the bar is painted, that often."""

LATE_INTERRUPT_SECONDS = 5.0
"""How long a loop may take to hear of an interrupt that came when the work was over."""

INTERRUPTS_UNTIL_LEFT_BEHIND = 3
"""So many interrupts, and work that does not end is left behind."""


# -- work under way -----------------------------------------------------------------------------------------


class _Work(Generic[T]):
    """A coroutine on a loop while a thread waits for it, and the interrupts that it was sent.

    ``interrupt`` is what the first interrupt does on the loop, so that the coroutine ends soon by itself; None:
    cancel it, as further interrupts do. ``ended`` is set when the task is done: a future of
    ``run_coroutine_threadsafe`` would say so too early, while cancelled tasks still unwind.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], interrupt: Callable[[], None] | None) -> None:
        self.ended = threading.Event()
        self.asked = 0
        """How often it was asked to end."""
        self._coroutine = coroutine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupt = interrupt
        self._heard = 0
        self._first_heard = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._broken_off: BaseException | None = None
        self._left_behind = False

    def start_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on a loop that runs in another thread."""
        self._loop = loop
        loop.call_soon_threadsafe(self.start_here, loop)

    def start_here(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Begin on a loop that runs in this thread."""
        self._loop = loop
        self._task = task = loop.create_task(self._carry_out())
        task.add_done_callback(self._done)
        self._stop()
        return task

    async def _carry_out(self) -> None:
        try:
            self._result.append(await self._coroutine)
        except BaseException as error:  # noqa: BLE001 - told to the waiting thread; SystemExit would end the loop
            self._error = error

    def _done(self, task: asyncio.Task[None]) -> None:
        self._coroutine.close()  # where it was cancelled before its first step
        if task.cancelled() and self._error is None:
            self._error = asyncio.CancelledError()
        self.ended.set()

    def ask_to_end(self) -> None:
        """Ask it to end; in any thread, in a signal handler too."""
        self.asked += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._task is None:  # asked before the start, which looks here again
            return
        while self._heard < self.asked:
            self._heard += 1
            if self._interrupt is None or self._heard > 1:
                self._task.cancel()
            else:
                _interrupted(self._interrupt, self._task)
            self._first_heard.set()

    def broken_off(self, reason: BaseException) -> None:
        """Note that the waiting was broken off by an exception, and ask the work to end."""
        if self._broken_off is None:
            self._broken_off = reason
        self.ask_to_end()

    def leave_behind(self) -> None:
        """Wait no longer for work that does not end."""
        self._left_behind = True

    def answer(self) -> T:
        """Return the result, or raise what ended the work."""
        broken_off = self._broken_off
        if broken_off is not None and not isinstance(broken_off, KeyboardInterrupt):
            raise broken_off
        if self.asked:
            if self._left_behind:
                raise KeyboardInterrupt(
                    "interrupted; a part of the work does not end (a callable of yours?) and was left behind"
                )
            # also when it came too late to stop anything: the caller must learn that it was heard
            if _running_loop() is self._loop:
                self._stop()
            self._first_heard.wait(LATE_INTERRUPT_SECONDS)
            if self._interrupt is None or not self._result:
                cause = None if isinstance(self._error, asyncio.CancelledError) else self._error
                raise (broken_off or KeyboardInterrupt()) from cause
        if self._error is not None:
            raise self._error
        return self._result[0]


def _interrupted(interrupt: Callable[[], None], task: asyncio.Future[Any]) -> None:
    """Have a task end in its own way, or cancel it where that fails."""
    try:
        interrupt()
    except Exception:
        log.exception("the run could not be stopped in its own way and is cancelled")
        task.cancel()


# -- Ctrl-C -------------------------------------------------------------------------------------------------


@contextmanager
def _interrupts_kept(interrupted: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupted`` in place of raising KeyboardInterrupt.

    Raised by Python's own handler, it could strike between any two bytecodes: after a run was started and before
    a thread waits for it, or in the handling of an earlier one. Handlers that the caller has installed are left
    alone, and so is "ignore"; other threads than the main one are never interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def noted(_number: int, _frame: FrameType | None) -> None:
        interrupted()

    before: dict[int, Any] = {}
    try:
        # SIGTERM too, where a command line has told it to act like Ctrl-C
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is signal.default_int_handler or _is_of_a_runner(handler):
                before[number] = handler
                signal.signal(number, noted)
        yield
    finally:
        for taken, handler in before.items():
            signal.signal(taken, handler)


def _is_of_a_runner(handler: object) -> bool:
    """Tell ``asyncio.run``'s handler: it only cancels the main task, which a waiting thread would not notice."""
    of_runner = getattr(asyncio.Runner, "_on_sigint", None)
    return isinstance(handler, functools.partial) and getattr(handler.func, "__func__", None) is of_runner


# -- the private loop ---------------------------------------------------------------------------------------


class _Private:
    """The loop of this process, in one daemon thread. A fork gets a fresh one: threads do not survive it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left: list[asyncio.AbstractEventLoop] = []
        self.thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is not None and self.thread is not None and self.thread.is_alive():
            return self._loop
        with self._lock:
            if self._loop is None or self.thread is None or not self.thread.is_alive():
                # a selector loop by name: where uvloop's policy rules, new_event_loop() would make one of its own
                self._loop = asyncio.SelectorEventLoop() if os.name != "nt" else asyncio.new_event_loop()
                self.thread = threading.Thread(target=_serve, args=(self._loop,), name="reportflow", daemon=True)
                self.thread.start()
            return self._loop

    def leave(self) -> None:
        """Have the next run get a fresh loop."""
        if self._loop is not None:
            # kept: closing it would pull the selector, which a fork shares with its parent, from under the other
            self._left.append(self._loop)
        self._loop = self.thread = None

    def forked(self) -> None:
        self._lock = threading.Lock()
        self.leave()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        # a callback of the user's that calls sys.exit() ends run_forever(), and must not end the loop of all runs
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()
            return


_private = _Private()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private.forked)


def private_loop() -> asyncio.AbstractEventLoop:
    """Return the process's private loop, running in its thread."""
    return _private.loop()


# -- running a coroutine ------------------------------------------------------------------------------------


def run(
    coroutine: Coroutine[Any, Any, T],
    *,
    paint: Callable[[], None] | None = None,
    interrupt: Callable[[], None] | None = None,
    how: Literal["thread", "nest"] | None = None,
) -> T:
    """Run a coroutine and wait for it, painting meanwhile.

    Parameters
    ----------
    coroutine : coroutine
        What to run.
    paint : callable, optional
        Called in this thread about ten times a second.
    interrupt : callable, optional
        Called on the loop when this thread is interrupted (Ctrl-C, "Interrupt kernel"); it must make the coroutine
        end soon by itself, and its caller has to raise. A second interrupt cancels it. None: the first one does.
    how : {"thread", "nest"}, optional
        ``"thread"``: on the private loop. ``"nest"``: on this thread's own running loop; where none runs there is
        nothing to nest in, and the private loop is used. None: as this process is configured.

    Returns
    -------
    object
        What the coroutine returns, also after an interrupt that ``interrupt`` was called for.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt that the coroutine did not answer with a result of its own, when it has ended and
        nothing of it is left behind.
    ConfigurationError
        Called from the private loop's own thread, which would wait for itself; or nesting is not possible here.
    """
    if threading.current_thread() is _private.thread:
        coroutine.close()
        raise ConfigurationError(
            "this was called from inside a run (by on_row, on_done or a callable in params=), which would wait "
            "for itself for ever. Call it when the run is over"
        )
    work = _Work(coroutine, interrupt)
    with _interrupts_kept(work.ask_to_end):
        own = _running_loop() if (how or current().loop) == "nest" else None
        if own is not None:
            try:
                make_reentrant(own)
            except BaseException:
                coroutine.close()
                raise
            _wait_nested(work, own, paint)
        else:
            work.start_on(private_loop())
            _wait(work, paint)
    # only here, for a signal may have come until the handlers were put back
    return work.answer()


def _wait(work: _Work[T], paint: Callable[[], None] | None) -> None:
    while not work.ended.is_set():
        try:
            while not work.ended.wait(TICK_SECONDS):
                if paint is not None:
                    paint()
                if work.asked >= INTERRUPTS_UNTIL_LEFT_BEHIND:
                    _private.leave()
                    work.leave_behind()
                    return
        except BaseException as reason:  # noqa: BLE001 - a signal handler of the caller's raised; see `_Work.answer`
            work.broken_off(reason)


async def run_here(
    coroutine: Coroutine[Any, Any, T], *, paint: Callable[[], None], interrupt: Callable[[], None]
) -> T:
    """Await a coroutine on the caller's own loop; a cancellation interrupts it, and comes out as it went in.

    The wait wakes ten times a second: an awaiting cell feels an interrupt only when its loop wakes.

    Parameters
    ----------
    coroutine : coroutine
        What to run.
    paint : callable
        Called about ten times a second.
    interrupt : callable
        Called at the first cancellation; it must make the coroutine end soon by itself. Further ones change
        nothing, because a scope of anyio cancels at every step of the loop until its block is left.

    Raises
    ------
    asyncio.CancelledError
        The very one that was thrown in, when the coroutine has ended: time-outs and scopes know theirs by it.
        What ended the coroutine otherwise is its cause.
    """
    task = asyncio.ensure_future(coroutine)
    thrown: asyncio.CancelledError | None = None
    try:
        while not task.done():
            try:
                await asyncio.wait([task], timeout=TICK_SECONDS)
            except asyncio.CancelledError as cancelled:
                if thrown is None:
                    thrown = cancelled
                    _interrupted(interrupt, task)
            paint()
    finally:
        task.cancel()  # where this coroutine is closed and not awaited to its end
    if thrown is None:
        return task.result()
    if not task.cancelled() and (error := task.exception()) is not None:
        thrown.__cause__ = error
    raise thrown


# -- nesting ------------------------------------------------------------------------------------------------
#
# Nothing here patches anything unless rf.configure(loop="nest") asks for it. Patching is for the whole process and
# cannot be undone, so everything is checked before it.

DEFAULT_WAY = "Leave it at rf.configure(loop='thread'), the default: it works in every notebook"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, as in a notebook's cell; None in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def check_nesting(settings: Settings) -> None:
    """Refuse ``loop="nest"`` where it would do damage; nothing is patched.

    Raises
    ------
    ConfigurationError
        The running loop is of a type that cannot be patched, or the only package to patch it with breaks this
        kernel.
    """
    if settings.loop == "nest":
        _patcher(_running_loop())


def make_reentrant(loop: asyncio.AbstractEventLoop) -> None:
    """Patch the running loop, and with it asyncio, for the rest of this process."""
    _patcher(loop).apply(loop)


def _wait_nested(work: _Work[T], loop: asyncio.AbstractEventLoop, paint: Callable[[], None] | None) -> None:
    """Run a loop that runs already until the work has ended and nothing of it is left."""
    task = work.start_here(loop)

    async def watch() -> None:
        # `ended` is set by a callback, a step of the loop after the task is done
        while not work.ended.is_set():
            await asyncio.wait([task], timeout=TICK_SECONDS)
            if paint is not None:
                paint()

    while not work.ended.is_set():
        try:
            loop.run_until_complete(loop.create_task(watch()))
        except BaseException as reason:  # noqa: BLE001 - see `_Work.answer`
            work.broken_off(reason)


def _patcher(loop: asyncio.AbstractEventLoop | None) -> Any:
    """Return the package that can patch this loop."""
    if loop is not None and not isinstance(loop, asyncio.BaseEventLoop):
        # before apply(): a failed one leaves asyncio half patched
        kind = type(loop)
        raise ConfigurationError(
            f"loop='nest': this notebook's event loop is a {kind.__module__}.{kind.__qualname__}, which cannot be "
            f"nested. {DEFAULT_WAY}, on this loop too"
        )
    kept_up = _package("nest_asyncio2")
    if kept_up is not None:
        return kept_up
    reason = ""
    if sys.version_info >= (3, 14):
        reason = "on Python 3.14 and later it breaks time-outs"
    elif _ipykernel() >= 7:
        reason = f"with ipykernel {_ipykernel()} it loses the cells that wait behind the running one"
    if reason:
        raise ConfigurationError(
            f"loop='nest': only nest-asyncio is installed, whose last version 1.6.0 is not kept up: {reason}. "
            f"Install its successor, pip install nest_asyncio2. Or: {DEFAULT_WAY}"
        )
    old = _package("nest_asyncio")
    if old is None:
        raise ConfigurationError(
            f"loop='nest' needs a package that is missing: pip install nest_asyncio2. Or: {DEFAULT_WAY}"
        )
    return old


def _package(name: str) -> ModuleType | None:
    """Return a package if it is installed; importing it patches nothing."""
    return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


def _ipykernel() -> int:
    """Return the major version of the ipykernel in use, 0 outside a kernel."""
    module = sys.modules.get("ipykernel")
    return int(str(getattr(module, "__version__", "0")).split(".")[0]) if module is not None else 0


when_configured(check_nesting)
