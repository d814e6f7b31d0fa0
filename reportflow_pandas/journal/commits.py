"""Group commit: what arrives while a commit is under way goes into the next one, together."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, Protocol, Self, TypeVar

from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.schema import journal_error

__all__ = ["Commits", "Records", "write"]


class Records(Protocol):
    """What goes into one commit.

    Attributes
    ----------
    waiting : list of asyncio.Future
        Done when all this is on the disk.
    then : list of callable
        Called then, or with the reason why it is not.
    """

    waiting: list[asyncio.Future[None]]
    then: list[Callable[[JournalError | None], None]]

    def __bool__(self) -> bool:
        """Whether there is anything to write, or a caller to tell."""

    def apply(self, connection: sqlite3.Connection) -> None:
        """Write it, in a transaction."""

    def complete(self) -> None:
        """Describe what was only noted so far; told on the event loop when the commit begins."""

    def at_the_end(self, *, failed: bool) -> Self:
        """Return what is still to be written when nothing more can be sent; ``failed``: a commit has failed."""


R = TypeVar("R", bound=Records)


def write(connection: sqlite3.Connection, records: Records) -> None:
    """Commit records, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        records.apply(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


class Commits(Generic[R]):
    """Commits records in a thread of its own, in groups.

    Used from one event loop: a record is added there, and its future is done when the record is on the disk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Used by the thread alone from now on.
    path : pathlib.Path
        The ledger, for messages.
    new : callable
        Makes empty records.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, new: Callable[[], R]) -> None:
        self.open: R = new()
        """What the next commit will hold: add to it, then call `soon` or `committed`."""
        self.error: JournalError | None = None
        self.closed = False
        """Nothing is written any more."""
        self._new = new
        self._connection = connection
        self._path = path
        self._under_way: R | None = None
        self._busy = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unwritten: list[R] = []
        self._queue: SimpleQueue[R | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"ledger {path.stem}", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Commit what is open as soon as the commit under way is done."""
        if not self._busy and self.error is None:
            self._busy = True
            # two turns later: what other tasks record meanwhile goes along
            loop = self._own_loop()
            loop.call_soon(loop.call_soon, self._hand_over)

    def committed(self) -> asyncio.Future[None]:
        """Return a future that is done when everything that was added until now is on the disk.

        It holds a `JournalError` if that could not be.
        """
        future: asyncio.Future[None] = self._own_loop().create_future()
        if self.error is not None:
            _fail(future, self.error)
        elif not self._busy and not self.open:
            future.set_result(None)
        else:
            self.open.waiting.append(future)
            if not self._busy:
                self.soon()
        return future

    def tell(self, then: Callable[[JournalError | None], None]) -> None:
        """Call ``then`` when everything that was added until now is on the disk, or cannot be."""
        if self.error is not None:
            self._own_loop().call_soon(then, self.error)
        else:
            self.open.then.append(then)
            if not self._busy:
                self.soon()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        # asked for once: in Python 3.11 each look-up is a system call
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _hand_over(self) -> None:
        if not self.closed:
            records, self.open = self.open, self._new()
            self._under_way = records
            try:
                records.complete()
            except Exception as problem:  # noqa: BLE001 - as in the thread
                self._break(records, problem)
                self._done(records)
            else:
                self._queue.put(records)

    def _work(self) -> None:
        while (records := self._queue.get()) is not None:
            try:
                write(self._connection, records)
            except BaseException as problem:  # noqa: BLE001 - whatever it is, no task may wait for ever
                self._break(records, problem)
            loop = self._loop
            assert loop is not None  # noqa: S101 - records come from a loop
            with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
                loop.call_soon_threadsafe(self._done, records)

    def _break(self, records: R, problem: BaseException) -> None:
        """Take no records any more: some could not be written."""
        error = journal_error(self._path, problem)
        error.__cause__ = problem
        self._unwritten.append(records)
        self.error = error

    def _done(self, records: R) -> None:
        self._busy = False
        self._under_way = None
        self._tell(records)
        if self.error is not None:
            self._tell(self.open)
        elif self.open:
            self.soon()

    def _tell(self, records: R) -> None:
        error = self.error
        for future in records.waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                _fail(future, error)
        told, records.waiting, records.then = records.then, [], []
        for then in told:
            then(error)

    def close(self) -> None:
        """Commit what is left and end the thread; on the event loop's own thread, or when the loop has ended.

        After a failed commit the outcomes are tried once more: perhaps the disk has room again. A call whose
        intent was not seen on the disk by its sender was not sent, so its intent is taken back.
        """
        if self.closed:
            return
        self.closed = True
        self._queue.put(None)
        self._thread.join()
        left = [*self._unwritten, self.open]
        if self._under_way is not None and self._under_way not in left:
            left.insert(0, self._under_way.at_the_end(failed=True))
        self.open = self._new()
        for records in left:
            try:
                rest = records.at_the_end(failed=self.error is not None)
                if rest:
                    write(self._connection, rest)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the run's lock must be freed
                self.error = self.error or journal_error(self._path, problem)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._tell(records)
        self._connection.close()


def _fail(future: asyncio.Future[None], error: JournalError) -> None:
    """Give a future its error, seen: a caller that does not await it reads the error at the next record."""
    future.set_exception(error)
    future.exception()
