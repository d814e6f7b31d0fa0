"""What others know of documents: marks by webhooks and by people, beside the process that carries the run out."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.journal import ledger, ledger_queries, runs_folder
from reportflow_pandas.journal.ledger_queries import meta_of
from reportflow_pandas.journal.lock import is_locked
from reportflow_pandas.journal.run_file import lock_of
from reportflow_pandas.journal.runs import opened
from reportflow_pandas.settings import Owner

__all__ = ["Owned", "mark_ready", "owner_of", "settle"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Owned:
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
    folder: Path, owner: Owner, document_ids: Collection[str], request_id: str, first: str = ""
) -> Owned | None:
    """Return the run that has these documents, if one of the folder's has; beside the process that sends it.

    Parameters
    ----------
    owner : Owner
        Runs of others are not looked at.
    document_ids : collection of str
        Our ids, as the service echoed them.
    request_id : str
        The request they came with.
    first : str
        The run to look at first.
    """
    for run in sorted(runs_folder.journals(folder), key=lambda name: name != first):
        with contextlib.suppress(ReportFlowError), opened(folder / f"{run}.sqlite") as connection:
            meta = meta_of(connection)
            if (meta.get("service"), meta.get("workspace")) != owner:
                continue
            numbers = ledger_queries.numbers_by_id(connection, document_ids)
            if numbers:
                found = [document_id for document_id in document_ids if document_id in numbers]
                return Owned(run, found, ledger_queries.is_answered(connection, numbers[found[0]], request_id))
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
    with opened(runs_folder.path_of(folder, run)) as connection:
        with contextlib.suppress(sqlite3.OperationalError):  # without the index each mark reads all documents
            ledger.index_by_rf(connection)
        numbers = ledger_queries.numbers_by_id(connection, [document_id])
        if not numbers:
            return "stranger"
        mark = _in_one_transaction(
            connection,
            lambda: ledger.mark_ready(
                connection, numbers[document_id], clock.timestamp(), file_id=file_id, request_id=request_id
            ),
        )
    return "marked" if mark else "known"


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
    path = runs_folder.path_of(folder, run)
    lost = not is_locked(lock_of(path))
    with opened(path) as connection:

        def settled() -> list[int]:
            numbers = dict(connection.execute("SELECT position, number FROM rows"))
            return [
                position
                for position in sorted(set(positions))
                if position in numbers
                and ledger.settle(connection, numbers[position], clock.timestamp(), in_flight=lost)
            ]

        return _in_one_transaction(connection, settled)


def _in_one_transaction(connection: sqlite3.Connection, change: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        changed = change()
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return changed
