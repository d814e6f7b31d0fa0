"""What a journal knows: the frame that was last given, and what became of each document."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from reportflow_pandas.engine.outcomes import STATUSES, Outcome, Outcomes
from reportflow_pandas.journal.answers import decoded, outcomes_in
from reportflow_pandas.journal.commits import unpacked, unpacked_moments
from reportflow_pandas.journal.spans import numbers_in
from reportflow_pandas.next_steps import LOOK_IT_UP

__all__ = [
    "CHANGED",
    "IN_FLIGHT",
    "LOST",
    "NOT_ANEW",
    "Frame",
    "RecentCall",
    "all_keys_in",
    "awaited_in",
    "contents_after",
    "contents_in",
    "documents_in",
    "frame_of",
    "keys_in",
    "last_call",
    "mark_changed",
    "marked_by_others",
    "meta_of",
    "moved",
    "one_moment",
    "places_of",
    "recent_calls_in",
    "replay",
    "replay_marks",
    "show_before",
]

LOST = f"the process ended before the answer came: {LOOK_IT_UP}"
IN_FLIGHT = "sent just now, the answer is awaited by the process that carries the run out"
NOT_ANEW = (
    "this document was accepted before; it was to be sent anew and was not: again=[label] sends it anew, and "
    "rf.resume(run) all that are left"
)
BEFORE = "this was the document sent anew, the one before is still there: request"
CHANGED = (
    "this document was accepted with other content than the row has now, and is not sent again by itself; "
    "again=[label] sends it anew"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows that were last given to a run.

    Attributes
    ----------
    names : list of str
        File names without ``.pdf``, by position.
    labels : list of list or None
        Index labels as they were planned, a list of one for each level.
    numbers : array of int
        Which document of the journal each row is.
    changed : frozenset of int
        Positions whose content changed after the document was accepted, under the user's key.
    """

    names: list[str]
    labels: list[list[Any]] | None
    numbers: array[int]
    changed: frozenset[int]

    def positions(self, documents: int) -> array[int]:
        """Return the position of each document by its number, -1 where it is in no row."""
        return places_of(self.numbers, documents)


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


def places_of(numbers: Sequence[int], documents: int) -> array[int]:
    """Return the position of each document by its number, -1 where it is in no row.

    Parameters
    ----------
    numbers : sequence of int
        The document of each row.
    documents : int
        So many there are.
    """
    places = array("q", [-1]) * documents
    for position, number in enumerate(numbers):
        if number < documents:
            places[number] = position
    return places


def meta_of(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what the journal says about its run."""
    return {name: decoded(value) for name, value in connection.execute("SELECT name, value FROM meta")}


def documents_in(connection: sqlite3.Connection) -> int:
    """Return how many documents were ever planned."""
    found = connection.execute(
        "SELECT first + length(ids) / 16 FROM documents ORDER BY first DESC LIMIT 1"
    ).fetchone()
    return int(found[0]) if found else 0


def frame_of(connection: sqlite3.Connection) -> Frame:
    """Return the rows that were last given."""
    names: list[str] = []
    labels: list[list[Any]] | None = []
    numbers: array[int] = array("I")
    changed: set[int] = set()
    for spans, some_names, some_labels, some_changed in connection.execute(
        "SELECT numbers, names, labels, changed FROM rows ORDER BY first"
    ):
        numbers.extend(numbers_in(spans))
        names += decoded(some_names)
        if some_labels is None:
            labels = None
        elif labels is not None:
            labels += decoded(some_labels)
        if some_changed is not None:
            changed.update(unpacked(some_changed))
    return Frame(names, labels, numbers, frozenset(changed))


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the journal in several questions, whatever another process writes between them."""
    if connection.in_transaction:  # somebody asks even more of it
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


_CALLS = "SELECT first, endpoint, numbers, started_at FROM calls ORDER BY first"
# calls that were answered just now may have begun long ago
_RECENT_CALLS = """
SELECT first, endpoint, numbers, started_at FROM calls WHERE endpoint <> '' AND
(started_at >= :since OR first >= (SELECT max(first) FROM calls WHERE first <= :oldest)) ORDER BY first
"""


def _each(lines: Iterable[tuple[int, str, str, float]]) -> Iterator[tuple[int, str, Sequence[int], float]]:
    """Yield number, endpoint, documents and start of each call in some lines."""
    for first, endpoint, texts, started_at in lines:
        for call, text in enumerate(texts.split(";"), first):
            yield call, endpoint, numbers_in(text), started_at


_ANSWERED = "SELECT calls FROM answers"
_ANSWERED_TRULY = "SELECT calls FROM answers WHERE answered_at IS NOT NULL OR statuses = ''"
"""Not those that were found unanswered when the run was opened again."""
_WITHDRAWN = "SELECT calls FROM answers WHERE statuses = ''"
"""Definitely refused, or never sent: perhaps after they had been found unanswered."""


def _ended(lines: Iterable[tuple[str]]) -> bytearray:
    """Return 1 for each call, by number, in some lines; it ends with the last of them."""
    ended = bytearray()
    for (calls,) in lines:
        for call in numbers_in(calls):
            if call >= len(ended):
                ended.extend(bytes(call + 1 - len(ended)))
            ended[call] = 1
    return ended


def _begun(connection: sqlite3.Connection, answered: str) -> list[tuple[int, Sequence[int]]]:
    """Return the calls that are in none of the lines of answers."""
    ended = _ended(connection.execute(answered))
    calls = _each(connection.execute(_CALLS))
    return [(call, numbers) for call, _, numbers, _ in calls if call >= len(ended) or not ended[call]]


def awaited_in(connection: sqlite3.Connection) -> list[tuple[int, Sequence[int]]]:
    """Return calls that a process before began and never saw answered, with their documents.

    A call of which a document was sent anew since is left out: its answer would be that of an old try.
    """
    with one_moment(connection):
        begun = _begun(connection, _ANSWERED_TRULY)
        last = dict.fromkeys(number for _, numbers in begun for number in numbers)
        for call, _, numbers, _ in _each(connection.execute(_CALLS)):
            last.update((number, call) for number in numbers if number in last)
    return [(call, numbers) for call, numbers in begun if all(last[number] == call for number in numbers)]


def replay(
    connection: sqlite3.Connection, outcomes: Outcomes, positions: Sequence[int] | None = None
) -> list[tuple[int, Sequence[int]]]:
    """Bring outcomes to what the journal knows.

    Parameters
    ----------
    connection : sqlite3.Connection
        The journal.
    outcomes : Outcomes
        By number, or by position.
    positions : sequence of int, optional
        The position of each number, -1 for none; ``None``: outcomes are by number.

    Returns
    -------
    list of (int, sequence of int)
        Calls that were begun and never answered, with their documents: their rows are set to unknown.
    """
    with one_moment(connection):
        withdrawn = _ended(connection.execute(_WITHDRAWN))
        for calls, spans, answered_at, statuses, blob in connection.execute(
            "SELECT calls, numbers, answered_at, statuses, outcomes FROM answers "
            "WHERE statuses <> '' ORDER BY line"
        ):
            columns = decoded(blob) if blob is not None else {}
            numbers = numbers_in(spans)
            if answered_at is None:
                numbers = _still_lost(connection, numbers_in(calls), numbers, withdrawn)
            _restore(outcomes, positions, outcomes_in(numbers, statuses, columns))
        begun = _begun(connection, _ANSWERED)
        for _, numbers in begun:
            _restore(outcomes, positions, outcomes_in(numbers, "u", _AWAITED))
        replay_marks(connection, outcomes, positions)
    return begun


def _still_lost(
    connection: sqlite3.Connection, calls: Sequence[int], numbers: Sequence[int], withdrawn: bytearray
) -> Sequence[int]:
    """Return the documents of calls that were found unanswered, without those of calls taken back since."""
    left = {call for call in calls if call >= len(withdrawn) or not withdrawn[call]}
    if len(left) == len(calls):
        return numbers
    return [number for call, _, some, _ in _each(connection.execute(_CALLS)) if call in left for number in some]


def _restore(
    outcomes: Outcomes, positions: Sequence[int] | None, told: Iterable[tuple[int, str, dict[str, Any]]]
) -> None:
    for number, status, values in told:
        position = _place(number, positions, len(outcomes))
        if position >= 0 and (status in _GOOD or outcomes.status_of(position) not in _GOOD):
            outcomes.restore(Outcome(row=position, status=status, **values))


_AWAITED = {"error_kind": "unknown_outcome", "error": IN_FLIGHT, "attempts": 1}
_GOOD = ("accepted", "ready")


def _place(number: int, positions: Sequence[int] | None, size: int) -> int:
    if positions is None:
        return number if number < size else -1
    return positions[number] if number < len(positions) else -1


def moved(outcomes: Outcomes, number: int, position: int) -> Outcome:
    """Return an outcome as one of another row; a name that the service did not give stays open."""
    return replace(outcomes[number], row=position, file_name=outcomes.file_name[number])


_MARKS = "SELECT number, status, file_id, request_id, path, error_kind, error, http_status, at FROM marks"
_MARKS_OF_OTHERS = f"{_MARKS} WHERE path IS NULL AND status IS NOT NULL"
"""By webhooks and looks in the web app."""


def marked_by_others(connection: sqlite3.Connection) -> bool:
    """Return whether `replay_marks` would find any ``of_others``."""
    return connection.execute(f"{_MARKS_OF_OTHERS} LIMIT 1").fetchone() is not None


def replay_marks(
    connection: sqlite3.Connection, outcomes: Outcomes, positions: Sequence[int] | None, *, of_others: bool = False
) -> None:
    """Bring outcomes to what became known later; ``of_others``: by webhooks and looks in the web app only."""
    chosen = _MARKS_OF_OTHERS if of_others else _MARKS
    for number, status, file_id, request_id, path, kind, error, http_status, at in connection.execute(chosen):
        position = _place(number, positions, len(outcomes))
        if position < 0:
            continue
        if status is not None and outcomes.status_of(position) != "ready":
            known = moved(outcomes, position, position)
            accepted_at = known.accepted_at or at
            outcomes.restore(replace(known, status=status, error_kind=None, error=None, accepted_at=accepted_at))
        if file_id is not None:
            outcomes.file_id[position] = outcomes.file_id[position] or file_id
        if request_id is not None:
            outcomes.request_id[position] = outcomes.request_id[position] or request_id
        if path is not None:
            outcomes.saved(position, path)
        if kind is not None:
            outcomes.not_fetched(position, kind, error or "", http_status)


def mark_changed(outcomes: Outcomes, positions: Sequence[int] | frozenset[int]) -> None:
    """Say of rows that their document was accepted with other content."""
    for position in positions:
        outcomes.error_kind[position] = "changed"
        outcomes.error[position] = CHANGED


def recent_calls_in(connection: sqlite3.Connection, since: float) -> list[RecentCall]:
    """Return a journal's calls that were answered since then, or started since then and never answered."""
    with one_moment(connection):
        answered: dict[int, float] = {}
        for calls, moments in connection.execute(
            "SELECT calls, moments FROM answers WHERE answered_at >= ?", (since,)
        ):
            answered.update(zip(numbers_in(calls), unpacked_moments(moments), strict=True))
        answered = {call: moment for call, moment in answered.items() if moment >= since}
        ended = _ended(connection.execute(_ANSWERED_TRULY))
        some = {"since": since, "oldest": min(answered, default=None)}
        return [
            RecentCall(endpoint, started_at, answered.get(call))
            for call, endpoint, _, started_at in _each(connection.execute(_RECENT_CALLS, some))
            if call in answered or (started_at >= since and (call >= len(ended) or not ended[call]))
        ]


def last_call(connection: sqlite3.Connection) -> int:
    """Return the highest number a call ever had, also one whose intent never reached the disk."""
    last = connection.execute("SELECT first, numbers FROM calls ORDER BY first DESC LIMIT 1").fetchone()
    return max(last[0] + last[1].count(";") if last else 0, len(_ended(connection.execute(_ANSWERED))) - 1)


def keys_in(connection: sqlite3.Connection, states: Sequence[int]) -> dict[bytes, tuple[int, bytes | None]]:
    """Return the document that each key means, with its content's digest where the key is the user's.

    That is the last one; but one that was, or may have been, accepted stays until a later one is: a row that was
    to be sent anew and was not, or was refused, has its document still.

    Parameters
    ----------
    states : sequence of int
        What became of each document, as codes of `STATUSES`.
    """
    known: dict[bytes, tuple[int, bytes | None]] = {}
    for first, keys, digests in connection.execute("SELECT first, keys, digests FROM documents ORDER BY first"):
        for offset in range(len(keys) // 16):
            part = slice(16 * offset, 16 * offset + 16)
            key, number = keys[part], first + offset
            before = known.get(key)
            if before is None or STATUSES[states[number]] in _EXISTS or STATUSES[states[before[0]]] not in _EXISTS:
                known[key] = (number, None if digests is None else digests[part])
    return known


_EXISTS = ("accepted", "ready", "unknown")


def all_keys_in(connection: sqlite3.Connection) -> bytes:
    """Return the keys of all documents, 16 bytes each, by number."""
    return b"".join(keys for (keys,) in connection.execute("SELECT keys FROM documents ORDER BY first"))


def show_before(connection: sqlite3.Connection, numbers: Sequence[int], outcomes: Outcomes) -> dict[int, int]:
    """Show of rows that were to be sent anew, and were not accepted anew, what was accepted before.

    Parameters
    ----------
    numbers : sequence of int
        The document of each row.
    outcomes : Outcomes
        By position.

    Returns
    -------
    dict of int
        The documents that are shown in place of the rows' own, by position.
    """
    if documents_in(connection) == len(outcomes):
        return {}
    lacking = [place for place in range(len(numbers)) if outcomes.status_of(place) in ("not_sent", "failed")]
    if not lacking:
        return {}
    keys = all_keys_in(connection)
    wanted = {keys[16 * numbers[place] : 16 * numbers[place] + 16]: place for place in lacking}
    before: dict[int, list[int]] = {}
    for number in range(len(keys) // 16):
        place = wanted.get(keys[16 * number : 16 * number + 16], -1)
        if place >= 0 and number < numbers[place]:
            before.setdefault(place, []).append(number)
    if not before:
        return {}
    past = Outcomes([""] * (len(keys) // 16))
    replay(connection, past)
    shown: dict[int, int] = {}
    for place, candidates in before.items():
        existing = [number for number in candidates if past.status_of(number) in _EXISTS]
        if existing and _show(outcomes, place, moved(past, existing[-1], place)):
            shown[place] = existing[-1]
    return shown


def _show(outcomes: Outcomes, place: int, before: Outcome) -> bool:
    """Show an earlier document; return whether the row is that one from now on."""
    error = outcomes.error[place] or ""
    if outcomes.status_of(place) == "not_sent":
        certain = before.status != "unknown"
        outcomes.restore(replace(before, error_kind="cancelled", error=NOT_ANEW) if certain else before)
        return True
    if BEFORE not in error:
        outcomes.error[place] = f"{error}; {BEFORE} {before.request_id}, file {before.file_id}"
    return False


def contents_in(connection: sqlite3.Connection) -> list[int]:
    """Return the documents whose contents are kept."""
    return [
        number
        for first, sizes in connection.execute("SELECT first, sizes FROM contents ORDER BY first")
        for number, size in enumerate(unpacked(sizes), first)
        if size
    ]


def contents_after(connection: sqlite3.Connection, number: int) -> list[tuple[int, str, bytes]]:
    """Return the next documents behind a number whose contents are kept: number, our id, content."""
    found: list[tuple[int, str, bytes]] = []
    # a cursor left open would keep the log from being emptied: so a few lines at a time
    for first, packed, content, ids in connection.execute(
        "SELECT first, sizes, content, (SELECT substr(ids, 16 * (contents.first - documents.first) + 1, "
        "4 * length(sizes)) FROM documents WHERE documents.first <= contents.first ORDER BY first DESC LIMIT 1) "
        "FROM contents WHERE first > ? ORDER BY first LIMIT 20",
        (number,),
    ).fetchall():
        at = 0
        for offset, size in enumerate(unpacked(packed)):
            if size:
                identity = ids[16 * offset : 16 * offset + 16].decode().rstrip()
                found.append((first + offset, identity, content[at : at + size]))
            at += size
    return found
