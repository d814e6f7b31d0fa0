"""The same job as a local one: cancelled, retried, found again after its process died, beside another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.queue_workers import PATIENCE, PREFIX, Helper, RedisServer, people, plain, sent, statuses, until

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.settings import current

Local = Callable[..., LocalService]

SUBMIT = """
import sys
from support.queue_workers import people, plain
url, run, rows = sys.argv[1:]
job = people(int(rows)).reportflow.submit(**plain(endpoint="async/single"), queue=url, run=run)
job.wait()
"""


# what is begun in the last line needs threads after it
needs_threads_at_the_end = pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 3),
    reason="Python 3.12.0 to 3.12.2 start no thread once a script has ended: python/cpython#113964",
)

LEAVE = """
import sys
from support.queue_workers import people, plain
from reportflow_pandas.execution import background
from reportflow_pandas.queue.submitter import Dispatch
def submitted(rows, run="november", **more):
    return people(rows).reportflow.submit(**plain(endpoint="async/single"), queue=sys.argv[1], run=run, **more)
"""


def environment(service: LocalService) -> dict[str, str]:
    return {
        **os.environ,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORTFLOW_RUNS": str(current().runs),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def submitting(service: LocalService, *words: str) -> subprocess.Popen[bytes]:
    """Submit in a process of its own, which can be killed."""
    command = [sys.executable, "-c", SUBMIT, *words]
    return subprocess.Popen(command, env=environment(service))  # noqa: S603 - our own lines


def left(service: LocalService, url: str, *lines: str) -> str:
    """Run a script to its end, and return what it says at last."""
    command = [sys.executable, "-c", LEAVE + "\n".join(lines), url]
    ended = subprocess.run(  # noqa: S603 - our own lines
        command, env=environment(service), capture_output=True, text=True, check=True, timeout=60
    )
    assert not ended.stdout
    return ended.stderr


def waiting(redis: RedisServer) -> int:
    """Return how many calls wait in the queues of runs."""
    client = redis.sync
    return sum(client.llen(name) for name in client.scan_iter(f"{PREFIX}:*:wait") if "rehearsal" not in name)


def test_a_cancelled_job_takes_back_what_nobody_sent(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(latency=0.05)
    helper(4)
    frame = people(400)
    job = frame.reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="cancelled")
    other = people(60, "Other").reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: job.progress["accepted"] >= 20, "collected rows")
    job.cancel()
    with pytest.raises(rf.RunInterrupted) as interrupted:
        job.result(PATIENCE)
    assert job.status == "cancelled"
    cancelled = statuses(interrupted.value.results)
    assert set(cancelled) == {"accepted", "not_sent"}
    assert statuses(other.result(PATIENCE)) == {"accepted": 60}
    counts = sent(service)
    assert sum(word.startswith("Person") for word in counts) == cancelled["accepted"]
    assert statuses(rf.resume("cancelled")) == {"accepted": 400}
    assert set(sent(service).values()) == {1}


def test_failed_and_unknown_rows_can_be_retried(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(
        faults=[Fault("status", status=400, at=1, times=1), Fault("dropped_before", at=2, times=1)], latency=0.01
    )
    helper(1)
    results = people(20).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url).result(PATIENCE)
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
    assert statuses(short.result(PATIENCE)) == {"accepted": 40}
    assert long.progress["accepted"] < 250
    long.cancel()
    long.wait(PATIENCE)


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
    job.result(PATIENCE)
    assert sorted(seen) == list(range(30))
    assert done == [job]


def test_documents_are_downloaded_by_the_submitter(
    service: LocalService, redis: RedisServer, helper: Helper, tmp_path: Path
) -> None:
    helper()
    results = people(7).reportflow.submit(**plain(download=tmp_path / "pdfs"), queue=redis.url).result(PATIENCE)
    assert statuses(results) == {"ready": 7}
    assert all(Path(path).exists() for path in results["path"])


def test_a_job_whose_process_was_killed_is_found_again(local: Local, redis: RedisServer, helper: Helper) -> None:
    """The workers go on meanwhile; what they did is collected, and nothing is sent a second time."""
    service = local(latency=0.02)
    submitter = submitting(service, redis.url, "found again", "200")
    # killed when all is in the queue: before, the frame would be needed again
    until(lambda: waiting(redis) == 200, "the calls")
    helper(4)
    until(lambda: len(service.documents) >= 20, "documents")
    submitter.send_signal(signal.SIGKILL)
    submitter.wait()
    assert statuses(rf.load("found again"))["unknown"] > 0
    job = rf.job("found again")
    assert job.status == "running"
    results = job.result(PATIENCE)
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
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 120}
    assert set(sent(service).values()) == {1}


@needs_threads_at_the_end
def test_a_script_that_ends_before_its_workers_do_says_that_they_go_on_and_how_to_come_back(
    service: LocalService, redis: RedisServer, helper: Helper
) -> None:
    """Submitting is its last line: when it ends, all is in the queue."""
    assert left(service, redis.url, "submitted(40, 'left')") == (
        "job left: the program ended before it did. "
        "0 of 40 rows have their outcome, and workers go on with 40 that are in the queue. "
        "rf.job('left') collects what they do. job.wait() or job.result() waits for it\n"
    )
    helper()
    until(lambda: len(service.documents) == 40, "the documents")
    assert statuses(rf.job("left").result(PATIENCE)) == {"accepted": 40}
    assert set(sent(service).values()) == {1}


def test_a_script_that_waits_for_its_workers_ends_without_a_word(
    service: LocalService, redis: RedisServer, helper: Helper
) -> None:
    helper()
    assert not left(service, redis.url, "submitted(40).result()")
    assert len(service.documents) == 40


@pytest.mark.parametrize("planned", [True, False])
def test_a_script_that_ends_before_all_is_in_the_queue_says_how_the_rest_gets_there(
    service: LocalService, redis: RedisServer, helper: Helper, planned: bool
) -> None:
    """Redis takes one call and no more, whether or not all rows are written down by then."""
    lines = [
        "background.EXIT_WAIT_SECONDS = 0",
        "feeding = Dispatch._enqueue",
        "async def once(self, calls): await feeding(self, calls); Dispatch._enqueue = never",
        "async def never(*_): await asyncio.Event().wait()",
        "Dispatch._enqueue = once",
        "" if planned else "Journal.end_plan = never",
        "job = submitted(400)",
        "while not (job._work.run.dispatch and job._work.run.dispatch.awaited): pass",
        "while not job._work.run.info.planned: pass" if planned else "",
    ]
    imports = "import asyncio; from reportflow_pandas.journal.journal import Journal"
    said = left(service, redis.url, imports, *lines)
    assert "0 of 400 rows have their outcome, and workers go on with 1 that are in the queue." in said
    helper()
    if planned:
        assert "rf.resume('november') puts the rest into the queue" in said
        results = rf.resume("november")
    else:
        assert "Submit the rows again with run='november': what is in the queue is not sent twice" in said
        job = people(400).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="november")
        results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 400}
    assert set(sent(service).values()) == {1}


def test_a_script_that_ends_while_it_downloads_what_workers_made_says_how_the_rest_is_fetched(
    local: Local, redis: RedisServer, helper: Helper, tmp_path: Path
) -> None:
    """Nothing is at the workers any more: it ends as a local job does."""
    service = local(not_ready_status=404, render_delay=3600.0)
    helper()
    accepted = "while job.progress['accepted'] < 4: pass"
    said = left(service, redis.url, f"job = submitted(4, download={str(tmp_path / 'pdfs')!r})", accepted)
    assert "interrupted: 4 of 4 accepted, 0 PDFs in" in said
    assert "rf.resume('november') goes on" in said
    assert set(sent(service).values()) == {1}


@needs_threads_at_the_end
def test_who_comes_back_to_a_redis_with_a_password_is_told_to_give_its_address(
    service: LocalService, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "locked", "--requirepass", "open sesame").start()
    try:
        url = f"redis://:open%20sesame@127.0.0.1:{server.port}/0"
        said = left(service, url, "submitted(4, 'locked')")
        assert "rf.job('locked', queue='redis://…') collects what they do" in said
        assert "sesame" not in said
        job = rf.job("locked", queue=url)
        assert job.status == "running"
        job.cancel()
        assert job.wait(PATIENCE)
    finally:
        server.kill()
