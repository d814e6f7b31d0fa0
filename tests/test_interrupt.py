"""Interrupted runs: nothing more is sent, nothing is lost, and the text says how to go on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends other signals")

Start = Callable[..., LocalService]
PROGRAM = Path(sys.executable).with_name("reportflow-pandas")

SCRIPT = """
import json, sys
import pandas as pd
import reportflow_pandas as rf

def made(rows, run):
    frame = pd.DataFrame({"name": [f"Person {n}" for n in range(rows)]})
    return frame.reportflow.generate("certificate", version=1, check=False, params={"RecipientName": "name"},
        file_name="name", run=run, endpoint="async/single", concurrency=4, limits=False, progress=False)

try:
    made(120, "november")
except KeyboardInterrupt as interrupted:
    said, results = str(interrupted), interrupted.results
unsent = results.loc[results["status"] == "not_sent", ["error_kind", "error"]]
second = made(3, "december")
print(json.dumps({"said": said, "status": results["status"].tolist(), "second": second["status"].tolist(),
    "why": unsent.drop_duplicates().squeeze().tolist()}))
"""


def sent(service: LocalService) -> Counter[str]:
    return Counter(document.params["RecipientName"] for document in service.documents)


def environment(service: LocalService, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }


def when_sent(service: LocalService, documents: int) -> None:
    for _ in range(3000):
        if len(service.documents) >= documents:
            return
        time.sleep(0.01)
    pytest.fail("nothing was sent")


def test_ctrl_c_in_a_script_keeps_the_results_and_a_second_run_works(local: Start, tmp_path: Path) -> None:
    """Four calls are in flight when the signal comes: they are waited for, and nothing else is sent."""
    service = local(latency=0.05)
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, env=environment(service, tmp_path), stdout=subprocess.PIPE) as script:  # noqa: S603 - our own
        when_sent(service, 10)
        script.send_signal(signal.SIGINT)
        printed, _ = script.communicate(timeout=60)
    assert script.returncode == 0
    told = json.loads(printed)
    by_run = Counter(call.documents for call in service.calls)
    assert by_run[1] == len(service.documents)
    accepted = told["status"].count("accepted")
    assert told["status"].count("unknown") == 0
    # error_kind is missing only when all is well
    assert told["why"] == ["cancelled", "the run ended before this row's turn: it was interrupted"]
    assert 10 <= accepted < 80
    assert accepted + told["status"].count("not_sent") == 120
    assert told["second"] == ["accepted"] * 3
    assert len(service.documents) == accepted + 3
    assert f"{accepted:,} of 120 accepted" in told["said"]
    assert "rf.resume('november')" in told["said"]
    assert "Nothing more is being sent" in told["said"]
    results = rf.resume("november")
    assert set(results["status"]) == {"accepted"}
    assert sent(service) == Counter(people(120)["name"]) + Counter(people(3)["name"])


def test_calls_that_are_not_answered_in_time_are_unknown(local: Start, tmp_path: Path) -> None:
    """Two interrupts: the second does not wait for the answers, which never come."""
    service = local(faults=Fault("slow", seconds=60, at=5, times=None))
    command = [sys.executable, "-c", SCRIPT.replace("second = ", "second = results  # ")]
    with subprocess.Popen(command, env=environment(service, tmp_path), stdout=subprocess.PIPE) as script:  # noqa: S603 - our own
        when_sent(service, 8)
        script.send_signal(signal.SIGINT)
        time.sleep(0.3)  # the first one's, to be heard
        script.send_signal(signal.SIGINT)
        printed, _ = script.communicate(timeout=60)
    told = json.loads(printed)
    assert told["status"] == ["accepted"] * 4 + ["unknown"] * 4 + ["not_sent"] * 112
    assert "4 were in flight and are unknown" in told["said"]
    assert rf.load("november")["status"].tolist() == told["status"]
    assert len(service.documents) == 8


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_nightly_job_that_is_stopped_writes_its_workbook_and_is_resumed_by_its_name(
    local: Start, tmp_path: Path, which: signal.Signals
) -> None:
    service = local(latency=0.05)
    people(100).to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "job.toml").write_text(
        'design = "certificate"\nversion = 1\ncheck = false\nendpoint = "async/single"\nconcurrency = 4\n'
        'limits = false\nfile_name = "name"\n[params]\nRecipientName = "name"\n'
    )

    def run(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own program
            [PROGRAM, *words],
            cwd=tmp_path,
            env=environment(service, tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with run("generate", "people.csv", "--options", "job.toml", "--run", "nightly") as first:
        when_sent(service, 10)
        first.send_signal(which)
        _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "reportflow-pandas resume nightly goes on" in said
    assert "Traceback" not in said
    before = (
        pd.read_excel(tmp_path / "review.xlsx", sheet_name="Results", engine="openpyxl")["status"]
        .value_counts()
        .to_dict()
    )
    assert before["accepted"] == len(service.documents)
    assert sum(before.values()) == 100

    with run("resume", "nightly") as second:
        printed, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert f"{before['accepted']:,} of them accepted before" in printed
    assert sent(service) == Counter(people(100)["name"])
    after = (
        pd.read_excel(tmp_path / "review.xlsx", sheet_name="Results", engine="openpyxl")["status"]
        .value_counts()
        .to_dict()
    )
    assert after == {"accepted": 100}


def test_a_cancelled_await_keeps_the_results_and_the_loop_goes_on(local: Start) -> None:
    service = local(latency=0.05)

    async def cell() -> tuple[str, pd.DataFrame]:
        work = people(100).reportflow.agenerate(
            **plain(), run="november", endpoint="async/single", concurrency=4, limits=False
        )
        task = asyncio.ensure_future(work)
        while len(service.documents) < 6:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as cancelled:
            assert task.cancelled()
            second = await people(3).reportflow.agenerate(**plain())
            assert set(second["status"]) == {"accepted"}
            return "".join(cancelled.__notes__), cancelled.results
        pytest.fail("it was not cancelled")

    said, results = asyncio.run(cell())
    counts = results["status"].value_counts().to_dict()
    assert set(counts) == {"accepted", "not_sent"}
    assert counts["accepted"] == len(service.documents) - 3
    assert "rf.resume('november')" in said
    assert set(rf.resume("november")["status"]) == {"accepted"}
    assert sent(service) == Counter(people(100)["name"]) + Counter(people(3)["name"])


def test_an_interrupt_while_pdfs_are_fetched_keeps_them_and_resuming_fetches_the_rest(
    local: Start, tmp_path: Path
) -> None:
    service = local(manual=True)

    async def cell() -> pd.DataFrame:
        work = people(8).reportflow.agenerate(**plain(), run="november", download=tmp_path / "pdfs")
        task = asyncio.ensure_future(work)
        while len(service.documents) < 8:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as cancelled:
            return cancelled.results
        pytest.fail("it was not cancelled")

    results = asyncio.run(cell())
    assert set(results["status"]) == {"accepted"}
    service.complete()
    results = rf.resume("november")
    assert set(results["status"]) == {"ready"}
    assert len(list((tmp_path / "pdfs").glob("*.pdf"))) == 8
    assert len(service.documents) == 8


def test_an_interrupt_before_anything_was_written_down_says_to_generate_again(local: Start) -> None:
    service = local(latency=0.3)

    async def cell() -> str:
        work = people(50).reportflow.agenerate("certificate", params={"RecipientName": "name"}, check="warn")
        task = asyncio.ensure_future(work)
        while not service.calls:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as cancelled:
            return "".join(cancelled.__notes__)
        pytest.fail("it was not cancelled")

    assert "generate again" in asyncio.run(cell())
    assert rf.runs().empty
    assert not service.documents


def test_an_interrupt_while_rows_are_written_down_leaves_a_run_that_can_be_resumed(local: Start) -> None:
    service = local(latency=0.02)

    async def cell() -> str:
        work = people(8000).reportflow.agenerate(**plain(), run="november", limits=False)
        task = asyncio.ensure_future(work)
        while not service.calls:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as cancelled:
            return "".join(cancelled.__notes__)
        pytest.fail("it was not cancelled")

    assert "rf.resume('november')" in asyncio.run(cell())
    assert len(service.documents) < 8000
    assert set(rf.resume("november")["status"]) == {"accepted"}
    assert sent(service) == Counter(people(8000)["name"])
