"""A file of rows becomes documents and a workbook: ``reportflow-pandas generate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.cli.asked import Asked
from reportflow_pandas.cli.check import refuse_columns
from reportflow_pandas.cli.job_file import JobFile
from reportflow_pandas.cli.output import (
    INTERRUPTED,
    SOME_FAILED,
    columns_shown,
    complain,
    exit_code,
    ready_for,
    say,
    say_outcome,
    shown,
    with_places,
    write_workbook,
)
from reportflow_pandas.cli.serve import local_for
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.errors import ReportFlowError, RunInterrupted
from reportflow_pandas.generation import generate as generate_documents
from reportflow_pandas.next_steps import at_a_prompt
from reportflow_pandas.options import Options
from reportflow_pandas.printable import counted
from reportflow_pandas.rows.download_folders import download_root
from reportflow_pandas.rows.grouping import by_document

__all__ = ["generate"]


def generate(arguments: argparse.Namespace) -> int:
    """Generate a document for each row of a file, and write the review workbook.

    Returns
    -------
    int
        0: all accepted (and saved, where that was asked for). 1: some were not. 130: interrupted.

    Raises
    ------
    ReportFlowError
        Nothing was sent.
    """
    job = JobFile.read(arguments.options) if arguments.options is not None else JobFile()
    out = ready_for((arguments.out or job.place("out") or Path("review.xlsx")).expanduser())
    asked = Asked.to("generate", arguments, job)
    rows, design, frame, chosen = asked.rows, asked.design, asked.frame, asked.chosen
    documents = by_document(frame, Options.of(design, {"group_by": chosen.get("group_by")}).group_by_columns)
    source = with_places(columns_shown(documents, arguments.show or job.entries.get("show")), documents)
    download = "download" in chosen
    started = SYSTEM_CLOCK.monotonic()
    with local_for(wanted=arguments.local):
        if not len(frame):
            refuse_columns(asked)
        results, stopped, code = _sent(frame, design, chosen)
    seconds = SYSTEM_CLOCK.monotonic() - started
    what, written = write_workbook(results, out, source)
    run = results.attrs["reportflow"]
    name = design if run["design"] in ("", design) else f"{run['design']} ({design})"
    version = f", version {run['version']}" if run["version"] else ""
    say(f"{counted(len(results), 'row')} of {rows.name}, design {name}{version}:")
    say_outcome(results, download=download, rows=documents)
    say()
    say(f"{counted(int(run['calls']), 'generation call')}, {seconds:.1f} s")
    if download:
        say(f"PDFs      {shown(download_root(chosen['download']))} ({int(results['path'].notna().sum()):,})")
    say(f"{what:<9} {shown(written)}")
    if arguments.local and len(results) and not download:
        say("These documents were the embedded service's and are gone with it; --download DIR keeps their PDFs.")
    if stopped:
        complain(f"\n{stopped}")
    return code if code is not None else exit_code(results, download=download)


def _sent(frame: pd.DataFrame, design: str, chosen: dict[str, Any]) -> tuple[pd.DataFrame, str, int | None]:
    """Return the results, why the run ended early if it did, and the exit code that follows from that."""
    try:
        return generate_documents(frame, design, **chosen), "", None
    except RunInterrupted as interrupted:
        if not _anything_sent(interrupted.results):
            complain("Nothing was sent.")
            raise
        return (
            interrupted.results,
            f"Interrupted: what is missing was not sent. {at_a_prompt(interrupted.results.attrs['reportflow'])}",
            INTERRUPTED,
        )
    except ReportFlowError as error:
        if error.results is None or not _anything_sent(error.results):
            raise
        return (
            error.results,
            f"The run was stopped: {error}. {at_a_prompt(error.results.attrs['reportflow'])}",
            SOME_FAILED,
        )


def _anything_sent(results: pd.DataFrame | None) -> bool:
    return results is not None and bool((results["status"] != "not_sent").any())
