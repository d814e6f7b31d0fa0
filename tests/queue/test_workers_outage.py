"""A service that the workers cannot reach: told to the submitter, and waited for, at the workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.queue_workers import PATIENCE, Helper, RedisServer, people, plain, sent, statuses, until

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

Local = Callable[..., LocalService]


def test_an_outage_at_the_workers_is_told_at_the_job_and_the_run_goes_on(
    local: Local, redis: RedisServer, helper: Helper
) -> None:
    service = local(faults=Fault("status", status=503, endpoint="async", at=5, times=8))
    helper(concurrency=2)
    job = people(60).reportflow.submit(**plain(batch_size=10, backoff=0.05), queue=redis.url)
    until(lambda: job.progress["wait"], "the wait")
    [told] = job.warnings
    assert "wait for it, at most" in told
    assert statuses(job.result(PATIENCE)) == {"accepted": 60}
    assert job.progress["wait"] == 0
    assert set(sent(service).values()) == {1}


def test_an_outage_that_stays_ends_the_run_once_and_resume_sends_the_rest(
    local: Local, redis: RedisServer, helper: Helper
) -> None:
    back = False

    def away(endpoint: str, body: object) -> Fault | None:
        gone = not back and endpoint.startswith("async") and len(service.documents) >= 10
        return Fault("status", status=503) if gone else None

    service = local(faults=away)
    rf.configure(outage=2.0)
    helper(concurrency=2)
    job = people(60).reportflow.submit(**plain(batch_size=10, backoff=0.05), queue=redis.url, run="away")
    with pytest.raises(rf.ConnectionFailed, match="no answer of its own for 2 s"):
        job.result(PATIENCE)
    counts = statuses(job.results())
    assert counts["accepted"] == 10
    assert counts["not_sent"] + counts.get("unknown", 0) == 50
    back = True
    again = people(60).reportflow.submit(**plain(batch_size=10, backoff=0.05), queue=redis.url, run="away")
    assert statuses(again.result(PATIENCE)) == {"accepted": 60}
    assert set(sent(service).values()) == {1}
