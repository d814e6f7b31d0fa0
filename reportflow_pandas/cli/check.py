"""A file is held against a design: ``reportflow-pandas check``."""

from __future__ import annotations

import argparse
from typing import Any

from reportflow_pandas.cli.asked import Asked
from reportflow_pandas.cli.job_file import JobFile
from reportflow_pandas.cli.output import ACCEPTED, REFUSED, say
from reportflow_pandas.cli.serve import local_for
from reportflow_pandas.cli.shell_words import in_a_shell
from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.plan import problems_of
from reportflow_pandas.printable import counted
from reportflow_pandas.reading.reading_options import listed
from reportflow_pandas.rows.problems import Problem, each_of, problems_frame

__all__ = ["check", "refuse_columns"]

OF_SENDING = {"run", "download", "max_documents", "check", "verify"}
"""Shared arguments that say nothing about the documents."""


def check(arguments: argparse.Namespace) -> int:
    """Print what is wrong, or looks wrong, with the rows of a file. Sends nothing that is billed.

    Returns
    -------
    int
        2: there are errors, which ``generate`` would refuse. 0: none, maybe warnings.

    Raises
    ------
    ReportFlowError
        The file, the design or the key.
    """
    job = JobFile.read(arguments.options) if arguments.options is not None else JobFile()
    asked = Asked.to("check", arguments, job)
    with local_for(wanted=arguments.local):
        problems = _problems(asked)
    for problem in problems:
        say(
            in_a_shell(f"{problem.level:<8} {problem.problem}"),
            colour="red" if problem.level == "error" else "yellow",
        )
        if problem.suggestion:
            say(in_a_shell(f"{'':<8} {problem.suggestion}"))
    each = each_of(problems)
    errors = sum(problem.level == "error" for problem in each)
    warnings = len(each) - errors
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    rows = counted(len(asked.frame), "row")
    say(f"{rows} of {asked.rows.name}, design {asked.design}: {found}. Nothing was sent.")
    return REFUSED if errors else ACCEPTED


def refuse_columns(asked: Asked) -> None:
    """Refuse a file without rows whose columns don't fit either: it is probably another file or sheet.

    Raises
    ------
    InvalidRows
        With the columns that are missing.
    """
    if asked.chosen.get("check", True) is not True:
        return
    problems = _problems(asked)
    errors = [problem.problem for problem in problems if problem.level == "error"]
    if errors:
        raise InvalidRows(
            f"{asked.rows.name} has headings ({listed(asked.frame.columns)}) and no rows, and the headings do "
            f"not fit "
            f"the design {asked.design}: is it another file, sheet or header line that is meant? Nothing was "
            f"sent:\n" + "\n".join(f"  - {error}" for error in errors),
            (),
            problems_frame(problems),
        )


def _problems(asked: Asked) -> list[Problem]:
    chosen: dict[str, Any] = {name: value for name, value in asked.chosen.items() if name not in OF_SENDING}
    try:
        return problems_of(asked.frame, asked.design, **chosen)
    except InvalidRows as refusal:
        if refusal.problems is None:
            raise
        told = refusal.problems[["level", "column", "problem", "suggestion"]]
        return [Problem(*line) for line in told.itertuples(index=False)]
