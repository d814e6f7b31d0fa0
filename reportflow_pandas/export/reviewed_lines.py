"""The lines of a reviewed workbook, and the documents that they are about."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pandas as pd
from openpyxl.utils import get_column_letter
from openpyxl.utils.escape import unescape

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.texts import WORDS, decision_of, heading_key, plain
from reportflow_pandas.results.results_frame import known

__all__ = ["KEY", "NAME_KEPT", "ROW", "RUN", "Line", "Matches", "Reviewed", "read_lines", "run_name"]

RUN, ROW, KEY = "rf_run", "rf_row", "rf_key"
"""Headings of the hidden columns. The heading of the key goes on as JSON: what the labels alone don't tell."""

NAME_KEPT = 100
"""Characters of a document's name that the key repeats, to notice columns that were sorted apart."""

_HEADER_WITHIN = 50


class Line(NamedTuple):
    """One document's line in a reviewed workbook."""

    cell: str
    run: str
    row: int
    label: list[Any] | None
    file_name: str | None
    file_id: str | None
    request_id: str | None
    decision: str | None
    comment: str | None


@dataclass
class Reviewed:
    """What a reviewed workbook holds.

    Attributes
    ----------
    lines : list of Line
        One for each document.
    index : dict
        Names and dtypes of the index.
    added : list of str
        Headings that the reviewer added.
    """

    path: Path
    lines: list[Line] = field(default_factory=list)
    index: dict[str, Any] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)

    @property
    def run(self) -> str:
        """Name of the run, empty if it is not known."""
        return next((line.run for line in self.lines if line.run), "")


def run_name(results: pd.DataFrame) -> str:
    """Return the name of the run that a results frame came from, empty if it does not know."""
    return str(known(results).get("run") or "")


class Matches:
    """Finds the documents of a workbook in a results frame.

    A run can be generated again with its rows in another order, and a row can get a new document. So the
    service's ids go first, the position in the run second; a decision belongs to the document it was made for.
    """

    def __init__(self, results: pd.DataFrame) -> None:
        self._file_ids = _column(results, "file_id")
        self._request_ids = _column(results, "request_id")
        self._rows = {row: at for at, row in enumerate(results["row"].tolist())}
        self._by_file = {file_id: at for at, file_id in enumerate(self._file_ids) if file_id is not None}

    def place(self, line: Line) -> tuple[int | None, bool]:
        """Return the line's place in the frame, if it is there, and whether the document is still the same."""
        if line.file_id is not None and line.file_id in self._by_file:
            return self._by_file[line.file_id], True
        at = self._rows.get(line.row)
        if at is None:
            return None, False
        file_id, request_id = self._file_ids[at], self._request_ids[at]
        if file_id is not None and line.file_id is not None:
            return at, False
        return at, request_id == line.request_id


def read_lines(path: Path) -> Reviewed:
    """Return every document's line of a workbook of ours.

    Raises
    ------
    ConfigurationError
        Not a workbook of ours.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # What other programs add (LibreOffice's extensions, Excel's views) is none of our business.
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                reviewed = Reviewed(path)
                for sheet in workbook.worksheets:
                    _read_sheet(sheet, reviewed)
            finally:
                workbook.close()
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {str(path)!r}") from None
    except ConfigurationError:
        raise
    except PermissionError:
        raise  # open in Excel
    except Exception as error:  # damaged and foreign workbooks raise whatever their XML leads to
        raise ConfigurationError(
            f"{str(path)!r} cannot be read as an Excel workbook (.xlsx). If it was saved in another format or "
            "with a password, save it as a plain .xlsx and try again"
        ) from error
    if not reviewed.index and not reviewed.lines:
        raise ConfigurationError(
            f"{str(path)!r} is not a review workbook of reportflow-pandas: no sheet has the hidden columns {RUN}, "
            f"{ROW} and {KEY}. Write one with results.reportflow.to_excel({path.name!r})"
        )
    return reviewed


def _read_sheet(sheet: Any, reviewed: Reviewed) -> None:
    """Add a sheet's lines, if it is one of ours."""
    if not hasattr(sheet, "iter_rows"):
        return  # a sheet that holds only a chart
    if hasattr(sheet, "reset_dimensions"):
        sheet.reset_dimensions()  # some programs write a wrong size
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    columns: dict[str, int] = {}
    for number, values in rows:
        columns = _header(values)
        if {RUN, ROW, KEY} <= columns.keys():
            break
        if number >= _HEADER_WITHIN:
            return
    else:
        return
    if "decision" not in columns and "advice" in columns:
        return  # the sheet Failed
    if "decision" not in columns:
        raise ConfigurationError(
            f"{sheet.title}: no column is headed {WORDS['en'].headings['decision']!r} or "
            f"{WORDS['ja'].headings['decision']!r}; put the heading of the decisions back"
        )
    about = _json(str(values[columns[KEY]])[len(KEY) :], {})
    reviewed.index = reviewed.index or about.get("index", {})
    ours = set(about.get("headings", []))
    reviewed.added += [
        str(value)
        for value in values
        if value is not None and ours and str(value) not in ours and not str(value).startswith(KEY)
    ]
    reviewed.lines += _lines(sheet.title, rows, columns)


def _header(values: Sequence[Any]) -> dict[str, int]:
    """Return the places of our columns in a row of headings."""
    columns: dict[str, int] = {}
    for at, value in enumerate(values):
        if not isinstance(value, str):
            continue
        key = value if value in (RUN, ROW) else KEY if value.startswith(KEY) else heading_key(value)
        if key is not None:
            columns.setdefault(key, at)
    return columns


def _lines(title: str, rows: Iterator[tuple[int, Sequence[Any]]], columns: dict[str, int]) -> Iterator[Line]:
    at_decision, at_comment, at_name = columns["decision"], columns.get("comment"), columns.get("file_name")
    letter = get_column_letter(at_decision + 1)
    for number, values in rows:
        cell = f"{title}!{letter}{number}"
        decision = _text(_at(values, at_decision))
        row = _whole(_at(values, columns[ROW]))
        key = _json(_at(values, columns[KEY]), None)
        if row is None or not isinstance(key, list) or len(key) != 4:
            if decision is not None and decision_of(decision) is not None:
                raise ConfigurationError(
                    f"{cell}: {decision!r} stands on a line that belongs to no document (its hidden columns "
                    f"{ROW} and "
                    f"{KEY} are empty). Delete the word, or put it on the document's own line"
                )
            continue
        label, name, file_id, request_id = key
        shown = _text(_at(values, at_name))
        if shown is not None and name is not None and plain(shown[:NAME_KEPT]) != plain(name):
            raise ConfigurationError(
                f"{title}!{get_column_letter((at_name or 0) + 1)}{number}: the line shows {shown!r}, but its "
                "hidden "
                f"columns belong to {name!r}. Probably some columns were sorted without the others: undo that, or "
                "write the workbook again"
            )
        yield Line(
            cell,
            _text(_at(values, columns[RUN])) or "",
            row,
            label,
            name,
            file_id,
            request_id,
            decision,
            _text(_at(values, at_comment)),
        )


def _column(results: pd.DataFrame, name: str) -> list[str | None]:
    if name not in results.columns:
        return [None] * len(results)
    values = results[name]
    return [
        None if gone else str(value) for value, gone in zip(values.tolist(), values.isna().tolist(), strict=True)
    ]


def _at(values: Sequence[Any], at: int | None) -> Any:
    return values[at] if at is not None and at < len(values) else None


def _text(value: Any) -> str | None:
    """Return what was typed, ``None`` for nothing or only spaces."""
    if value is None:
        return None
    text = unescape(value) if isinstance(value, str) else str(value)
    return text if text.strip() else None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _json(text: Any, otherwise: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else otherwise
    except (ValueError, RecursionError):
        return otherwise
