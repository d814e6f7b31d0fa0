"""Notifications: what is told, to whom, and that nothing is ended by one that fails."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.json_listener import Listener
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.notify import Notifier, ended

Start = Callable[..., LocalService]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


def submitted(rows: int, **more: Any) -> rf.Job:
    return people(rows).reportflow.submit(**{**plain(), "endpoint": "async/single", "run": "november", **more})


def test_the_end_is_told_with_counts_run_and_workbook_and_nothing_else(
    local: Start, listener: Listener, tmp_path: Path
) -> None:
    key = "ak_this_is_very_secret_1"
    local(app_key=key, faults=[Fault(status=400, file_name="Person 2", message="秘密の内容")])

    def review(job: rf.Job) -> None:
        job.results().reportflow.to_excel(tmp_path / "review.xlsx")

    job = submitted(5, notify=listener.address, on_done=review)
    job.result()
    assert not job.warnings
    [told] = listener.received
    assert told["title"] == "november: 4 of 5 accepted, 1 failed"
    assert told["type"] == "warning"
    assert told["message"].splitlines() == [
        "Run: november",
        "Design: certificate",
        "Documents: 4 of 5 accepted, 1 failed",
        f"Workbook: {tmp_path / 'review.xlsx'}",
        "rf.load('november') shows which",
    ]
    everything = json.dumps(told, ensure_ascii=False)
    for hidden in (key, "Person", "秘密", "RecipientName"):
        assert hidden not in everything


def test_all_is_well_is_told_as_a_success_with_the_folder_of_the_pdfs(
    service: LocalService, listener: Listener, tmp_path: Path
) -> None:
    submitted(2, notify=[listener.address], download=tmp_path / "pdfs").result()
    [told] = listener.received
    assert told["type"] == "success"
    assert f"PDFs: 2 in {tmp_path / 'pdfs'}" in told["message"]
    assert "Workbook" not in told["message"]


def test_a_run_that_ended_as_a_whole_is_told_too_without_the_services_words(
    service: LocalService, listener: Listener
) -> None:
    rf.configure(app_key="ak_wrong_wrong_wrong_1")
    job = submitted(20, notify=listener.address)
    with pytest.raises(rf.AuthError):
        job.result()
    [told] = listener.received
    assert told["title"] == "november: 0 of 20 accepted, 20 not sent"
    assert "It ended early: AuthError (401)" in told["message"]
    assert "rf.resume('november') goes on" in told["message"]


def test_a_run_that_never_began_is_not_told_to_go_on_from_a_journal(
    service: LocalService, listener: Listener
) -> None:
    """The look-up is refused: there is no run that could be resumed."""
    rf.configure(app_key="ak_wrong_wrong_wrong_1")
    job = people(20).reportflow.submit("certificate", run="november", notify=listener.address)
    with pytest.raises(rf.AuthError):
        job.result()
    [told] = listener.received
    assert "It ended early: AuthError (401)" in told["message"]
    assert told["message"].endswith("nothing was sent or written down: generate again")
    assert rf.runs().empty
    assert not service.documents


def test_several_addresses_are_told_and_one_that_fails_is_a_warning_on_the_job(
    service: LocalService, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        dead = f"json://me:geheim99@127.0.0.1:{taken.getsockname()[1]}"
        with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
            job = submitted(3, notify=[dead, listener.address])
            results = job.result()
    assert set(results["status"]) == {"accepted"}
    assert job.status == "done"
    [warning] = job.warnings
    assert "json://…" in warning
    assert "not delivered" in warning
    assert "geheim99" not in warning + caplog.text + repr(job)
    assert len(listener.received) == 1


def test_a_receiver_that_answers_an_error_is_a_warning(service: LocalService, listener: Listener) -> None:
    listener.status = 500
    job = submitted(1, notify=listener.address)
    job.result()
    assert len(job.warnings) == 1
    assert len(listener.received) == 1


@pytest.mark.parametrize("address", ["nowhere://me:geheim99@x", "me@example.com", 5, "mailto://", ""])
def test_an_address_that_nobody_understands_is_refused_before_anything_is_sent_and_not_repeated(
    service: LocalService, address: Any
) -> None:
    with pytest.raises(rf.ConfigurationError, match="mailto") as caught:
        submitted(1, notify=[address])
    assert "geheim99" not in str(caught.value)
    assert "notify: str" not in str(caught.value)
    assert not service.calls


def test_without_apprise_the_extra_is_named(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(rf.ConfigurationError, match=r"reportflow-pandas\[notify\]"):
        submitted(1, notify="mailto://me:x@example.com")
    assert set(submitted(1).result()["status"]) == {"accepted"}


def test_a_mail_address_is_understood_and_shows_no_password() -> None:
    assert repr(Notifier("mailto://me:geheim99@gmail.com")) == "Notifier('mailto://…')"


def test_a_message_counts_in_words() -> None:
    counts = {"total": 10_000, "ready": 9_000, "accepted": 7, "failed": 1, "unknown": 100, "not_sent": 892}
    message = ended("november", counts)
    assert message.title == "november: 9,007 of 10,000 accepted, 1 failed, 100 unknown, 892 not sent"
    assert message.failed
    assert not ended("november", {"total": 1, "ready": 1}).failed
