"""What a reader of a sheet sees otherwise than a document would print it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.reading.inference import numbers_in
from reportflow_pandas.reading.locations import Note
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.sheet_content import Merge, Sheet, cell_name
from reportflow_pandas.reading.shown import ShownText, as_written
from reportflow_pandas.reading.table import CELLS_SHOWN, Table, short

__all__ = ["asked_numbers", "blank_formulas", "format_notes", "merge_notes", "read_numbers"]

_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def merge_notes(table: Table, merged: Sequence[Merge], path: Path, sheet: Sheet) -> list[Note]:
    """Return a note on each column with merged cells, whose value each of their rows got."""
    notes = []
    for name, place in zip(table.names, table.places, strict=True):
        ours = [merge for merge in merged if merge.column == place]
        if not ours:
            continue
        first = ours[0]
        more = f", and {len(ours) - 1:,} more" if len(ours) > 1 else ""
        notes.append(
            Note(
                "merged",
                name,
                f"{name!r} has merged cells ({path.name}, {sheet.name}!{first.cells}: "
                f"{short(first.value)}{more}); "
                "the value is taken for each of their rows",
                "Unmerge them if the value belongs to the first row only",
                len(ours),
                _labels(table, [merge.line for merge in ours]),
            )
        )
    return notes


def asked_numbers(table: Table, path: Path, sheet: Sheet, reading: Reading) -> list[Note]:
    """Return a note on each column of texts that are numbers with the signs of a country, where none was named."""
    if reading.decimal is not None or reading.thousands is not None:
        return []
    notes = []
    for name, place, cells in zip(table.names, table.places, table.columns, strict=True):
        texts = [cell for cell in cells if type(cell) is str and cell]
        signs = [sign for sign in (",", ".") if texts and numbers_in(texts, sign, None) is not None]
        at = next(
            (at for at, cell in enumerate(cells) if type(cell) is str and not _PLAIN_NUMBER.fullmatch(cell)), None
        )
        if name in reading.text or not signs or at is None:
            continue
        ways = " or ".join(f"decimal={sign!r}" for sign in signs)
        notes.append(
            Note(
                "ambiguous",
                name,
                f"{name!r} holds texts that are numbers, such as {cells[at]!r} "
                f"({path.name}, {sheet.name}!{cell_name((table.numbers[at], place))})",
                f"Where the file is read, {ways} makes numbers of them",
                len(texts),
                [at],
                ["number"],
                cells[at],
            )
        )
    return notes


def blank_formulas(table: Table, path: Path, sheet: Sheet) -> list[Note]:
    """Return a note on each column that holds nothing but formulas which show nothing."""
    notes = []
    for name, place, cells in zip(table.names, table.places, table.columns, strict=True):
        lines = [line for line, column in sheet.blank_results if column == place and line > table.header]
        if lines and not any(cells):
            cell = f"{sheet.name}!{cell_name((lines[0], place))}{', …' if len(lines) > 1 else ''}"
            notes.append(
                Note(
                    "formula",
                    name,
                    f"{name!r} has formulas that show nothing ({path.name}, {cell})",
                    "If the program that wrote the file did not work them out, open it in Excel and save it",
                    len(lines),
                    _labels(table, lines),
                )
            )
    return notes


def read_numbers(table: Table, columns: Sequence[pd.Series[Any]], path: Path, sheet: Sheet) -> list[Note]:
    """Return a note on each column of texts that were read as numbers: a text parameter prints them otherwise."""
    notes = []
    for name, place, cells, column in zip(table.names, table.places, table.columns, columns, strict=True):
        if pd.api.types.is_string_dtype(column.dtype):
            continue
        for at, cell in enumerate(cells):
            if type(cell) is not str or not cell or type(column.iloc[at]) in (str, ShownText):
                continue
            printed = as_written(column.iloc[at])
            if printed != cell:
                notes.append(
                    Note(
                        "format",
                        name,
                        f"{name!r} holds {cell!r} ({path.name}, "
                        f"{sheet.name}!{cell_name((table.numbers[at], place))}), and "
                        f"a text parameter prints {printed!r} of it",
                        f"text={[name]!r} keeps it as it stands",
                        1,
                        [at],
                        ["text"],
                        printed,
                    )
                )
                break
    return notes


def format_notes(table: Table, sheet: Sheet, path: Path, reading: Reading) -> list[Note]:
    """Return a note on each column whose number format shows something else than a document would print."""
    if reading.as_shown:
        return _unshown_notes(table, sheet, path)
    notes = []
    for (place, code), (count, line, value, shown, scales) in sheet.seen.items():
        if place not in table.places or line <= table.header:
            continue
        name = table.names[table.places.index(place)]
        if name in reading.text and isinstance(value, int | float):
            continue
        cell = f"{path.name}, {sheet.name}!{cell_name((line, place))}"
        kind = f"number format {code}" if code else "by its number format"
        seen = f"the sheet shows {shown!r}" if shown is not None else "the sheet shows it otherwise"
        notes.append(
            Note(
                "format",
                name,
                f"{name!r}: {seen} in {cell} ({kind}), and a document would print {as_written(value)!r}",
                "as_shown=True, where the file is read, keeps what the sheet shows",
                count,
                _labels(table, [line]),
                ["text", "number"] if scales else ["text"],
                as_written(value),
            )
        )
    return notes


def _unshown_notes(table: Table, sheet: Sheet, path: Path) -> list[Note]:
    """Return what can't be shown as the sheet does: the format depends on the reader's computer."""
    notes = []
    for (place, code), (count, line, value, shown, _) in sheet.seen.items():
        if shown is not None or place not in table.places or line <= table.header:
            continue
        name = table.names[table.places.index(place)]
        notes.append(
            Note(
                "format",
                name,
                f"{name!r}: how the sheet shows {path.name}, {sheet.name}!{cell_name((line, place))} depends on "
                f"the "
                f"reader's computer (number format {code}); a document prints {as_written(value)!r}",
                "Write it as a text in the sheet if it must be printed otherwise",
                count,
                _labels(table, [line]),
                ["text"],
                as_written(value),
            )
        )
    return notes


def _labels(table: Table, lines: Sequence[int]) -> list[int]:
    wanted = set(lines[:CELLS_SHOWN])
    return [label for label, number in enumerate(table.numbers) if number in wanted]
