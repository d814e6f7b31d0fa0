"""A sheet of a workbook becomes a frame, whichever library opened it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl.utils import get_column_letter, range_boundaries

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.inference import numbers_in
from reportflow_pandas.reading.locations import Note, Origin
from reportflow_pandas.reading.number_formats import FormatCode
from reportflow_pandas.reading.reading_options import Reading, listed, nearest_name, refusal
from reportflow_pandas.reading.shown import ShownText, as_written
from reportflow_pandas.reading.table import (
    CELLS_SHOWN,
    ERROR_WORDS,
    Lines,
    Table,
    framed,
    header_of,
    is_empty,
    short,
    table_of,
    typed,
    without_empty,
    written,
)

__all__ = ["Sheet", "chosen_sheet", "frame_of_sheet"]

Place = tuple[int, int]
"""Line, from 1, and column, from 0."""


@dataclass
class Sheet:
    """What a workbook's sheet holds.

    Attributes
    ----------
    name : str
        Its title.
    lines : Lines
        Its lines.
    errors : dict
        Cells in which a formula failed, with the word that they show.
    unstored : list
        Cells whose formula was never worked out, so that the file has no value of them.
    hidden : set of int
        Lines that are not seen.
    merged : list of str
        Ranges such as ``"C6:C7"``.
    seen : dict
        ``(column, format code)`` to count, line, value, shown text and whether the format scales, of the first
        cell that is seen otherwise than printed.
    """

    name: str
    lines: Lines = field(default_factory=Lines)
    errors: dict[Place, str] = field(default_factory=dict)
    unstored: list[Place] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    merged: list[str] = field(default_factory=list)
    seen: dict[tuple[int, str], list[Any]] = field(default_factory=dict)


def chosen_sheet(path: Path, sheets: Sequence[tuple[str, bool]], reading: Reading) -> str:
    """Return the name of the sheet to read: the one that was asked for, else the first visible one.

    Parameters
    ----------
    path : pathlib.Path
        For messages.
    sheets : sequence of tuple
        Names, and whether each is visible, in the workbook's order.
    reading : Reading
        May name one.

    Raises
    ------
    ConfigurationError
        There is none of this name, or none that is visible.
    """
    names = [name for name, _ in sheets]
    visible = [name for name, seen in sheets if seen]
    if reading.sheet is not None:
        wanted = str(reading.sheet)
        if wanted in names:
            return wanted
        hidden = [name for name, seen in sheets if not seen]
        also = f" (hidden: {listed(hidden)})" if hidden else ""
        raise refusal(
            path, f"has no sheet {wanted!r}. It has {listed(visible)}{also}.{nearest_name(wanted, names)}"
        )
    if not visible:
        raise refusal(
            path, f"shows no sheet with cells. Hidden ones are named: sheet={names[0] if names else ''!r}"
        )
    if len(visible) > 1:
        reading.say(
            f"{path.name}: the sheet {visible[0]!r} is read; sheet= names another one of {listed(visible)}"
        )
    return visible[0]


def frame_of_sheet(sheet: Sheet, path: Path, reading: Reading, others: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of a sheet.

    Parameters
    ----------
    sheet : Sheet
        What was read.
    path : pathlib.Path
        The workbook.
    reading : Reading
        How.
    others : sequence of str
        Visible sheets, for the case that this one is empty.

    Raises
    ------
    ConfigurationError
        Cells whose value, or rows whose presence can't be known, all in one message.
    """
    lines = without_empty(sheet.lines, reading.say, path.name)
    if not lines.numbers:
        named = f". The sheets are {listed(others)}: sheet= names one" if len(others) > 1 else ""
        raise refusal(path, f"is empty in the sheet {sheet.name!r}; its first line must name the columns{named}")
    at, doubt = header_of(lines, f"{path.name}, {sheet.name}", reading)
    header = lines.numbers[at]
    problems = [doubt] if doubt else []
    lines, told = _rows_seen(sheet, lines, header, reading)
    problems += told
    merged, told = _merges_filled(sheet, lines, header)
    problems += told
    kept = set(lines.numbers)
    problems += _unknown_cells(sheet, lines, header, kept, reading)
    if problems:
        bullets = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(
            f"{str(path)!r}, sheet {sheet.name!r}, is not read: documents might print something else than it "
            f"shows:\n"
            f"{bullets}"
        )
    table = table_of(lines, path, reading, at)
    letters = {name: get_column_letter(place + 1) for name, place in zip(table.names, table.places, strict=True)}
    notes = [*_merge_notes(table, merged, path, sheet), *_format_notes(table, sheet, path, reading)]
    columns = [_column(name, cells, reading) for name, cells in zip(table.names, table.columns, strict=True)]
    return framed(table, columns, Origin(path.name, "cell", columns=letters, sheet=sheet.name), notes)


# rows


def _rows_seen(sheet: Sheet, lines: Lines, header: int, reading: Reading) -> tuple[Lines, list[str]]:
    """Return the lines that become rows; hidden ones are refused, left out or taken."""
    hidden = [number for number in lines.numbers if number > header and number in sheet.hidden]
    if not hidden or reading.hidden == "keep":
        return lines, []
    count = f"{len(hidden):,} row{'s' if len(hidden) > 1 else ''}"
    if reading.hidden == "skip":
        reading.say(f"{sheet.name}: {count} that the sheet hides {'are' if len(hidden) > 1 else 'is'} left out")
        shown = [at for at, number in enumerate(lines.numbers) if number not in set(hidden)]
        return Lines([lines.numbers[at] for at in shown], [lines.cells[at] for at in shown]), []
    which = ", ".join(map(str, hidden[:CELLS_SHOWN])) + (", …" if len(hidden) > CELLS_SHOWN else "")
    rows = sum(number > header for number in lines.numbers)
    problem = (
        f"{count} of {rows:,} {'are' if len(hidden) > 1 else 'is'} hidden, by a filter or by hand "
        f"(row{'s' if len(hidden) > 1 else ''} {which}). hidden='skip' leaves them out, hidden='keep' makes "
        f"documents "
        "of them too"
    )
    return lines, [problem]


# merged cells


@dataclass(frozen=True)
class _Merge:
    cells: str
    column: int
    line: int
    value: Any


def _merges_filled(sheet: Sheet, lines: Lines, header: int) -> tuple[list[_Merge], list[str]]:
    """Give each row of a merged cell its value; refuse those of which it can't be told what they mean."""
    at = {number: position for position, number in enumerate(lines.numbers)}
    filled: list[_Merge] = []
    across: list[str] = []
    headings: list[tuple[str, int]] = []
    for cells in sheet.merged:
        left, top, right, bottom = (side or 1 for side in range_boundaries(cells))
        column, value = left - 1, _cell(lines, at.get(top), left - 1)
        if bottom < header or is_empty(value):
            continue
        below = [lines.cells[at[number]] for number in range(top + 1, bottom + 1) if number in at]
        if bottom == header:
            if top < header and is_empty(_in(below[-1], column)):
                _put(below[-1], column, value)
        elif top <= header:
            headings.append((cells, bottom))
        elif right > left or any(not is_empty(_in(line, column)) for line in below):
            across.append(f"{cells} ({short(value)})")
        elif below:
            for line in below:
                _put(line, column, value)
            filled.append(_Merge(cells, column, top, value))
    return filled, [*_merge_problems(across, headings)]


def _merge_problems(across: Sequence[str], headings: Sequence[tuple[str, int]]) -> Iterator[str]:
    if across:
        yield (
            f"{_counted(len(across), 'merged cell')} over several columns or values: {_some(across)}. Where the "
            f"value "
            "belongs only you know: unmerge (Home, Merge & Center) and put it there"
        )
    if headings:
        yield (
            f"headings take several lines ({_some(cells for cells, _ in headings)} merged). Name the last one: "
            f"header={max(bottom for _, bottom in headings)}"
        )


def _put(line: list[Any], column: int, value: Any) -> None:
    line += [None] * (column + 1 - len(line))
    line[column] = value


def _cell(lines: Lines, at: int | None, column: int) -> Any:
    return None if at is None else _in(lines.cells[at], column)


def _in(line: Sequence[Any], column: int) -> Any:
    return line[column] if column < len(line) else None


def _merge_notes(table: Table, merged: Sequence[_Merge], path: Path, sheet: Sheet) -> list[Note]:
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


# cells whose value is not known


def _unknown_cells(sheet: Sheet, lines: Lines, header: int, kept: set[int], reading: Reading) -> Iterable[str]:
    text = _columns_of(lines, header, reading.text)
    errors = {place: word for place, word in sheet.errors.items() if place[0] in kept and place[1] not in text}
    errors |= {
        (number, column): cell
        for number, cells in zip(lines.numbers, lines.cells, strict=True)
        for column, cell in enumerate(cells)
        if type(cell) is str and cell[:1] == "#" and cell in ERROR_WORDS and column not in text
    }
    errors = {place: word for place, word in sorted(errors.items()) if place[0] >= header}
    if errors:
        found = [f"{_name(place)} {word}" for place, word in errors.items()]
        yield (
            f"{_counted(len(errors), 'cell')} with an error in place of a value: {_some(found)}. Correct the "
            "formulas, or empty the cells. If the words shall be printed as they stand: "
            f"text={_headings(lines, header, errors)!r}"
        )
    unstored = [place for place in sorted(sheet.unstored) if place[0] in kept and place[0] >= header]
    if unstored:
        yield (
            f"{_counted(len(unstored), 'formula')} without a stored value: {_some(map(_name, unstored))}. The "
            "program that wrote the file did not work them out: open it in Excel or LibreOffice and save it"
        )


def _columns_of(lines: Lines, header: int, names: Sequence[str]) -> set[int]:
    headings = lines.cells[lines.numbers.index(header)]
    return {at for at, heading in enumerate(headings) if not is_empty(heading) and as_written(heading) in names}


def _headings(lines: Lines, header: int, places: Iterable[Place]) -> list[str]:
    headings = lines.cells[lines.numbers.index(header)]
    names = [headings[column] for _, column in places if column < len(headings)]
    return list(dict.fromkeys(as_written(name) for name in names if not is_empty(name)))


def _name(place: Place) -> str:
    return f"{get_column_letter(place[1] + 1)}{place[0]}"


def _some(things: Iterable[str]) -> str:
    every = list(things)
    return ", ".join(every[:CELLS_SHOWN]) + (", …" if len(every) > CELLS_SHOWN else "")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


# columns


def _column(name: str, cells: Sequence[Any], reading: Reading) -> pd.Series[Any]:
    if name in reading.text:
        return written([None if is_empty_text(cell) else cell for cell in cells])
    if reading.as_shown:
        plain = [ShownText(str(cell).upper(), cell) if type(cell) is bool else cell for cell in cells]
    else:
        plain = [cell.value if type(cell) is ShownText else cell for cell in cells]
    plain = [None if is_empty_text(cell) else cell for cell in plain]
    if any(type(cell) is ShownText for cell in plain):
        return pd.Series(plain, dtype=object)
    if reading.decimal is not None or reading.thousands is not None:
        plain = _texts_as_numbers(plain, reading)
    return typed(plain)


def is_empty_text(cell: Any) -> bool:
    """Tell whether a cell is an empty text, as formulas return it."""
    return type(cell) is str and not cell


def _texts_as_numbers(cells: Sequence[Any], reading: Reading) -> list[Any]:
    """Return numbers for the texts of a column, if all of them are numbers with the signs that were named."""
    texts = [cell for cell in cells if type(cell) is str]
    sign = reading.decimal or ("," if reading.thousands == "." else ".")
    plain = numbers_in(texts, sign, reading.thousands) if texts else None
    if plain is None:
        return list(cells)
    return [float(plain[cell]) if type(cell) is str else cell for cell in cells]


def _format_notes(table: Table, sheet: Sheet, path: Path, reading: Reading) -> list[Note]:
    if reading.as_shown:
        return _unshown_notes(table, sheet, path)
    notes = []
    for (place, code), (count, line, value, shown, scales) in sheet.seen.items():
        if place not in table.places or line <= table.header:
            continue
        name = table.names[table.places.index(place)]
        if name in reading.text and isinstance(value, int | float):
            continue
        cell = f"{path.name}, {sheet.name}!{_name((line, place))}"
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
    return [
        Note(
            "format",
            table.names[table.places.index(place)],
            f"{table.names[table.places.index(place)]!r}: how the sheet shows {_name((line, place))} depends on "
            f"the "
            f"reader's computer (number format {code}, {path.name}, {sheet.name}); a document prints "
            f"{as_written(value)!r}",
            "Write it as a text in the sheet if it must be printed otherwise",
            count,
            _labels(table, [line]),
            ["text"],
        )
        for (place, code), (count, line, value, shown, _) in sheet.seen.items()
        if shown is None and place in table.places and line > table.header
    ]


def _labels(table: Table, lines: Sequence[int]) -> list[int]:
    wanted = set(lines[:CELLS_SHOWN])
    return [label for label, number in enumerate(table.numbers) if number in wanted]


class FormatLook:
    """Looks at cells with a number format: what is seen otherwise than printed is noted, or kept as shown.

    Parameters
    ----------
    sheet : Sheet
        Gets what is seen.
    reading : Reading
        Says whether cells are kept as shown.
    """

    def __init__(self, sheet: Sheet, reading: Reading) -> None:
        self._seen = sheet.seen
        self._as_shown = reading.as_shown
        self._text = bool(reading.text)
        self._decimal = reading.decimal or "."
        self._thousands = reading.thousands or ("." if self._decimal == "," else ",")

    def __call__(self, line: int, column: int, value: Any, code: FormatCode) -> Any:
        """Return the value, or the text that the sheet shows of it."""
        if self._as_shown:
            return self._shown(line, column, value, code)
        key = (column, code.code)
        if key in self._seen:
            self._seen[key][0] += 1
        elif type(value) is int and code.code == "0":
            return value
        elif self._otherwise(value, code):
            self._seen[key] = [1, line, value, code.shown(value), code.scales]
        if self._text and code.pads and isinstance(value, int | float):
            shown = code.shown(value)
            return value if shown is None else ShownText(shown, value)
        return value

    def _otherwise(self, value: Any, code: FormatCode) -> bool:
        if code.is_date and code.whole_date:
            return False
        shown = code.shown(value)
        if isinstance(value, dt.time | dt.timedelta) and shown is not None:
            return shown.lstrip("0") != as_written(value).lstrip("0")
        return shown != as_written(value)

    def _shown(self, line: int, column: int, value: Any, code: FormatCode) -> Any:
        shown = code.shown(value, self._decimal, self._thousands)
        if shown is None:
            known = self._seen.setdefault((column, code.code), [0, line, value, None, code.scales])
            known[0] += 1
            return value
        return value if shown == as_written(value) else ShownText(shown, value)
