"""What a ledger holds, read from its file: the run's facts, its rows, and what became of them."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import ACCEPTED, STATUSES, Outcome, Outcomes
from reportflow_pandas.journal.schema import decoded, outcome_columns
from reportflow_pandas.next_steps import CHANGED, LOOK_IT_UP, NOT_SENT_AGAIN

__all__ = [
    "LOST",
    "Frame",
    "RecentCall",
    "all_described",
    "awaited_in",
    "counts_of",
    "described",
    "fill",
    "frame_of",
    "is_answered",
    "is_keyed",
    "keys_of",
    "known_at",
    "last_numbers",
    "learn_marks",
    "meta_of",
    "numbers_by_id",
    "numbers_of",
    "one_moment",
    "outcome_at",
    "pending_after",
    "recent_calls_in",
    "replaced",
    "sent_again",
    "show_before",
    "statuses_of",
]

LOST = f"the process ended before the answer came: {LOOK_IT_UP}"
IN_FLIGHT = "sent just now, the answer is awaited by the process that carries the run out"
BEFORE = "this was the document sent again, the one before is still there: request"

_CHUNK = 500
"""Documents read at a time: a cursor left open would keep the write-ahead log from being emptied."""

_LINES = 250
"""Lines made into outcomes at a time: with two objects each, still too few to start a garbage collection (700)."""

_MAY_EXIST = "('accepted', 'ready', 'unknown', 'in_flight')"


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows that were last given to a run.

    Attributes
    ----------
    names : list of str
        File names without ``.pdf``, by position.
    labels : list of list or None
        Index labels as they were planned, a list of one for each level.
    numbers : sequence of int
        Which document of the ledger each row is.
    folders : list of str or None
        Of each row's PDF below the download folder; None: all are in it.
    """

    names: list[str]
    labels: list[list[Any]] | None
    numbers: Sequence[int]
    folders: list[str] | None = None


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


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the ledger in several questions, whatever another process writes between them."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def meta_of(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what the ledger says about its run."""
    return {name: decoded(value) for name, value in connection.execute("SELECT name, value FROM meta")}


def last_numbers(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the highest number of a document, -1 for none, and that of a call, 0 for none."""
    (document,) = connection.execute("SELECT coalesce(max(number), -1) FROM documents").fetchone()
    (call,) = connection.execute("SELECT coalesce(max(number), 0) FROM calls").fetchone()
    return document, call


def is_keyed(connection: sqlite3.Connection) -> bool:
    """Tell whether equal keys are told apart in the file: a second frame was begun."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'documents_by_key'").fetchone()
    return found is not None


# -- the frame ------------------------------------------------------------------------------------------------


def frame_of(connection: sqlite3.Connection) -> Frame:
    """Return the rows that were last given."""
    names: list[str] = []
    labels: list[list[Any]] | None = []
    numbers: array[int] = array("q")
    folders: dict[int, str] = {}
    for number, name, label, folder in connection.execute(
        "SELECT number, name, label, folder FROM rows ORDER BY position"
    ):
        if folder:
            folders[len(names)] = folder
        numbers.append(number)
        names.append(name)
        if label is None:
            labels = None
        elif labels is not None:
            labels.append(decoded(label))
    return Frame(
        names, labels, numbers, [folders.get(place, "") for place in range(len(names))] if folders else None
    )


def numbers_of(connection: sqlite3.Connection) -> range | array[int]:
    """Return the document of each row, by position."""
    numbers = array("q", [number for (number,) in connection.execute("SELECT number FROM rows ORDER BY position")])
    unbroken = range(len(numbers))
    return (
        unbroken if not numbers or (numbers[-1] == unbroken[-1] and numbers == array("q", unbroken)) else numbers
    )


def keys_of(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
    """Return the key of each document that is in a row, by position, and how many equal ones come before it."""
    return connection.execute(
        f"SELECT key, nth FROM rows CROSS JOIN {_told_apart(connection)} USING (number) ORDER BY position"
    ).fetchall()


def _told_apart(connection: sqlite3.Connection) -> str:
    """Return a table of documents whose ``nth`` is right: that of a first frame is known only by counting."""
    if is_keyed(connection):
        return "documents"
    counted = "row_number() OVER (PARTITION BY key ORDER BY number) - 1"
    return f"(SELECT number, key, {counted} AS nth, edition, status, digest FROM documents)"


def described(connection: sqlite3.Connection, keys: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """Return the documents of some keys: key, nth, edition, number, status, digest, and whether a row has it."""
    marks = ",".join("?" * len(keys))
    return connection.execute(
        f"SELECT d.key, d.nth, d.edition, d.number, d.status, d.digest, r.position IS NOT NULL FROM documents d "
        f"LEFT JOIN rows r ON r.number = d.number WHERE d.key IN ({marks}) ORDER BY d.edition",
        keys,
    ).fetchall()


def all_described(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Return all documents as `described` does, none of them in a row: of a frame that was not begun."""
    return connection.execute(
        f"SELECT key, nth, edition, number, status, digest, 0 FROM {_told_apart(connection)} ORDER BY edition"
    )


# -- what became of rows ---------------------------------------------------------------------------------------

_COLUMNS = f"{outcome_columns('d', 'c')}, r.changed"
_ROWS = f"""
SELECT r.position, {_COLUMNS} FROM rows r CROSS JOIN documents d ON d.number = r.number
LEFT JOIN calls c ON c.number = d.call
"""


def _outcome(line: tuple[Any, ...], awaited: str) -> Outcome:
    """Return a line of `_ROWS` as an outcome; ``awaited`` says of a call in flight why it is unknown."""
    outcome, changed = Outcome._make(line[:-1]), line[-1]
    if outcome.status == "in_flight":
        return Outcome(outcome.row, "unknown", error_kind="unknown_outcome", error=awaited, attempts=1)
    if outcome.accepted_at is not None and outcome.status not in ACCEPTED:
        outcome = outcome._replace(accepted_at=None)
    return outcome._replace(error_kind="changed", error=CHANGED) if changed else outcome


def fill(connection: sqlite3.Connection, outcomes: Outcomes, *, sending: bool = False) -> None:
    """Bring outcomes to what the ledger knows of each row; ``sending``: a process carries the run out just now."""
    awaited = IN_FLIGHT if sending else LOST
    known = "WHERE d.status <> 'not_sent' OR d.error_kind IS NOT NULL ORDER BY r.position"
    found = connection.execute(f"{_ROWS} {known}")
    while lines := found.fetchmany(_LINES):
        outcomes.put_all([_outcome(line, awaited) for line in lines if line[0] < len(outcomes)])


def known_at(
    connection: sqlite3.Connection, positions: Sequence[int], *, awaited: str = LOST
) -> list[tuple[Outcome, str]]:
    """Return what is known of some rows, each with its status as the ledger has it, in flight too."""
    found: list[tuple[Outcome, str]] = []
    for start in range(0, len(positions), _CHUNK):
        chosen = positions[start : start + _CHUNK]
        lines = connection.execute(f"{_ROWS} WHERE r.position IN ({','.join('?' * len(chosen))})", list(chosen))
        found += [(_outcome(line, awaited), line[1]) for line in lines]
    return found


def outcome_at(connection: sqlite3.Connection, number: int, position: int) -> Outcome:
    """Return what is known of a document, as of a row at a position."""
    line = connection.execute(
        f"SELECT ?, {_COLUMNS} FROM documents d LEFT JOIN calls c ON c.number = d.call "
        "LEFT JOIN rows r ON r.number = d.number WHERE d.number = ?",
        (position, number),
    ).fetchone()
    return _outcome(line, LOST)


def learn_marks(connection: sqlite3.Connection, outcomes: Outcomes, seen: int) -> int:
    """Bring outcomes to what webhooks and looks in the web app marked after a mark; return the last mark."""
    found = connection.execute("SELECT value FROM meta WHERE name = 'marks'").fetchone()
    last = int(found[0]) if found else 0
    if last <= seen:
        return seen
    for line in connection.execute(f"{_ROWS} WHERE d.marked > ?", (seen,)):
        told = _outcome(line, LOST)
        if told.row >= len(outcomes) or outcomes.status_of(told.row) == "ready":
            continue
        here = outcomes[told.row]
        outcomes.put(
            here._replace(
                status=told.status,
                file_name=outcomes.file_name[told.row],
                file_id=here.file_id or told.file_id,
                request_id=here.request_id or told.request_id,
                accepted_at=here.accepted_at or told.accepted_at,
                error_kind=None,
                error=None,
            )
        )
    return last


def statuses_of(connection: sqlite3.Connection) -> list[str]:
    """Return the status of each row, by position; what is in flight is unknown."""
    found = connection.execute(
        "SELECT d.status FROM rows r CROSS JOIN documents d ON d.number = r.number ORDER BY r.position"
    )
    return ["unknown" if status == "in_flight" else status for (status,) in found]


def sent_again(connection: sqlite3.Connection) -> set[int]:
    """Return the rows whose documents are to take the place of ones that were, or may have been, accepted."""
    return {
        position
        for (position,) in connection.execute(
            "SELECT r.position FROM rows r CROSS JOIN documents d ON d.number = r.number WHERE d.edition > 0"
        )
    }


def counts_of(connection: sqlite3.Connection, frame: int) -> tuple[dict[str, int], int, int]:
    """Return how many rows have each status, as results show them, and how many `rf.resume` would send unasked.

    Third: how many of the accepted ones can never have a PDF.

    Parameters
    ----------
    frame : int
        The number of the last frame: in the first one, nothing was sent again.
    """
    # until a second frame is begun, each document is in a row
    held = "rows r CROSS JOIN documents d ON d.number = r.number" if is_keyed(connection) else "documents d"
    counts = dict.fromkeys(STATUSES, 0)
    for status, rows in connection.execute(f"SELECT d.status, count(*) FROM {held} GROUP BY d.status"):
        counts["unknown" if status == "in_flight" else status] += rows
    # by the index of just these, with the rows looked up for each
    (never,) = connection.execute(
        "SELECT count(*) FROM documents d CROSS JOIN rows r ON r.number = d.number "
        "WHERE d.error_kind = 'no_pdf' AND d.status = 'accepted'"
    ).fetchone()
    unsent = counts["not_sent"]
    if frame > 1:
        for _, own, before, *_ in _editions_before(connection):
            if own == "not_sent":
                counts["not_sent"] -= 1
                counts["unknown" if before == "in_flight" else before] += 1
    return counts, unsent, never


def answers_in(connection: sqlite3.Connection) -> list[tuple[float, str, int]]:
    """Return when rows were answered, or sent if they never were: moment, status now, how many."""
    return connection.execute(
        "SELECT coalesce(c.answered_at, c.started_at) AS moment, d.status, count(*) FROM rows r "
        "CROSS JOIN documents d ON d.number = r.number CROSS JOIN calls c ON c.number = d.call "
        "GROUP BY d.call, d.status ORDER BY moment"
    ).fetchall()


def _editions_before(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return rows sent again, or to be, that have not been accepted so far, with the newest edition that was.

    That is: position, status of the row's own document, status and number of that edition.
    """
    if not is_keyed(connection):
        return []
    return connection.execute(
        "SELECT r.position, d.status, e.status, e.number FROM documents d "
        "CROSS JOIN rows r ON r.number = d.number "
        "CROSS JOIN documents e ON e.key = d.key AND e.nth = d.nth "
        "AND e.edition = (SELECT max(edition) FROM documents "
        f"WHERE key = d.key AND nth = d.nth AND edition < d.edition AND status IN {_MAY_EXIST}) "
        "WHERE d.edition > 0 AND (d.status = 'not_sent' OR d.status = 'failed')"
    ).fetchall()


def replaced(connection: sqlite3.Connection) -> list[tuple[int, Outcome]]:
    """Return the earlier editions of documents that were made again, each with the position of its row."""
    if not is_keyed(connection):
        return []
    editions = connection.execute(
        "SELECT r.position, e.number FROM documents d CROSS JOIN rows r ON r.number = d.number "
        "CROSS JOIN documents e ON e.key = d.key AND e.nth = d.nth AND e.edition < d.edition "
        "WHERE d.edition > 0 AND d.status IN ('accepted', 'ready') AND e.status IN ('accepted', 'ready')"
    ).fetchall()
    return [(position, outcome_at(connection, number, position)) for position, number in editions]


def show_before(connection: sqlite3.Connection, outcomes: Outcomes) -> dict[int, int]:
    """Show of rows that were to be sent again, and were not accepted again, what was accepted before.

    Returns
    -------
    dict of int
        The documents that are shown in place of the rows' own, by position.
    """
    shown: dict[int, int] = {}
    for position, _, _, number in _editions_before(connection):
        if position >= len(outcomes) or outcomes.status_of(position) not in ("not_sent", "failed"):
            continue
        before = outcome_at(connection, number, position)
        if outcomes.status_of(position) == "not_sent":
            certain = before.status != "unknown"
            outcomes.put(before._replace(error_kind="cancelled", error=NOT_SENT_AGAIN) if certain else before)
            shown[position] = number
        else:
            error = outcomes.error[position] or ""
            if BEFORE not in error:
                outcomes.error[position] = f"{error}; {BEFORE} {before.request_id}, file {before.file_id}"
    return shown


# -- documents to be sent --------------------------------------------------------------------------------------


def pending_after(
    connection: sqlite3.Connection, number: int, statuses: Sequence[str]
) -> list[tuple[int, str, Document]]:
    """Return the next documents behind a number that have one of these statuses: number, status, document."""
    marks = ",".join("?" * len(statuses))
    return [
        (number, status, Document(position, identity, name, content))
        for number, status, position, identity, name, content in connection.execute(
            "SELECT c.number, d.status, r.position, d.rf, r.name, c.content FROM contents c "
            "CROSS JOIN documents d ON d.number = c.number CROSS JOIN rows r ON r.number = c.number "
            f"WHERE c.number > ? AND d.status IN ({marks}) ORDER BY c.number LIMIT {_CHUNK}",
            (number, *statuses),
        )
    ]


def numbers_by_id(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, int]:
    """Return the documents of our ids, those that there are."""
    plain = [identity for identity in ids if identity.isascii()]
    marks = ",".join("?" * len(plain))
    return dict(connection.execute(f"SELECT rf, number FROM documents WHERE rf IN ({marks})", plain))


def is_answered(connection: sqlite3.Connection, number: int, request_id: str) -> bool:
    """Tell whether a document's request is written down as answered."""
    found = connection.execute(
        "SELECT coalesce(d.request_id, c.request_id) FROM documents d LEFT JOIN calls c ON c.number = d.call "
        "WHERE d.number = ?",
        (number,),
    ).fetchone()
    return bool(found == (request_id,))


# -- calls -----------------------------------------------------------------------------------------------------


def awaited_in(connection: sqlite3.Connection) -> dict[int, list[tuple[int, str]]]:
    """Return calls of a queue that were never seen answered: position and our id of each row still theirs."""
    found: dict[int, list[tuple[int, str]]] = {}
    for call, position, identity in connection.execute(
        "SELECT d.call, r.position, d.rf FROM documents d CROSS JOIN calls c ON c.number = d.call "
        "CROSS JOIN rows r ON r.number = d.number WHERE (d.status = 'in_flight' OR d.status = 'unknown') "
        "AND c.via = 'queue' AND c.answered_at IS NULL ORDER BY d.call, r.position"
    ):
        found.setdefault(call, []).append((position, identity))
    return found


def recent_calls_in(connection: sqlite3.Connection, since: float, *, of_queues: bool) -> list[RecentCall]:
    """Return a ledger's calls that were answered since then, or started since then and never answered.

    ``of_queues`` leaves out those that its own process made.
    """
    return [
        RecentCall(*line)
        for line in connection.execute(
            "SELECT endpoint, started_at, answered_at FROM calls WHERE (answered_at >= :since "
            "OR (answered_at IS NULL AND started_at >= :since)) AND (NOT :of_queues OR via = 'queue') "
            "ORDER BY number",
            {"since": since, "of_queues": of_queues},
        )
    ]
