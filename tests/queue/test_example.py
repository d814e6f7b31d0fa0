"""The examples for people who run many machines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from conftest import required
from support.queue_workers import Helper, RedisServer

from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.worker import WORKER_GRACE_SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_partitions_of_a_frame_that_are_given_twice_are_sent_once(
    service: LocalService, redis: RedisServer, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    required("dask", importlib.util.find_spec("dask"))
    monkeypatch.setenv("BLOCKSIZE", "700B")
    spec = importlib.util.spec_from_file_location("dask_partitions", EXAMPLES / "dask_partitions.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    helper()
    for _ in range(2):
        counts = example.main(redis.url)
        assert len(counts) > 1
        assert counts["accepted"].sum() == 12
    assert len(service.documents) == 12


@pytest.mark.parametrize(
    ("file", "patience"),
    [("compose.yaml", "stop_grace_period: 75s"), ("reportflow-worker@.service", "TimeoutStopSec=75")],
)
def test_what_ends_a_worker_waits_longer_than_its_grace_time(file: str, patience: str) -> None:
    text = (EXAMPLES / file).read_text(encoding="utf-8")
    assert patience in text
    assert f"--grace {WORKER_GRACE_SECONDS:g}" in text
    assert "REPORTFLOW_QUEUE" in text, "an address on the command line is seen by everybody (ps)"
    assert "worker --queue" not in text
