"""A service that the workers cannot reach: told to the submitter, and waited for, at the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.queue_workers import PATIENCE, PREFIX, Helper, RedisServer, people, plain, sent, statuses, until

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService, local_service
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.worker import Worker

Local = Callable[..., LocalService]
OLD_KEY, NEW_KEY = "ak_first_0123456789abcdef", "ak_second_0123456789abcdef"


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


class Unplugged(Worker):
    """A worker on a machine of its own, whose network can be taken away: it reaches Redis, and no service."""

    plugged_in = True

    async def run(self) -> int:
        self.here = asyncio.get_running_loop()
        self.cables: list[aiohttp.TCPConnector] = []
        try:
            return await super().run()
        finally:
            for cable in self.cables:  # a client leaves open what it was given
                await cable.close()

    async def _client(self, timeout: float) -> rf.Client:  # noqa: ASYNC109 - of its calls
        worker = self

        class Cable(aiohttp.TCPConnector):
            async def connect(self, req: Any, *words: Any, **more: Any) -> Any:
                if not worker.plugged_in:
                    raise aiohttp.ClientConnectorError(req.connection_key, OSError(101, "Network is unreachable"))
                return await super().connect(req, *words, **more)

        if timeout not in self._clients:
            self.cables.append(Cable(limit=0))
            client = rf.Client(self._settings, timeout=timeout, connector=self.cables[-1])
            self._clients[timeout] = await client.__aenter__()
        return self._clients[timeout]


@pytest.mark.parametrize("endpoint", ["async/single", "async/multiple"])
@pytest.mark.parametrize("plugged_in", [True, False])
def test_a_worker_whose_own_network_breaks_leaves_its_calls_to_the_others(
    local: Local,
    redis: RedisServer,
    helper: Callable[..., Any],
    endpoint: str,
    *,
    plugged_in: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One machine's network is no state of the run: no row fails, none goes out twice, and the run goes on."""
    service = local(latency=0.05)
    rf.configure(outage=1.0)
    broken = helper(concurrency=8, kind=Unplugged)
    broken.plugged_in = plugged_in
    helper(concurrency=1)
    job = people(120).reportflow.submit(
        **plain(endpoint=endpoint, batch_size=2, backoff=0.05), queue=redis.url, run="broken"
    )
    until(lambda: len(service.documents) >= 10, "the first documents")
    broken.plugged_in = False
    assert statuses(job.result(60)) == {"accepted": 120}
    assert set(sent(service).values()) == {1}
    assert "Is something wrong with the network of this machine?" in caplog.text
    [told] = job.warnings
    assert told.startswith(f"worker {broken.name}: other workers are answered, and this one is not (")


def test_a_worker_that_was_cut_off_takes_calls_when_its_network_is_back(
    local: Local, redis: RedisServer, helper: Callable[..., Any]
) -> None:
    service = local()
    rf.configure(outage=60.0)
    broken = helper(concurrency=4, kind=Unplugged)
    broken.plugged_in = False
    other = helper(concurrency=1, kind=Unplugged)
    job = people(60).reportflow.submit(
        **plain(endpoint="async/single", backoff=0.05), queue=redis.url, run="broken"
    )
    until(lambda: service.documents, "the first document")
    other.here.call_soon_threadsafe(other.stop)
    until(lambda: not other.in_flight, "the end of the other worker")
    accepted = len(service.documents)
    broken.plugged_in = True
    assert statuses(job.result(60)) == {"accepted": 60}
    assert accepted < 60
    assert set(sent(service).values()) == {1}


def test_a_worker_with_an_outdated_key_leaves_its_calls_to_one_that_has_the_new_key(
    redis: RedisServer, helper: Callable[..., Any], fresh_process: None
) -> None:
    """Workers run for months and keys are renewed: one that was not started again ends no run of the others."""
    with local_service(render=False, app_key=OLD_KEY, latency=0.05) as service:
        rf.configure(base_url=service.base_url, app_key=OLD_KEY, workspace="acme")
        old = helper()
        service.regenerate_key(NEW_KEY)
        rf.configure(app_key=NEW_KEY)
        alone = people(40).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="keys")
        with pytest.raises(rf.AuthError, match=rf"that of the worker {old.name}: .*rf.resume\('keys'\) goes on"):
            alone.result(PATIENCE)
        workers = Keys(PREFIX).workers(rf.configure().workspace_id)
        new = helper()
        until(lambda: new.name in redis.sync.zrange(workers, 0, -1), "the new worker")
        job = people(40).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url, run="keys")
        assert statuses(job.result(PATIENCE)) == {"accepted": 40}
        [told] = job.warnings
        assert told.startswith(f"worker {old.name}: the service does not take its key")
        assert set(sent(service).values()) == {1}
