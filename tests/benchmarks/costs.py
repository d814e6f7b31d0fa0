"""What a row costs the client's processor."""

from __future__ import annotations

import gc
import os
import re
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from tests.benchmarks.contenders import installed, orders
from tests.benchmarks.counting import Meter
from tests.benchmarks.server import Server

POOL = "bare aiohttp pool"
Table = list[list[str]]


def must(holds: bool, what: str) -> None:
    """Stop a benchmark whose contender did not do the work."""
    if not holds:
        raise RuntimeError(f"{what}: not every row was accepted")


def cost(server: Server, meter: Meter, *, rounds: int, rows: int) -> Table:
    """Return what a row costs at latency 0, 50 in flight: the slope between two sizes, contenders in turns."""
    contenders = {name: run for name, run in installed().items() if name != "recipe: 100 and a second"}
    frame, items = orders(rows)
    gc.collect()
    gc.freeze()  # a full collection that happens to fall into a slice would cost as much as 200 rows
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    starts: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            many = 100 if name == "httpx" else rows
            if name == "httpx" and turn > 2:
                continue
            sizes = (many // 5, many)
            costs = []
            for size in sizes:
                gc.collect()
                before = meter.read()
                accepted = run(server.scenario(), frame.iloc[:size], items[:size], 10 if name == "httpx" else 50)
                must(accepted == size, name)
                costs.append(meter.read() - before)
            if turn:  # the first one imports and warms up
                a_row = (costs[1] - costs[0]) / (sizes[1] - sizes[0])
                spent[name].append(a_row)
                starts[name].append(costs[1] - a_row * many)
    pool = spent[POOL]
    lines = [
        ["contender", f"{meter.unit} a row (least)", "least / the pool's", "median of the turns' ratios", "start"]
    ]
    for name, found in spent.items():
        turns = [one / other for one, other in zip(found, pool, strict=False)]
        words = f"{name} (100 rows, 10 in flight)" if name == "httpx" else name
        ratio = f"{min(found) / min(pool):.2f}"
        start = f"{statistics.median(starts[name]):,.0f}"
        lines.append([words, f"{min(found):,.0f}", ratio, f"{statistics.median(turns):.2f}", start])
    return lines


def instructions(*, rows: int) -> Table:
    """Return the user instructions a row takes, counted by valgrind: the slope between two runs.

    They are the same however busy the machine is, and leave out the kernel.
    """
    if shutil.which("valgrind") is None:
        return [["", ""], ["valgrind", "is not installed here"]]
    found = _slopes(dict.fromkeys((POOL, "ours", "ours, bar on", "recipe: gather over all"), rows))
    return [
        ["contender", "k user instructions a row", "against the pool"],
        *([name, f"{spent:,.0f}", f"{spent / found[POOL]:.2f}"] for name, spent in found.items()),
    ]


def journal(*, rows: int) -> Table:
    """Return the user instructions that the journal adds to a row: of a run with it, and without."""
    if shutil.which("valgrind") is None:
        return [["", ""], ["valgrind", "is not installed here"]]
    lines: Table = [["calls", "k user instructions a row", "without the journal", "what it adds"]]
    # beyond 10,000 rows a run reads the rest from its journal, and one without a journal has none
    calls = {"of one document": ("ours", rows), "of 100 documents": ("ours, batches", 4 * rows)}
    found = _slopes({name + end: many for name, many in calls.values() for end in ("", ", no journal")})
    for words, (name, _) in calls.items():
        spent, without = found[name], found[f"{name}, no journal"]
        lines.append([words, f"{spent:,.0f}", f"{without:,.0f}", f"{spent / without - 1:+.1%}"])
    return lines


def _slopes(contenders: dict[str, int]) -> dict[str, float]:
    """Return thousands of instructions a row; each run the middle of three, as one in ten strays."""
    runs = [(name, size) for name, rows in contenders.items() for size in (rows // 5, rows // 5 + rows)]
    turns = range(3)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda run: _counted(*run), [(*run, turn) for turn in turns for run in runs]))
    middle = {run: statistics.median(_counted(*run, turn) for turn in turns) for run in runs}
    return {
        name: (middle[name, rows // 5 + rows] - middle[name, rows // 5]) / rows / 1e3
        for name, rows in contenders.items()
    }


def imports() -> Table:
    """Return the user instructions of imports, counted by valgrind, with the bytecode already written."""
    if shutil.which("valgrind") is None:
        return [["", ""], ["valgrind", "is not installed here"]]
    spent = {}
    for code in (
        "import pandas, aiohttp",
        "import reportflow_pandas",
        "import reportflow_pandas, aiohttp",
        "import reportflow_pandas, pandas; pandas.DataFrame.reportflow",
    ):
        for _ in range(2):  # the first one may have to compile
            spent[code] = _instructions("-c", code)
    base = next(iter(spent.values()))
    return [
        ["code", "M user instructions", "against the first"],
        *([code, f"{count / 1e6:,.0f}", f"{count / base:.2f}"] for code, count in spent.items()),
    ]


@lru_cache
def _counted(name: str, rows: int, turn: int) -> int:
    """Count the instructions of a run; each turn counts again, each table that asks for it does not."""
    return _instructions("-m", "tests.benchmarks.alone", "cost", name, str(rows))


def _instructions(*words: str) -> int:
    """Return the user instructions of one Python process."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, *words]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    told = subprocess.run(  # noqa: S603 - our own words
        command, check=True, capture_output=True, text=True, env=compiled
    ).stderr
    return max(int(count.replace(",", "")) for count in re.findall(r"I\s+refs:\s+([\d,]+)", told))
