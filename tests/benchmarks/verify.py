"""What reading back finds, what it says of clean documents, and what it costs: run by hand.

    python -m tests.benchmarks.verify [seed] [--documents N] [--faults N] [--sweep | --small]

For each design, packaged or of ``tests/support/verify_designs``, in English and Japanese (a fifth of the rows),
for two pages that Chromium prints, a letter in German, Japanese and Arabic and an itinerary in French, Japanese
and Hebrew, and for a bill that LibreOffice prints, in German and Japanese: clean documents; then, kind by kind,
faults at random places of the same run. The seed decides rows, places and faults; tests and building used others
(1 to 9, 31, 57, 58, 71, 72, 81, 7201, 9001 to 9005, 9174, 31337, 44107, 53311, 61873, 80711, 80713, 40961, 5519,
7411, 7412, 5150, 77881). Recall is the share of faulty documents with a finding; ``first``: whether all of them
stand before every clean one in the order of suspicion. ``--sweep`` lists the parameters that are wrong in three
documents of which neither is anything found nor said that they are not judged; ``--small`` counts the clean
documents that alarm in runs of a few of them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_check import Checked, check_run
from tests.benchmarks.silent_values import sweep
from tests.support import planted_faults

DESIGNS = {
    "receipt": 120,
    "certificate": 120,
    "invoice": 120,
    "quotation": 120,
    "bill": 120,
    "orders": 90,
    "badge": 120,
    "delivery": 120,
    "letter": 120,
    "itinerary": 120,
    "order": 120,
}
"""By design, how many documents a run has."""

SWEPT_DOCUMENTS = 60

SMALL_RUNS = {1: 16, 2: 16, 3: 16, 6: 16, 12: 16, 24: 15, 40: 9}
"""By documents in a run, how many runs."""

LOOK_EVERY = 100
"""Ticks between two looks at the reading processes."""

KINDS = [*planted_faults.CHANGES, *planted_faults.OTHER_FAULTS]


def checked(
    wanted: list[dict[str, Any]], pdfs: Mapping[int, bytes], folder: Path, tick: Callable[[], None] = lambda: None
) -> Checked:
    """Return what a run's documents are found to be."""
    return checked_files(wanted, written(pdfs, folder), folder, tick)


def written(pdfs: Mapping[int, bytes], folder: Path) -> dict[int, str]:
    """Return where a run's documents lie, by row."""
    paths = {row: folder / f"{row}.pdf" for row in pdfs}
    for row, pdf in pdfs.items():
        paths[row].write_bytes(pdf)
    return {row: str(path) for row, path in paths.items()}


def checked_files(
    wanted: list[dict[str, Any]], paths: Mapping[int, str], folder: Path, tick: Callable[[], None] = lambda: None
) -> Checked:
    """Return what a run's documents, which lie in a folder, are found to be."""

    def params() -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(wanted)

    def began(what: str, note: str, total: int) -> Callable[[int], None]:
        return lambda count: None

    with closing(Readings(folder)) as known:
        return check_run(paths, params, known, labels={}, began=began, tick=tick)


def measured(design: str, count: int, faults: int, seed: int) -> Iterator[str]:
    """Yield the lines of a design: clean documents, then each kind of fault."""
    if design in planted_faults.BY_OFFICE and not planted_faults.BY_OFFICE[design].soffice():
        yield f"| {design} | not measured: LibreOffice is not installed | | | | | |"
        return
    wanted = planted_faults.rows(design, count, seed)
    clean = planted_faults.printed_all(design, wanted)
    with tempfile.TemporaryDirectory() as folder:
        paths = written(clean, Path(folder))
        cpu = _cpu()
        found = checked_files(wanted, paths, Path(folder))
        cost = (_cpu() - cpu) / sum(verdict.pages or 0 for verdict in found.verdicts.values()) * 1000
        alarms = sum(verdict.verdict != "ok" for verdict in found.verdicts.values())
        yield f"| {design} | clean | {count} | | {alarms} | | {cost:.1f} |"
        for kind in KINDS:
            # the words of a flag are learned from the run: where more than one in fifty is wrong, it is not judged
            count_of = max(1, faults // 10) if kind == "flag" else faults
            planted = planted_faults.plant(design, wanted, kind, count_of, seed)
            if not planted:
                continue
            pdfs = clean | {row: one.pdf for row, one in planted.items()}
            asked = [planted[row].params if row in planted else params for row, params in enumerate(wanted)]
            verdicts = checked(asked, pdfs, Path(folder)).verdicts
            hit = sum(verdicts[row].verdict != "ok" for row in planted)
            alarms = sum(verdicts[row].verdict != "ok" for row in verdicts if row not in planted)
            least = min(verdicts[row].suspicion for row in planted)
            most = max(verdicts[row].suspicion for row in verdicts if row not in planted)
            first = "yes" if least > most else "no"
            yield f"| {design} | {kind} | {len(planted)} | {hit} | {alarms} | {first} | |"
            for row, one in planted.items():
                if verdicts[row].verdict == "ok":
                    yield f"| | | | | | missed: row {row}, {one.detail} | |"


def swept(design: str, count: int, seed: int) -> Iterator[str]:
    """Yield each value of a design that is wrong in some documents in silence, then how many there are."""
    outcomes = []
    for one in sweep(design, count, seed, checked):
        outcomes.append(one)
        if one.is_silent or one.alarms:
            yield f"| {design} | {one.parameter} | {one.way} | {one.found} of {one.wrong} | {one.alarms} |"
    silent = sum(one.is_silent and not one.found for one in outcomes)
    partly = sum(one.is_silent and one.found > 0 for one in outcomes)
    said = sum(one.found < one.wrong and not one.is_silent for one in outcomes)
    yield f"{design}: {len(outcomes)} values; {said} said not judged, {partly} partly silent, {silent} silent"


def small(design: str, count: int, seed: int) -> Iterator[str]:
    """Yield how many clean documents alarm in small runs, drawn from so many."""
    wanted = planted_faults.rows(design, count, seed)
    clean = planted_faults.printed_all(design, wanted)
    with tempfile.TemporaryDirectory() as folder:
        paths = written(clean, Path(folder))
        for size, runs in SMALL_RUNS.items():
            alarms = 0
            for run in range(runs):
                rows = random.Random(f"{design}{size}{run}").sample(range(count), size)  # noqa: S311 - a sample
                drawn = {number: paths[row] for number, row in enumerate(rows)}
                verdicts = checked_files([wanted[row] for row in rows], drawn, Path(folder)).verdicts
                alarms += sum(verdict.verdict != "ok" for verdict in verdicts.values())
            yield f"| {design} | {size} | {alarms} of {runs * size} |"


def memory(count: int, seed: int) -> str:
    """Return the most memory that so many receipts take, all processes together (kB to MB)."""
    wanted = planted_faults.rows("receipt", count, seed)
    some = [planted_faults.printed("receipt", params) for params in wanted[:200]]
    with tempfile.TemporaryDirectory() as folder:
        pdfs = {row: some[row % 200] + b"\n" * (1 + row // 200) for row in range(count)}
        repeated = [wanted[row % 200] for row in range(count)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        looks = itertools.count()
        readers = 0

        def tick() -> None:
            nonlocal readers
            if next(looks) % LOOK_EVERY == 0:
                readers = max(readers, _largest_reader())

        checked(repeated, pdfs, Path(folder), tick)
        wall = time.perf_counter() - started
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        f"{count:,} PDFs: {(own - before) / 1024:.0f} MB above what held the PDFs themselves, "
        f"{readers / 1024:.0f} MB for the largest reading process, {wall:.0f} s"
    )


def _largest_reader() -> int:
    """Return the most memory that a living reading process has taken so far, in kB (Linux).

    What the system tells of ended children counts this process's own memory, out of which they were forked.
    """
    largest = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            is_reader = b"read_pdf.py" in status.with_name("cmdline").read_bytes()
            if is_reader and int(facts["PPid"]) == os.getpid():
                largest = max(largest, int(facts["VmHWM"].split()[0]))
    return largest


def _cpu() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


HEAD = """\
| design | fault | documents | found | false alarms | first | ms CPU a page |
|---|---|--:|--:|--:|---|--:|"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int, nargs="?", default=20261127)
    parser.add_argument("--documents", type=int, help="in each run; default by design")
    parser.add_argument("--faults", type=int, default=20, help="of each kind")
    parser.add_argument("--only", choices=DESIGNS, action="append")
    parser.add_argument("--sweep", action="store_true", help="list values that may be wrong in silence instead")
    parser.add_argument("--small", action="store_true", help="count false alarms of small runs instead")
    parser.add_argument("--memory", type=int, metavar="N", help="measure the memory of N PDFs instead")
    chosen = parser.parse_args()
    if chosen.memory:
        print(memory(chosen.memory, chosen.seed))  # noqa: T201 - a benchmark prints
        return
    if not (chosen.sweep or chosen.small):
        print(HEAD)  # noqa: T201
    for design in chosen.only or DESIGNS:
        count = chosen.documents or (SWEPT_DOCUMENTS if chosen.sweep else DESIGNS[design])
        lines = (
            swept(design, count, chosen.seed)
            if chosen.sweep
            else small(design, count, chosen.seed)
            if chosen.small
            else measured(design, count, chosen.faults, chosen.seed)
        )
        for line in lines:
            print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
