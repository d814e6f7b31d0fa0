"""The ledger's file: its tables, how it is opened, and the refusal of everything that is no ledger.

A change of `_TABLES` raises `SCHEMA`: a file of another form is refused. A column of the results is a field of
`Outcome` and a column of ``documents``; the rest follows from the field: its column in ``calls`` where it is of a
call, the statements that write it, the view and the SELECT that read it.

Nothing here is newer than SQLite 3.34; no ``IN (…)`` in a CHECK, which opens a temporary b-tree at each write (49
instead of 15 thousand instructions).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from reportflow_pandas.engine.outcomes import COLUMNS, KINDS, OF_CALL, ColumnType
from reportflow_pandas.errors import ConfigurationError, JournalError
from reportflow_pandas.journal.runs_folder import ELSEWHERE, SUFFIX, journals, unusable
from reportflow_pandas.next_steps import when_it_can_be_written

__all__ = [
    "APPLICATION",
    "DOCUMENTS_BY_KEY",
    "DOCUMENTS_BY_RF",
    "SCHEMA",
    "create",
    "decoded",
    "encoded",
    "journal_error",
    "open_to_read",
    "open_to_write",
    "outcome_columns",
    "remove",
    "translated",
]

APPLICATION = 0x52466A31
"""SQLite's ``application_id`` of a journal."""

SCHEMA = 4
"""SQLite's ``user_version``: the form of the tables below. Each change of a table raises it."""

DOCUMENTS_BY_KEY = "CREATE UNIQUE INDEX documents_by_key ON documents (key, nth, edition)"
"""Made when a second frame begins. Random keys in an index cost 34 instead of 10 µs a row at 600,000 rows, and
commits of a second in which every intent waits."""

DOCUMENTS_BY_RF = "CREATE INDEX IF NOT EXISTS documents_by_rf ON documents (rf)"
"""Made when a document is first looked up by our id: by a webhook."""

_TABLES = """
-- What became of each document. The status is written by journal/ledger.py alone:
--   not_sent   planned, or definitely refused and to be sent again
--   in_flight  its intent is on the disk, its outcome is not
--   accepted   the service took it; never left but for ready
--   ready      its PDF exists; never left
--   failed     definitely refused
--   unknown    sent, and it is not known whether it was accepted: never sent again by itself
-- Below `error`: only where it differs from the document's call.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,          -- in the order in which they were planned
    key BLOB NOT NULL,                   -- 16 bytes: content or the user's key, design and version
    nth INTEGER NOT NULL DEFAULT 0,      -- how many equal keys stand before it; set from the second frame on
    edition INTEGER NOT NULL DEFAULT 0,  -- how often it was sent again on request
    digest BLOB,                         -- of the content, 16 bytes, where a user's key is the key
    rf TEXT NOT NULL,                    -- our id in passthrough
    status TEXT NOT NULL DEFAULT 'not_sent' CHECK (status='accepted' OR status='ready' OR status='not_sent'
        OR status='in_flight' OR status='failed' OR status='unknown'),
    prior TEXT,                          -- the status before the intent: what a definite refusal restores
    prior_call INTEGER,                  -- and the call of it
    call INTEGER,                        -- the call that took it last
    marked INTEGER,                      -- which of the run's marks, by a webhook or a look in the web app
    file_id TEXT,
    file_name TEXT,                      -- as the service said it
    path TEXT,                           -- where the PDF was saved
    error_kind TEXT,
    error TEXT,
    request_id TEXT,
    url TEXT,
    http_status INTEGER,
    attempts INTEGER,
    elapsed REAL,                        -- seconds
    accepted_at REAL                     -- seconds since 1970, UTC, as all moments here
);

-- They are counted whenever runs are listed, and nearly no run has one: else each listing reads every line.
CREATE INDEX documents_without_pdf ON documents (status) WHERE error_kind = 'no_pdf';

-- The JSON of documents that are still to be sent, or may have to be: deleted on acceptance.
CREATE TABLE contents (number INTEGER PRIMARY KEY, content BLOB NOT NULL);

-- The rows of the frame that was last given.
CREATE TABLE rows (
    position INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,      -- its document
    name TEXT NOT NULL,                  -- file name without .pdf
    folder TEXT,                         -- where its PDF is saved, below the download folder
    label TEXT,                          -- JSON: the index label, a list of one for each level
    changed INTEGER                      -- 1: its content changed after acceptance, under the user's key
);

-- One line for each try of a call, written before its first byte.
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    via TEXT NOT NULL,                   -- process: sent here; queue: by workers
    started_at REAL NOT NULL,
    answered_at REAL,                    -- missing: never answered
    -- what its documents share, as in their own columns
    {of_call}
);

-- JSON: whose run it is (service, workspace), how its rows are sent, frame, end mark, queue.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The results frame, for people with a SQLite shell.
CREATE VIEW results AS SELECT rows.position AS row, {columns}, rows.label
FROM rows CROSS JOIN documents ON documents.number = rows.number LEFT JOIN calls ON calls.number = documents.call;
"""

_SQL_TYPES: dict[ColumnType, str] = {
    "text": "TEXT",
    "count": "INTEGER",
    "optional_count": "INTEGER",
    "seconds": "REAL",
    "moment": "REAL",
}


def outcome_columns(documents: str, calls: str) -> str:
    """Return the columns of an outcome, from its status on, for a SELECT over the tables of these names."""
    return ", ".join(
        f"coalesce({documents}.{name}, {calls}.{name}{', 0' * (KINDS[name] == 'count')}) AS {name}"
        if name in OF_CALL
        else f"{documents}.{name}"
        for name in COLUMNS[1:]
    )


def encoded(value: Any) -> str:
    """Return JSON, also of what orjson refuses: lone surrogates, integers beyond 64 bits."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)


def decoded(text: str) -> Any:
    """Return what `encoded` wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _not_now(path: Path, error: Exception) -> ConfigurationError:
    """Return the error for a journal that is there and cannot be opened to be read."""
    return ConfigurationError(
        f"run {path.name.removesuffix(SUFFIX)!r} cannot be read just now ({error}), which says nothing against "
        "its journal: it was not touched. To read it, SQLite needs a little room and the right to write in "
        f"{path.parent}: free the disk, or mend the folder's permissions, and look again"
    )


# -- opening ------------------------------------------------------------------------------------------------


def create(path: Path, meta: dict[str, str]) -> None:
    """Make a journal, whole or not at all: a process killed here leaves none.

    Raises
    ------
    ConfigurationError
        The folder cannot hold one.
    """
    draft = path.with_name(path.name + ".new")
    try:
        try:
            _draft(draft, meta, "WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(_NO_SHARED_MEMORY):
                raise
            _draft(draft, meta, _ROLLBACK)
        # never over a file that appeared meanwhile
        if path.exists():
            raise FileExistsError(17, "another run of this name appeared")
        draft.rename(path)
        _synced(path.parent)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            _swept(draft)
        raise unusable(path.parent, error) from error


_NO_SHARED_MEMORY = ("SQLITE_IOERR", "SQLITE_PROTOCOL")
"""How SQLite's errors begin where a write-ahead log cannot be: network drives, https://sqlite.org/wal.html#noshm."""

_ROLLBACK = "TRUNCATE"
"""The mode of commits there: as durable, with two syncs more."""


def _draft(draft: Path, meta: dict[str, str], mode: str) -> None:
    """Write a journal's first content."""
    _swept(draft)
    # made before SQLite sees it: its files beside this one take over the mode
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        named = "coalesce(documents.file_name, rows.name || '.pdf') AS file_name"
        columns = outcome_columns("documents", "calls").replace("documents.file_name", named)
        of_call = ",\n    ".join(f"{name} {_SQL_TYPES[KINDS[name]]}" for name in OF_CALL)
        tables = _TABLES.format(columns=columns, of_call=of_call)
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; {tables} COMMIT;"
        )
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        # closing copies the log too, but hides a full disk, and half a journal would be left
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a journal.

    Raises
    ------
    ConfigurationError
        It is no journal, damaged, newer than this package, or cannot be written.
    """
    if not os.access(path, os.W_OK):
        raise unusable(path.parent, PermissionError(13, f"{path.name} is read-only"))
    connection = _checked(path, f"{path.absolute().as_uri()}?mode=rw", write=True)
    # else each statement may open a file in /tmp, which fails when descriptors or its room are used up
    connection.execute("PRAGMA temp_store = MEMORY")
    # 16 MB of log before it is copied over: what was dropped meanwhile is not copied at all
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal beside the process that writes it, or on a read-only folder.

    Raises
    ------
    ConfigurationError
        There is none, or it is no journal, damaged, or newer than this package.
    """
    if not path.exists():
        run, folder = path.name.removesuffix(SUFFIX), path.parent
        known = journals(folder)
        there = f"{folder} has {', '.join(map(repr, known[:20]))}" if known else f"{folder} has none at all"
        raise ConfigurationError(
            f"there is no run {run!r}: {there}. rf.runs() lists them; another folder: rf.configure(runs='…') or "
            "the environment's REPORTFLOW_RUNS"
        )
    uri = path.absolute().as_uri()
    writable = os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
    if not writable and not any(other.exists() for other in _companions(path)):
        return _checked(path, f"{uri}?mode=ro&immutable=1", write=False)
    return _checked(path, f"{uri}?mode={'rw' if writable else 'ro'}", write=False)


def _checked(path: Path, uri: str, *, write: bool) -> sqlite3.Connection:
    """Return a connection to a file that is a whole journal of our own."""
    connection = None
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30.0)
        # for deleted documents: not every SQLite is built so that its text leaves the file
        connection.execute("PRAGMA secure_delete = ON")
        _examine(path, connection, write=write)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, OSError | sqlite3.OperationalError):
            raise (unusable(path.parent, error) if write else _not_now(path, error)) from error
        if isinstance(error, sqlite3.DatabaseError | UnicodeError):
            strange = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB
            raise (foreign(path) if strange else damaged(path, str(error))) from error
        raise
    return connection


def _examine(path: Path, connection: sqlite3.Connection, *, write: bool) -> None:
    # never by opening the file ourselves: closing it again would free SQLite's locks of this whole process
    connection.execute("PRAGMA trusted_schema = OFF")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise foreign(path)
    if version > SCHEMA:
        raise ConfigurationError(
            f"{path} was written by a newer reportflow-pandas (form {version}, this one reads up to {SCHEMA}). "
            "Upgrade: pip install --upgrade reportflow-pandas. The file was not touched"
        )
    if version < SCHEMA:
        raise ConfigurationError(
            f"{path} was written by a reportflow-pandas from before its first release (form {version}, this one "
            f"reads {SCHEMA}). The file was not touched. Finish that run with the version that began it, or give "
            "this one another name: then its documents are sent, and billed, again"
        )
    if not write:
        connection.execute("SELECT count(*) FROM meta").fetchone()
        return
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        connection.execute(f"PRAGMA journal_mode = {_ROLLBACK}")
    # what a cut copy left is better found here than half-way through a run
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, verdict)


def foreign(path: Path) -> ConfigurationError:
    """Return the error for a file that is no journal."""
    return ConfigurationError(
        f"{path} is no journal of a run: a file of another program, or one that was cut off. It was not touched. "
        "Move it away if you want to use this run's name, or choose another name"
    )


def damaged(path: Path, said: str) -> ConfigurationError:
    """Return the error for a journal that cannot be read whole."""
    return ConfigurationError(
        f"{path} is damaged ({said}), so it can't tell which documents were already accepted. Nothing was sent "
        f"and the file was not touched. Restore it from a backup, with {path.name}-wal beside it if there is one; "
        "else look up what was generated in the web app, and start a run of another name with the rest"
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise (
            _of_another_form(path, error) if _is_of_another_form(error) else journal_error(path, error)
        ) from error
    except (
        sqlite3.DatabaseError,
        json.JSONDecodeError,
        UnicodeError,
        TypeError,
        KeyError,
        RecursionError,
    ) as error:
        # SQLite has no checksums: a value that was damaged is found where it is read
        raise damaged(path, str(error)) from error


def _is_of_another_form(error: sqlite3.OperationalError) -> bool:
    """Tell whether a table or a column is missing: that is no matter of the disk."""
    return str(error).startswith(("no such column", "no such table")) or "has no column named" in str(error)


def _of_another_form(path: Path, error: sqlite3.OperationalError) -> ConfigurationError:
    """Return the error for a journal whose tables are not those that its number of form promises."""
    return ConfigurationError(
        f"{path} has not the tables of form {SCHEMA}, which it says that it has ({error}): it is damaged, another "
        "program changed it, or a reportflow-pandas from between two releases wrote it, older or newer than this "
        "one. Nothing was sent and the file was not touched. Finish that run with the version that began it, or "
        "restore the file from a backup; else look up what was generated in the web app, and start a run of "
        "another name with the rest"
    )


def journal_error(path: Path, error: BaseException) -> JournalError:
    """Return the error for a journal that stopped taking records."""
    run = path.name.removesuffix(SUFFIX)
    return JournalError(
        f"the journal {path} cannot be written any more ({error}). The run stops, because nothing is sent without "
        "a recorded intent; calls in flight whose answer could not be recorded will show as unknown. What was "
        f"accepted so far is in this exception's .results. {when_it_can_be_written(run, ELSEWHERE)}"
    )


def remove(path: Path) -> None:
    """Delete a journal's files, the lock's last."""
    try:
        _swept(path)
        _swept(path.with_name(path.name + ".new"))
    except OSError as error:
        raise unusable(path.parent, error) from error


def _swept(path: Path) -> None:
    for file in (path, *_companions(path)):
        file.unlink(missing_ok=True)


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))


def _synced(folder: Path) -> None:
    """Make a new name in a folder survive a power loss; Windows has no such thing."""
    if os.name != "nt":
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
