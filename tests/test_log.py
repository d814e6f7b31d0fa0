"""An unattended run can be read afterwards: what the log holds of it, and what it never holds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from support.virtual_service import people, plain

import reportflow_pandas as rf
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
        results = people(8).reportflow.generate(**plain(), run="november")
    told = lines(caplog, logging.WARNING)
    assert [line.split(":")[0] for line in told] == ["run november, row 3", "run november, row 5"]
    for row, line in zip((3, 5), told, strict=True):
        assert line == f"run november, row {row}: failed, invalid: {results['error'].iloc[row]}"
    assert len(service.documents) == 6


def test_a_row_whose_entry_is_missing_is_a_warning_with_its_request_id(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    local(faults=[Fault("missing_entries", file_name="Person 4")])
    with caplog.at_level(logging.WARNING, "reportflow_pandas"):
        results = people(8).reportflow.generate(**plain(), run="november")
    assert results["status"].iloc[4] == "unknown"
    (line,) = lines(caplog, logging.WARNING)
    assert line.startswith("run november, row 4: ")
    assert results["request_id"].iloc[4] in line


def test_why_a_run_ended_early_is_an_error_with_the_class_and_the_words_of_the_service(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    service = local(faults=[Fault(status=403, message="権限がありません", times=None)])
    with caplog.at_level(logging.INFO, "reportflow_pandas"), pytest.raises(rf.AuthError):
        people(200).reportflow.generate(**plain(), run="november")
    (line,) = lines(caplog, logging.ERROR)
    assert line.startswith("run november ended early: AuthError: the service answered 403: 権限がありません")
    assert lines(caplog, logging.INFO)[-1].startswith("run november ended after ")
    assert service.app_key not in caplog.text
    assert service.counts().total() == 1


def test_rows_that_cannot_be_sent_end_a_run_without_their_words_in_the_log(
    service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    """What such an error quotes is for the person at the screen."""
    frame = people(3).assign(Confidential=[object()] * 3)
    with caplog.at_level(logging.DEBUG, "reportflow_pandas"), pytest.raises(rf.InvalidRows, match="Confidential"):
        frame.reportflow.generate(**plain(), passthrough=["Confidential"], run="november")
    (line,) = lines(caplog, logging.ERROR)
    assert line == ("run november ended early: InvalidRows: rows or columns of the frame cannot become documents")
    assert "Confidential" not in caplog.text
    assert not service.documents


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


def test_the_log_is_silent_unless_it_is_asked_for() -> None:
    assert any(
        isinstance(handler, logging.NullHandler) for handler in logging.getLogger("reportflow_pandas").handlers
    )
