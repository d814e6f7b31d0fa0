"""A folder of approved documents with an index, as an archive keeps them: added to, never rewritten.

The index holds what Japan's Electronic Books Preservation Act asks to be searchable by (date, partner, amount),
and the SHA-256 of each file, so that a changed byte is found later. ``index.csv`` is the record, ``index.xlsx``
its copy for people.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import hashlib
import os
import shutil
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import chain, count
from pathlib import Path
from typing import Any, Self

import pandas as pd

from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import without_pdf
from reportflow_pandas.delivery.release import DeliveryWarning, Release, note_decisions, release
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.atomic_write import place
from reportflow_pandas.export.csv_file import escaped, unescaped
from reportflow_pandas.export.source_columns import beside, column_of, documents_of
from reportflow_pandas.journal.events import note_event
from reportflow_pandas.journal.lock import RunLock
from reportflow_pandas.journal.runs import at_home
from reportflow_pandas.next_steps import HAND_OVER_AGAIN, hand_over_when_it_has_ended
from reportflow_pandas.results.pdf_folder import safe_name
from reportflow_pandas.results.results_frame import provenance, text_column
from reportflow_pandas.rows.file_names import file_names
from reportflow_pandas.settings import absolute_path, current

__all__ = ["check_archive", "hand_over"]

INDEX = "index.csv"
INDEX_FOR_PEOPLE = "index.xlsx"
LOCK = ".hand_over.lock"
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class IndexLine:
    """One document of an archive; the fields are the columns of the index, as text."""

    number: str
    date: str
    partner: str
    amount: str
    file: str
    sha256: str
    document: str
    run: str
    file_id: str
    handed_over_at: str


COLUMNS = [field.name for field in fields(IndexLine)]


def hand_over(
    results: pd.DataFrame,
    folder: str | Path,
    decisions: pd.DataFrame | None = None,
    *,
    source: pd.DataFrame | None = None,
    date: Hashable | None = None,
    partner: Hashable | None = None,
    amount: Hashable | None = None,
    file_name: str | None = None,
) -> pd.DataFrame:
    """Copy the documents that may leave into a folder, and write an index that an archive can be searched by.

    With ``decisions`` only approved documents are copied, whatever their verdict; without, only those whose
    ``verdict`` is ``ok``. One of the two is needed. A second call adds what is new and never changes a file or a
    line of the index.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    decisions : pandas.DataFrame, optional
        ``results.reportflow.read_review(path)``.
    source : pandas.DataFrame, optional
        The frame that the run came from, for the three columns below and for ``file_name``.
    date, partner, amount : column, optional
        Columns of ``source`` (or of the results) that the index is searched by.
    file_name : str, optional
        A template of the source's columns for the copies, such as ``"{InvoiceDate}_{CustomerName}_{Total}"``. By
        default a document keeps its name.

    Returns
    -------
    pandas.DataFrame
        One line for each row of the results, same index: ``number`` (of the document in the archive, Int64),
        ``file``, ``sha256``, and ``left_out``, the reason, missing where the document is in the folder.

    Raises
    ------
    ConfigurationError
        Neither decisions nor verdicts; a column that is not there; a folder whose index is not ours or that cannot
        be written to. Nothing was copied.

    Warns
    -----
    DeliveryWarning
        What was left out, and why.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download=f"{folder}/pdfs"
    ...     )
    ...     approved = pd.DataFrame({"decision": "approve"}, index=results.index)
    ...     archived = results.reportflow.hand_over(
    ...         f"{folder}/archive", approved, source=orders.head(2), date="InvoiceDate", amount="Total"
    ...     )
    >>> archived["number"].tolist()
    [1, 2]
    """
    attrs = provenance(results, "hand_over")
    source = documents_of(results, source)
    clock = current().clock
    released = release(results, decisions, verb="hand_over", required=True)
    searched = [_texts(results, source, name, column) for name, column in
                (("date", date), ("partner", partner), ("amount", amount))]  # fmt: skip
    names = _names(results, source, file_name)
    archive = _Archive(Path(os.path.abspath(absolute_path(folder, "folder"))), clock)  # noqa: PTH100 - no link is followed
    lines: dict[int, IndexLine] = {}
    with archive:
        for at in released.positions:
            lines[at] = archive.add(
                Path(results["path"].iloc[at]),
                names[at],
                (searched[0][at], searched[1][at], searched[2][at]),
                (str(results.index[at]), attrs.get("run", ""), _text(results["file_id"].iloc[at])),
            )
        archive.write_index()
    settings = at_home(current(), attrs.get("run", ""))
    note_decisions(results, decisions, settings)
    note_event(settings.runs, attrs.get("run", ""), "handed over", archive.added, clock)
    _warn(released, results)
    return _with_hand_over_columns(results, released, lines)


def check_archive(folder: str | Path) -> pd.DataFrame:
    """Hold every file of an archive against its index.

    Parameters
    ----------
    folder : str or path
        A folder that ``hand_over`` has written.

    Returns
    -------
    pandas.DataFrame
        One line for each problem: ``number``, ``file`` and ``problem`` (``changed``, ``missing``, or ``not in the
        index`` for a PDF that was put there by other means); empty when every byte is as it was handed over.

    Raises
    ------
    ConfigurationError
        There is no index, or it is not ours.

    Examples
    --------
    >>> check_archive("archive")                                             # doctest: +SKIP
    """
    path = absolute_path(folder, "folder")
    if not (path / INDEX).is_file():
        raise ConfigurationError(
            f"{str(path)!r} has no {INDEX}: it is no folder that results.reportflow.hand_over(folder) has written"
        )
    lines = _read_index(path)
    problems: list[tuple[str, str, str]] = []
    for line in lines:
        file = path / line.file
        if not file.is_file():
            problems.append((line.number, line.file, "missing"))
        elif _digest(file) != line.sha256:
            problems.append((line.number, line.file, "changed"))
    known = {line.file for line in lines}
    problems += [
        ("", file.name, "not in the index") for file in sorted(path.glob("*.pdf")) if file.name not in known
    ]
    return pd.DataFrame(problems, columns=["number", "file", "problem"])


class _Archive:
    """A folder with its index; lines that are there are never changed, and one process at a time adds some."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as reason:
            raise _unusable(path, reason) from reason
        self._lines: list[IndexLine] = []
        self._added: list[IndexLine] = []
        self._known: dict[tuple[str, str, str], IndexLine] = {}
        self._files: set[str] = set()

    def __enter__(self) -> Self:
        file = self._path / LOCK
        try:
            self._lock = RunLock(file, "", self._clock.now())
        except OSError as reason:
            raise _unusable(self._path, reason) from reason
        except ConfigurationError:
            raise ConfigurationError(
                f"another process hands documents over to {str(self._path)!r}; nothing was copied. "
                f"{hand_over_when_it_has_ended(file.name)}"
            ) from None
        try:
            self._lines = _read_index(self._path)
        except BaseException:
            self.__exit__()
            raise
        self._known = {(line.sha256, line.run, line.document): line for line in self._lines}
        self._files = {line.file.casefold() for line in self._lines}
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # Windows deletes no open file: an empty lock stays
            (self._path / LOCK).unlink()
        self._lock.free()

    def add(
        self, pdf: Path, name: str, searched: tuple[str, str, str], document: tuple[str, str, str]
    ) -> IndexLine:
        """Copy a document unless these bytes of it are in the archive already; return its line."""
        label, run, file_id = document
        digest = _digest(pdf)
        known = self._known.get((digest, run, label))
        if known is not None:
            return known
        file = self._copied(pdf, name, digest)
        moment = self._clock.now().isoformat(timespec="seconds")
        number = str(len(self._lines) + len(self._added) + 1)
        line = IndexLine(number, *searched, file, digest, label, run, file_id, moment)
        self._added.append(line)
        self._known[digest, run, label] = line
        return line

    def _copied(self, pdf: Path, name: str, digest: str) -> str:
        """Copy a file under its name, or under a numbered one where that is taken."""
        stem = without_pdf(safe_name(name))
        for candidate in chain([f"{stem}.pdf"], (f"{stem} ({again}).pdf" for again in count(2))):
            target = self._path / candidate
            if candidate.casefold() in self._files:
                continue
            try:
                if target.exists():
                    # a copy whose line was not written: the process died in between
                    if _digest(target) != digest:
                        continue
                else:
                    place(target, lambda temporary: _copy(pdf, temporary))
            except OSError as reason:
                raise _unusable(self._path, reason) from reason
            self._files.add(candidate.casefold())
            return candidate
        raise AssertionError  # counting has no end

    @property
    def added(self) -> int:
        """How many documents this call added."""
        return len(self._added)

    def write_index(self) -> None:
        """Write the index with the new lines."""
        if not self._added and (self._path / INDEX).exists():
            return
        lines = self._lines + self._added
        try:
            # the record last: a call that is cut off between the two is repeated as a whole
            place(self._path / INDEX_FOR_PEOPLE, lambda temporary: _write_xlsx(temporary, lines))
            place(self._path / INDEX, lambda temporary: _write_csv(temporary, lines))
        except OSError as reason:
            raise _unusable(self._path, reason) from reason


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _unusable(path: Path, reason: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{str(path)!r} cannot be written to ({reason.strerror or reason}). {HAND_OVER_AGAIN}"
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _read_index(path: Path) -> list[IndexLine]:
    try:
        with (path / INDEX).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as reason:
        raise ConfigurationError(
            f"{str(path / INDEX)!r} cannot be read ({reason}); nothing was changed"
        ) from reason
    if not rows or rows[0] != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise ConfigurationError(
            f"{str(path / INDEX)!r} is not the index of an archive of reportflow-pandas, or was changed in its "
            "columns; it is left as it is. Choose another folder"
        )
    return [IndexLine(*map(unescaped, row)) for row in rows[1:]]


def _write_csv(path: Path, lines: Sequence[IndexLine]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(escaped, astuple(line)) for line in lines)


def _write_xlsx(path: Path, lines: Sequence[IndexLine]) -> None:
    import openpyxl  # noqa: PLC0415 - takes a while to load
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.styles import Font  # noqa: PLC0415

    from reportflow_pandas.export.style import on_paper  # noqa: PLC0415

    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Documents")
    on_paper(sheet, "Documents")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:J{len(lines) + 1}"
    for column, width in zip("ABCDEFGHIJ", (8, 12, 32, 14, 32, 66, 16, 24, 26, 26), strict=True):
        sheet.column_dimensions[column].width = width
    heads = [WriteOnlyCell(sheet, value=name) for name in COLUMNS]
    for head in heads:
        head.font = Font(bold=True)
    sheet.append(heads)
    for line in lines:
        cells: list[Any] = []
        for name, text in zip(COLUMNS, astuple(line), strict=True):
            cell = WriteOnlyCell(sheet, value=_typed(name, text))
            if isinstance(cell.value, str):
                cell.data_type = "s"  # a text that begins with = is no formula
            elif isinstance(cell.value, dt.date):
                cell.number_format = "yyyy-mm-dd"
            cells.append(cell)
        sheet.append(cells)
    workbook.save(path)


def _typed(name: str, text: str) -> Any:
    try:
        if name == "date":
            return dt.date.fromisoformat(text[:10])
        if name in ("number", "amount"):
            return float(text) if "." in text else int(text)
    except ValueError:
        pass
    return text


def _texts(
    results: pd.DataFrame, source: pd.DataFrame | None, argument: str, column: Hashable | None
) -> list[str]:
    """Return a column of the source beside the results, as the index holds it."""
    if column is None:
        return [""] * len(results)
    values = column_of(results, source, column, argument, "; nothing was copied")
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _names(results: pd.DataFrame, source: pd.DataFrame | None, template: str | None) -> list[str]:
    if template is None:
        return [Path(path).name if isinstance(path, str) else "" for path in results["path"]]
    if source is None:
        raise ConfigurationError(
            f"file_name={template!r} is filled from the frame that the run came from: pass source=df"
        )
    held = beside(results, source)
    frame = held.frame.set_axis(held.names, axis=1).set_axis(results.index)
    return file_names(frame, template, "document")


def _warn(released: Release, results: pd.DataFrame) -> None:
    if released.left_out:
        warnings.warn(
            f"{len(released.positions):,} of {len(results):,} documents were handed over; left out: "
            f"{released.told(results.index)}",
            DeliveryWarning,
            stacklevel=4,
        )


def _with_hand_over_columns(results: pd.DataFrame, released: Release, lines: dict[int, IndexLine]) -> pd.DataFrame:
    reasons = {at: reason for reason, positions in released.left_out.items() for at in positions}
    found = [lines.get(at) for at in range(len(results))]
    columns: dict[str, Any] = {
        "number": pd.array([pd.NA if line is None else int(line.number) for line in found], dtype="Int64"),
        "file": text_column([None if line is None else line.file for line in found]),
        "sha256": text_column([None if line is None else line.sha256 for line in found]),
        "left_out": text_column([reasons.get(at) for at in range(len(results))]),
    }
    return pd.DataFrame(columns, index=results.index)
