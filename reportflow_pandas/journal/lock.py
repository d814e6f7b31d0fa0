"""One sending process per run: a file lock, which the operating system frees when its process dies.

The library ``filelock`` (4.3) was looked at in its place. It cannot be asked whether another process holds a lock
but by taking it, which would refuse a process that begins to send in that instant; a waiter that opened the file
before `runs.forget` deleted it gets a lock that no other process sees, so two could send; and where ``flock`` is
missing it falls back to marker files, which outlive a killed process.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
import weakref
from datetime import datetime
from pathlib import Path

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.next_steps import while_another_sends

__all__ = ["RunLock", "count_here", "is_counted_here", "is_locked"]

_LOOKS_AT_TAKEN = 20
"""Looks at a taken lock before it counts as taken: asking whether a run goes on takes it for an instant."""

_HELD: weakref.WeakSet[RunLock] = weakref.WeakSet()


class RunLock:
    """The right to send on a run.

    Parameters
    ----------
    path : pathlib.Path
        The lock's file. It stays when the lock is freed; its text tells who holds it, or held it last.
    run : str
        The run's name, for the message.
    since : datetime
        Now, UTC.

    Raises
    ------
    ConfigurationError
        Another process, or another job of this one, sends on the run; or the folder cannot hold locks.
    """

    def __init__(self, path: Path, run: str, since: datetime) -> None:
        self.forked = False
        """Whether this is a child's copy of its parent's lock, which gives no right to send."""
        self.counted = False
        """Whether this process's rate limiter counts the calls that are made under it, and those before."""
        self.path = path
        self._file = _taken(path, run)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since.isoformat(timespec="seconds")}
        with contextlib.suppress(OSError):  # only the message of a second process would miss it
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(holder).encode(), 0) if hasattr(os, "pwrite") else os.write(
                self._file, json.dumps(holder).encode()
            )
        _HELD.add(self)

    def free(self) -> None:
        """Let another process send. Doing so twice is harmless."""
        self.counted = False
        if self._file >= 0:
            if os.name == "nt":
                _unlock(self._file)
            os.close(self._file)
            self._file = -1

    @property
    def held(self) -> bool:
        """Whether it has not been freed."""
        return self._file >= 0

    def after_fork(self) -> None:
        """Drop a child's copy: it must not keep the run locked when its parent dies."""
        self.forked = True
        self.counted = False
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_locked(path: Path) -> bool:
    """Tell whether a process sends on the run just now."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        if not _lock(file, shared=True):
            return True
        _unlock(file)
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(file)


def count_here(path: Path) -> None:
    """Note that this process's rate limiter counts the calls that are made under a lock of its own."""
    for lock in list(_HELD):
        lock.counted |= lock.held and lock.path == path


def is_counted_here(path: Path) -> bool:
    """Tell whether this process's rate limiter counts the calls that are made under a lock just now."""
    return any(lock.counted and lock.path == path for lock in list(_HELD))


def _taken(path: Path, run: str) -> int:
    for look in range(_LOOKS_AT_TAKEN):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            locked = _lock(file, shared=False)
            # a run that was forgotten in this instant took its lock's file along: that lock is worth nothing
            if locked and _same(file, path):
                return file
        except OSError as error:
            os.close(file)
            raise ConfigurationError(
                f"{path.parent} cannot hold locks ({error.strerror or error}), so two processes could send the "
                "same run. It is perhaps a network drive: choose a folder of this machine with "
                "rf.configure(runs='…') or the environment's REPORTFLOW_RUNS"
            ) from error
        os.close(file)
        if look:
            time.sleep(0.005)  # another process's instant, which no clock of ours can hurry
    raise ConfigurationError(
        f"run {run!r} is being sent by {_holder(path)}. Two at once could send a document twice, so this one was "
        f"refused and nothing was sent. {while_another_sends(run)}"
    )


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _holder(path: Path) -> str:
    try:
        said = json.loads(path.read_text())
        return f"process {said['pid']} on {said['host']}, since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """The byte that is locked: far behind the text, which others so can read."""

    def _lock(file: int, *, shared: bool) -> bool:  # noqa: ARG001 - Windows knows no shared lock here
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

    def _unlock(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int, *, shared: bool) -> bool:
        # flock and not lockf: closing another handle of the file in this process must not free it
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _after_fork() -> None:
    for lock in list(_HELD):
        lock.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
