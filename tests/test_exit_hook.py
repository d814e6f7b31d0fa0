"""A program that ends before its jobs: they stop cleanly, and the person who leaves is told how to go on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.virtual_service import people, sent

import reportflow_pandas as rf
from reportflow_pandas.execution.background import because_of_python
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

Start = Callable[..., LocalService]

LAST_LINE = """
import os, sys, pandas as pd, reportflow_pandas as rf
from reportflow_pandas.engine.runner import Runner
def submitted(rows, **more):
    frame = pd.DataFrame({'name': [f'Person {n}' for n in range(rows)]})
    return frame.reportflow.submit('certificate', version=1, check=False, params={'RecipientName': 'name'},
        file_name='name', run='november', endpoint='async/single', concurrency=2, limits=False, **more)
"""


def script(
    service: LocalService, tmp_path: Path, *lines: str, before_it_ends: Callable[[], object] = lambda: None
) -> subprocess.CompletedProcess[str]:
    """Run a script; ``before_it_ends`` is called when its lines may have come to the end of the last one."""
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }
    command = [sys.executable, "-c", LAST_LINE + "\n".join([*lines, "_ = sys.stdin.read()"])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as running:  # noqa: S603 - our own lines
        before_it_ends()
        printed, said = running.communicate(timeout=60)
    return subprocess.CompletedProcess(command, running.returncode, printed, said)


UNTIL_FOUR = "while job.progress['done'] < 4: pass"


def test_a_script_that_ends_with_submit_waits_for_the_calls_in_flight_and_says_how_to_go_on(
    local: Start, tmp_path: Path
) -> None:
    has_ended = threading.Event()
    service = local(latency=lambda: 0.0 if has_ended.is_set() else 0.5)
    ended = script(service, tmp_path, "job = submitted(40, on_done=lambda job: print(job.status))", UNTIL_FOUR)
    assert ended.returncode == 0
    assert ended.stdout == "cancelled\n"
    [line] = ended.stderr.splitlines()
    accepted = len(service.documents)
    assert 4 <= accepted < 40
    has_ended.set()
    assert line == (
        "job november: the program ended before it did. "
        f"interrupted: {accepted} of 40 accepted, {40 - accepted} not sent. Nothing more is being sent. "
        "rf.resume('november') goes on. job.wait() or job.result() waits for it"
    )
    # no call was cut off: nothing is unknown, and nothing is sent twice
    assert set(rf.resume("november")["status"]) == {"accepted"}
    assert sent(service) == Counter(people(40)["name"])


@pytest.mark.parametrize(("version", "is_said"), [((3, 11, 9), False), ((3, 12, 1), True), ((3, 12, 3), False)])
def test_where_python_starts_no_thread_at_the_end_it_is_said_whose_fault_that_is(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], is_said: bool
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    refused = RuntimeError("can't create new thread at interpreter shutdown")
    assert ("3.12.0 to 3.12.2 start no thread" in because_of_python(refused)) is is_said
    assert not because_of_python(ValueError("no"))


def test_a_script_of_which_submit_is_all_says_what_was_sent(local: Start, tmp_path: Path) -> None:
    """It may have come to the first calls or not to any: what it says is what service and journal have."""
    service = local(latency=0.05)
    ended = script(service, tmp_path, "submitted(40)")
    assert ended.returncode == 0
    [line] = ended.stderr.splitlines()
    accepted = len(service.documents)
    assert f"{accepted} of 40 accepted, {40 - accepted} not sent" in line
    if "generate again" in line:
        assert not accepted
        assert rf.runs().empty
    elif "df.reportflow.generate('certificate', run='november', …) goes on" in line:
        assert not accepted
        assert rf.runs()["state"].tolist() == ["unplanned"]
    else:
        assert "rf.resume('november') goes on" in line
        assert set(rf.resume("november")["status"]) == {"accepted"}


def test_calls_that_are_not_answered_before_the_program_ends_are_unknown(local: Start, tmp_path: Path) -> None:
    service = local(faults=Fault("slow", seconds=60, at=5, times=None))
    grace = "Runner.__init__.__kwdefaults__['grace'] = 0.2"

    def six_are_there() -> None:
        while len(service.documents) < 6:
            time.sleep(0.005)

    ended = script(service, tmp_path, grace, "job = submitted(40)", UNTIL_FOUR, before_it_ends=six_are_there)
    assert "2 were in flight and are unknown" in ended.stderr
    assert rf.load("november")["status"].tolist() == ["accepted"] * 4 + ["unknown"] * 2 + ["not_sent"] * 34
    assert len(service.documents) == 6


def test_a_script_that_waits_for_its_job_ends_without_a_word(local: Start, tmp_path: Path) -> None:
    service = local(latency=0.02)
    ended = script(service, tmp_path, "submitted(6).result()")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert len(service.documents) == 6


def test_callbacks_of_a_finished_run_come_to_their_end_after_the_program_and_are_no_interruption(
    local: Start, tmp_path: Path
) -> None:
    service = local()
    late = "import time; told = lambda job: (time.sleep(0.2), print(job.status, job.progress['accepted']))"
    until = "while job.progress['accepted'] < 6 or not job._work.run.progress.ended: pass"
    ended = script(service, tmp_path, late, "job = submitted(6, on_done=told)", until)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done 6\n", "")
    assert len(service.documents) == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_ends_without_its_parents_jobs(local: Start, tmp_path: Path) -> None:
    service = local(latency=0.02)
    # from 3.12 on, Python warns of each fork beside threads
    quiet = "import warnings; warnings.filterwarnings('ignore', '.* is multi-threaded', DeprecationWarning)"
    child = f"{quiet}\nchild = os.fork()\nif not child: sys.exit(7)"
    last = "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), set(job.result()['status']))"
    ended = script(service, tmp_path, "job = submitted(12)", UNTIL_FOUR, child, last)
    assert (ended.stdout, ended.stderr) == ("7 {'accepted'}\n", "")
    assert sent(service) == Counter(people(12)["name"])


def test_a_run_that_fails_as_a_whole_while_the_program_ends_says_so(local: Start, tmp_path: Path) -> None:
    reached = threading.Event()

    def refused(_endpoint: str, _body: Mapping[str, Any] | None) -> Fault:
        reached.set()
        return Fault(status=401, times=None)

    service = local(faults=[refused], latency=0.3)
    ended = script(service, tmp_path, "job = submitted(9)", before_it_ends=reached.wait)
    [line] = ended.stderr.splitlines()
    assert "job november: the program ended before it did. AuthError: the service answered 401" in line
    assert "rf.resume('november') goes on" in line
    assert not service.documents
