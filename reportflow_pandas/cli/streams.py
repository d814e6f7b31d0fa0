"""Standard output and error of a command that must not depend on them: closed, full, or without a reader.

What a command did is in its exit code and its workbook. A pipe that is full because its reader does not read would
otherwise hold the run itself (a write blocks the thread that logs, which is the one that sends), and a disk that
is full would end it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["UNREAD_SECONDS", "standing_alone"]

UNREAD_SECONDS = 5.0
"""After its work a command waits so long for a reader that takes nothing."""

_MOST_BYTES = 1 << 22
"""Kept for a reader that is slow; what comes after that is left out, and said to be."""


class _Writer:
    """Writes what it is handed in a thread of its own, so that nothing waits for a reader."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[_Stream, bytes]] = deque()
        self._waiting = 0
        self._written = 0
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="reportflow-output", daemon=True)
        self._thread.start()

    def put(self, stream: _Stream, piece: bytes) -> None:
        """Take a piece, unless too much is waiting already."""
        with self._changed:
            if self._waiting + len(piece) > _MOST_BYTES:
                stream.left_out += 1
                return
            self._pieces.append((stream, piece))
            self._waiting += len(piece)
            self._changed.notify_all()

    def drain(self, patience: float | None) -> None:
        """Wait until all is written, but no longer than ``patience`` seconds for a reader that takes nothing."""
        with self._changed:
            while self._waiting:
                written = self._written
                self._changed.wait(patience)
                if patience is not None and self._written == written:
                    return

    def close(self) -> None:
        """Let the thread end when it has nothing left."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._pieces:
                    if self._ended:
                        return
                    self._changed.wait()
                stream, piece = self._pieces.popleft()
            stream.write_out(piece, self._count)

    def _count(self, size: int) -> None:
        with self._changed:
            self._waiting -= size
            self._written += size
            self._changed.notify_all()


class _Stream(io.TextIOBase):
    """Takes a standard stream's place; writing to it returns at once and raises nothing."""

    def __init__(self, original: TextIO, writer: _Writer) -> None:
        self._original = original
        self._writer = writer
        self._handle: int = original.fileno()
        self.broken = False
        self.left_out = 0
        self.lost: list[str] = []

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return str(self._original.encoding or "utf-8")

    @property
    def errors(self) -> str:  # type: ignore[override]
        """A shell that cannot show Łódź shows something else."""
        return "replace"

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return bool(self._original.isatty())

    def fileno(self) -> int:
        """Its number."""
        return self._handle

    def writable(self) -> bool:
        """Say yes, whatever became of it."""
        return True

    def write(self, text: str) -> int:
        """Hand a text over."""
        if self.broken:
            self.lost.append(text)
        elif text:
            self._writer.put(self, text.replace("\n", os.linesep).encode(self.encoding, "replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing: a text is on its way as soon as it is handed over."""

    def write_out(self, piece: bytes, count: Any) -> None:
        """Write a piece, by the thread that may wait for it."""
        rest = memoryview(piece)
        while rest and not self.broken:
            try:
                size = os.write(self._handle, rest)
            except BlockingIOError:
                threading.Event().wait(0.05)
                continue
            except OSError:
                # closed by its reader, full, gone with its terminal
                self.broken = True
                break
            rest = rest[size:]
            count(size)
        if rest:
            self.lost.append(bytes(rest).decode(self.encoding, "replace"))
            count(len(rest))


class _Closed(io.TextIOBase):
    """Takes the place of a stream that the shell closed."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def write(self, text: str) -> int:
        """Keep a text that is read nowhere."""
        self.lost.append(text)
        return len(text)


@contextlib.contextmanager
def standing_alone(*, patient: bool) -> Iterator[None]:
    """Let standard output and error hold up nothing as long as a command runs.

    What output did not take goes to error, if that still takes something.

    Parameters
    ----------
    patient : bool
        Wait at the end for as long as a reader needs: where what is written is all there is (a list).
    """
    before = sys.stdout, sys.stderr
    writers: dict[object, _Writer] = {}
    out, error = (
        _in_place_of(sys.stdout, sys.__stdout__, writers),
        _in_place_of(sys.stderr, sys.__stderr__, writers),
    )
    sys.stdout, sys.stderr = out, error
    patience = None if patient else UNREAD_SECONDS
    try:
        yield
    finally:
        for writer in writers.values():
            writer.drain(patience)
        if isinstance(out, _Stream | _Closed) and not patient:
            error.write("".join(out.lost))
        for stream in (out, error):
            if isinstance(stream, _Stream) and stream.left_out:
                stream.write(f"({stream.left_out:,} pieces of this output were left out: nothing read it)\n")
        for writer in writers.values():
            writer.drain(patience)
            writer.close()
        sys.stdout, sys.stderr = before


def _in_place_of(given: Any, real: Any, writers: dict[object, _Writer]) -> Any:
    """Return what takes a stream's place; the stream itself where it is none of the process's own (a test's)."""
    if given is not real:
        return given
    if given is None:
        return _Closed()
    try:
        given.flush()
        status = os.fstat(given.fileno())
    except (OSError, ValueError):
        return _Closed()
    # one thread for two streams that are one pipe or terminal: the lines keep their order
    place = (status.st_dev, status.st_ino)
    if place not in writers:
        writers[place] = _Writer()
    return _Stream(given, writers[place])
