"""An archive from a shell: ``reportflow-pandas archive DIR --check``."""

from __future__ import annotations

import argparse

from reportflow_pandas.cli.output import ACCEPTED, SOME_FAILED, say, shown, table
from reportflow_pandas.delivery.hand_over import check_archive
from reportflow_pandas.printable import counted

__all__ = ["archive"]


def archive(arguments: argparse.Namespace) -> int:
    """Hold the files of an archive against its index; 0: every byte is as it was, 1: something is not."""
    problems = check_archive(arguments.folder)
    if problems.empty:
        say(f"{shown(arguments.folder)}: every file is as it was handed over")
        return ACCEPTED
    say(table(problems))
    say(f"\n{counted(len(problems), 'file')} of {shown(arguments.folder)} not as handed over")
    return SOME_FAILED
