"""A sheet of a workbook becomes a frame, whichever library opened it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from openpyxl.utils import get_column_letter, range_boundaries

from reportflow_pandas.printable import counted
from reportflow_pandas.reading.doubts import Doubt, Doubts, doubt_of_numbers
from reportflow_pandas.reading.inference import inferred, numbers_in
from reportflow_pandas.reading.locations import Origin
from reportflow_pandas.reading.reading_options import Reading, listed, nearest_name, refusal
from reportflow_pandas.reading.sheet_content import Merge, Place, Sheet, cell_name
from reportflow_pandas.reading.sheet_notes import (
    asked_numbers,
    blank_formulas,
    format_notes,
    merge_notes,
    read_numbers,
)
from reportflow_pandas.reading.shown import ShownText, UnknownValue, as_written
from reportflow_pandas.reading.table import (
    CELLS_SHOWN,
    Lines,
    framed,
    header_of,
    heading_of,
    is_empty,
    is_error_word,
    short,
    table_of,
    typed,
    without_empty,
    written,
)
from reportflow_pandas.reading.total_lines import rows_without_totals

__all__ = ["chosen_sheet", "frame_of_sheet"]


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
    if not names:
        raise refusal(path, "has no sheet with cells")
    if not visible:
        raise refusal(path, f"shows no sheet with cells. Hidden ones are named: sheet={names[0]!r}")
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
    Doubts
        Cells whose value, or rows whose presence can't be known.
    ConfigurationError
        No rows.
    """
    lines = without_empty(sheet.lines, reading.say, path.name, {number for number, _ in sheet.unstored})
    if not lines.numbers:
        named = f". The sheets are {listed(others)}: sheet= names one" if len(others) > 1 else ""
        raise refusal(path, f"is empty in the sheet {sheet.name!r}; its first line must name the columns{named}")
    at, doubt = header_of(lines, f"{path.name}, {sheet.name}", reading)
    header = lines.numbers[at]
    doubts = [doubt] if doubt is not None else []
    lines, told = _rows_seen(sheet, lines, header, reading)
    doubts += told
    lines, sums = rows_without_totals(lines, at, f"{path.name}, {sheet.name}", reading)
    doubts += [sums] if sums is not None else []
    merged, told = _merges_filled(sheet, lines, header)
    doubts += told
    doubts += _unknown_cells(sheet, lines, header, path, reading)
    table = table_of(lines, path, reading, at)
    asked = asked_numbers(table, path, sheet, reading)
    if doubts:
        doubts += map(doubt_of_numbers, asked)
        raise Doubts(
            f"{str(path)!r}, sheet {sheet.name!r}, is not read: documents might print something else than "
            "it shows",
            doubts,
        )
    if not table.numbers and reading.sheet is None and len(others) > 1:
        raise refusal(
            path,
            f"has no rows below the headings of its first visible sheet, {sheet.name!r}. The sheets are "
            f"{listed(others)}: sheet= names the one that is meant",
        )
    letters = {name: get_column_letter(place + 1) for name, place in zip(table.names, table.places, strict=True)}
    notes = [*merge_notes(table, merged, path, sheet), *format_notes(table, sheet, path, reading), *asked]
    columns = [_column(name, cells, reading) for name, cells in zip(table.names, table.columns, strict=True)]
    notes += [*read_numbers(table, columns, path, sheet), *blank_formulas(table, path, sheet)]
    origin = Origin(path.name, "cell", columns=letters, sheet=sheet.name, sheets=list(others))
    return framed(table, columns, origin, notes)


# rows


def _rows_seen(sheet: Sheet, lines: Lines, header: int, reading: Reading) -> tuple[Lines, list[Doubt]]:
    """Return the lines that become rows; hidden ones are refused, left out or taken."""
    hidden = [number for number in lines.numbers if number > header and number in sheet.hidden]
    if not hidden or reading.hidden == "keep":
        return lines, []
    count = counted(len(hidden), "row")
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
    return lines, [Doubt(problem, {"hidden": "skip"})]


# merged cells


def _merges_filled(sheet: Sheet, lines: Lines, header: int) -> tuple[list[Merge], list[Doubt]]:
    """Give each row of a merged cell its value; refuse those of which it can't be told what they mean."""
    at = {number: position for position, number in enumerate(lines.numbers)}
    filled: list[Merge] = []
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
            filled.append(Merge(cells, column, top, value))
    filled.sort(key=lambda merge: merge.line)
    return filled, [*_merge_problems(across, headings)]


def _merge_problems(across: Sequence[str], headings: Sequence[tuple[str, int]]) -> Iterator[Doubt]:
    if across:
        yield Doubt(
            f"{counted(len(across), 'merged cell')} over several columns or values: {_some(across)}. Where the "
            "value belongs only you know: unmerge (Home, Merge & Center) and put it there"
        )
    if headings:
        last = max(bottom for _, bottom in headings)
        yield Doubt(
            f"headings take several lines ({_some(cells for cells, _ in headings)} merged). Name the last one: "
            f"header={last}",
            {"header": last},
        )


def _put(line: list[Any], column: int, value: Any) -> None:
    line += [None] * (column + 1 - len(line))
    line[column] = value


def _cell(lines: Lines, at: int | None, column: int) -> Any:
    return None if at is None else _in(lines.cells[at], column)


def _in(line: Sequence[Any], column: int) -> Any:
    return line[column] if column < len(line) else None


# cells whose value is not known


def _unknown_cells(sheet: Sheet, lines: Lines, header: int, path: Path, reading: Reading) -> Iterator[Doubt]:
    """Yield the refusals of cells whose value is not known; keep those that a document may never need."""
    at = {number: position for position, number in enumerate(lines.numbers) if number >= header}
    text = _columns_of(lines, header, reading.text)
    where = f"{path.name}, {sheet.name}!"
    for unknown in (
        _error_cells(_error_words(sheet, lines, at, text), lines, header, where, reading),
        _unstored_cells(
            [place for place in sorted(sheet.unstored) if place[0] in at], lines, header, where, reading
        ),
    ):
        if unknown.doubt is not None:
            yield unknown.doubt
        elif unknown.kept:
            for (number, column), value in unknown.kept.items():
                _put(lines.cells[at[number]], column, value)
            reading.say(f"{path.name}, {sheet.name}: {unknown.what}. Refused where a document needs it")


class _Unknown(NamedTuple):
    """Cells whose values are not known, of one kind: refused with the file, or kept for who needs them."""

    what: str
    kept: dict[Place, UnknownValue]
    doubt: Doubt | None = None


def _error_words(sheet: Sheet, lines: Lines, at: Container[int], text: Container[int]) -> dict[Place, str]:
    """Return the errors that stand in place of values, where they are not wanted as texts."""
    errors = {place: word for place, word in sheet.errors.items() if place[0] in at and place[1] not in text}
    return errors | {
        (number, column): cell
        for number, cells in zip(lines.numbers, lines.cells, strict=True)
        for column, cell in enumerate(cells)
        if type(cell) is str and cell[:1] in "#E" and is_error_word(cell) and column not in text and number in at
    }


def _error_cells(errors: Mapping[Place, str], lines: Lines, header: int, where: str, reading: Reading) -> _Unknown:
    if not errors:
        return _Unknown("", {})
    found = [f"{cell_name(place)} {word}" for place, word in sorted(errors.items())]
    what = f"{counted(len(errors), 'cell')} with an error in place of a value: {_some(found)}"
    cure = "Correct the formulas, or empty the cells"
    if not reading.keep_unknown or any(number <= header for number, _ in errors):
        printed = f"text={_headings(lines, header, sorted(errors))!r}"
        said = (
            f"{what}. {cure}. If the words should be printed as they stand, or no document needs them: {printed}"
        )
        return _Unknown(what, {}, Doubt(said))
    kept = {}
    for place, word in errors.items():
        why = f"{where}{cell_name(place)} shows {word} in place of a value. {cure}"
        kept[place] = UnknownValue(word, f"{why}; text={_headings(lines, header, [place])!r}")
    return _Unknown(what, kept)


def _unstored_cells(
    unstored: Sequence[Place], lines: Lines, header: int, where: str, reading: Reading
) -> _Unknown:
    if not unstored:
        return _Unknown("", {})
    what = f"{counted(len(unstored), 'formula')} without a stored value: {_some(map(cell_name, unstored))}"
    cure = "The program that wrote the file did not work {} out: open it in Excel or LibreOffice and save it"
    text = _columns_of(lines, header, reading.text)
    if not all(number > header and (reading.keep_unknown or column in text) for number, column in unstored):
        unneeded = f"If no document needs them: text={_headings(lines, header, unstored)!r}"
        return _Unknown(what, {}, Doubt(f"{what}. {cure.format('them')}. {unneeded}"))
    said = f"is a formula without a stored value. {cure.format('it')}"
    return _Unknown(what, {place: UnknownValue("", f"{where}{cell_name(place)} {said}") for place in unstored})


def _columns_of(lines: Lines, header: int, names: Sequence[str]) -> set[int]:
    headings = lines.cells[lines.numbers.index(header)]
    return {at for at, name in enumerate(headings) if not is_empty(name) and heading_of(name) in names}


def _headings(lines: Lines, header: int, places: Iterable[Place]) -> list[str]:
    headings = lines.cells[lines.numbers.index(header)]
    names = [headings[column] for _, column in places if column < len(headings)]
    return list(dict.fromkeys(heading_of(name) for name in names if not is_empty(name)))


def _some(cells: Iterable[str]) -> str:
    names = list(cells)
    return ", ".join(names[:CELLS_SHOWN]) + (", …" if len(names) > CELLS_SHOWN else "")


# columns


def _column(name: str, cells: Sequence[Any], reading: Reading) -> pd.Series[Any]:
    if name in reading.text:
        if any(type(cell) is UnknownValue for cell in cells):
            known = [cell if cell is None or type(cell) is UnknownValue else as_written(cell) for cell in cells]
            return pd.Series(known, dtype=object)
        return written([None if is_empty_text(cell) else cell for cell in cells])
    if reading.as_shown:
        plain = [ShownText(str(cell).upper(), cell) if type(cell) is bool else cell for cell in cells]
    else:
        plain = [cell.value if type(cell) is ShownText else cell for cell in cells]
    plain = [None if is_empty_text(cell) else cell for cell in plain]
    if any(type(cell) is ShownText for cell in plain):
        return pd.Series(plain, dtype=object)
    if reading.decimal is not None or reading.thousands is not None:
        return _texts_as_numbers(plain, reading)
    return typed(plain)


def is_empty_text(cell: Any) -> bool:
    """Tell whether a cell is an empty text, as formulas return it."""
    return type(cell) is str and not cell


def _texts_as_numbers(cells: Sequence[Any], reading: Reading) -> pd.Series[Any]:
    """Return numbers for the texts of a column, if all of them are numbers with the signs that were named."""
    texts = [cell for cell in cells if type(cell) is str]
    if len(texts) == sum(cell is not None for cell in cells):
        return (
            inferred([cell or "" for cell in cells], reading.decimal, reading.thousands).cells
            if texts
            else typed(cells)
        )
    sign = reading.decimal or ("," if reading.thousands == "." else ".")
    plain = numbers_in(texts, sign, reading.thousands)
    if plain is None:
        return typed(cells)
    return typed([float(plain[cell]) if type(cell) is str else cell for cell in cells])
