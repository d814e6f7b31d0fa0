"""A reviewed workbook becomes a frame again."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.export.reviewed_lines import Line, Matches, Reviewed, read_lines, run_name
from reportflow_pandas.export.texts import DECISIONS, REVIEW_ATTRS, WORDS, decision_of, plain
from reportflow_pandas.next_steps import read_with_its_own_run
from reportflow_pandas.results.index_labels import rebuilt
from reportflow_pandas.results.summary import checked_results
from reportflow_pandas.settings import absolute_path

__all__ = ["Typed", "read_review", "typed_before"]

_SHOWN = 10


def read_review(path: str | Path, results: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read the decisions and comments of a reviewed workbook.

    The documents are known by hidden columns, so the reviewer may sort, filter, delete rows, add, move and
    rename columns and save with Excel or LibreOffice.

    Parameters
    ----------
    path : str or pathlib.Path
        A workbook written by ``results.reportflow.to_excel(path)``.
    results : pandas.DataFrame, optional
        The results frame that the workbook was written from, or a part of it. Then the answer has its index
        and its order, and a workbook of another run is refused.

    Returns
    -------
    pandas.DataFrame
        Columns ``decision`` (``approve``, ``redo``, ``reject``, missing where nothing was chosen; Japanese
        words come back as these) and ``comment`` (text or missing). Without ``results``: one line for each
        document still in the workbook, in the order of the run, with the index of the results frame and its
        types. With ``results``: one line for each of its documents; those deleted from the workbook, and
        those whose document was made again since, have no decision. Comments on one document on two sheets
        are joined: ``"the address is old; logo too small"``.

    Raises
    ------
    InvalidRows
        A word that is no decision; the message names the cells, ``.rows`` their labels.
    ConfigurationError
        Not a workbook of ours, one of another run, or one whose hidden columns no longer fit its rows.

    Examples
    --------
    >>> review = read_review("review.xlsx")                               # doctest: +SKIP
    >>> df.reportflow.generate(design, run="november", again=review.decision == "redo")   # doctest: +SKIP
    """
    if results is not None:
        checked_results(results)
    reviewed = read_lines(absolute_path(path, "path"))
    if results is not None:
        _refuse_other_run(reviewed, results)
    elif len(runs := sorted({line.run for line in reviewed.lines})) > 1:
        raise ConfigurationError(
            f"{str(path)!r} holds lines of several runs: {', '.join(map(repr, runs))}. Keep one run in a workbook"
        )
    lines = _unique(reviewed.lines)
    decisions = _decisions(lines)
    if results is None:
        order = sorted(range(len(lines)), key=lambda at: lines[at].row)
        index = rebuilt([_label(lines[at]) for at in order], reviewed.index)
        frame = _frame([decisions[at] for at in order], [lines[at].comment for at in order], index)
        return _signed(frame, reviewed, lines, decisions)
    found = Matches(results)
    chosen: list[str | None] = [None] * len(results)
    comments: list[str | None] = [None] * len(results)
    for line, decision in zip(lines, decisions, strict=True):
        place, same = found.place(line)
        if place is not None:
            chosen[place] = decision if same else None
            comments[place] = line.comment
    return _signed(_frame(chosen, comments, results.index), reviewed, lines, decisions)


def _signed(
    frame: pd.DataFrame, reviewed: Reviewed, lines: list[Line], decisions: list[str | None]
) -> pd.DataFrame:
    """Note what the decisions are about: a document that is made again later was not approved."""
    approved = [
        line.file_id
        for line, decision in zip(lines, decisions, strict=True)
        if decision == "approve" and line.file_id is not None
    ]
    frame.attrs[REVIEW_ATTRS] = json.dumps({"run": reviewed.run, "approved": approved})
    return frame


def _unique(lines: list[Line]) -> list[Line]:
    """Return one line for each document; copies must not contradict each other."""
    seen: dict[tuple[str, int], int] = {}
    kept: list[Line] = []
    for line in lines:
        document = (line.run, line.row)
        if document not in seen:
            seen[document] = len(kept)
            kept.append(line)
            continue
        first = kept[seen[document]]
        if first.decision and line.decision and decision_of(first.decision) != decision_of(line.decision):
            raise ConfigurationError(
                f"{first.cell}: {first.decision!r}, and {line.cell}: {line.decision!r} are about the same "
                "document "
                f"({line.file_name}, row {line.row}). Make them alike, or empty one of the two"
            )
        kept[seen[document]] = first._replace(
            decision=first.decision or line.decision, comment=_both(first.comment, line.comment)
        )
    return kept


def _both(comment: str | None, more: str | None) -> str | None:
    """Return what was said of a document on two sheets, each word once."""
    if comment is None or more is None:
        return comment or more
    said, added = plain(comment), plain(more)
    if added in said:
        return comment
    return more if said in added else f"{comment.rstrip()}; {more.lstrip()}"


def _decisions(lines: list[Line]) -> list[str | None]:
    """Return the English decision of each line."""
    chosen = [None if line.decision is None else decision_of(line.decision) for line in lines]
    wrong = [line for line, decision in zip(lines, chosen, strict=True) if line.decision and decision is None]
    if wrong:
        told = [f"  {line.cell}: {_quoted(line.decision)}{_meant(line.decision)}" for line in wrong[:_SHOWN]]
        if len(wrong) > _SHOWN:
            told.append(f"  and {len(wrong) - _SHOWN:,} more")
        words = ", ".join(f"{decision} ({WORDS['ja'].decisions[decision]})" for decision in DECISIONS)
        raise InvalidRows(
            f"{len(wrong):,} decision{'s are' if len(wrong) > 1 else ' is'} not one of {words}:\n"
            + "\n".join(told)
            + "\nCorrect or empty these cells, save, and read again",
            rows=[label[0] if len(label) == 1 else tuple(label) for label in map(_label, wrong)],
        )
    return chosen


def _quoted(text: str | None) -> str:
    return json.dumps(text if len(text or "") <= 60 else f"{(text or '')[:60]}…", ensure_ascii=False)


def _meant(text: str | None) -> str:
    words = {plain(word): word for language in WORDS.values() for word in language.decisions.values()}
    close = difflib.get_close_matches(plain(text), words, n=1, cutoff=0.5)
    return f" (did you mean {words[close[0]]!r}?)" if close else ""


def _refuse_other_run(reviewed: Reviewed, results: pd.DataFrame) -> None:
    ours = run_name(results)
    others = sorted({line.run for line in reviewed.lines if line.run} - {ours})
    if ours and others:
        raise ConfigurationError(
            f"{str(reviewed.path)!r} holds the run {', '.join(map(repr, others))}, but these results are of "
            "the run "
            f"{ours!r}. {read_with_its_own_run(others[0])}"
        )


def _frame(decisions: list[str | None], comments: list[str | None], index: pd.Index[Any]) -> pd.DataFrame:
    text = (
        "str"
        if pd.api.types.is_string_dtype(pd.Series(["a"])) and int(pd.__version__.split(".")[0]) >= 3
        else object
    )
    return pd.DataFrame(
        {
            "decision": pd.Series(decisions, dtype=text, index=index),
            "comment": pd.Series(comments, dtype=text, index=index),
        },
        index=index,
    )


def _label(line: Line) -> list[Any]:
    return [line.row] if line.label is None else line.label


# what a workbook that is written again keeps


@dataclass
class Typed:
    """Decisions and comments that are carried over.

    Attributes
    ----------
    decisions, comments : dict of int to str
        By position in the results.
    outdated : int
        Decisions about documents that were made again since.
    keep_old : str
        Why the old file must not be lost; empty: everything of it is in the new one.
    leave_old : str
        Why the old file must be left as it is: nothing of it could be read.
    """

    decisions: dict[int, str] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    outdated: int = 0
    keep_old: str = ""
    leave_old: str = ""


def typed_before(target: Path, results: pd.DataFrame) -> Typed:
    """Return what the workbook that is at ``target`` now holds of its reviewer."""
    typed = Typed()
    if not target.exists() or target.stat().st_size == 0:
        return typed
    try:
        reviewed = read_lines(target)
    except PermissionError as error:
        # on Windows Excel holds it; elsewhere its permissions forbid it
        typed.leave_old = f"cannot be read ({error.strerror or error}), so what a reviewer typed would be lost"
        return typed
    except ConfigurationError as error:
        typed.keep_old = f"{str(target)!r} was there already and could not be carried over: {error}."
        return typed
    try:
        lines = _unique(reviewed.lines)
    except ConfigurationError as error:
        typed.keep_old = (
            f"{str(target)!r} holds decisions that contradict each other, none of them was carried over: {error}."
        )
        return typed
    found, ours, lost = Matches(results), run_name(results), 0
    for line in lines:
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
