"""What the review workbook costs against plain openpyxl: run by hand, a ratio within one run.

    python tests/benchmarks/workbook.py [rows]

The same results and source columns are written twice, each in a process of its own: by openpyxl's write-only
mode with nothing but values, and as the review workbook with links, colours, drop-down, hidden keys, Failed and
Summary. The rounds alternate and the least CPU time of each counts, since other programs can only add to it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook

from reportflow_pandas.export.workbook import write_workbook

ROUNDS = 2


def frames(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return results with 5 % failures, every PDF on disk, and twelve columns of a source."""
    rng = np.random.default_rng(1)
    ok = rng.random(rows) > 0.05
    numbers = range(rows)
    results = pd.DataFrame(
        {
            "row": np.arange(rows),
            "status": np.where(ok, "ready", "failed"),
            "file_name": [f"INV-{at:07d}" for at in numbers],
            "url": [
                f"https://app.example.test/file/Q7mW2xkP9tLr4BzE/{at:016d}" if ok[at] else None for at in numbers
            ],
            "file_id": [f"{at:016d}" if ok[at] else None for at in numbers],
            "request_id": np.where(ok, "Q7mW2xkP9tLr4BzE", None),
            "path": [f"pdfs/INV-{at:07d}.pdf" if ok[at] else None for at in numbers],
            "error_kind": np.where(ok, None, "invalid"),
            "error": np.where(ok, None, "contents.3.params.total must be a number"),
            "http_status": pd.array(np.where(ok, 202, 400), dtype="Int64"),
            "attempts": 1,
            "elapsed": rng.random(rows),
            "accepted_at": pd.Timestamp("2026-11-23T20:24:05", tz="UTC"),
        }
    )
    results.attrs["reportflow"] = {"run": "benchmark", "design": "Invoice", "rows": str(rows)}
    source = pd.DataFrame(
        {f"text {at}": [f"customer {number % 977} 株式会社" for number in numbers] for at in range(4)}
        | {f"number {at}": rng.random(rows) * 10_000 for at in range(4)}
        | {f"count {at}": rng.integers(0, 1_000, rows) for at in range(2)}
        | {f"day {at}": pd.date_range("2026-01-01", periods=rows, freq="min") for at in range(2)}
    )
    return results, source


def plain(results: pd.DataFrame, source: pd.DataFrame, path: Path) -> None:
    """Write the same values as a plain script would: no look, no links, no checks beyond what openpyxl demands."""
    frame = pd.concat([results.assign(accepted_at=results["accepted_at"].dt.tz_localize(None)), source], axis=1)
    lists = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame]
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Results")
    sheet.append(["index", *frame.columns])
    for line in zip(frame.index.tolist(), *lists, strict=True):
        sheet.append(line)
    workbook.save(path)


def measure(kind: str, rows: int) -> None:
    """Print CPU seconds and the growth of memory in MB."""
    results, source = frames(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "review.xlsx"
        # Growth counts from here: what imports and a first small workbook take is there anyway.
        write_workbook(results.iloc[:100], path, source.iloc[:100].copy()) if kind == "review" else None
        path.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        if kind == "review":
            write_workbook(results, path, source)
        else:
            plain(results, source, path)
        seconds = time.process_time() - start
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(seconds, (after - before) / 1024, path.stat().st_size / 1e6)  # noqa: T201 - read by the parent


def main() -> None:
    """Compare."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) > 2:
        measure(sys.argv[2], rows)
        return
    best: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for kind in ("plain", "review"):
            command = [sys.executable, __file__, str(rows), kind]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
            figures = list(map(float, told))
            best[kind] = min(best.get(kind, figures), figures)
    for kind, (seconds, megabytes, size) in best.items():
        print(f"{kind:7} {seconds:6.1f} s CPU  {megabytes:6.1f} MB growth  {size:5.1f} MB file")  # noqa: T201
    print(f"ratio {best['review'][0] / best['plain'][0]:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
