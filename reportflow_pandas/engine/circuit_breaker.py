"""Single documents refused in the same words, one after the other: that is not the rows, and the run ends."""

from __future__ import annotations

from collections import deque

from reportflow_pandas.errors import ApiError, ReportFlowError
from reportflow_pandas.next_steps import after_equal_refusals

__all__ = ["Alike"]

IN_A_ROW = 10
"""So many documents refused in the same words, and none accepted: that is not the rows."""


class Alike:
    """The refusals of a run, whoever carries it out.

    Parameters
    ----------
    rows : int
        Of the run: one that has no more than `IN_A_ROW` is never ended.
    """

    def __init__(self, rows: int) -> None:
        self._few = rows <= IN_A_ROW
        self._last: deque[str] = deque(maxlen=IN_A_ROW)
        self._any_accepted = False
        self._ended_by: ReportFlowError | None = None

    def accepted(self) -> None:
        """Say that the service took a document: refusals are the rows' own."""
        self._any_accepted = True

    def refused(self, words: str, error: ReportFlowError) -> bool:
        """Take a refusal in; return whether the run is to end with this error."""
        self._last.append(words)
        if self._few or self._any_accepted or len(self._last) < IN_A_ROW or len(set(self._last)) > 1:
            return False
        self._ended_by = self._ended_by or error
        return True

    def explained(self, error: ReportFlowError | None, not_sent: int) -> ReportFlowError | None:
        """Return a run's error; if it is what `refused` ended it with, then with why, and what to do.

        Asked when the calls in flight have their answers: only then is known how many rows were not sent.
        """
        if error is None or error is not self._ended_by:
            return error
        by_the_rows = isinstance(error, ApiError) and error.status < 500
        said = after_equal_refusals(IN_A_ROW, not_sent, by_the_rows=by_the_rows)
        if isinstance(error, ApiError):
            return type(error)(
                error.status, error.messages, request_id=error.request_id, retry_after=error.retry_after, hint=said
            )
        return type(error)(f"{error}. {said}")
