"""Workers and Redis die at any instant: nothing is lost, nothing is accepted twice, what is not known is shown."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.queue_workers import (
    PATIENCE,
    PREFIX,
    SOON_GIVEN_UP,
    Forwarder,
    Helper,
    RedisServer,
    Workers,
    people,
    plain,
    sent,
    statuses,
    until,
)

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.messages import CANCELLED, INTENTS, SENT, WENT_BACK

Local = Callable[..., LocalService]
pause = threading.Event().wait


@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 21))])
def test_a_worker_killed_at_any_instant_loses_nothing_and_sends_nothing_twice(
    local: Local, redis: RedisServer, workers: Workers, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - which instant
    service = local(latency=0.05)
    first, *_ = workers(service, 2, "--concurrency", "4", *SOON_GIVEN_UP)
    job = people(300).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    instant = chance.randint(1, 250)
    until(lambda: len(service.documents) >= instant, "documents")
    pause(0.05 * chance.random())
    first.send(signal.SIGKILL)
    results = job.result(PATIENCE)
    counts = sent(service)
    assert set(counts.values()) == {1}
    assert counts["unknown"] == 0
    known = statuses(results)
    assert known["accepted"] + known.get("unknown", 0) == 300
    assert known.get("unknown", 0) <= 4
    accepted = results[results["status"] == "accepted"]["file_name"].str.removesuffix(".pdf")
    assert set(accepted) <= set(counts)
    missing = {f"Person {number}" for number in range(300)} - set(counts)
    shown = set(results[results["status"] == "unknown"]["file_name"].str.removesuffix(".pdf"))
    assert missing <= shown


def test_a_killed_workers_call_is_sent_again_where_that_was_asked_for(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(faults=[Fault("slow", seconds=60, at=1, times=1)])
    [first] = workers(service, 1, "--concurrency", "1", *SOON_GIVEN_UP)
    job = people(3).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, on_crash="retry")
    until(lambda: len(service.calls) == 1, "the first call")
    first.send(signal.SIGKILL)
    workers(service, 1, *SOON_GIVEN_UP)
    assert statuses(job.result(PATIENCE)) == {"accepted": 3}
    assert sorted(sent(service).values()) == [1, 1, 2]


def test_a_call_that_a_killed_worker_had_not_sent_yet_is_carried_out_by_another(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    """The worker has four calls and a slot for one: only that one is unknown."""
    limits = rf.Limits(async_calls=1, window=1.0)
    service = local(faults=[Fault("slow", seconds=60, at=1, times=1)])
    [first] = workers(service, 1, "--concurrency", "4", *SOON_GIVEN_UP)
    job = people(3).reportflow.submit(
        **plain(endpoint="async/single", limits=limits, timeout=3.0), queue=redis.url
    )
    until(lambda: len(service.calls) == 1, "the first call")
    first.send(signal.SIGKILL)
    workers(service, 1, *SOON_GIVEN_UP)
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 2, "unknown": 1}
    assert set(sent(service).values()) == {1}


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Let Redis give a call to a worker, and the connection end before the word of it arrives, once."""
    from bullmq.scripts import Scripts  # noqa: PLC0415 - of the extra

    monkeypatch.setattr("reportflow_pandas.queue.worker.LOST_LOOK_SECONDS", 0.05)
    give = Scripts.moveToActive

    def start() -> list[str]:
        lost: list[str] = []

        async def losing(self: Any, token: str, opts: dict[str, Any]) -> Any:
            given = await give(self, token, opts)
            if given and given[1] and not lost and "rehearsal" not in self.keys[""]:
                lost.append(self.keys[""] + given[1])
                raise ConnectionError
            return given

        monkeypatch.setattr(Scripts, "moveToActive", losing)
        return lost

    return start


def test_a_call_whose_word_was_lost_on_its_way_to_the_worker_need_not_wait_for_the_end_of_its_lock(
    local: Local, redis: RedisServer, helper: Helper, losing: Callable[[], list[str]]
) -> None:
    service = local(latency=0.05)
    worker = helper(lease=3600)
    until(lambda: list(redis.sync.scan_iter(f"{PREFIX}:*:workers")), "the worker")
    lost = losing()
    job = people(20).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 20}
    assert lost
    assert set(sent(service).values()) == {1}
    assert worker.calls == 20


def test_a_call_that_is_noted_as_sent_is_not_put_back_for_the_want_of_a_word(
    local: Local, redis: RedisServer, helper: Helper, losing: Callable[[], list[str]]
) -> None:
    """Whatever the worker knows of it: what is noted may have been sent."""
    service = local()
    helper(lease=1.0)
    until(lambda: list(redis.sync.scan_iter(f"{PREFIX}:*:workers")), "the worker")
    lost = losing()
    job = people(3).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: lost, "the loss")
    redis.sync.hset(lost[0], SENT, 1)
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 2, "unknown": 1}
    assert sorted(sent(service).values()) == [1, 1]


def test_a_call_waits_until_a_replica_knows_that_it_is_sent(
    local: Local, redis: RedisServer, workers: Workers, tmp_path: Path
) -> None:
    """A replica that is behind when it takes over has calls waiting that were sent: they would go out twice."""
    service = local(latency=0.05)
    with Forwarder(redis.port) as stream, Forwarder(redis.port) as between:
        replica = RedisServer(tmp_path / "replica", "--replicaof", f"127.0.0.1 {stream.port}").start()
        try:
            until(lambda: redis.sync.info("replication").get("slave0", {}).get("state") == "online", "the replica")
            url = f"redis://127.0.0.1:{between.port}/0"
            [worker] = workers(service, 1, "--concurrency", "2", *SOON_GIVEN_UP, url=url)
            job = people(60).reportflow.submit(**plain(endpoint="async/single"), queue=url)
            until(lambda: len(service.documents) >= 10, "documents")
            stream.swallow()
            until(lambda: "waits for a replica" in worker.text(), "the worker's word")
            between.target = replica.port
            redis.kill()
            replica.sync.execute_command("REPLICAOF", "NO", "ONE")
            results = job.result(PATIENCE)
        finally:
            replica.kill()
    assert set(sent(service).values()) == {1}
    assert statuses(results).get("accepted", 0) >= 50


def test_redis_killed_twice_in_mid_run_changes_nothing(local: Local, redis: RedisServer, workers: Workers) -> None:
    service = local(latency=0.02)
    workers(service, 2, "--concurrency", "4")
    job = people(300).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    for instant in (50, 150):
        until(lambda instant=instant: len(service.documents) >= instant, "documents")  # type: ignore[misc]
        redis.kill()
        pause(0.5)
        redis.start()
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 300}
    assert len(service.documents) == 300
    assert set(sent(service).values()) == {1}


def test_a_redis_that_comes_back_from_an_old_snapshot_has_no_call_sent_a_second_time(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    """It has forgotten what was sent since, and the workers have not: what they are given is not sent."""
    service = local(latency=0.05)
    workers(service, 2, "--concurrency", "2")
    job = people(90).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="old")
    until(lambda: len(service.documents) >= 10, "documents")
    writes, snapshot = redis.folder / "appendonlydir", redis.folder / "snapshot"
    shutil.copytree(writes, snapshot)
    [intents] = redis.sync.scan_iter(f"{PREFIX}:*:{INTENTS}")
    redis.sync.incrby(intents, 3_600_000_000)  # as if the clock were set back by an hour meanwhile
    until(lambda: len(service.documents) >= 40, "documents")
    redis.kill()
    shutil.rmtree(writes)
    snapshot.rename(writes)
    redis.start()
    with pytest.raises(rf.JournalError, match=r"gone back to an earlier state.*rf\.resume\('old'\)"):
        job.result(PATIENCE)
    known = statuses(job.results())
    assert known["accepted"] >= 30
    assert known["unknown"] > 0
    assert "failed" not in known
    more = people(100).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="old")
    results = more.result(PATIENCE)
    assert results["status"].tail(10).eq("accepted").all()
    assert set(statuses(results)) == {"accepted", "unknown"}
    assert statuses(results)["unknown"] <= known["unknown"]
    assert set(sent(service).values()) == {1}


def test_a_run_whose_redis_went_back_while_its_submitter_was_away_is_told_so_once_and_goes_on(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(latency=0.05)
    job = people(40).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="away")
    until(lambda: list(redis.sync.scan_iter(f"{PREFIX}:*:away-40")), "the calls")
    job.cancel()
    assert job.wait(PATIENCE)
    [told] = redis.sync.scan_iter(f"{PREFIX}:*:{CANCELLED}")
    redis.sync.set(told, WENT_BACK)  # by a worker, of what is in the queue
    workers(service, 1)
    with pytest.raises(rf.JournalError, match="gone back to an earlier state"):
        rf.resume("away")
    assert not service.documents
    assert statuses(rf.resume("away")) == {"accepted": 40}
    assert set(sent(service).values()) == {1}


def test_redis_emptied_in_mid_run_leaves_what_was_collected_and_sends_nothing_twice(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(latency=0.05)
    workers(service, 2, "--concurrency", "4")
    job = people(300).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: job.progress["accepted"] >= 60, "collected rows")
    redis.sync.flushall()
    results = job.result(PATIENCE)
    known = statuses(results)
    assert set(known) == {"accepted", "unknown"}
    assert sum(known.values()) == 300
    assert known["accepted"] >= 60
    assert set(sent(service).values()) == {1}
    accepted = results[results["status"] == "accepted"]["file_name"].str.removesuffix(".pdf")
    assert set(accepted) <= set(sent(service))
    assert any("Redis lost" in text for text in job.warnings)


def test_a_worker_paused_beyond_its_lease_sends_nothing_more_and_tells_late_what_it_did(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    limits = rf.Limits(async_calls=2, window=3.0)
    stopped = threading.Event()
    service = local(latency=lambda: 0.0 if stopped.is_set() else 3.0)
    [first] = workers(service, 1, "--concurrency", "4", *SOON_GIVEN_UP)
    job = people(4).reportflow.submit(**plain(endpoint="async/single", limits=limits), queue=redis.url)
    until(lambda: len(service.calls) == 2, "two calls")
    first.send(signal.SIGSTOP)
    stopped.set()
    workers(service, 1, *SOON_GIVEN_UP)
    until(lambda: job.progress["unknown"] == 2, "the calls to be given up")
    first.send(signal.SIGCONT)
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 4}
    assert set(sent(service).values()) == {1}
    assert any("answered after all" in text for text in job.warnings)
    assert "given up" in first.text()


def test_a_worker_that_is_told_to_end_finishes_what_is_in_flight(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(latency=0.2)
    first, second = workers(service, 2, "--concurrency", "4")
    job = people(60).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: len(service.documents) >= 10, "documents")
    assert first.end() == 0
    assert statuses(job.result(PATIENCE)) == {"accepted": 60}
    assert set(sent(service).values()) == {1}
    assert second.end() == 0


def test_calls_without_an_answer_after_the_grace_time_are_unknown_and_the_exit_code_says_so(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(faults=[Fault("slow", seconds=60, at=1, times=1)])
    [first] = workers(service, 1, "--grace", "1")
    job = people(1).reportflow.submit(**plain(), queue=redis.url)
    until(lambda: len(service.calls) == 1, "the call")
    assert first.end() == 1
    results = job.result(PATIENCE)
    assert statuses(results) == {"unknown": 1}
    assert len(service.calls) == 1


def test_a_job_can_be_cancelled_while_redis_is_away_and_what_was_in_the_queue_is_unknown(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local(latency=0.1)
    workers(service, 1, "--concurrency", "2")
    job = people(60).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    until(lambda: job.progress["accepted"] >= 10, "collected rows")
    redis.kill()
    pause(0.5)
    job.cancel()
    assert job.wait(PATIENCE)
    assert job.status == "cancelled"
    known = statuses(job.results())
    assert set(known) == {"accepted", "unknown"}
    redis.start()
    until(lambda: len(service.documents) == 60, "the workers, who were told nothing")
    assert set(sent(service).values()) == {1}
