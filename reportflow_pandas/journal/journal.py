"""A run's ledger, held by the one process that sends.

    journal = Journal.open(folder, run, base_url=…, owner=settings.owner, clock=…, queue=False)

    await journal.begin(outcomes, terms)      a frame, and its rows in chunks: those to be sent come back
    fresh = await journal.plan(documents, keys, …)
    await journal.end_plan()
    outcomes = journal.go_on()                or the last frame again, and what is left of it
    journal.pending(…)

    call = await journal.intent(positions, endpoint)      on the disk before the first byte
    journal.withdraw(call, positions)                     definitely refused, tried again
    journal.record(call, outcomes, then)                  what became of its rows, told when it is on the disk
    journal.saved(position)                               a PDF
    journal.look_again()                                  what webhooks and people marked meanwhile
    journal.reopen(journal.awaited())                     calls of a queue that are awaited still

What a folder of runs is asked is in `journal.runs`; what statuses mean, and who writes them, in `journal.ledger`.
Nothing is replayed: opening costs one UPDATE. What reads the file (`standing`, `own_keys`, `go_on`, `pending`,
`look_again`, `awaited`) belongs into a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import weakref
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.errors import ConfigurationError, JournalError
from reportflow_pandas.journal import ledger, ledger_queries, schema
from reportflow_pandas.journal.commits import Commits
from reportflow_pandas.journal.deduplication import Rows, Terms
from reportflow_pandas.journal.ledger import Changes, Intent, Via, spans
from reportflow_pandas.journal.ledger_queries import Frame
from reportflow_pandas.journal.outcome_lines import clean, describe, spans_by_release
from reportflow_pandas.journal.refused_intent import refuse
from reportflow_pandas.journal.run_file import RunFile, open_run
from reportflow_pandas.next_steps import NOT_SENT_AGAIN, with_its_rows
from reportflow_pandas.settings import Owner

__all__ = ["Journal", "Terms"]

T = TypeVar("T")

ROWS_PER_COMMIT = 500
"""Rows of a later frame in one commit: their keys go into an index at random, and intents wait meanwhile."""

_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()
_LEFT: list[Journal] = []


class Journal:
    """A run's ledger, held by the one process that sends. Used from one event loop.

    Attributes
    ----------
    run, path
        The run's name, and its file.
    created : bool
        Whether the run is new.
    meta : dict
        What is known of the run: ``run``, ``base_url``, ``service``, ``workspace``, ``created_at``, and of its
        last frame ``frame``, ``frame_at``, ``rows``, ``planned``, ``index`` and its `Terms`.
    """

    def __init__(self, file: RunFile, clock: Clock, *, via: Via) -> None:
        connection = file.connection
        self.run = file.run
        self.path = file.path
        self.created = file.created
        self.meta = ledger_queries.meta_of(connection)
        self._file = file
        self._clock = clock
        self._via = via
        last_document, last_call = ledger_queries.last_numbers(connection)
        self._next_number = last_document + 1
        self._next_call = self._first_call = last_call + 1
        self._reopened: set[int] = set()
        self._outcomes = Outcomes([])
        self._numbers: range | array[int] = range(0)
        """The document of each row; of a first frame its position."""
        self._held: dict[int, int] = {}
        self._released: set[int] = set()
        self._marks_seen = int(self.meta.get("marks", 0))
        self._shown: dict[int, int] = {}
        """Documents that rows show in place of their own, which was not sent again."""
        self._commits: Commits[Changes] = Commits(connection, self.path, partial(Changes, self._describe))
        _OPEN.add(self)

    @classmethod
    def open(
        cls,
        folder: Path,
        run: str,
        *,
        base_url: str,
        owner: Owner,
        clock: Clock,
        must_exist: bool = False,
        queue: bool = False,
        proven: bool = False,
    ) -> Self:
        """Open a run's ledger for sending, or make one; take its lock.

        Calls that a killed process began and never finished become ``unknown`` here; with ``queue``, those that
        workers send stay in flight, see `reopen`. ``owner`` is `Settings.owner`, ``base_url`` is for people;
        ``proven``: the run is the owner's, whatever key it was begun with.

        Raises
        ------
        ConfigurationError
            Another process sends on this run, it belongs to another service or workspace, its file is foreign,
            damaged or of another version, or the folder cannot be used. Nothing was sent.
        """
        file = open_run(
            folder, run, base_url=base_url, owner=owner, clock=clock, must_exist=must_exist, proven=proven
        )
        try:
            with schema.translated(file.path):
                ledger.lose(file.connection, with_queue=queue)
                return cls(file, clock, via="queue" if queue else "process")
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Write what is left and let others send. Doing so twice is harmless."""
        _OPEN.discard(self)
        try:
            self._commits.close()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the frame -------------------------------------------------------------------------------------------

    def standing(self) -> tuple[Frame, list[str], set[int]]:
        """Return the last rows, the status of each, and which were sent again; of a journal just opened."""
        with self._file.reading() as reader:
            return (
                ledger_queries.frame_of(reader),
                ledger_queries.statuses_of(reader),
                ledger_queries.sent_again(reader),
            )

    def own_keys(self) -> list[tuple[bytes, int]]:
        """Return the key of each row that was last given, and how many equal ones come before it."""
        with self._file.reading() as reader:
            return ledger_queries.keys_of(reader)

    async def begin(
        self, outcomes: Outcomes, terms: Terms, index: Any = None, held: Mapping[int, int] | None = None
    ) -> None:
        """Take a frame, in place of the one before; documents that the ledger has stay known.

        Parameters
        ----------
        outcomes : Outcomes
            Of this frame, by position. `plan` fills in what is known already, `saved` reads from it.
        terms, index
            How its rows are sent; what the labels alone do not tell, as JSON holds it.
        held : mapping, optional
            Document numbers of rows that stay what they are, whatever their content is now, by position.
        """
        self._check()
        # what is noted of the frame before is described by its rows
        await self._commits.committed()
        self._outcomes, self._shown, self._released = outcomes, {}, set()
        self._held = dict(held or {})
        self._numbers = array("q") if self._next_number else range(0)
        self.meta |= {
            "frame": self.meta["frame"] + 1,
            "frame_at": self._clock.timestamp(),
            "rows": len(outcomes),
            "planned": False,
            "index": index,
            **asdict(terms),
        }
        told = {name: value for name, value in self.meta.items() if name not in ("marks", "marked_at")}
        await self._step(partial(ledger.begin_frame, meta=told, held=self._held))

    async def plan(
        self,
        documents: Sequence[Document],
        keys: Sequence[bytes],
        *,
        labels: Sequence[Sequence[Any]] | None = None,
        digests: Sequence[bytes] | None = None,
        folders: Sequence[str] | None = None,
        again: Collection[int] = (),
    ) -> list[Document]:
        """Write the next rows of the frame down, ahead of their sending.

        Parameters
        ----------
        documents, keys, digests, labels, folders
            As in `journal.deduplication.Rows`. Equal keys are told apart by their order.
        again : collection of int
            Positions that are sent again although the run has them.

        Returns
        -------
        list of Document
            Those to be sent. The others have their outcome: accepted before, or unknown.
        """
        self._check()
        if not documents:
            return []
        first = documents[0].position
        assert first == len(self._numbers)  # noqa: S101 - a gap would give rows each other's outcomes
        rows = Rows(documents, keys, digests, labels, folders)
        if isinstance(self._numbers, range):
            await self._step(partial(ledger.plan_first, rows=rows))
            self._numbers = range(first + len(documents))
            self._next_number = len(self._numbers)
            return list(documents)
        chosen: list[Document] = []
        for start in range(0, len(documents), ROWS_PER_COMMIT):
            part = rows.part(start, start + ROWS_PER_COMMIT)
            planned = await self._step(
                partial(ledger.plan_later, rows=part, again=again, held=self._held, next_number=self._next_number)
            )
            self._next_number += planned.new
            self._numbers.extend(planned.numbers)
            for outcome in planned.known:
                self._outcomes.put(outcome)
            chosen += [part.documents[offset] for offset in planned.fresh]
        return chosen

    async def end_plan(self) -> None:
        """Close the plan: from now on the run can be resumed without the frame."""
        self._check()
        self._held = {}
        self.meta["planned"] = True
        await self._step(ledger.end_frame)

    def go_on(self) -> Outcomes:
        """Take the last frame up again and return its outcomes.

        Raises
        ------
        ConfigurationError
            Its plan was never closed: the process died while it was written, so the ledger has not all rows.
        """
        self._check()
        if not self.meta["planned"]:
            design = self.meta.get("design_id", "…")
            raise ConfigurationError(
                f"run {self.run!r} can't be resumed by its name alone: its process ended before all rows were "
                "written down. Nothing was sent now. Give it the frame again, and what was accepted is not sent "
                "twice:\n"
                f"    {with_its_rows(self.run, design)}"
            )
        with self._file.reading() as reader:
            frame = ledger_queries.frame_of(reader)
            self._numbers = ledger_queries.numbers_of(reader)
            self._outcomes = Outcomes(frame.names)
            ledger_queries.fill(reader, self._outcomes)
        return self._outcomes

    def pending(
        self, *, failed: bool = True, unknown: bool = False, positions: Collection[int] | None = None
    ) -> Iterator[Document]:
        """Yield the documents that are to be sent, as they were planned, read from the file as they are asked for.

        ``failed``, ``unknown``: those that failed, and those that may have been accepted, too; these are released.
        """
        self._check()
        wanted = ["not_sent", *(["failed"] if failed else []), *(["unknown"] if unknown else [])]
        after = -1
        while True:
            with self._file.reading() as reader:
                kept = ledger_queries.pending_after(reader, after, wanted)
            if not kept:
                return
            after = kept[-1][0]
            for number, status, document in kept:
                if positions is None or document.position in positions:
                    if status == "unknown":
                        self._released.add(number)
                    yield document

    # -- calls -----------------------------------------------------------------------------------------------

    async def intent(self, positions: Sequence[int], endpoint: str) -> int:
        """Record that a call is about to be sent, and return its number: the record is on the disk then.

        Raises
        ------
        AcceptedMeanwhile
            A webhook, or a person in the web app, found rows of it accepted: the rest may be sent without them.
        JournalError
            It could not be written, so the call must not be sent; or a document of it was accepted before, is in
            flight, or may have been accepted and was not released by `pending`.
        """
        self._check()
        numbers = self._numbers_of(positions)
        intent = Intent(
            self._next_call,
            endpoint,
            self._via,
            self._clock.timestamp(),
            positions,
            spans_by_release(numbers, self._released),
        )
        self._next_call += 1
        self._commits.open.intents.append(intent)
        try:
            await self._commits.committed()
        except BaseException:
            # it was not sent, whether or not the record gets onto the disk
            if intent in self._commits.open.intents:
                self._commits.open.intents.remove(intent)
            else:
                self._commits.open.withdrawn.append((intent.call, spans(numbers)))
            with contextlib.suppress(RuntimeError):
                self._commits.soon()
            raise
        if self._commits.closed:  # which takes back what waits
            raise JournalError(f"run {self.run!r} was closed before the call was sent, and it was not sent")
        if intent.standing is not None:
            refuse(intent.standing, self._outcomes, self._released, self._numbers, self.run)
        return intent.call

    def withdraw(self, call: int, positions: Sequence[int]) -> None:
        """Record that a call was definitely refused: its documents are what they were before it.

        The record goes along with the next commit. A process killed before shows the rows as ``unknown``.
        """
        documents = spans(self._numbers_of(positions))
        self._commits.open.cleared.append((call, documents, self._clock.timestamp()))
        self._commits.soon()

    def answered(self, call: int | None, outcomes: Sequence[Outcome]) -> asyncio.Future[None]:
        """Record what became of the rows of a call; ``call`` is None for rows that failed before they were sent.

        The future is done when the record is on the disk: only then may they be counted as done. It may raise
        `JournalError`.
        """
        self._commits.open.noted.append((call, outcomes, self._clock.timestamp()))
        return self._commits.committed()

    def record(
        self, call: int | None, outcomes: Sequence[Outcome], then: Callable[[JournalError | None], None]
    ) -> None:
        """Do as `answered`, but call ``then`` on the event loop when the record is on the disk, or cannot be.

        A caller that does not wait goes on with its next call at once, and the two records share a commit.
        """
        self._commits.open.noted.append((call, outcomes, self._clock.timestamp()))
        self._commits.tell(then)

    def saved(self, position: int) -> None:
        """Record where a PDF was saved, or why it was not; the record goes along with the next commit."""
        outcomes = self._outcomes
        # the PDF of the document before is not that of one still to be sent again, which would seem accepted
        number = self._shown.get(position, self._numbers[position])
        path = outcomes.path[position]
        if path is not None:
            self._commits.open.saved.append((path, number))
            if position in self._shown:
                # fetched, and still to be sent again
                outcomes.error_kind[position], outcomes.error[position] = "cancelled", NOT_SENT_AGAIN
        else:
            status = outcomes.http_status[position] or None
            reason = (outcomes.error_kind[position], clean(outcomes.error[position]), status, number)
            self._commits.open.not_fetched.append(reason)
        self._commits.soon()

    def look_again(self) -> None:
        """Bring the outcomes to what is known elsewhere: by webhooks, looks in the web app, an earlier try."""
        self._check()
        outcomes = self._outcomes
        with self._file.reading() as reader:
            self._marks_seen = ledger_queries.learn_marks(reader, outcomes, self._marks_seen)
            if self.meta["frame"] > 1:
                self._shown |= ledger_queries.show_before(reader, outcomes)

    def replaced(self) -> list[tuple[int, Outcome]]:
        """Return the earlier editions of documents that were made again, each with the position of its row."""
        with self._file.reading() as reader:
            return ledger_queries.replaced(reader) if self.meta["frame"] > 1 else []

    async def flush(self) -> None:
        """Return when everything is on the disk."""
        await self._commits.committed()

    # -- calls that others carry out ---------------------------------------------------------------------------

    async def tell(self, **facts: Any) -> None:
        """Write down what a process that goes on with the run must know: JSON, and no secret."""
        self._check()
        self.meta |= facts
        await self._step(partial(ledger.write_meta, facts=facts))

    def awaited(self) -> dict[int, list[tuple[int, str]]]:
        """Return the calls of a queue that were never seen answered, as `ledger_queries.awaited_in`."""
        with self._file.reading() as reader:
            return ledger_queries.awaited_in(reader)

    def reopen(self, awaited: Mapping[int, list[tuple[int, str]]]) -> list[tuple[int, list[int], list[str]]]:
        """Take up calls that a process before put into the queue and never saw answered: workers may have answers.

        Return the number of each, its rows, and our ids of these; without rows that were sent again since.
        """
        self._check()
        opened: list[tuple[int, list[int], list[str]]] = []
        for call, rows in awaited.items():
            # what this process has learned of a call since may not be on the disk yet
            if call >= self._first_call or call in self._reopened:
                continue
            self._reopened.add(call)
            positions = [position for position, _ in rows if position < len(self._numbers)]
            self._commits.open.awaited += [(self._numbers[position], call) for position in positions]
            for position in positions:
                self._outcomes.forget(position)
            opened.append((call, positions, [identity for _, identity in rows]))
        if opened:
            self._commits.soon()
        return opened

    # -- inside ----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._commits.error is not None:
            raise self._commits.error
        if self._file.lock.forked:
            raise JournalError(
                f"run {self.run!r} was begun by another process, of which this one is a fork: start it again here"
            )

    async def _step(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Write something in the commits' thread; return what it found there."""
        found: list[T] = []
        self._commits.open.steps.append(lambda connection: found.append(step(connection)))
        await self._commits.committed()
        if not found:
            raise JournalError(f"run {self.run!r} was closed before its rows were written down")
        return found[-1]

    def _numbers_of(self, positions: Sequence[int]) -> Sequence[int]:
        if isinstance(self._numbers, range):
            return positions
        return [self._numbers[position] for position in positions]

    def _describe(self, changes: Changes) -> None:
        """Describe the outcomes that were noted."""
        noted, changes.noted = changes.noted, []
        for call, outcomes, moment in noted:
            numbers = self._numbers_of([outcome.row for outcome in outcomes])
            describe(changes, outcomes, call, numbers, moment)
            if self._released:
                told = zip(numbers, outcomes, strict=True)
                self._released -= {number for number, outcome in told if outcome.status != "not_sent"}


def _after_fork() -> None:
    """Keep a child from closing its copies of the parent's connections: SQLite forbids their use there."""
    _LEFT.extend(_OPEN)
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
