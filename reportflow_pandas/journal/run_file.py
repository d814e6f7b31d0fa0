"""A run's file, opened to send: its lock, its connection, and whose it is."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.journal import ledger, runs_folder, schema
from reportflow_pandas.journal.ledger_queries import meta_of, one_moment
from reportflow_pandas.journal.lock import RunLock
from reportflow_pandas.lru import LruDict
from reportflow_pandas.next_steps import if_the_same_workspace
from reportflow_pandas.settings import EMBEDDED, RUNS, Owner

__all__ = ["BEGUN_BELOW_THE_WORKING_DIRECTORY", "RunFile", "lock_of", "open_run", "refuse_another"]

BEGUN_BELOW_THE_WORKING_DIRECTORY: LruDict[str, Path] = LruDict(1000)
"""Folders of runs that this process opened where no folder was configured: a script may change its directory."""


@dataclass(eq=False, slots=True)
class RunFile:
    """A run's file, held by this process.

    Attributes
    ----------
    run : str
        The run's name.
    path : pathlib.Path
        The file.
    created : bool
        Whether it is new.
    lock : RunLock
        The right to send.
    connection : sqlite3.Connection
        The one that writes; another one reads.
    """

    run: str
    path: Path
    created: bool
    lock: RunLock
    connection: sqlite3.Connection
    _reader: sqlite3.Connection | None = None
    _one_reads: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of it, beside what writes; threads take turns."""
        with self._one_reads:
            if self._reader is None:
                self._reader = schema.open_to_read(self.path)
            with schema.translated(self.path), one_moment(self._reader):
                yield self._reader

    def close(self) -> None:
        """Close it and let others send. Doing so twice is harmless."""
        with self._one_reads:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        self.connection.close()
        self.lock.free()


def open_run(
    folder: Path,
    run: str,
    *,
    base_url: str,
    owner: Owner,
    clock: Clock,
    must_exist: bool = False,
    proven: bool = False,
) -> RunFile:
    """Open a run's file to send, or make one; parameters and errors are those of `Journal.open`."""
    name = runs_folder.checked_name(run)
    if not must_exist:
        runs_folder.make_folder(folder)
    path = runs_folder.path_of(folder, name)
    if must_exist and not path.exists():
        schema.open_to_read(path)  # raises, naming the runs that there are
    try:
        lock = RunLock(lock_of(path), name, clock.now())
    except OSError as error:
        raise runs_folder.unusable(folder, error) from error
    connection = None
    try:
        created = not path.exists()
        if created:
            facts = {
                "run": name,
                "base_url": base_url,
                "service": owner.service,
                "workspace": owner.workspace,
                "created_at": clock.timestamp(),
                "frame": 0,
                "planned": False,
                "rows": 0,
            }
            schema.create(path, {key: schema.encoded(value) for key, value in facts.items()})
        connection = schema.open_to_write(path)
        with schema.translated(path):
            meta = meta_of(connection)
            if proven:
                # one of the embedded service stays its own: a key that isn't of its form may be mistyped
                begun = (meta.get("service"), meta.get("workspace"))
                if begun != owner and (EMBEDDED in owner or EMBEDDED not in begun):
                    take_over(connection, owner)
            else:
                refuse_another(meta, name, base_url, owner)
            # FULL and not NORMAL: after a power loss, an intent that is not on the disk is a document sent twice
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        if connection is not None:
            connection.close()
        lock.free()
        raise
    if folder == RUNS.absolute():
        BEGUN_BELOW_THE_WORKING_DIRECTORY[name] = folder
    return RunFile(name, path, created, lock, connection)


def take_over(connection: sqlite3.Connection, owner: Owner) -> None:
    """Write down which service and workspace a run belongs to by now."""
    ledger.write_meta(connection, {"service": owner.service, "workspace": owner.workspace})


def lock_of(path: Path) -> Path:
    """Return where a journal's lock is."""
    return path.with_suffix(".lock")


def refuse_another(meta: Mapping[str, Any], run: str, base_url: str, owner: Owner) -> None:
    """Refuse a run of another service or workspace."""
    if meta.get("service") != owner.service and meta.get("base_url") != base_url:
        raise ConfigurationError(
            f"run {run!r} belongs to {meta.get('base_url')}, and this process is configured for {base_url}. "
            f"Nothing was sent. Either rf.configure(base_url={meta.get('base_url')!r}), or give this run another "
            "name"
        )
    begun = Owner(str(meta.get("service")), str(meta.get("workspace")))
    if begun != owner and begun.is_named and owner.is_named:
        raise ConfigurationError(
            f"run {run!r} belongs to another workspace: to {begun.workspace!r}, and this process works for "
            f"{owner.workspace!r}. Nothing was sent. Either rf.configure(workspace={begun.workspace!r}), or give "
            f"this run another name. If it is the same workspace by a new name: "
            f"{if_the_same_workspace(run)}"
        )
    if begun != owner:
        raise ConfigurationError(
            f"run {run!r} belongs to another workspace, as far as can be told: it was begun with another key for "
            f"{base_url}, and the service knows none of its documents under this one. Nothing was sent: what that "
            "workspace has would be made and billed again. If the key was renewed and it is the same workspace: "
            f"{if_the_same_workspace(run)}. Else set that workspace's key: rf.configure(app_key=…)"
        )
