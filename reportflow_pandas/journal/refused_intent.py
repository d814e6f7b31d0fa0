"""Nothing is sent twice: what it means that the guard, `_INTEND` in ``journal/ledger.py``, refused an intent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reportflow_pandas.engine.outcomes import ACCEPTED, AcceptedMeanwhile, Outcome, Outcomes
from reportflow_pandas.errors import JournalError

__all__ = ["refuse"]


def refuse(
    standing: Sequence[tuple[Outcome, str]],
    outcomes: Outcomes,
    released: Collection[int],
    numbers: Sequence[int],
    run: str,
) -> None:
    """Raise for a call that must not be sent as it is.

    Parameters
    ----------
    standing : sequence of (Outcome, str)
        What the ledger knows of its rows, and their statuses.
    outcomes : Outcomes
        What this process knows: brought to what others found accepted.
    released : collection of int
        Documents that may be sent although they may have been accepted.
    numbers : sequence of int
        The document of each row.

    Raises
    ------
    AcceptedMeanwhile
        Others found rows of it accepted: the rest may be sent.
    JournalError
        It would be sent twice.
    """
    meanwhile = [
        outcome
        for outcome, word in standing
        if word in ACCEPTED and outcomes.status_of(outcome.row) not in ACCEPTED
    ]
    for outcome, status in standing:
        free = status in ("not_sent", "failed") or (status == "unknown" and numbers[outcome.row] in released)
        if outcome not in meanwhile and not free:
            word = "being sent" if status == "in_flight" else status
            raise JournalError(
                f"row {outcome.row} of run {run!r} is {word} already and was about to be sent again; it was not. "
                "This is an error of reportflow-pandas, please report it"
            )
    if not meanwhile:
        rows = ", ".join(str(outcome.row) for outcome, _ in standing)
        raise JournalError(
            f"row {rows} of run {run!r} could not be marked as being sent, although nothing known stands against "
            "it; it was not sent. This is an error of reportflow-pandas, please report it"
        )
    for outcome in meanwhile:
        outcomes.put(outcome)
    raise AcceptedMeanwhile([outcome.row for outcome in meanwhile])
