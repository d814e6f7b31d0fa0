"""Runs in the background: what they tell while they go on, and that nothing of the user's code ends them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas import jobs
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.lru import LruDict

Start = Callable[..., LocalService]
SINGLE: dict[str, Any] = {"endpoint": "async/single", "limits": False}


def submitted(rows: int | pd.DataFrame, **more: Any) -> rf.Job:
    return people(rows).reportflow.submit(**{**plain(), **SINGLE, **more})


class Door:
    """Holds calls at the service from the n-th on until it is opened."""

    def __init__(self, local: Start, at: int, **switches: Any) -> None:
        self.opened = threading.Event()
        self.reached = threading.Event()
        self._at = at
        self._met = 0
        self.service = local(faults=[self._fault], **switches)

    def _fault(self, endpoint: str, _body: Mapping[str, Any] | None) -> Fault | None:
        if endpoint.startswith("async"):
            self._met += 1
            if self._met >= self._at:
                self.reached.set()
                self.opened.wait(30)
        return None


@pytest.fixture
def door(local: Start) -> Iterator[Callable[..., Door]]:
    """Doors that are open in the end: a service whose loop stands can't be stopped."""
    made: list[Door] = []

    def make(at: int, **switches: Any) -> Door:
        made.append(Door(local, at, **switches))
        return made[-1]

    yield make
    for one in made:
        one.opened.set()


def sent(service: LocalService) -> Counter[str]:
    return Counter(document.params["RecipientName"] for document in service.documents)


def test_submit_returns_at_once_and_the_result_is_that_of_generate(door: Callable[..., Door]) -> None:
    held = door(1)
    job = submitted(6)
    assert held.reached.wait(10)
    assert job.status == "running"
    assert job.progress["done"] == 0
    assert not job.wait(0.05)
    with pytest.raises(TimeoutError, match="goes on"):
        job.result(timeout=0.05)
    held.opened.set()
    results = job.result()
    assert job.status == "done"
    assert job.wait()
    assert set(results["status"]) == {"accepted"}
    assert job.progress == {
        "total": 6,
        "done": 6,
        "not_sent": 0,
        "accepted": 6,
        "ready": 0,
        "failed": 0,
        "unknown": 0,
        "wait": 0,
    }
    assert results is job.results()
    assert "6 of 6 accepted" in repr(job)


def test_progress_and_results_are_there_while_it_goes_on(door: Callable[..., Door]) -> None:
    held = door(4)
    job = submitted(9, concurrency=1)
    assert held.reached.wait(10)
    while job.progress["done"] < 3:
        time.sleep(0.005)
    assert job.progress["done"] == 3
    assert job.results()["status"].tolist() == ["accepted"] * 3 + ["not_sent"] * 6
    assert rf.load(job.id)["status"].tolist() == ["accepted"] * 3 + ["unknown"] + ["not_sent"] * 5
    assert rf.job(job.id) is job
    held.opened.set()
    job.result()


def test_a_job_can_be_awaited(service: LocalService) -> None:
    async def cell() -> pd.DataFrame:
        job = submitted(4)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(tick())
        results = await job
        beside.cancel()
        assert ticks
        return results

    assert set(asyncio.run(cell())["status"]) == {"accepted"}


def test_a_cancelled_job_sends_no_further_call_and_keeps_its_results(door: Callable[..., Door]) -> None:
    held = door(3)
    job = submitted(20, concurrency=1, run="november")
    assert held.reached.wait(10)
    job.cancel()
    held.opened.set()
    with pytest.raises(rf.RunInterrupted, match=r"rf.resume\('november'\)") as caught:
        job.result()
    assert job.status == "cancelled"
    assert caught.value.results["status"].value_counts().to_dict() == {"not_sent": 17, "accepted": 3}
    assert len(held.service.documents) == 3
    job.cancel()
    assert rf.resume("november")["status"].tolist() == ["accepted"] * 20
    assert sent(held.service) == Counter(people(20)["name"])


def test_what_ends_a_run_as_a_whole_is_raised_by_its_result(service: LocalService) -> None:
    rf.configure(app_key="ak_wrong_wrong_wrong_1")
    job = submitted(200)
    with pytest.raises(rf.AuthError):
        job.result()
    assert job.status == "failed"
    assert (job.results()["status"] == "not_sent").all()
    assert service.counts().total() == 1


def test_what_can_be_known_before_is_raised_at_once(service: LocalService) -> None:
    with pytest.raises(rf.ConfigurationError, match="no column"):
        people(3).reportflow.submit("certificate", params={"RecipientName": "nmae"})
    with pytest.raises(rf.ConfigurationError, match="on_row"):
        submitted(3, on_row="print")
    with pytest.raises(TypeError, match="concurency"):
        submitted(3, concurency=3)
    assert not service.calls


def test_an_empty_frame_is_done_at_once(service: LocalService) -> None:
    told: list[str] = []
    job = submitted(0, on_done=lambda job: told.append(job.status))
    assert job.result().empty
    assert told == ["done"]
    assert not service.calls


# callbacks


def test_on_row_is_called_once_for_each_row_and_on_done_last(local: Start) -> None:
    service = local(faults=[Fault(status=400, file_name="Person 2"), Fault("dropped_after", file_name="Person 3")])
    seen: list[Any] = []
    job = submitted(6, on_row=seen.append, on_done=seen.append, concurrency=2)
    results = job.result()
    *rows, last = seen
    assert last is job
    assert sorted(row.row for row in rows) == list(range(6))
    assert {row.row: row.status for row in rows} == dict(enumerate(results["status"]))
    by_row = {row.row: row for row in rows}
    assert by_row[2].error_kind == "invalid"
    assert by_row[0].file_name == "Person 0.pdf"
    assert by_row[0].file_id == results["file_id"][0]
    assert service.counts() == {"async/single": 6}


def test_a_batch_tells_of_each_of_its_rows(service: LocalService) -> None:
    seen: list[int] = []
    job = submitted(250, endpoint="async/multiple", on_row=lambda row: seen.append(row.row))
    job.result()
    assert sorted(seen) == list(range(250))


def test_on_done_comes_once_with_the_results_and_may_use_them(service: LocalService, tmp_path: Path) -> None:
    written: list[Path] = []

    def review(job: rf.Job) -> None:
        assert job.status == "done"
        written.append(job.result().reportflow.to_excel(tmp_path / "review.xlsx"))

    submitted(3, on_done=review).result()
    assert written == [tmp_path / "review.xlsx"]
    assert written[0].is_file()


def test_on_done_of_a_download_comes_when_the_pdfs_are_there(service: LocalService, tmp_path: Path) -> None:
    there: list[int] = []
    submitted(3, download=tmp_path, on_done=lambda _job: there.append(len(list(tmp_path.glob("*.pdf"))))).result()
    assert there == [3]


@pytest.mark.parametrize("raised", [ValueError("oh"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_exception_in_a_callback_is_a_warning_on_the_job_and_the_run_goes_on(
    service: LocalService, raised: BaseException
) -> None:
    def fail(_: object) -> None:
        raise raised

    job = submitted(4, on_row=fail, on_done=fail)
    assert set(job.result()["status"]) == {"accepted"}
    assert job.status == "done"
    first, more, last = job.warnings
    assert first.startswith(f"on_row raised {type(raised).__name__}")
    assert more == "… and on_row raised 3 more times; the run went on"
    assert last.startswith(f"on_done raised {type(raised).__name__}")


def test_an_on_row_that_always_raises_makes_two_warnings_however_many_rows_there_are(
    service: LocalService, recwarn: pytest.WarningsRecorder
) -> None:
    def fail(row: Any) -> None:
        raise ValueError(row.row)

    job = submitted(500, endpoint="async/multiple", concurrency=1, on_row=fail)
    assert set(job.result()["status"]) == {"accepted"}
    assert job.warnings == [
        "on_row raised ValueError: 0; the run went on",
        "… and on_row raised 499 more times; the run went on",
    ]
    said = [str(one.message) for one in recwarn if one.category is rf.JobWarning]
    assert said == [f"job {job.id}: {text}" for text in job.warnings]
    assert len(service.documents) == 500


def test_a_callbacks_exception_is_also_an_ordinary_warning(service: LocalService) -> None:
    with pytest.warns(rf.JobWarning, match=r"on_done raised ValueError: oh; the run went on"):
        submitted(1, on_done=lambda _job: (_ for _ in ()).throw(ValueError("oh"))).result()


def test_a_slow_callback_slows_no_call(service: LocalService) -> None:
    """The first row's callback does not return before the service has all documents."""
    free = threading.Event()

    def wait(_row: object) -> None:
        assert free.wait(30)

    job = submitted(8, on_row=wait, concurrency=1)
    while len(service.documents) < 8:
        time.sleep(0.005)
    free.set()
    job.result()
    assert not job.warnings


def test_a_callback_may_look_at_its_job_and_start_another_run(service: LocalService) -> None:
    others: list[pd.DataFrame] = []
    job = submitted(2, on_done=lambda _job: others.append(people(2).reportflow.generate(**plain())))
    job.result()
    assert set(others[0]["status"]) == {"accepted"}
    assert not job.warnings


# several at once


def test_two_jobs_and_the_main_thread_generate_at_the_same_time(door: Callable[..., Door]) -> None:
    held = door(1)
    first, second = submitted(5, run="a"), submitted(7, run="b")
    assert held.reached.wait(10)
    threading.Timer(0.05, held.opened.set).start()
    third = people(3).reportflow.generate(**plain(), run="c")
    assert [len(job.result()) for job in (first, second)] == [5, 7]
    assert set(third["status"]) == {"accepted"}
    assert len(held.service.documents) == 15
    assert rf.runs()["state"].tolist() == ["complete"] * 3


def test_jobs_share_the_workspaces_limit(local: Start) -> None:
    few = rf.Limits(async_calls=6, window=0.4)
    service = local(limits=few, limit_window="sliding")
    running = [submitted(5, limits=few), submitted(5, limits=few)]
    assert all(set(job.result()["status"]) == {"accepted"} for job in running)
    assert not [call for call in service.calls if call.status == 429]


# found again


def test_a_job_is_found_by_its_id_as_long_as_the_process_lives(service: LocalService) -> None:
    job = submitted(3)
    assert rf.job(job.id) is job
    job.result()
    assert rf.job(job.id) is job


def test_old_jobs_are_let_go(service: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", LruDict(2, pinned=lambda job: job.status == "running"))
    made = [submitted(1, run=f"run {number}") for number in range(4)]
    for job in made:
        job.result()
    submitted(1, run="last").result()
    assert rf.job("run 0") is not made[0]
    assert rf.job("run 0").status == "done"
    assert set(rf.job("run 0").result()["status"]) == {"accepted"}


def test_a_job_of_a_killed_process_is_found_by_a_fresh_one(local: Start, tmp_path: Path) -> None:
    """A kernel dies in the middle; the next one finds the job, sees how far it is, and resumes it."""
    service = local(latency=0.05)
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }
    code = (
        "import os, sys, pandas as pd, reportflow_pandas as rf\n"
        "frame = pd.DataFrame({'name': [f'Person {n}' for n in range(30)]})\n"
        "job = frame.reportflow.submit('certificate', version=1, check=False, params={'RecipientName': 'name'},\n"
        "    file_name='name', run='november', endpoint='async/single', concurrency=2,\n"
        "    on_row=lambda row: os.kill(os.getpid(), 9) if job.progress['done'] >= 6 else None)\n"
        "job.wait()\n"
    )
    died = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)  # noqa: S603 - our own lines
    assert died.returncode == -9, died.stderr
    job = rf.job("november")
    assert job.status == "interrupted"
    counts = job.progress
    assert counts["total"] == 30
    assert counts["accepted"] >= 6
    assert counts["unknown"] <= 2
    assert job.results()["status"].tolist() == job.result()["status"].tolist()
    assert job.wait(0.01)
    with pytest.raises(rf.ConfigurationError, match="not this process's"):
        job.cancel()
    assert "interrupted" in repr(job)
    rf.resume("november").reportflow.retry(unknown=True)
    assert rf.job("november").status == "done"
    assert set(sent(service)) == set(people(30)["name"])
    assert sum(sent(service).values()) <= 30 + counts["unknown"]


def test_a_job_of_a_process_that_goes_on_is_watched_by_another(local: Start, tmp_path: Path) -> None:
    seen = threading.Event()
    service = local(latency=lambda: 0.0 if seen.is_set() else 1.0)
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }
    code = (
        "import sys, pandas as pd, reportflow_pandas as rf\n"
        "frame = pd.DataFrame({'name': [f'Person {n}' for n in range(12)]})\n"
        "frame.reportflow.generate('certificate', version=1, check=False, params={'RecipientName': 'name'},\n"
        "    file_name='name', run='november', endpoint='async/single', concurrency=1,\n"
        "    on_error='collect', limits=False, progress=False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as other:  # noqa: S603 - our own lines
        while not service.documents:
            time.sleep(0.01)
        job = rf.job("november")
        assert job.status == "running"
        seen.set()
        assert job.wait(60)
        assert other.wait(60) == 0
    assert job.status == "done"
    assert set(job.result()["status"]) == {"accepted"}


def test_a_job_is_found_in_the_folder_of_its_journal(service: LocalService, tmp_path: Path) -> None:
    first = people(2).reportflow.submit(**plain(), run="november")
    first.result(30)
    there = rf.configure().runs
    rf.configure(runs=tmp_path / "elsewhere")
    assert rf.job("november") is first  # there is no other
    second = people(3).reportflow.submit(**plain(), run="november")
    assert len(second.result(30)) == 3
    assert rf.job("november") is second
    rf.configure(runs=there)
    assert rf.job("november") is first
    assert set(sent(service).values()) == {2, 1}


def test_a_look_up_of_a_job_writes_nothing(service: LocalService, tmp_path: Path) -> None:
    """Neither on the disk nor in this process: no folder of PDFs, no lock, no entry among its own jobs."""
    people(3).reportflow.generate(**plain(), run="november", download=tmp_path / "pdfs")
    shutil.rmtree(tmp_path / "pdfs")
    runs, calls = rf.configure().runs, len(service.calls)

    def there() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes() for path in [*tmp_path.rglob("*"), *runs.rglob("*")] if path.is_file()
        }

    before = there()
    job = rf.job("november")
    assert (job.status, job.error, job.progress["ready"]) == ("done", None, 3)
    assert "3 of 3 accepted" in repr(job)
    assert set(job.results()["status"]) == {"ready"}
    assert there() == before
    assert not (tmp_path / "pdfs").exists()
    assert rf.job("november") is not job
    assert len(service.calls) == calls
