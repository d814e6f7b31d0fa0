"""The benchmarks: one command prints the table.

    python -m tests.benchmarks            # quick, under three minutes
    python -m tests.benchmarks --full     # twenty minutes; a million rows, every contender
    python -m tests.benchmarks --only memory
    python -m tests.benchmarks --write    # and writes it to RESULTS.md beside this file; with --only, that part

Ratios only: every contender runs on the same server in the same run, in turns; those of other libraries where
they are installed (extra ``benchmarks``).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import costs, start_and_size, walls
from tests.benchmarks.costs import Table
from tests.benchmarks.counting import Meter
from tests.benchmarks.server import running

RESULTS = Path(__file__).with_name("RESULTS.md")

NOTE = """\
Why CPU time tells more against ours than instructions do: valgrind leaves the kernel out. By \
`getrusage`, 8 turns on 2026-11-27, medians, µs a row: the pool 166 user and 15 system, ours 148 and 33, \
ours without its journal 129 and 24. That was 1.02 times the pool in total (0.96 by the least), so the \
ratio of CPU time below was not met again: what else the machine does may be why. `strace -f -c`, 4,000 \
rows: the journal writes 1.6 `pwrite64` a row and one `fdatasync` for 18 rows, and its thread brings 0.5 \
voluntary switches a row (the pool has none). The other half of the system time is there without a \
journal too; turns of the event loop are seen there (0.8 to 1.1 `epoll_wait` a row, the pool 0.5) and \
`futex` calls, but which of them it is was not separated.
"""
"""Measured by hand, once."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything; twenty minutes")
    parser.add_argument("--only", action="append", metavar="PART", help="cost, instructions, walls, tails, …")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} too")
    chosen = parser.parse_args()
    quick = not chosen.full
    meter = Meter()
    parts: dict[str, str] = {}
    with running() as server:
        measurements: dict[str, tuple[str, Callable[[], Table]]] = {
            "cost": (
                "Cost of a row for the client (latency 0, 50 in flight, one call a row)",
                lambda: costs.cost(server, meter, rounds=5 if quick else 7, rows=5000),
            ),
            "instructions": (
                "User instructions of a row, under valgrind (50 in flight, one call a row)",
                lambda: costs.instructions(rows=2000),
            ),
            "journal": (
                "What the journal adds to a row, under valgrind (50 in flight)",
                lambda: costs.journal(rows=2000),
            ),
            "walls": ("Wall time at a fixed concurrency, no limit", lambda: walls.walls(server, quick=quick)),
            "tails": ("Wall time with a log-normal tail", lambda: walls.tails(server, quick=quick)),
            "hidden": ("Undocumented limits", lambda: walls.hidden_limits(server, quick=quick)),
            "imports": ("Import, under valgrind", costs.imports),
            "first": ("First call", lambda: start_and_size.first_call(server)),
            "memory": ("Memory: calls of 100 documents", lambda: start_and_size.memory(quick=quick)),
            "runs": ("Runs, listed and loaded: CPU time", lambda: start_and_size.runs(server)),
            "rendering": (
                "The embedded service: a look-up while it renders",
                start_and_size.look_ups_while_rendering,
            ),
        }
        for name, (title, measure) in measurements.items():
            if chosen.only is None and quick and name in ("imports", "instructions", "journal"):
                continue
            if chosen.only is not None and name not in chosen.only:
                continue
            begun = time.monotonic()
            parts[title] = f"## {title}\n\n{_markdown(measure())}\n"
            print(parts[title], f"({time.monotonic() - begun:.0f} s)\n", sep="", flush=True)  # noqa: T201 - the table
    if chosen.write:
        if chosen.only is not None:
            parts = _written() | parts
        tables = [parts[title] for title, _ in measurements.values() if title in parts]
        RESULTS.write_text("\n".join([_head(quick=quick), *tables]), encoding="utf-8")


def _written() -> dict[str, str]:
    """Return the tables of earlier runs by their titles."""
    _, *tables = RESULTS.read_text(encoding="utf-8").split("\n## ")
    return {table.partition("\n")[0]: f"## {table.rstrip()}\n" for table in tables}


def _head(*, quick: bool) -> str:
    libraries = ("pandas", "aiohttp", "orjson")
    versions = ", ".join(f"{name} {version(name)}" for name in libraries)
    return (
        "# Benchmarks\n\n"
        f"`python -m tests.benchmarks {'' if quick else '--full '}--write`, {dt.datetime.now(dt.UTC):%Y-%m-%d}. "
        f"{_machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}. "
        "Ratios within one run are what counts: the machine had other work too.\n"
        f"\n{NOTE}"
    )


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def _markdown(table: Table) -> str:
    head, *lines = table
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


if __name__ == "__main__":
    main()
