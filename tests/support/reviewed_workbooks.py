"""Frames for review, workbooks opened again, a reviewer who types."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

STATUSES = ["ready", "accepted", "failed", "unknown", "not_sent"]
KINDS = {"failed": "invalid", "unknown": "unknown_outcome", "not_sent": "auth"}


def make_results(statuses: list[str] | int = 5, *, index: Any = None, run: str = "november") -> pd.DataFrame:
    """Return a results frame with one line for each status."""
    listed = [STATUSES[at % 5] for at in range(statuses)] if isinstance(statuses, int) else statuses
    accepted = [status in ("ready", "accepted") for status in listed]
    results = pd.DataFrame(
        {
            "row": range(len(listed)),
            "status": listed,
            "file_name": [f"INV-{at:04d}" for at in range(len(listed))],
            "url": [f"https://app.example.test/file/R1/F{at}" if ok else None for at, ok in enumerate(accepted)],
            "file_id": [f"F{at:015d}" if ok else None for at, ok in enumerate(accepted)],
            "request_id": ["R1" if ok else None for ok in accepted],
            "path": pd.Series([None] * len(listed), dtype=object),
            "error_kind": [KINDS.get(status) for status in listed],
            "error": ["合計 must be a number" if status == "failed" else None for status in listed],
            "http_status": pd.array([202 if ok else pd.NA for ok in accepted], dtype="Int64"),
            "attempts": [0 if status == "not_sent" else 1 for status in listed],
            "elapsed": [0.5] * len(listed),
            "accepted_at": pd.to_datetime(["2026-11-23T20:24:05" if ok else None for ok in accepted], utc=True),
        }
    )
    if index is not None:
        results.index = index if isinstance(index, pd.Index) else pd.Index(index)
    results.attrs["reportflow"] = {
        "run": run,
        "design_id": "Zk3PpV0aNq8sUe5J",
        "design": "Invoice",
        "version": "2",
        "base_url": "https://api.example.test/v1",
        "endpoint": "async/multiple",
        "started_at": "2026-11-23T20:23:00+00:00",
        "finished_at": "2026-11-23T20:31:42+00:00",
        "download": "",
        "rows": str(len(listed)),
        "calls": "3",
    }
    return results


def sheet_of(path: Path, title: str = "Results") -> Any:
    """Return a sheet of a workbook, opened again."""
    return openpyxl.load_workbook(path)[title]


def opened(path: Path) -> openpyxl.Workbook:
    """Return a workbook that another program saved, with extensions that openpyxl doesn't know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return openpyxl.load_workbook(path)


def headings(sheet: Any) -> dict[str, int]:
    """Return the places of a sheet's columns by their headings."""
    return {str(cell.value): cell.column for cell in sheet[1]}


def column(sheet: Any, heading: str) -> list[Any]:
    """Return the values under a heading."""
    at = headings(sheet)[heading]
    return [sheet.cell(row, at).value for row in range(2, sheet.max_row + 1)]


def cells(sheet: Any, heading: str) -> list[Any]:
    """Return the cells under a heading."""
    at = headings(sheet)[heading]
    return [sheet.cell(row, at) for row in range(2, sheet.max_row + 1)]


def words(path: Path, title: str = "Summary") -> str:
    """Return all that a sheet says, a line for each of its lines."""
    rows = sheet_of(path, title).iter_rows(values_only=True)
    return "\n".join(" | ".join(str(value) for value in row if value is not None) for row in rows)


def review(path: Path, decisions: Mapping[int, object], comments: Mapping[int, object] | None = None) -> None:
    """Type decisions and comments into the lines of a workbook, counted from 0, and save it."""
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["Results"]
    at = {str(cell.value): cell.column for cell in sheet[1]}
    for heading, typed in (("decision", decisions), ("comment", comments or {})):
        for line, value in typed.items():
            sheet.cell(line + 2, at[heading]).value = value
            if isinstance(value, str):
                sheet.cell(line + 2, at[heading]).data_type = "s"
    workbook.save(path)


def rearrange(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Do with the lines of Results what a reviewer does: sort, delete, add or move columns."""
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["Results"]
    rows = list(sheet.iter_rows(values_only=True))
    frame = change(pd.DataFrame(rows[1:], columns=[str(value) for value in rows[0]], dtype=object))
    sheet.delete_rows(1, sheet.max_row)
    sheet.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        sheet.append([None if pd.isna(value) else value for value in row])
    workbook.save(path)


class LibreOffice:
    """LibreOffice without a window, with a profile of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder

    def convert(self, path: Path, to: str) -> Path:
        """Open a file, save it in another format, and return the folder of what came out."""
        out = self.folder / f"{path.stem}-{to.split(':', maxsplit=1)[0]}"
        profile = (self.folder / "profile").as_uri()
        subprocess.run(  # noqa: S603 - the program was found on this machine, the file is the test's own
            [
                self.program,
                f"-env:UserInstallation={profile}",
                "--headless",
                "--convert-to",
                to,
                "--outdir",
                out,
                path,
            ],
            check=True,
            capture_output=True,
            timeout=180,
        )
        return out

    def saved_again(self, path: Path) -> Path:
        """Open a workbook and save it as a workbook."""
        return self.convert(path, "xlsx:Calc MS Excel 2007 XML") / path.name

    def shown(self, path: Path, title: str) -> list[list[str]]:
        """Return a sheet as LibreOffice shows it, formulas as formulas."""
        out = self.convert(path, "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1")
        with (out / f"{path.stem}-{title}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))


def find_libreoffice(folder: Path) -> LibreOffice:
    """Return LibreOffice; without it the test is skipped, but not where tests must be complete."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        reason = "LibreOffice (soffice) is not installed: apt-get install libreoffice-calc"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return LibreOffice(program, folder)
