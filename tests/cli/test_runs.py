"""Durable runs from a shell, counted at the service."""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.virtual_service import people

import reportflow_pandas as rf
from reportflow_pandas import webhook as module
from reportflow_pandas.cli import main, runs as verbs
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

Start = Callable[..., LocalService]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words of a nightly job, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPORTFLOW_RUNS", str(tmp_path / "runs"))
    people(6).to_csv("people.csv", index=False)
    Path("job.toml").write_text(
        'design = "certificate"\nversion = 1\ncheck = false\nendpoint = "async/single"\nconcurrency = 1\n'
        'attempts = 1\nfile_name = "name"\n[params]\nRecipientName = "name"\n'
    )
    return ["generate", "people.csv", "--options", "job.toml", "--run", "nightly"]


def sent(service: LocalService) -> Counter[str]:
    return Counter(document.params["RecipientName"] for document in service.documents)


def test_a_nightly_job_sends_new_rows_only(
    job: list[str], service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(job) == 0
    people(8).to_csv("people.csv", index=False)
    assert main(job) == 0
    assert sent(service) == Counter(people(8)["name"])
    assert "2 generation calls" in capsys.readouterr().out
    assert main(job) == 0
    assert service.counts().total() == 8
    assert len(pd.read_excel("review.xlsx", sheet_name="Results", engine="openpyxl")) == 8


def test_a_run_of_the_embedded_service_goes_on_there_with_no_key_and_no_service_left(
    job: list[str], local: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    service = local(faults=[Fault(status=400, file_name="Person 2")])
    assert main(job) == 1
    service.stop()
    assert main(["resume", "nightly"]) == 0
    told = capsys.readouterr()
    assert "5 of them accepted before" in told.out
    assert "1 generation call," in told.out
    assert "goes on there: nothing is billed" in told.err


def test_a_run_can_be_named_in_the_job_file(job: list[str], service: LocalService) -> None:
    Path("job.toml").write_text('run = "monthly"\n' + Path("job.toml").read_text())
    assert main(job[:-2]) == 0
    assert main(job[:-2]) == 0
    assert rf.runs()["run"].tolist() == ["monthly"]
    assert len(service.documents) == 6


def test_failed_rows_end_with_1_and_resuming_sends_just_them(
    job: list[str], local: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    service = local(faults=[Fault(status=400, file_name="Person 2"), Fault("dropped_after", file_name="Person 4")])
    assert main(job) == 1
    assert main(["resume", "nightly"]) == 1
    said = capsys.readouterr().out
    assert "Run nightly, 6 rows, 4 of them accepted before:" in said
    assert "1 generation call," in said
    assert "1 unknown" in said
    assert sent(service) == Counter(people(6)["name"])
    assert len(pd.read_excel("review.xlsx", sheet_name="Results", engine="openpyxl")) == 6


def test_resuming_fetches_pdfs_too(job: list[str], service: LocalService, tmp_path: Path) -> None:
    assert main(job) == 0
    assert main(["resume", "nightly", "--download", "pdfs", "--out", "later.xlsx"]) == 0
    assert len(list((tmp_path / "pdfs").glob("*.pdf"))) == 6
    assert Path("later.xlsx").is_file()
    assert len(service.documents) == 6


def test_a_stopped_run_says_how_to_go_on(job: list[str], local: Start, capsys: pytest.CaptureFixture[str]) -> None:
    service = local(faults=Fault(status=401, at=3))
    assert main(job) == 1
    assert "reportflow-pandas resume nightly goes on" in capsys.readouterr().err
    assert main(["resume", "nightly"]) == 0
    assert sent(service) == Counter(people(6)["name"])


def test_a_run_that_stopped_before_all_rows_were_written_down_goes_on_by_the_same_command(
    job: list[str], service: LocalService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        while not service.documents:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0)
        raise rf.JournalError("the disk is full")

    people(600).to_csv("people.csv", index=False)  # more than what is held back until all are known
    Path("job.toml").write_text(Path("job.toml").read_text().replace("async/single", "async/multiple"))
    with monkeypatch.context() as patched:
        patched.setattr("reportflow_pandas.journal.journal.Journal.end_plan", die)
        assert main(job[:-2]) == 1
    run = rf.runs()["run"].item()
    assert f"The same command with --run {run} goes on" in capsys.readouterr().err
    assert main([*job[:-1], run]) == 0
    assert sent(service) == Counter(people(600)["name"])


def test_a_run_that_is_not_there_or_a_key_that_is_not_known_ends_with_2(
    job: list[str], service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", "nightly"]) == 2
    said = capsys.readouterr().err
    assert "there is no run 'nightly'" in said
    assert "reportflow-pandas runs" in said
    assert "REPORTFLOW_RUNS" in said
    assert main(job) == 0
    rf.configure(app_key="ak_another_workspace_01")
    assert main(["resume", "nightly"]) == 2
    assert "the service answered 401" in capsys.readouterr().err
    assert main(job) == 2
    assert len(service.documents) == 6


def test_runs_are_listed(job: list[str], local: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert "no runs in runs" in capsys.readouterr().out
    local(faults=Fault(status=401, at=3))
    main(job)
    capsys.readouterr()
    Path("runs/broken.sqlite").write_bytes(b"nothing")
    assert main(["runs"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == [
        "run",
        "state",
        "design",
        "version",
        "rows",
        "accepted",
        "failed",
        "unknown",
        "not_sent",
        "updated",
    ]
    assert said[1].split()[:2] == ["broken", "unreadable"]
    assert said[2].split()[:9] == ["nightly", "open", "certificate", "1", "6", "2", "0", "0", "4"]
    assert "no journal of a run" in said[-1]


def test_runs_count_documents_whose_pdf_can_never_be_made(
    job: list[str], local: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local(faults=Fault("failed_document", file_name="Person 3", times=None))
    assert main([*job, "--download", str(tmp_path / "pdfs")]) == 1
    assert rf.runs()[["accepted", "no_pdf", "failed"]].iloc[0].tolist() == [6, 1, 0]
    capsys.readouterr()
    assert main(["runs"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[5:8] == ["accepted", "no_pdf", "failed"]
    assert said[1].split()[5:8] == ["6", "1", "0"]


def test_the_webhook_listens_until_it_is_stopped(
    job: list[str],
    service: LocalService,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    listening: list[module.Webhook] = []
    start = module.Webhook.start

    def note(self: module.Webhook) -> module.Webhook:
        listening.append(start(self))
        return self

    monkeypatch.setattr(module.Webhook, "start", note)
    words = argparse.Namespace(host="127.0.0.1", port=0, notify=None)
    thread = threading.Thread(target=verbs.webhook, args=(words, ended))
    thread.start()
    while not listening:
        time.sleep(0.01)
    ended.set()
    thread.join()
    said = capsys.readouterr().out
    assert f"Listening on {listening[0].url}" in said
    assert "Stopped. Requests: none." in said


@pytest.mark.parametrize(
    ("words", "taught"),
    [
        (["webhook", "--port", "0", "--notify", "nowhere://x"], "Apprise"),
        (["webhook", "--port", "99999"], "from 0 to 65535"),
        (["resume"], "RUN"),
    ],
)
def test_what_cannot_be_ends_with_2(
    job: list[str], service: LocalService, capsys: pytest.CaptureFixture[str], words: list[str], taught: str
) -> None:
    assert main(words) == 2
    assert taught in capsys.readouterr().err
