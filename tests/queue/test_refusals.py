"""A Redis that refuses, comes late, or lets connections die: told within seconds, or ridden out."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.queue_workers import (
    PATIENCE,
    PREFIX,
    SOON_GIVEN_UP,
    Certificates,
    Forwarder,
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
from reportflow_pandas.clock import Clock
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.address import RedisAddress
from reportflow_pandas.queue.connection import RETRIES, closed
from reportflow_pandas.queue.worker import RUNS_LOOK_SECONDS, Worker
from reportflow_pandas.settings import current

Local = Callable[..., LocalService]
pause = threading.Event().wait


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse at the first refusal: the tests need not wait for what may pass."""
    monkeypatch.setattr("reportflow_pandas.queue.run_queue.REFUSAL_PATIENCE_SECONDS", 0.0)


Server = Callable[..., RedisServer]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started: list[RedisServer] = []

    def start(*options: str, tls: Certificates | None = None) -> RedisServer:
        one = RedisServer(tmp_path / f"redis-{len(started)}", *options, tls=tls)
        started.append(one)
        return one.start()

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Callable[[RedisServer], RedisServer]]:
    """Start a sentinel for a master: it looks for replicas at once, and again after 10 s."""
    started: list[RedisServer] = []

    def start(master: RedisServer) -> RedisServer:
        started.append(RedisServer(tmp_path / "sentinel", tls=master.tls))
        return started[-1].watch(master)

    yield start
    for one in started:
        one.kill()


ACL = {
    "keys of another prefix": ("~app:*", "&*", "+@all"),
    "no scripts": ("~*", "&*", "+@all", "-eval", "-evalsha"),
    "no cached scripts": ("~*", "&*", "+@all", "-evalsha"),
    "no streams": ("~*", "&*", "+@all", "-xadd"),
    "reading only": ("~*", "&*", "+@read", "+@connection", "+info"),
    "no transactions": ("~*", "&*", "+@all", "-@transaction"),
}


@pytest.mark.parametrize("rights", ACL.values(), ids=ACL.keys())
def test_a_user_without_the_rights_is_told_so_before_anything_is_sent(
    service: LocalService, redis: RedisServer, rights: tuple[str, ...]
) -> None:
    redis.sync.execute_command("ACL", "SETUSER", "me", "on", ">pw", *rights)
    url = f"redis://me:pw@127.0.0.1:{redis.port}/0"
    with pytest.raises(rf.ConfigurationError, match="does not let this user do what a queue needs"):
        people(2).reportflow.submit(**plain(), queue=url)
    assert not service.calls


def test_a_prefix_of_its_own_is_all_that_a_user_needs(
    service: LocalService, redis: RedisServer, workers: Workers
) -> None:
    """INFO is not among its rights either: it is asked for, and not needed."""
    rights = (
        "~app:reportflow:*",
        "&*",
        "+@read",
        "+@write",
        "+@scripting",
        "+@transaction",
        "+@connection",
        "+time",
    )
    redis.sync.execute_command("ACL", "SETUSER", "me", "on", ">pw", *rights, "-info")
    url = f"redis://me:pw@127.0.0.1:{redis.port}/0?prefix=app:reportflow"
    workers(service, 1, url=url)
    results = people(12).reportflow.submit(**plain(batch_size=3), queue=url).result(PATIENCE)
    assert statuses(results) == {"accepted": 12}
    assert all(name.startswith("app:reportflow:") for name in redis.sync.scan_iter())


def test_a_cluster_is_refused_with_what_it_is(service: LocalService, server: Server) -> None:
    cluster = server("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    cluster.sync.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    until(lambda: "cluster_state:ok" in str(cluster.sync.execute_command("CLUSTER", "INFO")), "the cluster")
    with pytest.raises(rf.ConfigurationError, match="is a Redis Cluster"):
        people(2).reportflow.submit(**plain(), queue=cluster.url)


def test_a_full_redis_is_refused_at_the_start_and_told_of_under_way(
    service: LocalService, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.queue.connection.WATCH_SECONDS", 0.05)
    job = people(2).reportflow.submit(**plain(), queue=redis.url)
    waiting = f"{PREFIX}:*:wait"  # that of the rehearsal, before the run's own, is no call of it
    until(lambda: [name for name in redis.sync.scan_iter(waiting) if "rehearsal" not in name], "the calls")
    redis.sync.config_set("maxmemory", "1")
    until(lambda: any("is full" in text for text in job.warnings), "the warning")
    assert job.status == "running"
    with pytest.raises(rf.ConfigurationError, match="is full"):
        people(2).reportflow.submit(**plain(), queue=redis.url)
    redis.sync.config_set("maxmemory", "0")
    job.cancel()
    assert job.wait(PATIENCE)


def test_a_replica_is_refused_with_the_way_to_its_master(
    service: LocalService, redis: RedisServer, server: Server
) -> None:
    replica = server("--replicaof", f"127.0.0.1 {redis.port}")
    until(lambda: replica.sync.info("replication")["master_link_status"] == "up", "the replica")
    with pytest.raises(rf.ConfigurationError, match=r"is a replica.*redis\+sentinel://"):
        people(2).reportflow.submit(**plain(), queue=replica.url)


def test_a_certificate_that_is_not_trusted_is_refused_for_good_with_the_way_to_trust_it(
    service: LocalService, server: Server, workers: Workers, tmp_path: Path
) -> None:
    url = f"rediss://127.0.0.1:{server(tls=Certificates(tmp_path / 'tls')).port}/0"
    with pytest.raises(rf.ConfigurationError, match="ssl_ca_certs") as told:
        people(2).reportflow.submit(**plain(), queue=url)
    assert "Is it running" not in str(told.value)
    [worker] = workers(service, 1, url=url, wait=False)
    assert worker.process.wait(PATIENCE) == 2
    assert "ssl_ca_certs" in worker.text()


def test_a_certificate_of_a_sentinel_that_is_not_trusted_is_refused_likewise(
    service: LocalService,
    server: Server,
    sentinel: Callable[[RedisServer], RedisServer],
    workers: Workers,
    tmp_path: Path,
) -> None:
    """redis-py says of it that no master was found."""
    watching = sentinel(server(tls=Certificates(tmp_path / "tls")))
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{watching.port}"  # the first one is away, which says less
    url = f"rediss+sentinel://{hosts}/mymaster/0"
    words = rf"the sentinel 127.0.0.1:{watching.port} of .* not trust.*queue='rediss\+sentinel://…\?ssl_ca_certs="
    with pytest.raises(rf.ConfigurationError, match=words):
        people(2).reportflow.submit(**plain(), queue=url)
    [worker] = workers(service, 1, url=url, wait=False)
    assert worker.process.wait(PATIENCE) == 2
    assert "ssl_ca_certs" in worker.text()


def test_an_address_without_tls_where_tls_is_spoken_names_the_other_word(
    service: LocalService, server: Server, tmp_path: Path
) -> None:
    locked = server(tls=Certificates(tmp_path / "tls"))
    with pytest.raises(rf.ConfigurationError, match="rediss:// where it speaks TLS"):
        people(2).reportflow.submit(**plain(), queue=f"redis://127.0.0.1:{locked.port}/0")


@pytest.mark.parametrize("rights", [ACL["no scripts"], ACL["keys of another prefix"]], ids=["scripts", "prefix"])
def test_a_worker_that_is_refused_for_good_says_it_and_ends_with_2(
    service: LocalService, redis: RedisServer, workers: Workers, rights: tuple[str, ...]
) -> None:
    redis.sync.execute_command("ACL", "SETUSER", "me", "on", ">pw-hunter2", *rights)
    [worker] = workers(service, 1, url=f"redis://me:pw-hunter2@127.0.0.1:{redis.port}/0", wait=False)
    assert worker.process.wait(PATIENCE) == 2
    assert "does not let this user do what a queue needs" in worker.text()
    assert "hunter2" not in worker.text()


FORGETFUL = {
    "maxmemory-policy noeviction": ("--maxmemory-policy", "allkeys-lru"),
    "appendonly yes": ("--appendonly", "no"),
    "appendfsync always": ("--appendfsync", "everysec"),
    "no-appendfsync-on-rewrite no": ("--no-appendfsync-on-rewrite", "yes"),
}


@pytest.mark.parametrize("way_out", FORGETFUL)
def test_a_redis_that_may_forget_is_told_of_at_the_job_and_by_the_worker_once(
    service: LocalService, server: Server, workers: Workers, way_out: str
) -> None:
    forgetful = server(*FORGETFUL[way_out])
    [worker] = workers(service, 1, url=forgetful.url)
    job = people(1).reportflow.submit(**plain(), queue=forgetful.url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 1}
    [told] = job.warnings
    assert f"Set {way_out}" in told
    assert worker.end() == 0
    assert worker.text().count(f"Set {way_out}") == 1


def test_a_redis_that_tells_nothing_of_its_settings_is_not_complained_of(
    service: LocalService, server: Server, workers: Workers
) -> None:
    """A hoster allows no CONFIG, and a user of its own no INFO: they are asked for, and not needed."""
    hosted = server("--appendfsync", "everysec", "--rename-command", "CONFIG", "")
    hosted.sync.execute_command("ACL", "SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", "-info")
    url = f"redis://me:pw@127.0.0.1:{hosted.port}/0"
    [worker] = workers(service, 1, url=url)
    job = people(1).reportflow.submit(**plain(), queue=url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 1}
    assert not job.warnings
    assert worker.end() == 0
    assert "appendfsync" not in worker.text()


def test_a_worker_that_starts_before_redis_waits_for_it(
    service: LocalService, redis: RedisServer, workers: Workers
) -> None:
    redis.kill()
    [early, never] = workers(service, 2, wait=False)
    for worker in (early, never):
        until(lambda worker=worker: "Waiting for it" in worker.text(), "the worker's word")  # type: ignore[misc]
    assert never.end() == 0
    redis.start()
    job = people(5).reportflow.submit(**plain(), queue=redis.url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 5}
    assert early.end() == 0


def test_a_worker_takes_the_address_from_a_file_and_nobody_sees_it_in_ps(
    service: LocalService, server: Server, tmp_path: Path
) -> None:
    locked = server("--requirepass", "hunter2 / hunter2")
    file = tmp_path / "queue.txt"
    file.write_text(f"redis://:hunter2%20%2F%20hunter2@127.0.0.1:{locked.port}/0\n", encoding="utf-8")
    environment = {
        **os.environ,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORTFLOW_QUEUE_FILE": str(file),
    }
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "reportflow_pandas.cli", "worker"], env=environment, stdout=out, stderr=out
        )
    try:
        until(lambda: " serves workspace " in log.read_text(encoding="utf-8"), "the worker")
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    assert "hunter2" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("scene", ["failover", "blackhole"])
def test_connections_that_die_in_mid_run_are_replaced_and_each_document_is_sent_once(
    local: Local,
    redis: RedisServer,
    server: Server,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    scene: str,
) -> None:
    """A fail-over leaves them with the demoted node; a firewall drops them without a word. New ones work."""
    monkeypatch.setattr("reportflow_pandas.queue.address.ANSWER_SECONDS", 2.0)
    service = local(latency=0.1)
    replica = server("--replicaof", f"127.0.0.1 {redis.port}")
    until(lambda: replica.sync.info("replication")["master_link_status"] == "up", "the replica")
    with Forwarder(redis.port) as between:
        url = f"redis://127.0.0.1:{between.port}/0"
        workers(service, 1, "--concurrency", "2", *SOON_GIVEN_UP, url=url)
        job = people(60).reportflow.submit(**plain(endpoint="async/single"), queue=url)
        until(lambda: len(service.documents) >= 10, "documents")
        if scene == "failover":
            between.target = replica.port
            replica.sync.execute_command("REPLICAOF", "NO", "ONE")
            redis.sync.execute_command("REPLICAOF", "127.0.0.1", str(replica.port))
        else:
            between.swallow()
        results = job.result(PATIENCE)
        assert set(sent(service).values()) == {1}
        assert statuses(results).get("accepted", 0) >= 56


def test_sentinels_that_are_not_there_are_told_of_in_a_line(service: LocalService) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"there is no Redis at the sentinel 127\.0\.0\.1") as told:
        people(2).reportflow.submit(**plain(), queue=f"redis+sentinel://127.0.0.1:{free_port()}/mymaster/0")
    assert "<" not in str(told.value)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_sentinels_tell_the_master_and_the_new_one(
    local: Local,
    server: Server,
    sentinel: Callable[[RedisServer], RedisServer],
    workers: Workers,
    tmp_path: Path,
    *,
    tls: bool,
) -> None:
    service = local(latency=0.1)
    certificates = Certificates(tmp_path / "tls") if tls else None
    master = server(tls=certificates)
    replica = server("--replicaof", f"127.0.0.1 {master.port}", tls=certificates)
    until(lambda: replica.sync.info("replication")["master_link_status"] == "up", "the replica")
    watching = sentinel(master)
    asked = watching.sync
    until(lambda: len(asked.execute_command("SENTINEL", "REPLICAS", "mymaster")) == 1, "the replica is known")
    scheme = "rediss+sentinel" if tls else "redis+sentinel"
    url = f"{scheme}://127.0.0.1:{watching.port}/mymaster/0{watching.query}"
    workers(service, 1, "--concurrency", "2", *SOON_GIVEN_UP, url=url)
    job = people(60).reportflow.submit(**plain(endpoint="async/single"), queue=url)
    until(lambda: len(service.documents) >= 10, "documents")
    assert master.process is not None
    master.process.send_signal(signal.SIGSTOP)
    pause(RUNS_LOOK_SECONDS + 0.1)  # by then each side has a command under way, which dies with the master
    master.kill()
    assert job.wait(PATIENCE), (job.warnings, job.progress, asked.execute_command("SENTINEL", "MASTERS"))
    results = job.result()
    assert set(sent(service).values()) == {1}
    assert statuses(results).get("accepted", 0) >= 50


def test_a_command_under_way_when_the_master_dies_goes_to_the_new_one(
    redis: RedisServer, server: Server, sentinel: Callable[[RedisServer], RedisServer]
) -> None:
    """Else a worker that stores an answer, or looks for calls, stands still for good."""
    new, watching = server(), sentinel(redis)

    async def commanding() -> object:
        client = RedisAddress.of(f"redis+sentinel://127.0.0.1:{watching.port}/mymaster/0").client(retries=RETRIES)
        try:
            under_way = asyncio.create_task(client.blpop("list"))
            await asyncio.to_thread(until, lambda: redis.sync.info("clients")["blocked_clients"], "the command")
            watching.sync.execute_command("SENTINEL", "REMOVE", "mymaster")
            watching.sync.execute_command("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", new.port, 1)
            new.sync.rpush("list", "of the new one")
            redis.kill()
            return await asyncio.wait_for(under_way, 10)
        finally:
            await closed(client)

    assert asyncio.run(commanding()) == ("list", "of the new one")


def test_clocks_of_workers_may_differ(
    service: LocalService, redis: RedisServer, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The submitter's clock is an hour off: it still sees that a worker is there, by the clock of Redis."""
    helper()
    until(lambda: list(redis.sync.scan_iter(f"{PREFIX}:*:workers")), "the worker's sign")
    monkeypatch.setattr("time.time", lambda: 1e9)
    monkeypatch.setattr("reportflow_pandas.queue.submitter.WITHOUT_WORKER_SECONDS", 0.0)
    job = people(40).reportflow.submit(**plain(endpoint="async/single"), queue=redis.url)
    assert statuses(job.result(PATIENCE)) == {"accepted": 40}
    assert not job.warnings


class Off(Clock):
    """The clock of a machine that is off by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._off = seconds

    def timestamp(self) -> float:
        return super().timestamp() + self._off


class Behind(Worker):
    """A worker whose clock is five minutes behind."""

    def __init__(self, settings: rf.Settings, *words: Any, **more: Any) -> None:
        super().__init__(replace(settings, clock=Off(-300)), *words, **more)


def test_a_document_is_as_old_as_it_is_whatever_the_clock_of_its_worker_says(
    local: Local, redis: RedisServer, helper: Callable[..., Worker], tmp_path: Path
) -> None:
    """The submitter's is an hour ahead: what is not ready yet has not expired."""
    local(render_delay=1.0)
    helper(kind=Behind)
    here = replace(current(), clock=Off(3600))
    job = people(6).reportflow.submit(
        **plain(endpoint="async/single", download=tmp_path / "pdfs", settings=here), queue=redis.url
    )
    results = job.result(PATIENCE)
    assert statuses(results) == {"ready": 6}
    age = here.clock.timestamp() - results["accepted_at"].map(lambda moment: moment.timestamp())
    assert age.between(-1, PATIENCE).all()
