"""The journal of a run: what is about to be sent, before its first byte, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import weakref
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import STATUSES, Outcomes
from reportflow_pandas.errors import ConfigurationError, JournalError
from reportflow_pandas.journal import journal_file
from reportflow_pandas.journal.answers import columns_of, encoded, letters
from reportflow_pandas.journal.commits import Commits, Mark, Records, packed_moments, packed_sizes, write
from reportflow_pandas.journal.lock import RunLock
from reportflow_pandas.journal.recovery import (
    LOST,
    NOT_ANEW,
    Frame,
    all_keys_in,
    awaited_in,
    contents_after,
    contents_in,
    documents_in,
    frame_of,
    keys_in,
    last_call,
    mark_changed,
    marked_by_others,
    meta_of,
    replay,
    replay_marks,
    show_before,
)
from reportflow_pandas.journal.register import ACCEPTED, FAILED, IN_FLIGHT, NOT_SENT, READY, UNKNOWN, Register
from reportflow_pandas.journal.spans import spans, stretches

__all__ = ["Journal", "Terms", "lock_of", "refuse_another"]

_GOOD = bytes((ACCEPTED, READY))

_LINE = 8192
"""Bytes of contents in a line: one for each small document costs more than all else of its plan."""

_DROPPED_TOGETHER = 100
"""Accepted documents whose contents leave the file together: one by one, that is a twelfth of a run's records."""

_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()
_LEFT: list[Journal] = []


@dataclass(frozen=True, slots=True)
class Terms:
    """How the rows of a frame are sent: enough to go on without the frame.

    Attributes
    ----------
    design_id, design : str
        The design and its label.
    version : int
        Pinned.
    endpoint : str
        One of the four.
    options : dict
        What else a resumed run needs, as JSON holds it: ``batch_size``, ``attempts``, ``backoff``, ``timeout``,
        ``download``, ``wait``, ``limits``, ``concurrency``, ``on_error``. No credential.
    key : list of str or None
        The columns by which the run knows its documents; None: by their content.
    """

    design_id: str
    design: str
    version: int
    endpoint: str
    options: dict[str, Any] = field(default_factory=dict)
    key: list[str] | None = None


class Journal:
    """A run's journal, held by the one process that sends.

    Open it with `open`, then either give it a frame (`begin`, `plan`, `end_plan`) or let it go on with the last
    one (`go_on`, `pending`). Around each try of a call: ``call = await intent(...)`` before its first byte, then
    ``await answered(call, ...)``, or `clear` after a definite refusal that is tried again. Used from one loop.

    Attributes
    ----------
    run : str
        The run's name.
    path : pathlib.Path
        Its file.
    created : bool
        Whether the run is new.
    meta : dict
        What is known of the run: ``run``, ``base_url``, ``workspace``, ``created_at``, and of its last frame
        ``frame``, ``frame_at``, ``rows``, ``planned``, ``index``, ``design_id``, ``design``, ``version``,
        ``endpoint``, ``options``.
    """

    def __init__(self, path: Path, run: str, clock: Clock, lock: RunLock, connection: sqlite3.Connection) -> None:
        self.run = run
        self.path = path
        self.created = False
        self.meta = meta_of(connection)
        self._clock = clock
        self._lock = lock
        self._reader: sqlite3.Connection | None = None
        past = Outcomes([""] * documents_in(connection))
        _recover(connection, past)
        self._register = Register(past)
        self._calls = self._first_call = last_call(connection) + 1
        self._reopened: set[int] = set()
        self._outcomes = Outcomes([])
        self._gone: list[int] = []
        """Accepted documents whose contents are still to be dropped."""
        self._shown: dict[int, int] = {}
        """Documents that rows show in place of their own, which was not sent anew."""
        self._commits = Commits(connection, path, self._complete)
        _OPEN.add(self)

    @classmethod
    def open(
        cls, folder: Path, run: str, *, base_url: str, workspace: str, clock: Clock, must_exist: bool = False
    ) -> Self:
        """Open a run's journal for sending, or make one; take its lock.

        Calls that a killed process began and never finished become ``unknown`` here.

        Parameters
        ----------
        folder : pathlib.Path
            The runs' folder.
        run : str
            The run's name.
        base_url, workspace : str
            The run belongs to them; the workspace as a hash.
        clock : Clock
            The time of day.
        must_exist : bool
            Make none.

        Raises
        ------
        ConfigurationError
            Another process sends on this run, it belongs to another address or workspace, its file is foreign,
            damaged or newer, or the folder cannot be used. Nothing was sent.
        """
        name = journal_file.checked_name(run)
        if not must_exist:
            journal_file.make_folder(folder)
        path = journal_file.path_of(folder, name)
        if must_exist and not path.exists():
            journal_file.open_to_read(path)  # raises, naming the runs that there are
        try:
            lock = RunLock(lock_of(path), name, clock.now())
        except OSError as error:
            raise journal_file.unusable(folder, error) from error
        connection = None
        try:
            created = not path.exists()
            if created:
                facts = {
                    "run": name,
                    "base_url": base_url,
                    "workspace": workspace,
                    "created_at": clock.timestamp(),
                    "frame": 0,
                    "planned": False,
                    "rows": 0,
                }
                journal_file.create(path, {key: encoded(value).decode() for key, value in facts.items()})
            connection = journal_file.open_to_write(path)
            refuse_another(meta_of(connection), name, base_url, workspace)
            # FULL and not NORMAL: after a power loss, an intent that is not on the disk is a document sent twice
            connection.execute("PRAGMA synchronous = FULL")
            with journal_file.translated(path):
                journal = cls(path, name, clock, lock, connection)
        except BaseException:
            if connection is not None:
                connection.close()
            lock.free()
            raise
        journal.created = created
        return journal

    def close(self) -> None:
        """Write what is left and let others send. Doing so twice is harmless."""
        _OPEN.discard(self)
        try:
            self._complete(self._commits.open)
            self._drop(self._commits.open)
        finally:
            self._commits.close()
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            self._lock.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the frame -------------------------------------------------------------------------------------------

    def standing(self) -> tuple[Frame, list[str]]:
        """Return the rows that were last given, and the status of each; of a journal just opened."""
        frame = self.last_frame()
        return frame, [STATUSES[self._register.state[number]] for number in frame.numbers]

    def own_keys(self, numbers: Sequence[int]) -> list[bytes]:
        """Return the key of each of these documents."""
        with journal_file.translated(self.path):
            keys = all_keys_in(self._reading())
        return [keys[16 * number : 16 * number + 16] for number in numbers]

    async def begin(
        self, outcomes: Outcomes, terms: Terms, index: Any = None, held: Mapping[int, int] | None = None
    ) -> None:
        """Take a frame, in place of the one before; documents that the journal has stay known.

        Parameters
        ----------
        outcomes : Outcomes
            Of this frame, by position. `plan` fills in what is known already, `answered` reads from it.
        terms : Terms
            How its rows are sent.
        index : Any
            What the labels alone do not tell, as JSON holds it.
        held : mapping, optional
            Document numbers of rows that stay what they are, whatever their content is now, by position.

        Raises
        ------
        JournalError
            It could not be written.
        """
        self._check()
        # what is noted of the frame before: its rows are described, and then read again from the disk
        await self._commits.committed()
        self._outcomes, self._shown = outcomes, {}
        past = self._register.past or self._whole_past()
        self._register.begin(past, self._keys(past.status) if len(past) else {}, held)
        self.meta |= {
            "frame": self.meta["frame"] + 1,
            "frame_at": self._clock.timestamp(),
            "rows": len(outcomes),
            "planned": False,
            "index": index,
            **asdict(terms),
        }
        records = self._commits.open
        records.new_frame = True
        records.meta += [(key, encoded(value).decode()) for key, value in self.meta.items()]
        await self._commits.committed()

    async def plan(
        self,
        documents: Sequence[Document],
        keys: Sequence[bytes],
        *,
        labels: Sequence[Sequence[Any]] | None = None,
        digests: Sequence[bytes] | None = None,
        again: Collection[int] = (),
    ) -> list[Document]:
        """Write the next rows of the frame down, ahead of their sending.

        Parameters
        ----------
        documents : sequence of Document
            In the frame's order, without a gap.
        keys : sequence of bytes
            16 bytes each: the document's content, or the user's key, with design and version. Equal keys are told
            apart by their order.
        labels : sequence of sequence, optional
            Index labels as JSON holds them.
        digests : sequence of bytes, optional
            16 bytes each: the content, where the user's key is the key.
        again : collection of int
            Positions that are sent anew although the run has them.

        Returns
        -------
        list of Document
            Those to be sent. The others have their outcome: accepted before, or unknown.

        Raises
        ------
        JournalError
            They could not be written.
        """
        self._check()
        if not documents:
            return []
        register, records = self._register, self._commits.open
        first, before = documents[0].position, len(register)
        assert first == len(register.numbers)  # noqa: S101 - a gap would give rows each other's outcomes
        own = register.told_apart(keys)
        fresh, changed = register.add(own, self._outcomes, digests=digests, again=again)
        chosen = [documents[offset] for offset in fresh]
        if chosen:
            theirs = None if digests is None else b"".join([digests[offset] for offset in fresh])
            ours = b"".join([own[offset] for offset in fresh])
            _add(records, before, chosen, keys=ours, digests=theirs)
        records.rows.append(
            (
                first,
                spans(register.numbers[first:]),
                encoded([document.name for document in documents]).decode(),
                None if labels is None else encoded(labels).decode(),
                packed_sizes(changed) if changed else None,
            )
        )
        await self._commits.committed()
        return chosen

    async def end_plan(self) -> None:
        """Close the plan: from now on the run can be resumed without the frame.

        Raises
        ------
        JournalError
            It could not be written.
        """
        self._check()
        # of documents that are in no row any more, only those that may have been accepted can still matter
        self._commits.open.drops += stretches(self._register.end())
        self.meta["planned"] = True
        self._commits.open.meta.append(("planned", "true"))
        await self._commits.committed()

    def go_on(self) -> Outcomes:
        """Take the last frame up again and return its outcomes.

        Raises
        ------
        ConfigurationError
            Its plan was never closed: the process died while it was written, so the journal has not all rows.
        """
        self._check()
        if not self.meta["planned"]:
            design = self.meta.get("design_id", "…")
            raise ConfigurationError(
                f"run {self.run!r} can't be resumed by its name alone: its process ended before all rows were "
                "written down. Nothing was sent now. Give it the frame again, and what was accepted is not sent "
                "twice:\n"
                f"    df.reportflow.generate(design_id={design!r}, run={self.run!r}, …)"
            )
        frame = self.last_frame()
        self._outcomes = Outcomes(frame.names)
        self._register.take_up(frame.numbers, self._outcomes, self._register.past or self._whole_past())
        mark_changed(self._outcomes, frame.changed)
        return self._outcomes

    def last_frame(self) -> Frame:
        """Return the rows that were last given."""
        with journal_file.translated(self.path):
            return frame_of(self._reading())

    def pending(
        self, *, failed: bool = True, unknown: bool = False, positions: Collection[int] | None = None
    ) -> Iterator[Document]:
        """Yield the documents that are to be sent, as they were planned, read from the file as they are asked for.

        Parameters
        ----------
        failed, unknown : bool
            Those that failed, and those that may have been accepted, too.
        positions : collection of int, optional
            Of these rows only.
        """
        self._check()
        register, names = self._register, self._outcomes.file_name.planned
        place = register.places()
        wanted = {NOT_SENT} | ({FAILED} if failed else set()) | ({UNKNOWN} if unknown else set())
        after = -1
        while True:
            with journal_file.translated(self.path):
                kept = contents_after(self._reading(), after)
            if not kept:
                return
            after = kept[-1][0]
            for number, identity, content in kept:
                position = place[number]
                if position < 0 or register.state[number] not in wanted:
                    continue
                if positions is None or position in positions:
                    if register.state[number] == UNKNOWN:
                        register.release(number)
                    yield Document(position, identity, names[position], content)

    # -- calls -----------------------------------------------------------------------------------------------

    async def intent(self, positions: Sequence[int], endpoint: str) -> int:
        """Record that a call is about to be sent. When this returns, the record is on the disk.

        Parameters
        ----------
        positions : sequence of int
            Rows of the call, in the order in which they travel.
        endpoint : str
            Where to.

        Returns
        -------
        int
            The call's number.

        Raises
        ------
        JournalError
            It could not be written, so the call must not be sent; or a document of it was accepted before, is in
            flight, or may have been accepted and was not released by `pending`.
        """
        self._check()
        numbers = self._register.take_off(self.run, positions)
        call = self._calls
        self._calls += 1
        self._commits.open.calls.append((call, endpoint, numbers))
        try:
            await self._commits.committed()
        except BaseException:
            # it was not sent, whether or not the record gets onto the disk
            self._register.mark(numbers, NOT_SENT)
            self._commits.open.unsent.append(call)
            with contextlib.suppress(RuntimeError):
                self._commits.soon()
            raise
        if self._commits.closed:  # which takes back what waits
            raise JournalError(f"run {self.run!r} was closed before the call was sent, and it was not sent")
        return call

    def clear(self, call: int, positions: Sequence[int]) -> None:
        """Record that a call was definitely refused: none of its documents was accepted.

        The record goes along with the next commit. A process killed before shows the rows as ``unknown``.
        """
        self._register.mark(self._register.numbers_of(positions), NOT_SENT)
        self._commits.open.cleared.append((call, self._clock.timestamp()))
        self._commits.soon()

    def answered(self, call: int | None, positions: Sequence[int]) -> asyncio.Future[None]:
        """Record what became of the rows of a call, as `Outcomes` has it.

        Parameters
        ----------
        call : int or None
            What `intent` returned; None for rows that failed before they were sent.
        positions : sequence of int
            Its rows.

        Returns
        -------
        asyncio.Future
            Done when the record is on the disk: only then may the outcome be shown. It may raise `JournalError`.
        """
        self._note(call, positions)
        return self._commits.committed()

    def note(
        self, call: int | None, positions: Sequence[int], then: Callable[[JournalError | None], None]
    ) -> None:
        """Do as `answered`, but call ``then`` on the event loop when the record is on the disk, or cannot be.

        Who does not wait goes on with its next call at once, and the two records share a commit.
        """
        self._note(call, positions)
        self._commits.tell(then)

    def _note(self, call: int | None, positions: Sequence[int]) -> None:
        records = self._commits.open
        if call is None:
            call = self._calls
            self._calls += 1
            records.calls.append((call, "", self._register.numbers_of(positions)))
        self._register.know(positions, self._outcomes.status)
        records.noted.append((call, positions, self._clock.timestamp()))

    def _complete(self, records: Records) -> None:
        """Describe the calls that were answered, all in one line."""
        records.started_at = self._clock.timestamp()
        if not records.noted:
            return
        calls, rows, moments = zip(*records.noted, strict=True)
        records.noted = []
        positions = rows[0] if len(rows) == 1 else [position for some in rows for position in some]
        numbers = self._register.numbers_of(positions)
        states, columns = columns_of(self._outcomes, positions)
        told = (letters(states), encoded(columns))
        records.answers.append((spans(calls), spans(numbers), max(moments), packed_moments(moments), *told))
        self._gone += [number for number, state in zip(numbers, states, strict=True) if state in _GOOD]
        if len(self._gone) >= _DROPPED_TOGETHER:
            self._drop(records)

    def _drop(self, records: Records) -> None:
        records.drops += stretches(self._gone)
        self._gone = []

    def saved(self, position: int) -> None:
        """Record where a PDF was saved, or why it was not; the record goes along with the next commit."""
        outcomes = self._outcomes
        path = outcomes.path[position]
        mark: Mark = (
            # the PDF of the document before is not that of one still to be sent anew, which would seem accepted
            self._shown.get(position, self._register.numbers[position]),
            "ready" if path is not None else None,
            None,
            None,
            path,
            outcomes.error_kind[position],
            outcomes.error[position],
            outcomes.http_status[position] or None,
            self._clock.timestamp(),
        )
        if path is not None and position in self._shown:
            # fetched, and still to be sent anew
            outcomes.error_kind[position], outcomes.error[position] = "cancelled", NOT_ANEW
        self._commits.open.marks.append(mark)
        self._commits.soon()

    def look_again(self) -> None:
        """Bring the outcomes to what is known elsewhere: by webhooks, looks in the web app, an earlier try."""
        self._check()
        # as it was noted, before rows show another document
        self._complete(self._commits.open)
        with journal_file.translated(self.path):
            if marked_by_others(self._reading()):
                replay_marks(self._reading(), self._outcomes, self._register.places(), of_others=True)
            self._shown |= show_before(self._reading(), self._register.numbers, self._outcomes)

    async def flush(self) -> None:
        """Return when everything is on the disk.

        Raises
        ------
        JournalError
            It could not be written.
        """
        await self._commits.committed()

    # -- calls that others carry out ---------------------------------------------------------------------------

    async def tell(self, **facts: Any) -> None:
        """Write down what a process that goes on with the run must know: JSON, and no secret.

        Raises
        ------
        JournalError
            It could not be written.
        """
        self._check()
        self.meta |= facts
        self._commits.open.meta += [(name, encoded(value).decode()) for name, value in facts.items()]
        await self._commits.committed()

    def reopen(self) -> list[tuple[int, list[int]]]:
        """Take up calls that a process before began and never saw answered: others may have their answers.

        Their rows were unknown, and are awaited again.

        Returns
        -------
        list of (int, list of int)
            Number and rows of each.
        """
        self._check()
        place, state = self._register.places(), self._register.state
        with journal_file.translated(self.path):
            awaited = awaited_in(self._reading())
        opened: list[tuple[int, list[int]]] = []
        for call, numbers in awaited:
            # what this process has learned of a call since may not be on the disk yet
            if call >= self._first_call or call in self._reopened:
                continue
            if all(place[number] >= 0 and state[number] == UNKNOWN for number in numbers):
                self._reopened.add(call)
                self._register.mark(numbers, IN_FLIGHT)
                positions = [place[number] for number in numbers]
                for position in positions:
                    self._outcomes.forget(position)
                opened.append((call, positions))
        return opened

    # -- inside ----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._commits.error is not None:
            raise self._commits.error
        if self._lock.forked:
            raise JournalError(
                f"run {self.run!r} was begun by another process, of which this one is a fork: start it anew here"
            )

    def _reading(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = journal_file.open_to_read(self.path)
        return self._reader

    def _whole_past(self) -> Outcomes:
        past = Outcomes([""] * len(self._register))
        with journal_file.translated(self.path):
            replay(self._reading(), past)
        return past

    def _keys(self, states: Sequence[int]) -> dict[bytes, tuple[int, bytes | None]]:
        with journal_file.translated(self.path):
            return keys_in(self._reading(), states)


def _add(
    records: Records, first: int, documents: Sequence[Document], *, keys: bytes, digests: bytes | None
) -> None:
    """Add new documents, and their contents some to a line."""
    ids = "".join([document.id for document in documents]).encode()
    assert len(ids) == 16 * len(documents)  # noqa: S101 - they are told apart by their length
    records.documents.append((first, ids, keys, digests))
    contents = [document.content for document in documents]
    sizes = list(map(len, contents))
    ends = list(accumulate(sizes))
    start = 0
    while start < len(contents):
        stop = max(start + 1, bisect_right(ends, ends[start] - sizes[start] + _LINE))
        records.contents.append((first + start, packed_sizes(sizes[start:stop]), b"".join(contents[start:stop])))
        start = stop


def _recover(connection: sqlite3.Connection, past: Outcomes) -> None:
    """Learn what became of each document; what was in flight when the process died is unknown.

    What was accepted shortly before it died loses its contents now.
    """
    lost = replay(connection, past)
    left = [number for number in contents_in(connection) if past.status[number] in _GOOD]
    if left:
        write(connection, Records(drops=stretches(left)))
    if lost:
        calls = spans([call for call, _ in lost])
        numbers = [number for _, some in lost for number in some]
        columns = encoded({"error_kind": "unknown_outcome", "error": LOST, "attempts": 1})
        write(connection, Records(answers=[(calls, spans(numbers), None, None, "u", columns)]))
        for number in numbers:
            if past.status_of(number) == "unknown":
                past.error[number] = LOST


def lock_of(path: Path) -> Path:
    """Return where a journal's lock is."""
    return path.with_suffix(".lock")


def refuse_another(meta: dict[str, Any], run: str, base_url: str, workspace: str) -> None:
    """Refuse a run of another address or workspace."""
    if meta.get("base_url") != base_url:
        raise ConfigurationError(
            f"run {run!r} belongs to {meta.get('base_url')}, and this process is configured for {base_url}. "
            f"Nothing was sent. Either rf.configure(base_url={meta.get('base_url')!r}), or give this run another "
            "name"
        )
    if meta.get("workspace") != workspace:
        raise ConfigurationError(
            f"run {run!r} belongs to another workspace: it was begun with another key for {base_url}. Nothing was "
            "sent, because this workspace has none of its documents. Use that workspace's key, or another run name"
        )


def _after_fork() -> None:
    """Keep a child from closing its copies of the parent's connections: SQLite forbids their use there."""
    _LEFT.extend(_OPEN)
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
