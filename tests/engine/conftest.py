"""The stores of slots that one set of tests is run on."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from math import inf

import pytest
from conftest import required
from support.blocking_redis import BlockingRedis
from support.queue_workers import RedisServer
from support.virtual_time import SimulatedClock

from reportflow_pandas.engine.rate_limit import MemoryStore, Store
from reportflow_pandas.queue.rate_limit import RedisStore

StoreOf = Callable[[SimulatedClock], Store]


@pytest.fixture(scope="session")
def session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    required("redis-server", shutil.which("redis-server"))
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session", params=["memory", "redis"])
def store_of(request: pytest.FixtureRequest) -> StoreOf:
    """Return an empty store that lives in a clock's time."""
    if request.param == "memory":
        return lambda _: MemoryStore()
    client = BlockingRedis(request.getfixturevalue("session_redis").port)
    workspaces = itertools.count()
    return lambda clock: RedisStore(client, f"workspace-{next(workspaces)}", clock=clock, longest_sleep=inf)
