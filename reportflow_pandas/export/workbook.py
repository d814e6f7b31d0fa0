"""The workbook that a colleague reviews: a summary, the documents, those that need a look, the run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from openpyxl import Workbook

from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine.outcomes import NOT_ACCEPTED
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.atomic_write import checked_path, place
from reportflow_pandas.export.cells import Sanitiser
from reportflow_pandas.export.columns import LONGEST_LABEL
from reportflow_pandas.export.cover import Cover
from reportflow_pandas.export.look_first import LookFirst, write_look_first
from reportflow_pandas.export.review import Typed, typed_before
from reportflow_pandas.export.sheets import Layout, write_rows
from reportflow_pandas.export.source_columns import beside
from reportflow_pandas.export.texts import WORDS, Language
from reportflow_pandas.results.index_labels import lost_labels
from reportflow_pandas.results.summary import checked_results, without_pdf_for_good

__all__ = ["write_workbook"]


def write_workbook(
    results: pd.DataFrame,
    path: str | Path,
    source: pd.DataFrame | Sequence[str] | None = None,
    *,
    language: Language = "en",
    looks: Sequence[LookFirst] = (),
    not_judged: Mapping[str, str] | None = None,
) -> Path:
    """Write a results frame as an Excel workbook for review.

    Sheets: ``Summary`` for a manager; ``Results`` with a line for each document, its links, and the columns
    ``decision`` and ``comment`` to fill in; ``Failed`` with what failed, is unknown or was not sent, and what
    to do; ``Run``. Written beside its place and moved into it. Decisions and comments that were typed into
    the workbook at ``path`` are kept for the same documents.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame, also a filtered or sorted part of one.
    path : str or pathlib.Path
        Ends in ``.xlsx``. Links to PDFs on disk are relative to its folder.
    source : pandas.DataFrame or list of str, optional
        The frame that the run came from, or some of its columns (``df[["Customer", "Total"]]``), to stand
        beside the results; matched by position. A list of names: columns that were added to ``results``.
    language : {"en", "ja"}
        Language of headings, statuses, decisions and explanations.
    looks : sequence of LookFirst
        Documents of the sheet *Look first*, in their order; none: there is no such sheet.
    not_judged : mapping, optional
        What was not judged when the PDFs were read back, and why.

    Returns
    -------
    pathlib.Path
        Where it was written: ``path``, or a dated name beside it while ``path`` is open in Excel.

    Warns
    -----
    FileKept
        ``path`` is open in Excel and was left alone, or it held something that the new workbook does not and
        was kept under a dated name.

    Raises
    ------
    ConfigurationError
        Not a results frame, lines of several runs, another suffix, a source of other rows.

    Examples
    --------
    >>> results.reportflow.to_excel("review.xlsx", source=df)          # doctest: +SKIP
    PosixPath('review.xlsx')
    """
    if language not in WORDS:
        raise ConfigurationError(f"language={language!r}: either 'en' or 'ja'")
    words = WORDS[language]
    _refuse_several_runs(checked_results(results))
    _refuse_lost_labels(results)
    target = checked_path(path, ".xlsx")
    extra = beside(results, source)
    typed = typed_before(target, results)
    layout = Layout(results, extra, words, Sanitiser())
    return place(
        target,
        partial(_write, layout, typed, target, looks=looks, not_judged=not_judged or {}),
        keep_old=typed.keep_old,
        leave_old=typed.leave_old,
        clock=SYSTEM_CLOCK,
    )


def _refuse_lost_labels(results: pd.DataFrame) -> None:
    """Refuse labels that the workbook can't bring back: decisions would belong to no row."""
    lost = lost_labels(results.index, LONGEST_LABEL)
    if lost:
        label = results.index[lost[0]]
        shown = f"{label!r:.60}" + ("…" if len(repr(label)) > 60 else "")
        count = f"{len(lost):,} labels" if len(lost) > 1 else "one label"
        raise ConfigurationError(
            f"the index has {count} that no cell can bring back, first {shown} in row {lost[0]}, so read_review "
            "could not tell which document a decision is about; nothing was written. Write these results with an "
            "index of short texts, numbers or dates: results.set_axis(range(len(results)))"
        )


def _write(
    layout: Layout,
    typed: Typed,
    target: Path,
    temporary: Path,
    *,
    looks: Sequence[LookFirst],
    not_judged: Mapping[str, str],
) -> None:
    """Write the whole workbook to a temporary file."""
    results, words, sanitiser = layout.results, layout.words, layout.sanitiser
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "reportflow-pandas"
    workbook.properties.title = words.says["title"]
    try:
        first = workbook.create_sheet("Summary")
        frozen = len(layout.left())
        if looks:
            write_look_first(workbook, results, looks, typed, target=target, words=words)
        write_rows(
            workbook,
            "Results",
            layout.of_results(typed, target),
            sanitiser,
            rows=len(results),
            words=words,
            frozen=frozen,
        )
        chosen = (results["status"].isin(NOT_ACCEPTED) | without_pdf_for_good(results)).to_numpy()
        # What is changed on Failed was counted on Results already.
        failed = Layout(results.loc[chosen], layout.extra.lines(chosen), words, Sanitiser())
        write_rows(
            workbook,
            "Failed",
            failed.of_failed(),
            failed.sanitiser,
            rows=len(failed.results),
            words=words,
            frozen=frozen,
        )
        written = SYSTEM_CLOCK.now()
        Cover(results, words, target, written, not_judged).write_summary(first, typed, sanitiser.traps)
        Cover(results, words, target, written).write_run(workbook.create_sheet("Run"))
        workbook.save(temporary)
    except BaseException:
        for sheet in workbook.worksheets:
            with contextlib.suppress(Exception):
                sheet.close()  # else openpyxl's streams complain when they are collected
        raise


def _refuse_several_runs(results: pd.DataFrame) -> None:
    twice = results["row"].duplicated()
    if twice.any():
        raise ConfigurationError(
            f"{int(twice.sum()):,} lines have a row number that another line has too, so decisions could not "
            "be told "
            "apart. Probably results of several runs, or copies, were put together: write one workbook for "
            "each run"
        )
