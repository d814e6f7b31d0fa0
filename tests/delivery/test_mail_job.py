"""Mails in the background: the same job as for documents."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.mail_server import MailServer, mail_server
from support.mailed_runs import ADDRESSES, PEOPLE, mailed

import reportflow_pandas as rf
from reportflow_pandas.settings import current

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.JobWarning")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        rf.configure(smtp=running.address)
        yield running


def started(results: pd.DataFrame, **more: object) -> rf.Job:
    job = mailed(results, background=True, **more)
    assert isinstance(job, rf.Job)
    return job


def test_a_job_mails_while_the_caller_goes_on(results: pd.DataFrame, server: MailServer) -> None:
    held = threading.Event()
    server.pause = lambda: float(not held.wait(10))
    job = started(results)
    assert job.status == "running"
    assert job.id == "november"
    assert rf.job("november") is job
    assert job.results()["mail_status"].tolist() == ["not_sent"] * PEOPLE
    assert job.progress["total"] == PEOPLE
    held.set()
    made = job.result(30)
    assert made["mail_status"].tolist() == ["sent"] * PEOPLE
    assert job.status == "done"
    assert job.progress == {
        "total": PEOPLE, "done": PEOPLE, "sent": PEOPLE, "failed": 0, "unknown": 0, "not_sent": 0, "wait": 0,
    }  # fmt: skip
    assert repr(job) == "<Job november: done, 8 of 8 mails are sent>"
    assert server.recipients == dict.fromkeys(ADDRESSES, 1)


def test_who_got_none_and_why_is_among_the_jobs_warnings(results: pd.DataFrame, server: MailServer) -> None:
    Path(results["path"].iloc[2]).unlink()
    server.refusals["person5@example.com"] = ["550 no such user"]
    job = started(results)
    made = job.result(30)
    assert job.warnings == [
        "6 of 8 documents are mailed; no mail for row 2: no PDF on this disk; failed: row 5: 550 no such user"
    ]
    assert made["mail_status"].value_counts().to_dict() == {"sent": 6, "failed": 1, "not_sent": 1}


def test_a_cancelled_job_sends_no_more_and_the_next_call_sends_the_rest(
    results: pd.DataFrame, server: MailServer
) -> None:
    reached = threading.Event()

    def pause() -> float:
        if len(server.taken) >= 3:
            reached.set()
        return 0.02

    server.pause = pause
    job = started(results, per_minute=60_000)
    assert reached.wait(30)
    job.cancel()
    with pytest.raises(rf.RunInterrupted, match=r"of 8 mails are sent.*Call mail again") as stopped:
        job.result(30)
    assert job.status == "cancelled"
    assert stopped.value.results["mail_status"].eq("sent").sum() == len(server.taken)
    assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients == dict.fromkeys(ADDRESSES, 1)


def test_what_ends_a_job_is_raised_by_its_result(results: pd.DataFrame) -> None:
    rf.configure(smtp="smtp://127.0.0.1:9")
    job = started(results)
    with pytest.raises(rf.ConnectionFailed) as ended:
        job.result(30)
    assert job.status == "failed"
    assert ended.value.results["mail_status"].tolist() == ["not_sent"] * PEOPLE


def test_a_mistake_is_found_before_there_is_a_job(results: pd.DataFrame, server: MailServer) -> None:
    with pytest.raises(rf.ConfigurationError, match="no column 'Nmae'"):
        mailed(results, subject="{Nmae}", background=True)
    assert not server.taken


def test_a_job_and_a_call_do_not_mail_one_run_at_once(results: pd.DataFrame, server: MailServer) -> None:
    held = threading.Event()
    server.pause = lambda: float(not held.wait(10))
    job = started(results)
    with pytest.raises(rf.ConfigurationError, match="november"):
        mailed(results)
    held.set()
    job.result(30)
    assert server.recipients == dict.fromkeys(ADDRESSES, 1)


PROGRAM = """
import sys, time
import reportflow_pandas as rf
rf.configure(runs=sys.argv[1], smtp=sys.argv[2], sender="billing@example.com")
results = rf.load("november")
source = results[[]].assign(Email=[f"person{at}@example.com" for at in range(len(results))])
job = results.reportflow.mail(to="Email", subject="No. {index}", body="Here.", source=source, background=True,
                              per_minute=60)
while job.progress["sent"] < 1:
    time.sleep(0.005)
"""


def test_a_program_that_ends_before_its_mails_says_how_to_go_on(results: pd.DataFrame, server: MailServer) -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, current().runs, server.address],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0
    assert "the program ended before it did" in ended.stderr
    assert "Call mail again" in ended.stderr
    assert "Traceback" not in ended.stderr
    made = mailed(results)
    assert made["mail_status"].isin(["sent", "unknown"]).all()
    assert max(server.recipients.values()) == 1
