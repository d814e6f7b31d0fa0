"""A call whose intent the ledger refused."""

from __future__ import annotations

import pytest

from reportflow_pandas.engine.outcomes import Outcome, Outcomes
from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.refused_intent import refuse


def test_a_call_that_nothing_known_stands_against_is_not_tried_for_ever() -> None:
    """Without its rows the rest would be the same call, and be refused again."""
    standing = [(Outcome(3, "not_sent"), "not_sent"), (Outcome(4, "failed"), "failed")]
    with pytest.raises(JournalError, match=r"row 3, 4 of run 'november' could not be marked.*it was not sent"):
        refuse(standing, Outcomes(["a", "b", "c", "d", "e"]), set(), range(5), "november")
