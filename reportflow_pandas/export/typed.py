"""What a reviewer typed into a workbook that is written again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.reader import Line, Matches, read_lines, run_name

__all__ = ["Typed", "typed_before"]


@dataclass
class Typed:
    """Decisions and comments that are carried over.

    Attributes
    ----------
    decisions, comments : dict of int to str
        By position in the results.
    outdated : int
        Decisions about documents that were made anew since.
    keep_old : str
        Why the old file must not be lost; empty: everything of it is in the new one.
    """

    decisions: dict[int, str] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    outdated: int = 0
    keep_old: str = ""


def typed_before(target: Path, results: pd.DataFrame) -> Typed:
    """Return what the workbook that is at ``target`` now holds of its reviewer."""
    typed = Typed()
    if not target.exists() or target.stat().st_size == 0:
        return typed
    try:
        reviewed = read_lines(target)
    except PermissionError:
        return typed  # open in Excel: it will be left alone
    except ConfigurationError as error:
        typed.keep_old = f"{str(target)!r} was there already and could not be carried over: {error}."
        return typed
    found, ours, lost = Matches(results), run_name(results), 0
    for line in reviewed.lines:
        if line.decision is None and line.comment is None:
            continue
        at, same = found.place(line)
        if at is None or line.run != ours:
            lost += 1
        else:
            _take(typed, line, at, same=same)
    if lost:
        typed.keep_old = (
            f"{str(target)!r} held {lost:,} decisions or comments on documents that are not among these."
        )
    elif reviewed.added:
        typed.keep_old = f"{str(target)!r} held columns of its reviewer: {', '.join(reviewed.added[:5])}."
    return typed


def _take(typed: Typed, line: Line, at: int, *, same: bool) -> None:
    if line.comment is not None:
        typed.comments[at] = line.comment
    if line.decision is not None and same:
        typed.decisions[at] = line.decision
    elif line.decision is not None:
        typed.outdated += 1
