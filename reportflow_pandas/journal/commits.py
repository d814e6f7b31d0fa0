"""Group commit: what arrives while a commit is under way goes into the next one, together."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.journal_file import journal_error
from reportflow_pandas.journal.spans import numbers_in, spans

__all__ = ["Commits", "Records", "write"]

N = TypeVar("N", int, float)

_DOCUMENTS = "INSERT INTO documents VALUES (?, ?, ?, ?)"
_CONTENTS = "INSERT INTO contents VALUES (?, ?, ?)"
_ROWS = "INSERT INTO rows VALUES (?, ?, ?, ?, ?)"
# a second writing of one record, after a commit that failed at its very end, changes nothing
_CALLS = "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)"
_ANSWERS = (
    "INSERT INTO answers (calls, numbers, answered_at, moments, statuses, outcomes) VALUES (?, ?, ?, ?, ?, ?)"
)
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
Answers = tuple[str, str, float | None, bytes | None, str, bytes | None]
"""A line of that table: calls that were answered side by side."""


@dataclass(eq=False, slots=True)
class Records:
    """What goes into one commit, in the order in which it is written."""

    new_frame: bool = False
    """The rows of the frame before are forgotten first; their documents stay."""
    documents: list[tuple[int, bytes, bytes, bytes | None]] = field(default_factory=list)
    contents: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    calls: list[tuple[int, str, Sequence[int]]] = field(default_factory=list)
    """Number, endpoint and documents of calls that are about to be sent."""
    started_at: float = 0.0
    noted: list[tuple[int, Sequence[int], float]] = field(default_factory=list)
    """Number, rows and moment of calls that were answered: become a line of ``answers`` when the commit begins."""
    answers: list[Answers] = field(default_factory=list)
    cleared: list[tuple[int, float]] = field(default_factory=list)
    """Number and moment of calls that were definitely refused."""
    unsent: list[int] = field(default_factory=list)
    """Numbers of calls whose intent is perhaps on the disk, and that were not sent."""
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
            or self.noted
            or self.answers
            or self.cleared
            or self.unsent
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
            (_CALLS, _lines_of_calls(records)),
            (_ANSWERS, records.answers + _lines_of_no_answers(records)),
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


def _lines_of_calls(records: Records) -> list[tuple[int, str, str, float]]:
    """Return calls whose numbers follow each other in one line."""
    lines: list[tuple[int, str, list[str]]] = []
    for call, endpoint, numbers in records.calls:
        if lines and lines[-1][1] == endpoint and lines[-1][0] + len(lines[-1][2]) == call:
            lines[-1][2].append(spans(numbers))
        else:
            lines.append((call, endpoint, [spans(numbers)]))
    return [(first, endpoint, ";".join(parts), records.started_at) for first, endpoint, parts in lines]


def _lines_of_no_answers(records: Records) -> list[Answers]:
    lines: list[Answers] = []
    if records.cleared:
        moments = [moment for _, moment in records.cleared]
        calls = spans([call for call, _ in records.cleared])
        lines.append((calls, "", max(moments), packed_moments(moments), "", None))
    if records.unsent:
        lines.append((spans(records.unsent), "", None, None, "", None))
    return lines


_LINE_OF = """
SELECT first, sizes, content FROM contents
WHERE first >= coalesce((SELECT max(first) FROM contents WHERE first <= :number), 0)
AND first + length(sizes) / 4 > :number ORDER BY first LIMIT 1
"""
"""The line that holds a document, or else the next one."""


def _drop(connection: sqlite3.Connection, dropped: list[tuple[int, int]]) -> None:
    """Drop the contents of documents, given as stretches, line by line."""
    left = deque(sorted((first, first + documents) for first, documents in dropped))
    while left:
        line = connection.execute(_LINE_OF, {"number": left[0][0]}).fetchone()
        if line is None:
            return
        start, packed, content = line
        before = unpacked(packed)
        end, sizes = start + len(before), before[:]
        while left and left[0][0] < end:
            first, last = left.popleft()
            for number in range(max(first, start), min(last, end)):
                sizes[number - start] = 0
            if last > end:
                left.appendleft((end, last))
                break
        if not any(sizes):
            connection.execute("DELETE FROM contents WHERE first = ?", (start,))
        elif sizes != before:
            connection.execute(
                "UPDATE contents SET content = ?, sizes = ? WHERE first = ?",
                (_kept(content, before, sizes), packed_sizes(sizes), start),
            )


def _kept(content: bytes, before: array[int], sizes: array[int]) -> bytes:
    """Return the contents in a line whose size is still there."""
    kept, at = bytearray(), 0
    for was, size in zip(before, sizes, strict=True):
        kept += content[at : at + size]
        at += was
    return bytes(kept)


def packed_sizes(sizes: Sequence[int]) -> bytes:
    """Return sizes, or positions, as 4 little-endian bytes each."""
    return _little_endian(array("I", sizes)).tobytes()


def unpacked(packed: bytes) -> array[int]:
    """Return what `packed_sizes` wrote."""
    return _little_endian(array("I", packed))


def packed_moments(moments: Sequence[float]) -> bytes:
    """Return moments as 8 little-endian bytes each."""
    return _little_endian(array("d", moments)).tobytes()


def unpacked_moments(packed: bytes) -> array[float]:
    """Return what `packed_moments` wrote."""
    return _little_endian(array("d", packed))


def _little_endian(values: array[N]) -> array[N]:
    if sys.byteorder == "big":
        values.byteswap()
    return values


class Commits:
    """Commits records in a thread of its own, in groups.

    Used from one event loop: a record is added there, and its future is done when the record is on the disk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Used by the thread alone from now on.
    path : pathlib.Path
        The journal, for messages.
    complete : callable
        Told on the loop of the records whose commit begins: 20 calls described at once cost little more than one.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, complete: Callable[[Records], None]) -> None:
        self.open = Records()
        """What the next commit will hold: add to it, then call `soon` or `committed`."""
        self.error: JournalError | None = None
        self._connection = connection
        self._path = path
        self._complete = complete
        self._busy = False
        self.closed = False
        """Nothing is written any more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unwritten: list[Records] = []
        self._queue: SimpleQueue[Records | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"journal {path.stem}", daemon=True)
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
            records, self.open = self.open, Records()
            try:
                self._complete(records)
            except Exception as problem:  # noqa: BLE001 - as in the thread
                self._break(records, problem)
                self._done(records)
            else:
                self._queue.put(records)

    def _work(self) -> None:
        while (records := self._queue.get()) is not None:
            try:
                write(self._connection, records)
            except BaseException as problem:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                self._break(records, problem)
            loop = self._loop
            assert loop is not None  # noqa: S101 - records come from a loop
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._done, records)

    def _break(self, records: Records, problem: BaseException) -> None:
        """Take no records any more: some could not be written."""
        error = journal_error(self._path, problem)
        error.__cause__ = problem
        self._unwritten.append(records)
        self.error = error

    def _done(self, records: Records) -> None:
        self._busy = False
        self._tell(records)
        if self.error is not None:
            self._tell(self.open)
        elif self.open:
            self.soon()

    def _tell(self, records: Records) -> None:
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
        intent is not on the disk was not sent, so it is left out.
        """
        if self.closed:
            return
        self.closed = True
        self._queue.put(None)
        self._thread.join()
        left = [*self._unwritten, self.open]
        self.open = Records()
        for records in left:
            answered = {call for line in records.answers for call in numbers_in(line[0])}
            # taken back all the same: a commit that failed at its very end may be there nevertheless
            records.unsent += [call for call, _, _ in records.calls if call not in answered]
            records.calls = [call for call in records.calls if call[0] in answered]
            if self.error is not None:
                records.documents, records.contents, records.rows, records.meta = [], [], [], []
                records.new_frame = False
            try:
                if records:
                    write(self._connection, records)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the run's lock must be freed
                self.error = self.error or journal_error(self._path, problem)
                # of what is not written down as accepted the content stays
                left[-1].drops = []
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._tell(records)
        self._connection.close()


def _fail(future: asyncio.Future[None], error: JournalError) -> None:
    """Give a future its error, seen: whoever does not await it reads the error at the next record."""
    future.set_exception(error)
    future.exception()
