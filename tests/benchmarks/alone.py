"""One measurement in a process of its own; the parent reads what it prints."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from unittest.mock import patch

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.execution.run import Run
from tests.benchmarks.contenders import CONTENDERS, PARTS, orders, ours
from tests.benchmarks.server import running


def cost(name: str, rows: int) -> None:
    """Send so many rows once; valgrind counts."""
    send = (CONTENDERS | PARTS)[name]
    frame, items = orders(rows)
    with running() as server:
        send(server.scenario(), frame.head(10), items[:10], 5)
        gc.collect()
        gc.freeze()  # a full collection that happens to fall into a run would cost as much as 200 rows
        if send(server.scenario(), frame, items, 50) != rows:
            raise RuntimeError("not every row was accepted")


def memory(rows: int) -> None:
    """Print the bytes of a run beyond its input: before its results are built, with them, and theirs."""
    frame, _ = orders(1000)
    with running() as server:
        ours(server.scenario(), frame, "auto", endpoint="async/multiple")
        frame, items = orders(rows)
        del items
        gc.collect()
        peaks = []
        build = Run.results

        def results_of(run: Run) -> pd.DataFrame:
            peaks.append(_resident("VmHWM"))
            return build(run)

        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
        with patch.object(Run, "results", results_of):
            results = ours(server.scenario(), frame, "auto", endpoint="async/multiple")
        peaks.append(_resident("VmHWM"))
        if not (results["status"] == "accepted").all():
            raise RuntimeError("not every row was accepted")
    print(peaks[0] - before, peaks[-1] - before, results.memory_usage(deep=True).sum())  # noqa: T201 - read by the parent


def _resident(what: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


def service() -> None:
    """Run the embedded service until the parent closes our input."""
    with rf.local_service() as running_service:
        print(running_service.base_url, running_service.app_key, flush=True)  # noqa: T201 - read by the parent
        sys.stdin.read()


if __name__ == "__main__":
    _, what, *words = sys.argv
    if what == "cost":
        cost(words[0], int(words[1]))
    elif what == "memory":
        memory(int(words[0]))
    else:
        service()
