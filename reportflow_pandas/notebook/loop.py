"""The private event loop: one daemon thread, so that work never touches the caller's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.notebook import nest
from reportflow_pandas.notebook.carried import Carried
from reportflow_pandas.notebook.signals import kept_for
from reportflow_pandas.settings import current

__all__ = ["SLICE", "private_loop", "run"]

SLICE = 0.1
"""Seconds that the calling thread waits at a time: the bar is painted that often."""

PATIENCE = 3
"""So many interrupts, and work that does not end is left to itself."""

T = TypeVar("T")


class _Private:
    """The loop of this process. A fork gets a fresh one: threads do not survive it."""

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
        # a callback of the user's that calls sys.exit() ends run_forever(), and must not end everybody's loop
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()
            return


_private = _Private()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private.forked)


def private_loop() -> asyncio.AbstractEventLoop:
    """Return the process's private loop, running in its thread."""
    return _private.loop()


def run(
    work: Coroutine[Any, Any, T],
    *,
    paint: Callable[[], None] | None = None,
    interrupt: Callable[[], None] | None = None,
    how: Literal["thread", "nest"] | None = None,
) -> T:
    """Run a coroutine and wait for it, painting meanwhile.

    Parameters
    ----------
    work : coroutine
        What to run.
    paint : callable, optional
        Called in this thread about ten times a second.
    interrupt : callable, optional
        Called on the loop when this thread is interrupted (Ctrl-C, "Interrupt kernel"); it must make ``work``
        end soon by itself, and its caller has to raise. A second interrupt cancels ``work``. None: the first
        one does.
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
        work.close()
        raise ConfigurationError(
            "this was called from inside a run (by on_row, on_done or a callable in params=), which would wait "
            "for itself for ever. Call it when the run is over"
        )
    carried = Carried(work, interrupt)
    with kept_for(carried.ask_to_end):
        own = nest.running_loop() if (how or current().loop) == "nest" else None
        if own is not None:
            try:
                nest.make_reentrant(own)
            except BaseException:
                work.close()
                raise
            nest.wait(carried, own, paint, SLICE)
        else:
            carried.start_on(private_loop())
            _wait(carried, paint)
    # only here, for a signal may have come until the handlers were put back
    return carried.answer()


def _wait(carried: Carried[T], paint: Callable[[], None] | None) -> None:
    while not carried.ended.is_set():
        try:
            while not carried.ended.wait(SLICE):
                if paint is not None:
                    paint()
                if carried.asked >= PATIENCE:
                    _private.leave()
                    carried.give_up()
                    return
        except BaseException as reason:  # noqa: BLE001 - a signal handler of the caller's raised; see `Carried.answer`
            carried.broken_off(reason)
