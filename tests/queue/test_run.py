"""A run over a queue is a run: same frame, same promises, counted at the service."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from support.queue_workers import (
    PATIENCE,
    Helper,
    RedisServer,
    Workers,
    most_in_a_window,
    people,
    plain,
    sent,
    statuses,
    throttled,
)

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

Local = Callable[..., LocalService]

OF_THE_CALL = ["url", "file_id", "request_id", "elapsed", "accepted_at"]
"""Columns that no two runs have in common."""


@pytest.mark.parametrize(
    ("rows", "endpoint", "calls", "processes"),
    [
        (1000, "async/multiple", 10, 3),
        (150, "async/single", 150, 3),
        (20, "sync/multiple", 1, 0),
        (3, "auto", 3, 0),
    ],
)
def test_a_run_over_workers_gives_the_frame_of_a_local_run(
    service: LocalService,
    redis: RedisServer,
    workers: Workers,
    helper: Helper,
    rows: int,
    endpoint: str,
    calls: int,
    processes: int,
) -> None:
    frame = people(rows).set_index(pd.Index([f"row {number}" for number in range(rows)], name="label"))
    here = frame.reportflow.generate(**plain(endpoint=endpoint), run="here")
    service.clear()
    if processes:
        workers(service, processes)
    else:
        helper()
    job = frame.reportflow.submit(**plain(endpoint=endpoint), queue=redis.url, run="there")
    there = job.result(PATIENCE)
    assert job.status == "done"
    assert set(sent(service).values()) == {1}
    assert len(service.documents) == rows
    assert sum(service.counts().values()) == calls
    pd.testing.assert_frame_equal(there.drop(columns=OF_THE_CALL), here.drop(columns=OF_THE_CALL))
    assert there[OF_THE_CALL].notna().all(axis=None)
    pd.testing.assert_frame_equal(rf.load("there"), there)


def test_nothing_of_a_finished_run_is_left_in_redis_but_the_window(
    service: LocalService, redis: RedisServer, workers: Workers
) -> None:
    started = workers(service, 1)
    people(20).reportflow.submit(**plain(batch_size=5), queue=redis.url).result(PATIENCE)
    assert started[0].end() == 0
    assert all(":window:" in name for name in redis.sync.scan_iter())


def test_all_processes_together_keep_one_limit(local: Local, redis: RedisServer, workers: Workers) -> None:
    """Twenty calls a second, three workers and the submitter: no window holds more, and no call is refused."""
    limits = rf.Limits(async_calls=20, window=1.0)
    service = local(limits=limits, limit_window="sliding")
    workers(service, 3)
    frame = people(100)
    results = frame.reportflow.submit(
        **plain(limits=limits, endpoint="async/single", version="latest"), queue=redis.url
    ).result(PATIENCE)
    assert statuses(results) == {"accepted": 100}
    assert throttled(service) == 0
    assert most_in_a_window(service, limits.window) <= 20


def test_one_bad_row_of_a_batch_fails_alone(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(faults=[Fault("bad_document", file_name="Person 7", named=False)])
    helper()
    results = people(40).reportflow.submit(**plain(), queue=redis.url).result(PATIENCE)
    assert statuses(results) == {"accepted": 39, "failed": 1}
    assert results["error_kind"].iloc[7] == "invalid"
    assert set(sent(service).values()) == {1}


def test_a_call_without_an_answer_is_unknown_and_not_sent_again(
    local: Local, redis: RedisServer, helper: Helper
) -> None:
    service = local(faults=[Fault("dropped_after", at=2, times=1)])
    helper()
    results = people(50).reportflow.submit(**plain(batch_size=10), queue=redis.url).result(PATIENCE)
    assert statuses(results) == {"accepted": 40, "unknown": 10}
    assert set(sent(service).values()) == {1}


def test_a_refused_key_ends_the_run(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(faults=[Fault("status", status=403, endpoint="async", times=None)])
    helper()
    job = people(200).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    with pytest.raises(rf.AuthError) as refused:
        job.result(PATIENCE)
    assert job.status == "failed"
    assert statuses(refused.value.results) == {"not_sent": 200}
    assert len(service.calls) <= 17


def test_equal_refusals_end_a_run_over_a_queue_with_the_same_words(
    local: Local, redis: RedisServer, helper: Helper
) -> None:
    service = local(faults=Fault(status=400, times=None, message="宛名が不正です"), latency=0.02)
    job = people(400).reportflow.submit(**plain(endpoint="async/single", limits=False), queue=redis.url)
    helper(1)
    with pytest.raises(rf.ApiError, match="10 documents in a row were refused in these words") as caught:
        job.result(PATIENCE)
    left = statuses(caught.value.results)["not_sent"]
    assert left > 0
    assert f"{left} rows were not sent" in str(caught.value)
    assert caught.value.status == 400
    assert not service.documents


def test_a_service_that_is_away_ends_a_run_over_workers_once_with_the_rest_not_sent(
    local: Local, redis: RedisServer, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = local(faults=Fault("status", status=502, endpoint="async", at=3, times=None, body="html"))
    rf.configure(outage=2)
    helper(4)
    job = people(600).reportflow.submit(**plain(batch_size=10), queue=redis.url)
    with pytest.raises(rf.ConnectionFailed, match="gave no answer of its own") as away:
        job.result(PATIENCE)
    counts = statuses(away.value.results)
    assert counts["accepted"] == 20
    assert counts["unknown"] <= (5 + 4) * 10 + 5
    assert counts["not_sent"] >= 400
    assert set(sent(service).values()) == {1}


def test_a_service_that_comes_back_goes_on_over_workers(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(faults=Fault("status", status=503, endpoint="async", at=3, times=8))
    helper(4)
    job = people(200).reportflow.submit(**plain(batch_size=10), queue=redis.url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 200}
    assert set(sent(service).values()) == {1}
