"""The journal cannot be written any more while a run goes on: it stops, tells, and has sent nothing unrecorded."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.journal import commits
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.next_steps import line_that_goes_on

ROWS = 9
WAYS: dict[str, dict[str, Any]] = {
    "async/single": {"endpoint": "async/single", "concurrency": 3},
    "async/multiple": {"endpoint": "async/multiple", "batch_size": 2, "concurrency": 2},
}
TROUBLES = {
    "full": "database or disk is full",
    "read-only": "attempt to write a readonly database",
    "gone": "disk I/O error",
}


def sent(service: LocalService) -> Counter[str]:
    return Counter(document.params["RecipientName"] for document in service.documents)


def made(**more: Any) -> pd.DataFrame:
    return people(ROWS).reportflow.generate(**{**plain(), "run": "november", "limits": False, **more})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_commit_fails_the_run_stops_with_what_was_accepted_and_nothing_unrecorded_was_sent(
    service: LocalService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, trouble: str
) -> None:
    """The n-th commit and all later ones fail, for each n until a run gets through."""
    write = commits.write
    for number in range(1, 60):
        rf.configure(runs=tmp_path / f"runs {number}")
        service.clear()
        made_so_far = 0

        def failing(connection: sqlite3.Connection, records: commits.Records, last: int = number) -> None:
            nonlocal made_so_far
            made_so_far += 1
            if made_so_far >= last:
                raise sqlite3.OperationalError(TROUBLES[trouble])
            write(connection, records)

        with monkeypatch.context() as patched:
            patched.setattr(commits, "write", failing)
            try:
                made(**WAYS[way])
            except rf.JournalError as error:
                stopped = error
            else:
                break
        assert "cannot be written any more" in str(stopped)
        assert "rf.resume('november')" in str(stopped)
        assert "df.reportflow.generate(…, run='november')" in str(stopped)
        assert "REPORTFLOW_RUNS" in str(stopped)
        assert len(stopped.results) == ROWS
        paid = sent(service)
        shown = dict(zip(people(ROWS)["name"], stopped.results["status"], strict=True))
        # what the exception shows as not sent was not sent
        assert all(shown[name] in ("accepted", "unknown") for name in paid)
        assert all(paid[name] == 1 for name, status in shown.items() if status == "accepted")
        # what the journal does not know of was not sent
        recorded = rf.load("november")
        known = recorded["status"].isin(["accepted", "unknown"])
        written = set(people(ROWS)["name"].to_numpy()[recorded["row"].to_numpy()[known]])
        assert set(paid) <= written
        # with room again, the run goes on
        unplanned = rf.runs()["state"].tolist() == ["unplanned"]
        # by the one way or the other, as it was told; resuming what was not written down refuses and sends nothing
        line = "df.reportflow.generate('certificate', run='november', …)" if unplanned else "rf.resume('november')"
        assert not len(recorded) or line_that_goes_on(recorded.attrs["reportflow"]) == line
        assert line_that_goes_on(stopped.results.attrs["reportflow"]) == line
        if unplanned:
            with pytest.raises(rf.ConfigurationError, match="generate"):
                rf.resume("november")
            assert sent(service) == paid
        results = made(**WAYS[way]) if unplanned else rf.resume("november")
        assert set(results["status"]) <= {"accepted", "unknown"}
        assert set(sent(service).values()) == {1}
        results = results.reportflow.retry(unknown=True)
        assert set(results["status"]) == {"accepted"}
        assert set(sent(service)) == set(people(ROWS)["name"])
    else:
        pytest.fail("no run got through")
    assert number > 3


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file sizes")
@pytest.mark.parametrize("kilobytes", [100, 160])
def test_a_file_system_that_takes_no_more_stops_the_run_in_a_real_process(
    local: Callable[..., LocalService], tmp_path: Path, kilobytes: int
) -> None:
    service = local()
    environment = os.environ | {
        "REPORTFLOW_API_BASE_URL": service.base_url,
        "REPORT_FLOW_APP_KEY": service.app_key,
        "REPORTFLOW_RUNS": str(tmp_path / "runs"),
    }
    code = (
        "import json, resource, signal, pandas as pd, reportflow_pandas as rf\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1024}, {kilobytes * 1024}))\n"
        "frame = pd.DataFrame({'name': [f'Person {n}' for n in range(400)]})\n"
        "try:\n"
        "    frame.reportflow.generate('certificate', version=1, check=False, params={'RecipientName': 'name'},\n"
        "        file_name='name', run='november', endpoint='async/single', limits=False, progress=False)\n"
        "except rf.JournalError as error:\n"
        "    print(json.dumps([str(error), error.results['status'].tolist()]))\n"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    said, shown = json.loads(ended.stdout)
    assert "cannot be written any more" in said
    paid = sent(service)
    names = [f"Person {number}" for number in range(400)]
    assert {name for name, status in zip(names, shown, strict=True) if status == "accepted"} <= set(paid)
    assert set(paid) <= {name for name, status in zip(names, shown, strict=True) if status != "not_sent"}
    frame = people(400)
    results = frame.reportflow.generate(**plain(), run="november", endpoint="async/single", limits=False)
    assert set(results["status"]) <= {"accepted", "unknown"}
    assert set(sent(service).values()) == {1}
    results = results.reportflow.retry(unknown=True)
    assert set(sent(service)) == set(names)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file sizes")
def test_a_whole_run_that_a_full_disk_does_not_let_read_is_not_said_to_be_damaged_or_unsent(
    service: LocalService, tmp_path: Path
) -> None:
    made()
    code = (
        "import resource, signal, reportflow_pandas as rf\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))\n"
        "print(rf.runs()['problem'].iloc[0])\n"
    )
    command = [sys.executable, "-c", code]
    environment = os.environ | {"REPORTFLOW_RUNS": str(tmp_path / "runs")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert "run 'november' cannot be read just now" in ended.stdout
    assert "it was not touched" in ended.stdout
    assert "free the disk" in ended.stdout
    assert "sent" not in ended.stdout
    assert set(rf.load("november")["status"]) == {"accepted"}
    assert len(service.documents) == ROWS
