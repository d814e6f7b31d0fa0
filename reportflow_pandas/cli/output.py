"""What a person reads after a command: counts, files, what to look at."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from reportflow_pandas import result_verbs as verbs
from reportflow_pandas.cli.shell_words import in_a_shell, painted
from reportflow_pandas.errors import ConfigurationError, ReportFlowError
from reportflow_pandas.export.atomic_write import checked_path
from reportflow_pandas.export.reviewed_lines import read_lines
from reportflow_pandas.next_steps import PAID_AND_LEFT, PAID_AND_THERE, STATUS_IN_WORDS
from reportflow_pandas.printable import printable
from reportflow_pandas.reading.locations import line_of_row, origin_of, where
from reportflow_pandas.results.service_words import in_plain_words
from reportflow_pandas.results.summary import accepted, without_pdf_for_good
from reportflow_pandas.rows.input_frame import called
from reportflow_pandas.settings import current

__all__ = [
    "ACCEPTED",
    "INTERRUPTED",
    "REFUSED",
    "SOME_FAILED",
    "columns_shown",
    "complain",
    "exit_code",
    "outcome_lines",
    "ready_for",
    "say",
    "say_outcome",
    "shown",
    "table",
    "with_places",
    "write_workbook",
]

ACCEPTED, SOME_FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130

_COUNTS = re.compile(r" +[1-9][\d,]* (accepted|failed|unknown|not sent)\b")
_COLOURS = {"accepted": "green", "failed": "red", "unknown": "yellow", "not sent": "yellow"}

SHOWN = 5
"""Rows that are printed; the workbook has all."""


def say(text: str = "", *, colour: str = "") -> None:
    """Print a line for people and pipes; ``colour`` is that of its first line on a terminal."""
    _write(sys.stdout, text, colour)


def complain(text: str, *, colour: str = "") -> None:
    """Print a message, which is no result, in the words of a shell."""
    _write(sys.stderr, in_a_shell(text), colour)


def _write(stream: TextIO | None, text: str, colour: str) -> None:
    """Write a line, if the stream takes it: what a command did does not depend on that."""
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            first, line_break, rest = printable(text).partition("\n")
            first = painted(first, colour, stream) if colour else first
            stream.write(f"{first}{line_break}{rest}\n")
            stream.flush()


def say_outcome(results: pd.DataFrame, *, download: bool, rows: pd.DataFrame | None = None) -> None:
    """Print what became of a run in a few lines."""
    for line in outcome_lines(results, download=download, rows=rows):
        counts = _COUNTS.match(line)
        say(line, colour=_COLOURS[counts[1]] if counts else "")


def shown(path: str | Path) -> str:
    """Return a path as it is short to read and right to paste."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith("..") else relative)


def exit_code(results: pd.DataFrame, *, download: bool) -> int:
    """Return 0 if every row is accepted, its PDF saved and read back where that was asked for; else 1."""
    good = accepted(results) & ~without_pdf_for_good(results)
    if download:
        good &= results["path"].notna()
    if "verdict" in results.columns:
        good &= results["verdict"].isna() | (results["verdict"] == "ok")
    return ACCEPTED if bool(good.all()) else SOME_FAILED


def outcome_lines(results: pd.DataFrame, *, download: bool, rows: pd.DataFrame | None = None) -> list[str]:
    """Return the run in a few lines: counts, and the first rows that need a look, found in their file."""
    summary = verbs.summary(results)
    lines = [f"{int(summary['success']):>7,} accepted"]
    never = without_pdf_for_good(results)
    if never.any():
        lines.append(f"{int(never.sum()):>7,} accepted, and their PDFs can never be made: {PAID_AND_LEFT}")
    lines += [
        f"{int(summary[status]):>7,} {status.replace('_', ' ')}: {meaning}"
        for status, meaning in STATUS_IN_WORDS.items()
        if summary[status]
    ]
    bad = ~accepted(results) | never
    if download:
        unsaved = results["path"].isna() & ~bad
        if unsaved.any():
            lines.append(f"{int(unsaved.sum()):>7,} of the accepted could not be downloaded; {PAID_AND_THERE}")
        bad |= unsaved
    lines += _verdict_lines(results)
    needing = results[bad & results["error"].notna()]
    if len(needing):
        lines += ["", "First rows to look at:" if len(needing) > SHOWN else "Rows to look at:"]
        lines += [
            f"  {label!s:>6}  {row.file_name}{_place(rows, row.row)}: {_what_happened(row.error)}"
            for label, row in zip(needing.index, needing.head(SHOWN).itertuples(index=False), strict=False)
        ]
    return lines


def _what_happened(error: object) -> str:
    """Return the service's words, after what they mean where that is known."""
    words = in_plain_words(error, current().language)
    told = in_a_shell(str(error))
    return told if words is None else f"{words} ({told})"


def _verdict_lines(results: pd.DataFrame) -> list[str]:
    """Return what was found in PDFs that were read back."""
    if "verdict" not in results.columns:
        return []
    counts = results["verdict"].value_counts()
    meanings = {
        "ok": "read back: everything that could be read is there",
        "look": "need a look, see the workbook's sheet Look first",
        "unread": "could not be read back",
    }
    return [f"{int(counts[word]):>7,} {meaning}" for word, meaning in meanings.items() if counts.get(word, 0)]


def _place(rows: pd.DataFrame | None, position: Any) -> str:
    place = where(rows, int(position)) if rows is not None else ""
    return f" ({place})" if place else ""


def with_places(source: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns beside the results with one more: the line of each row in its file.

    Parameters
    ----------
    source : pandas.DataFrame
        What a reviewer sees.
    rows : pandas.DataFrame
        The same rows as they were read.
    """
    origin = origin_of(rows)
    if origin is None or not len(rows) or not where(rows, 0):
        return source
    name = f"{'line' if origin.unit == 'line' else 'row'} in {origin.file}"
    lines = [where(rows, at) if origin.files else line_of_row(rows, at) for at in range(len(rows))]
    return source if name in source.columns else source.assign(**{name: pd.Series(lines, index=source.index)})


def ready_for(out: Path) -> Path:
    """Return the workbook's path, its folder made and tried: found out before anything is paid for."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise ConfigurationError(f"--out {out}: the folder cannot be made ({reason.strerror or reason})") from None
    target = checked_path(out, ".xlsx")
    if target.exists() and target.stat().st_size and os.access(target, os.R_OK):
        try:
            read_lines(target)
        except ConfigurationError as reason:
            raise ConfigurationError(
                f"--out {out}: this file is there already, and is no review workbook that can be written again: "
                f"{reason}. Nothing was sent. Give another name, or move it away"
            ) from None
    if not os.access(target.parent, os.W_OK):
        raise ConfigurationError(f"--out {out}: nothing can be written into the folder {str(target.parent)!r}")
    return target


def write_workbook(results: pd.DataFrame, out: Path, source: pd.DataFrame | None) -> tuple[str, Path]:
    """Write the review workbook, or at least the results: a full disk or a second Ctrl-C must not lose them.

    Returns
    -------
    str
        ``"Workbook"`` or ``"Results"``.
    pathlib.Path
        Where it is.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            written = verbs.to_excel(results, out, source=source)
        except (OSError, ReportFlowError, KeyboardInterrupt) as reason:
            rescue = _free(out.with_name(f"{out.stem}-results.csv"))
            complain(f"The workbook {out} could not be written: {reason or 'interrupted'}")
            results.to_csv(rescue, index_label="index")
            return "Results", rescue
    for warning in told:
        complain(str(warning.message))
    return "Workbook", written


def _free(path: Path) -> Path:
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate


def columns_shown(frame: pd.DataFrame, names: Sequence[str] | None) -> pd.DataFrame:
    """Return the columns that a reviewer sees beside the results; all, if none were chosen."""
    if names is None:
        return frame
    columns = [called(frame, name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column not in frame.columns:
            raise ConfigurationError(
                f"--show {name}: there is no such column. Columns: "
                f"{', '.join(map(repr, frame.columns[:20].tolist()))}"
            )
    return frame[columns]


def table(frame: pd.DataFrame) -> str:
    """Return a small frame as text, whole, its columns as wide as a terminal shows them."""
    texts = [["" if cell is None or cell != cell else str(cell) for cell in frame[name]] for name in frame.columns]  # noqa: PLR0124 - NaN
    columns = [[str(name), *cells] for name, cells in zip(frame.columns, texts, strict=True)]
    widths = [max(map(_width, column)) for column in columns]
    lines = []
    for line in zip(*columns, strict=True):
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """Return how many places a terminal gives a text: two for a kanji."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
