"""An unattended run can be read afterwards: what the log holds of it, and what it never holds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from worlds import people, plain

from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    records = [record for record in caplog.records if record.name == "reportflow_pandas"]
    return [record.getMessage() for record in records if record.levelno == level]


def test_a_run_has_a_line_at_its_start_and_one_at_its_end(
    service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "reportflow_pandas"):
        people(7).reportflow.generate(**plain(), run="november")
    start, end = lines(caplog, logging.INFO)
    assert start == "run november: 7 rows for design certificate"
    assert end.startswith("run november ended after ")
    assert "'accepted': 7" in end
    assert not lines(caplog, logging.WARNING)


def test_each_row_that_failed_is_a_warning_with_the_words_of_the_service(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    service = local(faults=[Fault("bad_document", file_name=f"Person {row}", times=None) for row in (3, 5)])
    with caplog.at_level(logging.WARNING, "reportflow_pandas"):
        results = people(8).reportflow.generate(**plain())
    told = lines(caplog, logging.WARNING)
    assert [line.split(":")[0] for line in told] == ["row 3", "row 5"]
    for row, line in zip((3, 5), told, strict=True):
        assert line == f"row {row}: failed, invalid: {results['error'].iloc[row]}"
    assert len(service.documents) == 6


def test_a_row_whose_entry_is_missing_is_a_warning_with_its_request_id(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    local(faults=[Fault("missing_entries", file_name="Person 4")])
    with caplog.at_level(logging.WARNING, "reportflow_pandas"):
        results = people(8).reportflow.generate(**plain())
    assert results["status"].iloc[4] == "unknown"
    (line,) = lines(caplog, logging.WARNING)
    assert line.startswith("row 4: ")
    assert results["request_id"].iloc[4] in line


def test_every_call_is_a_line_for_those_who_look_closer(
    service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
        results = people(250).reportflow.generate(**plain())
    calls = [line for line in lines(caplog, logging.DEBUG) if line.startswith("POST")]
    assert len(calls) == service.counts()["async/multiple"] == 3
    assert {line.rpartition(" request ")[2] for line in calls} == set(results["request_id"])


def test_the_log_holds_no_value_of_a_document_and_no_key(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    service = local(faults=[Fault("status:500", times=2), Fault("dropped_after", at=5)])
    frame = people(8).assign(secret="Confidential words")
    options = {**plain(), "params": {"RecipientName": "secret"}, "endpoint": "async/single", "backoff": 0.001}
    with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
        results = frame.reportflow.generate(**options)
    assert set(results["status"]) == {"accepted", "unknown"}
    assert len(lines(caplog, logging.WARNING)) >= 3
    assert "Confidential" not in caplog.text
    assert service.app_key not in caplog.text


def test_the_log_is_silent_unless_somebody_asks_for_it() -> None:
    assert any(
        isinstance(handler, logging.NullHandler) for handler in logging.getLogger("reportflow_pandas").handlers
    )
