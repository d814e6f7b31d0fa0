"""A run over a queue: calls a second with more and more workers, and what a call costs there.

    python -m tests.benchmarks.queue            # 2,000 calls for each number of workers, then 100,000 rows
    python -m tests.benchmarks.queue --calls 500 --rows 10000

Needs a ``redis-server`` on the path. All runs on this machine and shares its processors; the service answers
after 20 ms, from a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

import reportflow_pandas as rf
from tests.benchmarks.server import Server, running
from tests.support.queue_workers import RedisServer

KEY = "ak_benchmark_0123456789"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.queue", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=50, help="calls in flight of one worker")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running() as server:
        redis = RedisServer(Path(folder) / "redis").start()
        rf.configure(runs=Path(folder) / "runs")
        try:
            for count in (1, 2, 4):
                line = single(server, redis, count, chosen.calls, chosen.concurrency)
                sys.stdout.write(f"{count} workers: {line}\n")
                sys.stdout.flush()
            sys.stdout.write(f"{chosen.rows:,} rows, 100 to a call, 2 workers: {batches(server, redis, chosen)}\n")
        finally:
            redis.kill()


def single(server: Server, redis: RedisServer, count: int, calls: int, concurrency: int) -> str:
    """Measure calls of one document each."""
    frame = pd.DataFrame({"name": [f"Person {number}" for number in range(calls)]})
    with workers(server, redis, count, concurrency) as (address, processes):
        memory = used(redis)
        before, own, of_redis = cpu(processes), used_here(), cpu([redis.process])
        begun = time.monotonic()
        job = frame.reportflow.submit(**plain(address, "async/single"), queue=redis.url)
        peak = 0
        while job.status == "running":
            peak = max(peak, used(redis))
            threading.Event().wait(0.2)
        results = job.result()
        took = time.monotonic() - begun
        good = int((results["status"] == "accepted").sum())
        assert good == calls, results["status"].value_counts()
        worker, here = cpu(processes) - before, used_here() - own
        in_redis = cpu([redis.process]) - of_redis
    return (
        f"{calls / took:,.0f} calls/s ({took:.1f} s); CPU per call: workers {1000 * worker / calls:.2f} ms, "
        f"submitter {1000 * here / calls:.2f} ms, Redis {1000 * in_redis / calls:.2f} ms; "
        f"Redis at most {(peak - memory) / calls:,.0f} bytes per call"
    )


def batches(server: Server, redis: RedisServer, chosen: argparse.Namespace) -> str:
    """Measure many rows, 100 to a call."""
    frame = pd.DataFrame({"name": [f"Person {number}" for number in range(chosen.rows)]})
    with workers(server, redis, 2, chosen.concurrency) as (address, _):
        memory = used(redis)
        begun, own, peak = time.monotonic(), used_here(), 0
        job = frame.reportflow.submit(**plain(address, "async/multiple"), queue=redis.url)
        while job.status == "running":
            peak = max(peak, used(redis))
            threading.Event().wait(0.1)
        results = job.result()
        took = time.monotonic() - begun
        assert (results["status"] == "accepted").all(), results["status"].value_counts()
    return (
        f"{took:.1f} s, {chosen.rows / took:,.0f} rows/s; submitter {used_here() - own:.1f} s CPU; Redis at most "
        f"{(peak - memory) / 1e6:.1f} MB, {(peak - memory) / chosen.rows:,.0f} bytes a row"
    )


def plain(address: str, endpoint: str) -> dict[str, Any]:
    """Return arguments that need no look-up and know no limit."""
    return {
        "design_id": "certificate",
        "version": 1,
        "check": False,
        "params": {"RecipientName": "name"},
        "file_name": "name",
        "limits": False,
        "endpoint": endpoint,
        "progress": False,
        "settings": rf.Settings(app_key=KEY, base_url=address, runs=rf.configure().runs),
    }


@contextmanager
def workers(
    server: Server, redis: RedisServer, count: int, concurrency: int
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Run workers for a scenario of their own; they are there when this begins."""
    address = server.scenario(latency=0.02)
    environment = {**os.environ, "REPORT_FLOW_APP_KEY": KEY, "REPORTFLOW_API_BASE_URL": address}
    words = ["worker", "--queue", redis.url, "--concurrency", str(concurrency), "--log-level", "error"]
    command = [sys.executable, "-m", "reportflow_pandas.cli", *words]
    processes = [subprocess.Popen(command, env=environment) for _ in range(count)]  # noqa: S603 - our own line
    workspace = rf.Settings(app_key=KEY, base_url=address).workspace
    client = redis.sync
    while client.zcard(f"reportflow:{workspace}:workers") < count:
        threading.Event().wait(0.05)
    try:
        yield address, processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def cpu(processes: list[Any]) -> float:
    """Return the processor time of processes, in seconds."""
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def used_here() -> float:
    """Return this process's processor time, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def used(redis: RedisServer) -> int:
    """Return the bytes that Redis holds."""
    with redis.sync as client:
        return int(client.info("memory")["used_memory"])


if __name__ == "__main__":
    main()
