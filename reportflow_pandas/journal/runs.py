"""The runs of a folder: listed, looked at and marked beside the process that carries them out, or forgotten."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.errors import ConfigurationError, ReportFlowError
from reportflow_pandas.journal import journal_file
from reportflow_pandas.journal.answers import encoded
from reportflow_pandas.journal.commits import Records, write
from reportflow_pandas.journal.journal import lock_of
from reportflow_pandas.journal.lock import RunLock, is_locked
from reportflow_pandas.journal.recovery import (
    IN_FLIGHT,
    LOST,
    Frame,
    RecentCall,
    awaited_in,
    documents_in,
    frame_of,
    mark_changed,
    meta_of,
    recent_calls_in,
    replay,
    show_before,
)
from reportflow_pandas.journal.spans import stretches

__all__ = [
    "Recorded",
    "Summary",
    "awaited",
    "forget",
    "is_sending",
    "load",
    "mark_ready",
    "owner_of",
    "recent_calls",
    "runs",
    "settle",
]

State = Literal["sending", "complete", "open", "unplanned", "unreadable"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a journal holds.

    Attributes
    ----------
    meta : dict
        As `Journal.meta`.
    frame : Frame
        The rows that were last given.
    outcomes : Outcomes
        By position. What is being sent just now is ``unknown``.
    sending : bool
        Whether a process carries the run out just now.
    unsent : int
        Rows that ``rf.resume`` would send, those that were to be sent anew among them.
    """

    meta: dict[str, Any]
    frame: Frame
    outcomes: Outcomes
    sending: bool
    unsent: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in a list.

    Attributes
    ----------
    run : str
        Name.
    state : {"sending", "complete", "open", "unplanned", "unreadable"}
        ``sending``: a process carries it out just now; ``open``: rows are not sent yet, ``rf.resume`` goes on;
        ``unplanned``: it ended before all rows were written down, ``generate(run=…)`` goes on.
    design_id, design, base_url : str
        Empty where nothing is known.
    version : int or None
        Pinned.
    rows : int
        Of the last frame.
    counts : dict of int
        Rows by status.
    created_at, updated_at : float
        Seconds since 1970, UTC.
    problem : str
        Why it cannot be read.
    """

    run: str
    state: State
    design_id: str = ""
    design: str = ""
    base_url: str = ""
    version: int | None = None
    rows: int = 0
    counts: dict[str, int] | None = None
    created_at: float | None = None
    updated_at: float | None = None
    problem: str = ""


def runs(folder: Path) -> list[Summary]:
    """Return the folder's runs by name. One that cannot be read says so and hides no other."""
    return [_summary(folder, run) for run in journal_file.journals(folder)]


def _summary(folder: Path, run: str) -> Summary:
    path = folder / f"{run}.sqlite"
    try:
        with _opened(path) as connection:
            meta = meta_of(connection)
            recorded = _recorded(connection, meta, sending=is_locked(lock_of(path)))
            touched = connection.execute(
                "SELECT max(coalesce((SELECT max(started_at) FROM calls), 0), "
                "coalesce((SELECT max(answered_at) FROM answers), 0), coalesce((SELECT max(at) FROM marks), 0))"
            ).fetchone()[0]
    except ReportFlowError as error:
        return Summary(run, "unreadable", problem=str(error))
    counts = recorded.outcomes.counts()
    state: State = "open" if recorded.unsent else "complete"
    if not meta["planned"]:
        state = "unplanned"
    if recorded.sending:
        state = "sending"
    return Summary(
        run,
        state,
        design_id=meta.get("design_id", ""),
        design=meta.get("design", ""),
        base_url=meta["base_url"],
        version=meta.get("version"),
        rows=meta["rows"],
        counts=counts | {"not_sent": counts["not_sent"] + meta["rows"] - len(recorded.outcomes)},
        created_at=meta["created_at"],
        updated_at=max(touched, meta.get("frame_at", 0.0), meta["created_at"]),
    )


def load(folder: Path, run: str) -> Recorded:
    """Return what a run's journal holds; also beside the process that carries it out.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be read.
    """
    path = journal_file.path_of(folder, run)
    with _opened(path) as connection:
        return _recorded(connection, meta_of(connection), sending=is_locked(lock_of(path)))


def _recorded(connection: sqlite3.Connection, meta: dict[str, Any], *, sending: bool) -> Recorded:
    frame = frame_of(connection)
    outcomes = Outcomes(frame.names)
    places = frame.positions(documents_in(connection))
    lost = replay(connection, outcomes, places)
    mark_changed(outcomes, frame.changed)
    if lost and not sending:
        for _, numbers in lost:
            for position in (places[number] for number in numbers):
                if position >= 0 and outcomes.status_of(position) == "unknown":
                    outcomes.error[position] = LOST
    unsent = outcomes.counts()["not_sent"]
    show_before(connection, frame.numbers, outcomes)
    return Recorded(meta, frame, outcomes, sending, unsent)


def is_sending(folder: Path, run: str) -> bool:
    """Tell whether a process carries the run out just now; reads nothing of it."""
    return is_locked(lock_of(journal_file.path_of(folder, run)))


def awaited(folder: Path, run: str) -> int:
    """Return how many calls of a run were begun, here or on other machines, and never seen answered."""
    with _opened(journal_file.path_of(folder, run)) as connection:
        return len(awaited_in(connection))


def forget(folder: Path, run: str, clock: Clock) -> None:
    """Delete a run's journal. Its documents could then be sent again.

    Raises
    ------
    ConfigurationError
        There is no such run, a process carries it out, or its files cannot be deleted.
    """
    path = journal_file.path_of(folder, run)
    if not path.exists():
        journal_file.open_to_read(path)  # raises, naming the runs that there are
    lock = RunLock(lock_of(path), run, clock.now())
    try:
        with contextlib.suppress(ConfigurationError):  # what nobody can read may be deleted too
            journal_file.open_to_read(path).close()
        journal_file.remove(path)
        with contextlib.suppress(OSError):  # Windows deletes no open file: an empty lock stays
            lock_of(path).unlink()
    finally:
        lock.free()


@dataclass(frozen=True, slots=True)
class Owner:
    """The run that documents belong to.

    Attributes
    ----------
    run : str
        Its name.
    documents : list of str
        Those of the ids asked for that it has.
    answered : bool
        Whether the request they came with is written down as answered.
    """

    run: str
    documents: list[str]
    answered: bool


def owner_of(
    folder: Path, workspace: str, document_ids: Collection[str], request_id: str, first: str = ""
) -> Owner | None:
    """Return the run that has these documents, if one of the folder's has; beside the process that sends it.

    Parameters
    ----------
    workspace : str
        The workspace's hash: runs of others are not looked at.
    document_ids : collection of str
        Our ids, as the service echoed them.
    request_id : str
        The request they came with.
    first : str
        The run to look at first.
    """
    for run in sorted(journal_file.journals(folder), key=lambda name: name != first):
        with contextlib.suppress(ReportFlowError), _opened(folder / f"{run}.sqlite") as connection:
            if meta_of(connection).get("workspace") != workspace:
                continue
            found = [one for one in document_ids if _number_of(connection, _wire_id(one)) is not None]
            if found:
                written = connection.execute(
                    "SELECT 1 FROM answers WHERE instr(outcomes, ?) > 0 LIMIT 1", (encoded(request_id),)
                ).fetchone()
                return Owner(run, found, written is not None)
    return None


def mark_ready(
    folder: Path,
    run: str,
    document_id: str,
    clock: Clock,
    *,
    file_id: str | None = None,
    request_id: str | None = None,
) -> Literal["marked", "known", "stranger"]:
    """Record that a document's PDF exists, whatever was known before: its request was accepted.

    Takes no lock: it may happen beside the process that carries the run out.

    Parameters
    ----------
    document_id : str
        Our id, as the service echoed it.
    file_id, request_id : str, optional
        What the service calls it.

    Returns
    -------
    {"marked", "known", "stranger"}
        ``known``: it was marked before; ``stranger``: the run has no such document.
    """
    path = journal_file.path_of(folder, run)
    with _opened(path) as connection:
        number = _number_of(connection, _wire_id(document_id))
        if number is None:
            return "stranger"
        before = connection.execute("SELECT status FROM marks WHERE number = ?", (number,)).fetchone()
        if before == ("ready",):
            return "known"
        at = clock.timestamp()
        mark = (number, "ready", file_id, request_id, None, None, None, None, at)
        write(connection, Records(marks=[mark], drops=[(number, 1)]))
    return "marked"


def _wire_id(document_id: str) -> bytes:
    return document_id.encode("ascii", "replace").ljust(16)


def _number_of(connection: sqlite3.Connection, document_id: bytes) -> int | None:
    if len(document_id) != 16:
        return None
    for first, ids in connection.execute(
        "SELECT first, ids FROM documents WHERE instr(ids, ?) > 0", (document_id,)
    ):
        for at in range(0, len(ids), 16):
            if ids[at : at + 16] == document_id:
                return int(first) + at // 16
    return None


def settle(folder: Path, run: str, positions: Collection[int], clock: Clock) -> list[int]:
    """Record of ``unknown`` rows that the service did accept them, as a look in the web app showed.

    Parameters
    ----------
    positions : collection of int
        Rows of the last frame.

    Returns
    -------
    list of int
        Those that were unknown and are accepted now; the others are left as they are.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be written.
    """
    path = journal_file.path_of(folder, run)
    sending = is_locked(lock_of(path))
    with _opened(path) as connection:
        recorded = _recorded(connection, meta_of(connection), sending=sending)
        rows = range(len(recorded.frame.numbers))
        settled = [
            position
            for position in sorted(set(positions))
            if position in rows
            and recorded.outcomes.status_of(position) == "unknown"
            and not (sending and recorded.outcomes.error[position] == IN_FLIGHT)
        ]
        numbers = [recorded.frame.numbers[position] for position in settled]
        at = clock.timestamp()
        marks = [(number, "accepted", None, None, None, None, None, None, at) for number in numbers]
        if marks:
            write(connection, Records(marks=list(marks), drops=stretches(numbers)))
    return settled


def recent_calls(folder: Path, workspace: str, since: float) -> list[RecentCall]:
    """Return the calls of all the folder's runs of a workspace that may still count in the service's window.

    Parameters
    ----------
    workspace : str
        The workspace's hash.
    since : float
        Seconds since 1970: calls answered before are left out, and calls never answered that started before.
    """
    found: list[RecentCall] = []
    for run in journal_file.journals(folder):
        path = folder / f"{run}.sqlite"
        with contextlib.suppress(OSError, ConfigurationError):  # a run that cannot be read sends nothing either
            files = [path, path.with_name(path.name + "-wal")]
            if max(file.stat().st_mtime for file in files if file.exists()) < since:
                continue
            with _opened(path) as connection:
                if meta_of(connection).get("workspace") == workspace:
                    found += recent_calls_in(connection, since)
    return sorted(found, key=lambda call: call.started_at)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = journal_file.open_to_read(path)
    try:
        with journal_file.translated(path):
            yield connection
    finally:
        connection.close()
