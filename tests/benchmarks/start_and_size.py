"""When the first call leaves, a row's memory, what listing runs takes, and whether rendering delays look-ups."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import reportflow_pandas as rf
from reportflow_pandas.api.models import Content
from tests.benchmarks.contenders import orders, ours
from tests.benchmarks.costs import Table
from tests.benchmarks.server import Server


def first_call(server: Server) -> Table:
    """Return the seconds from ``generate()`` to its first call at the server, without look-ups."""
    lines: Table = [["rows", "first call at the server after"]]
    for rows in (1_000, 100_000):
        frame, _ = orders(rows)
        address = server.scenario()
        begun = time.monotonic()
        ours(address, frame, "auto", endpoint="async/multiple")
        lines.append([f"{rows:,}", f"{server.seen(address)['first'] - begun:.3f} s"])
    return lines


def memory(*, quick: bool) -> Table:
    """Return what a run takes beyond input and results, each size in a process of its own, and the slope.

    It is the larger of the peak before the results are built, and the peak with them less their size, which is
    known exactly.
    """
    lines: Table = [["rows", "peak before the results, MB", "with them, MB", "results, MB", "bytes a row apart"]]
    found = {}
    for rows in (100_000, 200_000 if quick else 1_000_000):
        command = [sys.executable, "-m", "tests.benchmarks.alone", "memory", str(rows)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own words
        sending, peak, results = map(int, told.split())
        found[rows] = max(sending, peak - results)
        shown = [f"{size / 1e6:.1f}" for size in (sending, peak, results)]
        lines.append([f"{rows:,}", *shown, f"{found[rows] / rows:,.0f}"])
    (few, small), (many, large) = found.items()
    lines.append(["slope", "", "", "", f"{(large - small) / (many - few):,.0f}"])
    return lines


def runs(server: Server) -> Table:
    """Return the CPU seconds of ``rf.runs()`` over 100 runs of 10,000 documents, and of ``rf.load`` of one."""
    lines: Table = [["runs of 10,000 documents, sent by", "rf.runs() over 100", "rf.load of one"]]
    frame, _ = orders(10_000)
    called: tuple[tuple[Literal["async/single", "async/multiple"], str], ...] = (
        ("async/single", "single calls"),
        ("async/multiple", "batches of 100"),
    )
    for endpoint, words in called:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ours(server.scenario(), frame, "auto", endpoint=endpoint, runs=folder)
            (ledger,) = folder.glob("*.sqlite")
            for number in range(99):
                shutil.copy(ledger, folder / f"run {number}.sqlite")
            rf.configure(runs=folder)
            listed = _least(rf.runs)
            loaded = _least(lambda: rf.load("run 7"))
            rf.configure(runs=None)
        lines.append([words, *(f"{seconds:.2f} s" for seconds in (listed, loaded))])
    return lines


def _least(do: Callable[[], Any], times: int = 5) -> float:
    """Return the least CPU time that something took: what else the machine does only adds to it."""
    took = []
    for _ in range(times):
        begun = time.process_time()
        do()
        took.append(time.process_time() - begun)
    return min(took)


def look_ups_while_rendering() -> Table:
    """Return how long the embedded service takes for a design list: idle, and while 200 documents render."""
    command = [sys.executable, "-m", "tests.benchmarks.alone", "service"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own words
        assert process.stdout is not None
        assert process.stdin is not None
        address, key = process.stdout.readline().split()
        idle, busy = asyncio.run(_asked(rf.Settings(app_key=key, base_url=address)))
        process.stdin.close()
    lines: Table = [["look-up", "median", "worst", "n"]]
    for words, found in (("idle", idle), ("while 200 documents render", busy)):
        median, worst = statistics.median(found) * 1000, max(found) * 1000
        lines.append([words, f"{median:.1f} ms", f"{worst:.1f} ms", f"{len(found)}"])
    ratio = statistics.median(busy) / statistics.median(idle)
    lines.append(["ratio", f"{ratio:.1f}", f"{max(busy) / max(idle):.1f}", ""])
    return lines


async def _asked(settings: rf.Settings) -> tuple[list[float], list[float]]:
    async with rf.Client(settings) as client:

        async def ask() -> float:
            begun = time.monotonic()
            await client.designs()
            return time.monotonic() - begun

        await ask()
        idle = [await ask() for _ in range(100)]
        contents = [Content(f"document {number}", {"Name": f"Person {number}"}) for number in range(200)]
        requests = [
            await client.async_multiple("certificate", 1, contents[start : start + 100]) for start in (0, 100)
        ]
        pending = {request.request_id for request in requests}
        busy = []
        while pending:
            busy.append(await ask())
            for request_id in list(pending):
                try:
                    await client.download_zip(request_id)
                except rf.NotReady:
                    continue
                pending.discard(request_id)
            await asyncio.sleep(0.02)
    return idle, busy
