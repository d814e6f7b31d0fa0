"""Functions in ``params=`` are the caller's: each is called once for each row that becomes a document."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from reportflow_pandas.local.service import LocalService

ROWS = 5

VERBS: dict[str, Callable[..., Any]] = {
    "generate": lambda frame, **more: frame.reportflow.generate(**more),
    "agenerate": lambda frame, **more: asyncio.run(frame.reportflow.agenerate(**more)),
    "submit": lambda frame, **more: frame.reportflow.submit(**more).result(),
    "plan": lambda frame, **more: frame.reportflow.plan(**more),
    "check": lambda frame, **more: frame.reportflow.check(**more),
}


def counted(frame: pd.DataFrame) -> tuple[Counter[Any], dict[str, Any]]:
    """Return what counts the rows that a function is called with, and the arguments of a call."""
    seen: Counter[Any] = Counter()

    def name(row: Any) -> str:
        seen[row.name] += 1
        return str(row["name"])

    return seen, {"design_id": "certificate", "version": 1, "params": {"RecipientName": name}, "check": "warn"}


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame({"name": [f"Person {number}" for number in range(ROWS)]}, index=list("abcde"))


@pytest.mark.parametrize("check", [True, "warn", False])
@pytest.mark.parametrize("verb", list(VERBS))
def test_a_function_is_called_once_for_each_row(
    service: LocalService, people: pd.DataFrame, verb: str, check: Any
) -> None:
    seen, arguments = counted(people)
    if check is True:
        rest = ["Course", "Date", "Instructor", "Organization", "Hours", "Title", "Description", "IssueDate"]
        arguments["params"] |= dict.fromkeys(rest)
        check = "warn"
    VERBS[verb](people, **{**arguments, "check": check})
    assert seen == dict.fromkeys("abcde", 1)


@pytest.mark.usefixtures("service")
def test_a_preview_calls_it_for_the_row_that_is_shown_alone(local: Any, people: pd.DataFrame) -> None:
    local(render=True)
    seen, arguments = counted(people)
    people.reportflow.preview(**arguments, row=3)
    people.reportflow.preview(**arguments, row=-1)
    assert seen == {"d": 1, "e": 1}


def test_an_earlier_run_that_goes_on_calls_it_once_again(service: LocalService, people: pd.DataFrame) -> None:
    seen, arguments = counted(people)
    for _ in range(2):
        people.reportflow.generate(**arguments, run="november")
    assert seen == dict.fromkeys("abcde", 2)
    assert len(service.documents) == ROWS
