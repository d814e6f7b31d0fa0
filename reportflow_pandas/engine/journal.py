"""The journal of a run: what is about to be sent, before its first byte, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import weakref
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine import journal_file
from reportflow_pandas.engine.answers import LETTERS, columns_of, encoded, letters
from reportflow_pandas.engine.commits import Commits, Mark, Records, packed_sizes, unpacked, write
from reportflow_pandas.engine.lock import RunLock
from reportflow_pandas.engine.outcomes import STATUSES, Outcomes
from reportflow_pandas.engine.plan import Document
from reportflow_pandas.engine.recovery import (
    LOST,
    Frame,
    documents_in,
    frame_of,
    mark_changed,
    meta_of,
    moved,
    replay,
)
from reportflow_pandas.engine.spans import numbers_in, spans, stretches
from reportflow_pandas.errors import ConfigurationError, JournalError

__all__ = ["Journal", "RecentCall", "Terms"]

_IN_FLIGHT = 5
"""Beside the codes of `STATUSES`."""

_NOT_SENT, _ACCEPTED, _READY, _FAILED, _UNKNOWN = range(5)
_GOOD = LETTERS[_ACCEPTED] + LETTERS[_READY]

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
    """

    design_id: str
    design: str
    version: int
    endpoint: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecentCall:
    """A call of the last minute, for the limiter of a resumed run.

    Attributes
    ----------
    endpoint : str
        Which bucket it counts in.
    started_at : float
        Seconds since 1970, UTC.
    answered_at : float or None
        None: it was never answered, and may still count.
    """

    endpoint: str
    started_at: float
    answered_at: float | None


class Journal:
    """A run's journal, held by the one process that sends.

    Open it with `open`, then either give it a frame (`begin`, `plan`, `end_plan`) or let it go on with the last one
    (`go_on`, `pending`). Around each try of a call: ``call = await intent(...)`` before its first byte, then
    ``await answered(call, ...)``, or `clear` after a definite refusal that is tried again. Used from one event loop.

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
        self._next = documents_in(connection)
        self._past = Outcomes([""] * self._next)
        self._recover(connection)
        self._state = bytearray(self._past.status)
        self._released: set[int] = set()
        self._calls = _last_call(connection) + 1
        self._outcomes = Outcomes([])
        self._numbers: array[int] = array("I")
        self._frame: Frame | None = None
        self._seen: set[bytes] = set()
        self._known: dict[bytes, tuple[int, bytes | None]] | None = None
        self._commits = Commits(connection, path)
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
                    "created_at": clock.now().timestamp(),
                    "frame": 0,
                    "planned": False,
                    "rows": 0,
                }
                journal_file.create(path, {key: encoded(value).decode() for key, value in facts.items()})
            connection = journal_file.open_to_write(path)
            _refuse_another(meta_of(connection), name, base_url, workspace)
            # FULL and not NORMAL: after a power loss, an intent that is not on the disk is a document sent twice
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
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

    def pinned_version(self, design_id: str) -> int | None:
        """Return the version that this run's last frame used of a design: "latest" means it from then on."""
        return self.meta["version"] if self.meta.get("design_id") == design_id else None

    async def begin(self, outcomes: Outcomes, terms: Terms, index: Any = None) -> None:
        """Take a frame, in place of the one before; documents that the journal has stay known.

        Parameters
        ----------
        outcomes : Outcomes
            Of this frame, by position. `plan` fills in what is known already, `answered` reads from it.
        terms : Terms
            How its rows are sent.
        index : Any
            What the labels alone do not tell, as JSON holds it.

        Raises
        ------
        JournalError
            It could not be written.
        """
        self._check()
        self._outcomes = outcomes
        self._numbers = array("I")
        self._seen = set()
        self._released = set()
        self._frame = None
        self._known = None
        if self._next:
            if len(self._past) != self._next:
                self._past = self._whole_past()
                self._state = bytearray(self._past.status)
            self._known = self._keys()
        self.meta |= {
            "frame": self.meta["frame"] + 1,
            "frame_at": self._clock.now().timestamp(),
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
        first = documents[0].position
        assert first == len(self._numbers)  # noqa: S101 - a gap would give rows each other's outcomes
        own = self._told_apart(keys)
        if self._known is None:
            fresh: Sequence[int] = range(len(documents))
            numbers: Sequence[int] = range(self._next, self._next + len(documents))
            changed: list[int] = []
        else:
            fresh, numbers, changed = self._matched(first, own, digests, again)
        self._numbers.extend(numbers)
        records = self._commits.open
        self._add_blocks(records, fresh, documents, own, digests)
        records.rows.append(
            (
                first,
                spans(numbers),
                encoded([document.name for document in documents]).decode(),
                None if labels is None else encoded(labels).decode(),
                packed_sizes(array("I", changed)) if changed else None,
            )
        )
        await self._commits.committed()
        return list(documents) if len(fresh) == len(documents) else [documents[offset] for offset in fresh]

    async def end_plan(self) -> None:
        """Close the plan: from now on the run can be resumed without the frame.

        Raises
        ------
        JournalError
            It could not be written.
        """
        self._check()
        if self._known is not None:
            # of documents that are in no row any more, only those that may have been accepted can still matter
            here = set(self._numbers)
            gone = [n for n in range(self._next) if n not in here and self._state[n] in (_NOT_SENT, _FAILED)]
            if gone:
                self._commits.open.drops += stretches(gone)
        self._seen = set()
        self._known = None
        self._past = Outcomes([])
        self.meta["planned"] = True
        self._commits.open.meta.append(("planned", "true"))
        await self._commits.committed()

    def go_on(self) -> Outcomes:
        """Take the last frame up again and return its outcomes.

        Raises
        ------
        ConfigurationError
            Its plan was never closed: the process died while it was written, so the journal does not have all rows.
        """
        self._check()
        if not self.meta["planned"]:
            design = self.meta.get("design_id", "…")
            raise ConfigurationError(
                f"run {self.run!r} can't be resumed by its name alone: its process ended before all rows were written "
                f"down. Nothing was sent now. Give it the frame again, and what was accepted is not sent twice:\n"
                f"    df.reportflow.generate(design_id={design!r}, run={self.run!r}, …)"
            )
        frame = self._frame = self.last_frame()
        self._numbers = frame.numbers
        self._outcomes = Outcomes(frame.names)
        past = self._past if len(self._past) == self._next else self._whole_past()
        for position, number in enumerate(frame.numbers):
            if past.status[number] or past.error_kind[number] is not None:
                self._outcomes.restore(moved(past, number, position))
        mark_changed(self._outcomes, frame.changed)
        self._past = Outcomes([])
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
        frame = self._frame or self.last_frame()
        place = frame.positions(self._next)
        wanted = {_NOT_SENT} | ({_FAILED} if failed else set()) | ({_UNKNOWN} if unknown else set())
        after = -1
        while True:
            with journal_file.translated(self.path):
                blocks = (
                    self._reading()
                    .execute(
                        "SELECT first, ids, sizes, contents FROM blocks WHERE first > ? AND contents IS NOT NULL "
                        "ORDER BY first LIMIT 20",
                        (after,),
                    )
                    .fetchall()
                )
            if not blocks:
                return
            for first, ids, packed, contents in blocks:
                after, at = first, 0
                for offset, size in enumerate(unpacked(packed)):
                    position = place[first + offset]
                    number = first + offset
                    if size and position >= 0 and self._state[number] in wanted:
                        if positions is None or position in positions:
                            if self._state[number] == _UNKNOWN:
                                self._released.add(number)
                            identity = ids[16 * offset : 16 * offset + 16].decode().rstrip()
                            yield Document(position, identity, frame.names[position], contents[at : at + size])
                    at += size

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
        numbers = self._numbers_of(positions)
        states = self._states_of(numbers)
        if states.strip(b"\0\x03"):
            self._refuse_twice(positions, numbers)
        call = self._calls
        self._calls += 1
        self._set(numbers, _IN_FLIGHT)
        self._commits.open.calls.append((call, endpoint, spans(numbers), self._clock.now().timestamp()))
        try:
            await self._commits.committed()
        except BaseException:
            # it was not sent, whether or not the record gets onto the disk
            self._set(numbers, _NOT_SENT)
            self._commits.open.answers.append((call, None, "", None))
            with contextlib.suppress(RuntimeError):
                self._commits.soon()
            raise
        return call

    def clear(self, call: int, positions: Sequence[int]) -> None:
        """Record that a call was definitely refused: none of its documents was accepted.

        The record goes along with the next commit. A process killed before shows the rows as ``unknown``.
        """
        self._set(self._numbers_of(positions), _NOT_SENT)
        self._commits.open.answers.append((call, self._clock.now().timestamp(), "", None))
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
        numbers = self._numbers_of(positions)
        records = self._commits.open
        now = self._clock.now().timestamp()
        if call is None:
            call = self._calls
            self._calls += 1
            records.calls.append((call, "", spans(numbers), now))
        states, columns = columns_of(self._outcomes, positions)
        statuses = letters(states)
        if len(statuses) == 1:
            self._set(numbers, states[0])
            done = numbers if statuses in _GOOD else ()
        else:
            for number, state in zip(numbers, states, strict=True):
                self._state[number] = state
            done = [n for n, state in zip(numbers, states, strict=True) if state in (_ACCEPTED, _READY)]
        if done:
            records.drops += ((done[0], 1),) if len(done) == 1 else stretches(done)
        records.answers.append((call, now, statuses, encoded(columns)))
        return self._commits.committed()

    def saved(self, position: int) -> None:
        """Record where a PDF was saved, or why it was not; the record goes along with the next commit."""
        outcomes = self._outcomes
        path = outcomes.path[position]
        mark: Mark = (
            self._numbers[position],
            "ready" if path is not None else None,
            None,
            None,
            path,
            outcomes.error_kind[position],
            outcomes.error[position],
            outcomes.http_status[position] or None,
            self._clock.now().timestamp(),
        )
        self._commits.open.marks.append(mark)
        self._commits.soon()

    async def flush(self) -> None:
        """Return when everything is on the disk.

        Raises
        ------
        JournalError
            It could not be written.
        """
        await self._commits.committed()

    def recent_calls(self, since: float) -> list[RecentCall]:
        """Return the calls that may still count in the service's window.

        Parameters
        ----------
        since : float
            Seconds since 1970: calls answered before are left out, and calls never answered that started before.
        """
        with journal_file.translated(self.path):
            return recent_calls_in(self._reading(), since)

    # -- inside ----------------------------------------------------------------------------------------------

    def _recover(self, connection: sqlite3.Connection) -> None:
        """Learn what became of each document; what was in flight when the process died is unknown."""
        lost = replay(connection, self._past)
        if lost:
            columns = encoded({"error_kind": "unknown_outcome", "error": LOST, "attempts": 1})
            write(connection, Records(answers=[(call, None, "u", columns) for call, _ in lost]))
            for _, numbers in lost:
                for number in numbers_in(numbers):
                    if self._past.status_of(number) == "unknown":
                        self._past.error[number] = LOST

    def _check(self) -> None:
        if self._commits.error is not None:
            raise self._commits.error
        if self._lock.pid != os.getpid():
            raise JournalError(
                f"run {self.run!r} was begun by another process, of which this one is a fork: start it anew here"
            )

    def _reading(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = journal_file.open_to_read(self.path)
        return self._reader

    def _whole_past(self) -> Outcomes:
        past = Outcomes([""] * self._next)
        with journal_file.translated(self.path):
            replay(self._reading(), past)
        return past

    def _keys(self) -> dict[bytes, tuple[int, bytes | None]]:
        """Return the last document of each key, with its content's digest."""
        known: dict[bytes, tuple[int, bytes | None]] = {}
        with journal_file.translated(self.path):
            for first, count, keys, digests in self._reading().execute(
                "SELECT first, documents, keys, digests FROM blocks ORDER BY first"
            ):
                for offset in range(count):
                    part = slice(16 * offset, 16 * offset + 16)
                    known[keys[part]] = (first + offset, None if digests is None else digests[part])
        return known

    def _told_apart(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Return keys of which no two in this frame are equal: the second of two equal ones is another."""
        if len(set(keys)) == len(keys) and self._seen.isdisjoint(keys):
            self._seen.update(keys)
            return keys
        apart: list[bytes] = []
        for key in keys:
            own, times = key, 0
            while own in self._seen:
                times += 1
                own = hashlib.blake2b(key + times.to_bytes(8, "big"), digest_size=16).digest()
            self._seen.add(own)
            apart.append(own)
        return apart

    def _matched(
        self, first: int, keys: Sequence[bytes], digests: Sequence[bytes] | None, again: Collection[int]
    ) -> tuple[list[int], list[int], list[int]]:
        """Return offsets of the new documents, each row's number, and positions of changed ones."""
        assert self._known is not None  # noqa: S101 - only then is this called
        fresh: list[int] = []
        numbers: list[int] = []
        changed: list[int] = []
        new = self._next
        for offset, key in enumerate(keys):
            position = first + offset
            number, digest = self._known.get(key, (-1, None))
            if number < 0 or position in again or self._state[number] not in (_ACCEPTED, _READY, _UNKNOWN):
                fresh.append(offset)
                numbers.append(new)
                new += 1
                continue
            numbers.append(number)
            self._outcomes.restore(moved(self._past, number, position))
            if digests is not None and digest is not None and digest != digests[offset]:
                changed.append(position)
        mark_changed(self._outcomes, changed)
        return fresh, numbers, changed

    def _add_blocks(
        self,
        records: Records,
        fresh: Sequence[int],
        documents: Sequence[Document],
        keys: Sequence[bytes],
        digests: Sequence[bytes] | None,
    ) -> None:
        """Add the new documents, as many to a block as probably travel in one call."""
        single = str(self.meta["endpoint"]).endswith("single")
        if single:
            # a row of its own each, so that dropping one rewrites no other
            for offset in fresh:
                document = documents[offset]
                content, digest = document.content, None if digests is None else digests[offset]
                identity, length = document.id.encode().ljust(16)[:16], len(content).to_bytes(4, "little")
                records.blocks.append((self._next, 1, identity, keys[offset], digest, length, content))
                self._next += 1
            self._state.extend(bytes(len(fresh)))
            return
        size = int(self.meta.get("options", {}).get("batch_size", 100))
        for start in range(0, len(fresh), size):
            part = fresh[start : start + size]
            chosen = [documents[offset] for offset in part]
            contents = [document.content for document in chosen]
            records.blocks.append(
                (
                    self._next,
                    len(chosen),
                    b"".join([document.id.encode().ljust(16)[:16] for document in chosen]),
                    b"".join([keys[offset] for offset in part]),
                    None if digests is None else b"".join([digests[offset] for offset in part]),
                    packed_sizes(array("I", map(len, contents))),
                    b"".join(contents),
                )
            )
            self._next += len(chosen)
        self._state.extend(bytes(len(fresh)))

    def _numbers_of(self, positions: Sequence[int]) -> Sequence[int]:
        if len(positions) == 1:
            return (self._numbers[positions[0]],)
        first, last = positions[0], positions[-1]
        if last - first == len(positions) - 1 and list(positions) == list(range(first, last + 1)):
            return self._numbers[first : last + 1]
        return [self._numbers[position] for position in positions]

    def _states_of(self, numbers: Sequence[int]) -> bytes:
        return bytes([self._state[number] for number in numbers])

    def _set(self, numbers: Sequence[int], state: int) -> None:
        for number in numbers:
            self._state[number] = state

    def _refuse_twice(self, positions: Sequence[int], numbers: Sequence[int]) -> None:
        """Raise for a document that must not be sent: the last door before the service."""
        for position, number in zip(positions, numbers, strict=True):
            state = self._state[number]
            if state in (_NOT_SENT, _FAILED) or (state == _UNKNOWN and number in self._released):
                continue
            word = "being sent" if state == _IN_FLIGHT else STATUSES[state]
            raise JournalError(
                f"row {position} of run {self.run!r} is {word} already and was about to be sent again; it was not. "
                "This is an error of reportflow-pandas, please report it"
            )


def lock_of(path: Path) -> Path:
    """Return where a journal's lock is."""
    return path.with_suffix(".lock")


def recent_calls_in(connection: sqlite3.Connection, since: float) -> list[RecentCall]:
    """Return a journal's calls that were answered since then, or started since then and never answered."""
    found = connection.execute(
        "SELECT endpoint, started_at, answered_at FROM calls LEFT JOIN answers USING (call) "
        "WHERE endpoint <> '' AND coalesce(answered_at, started_at) >= ? ORDER BY call",
        (since,),
    )
    return [RecentCall(*call) for call in found]


def _last_call(connection: sqlite3.Connection) -> int:
    """Return the highest number a call ever had, also one whose intent never reached the disk."""
    (last,) = connection.execute(
        "SELECT max(coalesce((SELECT max(call) FROM calls), 0), coalesce((SELECT max(call) FROM answers), 0))"
    ).fetchone()
    return int(last)


def _refuse_another(meta: dict[str, Any], run: str, base_url: str, workspace: str) -> None:
    if meta.get("base_url") != base_url:
        raise ConfigurationError(
            f"run {run!r} belongs to {meta.get('base_url')}, and this process is configured for {base_url}. Nothing "
            f"was sent. Either rf.configure(base_url={meta.get('base_url')!r}), or give this run another name"
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
