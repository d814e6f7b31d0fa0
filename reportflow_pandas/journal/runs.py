"""The runs of a folder: listed, looked at and marked beside the process that carries them out, or forgotten."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.errors import ConfigurationError, ReportFlowError
from reportflow_pandas.journal import ledger_queries, runs_folder, schema
from reportflow_pandas.journal.deduplication import Known
from reportflow_pandas.journal.ledger_queries import Frame, RecentCall, meta_of, one_moment
from reportflow_pandas.journal.lock import RunLock, count_here, is_counted_here, is_locked
from reportflow_pandas.journal.run_file import BEGUN_BELOW_THE_WORKING_DIRECTORY, lock_of, refuse_another
from reportflow_pandas.settings import EMBEDDED, RUNS, Owner, Settings

__all__ = [
    "Evidence",
    "Frame",
    "Recorded",
    "Summary",
    "answers",
    "at_home",
    "awaited",
    "begun",
    "count_calls",
    "evidence",
    "forget",
    "frame_of",
    "is_sending",
    "load",
    "opened",
    "recent_calls",
    "runs",
    "summary",
    "unsent",
]

T = TypeVar("T")

_CALLS_LOOKED_AT = 1000
"""Of a run's last calls, to tell when it was last at work."""

State = Literal["sending", "complete", "open", "unplanned", "unreadable"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a ledger holds.

    Attributes
    ----------
    meta : dict
        As `journal.Journal.meta`.
    frame : Frame
        The rows that were last given.
    outcomes : Outcomes
        By position. What is being sent just now is ``unknown``.
    sending : bool
        Whether a process carries the run out just now.
    unsent : int
        Rows that ``rf.resume`` would send, those that were to be sent again among them.
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
    no_pdf : int
        Accepted rows whose PDF can never be made.
    created_at, updated_at : float
        Seconds since 1970, UTC.
    queued : bool
        Whether other machines carry it out.
    problem : str
        Why it cannot be read.
    warnings : tuple of str
        What looked odd in its rows before they were sent.
    """

    run: str
    state: State
    design_id: str = ""
    design: str = ""
    base_url: str = ""
    version: int | None = None
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    no_pdf: int = 0
    created_at: float | None = None
    updated_at: float | None = None
    queued: bool = False
    problem: str = ""
    warnings: tuple[str, ...] = ()


def runs(folder: Path) -> list[Summary]:
    """Return the folder's runs by name. One that cannot be read says so and hides no other."""
    return [_summary(folder, run) for run in runs_folder.journals(folder)]


def summary(folder: Path, run: str) -> Summary:
    """Return one run as in a list; its rows are counted, not read.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be read.
    """
    return _summarised(runs_folder.path_of(folder, run), run)


def _summary(folder: Path, run: str) -> Summary:
    try:
        return _summarised(folder / f"{run}.sqlite", run)
    except ReportFlowError as error:
        return Summary(run, "unreadable", problem=str(error))


def _summarised(path: Path, run: str) -> Summary:
    with opened(path) as connection, one_moment(connection):
        meta = meta_of(connection)
        counts, unsent, never = ledger_queries.counts_of(connection, meta["frame"])
        (touched,) = connection.execute(
            "SELECT max(max(started_at), coalesce(max(answered_at), 0)) FROM "
            "(SELECT started_at, answered_at FROM calls ORDER BY number DESC LIMIT ?)",
            (_CALLS_LOOKED_AT,),
        ).fetchone()
        state: State = "open" if unsent else "complete"
        if not meta["planned"]:
            state = "unplanned"
        if is_locked(lock_of(path)):
            state = "sending"
        return Summary(
            run,
            state,
            design_id=meta.get("design_id", ""),
            design=meta.get("design", ""),
            base_url=meta["base_url"],
            version=meta.get("version"),
            rows=meta["rows"],
            counts=counts | {"not_sent": counts["not_sent"] + meta["rows"] - sum(counts.values())},
            no_pdf=never,
            queued=bool(meta.get("queue")),
            warnings=tuple((meta.get("options") or {}).get("warnings") or ()),
            created_at=meta["created_at"],
            updated_at=max(
                touched or 0.0, meta.get("marked_at", 0.0), meta.get("frame_at", 0.0), meta["created_at"]
            ),
        )


def load(folder: Path, run: str) -> Recorded:
    """Return what a run's ledger holds; also beside the process that carries it out.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be read.
    """
    path = runs_folder.path_of(folder, run)
    with opened(path) as connection, one_moment(connection):
        # a damaged page can lose rows without an error; 3 % of reading them
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise schema.damaged(path, verdict)
        sending = is_locked(lock_of(path))
        meta, frame = meta_of(connection), ledger_queries.frame_of(connection)
        outcomes = Outcomes(frame.names)
        ledger_queries.fill(connection, outcomes, sending=sending)
        unsent = outcomes.counts()["not_sent"]
        if meta["frame"] > 1:
            ledger_queries.show_before(connection, outcomes)
        return Recorded(meta, frame, outcomes, sending, unsent)


def replaced(folder: Path, run: str, frame: str | None) -> list[tuple[int, Outcome]]:
    """Return the earlier editions of what a run made again, by position, if ``frame`` is its last one."""
    with opened(runs_folder.path_of(folder, run)) as connection, one_moment(connection):
        last = meta_of(connection)["frame"]
        return ledger_queries.replaced(connection) if last > 1 and str(last) == frame else []


def answers(folder: Path, run: str, frame: str | None) -> list[tuple[float, str, int]]:
    """Return when the rows of a run were answered, and how, if ``frame`` is its last one."""
    with opened(runs_folder.path_of(folder, run)) as connection, one_moment(connection):
        last = str(meta_of(connection)["frame"]) == frame
        return ledger_queries.answers_in(connection) if last else []


def frame_of(folder: Path, run: str) -> tuple[dict[str, Any], Frame]:
    """Return what is known of a run, as `Journal.meta`, and the rows that it was last given; not their outcomes.

    Raises
    ------
    ConfigurationError
        There is no such run, or its file cannot be read.
    """
    with opened(runs_folder.path_of(folder, run)) as connection, one_moment(connection):
        return meta_of(connection), ledger_queries.frame_of(connection)


def begun(folder: Path, run: str, *, base_url: str, owner: Owner, proven: bool = False) -> dict[str, Any]:
    """Return what is known of a run, as `Journal.meta`; nothing where there is none of this name.

    Parameters are those of `Journal.open`.

    Raises
    ------
    ConfigurationError
        It belongs to another service or workspace, or its file cannot be read.
    """
    path = runs_folder.path_of(folder, run)
    if not path.exists():
        return {}
    with opened(path) as connection:
        meta = meta_of(connection)
    if not proven:
        refuse_another(meta, run, base_url, owner)
    return meta


@dataclass(frozen=True, slots=True)
class Evidence:
    """The service, address and workspace that a run was begun with, and a document that tells its workspace.

    Attributes
    ----------
    owner : Owner
    base_url : str
        As written down.
    sent : bool
        Whether any of its documents was or may have been accepted.
    request_id, file_id : str or None
        A document that was accepted, the last of them; None where there is none.
    """

    owner: Owner
    base_url: str
    sent: bool
    request_id: str | None
    file_id: str | None


def evidence(folder: Path, run: str) -> Evidence | None:
    """Return what tells a run's workspace; None where there is no run of this name."""
    path = runs_folder.path_of(folder, run)
    if not path.exists():
        return None
    with opened(path) as connection:
        meta = meta_of(connection)
        sent = connection.execute(_MAYBE_SENT).fetchone()[0]
        request_id, file_id = connection.execute(_LAST_ACCEPTED).fetchone() or (None, None)
    return Evidence(Owner(meta["service"], meta["workspace"]), meta["base_url"], bool(sent), request_id, file_id)


_MAYBE_SENT = "SELECT EXISTS (SELECT 1 FROM documents WHERE status NOT IN ('not_sent', 'failed'))"
_LAST_ACCEPTED = (
    "SELECT coalesce(d.request_id, c.request_id) AS request, d.file_id FROM documents d "
    "LEFT JOIN calls c ON c.number = d.call WHERE d.status IN ('accepted', 'ready') AND request IS NOT NULL "
    "ORDER BY d.number DESC LIMIT 1"
)


def unsent(
    folder: Path,
    run: str,
    planned: Iterable[tuple[Sequence[Document], Sequence[bytes]]],
    outcomes: Outcomes,
    again: Collection[int] = (),
) -> Iterator[Document]:
    """Yield the documents of a frame that a run would send; a run that there is not would send all.

    Nothing is locked or written. What is in flight just now counts as sent.

    Parameters
    ----------
    folder : pathlib.Path
        The runs' folder.
    run : str
        The run's name.
    planned : iterable of (sequence of Document, sequence of bytes)
        The frame's rows, as for `Journal.plan`.
    outcomes : Outcomes
        Of this frame, by position: those of the other documents are filled in.
    again : collection of int
        Positions that are sent again although the run has them.

    Raises
    ------
    ConfigurationError
        Its file cannot be read.
    """
    path = runs_folder.path_of(folder, run)
    known = Known()
    with contextlib.ExitStack() as stack:
        if path.exists():
            connection = stack.enter_context(opened(path))
            stack.enter_context(one_moment(connection))
            known = Known(ledger_queries.all_described(connection))
        for documents, keys in planned:
            for document, key in zip(documents, keys, strict=True):
                place = known.place(key, None, again=document.position in again)
                if place.fresh or place.document is None:
                    yield document
                else:
                    outcomes.put(ledger_queries.outcome_at(connection, place.document.number, document.position))


def at_home(settings: Settings, run: str) -> Settings:
    """Return settings by which a run is found although this process has changed its working directory since."""
    begun_in = BEGUN_BELOW_THE_WORKING_DIRECTORY.get(run)
    if begun_in is None or settings.runs != RUNS.absolute() or runs_folder.path_of(settings.runs, run).exists():
        return settings
    return replace(settings, runs=begun_in)


def is_sending(folder: Path, run: str) -> bool:
    """Tell whether a process carries the run out just now; reads nothing of it."""
    return is_locked(lock_of(runs_folder.path_of(folder, run)))


def awaited(folder: Path, run: str) -> int:
    """Return how many calls of a run are in its queue, or with a worker, and were never seen answered."""
    with opened(runs_folder.path_of(folder, run)) as connection:
        return len(ledger_queries.awaited_in(connection))


def forget(folder: Path, run: str, clock: Clock) -> None:
    """Delete a run's ledger. Its documents could then be sent again.

    Raises
    ------
    ConfigurationError
        There is no such run, a process carries it out, or its files cannot be deleted.
    """
    path = runs_folder.path_of(folder, run)
    if not path.exists():
        schema.open_to_read(path)  # raises, naming the runs that there are
    lock = RunLock(lock_of(path), run, clock.now())
    try:
        with contextlib.suppress(ConfigurationError):  # what cannot be read may be deleted too
            schema.open_to_read(path).close()
        schema.remove(path)
        with contextlib.suppress(OSError):  # Windows deletes no open file: an empty lock stays
            lock_of(path).unlink()
    finally:
        lock.free()


UNNAMED_DAYS = 30
"""After which a complete run without a name is forgotten."""

_UNNAMED = re.compile(r"(\d{4}-\d{2}-\d{2})-\d{6}-[0-9a-f]{6}(-\d+)?")
"""Names that runs get which are given none."""


def has_mails(folder: Path, run: str) -> bool:
    """Tell whether a run sent mails, or began to."""
    path = runs_folder.path_of(folder, run)
    if not path.exists():
        return False
    with contextlib.suppress(ConfigurationError), opened(path) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'mails'").fetchone()
        return bool(found and connection.execute("SELECT 1 FROM mails LIMIT 1").fetchone())
    return False


def forget_old(
    folder: Path, seconds: float, clock: Clock, *, mails: bool = False, unnamed: bool = False
) -> list[str]:
    """Delete the ledgers of complete runs at which nothing happened for a time; return the names.

    A run with rows that were not sent or are unknown stays; so does one that a process carries out.

    Parameters
    ----------
    folder, clock
        As elsewhere.
    seconds : float
        The time.
    mails : bool
        Runs that sent mails as well.
    unnamed : bool
        Only runs without a name of their own.
    """
    before = clock.timestamp() - seconds
    day = f"{datetime.fromtimestamp(before, UTC):%Y-%m-%d}"
    forgotten = []
    for path in sorted(folder.glob("*.sqlite")) if folder.is_dir() else []:
        run = path.stem
        name = _UNNAMED.fullmatch(run)
        if unnamed and (name is None or name[1] > day):
            continue
        known = _summary(folder, run)
        rests = known.state == "complete" and max(known.created_at or 0.0, known.updated_at or 0.0) < before
        if not rests or known.counts.get("unknown") or (not mails and has_mails(folder, run)):
            continue
        with contextlib.suppress(ConfigurationError):
            forget(folder, run, clock)
            forgotten.append(run)
    return forgotten


def recent_calls(folder: Path, owner: Owner, since: float, base_url: str = "") -> list[RecentCall]:
    """Return the calls of all the folder's runs of a workspace that may still count in the service's window.

    What this process sends just now is left out, but for calls of a queue: its rate limiter counts them already,
    those in flight too, which a journal can't tell from lost ones.

    Parameters
    ----------
    owner : Owner
        Service and workspace.
    base_url : str
        The service's address now. An embedded service that was restarted at another port has counted nothing.
    since : float
        Seconds since 1970: calls answered before are left out, and calls never answered that started before.
    """
    found: list[RecentCall] = []
    for run in runs_folder.journals(folder):
        path = folder / f"{run}.sqlite"
        with contextlib.suppress(OSError, ConfigurationError):  # a run that cannot be read sends nothing either
            files = [path, path.with_name(path.name + "-wal")]
            if max(file.stat().st_mtime for file in files if file.exists()) < since:
                continue
            with opened(path) as connection:
                meta = meta_of(connection)
                another = owner.service == EMBEDDED and base_url not in ("", meta.get("base_url"))
                if (meta.get("service"), meta.get("workspace")) == owner and not another:
                    known = is_counted_here(lock_of(path))
                    found += ledger_queries.recent_calls_in(connection, since, of_queues=known)
    return sorted(found, key=lambda call: call.started_at)


def count_calls(folder: Path, run: str) -> None:
    """Note that the rate limiter of this process counts the calls of a run that it sends, and those before."""
    count_here(lock_of(runs_folder.path_of(folder, run)))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a ledger in a ``with``, its errors turned into ours."""
    connection = schema.open_to_read(path)
    try:
        with schema.translated(path):
            yield connection
    finally:
        connection.close()
