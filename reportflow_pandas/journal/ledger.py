"""The ledger: one row a document, its status one column, and every statement that writes a status.

No other module may hold ``SET status``; readers need none of this. `journal.journal.Journal` is what a run is sent
by; `Changes` are what it writes in one commit, in this order: steps (a new frame, its rows), outcomes, saved PDFs,
calls of a queue that are awaited again, definite refusals, intents taken back, intents.

The life of a document: ``not_sent`` → intent → ``in_flight`` → ``accepted`` → ``ready``, or ``failed``, or
``unknown``; a definite refusal (429, a 5xx that is tried again) brings it back to what it was before the intent.
``accepted`` and ``ready`` are never left, whatever comes later and in whatever order. A call of a process that
died is found ``in_flight`` when the run is opened, under its lock, and becomes ``unknown``; a queue's stays in
flight as long as the run is opened with its queue.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import repeat
from typing import Any, Literal

from reportflow_pandas.engine.outcomes import OF_CALL, OF_DOCUMENT, OF_ERROR, Outcome
from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.deduplication import Known, Planned, Rows
from reportflow_pandas.journal.ledger_queries import LOST, described, is_keyed, known_at
from reportflow_pandas.journal.schema import DOCUMENTS_BY_KEY, DOCUMENTS_BY_RF, encoded

__all__ = [
    "OF_ANSWER",
    "Changes",
    "Intent",
    "Via",
    "begin_frame",
    "end_frame",
    "lose",
    "mark_ready",
    "plan_first",
    "plan_later",
    "spans",
]

Via = Literal["process", "queue"]
"""Who sends a call: this process, or workers on any machines."""

Span = tuple[int, int]
"""Documents whose numbers follow each other: the first and the last."""

OF_ANSWER = tuple(name for name in OF_DOCUMENT if name != "path")
"""What the service says of one document."""


def _assigned(columns: Iterable[str], value: str = "?", **others: str) -> str:
    """Return what an UPDATE assigns to columns: one value (``{0}`` is the column), to some of them others."""
    return ", ".join(f"{name} = {others.get(name, value).format(name)}" for name in columns)


_ERROR = _assigned(OF_ERROR)
_NO_ERROR = _assigned(OF_ERROR, "NULL")
_SHARED = _assigned(OF_CALL)
_NOTHING_KNOWN = _assigned(("prior", "prior_call", "call", "marked", *OF_DOCUMENT, *OF_ERROR, *OF_CALL), "NULL")

# -- statements that write a status ------------------------------------------------------------------------------

_TAKE_OVER = f"UPDATE documents SET status = 'not_sent', digest = ?, rf = ?, {_NOTHING_KNOWN} WHERE number = ?"

# the guard against sending twice: what is not changed here must not be sent
_INTEND = (
    "UPDATE documents SET prior = status, prior_call = call, status = 'in_flight', call = ? + ? * number "
    "WHERE number BETWEEN ? AND ? AND (status = 'not_sent' OR status = 'failed' OR (? AND status = 'unknown'))"
)
_RESTORE = (
    "UPDATE documents SET status = prior, call = prior_call "
    "WHERE call = ? AND status = 'in_flight' AND number BETWEEN ? AND ?"
)
_ACCEPT = (
    "UPDATE documents SET status = CASE status WHEN 'ready' THEN 'ready' ELSE ? END, "
    f"{_assigned((*OF_ANSWER, 'path'), 'coalesce(?, {0})')}, {_NO_ERROR}, "
    # an answer that names no request leaves the one that a webhook told of
    f"{_assigned(OF_CALL, request_id='coalesce(?, {0})')} WHERE number = ? AND call = ?"
)
# nearly always a row has nothing of its own: 1.9 instead of 4.0 µs
_ACCEPT_ALIKE = (
    "UPDATE documents SET status = CASE status WHEN 'ready' THEN 'ready' ELSE ? END, "
    f"{_assigned(OF_ANSWER, 'coalesce(?, {0})')}, {_NO_ERROR}, {_assigned(OF_CALL, 'NULL')} "
    "WHERE number = ? AND call = ?"
)
# the row was sent again meanwhile; it exists nevertheless
_ACCEPT_OF_EARLIER_CALL = (
    f"UPDATE documents SET status = ?, {_assigned((*OF_ANSWER, 'path'))}, {_NO_ERROR}, {_SHARED}, call = ? "
    "WHERE number = ? AND call IS NOT ? AND status <> 'accepted' AND status <> 'ready'"
)
# unknown too: a worker that was given up may answer after all
_REFUSE = (
    f"UPDATE documents SET status = ?, {_ERROR}, {_SHARED} WHERE number = ? "
    "AND call = ? AND (status = 'in_flight' OR status = 'unknown')"
)
# a worker gave it back; what was released although it may exist is not released any more
_GIVE_BACK = (
    "UPDATE documents SET status = CASE prior WHEN 'unknown' THEN 'unknown' ELSE 'not_sent' END, "
    + _assigned(OF_ERROR, "CASE prior WHEN 'unknown' THEN {0} ELSE ? END")
    + f", {_SHARED} WHERE number = ? AND call = ? AND status = 'in_flight'"
)
_REFUSE_UNSENT = (
    f"UPDATE documents SET status = ?, {_ERROR}, {_SHARED} WHERE number = ? "
    "AND (status = 'not_sent' OR status = 'failed')"
)
_SAVE = f"UPDATE documents SET status = 'ready', path = ?, {_NO_ERROR} WHERE number = ?"
_AWAIT_AGAIN = "UPDATE documents SET status = 'in_flight' WHERE number = ? AND call = ? AND status = 'unknown'"
_LOSE = (
    "UPDATE documents SET status = 'unknown', error_kind = 'unknown_outcome', error = ?, "
    f"{_assigned(OF_CALL, 'NULL', attempts='1')} WHERE status = 'in_flight' "
    "AND (? OR call IN (SELECT number FROM calls WHERE via = 'process'))"
)
_MARKED = (
    f"{_NO_ERROR}, marked = ?, accepted_at = coalesce(accepted_at, "
    "(SELECT accepted_at FROM calls WHERE calls.number = documents.call), ?)"
)
_MARK_READY = (
    f"UPDATE documents SET status = 'ready', file_id = coalesce(file_id, ?), {_MARKED}, "
    "request_id = CASE WHEN (SELECT request_id FROM calls WHERE calls.number = documents.call) IS NULL "
    "THEN coalesce(request_id, ?) ELSE request_id END WHERE number = ? AND status <> 'ready'"
)
_SETTLE = (
    f"UPDATE documents SET status = 'accepted', {_MARKED} "
    "WHERE number = ? AND (status = 'unknown' OR (? AND status = 'in_flight'))"
)

# -- all others --------------------------------------------------------------------------------------------------

_CALL = "INSERT INTO calls (number, endpoint, via, started_at) VALUES (?, ?, ?, ?)"
_CALLS = (
    "INSERT INTO calls (number, endpoint, via, started_at) "
    "SELECT number + ?, ?, ?, ? FROM documents WHERE number BETWEEN ? AND ?"
)
_ANSWER = f"UPDATE calls SET answered_at = ?, {_SHARED} WHERE number = ?"
_NOT_FETCHED = (
    "UPDATE documents SET error_kind = ?, error = ?, http_status = coalesce(?, http_status) WHERE number = ?"
)
_DROP = "DELETE FROM contents WHERE number BETWEEN ? AND ?"
_CONTENT = "INSERT OR REPLACE INTO contents VALUES (?, ?)"
_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_ROW = (
    "INSERT INTO rows (position, number, name, folder, label, changed) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT "
    "(position) DO UPDATE SET number = excluded.number, name = excluded.name, folder = excluded.folder, "
    "label = excluded.label, changed = excluded.changed"
)


@dataclass(eq=False, slots=True)
class Intent:
    """A call that is about to be sent.

    Attributes
    ----------
    call : int
        Its number.
    spans : list of (int, int, bool)
        Its documents, and whether they were released: may be sent although they may have been accepted.
    documents : int
        How many.
    standing : list of (Outcome, str) or None
        Why it must not be sent: what is known of its rows. None: it may be.
    """

    call: int
    endpoint: str
    via: Via
    started_at: float
    positions: Sequence[int]
    spans: list[tuple[int, int, bool]]
    standing: list[tuple[Outcome, str]] | None = None

    def apply(self, connection: sqlite3.Connection) -> None:
        """Write it, all or nothing: the trouble of one call is none of the others in its commit."""
        connection.execute("SAVEPOINT intent")
        connection.execute(_CALL, (self.call, self.endpoint, self.via, self.started_at))
        taken = sum(
            connection.execute(_INTEND, (self.call, 0, first, last, released)).rowcount
            for first, last, released in self.spans
        )
        if taken != len(self.positions):
            connection.execute("ROLLBACK TO intent")
            self.standing = known_at(connection, self.positions)
        connection.execute("RELEASE intent")


@dataclass(eq=False, slots=True)
class Changes:
    """What goes into one commit; a `journal.commits.Records`."""

    describe: Callable[[Changes], None]
    """Fills in the outcomes of what was only noted."""
    steps: list[Callable[[sqlite3.Connection], None]] = field(default_factory=list)
    noted: list[tuple[int | None, Sequence[Outcome], float]] = field(default_factory=list)
    """Call, outcomes and moment of outcomes that are described when the commit begins: together they cost less."""
    answers: list[tuple[Any, ...]] = field(default_factory=list)
    accepted: list[tuple[Any, ...]] = field(default_factory=list)
    accepted_alike: list[tuple[Any, ...]] = field(default_factory=list)
    """Of rows that have nothing of their own but what the answer says: status, `OF_ANSWER`, number, call."""
    dropped: list[int] = field(default_factory=list)
    """Accepted documents, whose contents leave the file with the same commit."""
    refused: list[tuple[Any, ...]] = field(default_factory=list)
    given_back: list[tuple[Any, ...]] = field(default_factory=list)
    refused_unsent: list[tuple[Any, ...]] = field(default_factory=list)
    cleared: list[tuple[int, list[Span], float]] = field(default_factory=list)
    """Calls that were definitely refused, and when."""
    withdrawn: list[tuple[int, list[Span]]] = field(default_factory=list)
    """Calls whose intent is perhaps on the disk, and that were not sent: the limiter must not count them."""
    saved: list[tuple[str, int]] = field(default_factory=list)
    not_fetched: list[tuple[Any, ...]] = field(default_factory=list)
    awaited: list[tuple[int, int]] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    then: list[Callable[[JournalError | None], None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, kind.name) for kind in fields(self) if kind.name != "describe")

    def complete(self) -> None:
        """Describe what was only noted."""
        if self.noted:
            self.describe(self)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Write it all, in this order."""
        for step in self.steps:
            step(connection)
        self._apply_outcomes(connection)
        many = connection.executemany
        for call, spans, moment in self.cleared:
            many(_RESTORE, [(call, *span) for span in spans])
            connection.execute("UPDATE calls SET answered_at = ? WHERE number = ?", (moment, call))
        for call, spans in self.withdrawn:
            many(_RESTORE, [(call, *span) for span in spans])
            connection.execute("DELETE FROM calls WHERE number = ?", (call,))
        if self.intents:
            self._apply_intents(connection)

    def _apply_intents(self, connection: sqlite3.Connection) -> None:
        """Write all intents at once; one by one where the guard refuses any, which is hardly ever."""
        connection.execute("SAVEPOINT intents")
        calls, singles, taking = [], [], []
        for intents in _side_by_side(self.intents):
            lead, last = intents[0], intents[-1]
            if len(intents) == 1:
                calls.append((lead.call, lead.endpoint, lead.via, lead.started_at))
                taking += [(lead.call, 0, *span) for span in lead.spans]
            else:
                (first, _, released), final = lead.spans[0], last.spans[0][1]
                singles.append((lead.call - first, lead.endpoint, lead.via, last.started_at, first, final))
                taking.append((lead.call - first, 1, first, final, released))
        connection.executemany(_CALL, calls)
        connection.executemany(_CALLS, singles)
        taken = connection.executemany(_INTEND, taking).rowcount
        if taken != sum(len(intent.positions) for intent in self.intents):
            connection.execute("ROLLBACK TO intents")
            for intent in self.intents:
                intent.apply(connection)
        connection.execute("RELEASE intents")

    def _apply_outcomes(self, connection: sqlite3.Connection) -> None:
        many = connection.executemany
        if self.answers:
            many(_ANSWER, self.answers)
        if self.accepted_alike and many(_ACCEPT_ALIKE, self.accepted_alike).rowcount < len(self.accepted_alike):
            nothing = (None,) * (1 + len(OF_CALL))  # path, and what is of the call
            self.accepted += [(*names, *nothing, number, call) for *names, number, call in self.accepted_alike]
        if self.accepted and many(_ACCEPT, self.accepted).rowcount < len(self.accepted):
            many(_ACCEPT_OF_EARLIER_CALL, [(*row[:-2], row[-1], row[-2], row[-1]) for row in self.accepted])
        if self.dropped:
            many(_DROP, spans(self.dropped))
        for statement, lines in (
            (_REFUSE, self.refused),
            (_GIVE_BACK, self.given_back),
            (_REFUSE_UNSENT, self.refused_unsent),
            (_SAVE, self.saved),
            (_NOT_FETCHED, self.not_fetched),
            (_AWAIT_AGAIN, self.awaited),
        ):
            if lines:
                many(statement, lines)

    def at_the_end(self, *, failed: bool) -> Changes:
        """Return what is still to be written when nothing more can be sent: outcomes, and no intent stays."""
        self.complete()
        unsent = [(intent.call, [span[:2] for span in intent.spans]) for intent in self.intents]
        return replace(
            self,
            steps=[] if failed else self.steps,
            withdrawn=self.withdrawn + unsent,
            intents=[],
            waiting=[],
            then=[],
        )


def spans(numbers: Sequence[int]) -> list[Span]:
    """Return numbers, in any order, as the first and the last of those that follow each other.

    Examples
    --------
    >>> spans([3, 5, 6, 7])
    [(3, 3), (5, 7)]
    """
    if len(numbers) < 2:
        return [(number, number) for number in numbers]
    ordered = sorted(numbers)
    if ordered[-1] - ordered[0] == len(ordered) - 1:
        return [(ordered[0], ordered[-1])]
    found: list[Span] = []
    for number in ordered:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _side_by_side(intents: Sequence[Intent]) -> list[list[Intent]]:
    """Return intents in groups: calls of one document whose numbers go up together with those of the documents.

    Each group is one statement: 14 instead of 34 thousand instructions a call.
    """
    groups: list[list[Intent]] = []
    expected: tuple[Any, ...] | None = None
    for intent in intents:
        (first, last, released), *more = intent.spans
        about = (intent.call, first, released, intent.endpoint, intent.via)
        if about == expected and first == last:
            groups[-1].append(intent)
        else:
            groups.append([intent])
        expected = (intent.call + 1, last + 1, *about[2:]) if first == last and not more else None
    return groups


# -- a frame -----------------------------------------------------------------------------------------------------


def write_meta(connection: sqlite3.Connection, facts: dict[str, Any]) -> None:
    """Write facts about the run."""
    connection.executemany(_META, [(name, encoded(value)) for name, value in facts.items()])


def begin_frame(connection: sqlite3.Connection, meta: dict[str, Any], held: dict[int, int]) -> None:
    """Forget the rows of the frame before; its documents stay, and equal ones are told apart from now on."""
    if not is_keyed(connection) and connection.execute("SELECT 1 FROM documents LIMIT 1").fetchone():
        connection.execute(
            "UPDATE documents SET nth = counted.nth FROM (SELECT number, row_number() OVER (PARTITION BY key "
            "ORDER BY number) - 1 AS nth FROM documents) AS counted "
            "WHERE counted.number = documents.number AND counted.nth > 0"
        )
        connection.execute(DOCUMENTS_BY_KEY)
    connection.execute("DELETE FROM rows")
    connection.executemany(_ROW, [(position, number, "", None, None, None) for position, number in held.items()])
    write_meta(connection, meta)


def plan_first(connection: sqlite3.Connection, rows: Rows) -> None:
    """Write rows of a run's first frame: each is a new document, whose number is its position."""
    first = rows.documents[0].position
    numbers = range(first, first + len(rows.documents))
    identities = [document.id for document in rows.documents]
    names = [document.name for document in rows.documents]
    contents = [bytearray(document.content) for document in rows.documents]
    labels = rows.labels and map(encoded, rows.labels)
    digests = rows.digests and map(bytearray, rows.digests)
    _insert(connection, "documents", number=numbers, key=map(bytearray, rows.keys), digest=digests, rf=identities)
    _insert(connection, "contents", number=numbers, content=contents)
    _insert(connection, "rows", position=numbers, number=numbers, name=names, folder=rows.folders, label=labels)


def _insert(connection: sqlite3.Connection, table: str, **columns: Iterable[Any] | None) -> None:
    """Insert rows, given by their columns; None: a column that stays empty.

    For each value but texts, numbers and bytearrays, ``sqlite3`` looks for an adapter, bytes and None too: 3,300
    instructions.
    """
    given = {name: column for name, column in columns.items() if column is not None}
    marks = ", ".join("?" * len(given))
    statement = f"INSERT INTO {table} ({', '.join(given)}) VALUES ({marks})"
    connection.executemany(statement, zip(*given.values(), strict=True))


def plan_later(
    connection: sqlite3.Connection, rows: Rows, again: Collection[int], held: dict[int, int], next_number: int
) -> Planned:
    """Write rows of a later frame: documents that were or may have been accepted are known again."""
    first = rows.documents[0].position
    free = [offset for offset, document in enumerate(rows.documents) if document.position not in held]
    known = Known(described(connection, list({rows.keys[offset] for offset in free})))
    numbers, fresh, changed, new = [held.get(document.position, -1) for document in rows.documents], [], set(), 0
    for offset in free:
        key, document = rows.keys[offset], rows.documents[offset]
        digest = None if rows.digests is None else rows.digests[offset]
        place = known.place(key, digest, again=document.position in again)
        if place.document is not None:
            numbers[offset] = place.document.number
            if place.fresh:
                connection.execute(_TAKE_OVER, (digest, document.id, numbers[offset]))
        else:
            numbers[offset] = next_number + new
            new += 1
            connection.execute(
                "INSERT INTO documents (number, key, nth, edition, digest, rf) VALUES (?, ?, ?, ?, ?, ?)",
                (numbers[offset], key, place.nth, place.edition, digest, document.id),
            )
        if place.fresh:
            fresh.append(offset)
            connection.execute(_CONTENT, (numbers[offset], document.content))
        if place.changed:
            changed.add(offset)
    labels = repeat(None) if rows.labels is None else map(encoded, rows.labels)
    connection.executemany(
        _ROW,
        [
            (document.position, number, document.name, folder, label, 1 if offset in changed else None)
            for offset, (document, number, folder, label) in enumerate(
                zip(rows.documents, numbers, rows.folders or repeat(None), labels, strict=False)
            )
        ],
    )
    others = sorted(set(range(len(numbers))) - set(fresh))
    return Planned(
        numbers, fresh, [outcome for outcome, _ in known_at(connection, [first + place for place in others])], new
    )


def end_frame(connection: sqlite3.Connection) -> None:
    """Close the plan; of documents that are in no row any more, only those that may exist can still matter."""
    if is_keyed(connection):
        gone = (
            "SELECT d.number FROM documents d LEFT JOIN rows r ON r.number = d.number "
            "WHERE r.number IS NULL AND (d.status = 'not_sent' OR d.status = 'failed')"
        )
        connection.execute(f"DELETE FROM contents WHERE number IN ({gone})")
        connection.execute(f"DELETE FROM documents WHERE number IN ({gone})")
    write_meta(connection, {"planned": True})


# -- what others know --------------------------------------------------------------------------------------------


def lose(connection: sqlite3.Connection, *, with_queue: bool) -> None:
    """Say that calls in flight are unknown: the process that sent them is no more; under the run's lock only."""
    connection.execute(_LOSE, (LOST, not with_queue))


def mark_ready(
    connection: sqlite3.Connection, number: int, now: float, *, file_id: str | None, request_id: str | None
) -> bool:
    """Record that a document's PDF exists; return whether that was news. In a transaction."""
    marked = connection.execute(
        _MARK_READY, (file_id, _next_mark(connection, now), now, request_id, number)
    ).rowcount
    connection.execute(_DROP, (number, number))
    return bool(marked)


def settle(connection: sqlite3.Connection, number: int, now: float, *, in_flight: bool) -> bool:
    """Record that an unknown document was accepted; return whether it was unknown. In a transaction."""
    settled = connection.execute(_SETTLE, (_next_mark(connection, now), now, number, in_flight)).rowcount
    if settled:
        connection.execute(_DROP, (number, number))
    return bool(settled)


def index_by_rf(connection: sqlite3.Connection) -> None:
    """Make documents quick to find by our id."""
    connection.execute(DOCUMENTS_BY_RF)


def _next_mark(connection: sqlite3.Connection, now: float) -> int:
    """Count marks: the process that sends looks for those that it has not seen."""
    found = connection.execute("SELECT value FROM meta WHERE name = 'marks'").fetchone()
    mark = int(found[0]) + 1 if found else 1
    write_meta(connection, {"marks": mark, "marked_at": now})
    return mark
