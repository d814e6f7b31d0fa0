"""A process that may open few files and connections: its runs go on, slower or later; counted at the service."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.journals import opened, planned
from support.virtual_service import sent

from reportflow_pandas.api import connections
from reportflow_pandas.engine import concurrency
from reportflow_pandas.local.service import LocalService, local_service

resource = pytest.importorskip("resource", reason="Windows has no such limit")

ROWS = 300
CALLS = 3000
"""In one commit: what it may have to undo is more than SQLite keeps in memory by itself."""
LIMITED = f"""
import logging, resource, sys, threading, warnings
import pandas as pd
import reportflow_pandas as rf

warnings.simplefilter("ignore")
logging.basicConfig(level="WARNING")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
frame = pd.DataFrame({{"name": [f"Person {{number}}" for number in range({ROWS})]}})
job = frame.reportflow.submit(
    "certificate", version=1, check=False, params={{"RecipientName": "name"}}, limits=False,
    endpoint="async/single", concurrency=200, on_row=globals().get("used_up"),
)
"""
USED_UP = """
held = []

def used_up(row):
    if not row.row and not held:
        try:
            while True:
                held.append(open("/dev/null"))
        except OSError:
            pass
"""
GIVEN_BACK = """
while not job.progress["wait"] and job.status == "running":
    threading.Event().wait(0.01)
while held:
    held.pop().close()
"""
SHOWN = """
print(job.result(300)["status"].value_counts().to_dict())
"""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (LIMITED + SHOWN, "calls in flight at a time: at most "),
        (USED_UP + LIMITED + GIVEN_BACK + SHOWN, "Too many open files"),
    ],
    ids=["from the start", "in the middle"],
)
def test_a_process_that_runs_out_of_descriptors_loses_no_row(script: str, words: str, tmp_path: Path) -> None:
    with local_service(render=False, latency=0.1) as service:
        environment = {
            **os.environ,
            "REPORT_FLOW_APP_KEY": service.app_key,
            "REPORTFLOW_API_BASE_URL": service.base_url,
            "REPORTFLOW_RUNS": str(tmp_path),
        }
        ended = subprocess.run(  # noqa: S603 - our own lines
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert ended.stdout.strip() == f"{{'accepted': {ROWS}}}", ended.stderr
        assert ended.stderr.count(words) >= 1
        assert set(sent(service).values()) == {1}


def test_a_ledger_is_written_where_no_file_can_be_opened(tmp_path: Path) -> None:
    """SQLite opens one in /tmp for what a commit of many calls may have to undo, unless it is told not to."""

    async def many_calls() -> None:
        journal = opened(tmp_path)
        await planned(journal, [f"{number}" * 300 for number in range(CALLS)], endpoint="async/single")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            await asyncio.gather(*(journal.intent([number], "async/single") for number in range(CALLS)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            journal.close()

    asyncio.run(many_calls())


def test_a_run_looks_once_how_many_connections_it_may_have(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def counted() -> int:
        looks.append(1)
        return 1000

    for module in (connections, concurrency):
        monkeypatch.setattr(module, "most_connections", counted)
    frame = pd.DataFrame({"name": ["Ann", "Bob"]})
    frame.reportflow.generate("certificate", version=1, check=False, params={"RecipientName": "name"})
    assert len(looks) == 1
