"""Programs of ours that read PDFs, in processes of their own: started by path, spoken to over pipes.

Not ``multiprocessing``: its spawn runs the user's script again, and its fork copies the threads of a notebook.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from reportflow_pandas.settings import plain_environment

__all__ = ["answers", "lines", "reader_count", "whole"]

WALL_SECONDS_PER_FILE = 90.0
"""Each program bounds its own CPU time; this is for systems that have no such bound, and for one that hangs."""

FILES_PER_PROCESS = 2_000
"""Then it is replaced: what a library leaks does not grow with the run."""

TICK_SECONDS = 0.1
MOST_PROCESSES = 16
ENDED = "it ended the program that reads it: too much time or memory, or a fault in it"

Job = dict[str, Any]
Answer = dict[str, Any]


def reader_count(jobs: int) -> int:
    """Return how many processes read so many files: one for each processor, fewer for few files."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, MOST_PROCESSES, -(-jobs // 4)))


class _Reader:
    """One process and the thread that speaks with it."""

    def __init__(
        self,
        program: Path,
        jobs: queue.SimpleQueue[Job | None],
        done: queue.SimpleQueue[tuple[Job, bytes] | None],
    ) -> None:
        self._program = program
        self._jobs = jobs
        self._done = done
        self._process: subprocess.Popen[bytes] | None = None
        self.since: float | None = None
        self._closed = False
        self.thread = threading.Thread(target=self._work, name="reportflow-verify", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        served = 0
        while not self._closed and (job := self._jobs.get()) is not None:
            if served >= FILES_PER_PROCESS:
                self._stop()
                served = 0
            answer = self._ask(job)
            served = served + 1 if self._process is not None else 0
            self._done.put((job, answer))
        self._stop()
        self._done.put(None)

    def _ask(self, job: Job) -> bytes:
        try:
            if self._process is None:
                self._process = _started(self._program)
            process = self._process
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            self.since = time.monotonic()
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if line.endswith(b"\n"):
                return line
        except (OSError, ValueError):
            pass
        finally:
            self.since = None
        self._stop()
        return json.dumps({"error": ENDED}).encode()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._end(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()

    def kill(self) -> None:
        """End the process: the file that it reads counts as unreadable, the next one gets a fresh process."""
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()

    def close(self) -> None:
        """End for good."""
        self._closed = True
        self.kill()


def whole(line: bytes) -> Answer:
    """Return what a line of JSON holds, halves of characters too; for another line, that the program ended."""
    answer: Answer
    try:
        answer = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            answer = json.loads(line)
        except ValueError:
            return {"error": ENDED}
    return answer


def _started(program: Path) -> subprocess.Popen[bytes]:
    places = [
        str(Path(spec.origin).parent.parent)
        for name in ("pypdfium2", "pypdfium2_raw", "PIL")
        if (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None
    ]
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*dict.fromkeys(places), *([known] if known else [])])
    # not the interrupt of the terminal's or notebook's group: this process decides when it ends
    own_group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(  # noqa: S603 - our own program, by its path
        [sys.executable, "-S", "-P", str(program)],  # what hooks itself into each start is not for these programs
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**plain_environment(), "PYTHONPATH": path},
        **own_group,
    )


def answers(
    program: Path, jobs: Iterable[Job], *, count: int, tick: Callable[[], None] = lambda: None
) -> Generator[tuple[Job, Answer], None, None]:
    """Yield each job with its answer; all else as in `lines`."""
    with contextlib.closing(lines(program, jobs, count=count, tick=tick)) as found:
        for job, line in found:
            yield job, whole(line)


def lines(
    program: Path, jobs: Iterable[Job], *, count: int, tick: Callable[[], None] = lambda: None
) -> Generator[tuple[Job, bytes], None, None]:
    """Yield each job with the line of JSON that answers it, as they come, from several processes of a program.

    Parameters
    ----------
    program : Path
        Reads a line of JSON, answers with one.
    jobs : iterable of dict
        Taken as they are needed.
    count : int
        Of processes.
    tick : callable
        Called about ten times a second in the caller's thread, and where an interrupt is felt.
    """
    waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Job, bytes] | None] = queue.SimpleQueue()
    readers = [_Reader(program, waiting, done) for _ in range(count)]
    supply = iter(jobs)
    pending = 0
    try:
        for job in _first(supply, 3 * count):
            waiting.put(job)
            pending += 1
        while pending:
            try:
                finished = done.get(timeout=TICK_SECONDS)
            except queue.Empty:
                now = time.monotonic()
                for reader in readers:
                    if reader.since is not None and now - reader.since > WALL_SECONDS_PER_FILE:
                        reader.kill()
                tick()
                continue
            assert finished is not None  # noqa: S101 - readers end only when they are told to
            for job in _first(supply, 1):
                waiting.put(job)
                pending += 1
            pending -= 1
            yield finished
            tick()
    finally:
        for reader in readers:
            waiting.put(None)
            reader.close()
        for reader in readers:
            reader.thread.join(timeout=5)


def _first(supply: Iterator[Job], most: int) -> Iterator[Job]:
    for _, job in zip(range(most), supply, strict=False):
        yield job
