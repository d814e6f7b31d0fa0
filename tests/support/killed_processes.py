"""Processes to kill: one warm process forks a child for each run, so that a death costs no start of Python.

Run as a program, it reads a job a line from stdin, forks, and writes the child's number; a second line in answer
to ``{"wait": number}`` says how the child ended, in answer to ``{"alive": number}`` whether it has not yet.
Imported, it has `Children`, which speaks to that program.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self


class Children:
    """A program that works in children; by default it generates in them."""

    def __init__(self, program: str = "support.killed_processes") -> None:
        self._name = program
        self._ended: set[int] = set()

    def __enter__(self) -> Self:
        self._program = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", self._name],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(30)
        assert self._program.stdout is not None
        self._program.stdout.close()

    def start(self, **job: Any) -> int:
        """Begin a run in a child and return its process number."""
        return int(self._ask(job))

    def kill(self, child: int) -> bool:
        """Kill a child; return whether it was still alive."""
        self.end(child)
        return self.wait(child) == -signal.SIGKILL

    def end(self, child: int) -> None:
        """Send a child SIGKILL, unless it has been waited for."""
        if child not in self._ended:
            os.kill(child, signal.SIGKILL)

    def alive(self, child: int) -> bool:
        """Return whether a child still runs; from ``/proc``, where there is one, for that takes microseconds."""
        try:
            return Path(f"/proc/{child}/stat").read_text(encoding="ascii").split()[2] != "Z"
        except OSError:
            if self._ask({"alive": child}) == "no\n":
                self._ended.add(child)
            return child not in self._ended

    def wait(self, child: int) -> int:
        """Return a child's exit code."""
        self._ended.discard(child)
        return int(self._ask({"wait": child}))

    def _ask(self, question: dict[str, Any]) -> str:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(question) + "\n")
        self._program.stdin.flush()
        return self._program.stdout.readline()


def main(work: Callable[..., None] | None = None) -> None:
    """Fork a child for each job; ``work`` does it there and never returns."""
    import reportflow_pandas  # noqa: F401, PLC0415 - warm before the first fork

    work = work or generate
    ended: dict[int, int] = {}

    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            child = job["wait"]
            status = ended.pop(child) if child in ended else os.waitpid(child, 0)[1]
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer
            continue
        if "alive" in job:
            child, status = os.waitpid(job["alive"], os.WNOHANG)
            if child:
                ended[child] = status
            print("no" if child else "yes", flush=True)  # noqa: T201 - the answer
            continue
        child = os.fork()
        if child == 0:
            work(**job)
        print(child, flush=True)  # noqa: T201 - the answer


def generate(
    *, rows: int, options: dict[str, Any], settings: dict[str, str], seed: int, commit: float, held: float
) -> None:
    """Generate and leave without a goodbye.

    Parameters
    ----------
    rows : int
        People.
    options, settings : dict
        Of ``generate`` and ``rf.configure``.
    seed : int
        For chance.
    commit : float
        The most seconds that a commit is slower than usual, before and after: so that a death may come there.
    held : float
        Seconds before an outcome is committed.
    """
    from support.virtual_service import people, plain  # noqa: PLC0415

    import reportflow_pandas as rf  # noqa: PLC0415
    from reportflow_pandas.execution import from_frame  # noqa: PLC0415
    from reportflow_pandas.journal import commits  # noqa: PLC0415
    from reportflow_pandas.results import polling  # noqa: PLC0415

    chance = random.Random(seed)  # noqa: S311 - a test's chance
    write = commits.write

    def slow(connection: Any, records: commits.Records) -> None:
        time.sleep(chance.random() * commit)
        if records.answers:
            time.sleep(held)
        write(connection, records)
        time.sleep(chance.random() * commit)

    code = 1
    try:
        commits.write = slow
        from_frame.FIRST_CHUNK, from_frame.CHUNK = 8, 16
        polling.SOONEST_SECONDS = 0.02
        rf.configure(**settings)
        people(rows).reportflow.generate(**{**plain(), **options}, progress=False)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
