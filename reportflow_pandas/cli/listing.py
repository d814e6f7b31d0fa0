"""The workspace's designs, and the parameters of one."""

from __future__ import annotations

import argparse

import reportflow_pandas as rf
from reportflow_pandas.cli.output import ACCEPTED, say, table
from reportflow_pandas.cli.serve import local_for

__all__ = ["designs", "parameters"]


def designs(arguments: argparse.Namespace) -> int:
    """Print the designs."""
    with local_for(wanted=arguments.local):
        found = rf.designs()
    found["updated_at"] = found["updated_at"].dt.strftime("%Y-%m-%d")
    say(table(found))
    return ACCEPTED


def parameters(arguments: argparse.Namespace) -> int:
    """Print what a design takes."""
    with local_for(wanted=arguments.local):
        found = rf.parameters(arguments.design, arguments.version)
    say(table(found))
    return ACCEPTED
