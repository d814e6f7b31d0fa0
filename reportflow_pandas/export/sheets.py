"""A sheet of rows: headings, colours, widths, and as many sheets as the rows need."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from reportflow_pandas.contract import opens_in_browser
from reportflow_pandas.engine.outcomes import COLUMNS, KINDS, OF_DOCUMENT
from reportflow_pandas.export.cells import ColumnCells, Sanitiser, Trap, clean_text, is_formula
from reportflow_pandas.export.columns import (
    MOST_LINKS,
    Column,
    Given,
    Keys,
    Links,
    Same,
    Values,
    disk_target,
    web_target,
)
from reportflow_pandas.export.review import Typed
from reportflow_pandas.export.reviewed_lines import KEY, ROW, RUN, run_name
from reportflow_pandas.export.source_columns import Beside, distinct
from reportflow_pandas.export.style import (
    DECISION_COLOURS,
    HEADING_COLOURS,
    INK,
    INPUT,
    STATUS_COLOURS,
    font,
    on_paper,
)
from reportflow_pandas.export.texts import DECISIONS, STATUSES, WORDS, Words, decide
from reportflow_pandas.network import is_loopback
from reportflow_pandas.results.index_labels import described, levels_of
from reportflow_pandas.results.results_frame import known

__all__ = ["MOST_ROWS", "Layout", "write_rows"]

MOST_ROWS = 1_048_576
"""Rows of a sheet, its heading among them."""
_CHUNK = 2_000
_LINE_POINTS = 15
_MOST_HEIGHTS = 20_000
"""Rows that get a height of their own, which costs 1 KB a row; in a longer sheet each has room for two lines."""
_WIDEST_PRINTED = 230
"""Characters across a printed page: more would be too small to read."""
_NARROWEST = 18
"""Characters: a column of texts is made no narrower so that others are printed beside it."""
_NARROW_COMMENT = 24
_MOST_PRINTED = 5_000
"""Rows of a sheet that is laid out for the printer: a hundred pages; broken lines take time to write."""
_WIDEST_FROZEN = 70


def write_rows(
    workbook: Workbook,
    title: str,
    columns: Sequence[Column],
    sanitiser: Sanitiser,
    *,
    rows: int,
    words: Words,
    frozen: int,
    on_sheet: Callable[[Any], None] | None = None,
) -> None:
    """Write rows into a sheet, and into further ones where they do not fit.

    Parameters
    ----------
    workbook : openpyxl.Workbook
        Write-only.
    title : str
        Name of the sheet; the further ones are ``"Results 2"`` and so on.
    columns : sequence of Column
        In their order.
    sanitiser : Sanitiser
        Counts the further sheets.
    rows : int
        How many.
    words : Words
        The language.
    frozen : int
        Columns at the left that stay when the sheet is scrolled.
    on_sheet : callable, optional
        Adds what is no cell to the sheet, and sets the heights of its rows.
    """
    number, begin = 1, 0
    while True:
        end = min(rows, begin + MOST_ROWS - 1)
        sheet = workbook.create_sheet(title if number == 1 else f"{title} {number}")
        _lay_out(sheet, columns, end - begin, words, frozen)
        _set_up_print(sheet, title, columns, end - begin)
        on_top = any(column.wrap for column in columns)
        room = MOST_LINKS
        for column in columns:
            room = column.begin(ColumnCells(sheet, on_top=on_top), room)
        sheet.append([_heading(sheet, column) for column in columns])
        fits = on_top and end - begin <= _MOST_HEIGHTS and on_sheet is None
        if on_sheet is not None:
            on_sheet(sheet)
        for start in range(begin, end, _CHUNK):
            stop = min(start + _CHUNK, end)
            if fits:
                needed = zip(*(column.lines(start, stop) for column in columns), strict=True)
                for place, lines in enumerate(needed, start - begin + 2):
                    sheet.row_dimensions[place].height = _LINE_POINTS * max(lines) + 6
            for line in zip(*(column.chunk(start, stop) for column in columns), strict=True):
                sheet.append(line)
        sheet.close()
        if end == rows:
            break
        number, begin = number + 1, end
    if number > 1:
        sanitiser.traps[Trap.ROWS] += number - 1


def _lay_out(sheet: Any, columns: Sequence[Column], rows: int, words: Words, frozen: int) -> None:
    """Set everything that is not a cell: openpyxl wants it before the first row."""
    last = rows + 1
    width = sum(column.width for column in columns[:frozen])
    sheet.freeze_panes = f"{get_column_letter(frozen + 1 if width <= _WIDEST_FROZEN else 1)}2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{last}"
    sheet.sheet_view.zoomScale = 100
    sheet.row_dimensions[1].height = 24
    if any(column.wrap for column in columns):
        # Two lines for every row: a height of each row's own would cost 1 KB a row.
        sheet.sheet_format.customHeight = True
        sheet.sheet_format.defaultRowHeight = 36
    for number, column in enumerate(columns, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = column.width
        sheet.column_dimensions[letter].hidden = column.kind == "hidden"
        if rows == 0:
            continue
        where = f"{letter}2:{letter}{last}"
        if column.kind == "status":
            _colour(sheet, where, {words.statuses[status]: STATUS_COLOURS[status] for status in STATUSES})
        elif column.kind == "input":
            _input(sheet, where, letter, column, words)


def _set_up_print(sheet: Any, title: str, columns: Sequence[Column], rows: int) -> None:
    """Print the columns before the details, as many as a landscape page can show, under a repeated head."""
    across, width = 0, 0.0
    for column in columns:
        width += column.width
        if column.kind in ("detail", "hidden") or (across and width > _WIDEST_PRINTED):
            break
        across += 1
    sheet.print_area = f"A1:{get_column_letter(max(1, across))}{rows + 1}"
    sheet.print_title_rows = "1:1"
    on_paper(sheet, title)


def _input(sheet: Any, where: str, letter: str, column: Column, words: Words) -> None:
    """Colour what the reviewer fills in, and offer the words for a decision."""
    if column.heading == words.headings["decision"]:
        choices = [words.decisions[decision] for decision in DECISIONS]
        _colour(sheet, where, {words.decisions[name]: colours for name, colours in DECISION_COLOURS.items()})
        listed = DataValidation(
            type="list",
            formula1=f'"{",".join(choices)}"',
            allow_blank=True,
            showErrorMessage=True,
            showInputMessage=True,
            errorStyle="stop",
            errorTitle=words.says["refusal_title"],
            error=words.says["refusal"].format(words=", ".join(choices)),
            promptTitle=words.says["prompt_title"],
            prompt=words.says["prompt"],
        )
        listed.add(where)
        sheet.data_validations.append(listed)
    blank = Rule(type="expression", formula=[f"LEN({letter}2)=0"], dxf=_look(INPUT, INK))
    sheet.conditional_formatting.add(where, blank)


def _colour(sheet: Any, where: str, colours: dict[str, tuple[str, str]]) -> None:
    for word, (background, text) in colours.items():
        rule = Rule(type="cellIs", operator="equal", formula=[f'"{word}"'], dxf=_look(background, text))
        sheet.conditional_formatting.add(where, rule)


def _look(background: str, text: str) -> DifferentialStyle:
    return DifferentialStyle(font=Font(color=text), fill=PatternFill(bgColor=background, fill_type="solid"))


def _heading(sheet: Any, column: Column) -> Any:
    cell = WriteOnlyCell(sheet, value=column.heading)
    if is_formula(column.heading):
        cell.data_type = "s"
    cell.font = font("FFFFFF", bold=True)
    cell.fill = PatternFill("solid", fgColor=HEADING_COLOURS.get(column.kind, INK))
    amount = isinstance(column, Values) and column.form in ("money", "whole_money")
    cell.alignment = Alignment(vertical="center", horizontal="right" if amount else None, indent=int(amount))
    cell.border = Border(right=Side(style="thin", color="FFFFFF"))
    return cell


# which columns the sheets have

_MOST_COLUMNS = 16_384
_LONGEST_HEADING = 30_000
_MAIL_COLUMNS = ("mail_status", "mail_error", "mailed_at")
_FORMS = {"mailed_at": "datetime"} | {
    name: {"seconds": "seconds", "moment": "datetime"}[kind]
    for name, kind in KINDS.items()
    if kind in ("seconds", "moment")
}

_SHOWN_APART = ("row", "status", "file_name", "url", "path", "error")
"""Columns of the results that have a place of their own."""

_IDS = ("file_id", "request_id")
_DETAILS = (*(name for name in COLUMNS if name not in (*_SHOWN_APART, *_IDS)), *_IDS)
"""All others, those that only a machine reads last."""

_DETAILS_OF_FAILED = tuple(name for name in _DETAILS if name not in (*OF_DOCUMENT, "accepted_at"))
"""Without what only a document has that was made."""


@dataclass(frozen=True)
class Layout:
    """Makes the columns of one sheet.

    Attributes
    ----------
    results : pandas.DataFrame
        The lines of the sheet.
    extra : Beside
        The source's columns for the same lines.
    words : Words
        The language.
    sanitiser : Sanitiser
        Cleans and counts.
    """

    results: pd.DataFrame
    extra: Beside
    words: Words
    sanitiser: Sanitiser

    def left(self) -> list[Column]:
        """Return the columns that stay when the sheet is scrolled: the index and the document's name."""
        return [*self._index(), self._result("file_name", "key", widest=60, wrap="if_cut")]

    def of_results(self, typed: Typed, target: Path) -> list[Column]:
        """Return the columns of the sheet Results."""
        named, says = self.words.headings, self.words.says
        on_disk = partial(disk_target, folder=target.resolve().parent)
        decisions = {at: self.sanitiser.text(decide(text, self.words)) for at, text in typed.decisions.items()}
        comments = {at: self.sanitiser.text(text) for at, text in typed.comments.items()}
        columns: list[Column] = [
            *self.left(),
            Links(named["pdf"], self._series("path"), says["open_pdf"], on_disk, self.sanitiser),
            Links(named["web"], self._pages(), says["open_web"], web_target, self.sanitiser),
            self._status(),
            *self._verdict(),
            Given(named["decision"], 13, "input", decisions.get),
            Given(named["comment"], 36, "input", comments.get),
        ]
        details = [
            self._result("error", "detail", widest=50),
            *([self._result("findings", "detail", widest=60)] if "findings" in self.results.columns else ()),
            *self._results(*(name for name in _MAIL_COLUMNS if name in self.results.columns)),
            *self._results(*_DETAILS),
            Same(RUN, "hidden", clean_text(run_name(self.results)) or None),
            Values(ROW, self.results["row"], self.sanitiser, "hidden"),
        ]
        source = self._source(len(columns) + len(details) + 1)
        if len(self.results) <= _MOST_PRINTED:
            _narrow(columns, source)
        columns += [*source, *details]
        return [*columns, Keys(self.key_heading(columns), self.results)]

    def of_failed(self) -> list[Column]:
        """Return the columns of the sheet Failed."""
        statuses, kinds = self.results["status"].tolist(), self._series("error_kind").tolist()
        errors = self._series("error").tolist()
        run = known(self.results)

        def advice(at: int) -> str:
            kind = kinds[at]
            return self.words.advise(statuses[at], kind if isinstance(kind, str) else None, run, errors[at])

        columns = [
            *self.left(),
            self._status(),
            self._result("error", "key", widest=60, wrap=True),
            Given(self.words.headings["advice"], 64, "key", advice, wrap=True),
        ]
        details = self._results(*_DETAILS_OF_FAILED)
        source = self._source(len(columns) + len(details))
        if len(self.results) <= _MOST_PRINTED:
            _narrow(columns, source)
        return [*columns, *source, *details]

    def _results(self, *names: str) -> list[Column]:
        return [self._result(name, "detail") for name in names]

    def _result(self, name: str, kind: str, *, widest: int = 36, wrap: bool | Literal["if_cut"] = False) -> Column:
        values = self._series(name)
        form = _FORMS.get(name)
        if form == "datetime" and isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)  # its heading says UTC: nothing is changed
        heading = self.words.headings[name]
        return Values(heading, values, self.sanitiser, kind, form=form, widest=widest, wrap=wrap)

    def _series(self, name: str) -> pd.Series[Any]:
        if name in self.results.columns:
            return self.results[name]
        return pd.Series([None] * len(self.results), dtype=object)

    def _pages(self) -> pd.Series[Any]:
        """Return the addresses without those that a person cannot open.

        Those are of downloads, and where the PDF is on the disk those of an embedded service: it ends before the
        workbook is read.
        """
        urls, on_disk = self._series("url"), self._series("path").notna()
        closed = [
            web_target(str(url)) is not None
            and (not opens_in_browser(url) or (is_saved and is_loopback(urlsplit(url).hostname)))
            for url, is_saved in zip(urls.tolist(), on_disk.tolist(), strict=True)
        ]
        return urls.mask(np.array(closed, dtype=bool), None)

    def _status(self) -> Column:
        shown = [self.words.statuses.get(status, str(status)) for status in self.results["status"].tolist()]
        return Given(self.words.headings["status"], 12, "status", shown.__getitem__)

    def _verdict(self) -> list[Column]:
        """Return what was found when the PDFs were read back, where they were."""
        if "verdict" not in self.results.columns:
            return []
        shown = [self.words.says.get(f"verdict_{verdict}") for verdict in self.results["verdict"].tolist()]
        return [Given(self.words.headings["verdict"], 10, "key", shown.__getitem__)]

    def _index(self) -> list[Column]:
        return [
            Values(heading, level, self.sanitiser, "key", count_missing=True, widest=28)
            for heading, level in zip(self._index_headings(), levels_of(self.results.index), strict=True)
        ]

    def _index_headings(self) -> list[str]:
        index, unnamed = self.results.index, self.words.headings["index"]
        names = [
            (f"{unnamed} {at}" if index.nlevels > 1 else unnamed) if name is None else clean_text(_named(name))
            for at, name in enumerate(index.names, 1)
        ]
        return distinct(names, self._taken(), "_index")

    def _source(self, others: int) -> list[Values]:
        names = [clean_text(_named(name)) for name in self.extra.names]
        headings = distinct(names, [*self._taken(), *self._index_headings()])
        fits = max(_MOST_COLUMNS - others, 0)
        if len(headings) > fits:
            self.sanitiser.traps[Trap.COLUMNS] += len(headings) - fits
        return [
            Values(heading, self.extra.frame.iloc[:, at], self.sanitiser, "source", count_missing=True)
            for at, heading in enumerate(headings[:fits])
        ]

    def _taken(self) -> list[str]:
        """Return the headings that the user's columns cannot have: ours in both languages, and the frame's."""
        ours = [heading for words in WORDS.values() for name, heading in words.headings.items() if name != "index"]
        return [
            *ours,
            *(name for name in self.words.headings if name != "index"),
            "row",
            "url",
            "path",
            RUN,
            ROW,
            KEY,
        ]

    def key_heading(self, columns: list[Column]) -> str:
        """Return the heading of the key: it also tells what the labels alone do not."""
        about = {"index": described(self.results.index), "headings": [column.heading for column in columns]}
        if len(json.dumps(about)) > _LONGEST_HEADING:  # without it, columns that a reviewer adds go unnoticed
            del about["headings"]
        heading = json.dumps(about) if len(json.dumps(about)) <= _LONGEST_HEADING else ""
        return f"{KEY}{heading}".replace("_x", "\\u005fx")


def _narrow(columns: Sequence[Column], source: Sequence[Values]) -> None:
    """Break long texts of the source into lines, so that the columns behind them are printed on the page too."""
    room = _WIDEST_PRINTED - sum(column.width for column in columns)
    if sum(column.width for column in source) <= room:
        return
    for column in columns:
        if column.kind == "input" and column.width > _NARROW_COMMENT:
            room += column.width - _NARROW_COMMENT
            column.width = _NARROW_COMMENT
    narrowest = [column.narrowest(_NARROWEST) for column in source]
    printed = 0
    while printed < len(source) and sum(narrowest[: printed + 1]) <= room:
        printed += 1
    spare = room - sum(narrowest[:printed])
    narrowed = [at for at in range(printed) if narrowest[at] < source[at].width]
    narrowed.sort(key=lambda at: source[at].width - narrowest[at])
    for place, at in enumerate(narrowed):  # what one doesn't need goes to those that need more
        column = source[at]
        more = min(column.width - narrowest[at], spare / (len(narrowed) - place))
        spare -= more
        column.wrap = column.wrap or narrowest[at] + more < column.width
        column.width = narrowest[at] + more


def _named(name: Any) -> str:
    return " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)
