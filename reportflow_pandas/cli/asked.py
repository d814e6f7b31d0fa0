"""What a command line and its job file ask for: the rows, the design, the shared arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.cli.job_file import JobFile, arguments_for, reading_of
from reportflow_pandas.cli.output import complain
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.read_rows import read_file
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.settings import current

__all__ = ["Asked"]


@dataclass
class Asked:
    """The rows of a file, and what is made of them.

    Attributes
    ----------
    rows : pathlib.Path
        The file.
    design : str
        Its id.
    job : JobFile
        The job file, an empty one where there is none.
    frame : pandas.DataFrame
        The rows.
    chosen : dict
        The shared arguments.
    """

    rows: Path
    design: str
    job: JobFile
    frame: pd.DataFrame
    chosen: dict[str, Any]

    @classmethod
    def to(cls, verb: str, arguments: argparse.Namespace, job: JobFile) -> Asked:
        """Read what a command was asked.

        Parameters
        ----------
        verb : str
            The command, for messages.
        arguments : argparse.Namespace
            What was typed.
        job : JobFile
            What the job file says.

        Raises
        ------
        ConfigurationError
            No file, no design, no key; a file that can't be read.
        """
        rows = arguments.file or job.place("file")
        if rows is None:
            raise ConfigurationError(f"which rows? reportflow-pandas {verb} orders.csv --design …")
        design = arguments.design or job.entries.get("design") or job.entries.get("design_id")
        if design is None:
            raise ConfigurationError("--design is missing: which design? reportflow-pandas designs lists yours")
        if not arguments.local:
            _need_key()
        reading = _reading(arguments, job)
        frame = read_file(rows.expanduser(), reading)
        # sheet, header and text belong to the rows; the tables name their own
        of_tables = Reading(
            decimal=reading.decimal,
            thousands=reading.thousands,
            encoding=reading.encoding,
            separator=reading.separator,
            as_shown=reading.as_shown,
            hidden=reading.hidden,
            totals=reading.totals,
            keep_unknown=True,
            say=complain,
        )
        frame, chosen = arguments_for(frame, job, reading=of_tables)
        return cls(rows, design, job, frame, chosen | _typed(arguments))


def _need_key() -> None:
    try:
        current().checked()
    except ConfigurationError as reason:
        settings = current()
        if settings.app_key or settings.client_id or settings.client_secret:
            raise
        raise ConfigurationError(
            "no key for Report Flow. Set yours in the environment: export REPORT_FLOW_APP_KEY=ak_… (in the web "
            "app: Workspace settings, Developer, API key). Or try it without an account: add --local"
        ) from reason


def _reading(arguments: argparse.Namespace, job: JobFile) -> Reading:
    said = reading_of(job.entries, Reading(say=complain))
    separator = arguments.separator or said.separator
    return Reading(
        sheet=arguments.sheet or said.sheet,
        header=arguments.header or said.header,
        text=[*said.text, *_all(arguments.text)],
        decimal=arguments.decimal or said.decimal,
        thousands=arguments.thousands or said.thousands,
        encoding=arguments.encoding or said.encoding,
        separator="\t" if separator in ("TAB", "\\t") else separator,
        as_shown=arguments.as_shown or said.as_shown,
        hidden=arguments.hidden or said.hidden,
        totals=arguments.totals or said.totals,
        keep_unknown=True,  # the design tells which columns matter
        say=complain,
    )


def _all(given: Sequence[str] | None) -> Sequence[str]:
    return given or ()


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the shared arguments that were typed: they win over the job file."""
    typed = {
        "version": arguments.version,
        "file_name": arguments.file_name,
        "download": vars(arguments).get("download"),
        "verify": vars(arguments).get("verify"),
        "run": vars(arguments).get("run"),
        "group_by": arguments.group_by,
        "max_documents": vars(arguments).get("max_documents"),
        "check": {"on": True, "warn": "warn", "off": False, None: None}[vars(arguments).get("check")],
        "progress": arguments.progress,
    }
    return {name: value for name, value in typed.items() if value is not None}
