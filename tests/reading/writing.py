"""Small files of every kind, written by the libraries that people use."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl

HEAD = ["ReceiptId", "ReceiptDate", "CustomerName", "Company", "Amount", "Description", "PaymentMethod"]
"""Columns of the packaged design ``receipt``."""


def receipt(number: int = 1, **other: Any) -> list[Any]:
    """Return the cells of a good receipt, some of them replaced."""
    good = [f"R-{number}", "2026-11-01", "Ann", "Acme", 10.5, "Coffee", "cash"]
    cells = dict(zip(HEAD, good, strict=True), **other)
    return [cells[name] for name in HEAD]


def sheet_file(
    path: Path,
    rows: Sequence[Sequence[Any]],
    head: Sequence[Any] = HEAD,
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Write a workbook with one sheet, and change it before it is saved."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in [head, *rows]:
        sheet.append(list(row))
    if change is not None:
        change(sheet)
    workbook.save(path)
    return path


def rewritten(source: Path, target: Path, edit: Callable[[str, bytes], bytes]) -> Path:
    """Write a workbook again, each of its parts edited."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, edit(part, old.read(part)))
    return target


def replaced(source: Path, target: Path, part: str, pattern: bytes, by: bytes) -> Path:
    """Write a workbook again, with one of its parts changed."""
    return rewritten(source, target, lambda name, data: re.sub(pattern, by, data) if name.endswith(part) else data)


def csv_file(path: Path, rows: Sequence[Sequence[Any]], separator: str = ",", head: Sequence[Any] = HEAD) -> Path:
    """Write a text file without any quoting."""
    path.write_text("\n".join(separator.join(map(str, row)) for row in [head, *rows]) + "\n", encoding="utf-8")
    return path
