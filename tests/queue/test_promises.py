"""What must never be in Redis, what is set aside, and what people are told when Redis is not as it should be."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.queue_workers import (
    PATIENCE,
    PREFIX,
    Helper,
    RedisServer,
    Workers,
    free_port,
    people,
    plain,
    sent,
    statuses,
    until,
)

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.settings import current

Local = Callable[..., LocalService]

PASSWORD = "hunter2-hunter2"


def test_no_key_and_no_pickle_is_in_redis_in_mid_run(
    local: Local, redis: RedisServer, workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    service = local(latency=0.3)
    [worker] = workers(service, 1, "--concurrency", "2", "--log-level", "debug")
    with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
        job = people(20).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
        until(lambda: len(service.documents) >= 4, "documents")
        seen = redis.everything()
        job.result(PATIENCE)
    assert "Person 19" in seen
    for secret in (service.app_key, service.app_key.removeprefix("ak_")):
        assert secret not in seen
        assert secret not in worker.text()
        assert secret not in caplog.text
    assert pickle.dumps("x")[:2].decode("latin-1") not in seen
    files = b"".join(file.read_bytes() for file in redis.folder.rglob("*") if file.is_file())
    assert service.app_key.encode() not in files


def test_no_password_is_written_down(local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = RedisServer(tmp_path / "locked", "--requirepass", PASSWORD).start()
    try:
        service = local()
        url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
        with caplog.at_level(logging.DEBUG, "reportflow_pandas"):
            job = people(5).reportflow.submit(**plain(), queue=url, run="locked")
            until(lambda: rf.runs()["state"].tolist() == ["sending"], "the plan")
            job.cancel()
            assert job.wait(PATIENCE)
        assert not service.calls
        journals = b"".join(file.read_bytes() for file in current().runs.iterdir())
        assert PASSWORD.encode() not in journals
        assert PASSWORD not in caplog.text + repr(job)
    finally:
        server.kill()


STRANGERS = [
    {"to": "somebody else"},
    {"form": 1, "design_id": "certificate", "version": 1, "endpoint": "async/single", "documents": []},
    {"form": 1, "design_id": 7, "version": "x", "endpoint": "../../x", "documents": [["a", "b", "{}"]]},
    {"form": 1, "design_id": "d", "version": 1, "endpoint": "async/single", "documents": [["a", "b", "no"]]},
    {"form": 99},
    ["a list"],
    "text",
    None,
]


def test_foreign_jobs_are_set_aside_and_the_worker_lives(
    local: Local, redis: RedisServer, workers: Workers
) -> None:
    service = local()
    job = people(10).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    queue = queue_of(redis)
    waiting = f"{PREFIX}:{queue}:wait"
    names = [f"stranger-{number}" for number in range(len(STRANGERS))]
    for name, data in zip(names, STRANGERS, strict=True):
        add(redis, queue, name, data)
        redis.sync.lrem(waiting, 0, name)
        redis.sync.rpush(waiting, name)
    [worker] = workers(service, 1, "--concurrency", "1")
    until(lambda: redis.sync.zcard(f"{PREFIX}:{queue}:failed") == len(STRANGERS), "the strangers")
    for name in names:
        assert redis.sync.hget(f"{PREFIX}:{queue}:{name}", "failedReason").startswith("set aside")
    assert statuses(job.result(PATIENCE)) == {"accepted": 10}
    assert worker.text().count("is set aside") == len(STRANGERS)
    assert worker.end() == 0


@pytest.mark.parametrize("field", ["data", "opts"])
def test_a_damaged_call_fails_with_a_message_and_nothing_of_it_is_sent(
    local: Local, redis: RedisServer, helper: Helper, field: str
) -> None:
    service = local()
    job = people(3).reportflow.submit(**plain(), queue=redis.url, run=f"damaged {field}")
    queue = queue_of(redis)
    until(lambda: redis.sync.llen(f"{PREFIX}:{queue}:wait") == 3, "calls")
    first = redis.sync.lrange(f"{PREFIX}:{queue}:wait", -1, -1)[0]
    redis.sync.hset(f"{PREFIX}:{queue}:{first}", field, "{{{")
    helper()
    results = job.result(PATIENCE)
    assert statuses(results) == {"accepted": 2, "failed": 1}
    assert "nothing was sent" in results["error"].dropna().iloc[0]
    assert len(service.documents) == 2


def test_a_damaged_answer_makes_its_rows_unknown(local: Local, redis: RedisServer, helper: Helper) -> None:
    service = local(faults=[Fault("slow", seconds=5.0, at=1, times=1)])
    helper()
    job = people(1).reportflow.submit(**plain(), queue=redis.url, run="damaged answer")
    until(lambda: len(service.documents) == 1, "the call")
    queue = queue_of(redis)
    identity = redis.sync.lrange(f"{PREFIX}:{queue}:active", 0, -1)[0]
    client = redis.sync
    with client.pipeline() as together:
        together.lrem(f"{PREFIX}:{queue}:active", 0, identity)
        together.hset(f"{PREFIX}:{queue}:{identity}", "returnvalue", json.dumps({"form": 1, "statuses": "zz"}))
        together.zadd(f"{PREFIX}:{queue}:completed", {identity: 1})
        together.execute()
    assert statuses(job.result(PATIENCE)) == {"unknown": 1}
    assert set(sent(service).values()) == {1}


def test_a_worker_serves_its_own_workspace_only(local: Local, redis: RedisServer, workers: Workers) -> None:
    """Another service has another workspace, though it is the same Redis."""
    other = local()
    [stranger] = workers(other, 1)
    service = local()
    job = people(5).reportflow.submit(**plain(), queue=redis.url)
    workers(service, 1)
    assert statuses(job.result(PATIENCE)) == {"accepted": 5}
    assert not other.calls
    assert stranger.end() == 0


def test_waiting_calls_without_a_worker_are_a_warning_that_says_what_to_do(
    service: LocalService, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.queue.submitter.WITHOUT_WORKER_SECONDS", 0.0)
    job = people(2).reportflow.submit(**plain(), queue=redis.url)
    until(lambda: job.warnings, "a warning")
    assert "reportflow-pandas worker --queue" in job.warnings[0]
    job.cancel()
    job.wait(PATIENCE)
    assert statuses(job.results()) == {"not_sent": 2}


# Redis is not as it should be


def test_no_redis_at_submit_is_said_at_once(service: LocalService) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"there is no Redis at redis://127.0.0.1:\d+/0"):
        people(1).reportflow.submit(**plain(), queue=f"redis://127.0.0.1:{free_port()}/0")
    assert not service.calls


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:wrong@"])
def test_a_wrong_password_is_said_at_once_and_not_repeated(
    service: LocalService, tmp_path: Path, credentials: str
) -> None:
    server = RedisServer(tmp_path / "locked", "--requirepass", PASSWORD).start()
    try:
        with pytest.raises(rf.ConfigurationError, match="password") as refused:
            people(1).reportflow.submit(**plain(), queue=f"redis://{credentials}127.0.0.1:{server.port}/0")
        assert "wrong" not in str(refused.value).replace("WRONGPASS", "")
    finally:
        server.kill()


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", 7, ""])
def test_what_is_no_address_of_a_redis_is_refused(service: LocalService, url: Any) -> None:
    with pytest.raises(rf.ConfigurationError, match="redis://localhost:6379/0"):
        people(1).reportflow.submit(**plain(), queue=url)


def test_another_word_for_on_crash_is_refused(service: LocalService, redis: RedisServer) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"'unknown'.*'retry'"):
        people(1).reportflow.submit(**plain(), queue=redis.url, on_crash="twice")


def test_a_worker_without_a_key_ends_with_2(
    service: LocalService, redis: RedisServer, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_app_key", "", raising=False)
    monkeypatch.setattr(type(service), "app_key", "")
    [keyless] = workers(service, 1, wait=False)
    assert keyless.process.wait(PATIENCE) == 2
    assert "no key for Report Flow" in keyless.text()


def test_a_worker_logs_json_where_machines_read_it(
    service: LocalService, redis: RedisServer, workers: Workers
) -> None:
    [worker] = workers(service, 1, "--json")
    assert worker.end() == 0
    lines = [json.loads(line) for line in worker.text().splitlines()]
    assert all({"time", "level", "message"} <= set(line) for line in lines)
    assert any("serves workspace" in line["message"] for line in lines)


def queue_of(redis: RedisServer) -> str:
    """Return the name of the one queue there is."""
    found: list[str] = []

    def there() -> bool:
        for name in redis.sync.scan_iter(f"{PREFIX}:*:queues"):
            found.extend(redis.sync.zrange(name, 0, -1))
        return bool(found)

    until(there, "a queue")
    return found[0]


def add(redis: RedisServer, queue: str, identity: str, data: Any) -> None:
    """Put a job into a queue as another program does."""
    import bullmq  # noqa: PLC0415 - of the extra
    from redis.asyncio import Redis  # noqa: PLC0415 - of the extra

    async def adding() -> None:
        client = Redis.from_url(redis.url, decode_responses=True)
        there = bullmq.Queue(queue, {"connection": client, "prefix": PREFIX})
        await there.add("hello", data, {"jobId": identity})
        await client.aclose()

    asyncio.run(adding())


@pytest.mark.parametrize(("given", "seconds"), [({}, 2.0), ({"backoff": None}, 2.0), ({"backoff": 0.5}, 0.5)])
def test_the_first_pause_with_a_queue_is_the_vendors_two_seconds(
    service: LocalService, redis: RedisServer, given: dict[str, Any], seconds: float
) -> None:
    job = people(1).reportflow.submit(**plain(**given), queue=redis.url)
    queue = queue_of(redis)
    assert json.loads(redis.sync.get(f"{PREFIX}:{queue}:terms"))["backoff"] == seconds
    job.cancel()
    assert job.wait(PATIENCE)
