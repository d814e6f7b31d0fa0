"""Which documents may leave: those that a person approved, or that were read back without a finding."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export.texts import REVIEW_ATTRS
from reportflow_pandas.journal.events import events_of, note_event
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.next_steps import APPROVE_OR_VERIFY, READ_THIS_RUNS_WORKBOOK, READ_WORKBOOK_WITH_THESE
from reportflow_pandas.results.results_frame import known
from reportflow_pandas.results.summary import without_pdf_for_good
from reportflow_pandas.rows.input_frame import label_shown, rows_phrase
from reportflow_pandas.settings import Settings

__all__ = ["DeliveryWarning", "Release", "is_left_out", "note_decisions", "release"]

NO_PDF = "no PDF on this disk"
NEVER = "its PDF can never be made"
NOT_APPROVED = "not approved"
NOT_READ = "not read back"
NOT_OK = "the verdict is not ok"
MADE_ANEW = "approved, but made again since"
DECIDED = "the decision is "
_REASONS = (NO_PDF, NEVER, NOT_APPROVED, NOT_READ, NOT_OK, MADE_ANEW)


class DeliveryWarning(UserWarning):
    """Some rows have no document that could be passed on, or that may be."""


@dataclass(frozen=True)
class Release:
    """Rows whose documents may leave, and why the others may not.

    Attributes
    ----------
    positions : list of int
        Of the results, in their order.
    left_out : dict
        Reason -> positions.
    """

    positions: list[int]
    left_out: dict[str, list[int]] = field(default_factory=dict)

    def told(self, index: pd.Index[Any]) -> str:
        """Return why rows were left out, in one line."""
        return "; ".join(
            f"{rows_phrase([index[at] for at in positions])}: {reason}"
            for reason, positions in self.left_out.items()
        )


def release(results: pd.DataFrame, decisions: pd.DataFrame | None, *, verb: str, required: bool) -> Release:
    """Return which documents may leave.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame.
    decisions : pandas.DataFrame, optional
        Of ``read_review``: only ``approve`` leaves, whatever the verdict.
    verb : str
        For messages.
    required : bool
        Refuse results with neither decisions nor a column ``verdict``; else every document with a PDF leaves.

    Raises
    ------
    ConfigurationError
        Neither is there although it is required; the decisions are no review or those of another run.
    """
    if decisions is None and required and "verdict" not in results.columns:
        raise ConfigurationError(
            f"{verb} passes on what was approved or read back without a finding, and these results have neither. "
            f"{APPROVE_OR_VERIFY}"
        )
    decided = None if decisions is None else _decided(results, decisions)
    approved_files = _approved_files(decisions)
    verdicts = results["verdict"].tolist() if decided is None and "verdict" in results.columns else None
    positions: list[int] = []
    left_out: dict[str, list[int]] = {}
    never = without_pdf_for_good(results).tolist()

    def why_not(at: int, path: object, file_id: object) -> str:
        """Return why a document may not leave; nothing if it may."""
        if decided is not None and (word := decided[at]) != "approve":
            return f"{DECIDED}{word}" if isinstance(word, str) and word else NOT_APPROVED
        if decided is not None and approved_files is not None and file_id not in approved_files:
            return MADE_ANEW
        if not isinstance(path, str) or not Path(path).is_file():
            return NEVER if never[at] else NO_PDF
        if verdicts is not None and not isinstance(verdicts[at], str):
            return NOT_READ
        return NOT_OK if verdicts is not None and verdicts[at] != "ok" else ""

    for at, (path, file_id) in enumerate(zip(results["path"], results["file_id"], strict=True)):
        if reason := why_not(at, path, file_id):
            left_out.setdefault(reason, []).append(at)
        else:
            positions.append(at)
    return Release(positions, left_out)


def _decided(results: pd.DataFrame, decisions: pd.DataFrame) -> list[Any]:
    """Return the decision on each row of the results."""
    if not isinstance(decisions, pd.DataFrame) or "decision" not in decisions.columns:
        raise ConfigurationError(
            "decisions= takes the frame of a reviewed workbook: results.reportflow.read_review('review.xlsx')"
        )
    about, run = _about(decisions).get("run"), known(results).get("run")
    if about and run and about != run:
        raise ConfigurationError(
            f"decisions= are about run {about!r}, and these results are of run {run!r}; nothing was passed on. "
            f"{READ_THIS_RUNS_WORKBOOK}"
        )
    if decisions.index.equals(results.index):
        return list(decisions["decision"])
    for index, whose in ((decisions.index, "decisions="), (results.index, "the results")):
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise ConfigurationError(
                f"{whose} has the index label {label_shown(twice)} more than once, so it is not known which "
                f"document was approved. {READ_WORKBOOK_WITH_THESE}"
            )
    return list(decisions["decision"].reindex(results.index))


def is_left_out(reason: object) -> bool:
    """Tell the reason of a row that may not leave, or has nothing that could, from one that did not go out."""
    return isinstance(reason, str) and (reason.startswith(DECIDED) or reason in _REASONS)


def note_decisions(results: pd.DataFrame, decisions: pd.DataFrame | None, settings: Settings) -> None:
    """Write down in the run's ledger how many documents were approved, sent back and rejected."""
    run, folder = str(known(results).get("run") or ""), settings.runs
    if decisions is None or not run or not path_of(folder, run).exists():
        return
    words = Counter(word for word in decisions["decision"] if isinstance(word, str))
    last = {event.what: event.documents for event in events_of(folder, run)}
    for word in ("approve", "redo", "reject"):
        if last.get(word) == words[word]:
            continue  # the same review, used again
        note_event(folder, run, word, words[word], settings.clock)


def _about(decisions: pd.DataFrame | None) -> dict[str, Any]:
    text = None if decisions is None else decisions.attrs.get(REVIEW_ATTRS)
    return json.loads(text) if isinstance(text, str) else {}


def _approved_files(decisions: pd.DataFrame | None) -> set[str] | None:
    """Return the file ids that were approved; None where the decisions don't say."""
    files = _about(decisions).get("approved")
    return None if files is None else set(files)
