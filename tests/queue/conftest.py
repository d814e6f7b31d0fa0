"""A real Redis, and workers that are real processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import required
from machines import RedisServer, WorkerProcess, Workers

from reportflow_pandas.local.service import LocalService

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

    def start(service: LocalService, count: int = 1, *words: str, wait: bool = True) -> list[WorkerProcess]:
        lease = () if "--lease" in words else ("--lease", "2")
        new = [
            WorkerProcess(redis.url, service, tmp_path / f"worker-{len(started) + n}.log", *lease, *words)
            for n in range(count)
        ]
        started.extend(new)
        return [one.ready() for one in new] if wait else new

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
