"""What became of a run's mails, as columns of its results: ``mail_status``, ``mail_error``, ``mailed_at``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reportflow_pandas.journal.mails import Mail, MailState, mails_of
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.results.results_frame import known, moments, text_column

__all__ = ["MailOutcome", "documents_mailed", "with_mails", "with_recorded_mails"]

_WORST: list[MailState] = ["sent", "not_sent", "failed", "unknown"]
"""Of several addresses of a row the worst outcome is shown."""


@dataclass(frozen=True, slots=True)
class MailOutcome:
    """What became of one message."""

    address: str
    state: MailState
    error: str | None = None
    at: float | None = None
    """Seconds since 1970, UTC; None: nothing was sent."""


def documents_mailed(results: pd.DataFrame) -> list[str]:
    """Return what each row's document is known by among the mails: its file id, else its request and name."""
    columns = (results["file_id"], results["request_id"], results["file_name"])
    return [
        file_id if isinstance(file_id, str) else f"{request}/{name}"
        for file_id, request, name in zip(*columns, strict=True)
    ]


def with_mails(
    results: pd.DataFrame, found: Mapping[int, Sequence[MailOutcome]], reasons: Mapping[int, str]
) -> pd.DataFrame:
    """Return results with the columns of the mails.

    Parameters
    ----------
    results : pandas.DataFrame
        Results frame.
    found : mapping
        Position -> what became of the messages to its addresses.
    reasons : mapping
        Position -> why it was sent no mail.
    """
    states: list[str] = ["not_sent"] * len(results)
    errors: list[str | None] = [reasons.get(at) for at in range(len(results))]
    moment = np.full(len(results), np.nan)
    for at, outcomes in found.items():
        worst = max(outcomes, key=lambda outcome: _WORST.index(outcome.state))
        states[at], errors[at] = worst.state, _errors_text(outcomes)
        if worst.state == "sent":
            moment[at] = max(mail.at or np.nan for mail in outcomes)
    frame = results.copy()
    frame["mail_status"] = text_column(states)
    frame["mail_error"] = text_column(errors)
    frame["mailed_at"] = moments(moment)
    return frame


def _errors_text(outcomes: Sequence[MailOutcome]) -> str | None:
    """Return what went wrong; of several addresses, at which."""
    if len(outcomes) == 1:
        return outcomes[0].error
    wrong = [mail for mail in outcomes if mail.state != "sent"]
    if not wrong:
        return None
    told = "; ".join(f"{mail.address}: {mail.state.replace('_', ' ')}, {mail.error}" for mail in wrong)
    return f"{told} ({len(outcomes) - len(wrong)} of {len(outcomes)} addresses: sent)"


def with_recorded_mails(results: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return results with what their run's ledger knows of mails; as they are where it sent none."""
    run = str(known(results).get("run") or "")
    if not run or not path_of(folder, run).exists():
        return results
    mails: dict[str, list[Mail]] = {}
    for mail in mails_of(folder, run):
        if mail.wanted or mail.state == "sent":
            mails.setdefault(mail.document, []).append(mail)
    if not mails:
        return results
    found = {
        at: [MailOutcome(mail.address, mail.state, mail.error, mail.answered_at) for mail in mails[document]]
        for at, document in enumerate(documents_mailed(results))
        if document in mails
    }
    return with_mails(results, found, {})
