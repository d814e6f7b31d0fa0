"""What the tests of the embedded service share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from support.plain_http import PARAMETERS, Caller, HandClock

from reportflow_pandas.local.designs import Design, DesignVersion
from reportflow_pandas.local.pytest_fixture import reportflow_service  # noqa: F401 - found by its name
from reportflow_pandas.local.service import LocalService, local_service


@pytest.fixture(scope="session")
def designs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Design]:
    """Return a design of seven kinds of parameters in two versions, in memory: these tests make no pages."""
    folder = Path(tmp_path_factory.mktemp("designs"))
    versions = MappingProxyType(
        {number: DesignVersion(number, folder, PARAMETERS[: 2 if number == 1 else None], {}) for number in (1, 2)}
    )
    uuid = "7f9c24e8-3b12-4fef-91d0-56b1b7c3a2f4"
    moment = datetime(2026, 8, 1, 2, 3, 4, tzinfo=UTC)
    return {name: Design(name, label, versions, moment) for name, label in (("order", "注文書"), (uuid, "UUID"))}


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that the test moves."""
    return HandClock()


@pytest.fixture
def serve(designs: dict[str, Design], clock: HandClock) -> Iterator[Callable[..., Caller]]:
    """Start services with switches, without rendering unless asked, and stop them after the test."""
    running: list[LocalService] = []

    def start(**switches: Any) -> Caller:
        service = local_service(
            switches.pop("designs", designs),
            render=switches.pop("render", False),
            clock=switches.pop("clock", clock),
            **switches,
        ).start()
        running.append(service)
        return Caller(service)

    yield start
    for service in running:
        service.stop()


@pytest.fixture
def call(serve: Callable[..., Caller]) -> Caller:
    """Return a caller of a service with all defaults, without rendering."""
    return serve()
