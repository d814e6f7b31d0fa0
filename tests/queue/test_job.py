"""The same job as a local one: cancelled, retried, found again after its process died, beside another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from machines import Helper, RedisServer, people, plain, sent, statuses, until

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.settings import current

Local = Callable[..., LocalService]

SUBMIT = """
import sys
from machines import people, plain
url, run, rows = sys.argv[1:]
job = people(int(rows)).reportflow.submit(**plain(endpoint="async/single"), queue=url, run=run)
job.wait()
"""


def submitting(service: LocalService, *words: str) -> subprocess.Popen[bytes]:
    """Submit in a process of its own, which can be killed."""
    environment = {
        **os.environ,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORTFLOW_RUNS": str(current().runs),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    return subprocess.Popen([sys.executable, "-c", SUBMIT, *words], env=environment)  # noqa: S603 - our own lines


def test_a_cancelled_job_takes_back_what_nobody_sent(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(latency=0.05)
    helper(4)
    frame = people(400)
    job = frame.reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="cancelled")
    other = people(60, "Other").reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: job.progress["accepted"] >= 20, "collected rows")
    job.cancel()
    with pytest.raises(rf.RunInterrupted) as interrupted:
        job.result(30)
    assert job.status == "cancelled"
    cancelled = statuses(interrupted.value.results)
    assert set(cancelled) == {"accepted", "not_sent"}
    assert statuses(other.result(30)) == {"accepted": 60}
    counts = sent(service)
    assert sum(word.startswith("Person") for word in counts) == cancelled["accepted"]
    assert statuses(rf.resume("cancelled")) == {"accepted": 400}
    assert set(sent(service).values()) == {1}


def test_failed_and_unknown_rows_can_be_retried(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(
        faults=[Fault("status", status=400, at=1, times=1), Fault("dropped_before", at=2, times=1)], latency=0.01
    )
    helper(1)
    results = people(20).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url).result(30)
    assert statuses(results) == {"accepted": 18, "failed": 1, "unknown": 1}
    again = results.reportflow.retry()
    assert statuses(again) == {"accepted": 19, "unknown": 1}
    assert statuses(again.reportflow.retry(unknown=True)) == {"accepted": 20}
    assert set(sent(service).values()) == {1}


def test_two_runs_share_the_workers_fairly(local: Local, redis: RedisServer, helper: Helper) -> None:
    """A short run need not wait for the end of a long one."""
    service = local(latency=0.05)
    helper(8)
    long = people(400).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: len(service.documents) >= 20, "documents")
    short = people(40, "Other").reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    assert statuses(short.result(30)) == {"accepted": 40}
    assert long.progress["accepted"] < 250
    long.cancel()
    long.wait(30)


def test_rows_are_told_of_as_they_are_collected(service: LocalService, redis: RedisServer, helper: Helper) -> None:
    helper()
    seen: list[int] = []
    done: list[rf.Job] = []
    job = people(30).reportflow.submit(
        **plain(batch_size=7),
        queue=redis.url,
        on_row=lambda outcome: seen.append(outcome.row),
        on_done=done.append,
    )
    job.result(30)
    assert sorted(seen) == list(range(30))
    assert done == [job]


def test_documents_are_downloaded_by_the_submitter(
    service: LocalService, redis: RedisServer, helper: Helper, tmp_path: Path
) -> None:
    helper()
    results = people(7).reportflow.submit(**plain(download=tmp_path / "pdfs"), queue=redis.url).result(30)
    assert statuses(results) == {"ready": 7}
    assert all(Path(path).exists() for path in results["path"])


def test_a_job_whose_process_was_killed_is_found_again(local: Local, redis: RedisServer, helper: Helper) -> None:
    """The workers go on meanwhile; what they did is collected, and nothing is sent a second time."""
    service = local(latency=0.02)
    submitter = submitting(service, redis.url, "found again", "200")
    helper(4)
    until(lambda: len(service.documents) >= 20, "documents")
    # killed when all is in the queue: before, the frame would be needed again
    until(lambda: rf.runs().set_index("run")["state"].get("found again") == "sending", "the plan")
    threading.Event().wait(0.3)
    submitter.send_signal(signal.SIGKILL)
    submitter.wait()
    assert statuses(rf.load("found again"))["unknown"] > 0
    job = rf.job("found again")
    assert job.status == "running"
    results = job.result(60)
    assert statuses(results) == {"accepted": 200}
    assert len(service.documents) == 200
    assert rf.job("found again") is job


def test_a_frame_given_again_after_its_process_was_killed_sends_nothing_twice(
    local: Local, redis: RedisServer, helper: Helper
) -> None:
    service = local(latency=0.02)
    submitter = submitting(service, redis.url, "given again", "100")
    helper(2)
    until(lambda: len(service.documents) >= 10, "documents")
    submitter.send_signal(signal.SIGKILL)
    submitter.wait()
    job = people(120).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="given again")
    results = job.result(60)
    assert statuses(results) == {"accepted": 120}
    assert set(sent(service).values()) == {1}
