"""A real Redis, and workers that are real processes."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import required
from support.queue_workers import RedisServer, WorkerProcess, Workers

from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.worker import LEASE_SECONDS, Worker
from reportflow_pandas.settings import current

pytest.importorskip("bullmq")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    required("redis-server", shutil.which("redis-server"))
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.kill()


@pytest.fixture
def workers(redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    """Start workers for a service; they are ended after the test."""
    started: list[WorkerProcess] = []

    def start(
        service: LocalService, count: int = 1, *words: str, wait: bool = True, url: str = ""
    ) -> list[WorkerProcess]:
        new = [
            WorkerProcess(url or redis.url, service, tmp_path / f"worker-{len(started) + n}.log", *words)
            for n in range(count)
        ]
        started.extend(new)
        return [one.ready() for one in new] if wait else new

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


@pytest.fixture
def helper(redis: RedisServer) -> Iterator[Callable[..., Worker]]:
    """Start a worker in a thread of this process, where a test needs none of its own to be killed."""
    started: list[tuple[asyncio.AbstractEventLoop, Worker, threading.Thread]] = []

    def start(concurrency: int = 4, *, lease: float = LEASE_SECONDS, kind: type[Worker] = Worker) -> Worker:
        loop = asyncio.new_event_loop()
        worker = kind(current(), redis.url, concurrency=concurrency, lease=lease)
        thread = threading.Thread(target=loop.run_until_complete, args=(worker.run(),))
        thread.start()
        started.append((loop, worker, thread))
        return worker

    yield start
    for loop, worker, thread in started:
        loop.call_soon_threadsafe(worker.stop)
        thread.join()
        loop.close()
