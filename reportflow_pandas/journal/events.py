"""What people did with a run: settled, approved, handed over. Written beside the process that sends.

A table of its own in the run's ledger, made by the first event. Documents and mails have their own tables.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from reportflow_pandas.clock import Clock
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.journal.schema import open_to_read, open_to_write, translated

__all__ = ["Event", "events_of", "note_event"]

_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,                    -- seconds since 1970, UTC
    what TEXT NOT NULL,                  -- settled, approve, redo, reject, handed over
    documents INTEGER NOT NULL,          -- how many
    person TEXT NOT NULL                 -- the account on this computer
)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """What a person did with how many documents, and when (seconds since 1970, UTC)."""

    at: float
    what: str
    documents: int
    person: str


def note_event(folder: Path, run: str, what: str, documents: int, clock: Clock) -> None:
    """Write an event down; nothing where the run has no ledger in this folder."""
    path = path_of(folder, run)
    if not documents or not path.exists():
        return
    connection = open_to_write(path)
    try:
        with translated(path):
            connection.execute(_TABLE)
            connection.execute(
                "INSERT INTO events (at, what, documents, person) VALUES (?, ?, ?, ?)",
                (clock.timestamp(), what, documents, _person()),
            )
    finally:
        connection.close()


def events_of(folder: Path, run: str) -> list[Event]:
    """Return the events of a run, oldest first."""
    connection = open_to_read(path_of(folder, run))
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return []
        return [
            Event(*line)
            for line in connection.execute("SELECT at, what, documents, person FROM events ORDER BY number")
        ]
    finally:
        connection.close()


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
