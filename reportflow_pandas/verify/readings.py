"""What was read of PDFs, kept beside them by their SHA-256: a file that has not changed is not read again."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from reportflow_pandas.verify.reader_processes import lines, reader_count, whole

__all__ = ["CACHE_NAME", "Readings"]

CACHE_NAME = ".reportflow-read.sqlite"
PROGRAM = Path(__file__).with_name("read_pdf.py")
VERSION = 8
"""Of what the program answers; what an older one answered is asked again."""

MOST_BYTES = 200_000_000
FILES_A_COMMIT = 50


class Readings:
    """Texts of PDFs: read by several processes, kept on disk, handed out one by one.

    Parameters
    ----------
    folder : Path or None
        Where the file is kept; where it can't be written, a temporary one takes its place.
    """

    def __init__(self, folder: Path | None) -> None:
        self._shas: dict[str, str] = {}
        self._errors: dict[str, str] = {}
        self._unkept: dict[str, bytes] = {}
        """What could not be written: the file is another's, the disk is full. It is read again the next time."""
        self._open_cache(folder)

    def _open_cache(self, folder: Path | None) -> None:
        for place in (str(folder / CACHE_NAME), "") if folder is not None else ("",):
            with contextlib.suppress(sqlite3.Error, OSError):
                self._database = _opened(place)
                return
        self._database = _opened("")

    def close(self) -> None:
        """Keep what was read."""
        with contextlib.suppress(sqlite3.Error):
            self._database.commit()
        self._database.close()

    def read(self, paths: Iterable[str], *, done: Callable[[int], None], tick: Callable[[], None]) -> int:
        """Read the files that are not known yet; return how many those were.

        Parameters
        ----------
        paths : iterable of str
            Of PDFs.
        done : callable
            Told how many more are known.
        tick : callable
            Called often, in the caller's thread.
        """
        unknown: dict[str, str] = {}
        for path in dict.fromkeys(paths):
            sha = self._hashed(path)
            if sha and not self._knows(sha) and sha not in unknown:
                unknown[sha] = path
            else:
                done(1)
            tick()
        jobs = [{"path": path, "sha": sha} for sha, path in unknown.items()]
        if not jobs:
            return 0
        fresh = lines(PROGRAM, jobs, count=reader_count(len(jobs)), tick=tick)
        with contextlib.closing(fresh):
            for number, (job, line) in enumerate(fresh, start=1):
                self._keep(job["sha"], line)
                if number % FILES_A_COMMIT == 0:
                    self._commit()
                done(1)
        self._commit()
        return len(jobs)

    def of(self, path: str) -> Mapping[str, Any]:
        """Return what a file holds: ``pages``, or ``error``."""
        if path in self._errors:
            return {"error": self._errors[path]}
        sha = self._shas[path]
        packed = self._unkept.get(sha)
        if packed is None:
            row = self._database.execute(
                "SELECT answer FROM readings WHERE sha = ? AND version = ?", (sha, VERSION)
            ).fetchone()
            if row is None:
                return {"error": "it was not read"}
            packed = row[0]
        return whole(zlib.decompress(packed))

    def _hashed(self, path: str) -> str:
        if path in self._shas or path in self._errors:
            return self._shas.get(path, "")
        try:
            with Path(path).open("rb") as file:
                if file.seek(0, 2) > MOST_BYTES:
                    self._errors[path] = f"it has more than {MOST_BYTES // 1_000_000} MB"
                    return ""
                file.seek(0)
                self._shas[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            self._errors[path] = "there is no such file any more"
        except OSError as problem:
            self._errors[path] = f"it can't be opened ({problem.strerror})"
        return self._shas.get(path, "")

    def _knows(self, sha: str) -> bool:
        found = self._database.execute("SELECT 1 FROM readings WHERE sha = ? AND version = ?", (sha, VERSION))
        return found.fetchone() is not None

    def _keep(self, sha: str, line: bytes) -> None:
        packed = zlib.compress(line, 1)  # as it came: it is looked into when it is asked for
        try:
            self._database.execute(
                "REPLACE INTO readings (sha, version, answer) VALUES (?, ?, ?)", (sha, VERSION, packed)
            )
        except sqlite3.Error:
            self._unkept[sha] = packed

    def _commit(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.commit()


def _opened(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, timeout=5, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = OFF")  # what is lost is read again
        database.execute("PRAGMA cache_size = -4000")
        database.execute(
            "CREATE TABLE IF NOT EXISTS readings (sha TEXT PRIMARY KEY, version INTEGER, answer BLOB)"
        )
        database.commit()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
