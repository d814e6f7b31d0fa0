"""How long a run takes, against the ideal or against the best fixed concurrency."""

from __future__ import annotations

import time
from typing import Literal

import pandas as pd

from tests.benchmarks.contenders import CONTENDERS, installed, orders, ours
from tests.benchmarks.costs import POOL, Table, must
from tests.benchmarks.server import Server

CASES = [(latency, concurrency) for latency in (0.0, 0.02, 0.2) for concurrency in (10, 50, 500)]
QUICK = [(0.0, 50), (0.02, 50), (0.2, 50), (0.2, 500)]


def walls(server: Server, *, quick: bool) -> Table:
    """Return wall times against the ideal, ⌈rows / concurrency⌉ x latency; without latency the least of three."""
    names = [POOL, "ours", "recipe: gather over all", "recipe: chunk after chunk"]
    if not quick:
        names += [name for name in ("aiopandas", "apicadabri") if name in installed()]
    lines: Table = [["latency, in flight", "rows", "unit", *names]]
    for latency, concurrency in QUICK if quick else CASES:
        rows = min(int((4 if quick else 8) * concurrency / latency), 5000) if latency else 2000
        frame, items = orders(rows)
        ideal = -(-rows // concurrency) * latency
        took: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(1 if quick or latency else 3):
            for name in names:
                address = server.scenario(latency=latency)
                begun = time.monotonic()
                must(CONTENDERS[name](address, frame, items, concurrency) == rows, name)
                took[name].append(time.monotonic() - begun)
        base = ideal or min(took[POOL])
        ratios = [f"{min(took[name]) / base:.2f}" for name in names]
        unit = "x ideal" if ideal else "x pool"
        lines.append([f"{latency * 1000:g} ms, {concurrency}", f"{rows:,}", unit, *ratios])
    return lines


def tails(server: Server, *, quick: bool) -> Table:
    """Return wall times under log-normal latencies, median 0.1 s, against their sum / concurrency."""
    names = [POOL, "ours", "recipe: gather over all", "recipe: chunk after chunk"]
    lines: Table = [
        ["sigma, in flight", "rows", *(f"{name}, x ideal" for name in names), "100 and a second, x ours"]
    ]
    frame, items = orders(200 if quick else 1000)
    for sigma in (0.5, 1.0):
        ratios, seconds = [], {}
        for name in (*names, "recipe: 100 and a second"):
            address = server.scenario(latency=0.1, sigma=sigma)
            begun = time.monotonic()
            must(CONTENDERS[name](address, frame, items, 20) == len(frame), name)
            seconds[name] = time.monotonic() - begun
            ratios.append(seconds[name] * 20 / server.seen(address)["worked"])
        address = server.scenario(latency=0.1, sigma=sigma)
        begun = time.monotonic()
        ours(address, frame, "auto", endpoint="async/multiple")
        batches = time.monotonic() - begun
        words = [f"{ratio:.2f}" for ratio in ratios[:-1]]
        words.append(f"{seconds['recipe: 100 and a second'] / batches:.1f} (batches of 100 in both)")
        lines.append([f"{sigma:g}, 20", f"{len(frame):,}", *words])
    return lines


def hidden_limits(server: Server, *, quick: bool) -> Table:
    """Return what undocumented limits make of ``concurrency="auto"`` and of the best fixed number."""
    rows = 200 if quick else 1000
    frame, _ = orders(rows)
    rules: dict[str, dict[str, float]] = {
        "50/s, Retry-After": {"rate": 50, "header": 1},
        "10 in flight, Retry-After": {"cap": 10, "header": 1},
    }
    if not quick:
        rules |= {"none": {}, "50/s, no header": {"rate": 50}, "10 in flight, no header": {"cap": 10}}
    lines: Table = [["limit, latency 100 ms", "rows", "auto", "best fixed", "auto / best", "429s of auto"]]
    for words, rule in rules.items():
        took = {fixed: _ours(server, frame, fixed, rule)[0] for fixed in (5, 10)}
        best = min(took, key=took.__getitem__)
        seconds, refused = _ours(server, frame, "auto", rule)
        lines.append(
            [
                words,
                f"{rows:,}",
                f"{seconds:.1f} s",
                f"{took[best]:.1f} s with {best}",
                f"{seconds / took[best]:.2f}",
                f"{refused}",
            ]
        )
    return lines


def _ours(
    server: Server, frame: pd.DataFrame, concurrency: int | Literal["auto"], rule: dict[str, float]
) -> tuple[float, int]:
    address = server.scenario(latency=0.1, **rule)
    begun = time.monotonic()
    results = ours(address, frame, concurrency)
    took = time.monotonic() - begun
    must(bool((results["status"] == "accepted").all()), f"ours, {concurrency}")
    return took, int(server.seen(address)["refused"])
