"""Group commit: what arrives while a commit is under way goes into the next one, together."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from reportflow_pandas.engine.journal_file import journal_error
from reportflow_pandas.errors import JournalError

__all__ = ["Commits", "Records", "write"]

_DOCUMENTS = "INSERT INTO documents VALUES (?, ?, ?, ?)"
_CONTENTS = "INSERT INTO contents VALUES (?, ?, ?)"
_ROWS = "INSERT INTO rows VALUES (?, ?, ?, ?, ?)"
_CALL = "INSERT INTO calls VALUES (?, ?, ?, ?)"
# a second writing of one record, after a commit that failed in between, changes nothing
_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"
_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_MARK = """
INSERT INTO marks (number, status, file_id, request_id, path, error_kind, error, http_status, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET
    status = CASE WHEN marks.status = 'ready' THEN 'ready' ELSE coalesce(excluded.status, marks.status) END,
    file_id = coalesce(excluded.file_id, marks.file_id),
    request_id = coalesce(excluded.request_id, marks.request_id),
    path = coalesce(excluded.path, marks.path),
    error_kind = excluded.error_kind, error = excluded.error, http_status = excluded.http_status,
    at = excluded.at
"""

Mark = tuple[int, str | None, str | None, str | None, str | None, str | None, str | None, int | None, float]


@dataclass(eq=False, slots=True)
class Records:
    """What goes into one commit, in the order in which it is written."""

    new_frame: bool = False
    """The rows of the frame before are forgotten first; their documents stay."""
    documents: list[tuple[int, bytes, bytes, bytes | None]] = field(default_factory=list)
    contents: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    calls: list[tuple[int, str, str, float]] = field(default_factory=list)
    answers: list[tuple[int, float | None, str, bytes | None]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    meta: list[tuple[str, str]] = field(default_factory=list)
    drops: list[tuple[int, int]] = field(default_factory=list)
    """Stretches of numbers, the first and how many, whose contents are no longer needed."""
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    then: list[Callable[[JournalError | None], None]] = field(default_factory=list)
    """Told when all this is on the disk, or why it is not."""

    def __bool__(self) -> bool:
        return bool(
            self.calls
            or self.answers
            or self.documents
            or self.rows
            or self.marks
            or self.meta
            or self.drops
            or self.waiting
            or self.then
            or self.new_frame
        )


def write(connection: sqlite3.Connection, records: Records) -> None:
    """Commit records, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if records.new_frame:
            connection.execute("DELETE FROM rows")
        for statement, lines in (
            (_DOCUMENTS, records.documents),
            (_CONTENTS, records.contents),
            (_ROWS, records.rows),
            (_CALL, records.calls),
            (_ANSWER, records.answers),
            (_MARK, records.marks),
            (_META, records.meta),
        ):
            if lines:
                connection.executemany(statement, lines)
        if records.drops:
            _drop(connection, records.drops)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _drop(connection: sqlite3.Connection, dropped: list[tuple[int, int]]) -> None:
    """Drop the contents of documents, given as stretches; calls that were accepted side by side mostly touch."""
    merged: list[list[int]] = []
    for first, documents in sorted(dropped):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], first + documents)
        else:
            merged.append([first, first + documents])
    for first, end in merged:
        connection.execute(
            "DELETE FROM contents WHERE first >= ? AND first < ? AND first + length(sizes) / 4 <= ?",
            (first, end, end),
        )
        _drop_some(connection, first, end)


def _drop_some(connection: sqlite3.Connection, first: int, end: int) -> None:
    """Drop what of a stretch lies in lines that hold other documents too."""
    blocks = connection.execute(
        "SELECT first, sizes, content FROM contents WHERE first < :end AND first + length(sizes) / 4 > :first AND "
        "first >= coalesce((SELECT max(first) FROM contents WHERE first <= :first), 0)",
        {"first": first, "end": end},
    ).fetchall()
    for start, packed, content in blocks:
        sizes = unpacked(packed)
        kept, at = bytearray(), 0
        for number, size in enumerate(sizes, start):
            if first <= number < end:
                sizes[number - start] = 0
            else:
                kept += content[at : at + size]
            at += size
        if kept:
            connection.execute(
                "UPDATE contents SET content = ?, sizes = ? WHERE first = ?",
                (bytes(kept), packed_sizes(sizes), start),
            )
        else:
            connection.execute("DELETE FROM contents WHERE first = ?", (start,))


def packed_sizes(sizes: list[int] | array[int]) -> bytes:
    """Return sizes, or positions, as 4 little-endian bytes each."""
    packed = array("I", sizes)
    if _BIG_ENDIAN:
        packed.byteswap()
    return packed.tobytes()


def unpacked(packed: bytes) -> array[int]:
    """Return what `packed_sizes` wrote."""
    sizes = array("I", packed)
    if _BIG_ENDIAN:
        sizes.byteswap()
    return sizes


_BIG_ENDIAN = array("I", [1]).tobytes() != b"\x01\x00\x00\x00"


class Commits:
    """Commits records in a thread of its own, in groups.

    Used from one event loop: a record is added there, and its future is done when the record is on the disk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Used by the thread alone from now on.
    path : pathlib.Path
        The journal, for messages.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.open = Records()
        """What the next commit will hold: add to it, then call `soon` or `committed`."""
        self.error: JournalError | None = None
        self._connection = connection
        self._path = path
        self._busy = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unwritten: list[Records] = []
        self._queue: SimpleQueue[Records | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"journal {path.stem}", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Commit what is open as soon as the commit under way is done."""
        if not self._busy and self.error is None:
            self._busy = True
            # a turn later: what other tasks record in this turn goes along
            self._own_loop().call_soon(self._hand_over)

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
            self.soon()
        return future

    def tell(self, then: Callable[[JournalError | None], None]) -> None:
        """Call ``then`` when everything that was added until now is on the disk, or cannot be."""
        if self.error is not None:
            self._own_loop().call_soon(then, self.error)
        else:
            self.open.then.append(then)
            self.soon()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        # asked for once: in Python 3.11 each look-up is a system call
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _hand_over(self) -> None:
        if not self._closed:
            records, self.open = self.open, Records()
            self._queue.put(records)

    def _work(self) -> None:
        while (records := self._queue.get()) is not None:
            try:
                write(self._connection, records)
            except BaseException as problem:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                error = journal_error(self._path, problem)
                error.__cause__ = problem
                self._unwritten.append(records)
                self.error = error
            loop = self._loop
            assert loop is not None  # noqa: S101 - records come from a loop
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._done, records)

    def _done(self, records: Records) -> None:
        self._busy = False
        self._tell(records)
        if self.error is not None:
            self._tell(self.open)
        elif self.open:
            self.soon()

    def _tell(self, records: Records) -> None:
        for future in records.waiting:
            if not future.done():
                if self.error is None:
                    future.set_result(None)
                else:
                    _fail(future, self.error)
        told, records.waiting, records.then = records.then, [], []
        for then in told:
            then(self.error)

    def close(self) -> None:
        """Commit what is left and end the thread; on the event loop's own thread, or when the loop has ended.

        After a failed commit the outcomes are tried once more: perhaps the disk has room again. A call whose
        intent is not on the disk was not sent, so it is left out.
        """
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        left = [*self._unwritten, self.open]
        self.open = Records()
        for records in left:
            answered = {answer[0] for answer in records.answers}
            # cleared all the same: a commit that failed at its very end may be there nevertheless
            records.answers += [(call[0], None, "", None) for call in records.calls if call[0] not in answered]
            records.calls = [call for call in records.calls if call[0] in answered]
            if self.error is not None:
                records.documents, records.contents, records.rows, records.meta = [], [], [], []
                records.new_frame = False
            try:
                if records:
                    write(self._connection, records)
            except sqlite3.Error as problem:
                self.error = self.error or journal_error(self._path, problem)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._tell(records)
        self._connection.close()


def _fail(future: asyncio.Future[None], error: JournalError) -> None:
    """Give a future its error, seen: whoever does not await it reads the error at the next record."""
    future.set_exception(error)
    future.exception()
