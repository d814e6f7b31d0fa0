"""What reading a workbook carefully costs against pandas' own ``read_excel`` of the same engine: run by hand.

    python -m tests.benchmarks.reading [rows]

Two workbooks of twelve columns: plain cells, and cells that all have number formats, which are also read as they
are shown. Read in turns, each in a process of its own; the least CPU time of each counts, since other programs can
only add to it. The aim is 1.5.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from reportflow_pandas import read_rows

ROUNDS = 2
FORMATS = ("00000", "#,##0.00", "0%", "yyyy-mm-dd", "0", '#,##0.00 "€"')


def written(path: Path, rows: int, *, formats: bool) -> None:
    """Write a workbook."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Orders")
    sheet.append([f"column {at}" for at in range(12)])
    for row in range(rows):
        if not formats:
            text = f"customer {row % 977}"
            sheet.append([row, text, "Köln", row * 1.1, True, None, text, row % 7, 2.5, "x" * 20, row, None])
            continue
        cells = []
        for at in range(12):
            cell = WriteOnlyCell(sheet, value=46_000 + row % 500 if at % 6 == 3 else row * 1.37 if at % 6 else row)
            cell.number_format = FORMATS[at % 6]
            cells.append(cell)
        sheet.append(cells)
    workbook.save(path)


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--read"]:
        _, _, how, path = sys.argv
        started = time.process_time()
        if how == "pandas":
            pd.read_excel(path, engine="openpyxl")
        else:
            read_rows(path, as_shown=how == "as shown")
        sys.stdout.write(f"{time.process_time() - started}\n")
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        for formats in (False, True):
            path = Path(folder) / f"formats-{formats}.xlsx"
            written(path, rows, formats=formats)
            times: dict[str, list[float]] = {"as it is": [], "as shown": [], "pandas": []}
            for _ in range(ROUNDS):
                for how, taken in times.items():
                    command = [sys.executable, "-m", "tests.benchmarks.reading", "--read", how, str(path)]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
                    taken.append(float(done.stdout))
            least = {how: min(taken) for how, taken in times.items()}
            what = "every cell with a number format" if formats else "plain cells"
            for how in ("as it is", "as shown"):
                sys.stdout.write(
                    f"{rows:,} x 12, {what}, {how}: {least[how]:.1f} s, pandas {least['pandas']:.1f} s, "
                    f"{least[how] / least['pandas']:.2f} x\n"
                )


if __name__ == "__main__":
    main()
