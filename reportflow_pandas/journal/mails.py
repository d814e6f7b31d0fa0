"""The mails of a run: an intent on the disk before a message's content is sent, its outcome after the answer.

A table of its own in the run's ledger, made by the first mail. ``state`` is not the documents' ``status``:
``intent``, ``sent``, ``failed``, ``unknown``, ``not_sent``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConfigurationError, JournalError
from reportflow_pandas.journal.lock import RunLock
from reportflow_pandas.journal.run_file import lock_of
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.journal.schema import open_to_read, open_to_write, translated
from reportflow_pandas.next_steps import MAIL_AGAIN_WHEN_IT_CAN_BE_WRITTEN

__all__ = ["Mail", "MailLedger", "MailState", "mails_of"]

MailState = Literal["sent", "failed", "unknown", "not_sent"]

_TABLE = """
CREATE TABLE IF NOT EXISTS mails (
    number INTEGER PRIMARY KEY,
    document TEXT NOT NULL,              -- the service's file id, or request id and file name
    address TEXT NOT NULL,
    row INTEGER NOT NULL,                -- position in the frame: a document that is made again stands there too
    message_id TEXT NOT NULL,
    sha256 TEXT,                         -- of the attachment; missing: a link was sent
    state TEXT NOT NULL CHECK (state='intent' OR state='sent' OR state='failed' OR state='unknown'
        OR state='not_sent'),
    error TEXT,
    begun_at REAL NOT NULL,              -- seconds since 1970, UTC
    answered_at REAL,
    wanted INTEGER NOT NULL DEFAULT 1,   -- 0: another address took its place since
    UNIQUE (document, address)
)
"""

_INTENT = """
INSERT INTO mails (document, address, row, message_id, sha256, state, begun_at) VALUES (?, ?, ?, ?, ?, 'intent', ?)
ON CONFLICT (document, address) DO UPDATE SET
    message_id = excluded.message_id, sha256 = excluded.sha256, state = 'intent', error = NULL,
    begun_at = excluded.begun_at, answered_at = NULL, wanted = 1
"""

_LOST = "the process ended while the message was on its way; it is not known whether the mail server took it"


@dataclass(frozen=True, slots=True)
class Mail:
    """What became of one message: of a document, to an address."""

    document: str
    address: str
    row: int
    state: MailState
    error: str | None
    message_id: str
    sha256: str | None
    answered_at: float | None
    wanted: bool
    """Whether the last call about its document asked for this address."""


class MailLedger:
    """A run's mails, held by the one process that sends them; intents that a killed one left become unknown.

    Parameters
    ----------
    folder : pathlib.Path
        The runs' folder.
    run : str
        The run's name.
    clock : Clock
        Time of day.

    Raises
    ------
    ConfigurationError
        There is no such run, or another process sends on it. Intents that a killed process left become
        ``unknown``.
    """

    def __init__(self, folder: Path, run: str, clock: Clock) -> None:
        self.run = run
        self._clock = clock
        path = path_of(folder, run)
        if not path.exists():
            raise ConfigurationError(
                f"run {run!r} is not in {str(folder)!r}, and without its ledger it is not known who was mailed "
                "already; nothing was sent. Set the folder in which the run was made: rf.configure(runs=…)"
            )
        self._path = path
        self._lock = RunLock(lock_of(path), run, clock.now())
        try:
            self._connection = open_to_write(path)
            with translated(path):
                # FULL: after a power loss, an intent that is not on the disk is a mail sent twice
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute(_TABLE)
                self._connection.execute(
                    "UPDATE mails SET state = 'unknown', error = ?, answered_at = ? WHERE state = 'intent'",
                    (_LOST, clock.timestamp()),
                )
        except BaseException:
            self._lock.free()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process mail this run."""
        self._connection.close()
        self._lock.free()

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(
                f"the run's ledger {self._path} cannot be written any more ({error}). Mailing stops, because no "
                "mail is sent without a recorded intent; one whose outcome cannot be recorded shows as unknown. "
                "This exception's .results is the frame so far. "
                f"{MAIL_AGAIN_WHEN_IT_CAN_BE_WRITTEN}"
            ) from error

    def known(self) -> dict[tuple[str, str], Mail]:
        """Return what became of each message so far, by document and address."""
        return {(mail.document, mail.address): mail for mail in _mails(self._connection)}

    def drop(self, mails: Sequence[Mail]) -> None:
        """Note that these messages are asked for no more, because other addresses took their place."""
        with self._written():
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "UPDATE mails SET wanted = 0 WHERE document = ? AND address = ?",
                [(mail.document, mail.address) for mail in mails],
            )
            self._connection.execute("COMMIT")

    def intend(self, document: str, address: str, row: int, message_id: str, sha256: str | None) -> None:
        """Write down, onto the disk, that a message's content is about to be sent."""
        with self._written():
            moment = self._clock.timestamp()
            self._connection.execute(_INTENT, (document, address, row, message_id, sha256, moment))

    def record(
        self, document: str, address: str, state: MailState, error: str | None = None, *, at: float | None = None
    ) -> None:
        """Write down what became of a message; ``at``: when, default now."""
        with self._written():
            self._connection.execute(
                "UPDATE mails SET state = ?, error = ?, answered_at = ? WHERE document = ? AND address = ?",
                (state, error, self._clock.timestamp() if at is None else at, document, address),
            )


def mails_of(folder: Path, run: str) -> list[Mail]:
    """Return the mails of a run, in the order of their first intents; works beside the process that sends them."""
    connection = open_to_read(path_of(folder, run))
    try:
        return list(_mails(connection))
    finally:
        connection.close()


def _mails(connection: sqlite3.Connection) -> Iterable[Mail]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'mails'").fetchone():
        return []
    return [
        Mail(document, address, row, "unknown" if state == "intent" else state, *rest)
        for document, address, row, state, *rest in connection.execute(
            "SELECT document, address, row, state, error, message_id, sha256, answered_at, wanted FROM mails "
            "ORDER BY number"
        )
    ]
