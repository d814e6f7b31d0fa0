"""A slip of the hand can't pay for a hundred thousand: more documents than allowed are refused, none is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

VERBS: dict[str, Callable[..., Any]] = {
    "generate": lambda frame, **more: frame.reportflow.generate(**more),
    "agenerate": lambda frame, **more: asyncio.run(frame.reportflow.agenerate(**more)),
    "submit": lambda frame, **more: frame.reportflow.submit(**more).result(),
}


@pytest.mark.parametrize("verb", list(VERBS))
def test_more_documents_than_allowed_are_refused_with_their_number(service: LocalService, verb: str) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"would send 12 documents, and max_documents=10") as caught:
        VERBS[verb](people(12), **plain(), max_documents=10)
    assert "output pages" in str(caught.value)
    assert not service.documents
    assert len(VERBS[verb](people(10), **plain(), max_documents=10)) == 10


def test_a_process_has_a_limit_and_a_call_another(service: LocalService) -> None:
    rf.configure(max_documents=3)
    with pytest.raises(rf.ConfigurationError, match="would send 4 documents"):
        people(4).reportflow.generate(**plain())
    assert len(people(4).reportflow.generate(**plain(), max_documents=4)) == 4
    assert len(service.documents) == 4


def test_what_a_run_has_already_does_not_count(service: LocalService) -> None:
    people(10).reportflow.generate(**plain(), run="november")
    with pytest.raises(rf.ConfigurationError, match="would send 3 documents"):
        people(13).reportflow.generate(**plain(), run="november", max_documents=2)
    assert len(service.documents) == 10
    people(13).reportflow.generate(**plain(), run="november", max_documents=3)
    assert len(service.documents) == 13
    with pytest.raises(rf.ConfigurationError, match="would send 4 documents"):
        people(13).reportflow.generate(**plain(), run="november", max_documents=3, again=[0, 1, 2, 3])
    people(13).reportflow.generate(**plain(), run="november", max_documents=0)
    assert len(service.documents) == 13


def test_a_refused_run_leaves_nothing_behind(service: LocalService) -> None:
    with pytest.raises(rf.ConfigurationError, match="max_documents"):
        people(3).reportflow.generate(**plain(), run="november", max_documents=2)
    assert rf.runs().empty
    assert not service.documents


BAD_ROWS = Fault("status", status=400, at=1, times=3)


def test_retry_and_resume_count_what_they_would_send(local: Any, capsys: pytest.CaptureFixture[str]) -> None:
    service = local(faults=BAD_ROWS)
    results = people(6).reportflow.generate(**plain(), run="november", endpoint="async/single", concurrency=1)
    assert results["status"].value_counts().to_dict() == {"failed": 3, "accepted": 3}
    for send in (
        lambda: results.reportflow.retry(max_documents=2),
        lambda: results.reportflow.retry(source=people(6), max_documents=2),
        lambda: rf.resume("november", max_documents=2),
    ):
        with pytest.raises(rf.ConfigurationError, match="would send 3 documents"):
            send()
    assert main(["resume", "november", "--max-documents", "2", "--no-progress"]) == 2
    assert "would send 3 documents" in capsys.readouterr().err
    assert len(service.documents) == 3
    assert rf.resume("november", max_documents=3)["status"].eq("accepted").all()
    assert len(service.documents) == 6


def test_a_job_file_has_the_limit_too(
    service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    people(3).to_csv("people.csv", index=False)
    Path("job.toml").write_text(
        'design = "certificate"\nversion = 1\ncheck = false\nmax_documents = 2\n[params]\nRecipientName = "name"\n'
    )
    assert main(["generate", "people.csv", "--options", "job.toml", "--no-progress"]) == 2
    assert not service.documents


@pytest.mark.parametrize("limit", [-1, 1.5, True, "10"])
def test_a_limit_is_a_whole_number(limit: Any) -> None:
    with pytest.raises(rf.ConfigurationError, match="max_documents"):
        people(3).reportflow.generate(**plain(), max_documents=limit)
