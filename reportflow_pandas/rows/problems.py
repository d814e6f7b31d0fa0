"""What the check found, one line each, and the refusal that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.printable import counted
from reportflow_pandas.reading.locations import headings_found
from reportflow_pandas.rows.mapping import Sources, paste

__all__ = ["COLUMNS", "Problem", "each_of", "problems_frame", "refuse", "warning_lines"]

COLUMNS = ["level", "column", "row", "count", "problem", "suggestion"]

SHOWN = 12
"""Errors in a message; all of them are in its ``.problems``."""


EXTRA_SHOWN = 8
"""Columns named in the line about those that are not sent."""


@dataclass(frozen=True)
class Problem:
    """One line of what ``check`` returns.

    Attributes
    ----------
    level : str
        ``"error"``: would print blank or be refused. ``"warning"``: worth a look.
    column : str
        Column, or parameter where there is none; ``Lines.Track`` in tables.
    problem, suggestion : str
        What is wrong; what to do.
    rows : sequence
        Labels of the rows concerned; empty when the whole column is meant.
    count : int
        Rows or other things concerned, where ``rows`` does not list them.
    kind : str
        ``"lines"``: lines without a document, or the other way round; ``"rest"``: the lines of documents that were
        left out, or that there are no rows; ``"extra"``: a column that is not sent. These two are told only beside
        something else. ``"unnamed"``: parameters without a column; a refusal has its own mapping to paste.
    each : sequence of Problem
        The problems that this one stands for, told in one line; a frame has a line of each.
    """

    level: str
    column: str
    problem: str
    suggestion: str
    rows: Sequence[Any] = ()
    count: int = 0
    kind: Literal["", "lines", "rest", "extra", "unnamed"] = ""
    each: Sequence[Problem] = ()


def each_of(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems one by one, those that stand in another too."""
    return [part for problem in problems for part in problem.each or (problem,)]


def problems_frame(problems: Sequence[Problem]) -> pd.DataFrame:
    """Return problems as a frame of the columns `COLUMNS`, a line each; ``row`` is the first label concerned."""
    problems = each_of(problems)
    return pd.DataFrame(
        {
            "level": pd.Series([problem.level for problem in problems], dtype="str"),
            "column": pd.Series([problem.column for problem in problems], dtype="str"),
            "row": pd.Series(
                [problem.rows[0] if len(problem.rows) else None for problem in problems], dtype=object
            ),
            "count": pd.Series([problem.count or len(problem.rows) for problem in problems], dtype="int64"),
            "problem": pd.Series([problem.problem for problem in problems], dtype="str"),
            "suggestion": pd.Series([problem.suggestion for problem in problems], dtype="str"),
        },
        columns=COLUMNS,
    )


def warning_lines(problems: Sequence[Problem]) -> tuple[list[str], list[str]]:
    """Return what looks odd, a line each, lines without a document first; and what is told beside it."""
    warnings = [problem for problem in problems if problem.level == "warning"]
    odd = [problem for problem in warnings if problem.kind in ("", "lines")]
    odd.sort(key=lambda problem: problem.kind != "lines")
    beside = [problem.problem for problem in warnings if problem.kind == "rest"]
    extra = [problem.column for problem in each_of(warnings) if problem.kind == "extra"]
    if extra:
        names = ", ".join(extra[:EXTRA_SHOWN]) + (", …" if len(extra) > EXTRA_SHOWN else "")
        are = "column is" if len(extra) == 1 else "columns are"
        beside.append(f"{len(extra):,} {are} no parameter of the design and not sent ({names})")
    return [_spelled(problem).rstrip(" .") for problem in odd], beside


def refuse(
    problems: Sequence[Problem], frame: pd.DataFrame, sources: Sources, parameters: Sequence[Parameter]
) -> None:
    """Raise for the problems of level ``error``, with all of them in the text and a mapping to paste.

    Raises
    ------
    InvalidRows
        ``.problems`` is the frame of all problems, ``.rows`` the labels of the rows concerned.
    """
    errors = [problem for problem in problems if problem.level == "error"]
    if not errors:
        return
    lines = [
        f"  - {problem.problem if problem.kind == 'unnamed' else _spelled(problem)}" for problem in errors[:SHOWN]
    ]
    if len(errors) > SHOWN:
        lines.append(f"  - and {len(errors) - SHOWN:,} more: df.reportflow.check(...) lists them")
    rows = list(dict.fromkeys(row for problem in errors for row in problem.rows))
    count = len(each_of(errors))
    text = (
        f"the documents would print blank or be refused; nothing was sent ({counted(count, 'problem')}):\n"
        + "\n".join(lines)
    )
    odd, _ = warning_lines(problems)
    if odd:
        text += "\nThis looks odd too, and is sent as it is as soon as nothing is refused:\n"
        text += "\n".join(f"  - {line}" for line in odd[:SHOWN])
        text += f"\n  - and {len(odd) - SHOWN:,} more" if len(odd) > SHOWN else ""
    if any("params" in problem.suggestion for problem in errors):
        text += f"\nTo correct and paste:\n{paste(frame, sources, parameters)}"
    found = headings_found(frame) if not any(source.column in frame.columns for source in sources) else ""
    text += f"\n{found}." if found else ""
    text += "\ncheck='warn' goes on all the same."
    raise InvalidRows(text, rows, problems_frame(problems))


def _spelled(problem: Problem) -> str:
    """Return a problem and what to do about it as sentences."""
    end = "" if problem.problem.endswith(("?", ".", "!")) else "."
    return f"{problem.problem}{end} {problem.suggestion}".rstrip()
