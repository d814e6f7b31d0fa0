"""Nothing reads a journal on the event loop: not its rows, not its documents, not what others marked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.virtual_service import people, plain, sent

import reportflow_pandas as rf
from reportflow_pandas.engine import batching
from reportflow_pandas.journal import ledger_queries
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.results import mail_columns

READERS = [
    "fill",
    "frame_of",
    "keys_of",
    "learn_marks",
    "numbers_of",
    "pending_after",
    "show_before",
    "statuses_of",
]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bool]]:
    """By the name of what reads: whether it did so on an event loop."""
    seen: dict[str, set[bool]] = {}

    def watched(name: str, reads: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*given: Any, **more: Any) -> Any:
            seen.setdefault(name, set()).add(asyncio._get_running_loop() is not None)
            return reads(*given, **more)

        return reading

    for name in READERS:
        monkeypatch.setattr(ledger_queries, name, watched(name, getattr(ledger_queries, name)))
    monkeypatch.setattr(mail_columns, "mails_of", watched("mails_of", mail_columns.mails_of))
    return seen


def test_a_run_reads_its_journal_beside_the_event_loop(
    local: Callable[..., LocalService], read: dict[str, set[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generated, with more rows than are held in memory; resumed, corrected, made again."""
    monkeypatch.setattr(batching, "MOST_HELD", 300)
    service = local(faults=[Fault("bad_document", file_name="Person 7", times=None)])
    frame = people(1500)
    results = frame.reportflow.generate(**plain(), run="november")
    assert results["status"].value_counts().to_dict() == {"accepted": 1499, "failed": 1}
    frame = frame.replace({"name": {"Person 7": "Mended 7"}})
    results.reportflow.retry(source=frame)
    frame.reportflow.generate(**plain(), run="november", again=[3])
    assert rf.resume("november")["status"].eq("accepted").all()
    assert sent(service)["Person 3"] == 2
    assert sent(service).total() == 1501
    assert read == {name: {False} for name in [*READERS, "mails_of"]}
