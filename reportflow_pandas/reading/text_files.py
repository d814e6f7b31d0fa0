"""Text files: CSV as Excel, databases and pandas write it, read strictly."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.printable import counted
from reportflow_pandas.reading.doubts import Doubt, Doubts, doubt_of_numbers
from reportflow_pandas.reading.inference import Inferred, groups_thousands_only, inferred, series_of_texts
from reportflow_pandas.reading.locations import Note, Origin
from reportflow_pandas.reading.reading_options import Reading, refusal
from reportflow_pandas.reading.shown import ShownText, UnknownValue, as_written
from reportflow_pandas.reading.table import (
    CELLS_SHOWN,
    Lines,
    Table,
    framed,
    header_of,
    is_error_word,
    short,
    table_of,
    without_empty,
)
from reportflow_pandas.reading.text_encodings import decoded
from reportflow_pandas.reading.total_lines import rows_without_totals

__all__ = ["read_text"]

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_LINES = 100
"""Lines that tell the separator."""
_FEWEST_COLUMNS_OF_A_ROW = 4
"""Lines inside quotes look like rows only where rows have some columns: many addresses have two commas."""
_LINE_SHOWN = 120
"""Characters of a line in a message."""


def read_text(path: Path, reading: Reading) -> pd.DataFrame:
    """Return the rows of a text file.

    Raises
    ------
    ConfigurationError
        Quotes, lines or an encoding that leave a value in doubt.
    """
    text, separator, skipped = _separated(decoded(path, reading.encoding), path, reading)
    raw, notes = _parsed(text, separator, path, skipped)
    lines = without_empty(raw, reading.say, path.name)
    if not lines.numbers:
        raise refusal(path, "is empty; its first line must name the columns")
    at, title = header_of(lines, path.name, reading)
    _check_lines(lines, at, path, separator, title)
    lines, sums = rows_without_totals(lines, at, path.name, reading)
    _strip_after_separators(lines, at)
    table = table_of(lines, path, reading, at)
    unknown, errors = _errors(table, path, reading)
    columns = _by_the_other_columns(table, _inferred(table, reading), separator, reading)
    remarks = _remarks(table, columns, path)
    doubts = [doubt for doubt in (title, sums, errors) if doubt is not None]
    if doubts:
        doubts += [doubt_of_numbers(note) for note in remarks if note.kind == "ambiguous"]
        raise Doubts(f"{str(path)!r} is not read", doubts)
    if reading.as_shown:
        columns = [_as_it_stands(cells, column) for cells, column in zip(table.columns, columns, strict=True)]
        remarks = _remarks(table, columns, path)
    cells = [_with_unknown(column.cells, unknown.get(at)) for at, column in enumerate(columns)]
    return framed(table, cells, Origin(path.name, "line"), [*notes, *remarks])


# separators and lines


def _separated(text: str, path: Path, reading: Reading) -> tuple[str, str, int]:
    """Return the lines of a table, their separator, and how many lines stand before them: Excel's ``sep=;``."""
    first, _, rest = text.partition("\n")
    first = first.strip("\r\n")
    if first.strip().lower().startswith("sep=") and len(first) == len("sep=") + 1:
        return rest, reading.separator or first[-1], 1
    return text, reading.separator or _separator(text, path.suffix.lower()), 0


def _separator(text: str, suffix: str) -> str:
    """Return what stands between the fields: the sign by which every line has as many."""
    sample = list(_first_lines(text))
    usual = "\t" if suffix in (".tsv", ".tab") else ","
    widths = {sign: _widths(sample, sign) for sign in (usual, *(sign for sign in _SEPARATORS if sign != usual))}
    for sign, found in widths.items():
        if found and found[0] > 1 and len(set(found)) == 1:
            return sign
    if widths[usual] and max(widths[usual]) > 1:
        return usual
    return max(widths, key=lambda sign: max(widths[sign], default=0))


def _first_lines(text: str) -> list[str]:
    stream = io.StringIO(text, newline="")
    return [line for line, _ in zip(stream, range(_SAMPLE_LINES), strict=False)]


def _widths(lines: Sequence[str], separator: str) -> list[int]:
    """Return the numbers of fields; a record that the sample cuts off is left out."""
    widths: list[int] = []
    try:
        for fields in csv.reader(lines, delimiter=separator, strict=True):
            widths += [len(fields)] if any(fields) else []
    except csv.Error:
        return widths
    return widths


def _parsed(text: str, separator: str, path: Path, skipped: int) -> tuple[Lines, list[Note]]:
    """Return every line's fields, and what looks like rows inside quotes."""
    lines = Lines()
    notes: list[Note] = []
    limit = csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begun = 1
    try:
        for fields in reader:
            if reader.line_num > begun:
                spanned = f"lines {begun + skipped} to {reader.line_num + skipped}"
                notes += _rows_in_quotes(fields, separator, spanned, path)
            lines.add(begun + skipped, [_one_line_break(field) for field in fields])
            begun = reader.line_num + 1
    except csv.Error as reason:
        line = text.splitlines()[begun - 1 : begun]
        hint = _quotes_hint(str(reason), separator, line[0] if line else "")
        raise refusal(path, f"line {begun + skipped}: {hint}") from None
    finally:
        csv.field_size_limit(limit)
    return lines, notes


def _one_line_break(field: str) -> str:
    return field.replace("\r\n", "\n") if "\r" in field else field


def _quotes_hint(reason: str, separator: str, line: str) -> str:
    """Return what is wrong with the quotes of a line."""
    if "unexpected end" in reason:
        what = "a quote is opened that no other one closes, so that all the lines after it would be one field"
    else:
        what = (
            "a quote is closed in the middle of a field. A quote may be missing there or in a line before it, "
            "and rows "
            "would become one field"
        )
    hint = 'A quote inside quotes is written twice: "He said ""hi"""'
    return f"{what}. The line is {line[:_LINE_SHOWN]!r}. {_space_hint(separator, line) or hint}"


def _space_hint(separator: str, line: str) -> str:
    if f'{separator} "' not in line:
        return ""
    return "A space before a quote makes it part of the text: write none after the separator"


def _rows_in_quotes(fields: Sequence[str], separator: str, lines: str, path: Path) -> list[Note]:
    """Return a note where the lines of a quoted field are cut like rows; refuse where each of them is.

    A quote that is missing in one row and in a later one makes one field of all between: its first line has the
    rest of a row, its last line the beginning of one, those between are whole rows.

    Raises
    ------
    ConfigurationError
        Lines that are nothing but rows.
    """
    width = len(fields)
    for at, field in enumerate(fields):
        if "\n" not in field or width < _FEWEST_COLUMNS_OF_A_ROW:
            continue
        counts = [line.count(separator) for line in field.splitlines()]
        if [counts[0], *counts[1:-1], counts[-1]] == [width - 1 - at, *[width - 1] * (len(counts) - 2), at]:
            if len(counts) > 2 or all(counts):
                raise refusal(
                    path,
                    f"{lines}: one quoted field holds what looks like several rows ({short(field)}). A quote is "
                    "probably missing in the first of these lines. If it is one text indeed, save the rows as "
                    ".xlsx",
                )
            return [
                Note(
                    "quotes",
                    "",
                    f"{path.name}, {lines}: one quoted field holds what may be the end of one row and the "
                    f"beginning "
                    f"of another ({short(field)})",
                    "Look whether a quote is missing in these lines; they make one document",
                )
            ]
    return []


def _several_columns(lines: Lines, at: int, path: Path, separator: str) -> None:
    """Refuse one column whose heading holds another separator."""
    headings = lines.cells[at]
    other = next((sign for sign in _SEPARATORS if sign != separator and sign in headings[0]), None)
    if len(headings) == 1 and other is not None:
        name = "'\\t'" if other == "\t" else repr(other)
        raise refusal(
            path,
            f"has one column only, {headings[0][:_LINE_SHOWN]!r}. Its separator seems to be another one: "
            f"separator={name}",
        )


def _check_lines(lines: Lines, at: int, path: Path, separator: str, title: Doubt | None) -> None:
    """Refuse lines that are no table; where a title may stand above it, by that alone."""
    try:
        _several_columns(lines, at, path, separator)
        _same_width(lines, at, path, separator)
    except ConfigurationError:
        if title is None:
            raise
        raise Doubts(f"{str(path)!r} is not read", [title]) from None  # found again below the headings


def _strip_after_separators(lines: Lines, at: int) -> None:
    """Take the space away that follows each separator, if it does in the headings."""
    later = lines.cells[at][1:]
    if later and all(heading[:1] == " " for heading in later):
        lines.cells = [[cell.lstrip(" ") for cell in cells] for cells in lines.cells]


def _same_width(lines: Lines, at: int, path: Path, separator: str) -> None:
    """Refuse lines with fewer or more fields than there are headings."""
    width = len(lines.cells[at])
    wrong = [
        (number, cells)
        for number, cells in zip(lines.numbers[at + 1 :], lines.cells[at + 1 :], strict=True)
        if len(cells) < width or (len(cells) > width and any(cells[width:]))
    ]
    if not wrong:
        return
    number, cells = wrong[0]
    line = separator.join(cells)
    others = ", ".join(str(other) for other, _ in wrong[1:CELLS_SHOWN])
    more = (
        f" Lines {others}{', …' if len(wrong) > CELLS_SHOWN else ''} are of another length too." if others else ""
    )
    if len(cells) < width:
        why = "A field is missing, or the line was cut off; empty fields keep their separators."
    else:
        other = ";" if separator == "," else ","
        why = _space_hint(separator, line) or (
            f"Is a {_called(separator)} in a field without quotes, or is the separator another one "
            f"(separator={other!r})?"
        )
    raise refusal(
        path,
        f"cannot be read as a table: line {number} has {_fields(len(cells))}, and line {lines.numbers[at]}, the "
        f"headings, has {_fields(width)}: {line[:_LINE_SHOWN]!r}. {why}{more} If the headings stand in another "
        f"line, "
        "header= names it",
    )


def _fields(number: int) -> str:
    return f"{number} field{'' if number == 1 else 's'}"


def _called(separator: str) -> str:
    return {",": "comma", ";": "semicolon", "\t": "tab"}.get(separator, repr(separator))


def _errors(table: Table, path: Path, reading: Reading) -> tuple[dict[int, dict[int, UnknownValue]], Doubt | None]:
    """Return, by column and row, what a spreadsheet exported in place of values; in doubt where it can't stay.

    Such cells are left empty in the table.
    """
    found = [
        (row, at, cell)
        for at, (name, cells) in enumerate(zip(table.names, table.columns, strict=True))
        if name not in reading.text
        for row, cell in enumerate(cells)
        if cell and cell[0] in "#E" and is_error_word(cell)
    ]
    if not found:
        return {}, None
    listing = "; ".join(
        f"line {table.numbers[row]}: {table.names[at]!r} is {cell}"
        for row, at, cell in sorted(found)[:CELLS_SHOWN]
    )
    what = (
        f"holds errors of a spreadsheet in place of {counted(len(found), 'value')} "
        f"({listing}{'; …' if len(found) > CELLS_SHOWN else ''})"
    )
    cure = "Correct the formulas and export it again, or empty the fields"
    doubt = None
    if not reading.keep_unknown:
        doubt = Doubt(
            f"it {what}. {cure}. If the words should be printed as they stand, or no document needs them: "
            f"text={sorted({table.names[at] for _, at, _ in found})!r}"
        )
    else:
        reading.say(f"{path.name} {what}. Refused where a document needs it")
    unknown: dict[int, dict[int, UnknownValue]] = {}
    for row, at, cell in found:
        why = f"{path.name}, line {table.numbers[row]}, has {cell} in place of a value. {cure}"
        unknown.setdefault(at, {})[row] = UnknownValue(cell, f"{why}; text={[table.names[at]]!r}")
        table.columns[at][row] = ""
    return unknown, doubt


def _with_unknown(cells: pd.Series[Any], unknown: Mapping[int, UnknownValue] | None) -> pd.Series[Any]:
    if not unknown:
        return cells
    values = [None if missing else cell for cell, missing in zip(cells.tolist(), cells.isna(), strict=True)]
    for row, value in unknown.items():
        values[row] = value
    return pd.Series(values, dtype=object)


def _as_it_stands(cells: Sequence[str], column: Inferred) -> Inferred:
    """Return numbers and truths that are printed otherwise than they stand as texts that know their values."""
    if column.kind not in ("decimal", "boolean"):
        return column
    shown = [
        None if missing else ShownText(cell, value.item() if isinstance(value, np.generic) else value)
        for cell, value, missing in zip(cells, column.cells, column.cells.isna(), strict=True)
    ]
    return Inferred(pd.Series(shown, dtype=object), "text", column.missing)


# what is seen otherwise than printed


def _inferred(table: Table, reading: Reading) -> list[Inferred]:
    """Return what the columns hold, each by itself."""
    return [
        Inferred(series_of_texts(cells), "text")
        if name in reading.text
        else inferred(cells, reading.decimal, reading.thousands)
        for name, cells in zip(table.names, table.columns, strict=True)
    ]


def _by_the_other_columns(
    table: Table, columns: Sequence[Inferred], separator: str, reading: Reading
) -> list[Inferred]:
    """Take ``1.234`` for no number where the file's decimal sign may be the comma.

    Other columns show it, or semicolons between the fields: there a comma would be in the way of numbers.
    """
    comma = any(column.kind == "decimal" and column.decimal == "," for column in columns)
    point = any(
        column.kind == "number" and "." in "".join(cells) and not groups_thousands_only(cells)
        for column, cells in zip(columns, table.columns, strict=True)
    )
    comma |= separator == ";" and not point
    if not comma or reading.decimal is not None or reading.thousands is not None:
        return list(columns)
    return [
        Inferred(series_of_texts(cells), "ambiguous")
        if column.kind == "number" and groups_thousands_only(cells)
        else column
        for column, cells in zip(columns, table.columns, strict=True)
    ]


def _remarks(table: Table, columns: Sequence[Inferred], path: Path) -> list[Note]:
    return [note for at, column in enumerate(columns) for note in _notes(table, at, column, path)]


def _notes(table: Table, at: int, column: Inferred, path: Path) -> list[Note]:
    name, cells = table.names[at], table.columns[at]
    notes = []
    if column.missing:
        first = column.missing[0]
        notes.append(
            Note(
                "missing",
                name,
                f"{name!r} holds {cells[first]!r} among {column.kind}s in {_lines(table, column.missing, path)}: "
                f"it "
                "is taken as missing",
                f"Empty the fields if that is right; text={[name]!r} keeps the words",
                len(column.missing),
                list(column.missing[:CELLS_SHOWN]),
            )
        )
    seen = _example(cells, column)
    if seen is None:
        return notes
    text, value = cells[seen], column.cells.iloc[seen]
    place = f"{path.name}, line {table.numbers[seen]}"
    if column.kind == "ambiguous":
        notes.append(
            Note(
                "ambiguous",
                name,
                f"{name!r} holds {text!r} ({place}), whose decimal sign can't be told from the column",
                "Name it where the file is read: decimal=',' or decimal='.' (or thousands=)",
                1,
                [seen],
                ["number"],
                text,
            )
        )
    elif column.kind in ("decimal", "boolean"):
        shown = as_written(value)
        notes.append(
            Note(
                "format",
                name,
                f"{name!r} holds {text!r} ({place}), and a text parameter prints {shown!r} of it",
                f"text={[name]!r} keeps it as it stands",
                1,
                [seen],
                ["text"],
                shown,
            )
        )
    return notes


def _example(cells: Sequence[str], column: Inferred) -> int | None:
    """Return the first cell that is printed otherwise than it stands."""
    if column.kind == "ambiguous":
        return next((at for at, cell in enumerate(cells) if cell and not cell.isdecimal()), None)
    if column.kind == "decimal":
        return next(
            (at for at, cell in enumerate(cells) if cell and cell != as_written(column.cells.iloc[at])), None
        )
    if column.kind == "boolean":
        return next((at for at, cell in enumerate(cells) if cell and cell not in ("true", "false")), None)
    return None


def _lines(table: Table, positions: Sequence[int], path: Path) -> str:
    numbers = [str(table.numbers[position]) for position in positions[:CELLS_SHOWN]]
    if len(positions) == 1:
        return f"line {numbers[0]} ({path.name})"
    more = ", …" if len(positions) > CELLS_SHOWN else ""
    return f"{len(positions):,} lines ({path.name}, lines {', '.join(numbers)}{more})"
