"""kill -9 at any instant: what was accepted is never sent again, what is not known is said to be so."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.killed_processes import Children
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="killed children are forked")

ROWS = 36
WAYS: dict[str, dict[str, Any]] = {
    "async/single": {"endpoint": "async/single", "concurrency": 6},
    "async/multiple": {"endpoint": "async/multiple", "batch_size": 5, "concurrency": 3},
}
Start = Callable[..., LocalService]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDFs are asked for at once, as in the children."""
    monkeypatch.setattr("reportflow_pandas.results.polling.SOONEST_SECONDS", 0.02)


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as running:
        yield running


def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


class Bench:
    """A service whose answers take a while only as long as a child is alive, and runs to kill."""

    def __init__(self, children: Children, local: Start, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test's chance
        self.slow = True
        self.service = local(faults=[self._fault])
        self._children = children
        self._folder = folder
        self.phases: Counter[str] = Counter()
        self.unknown = 0

    def _fault(self, endpoint: str, _body: Mapping[str, Any] | None) -> Fault | None:
        """Accept at once and answer later: what is in flight was accepted; some answers are lost."""
        if not self.slow or not endpoint.startswith("async"):
            return None
        if self.chance.random() < 0.05:
            return Fault("dropped_after")
        return Fault("slow", seconds=self.chance.uniform(0.02, 0.12))

    def job(self, run: str, way: str, **more: Any) -> dict[str, Any]:
        options = {**WAYS[way], "run": run, "limits": False, **more}
        settings = {
            "base_url": self.service.base_url,
            "app_key": self.service.app_key,
            "runs": str(self._folder / "runs"),
        }
        child = {"rows": ROWS, "settings": settings, "seed": self.chance.randrange(10**9), "commit": 0.004}
        return {**child, "held": 0.0, "options": options}

    def die(self, run: str, way: str, moment: float) -> None:
        """Let a child generate and kill it at a moment of its life, from 0 (its birth) to 1 (its end)."""
        self.service.clear()
        self.slow = True
        calls = {"async/single": ROWS, "async/multiple": -(-ROWS // 5)}[way]
        begun = (self._folder / "runs" / f"{run}.sqlite").exists
        counts = self.service.counts
        fetched = {"async/single": "download/file", "async/multiple": "download/zip"}[way]
        reached: Callable[[], bool] = lambda: False  # noqa: E731 - the last stretch: the child's own end
        pause = 0.0
        for share, until_then, longest in (
            (0.05, lambda: True, 0.1),
            (0.20, begun, 0.06),
            (0.70, lambda: counts()[way] > (moment - 0.20) / 0.50 * calls, 0.06),
            (0.95, lambda: counts()[fetched] > (moment - 0.70) / 0.25 * calls, 0.03),
        ):
            if moment < share:
                reached, pause = until_then, self.chance.uniform(0, longest)
                break
        child = self._children.start(**self.job(run, way, download=str(self._folder / f"pdfs {run}")))
        while self._children.alive(child) and not reached():
            time.sleep(0.001)
        time.sleep(pause)
        self._children.kill(child)
        self.slow = False

    def go_on(self, run: str, way: str) -> None:
        """Resume a killed run, count at the service, retry what is unknown, and count again."""
        names = set(people(ROWS)["name"])
        before = self.accepted()
        self.phases[self.phase(run)] += 1
        listed = rf.runs().set_index("run")
        state = str(listed.loc[run, "state"]) if run in listed.index else "none"
        assert state in ("none", "unplanned", "open", "complete")
        more = {**WAYS[way], "run": run, "limits": False, "download": self._folder / f"pdfs {run}"}
        if state in ("none", "unplanned"):
            results = people(ROWS).reportflow.generate(**{**plain(), **more})
        else:
            results = rf.resume(run)
        counted = self.accepted()
        status = dict(zip(people(ROWS)["name"], results["status"], strict=True))
        assert set(status.values()) <= {"ready", "unknown"}, (run, state, Counter(status.values()))
        for name in names:
            assert counted[name] <= 1, (run, state, name)
            assert counted[name] == 1 or status[name] == "unknown", (run, state, name)
            # what was accepted when the process died is not sent again
            assert before[name] == 0 or counted[name] == before[name], (run, state, name)
        for path in results["path"].dropna():
            assert Path(path).read_bytes().startswith(b"%PDF")
        unknown = {name for name, word in status.items() if word == "unknown"}
        self.unknown += len(unknown)
        retried = results.reportflow.retry(unknown=True)
        assert set(retried["status"]) == {"ready"}
        assert retried["file_id"].is_unique
        twice = {name for name, count in self.accepted().items() if count == 2}
        assert twice <= unknown
        assert set(self.accepted().values()) <= {1, 2}
        assert set(self.accepted()) == names

    def accepted(self) -> Counter[str]:
        return Counter(document.params["RecipientName"] for document in self.service.documents)

    def phase(self, run: str) -> str:
        """Return where the run was when it died."""
        listed = rf.runs().set_index("run")
        if run not in listed.index:
            return "before the journal"
        if listed.loc[run, "state"] == "unplanned":
            return "planning and sending" if self.service.calls else "planning"
        results = rf.load(run)
        if (results["status"] == "not_sent").any():
            return "sending"
        if any(call.endpoint.startswith("download") for call in self.service.calls):
            return "downloading" if results["path"].isna().any() else "done"
        return "at the last answers"


def killed(children: Children, local: Start, folder: Path, instants: int, seed: int) -> Bench:
    bench = Bench(children, local, folder, seed)
    ways = list(WAYS)
    for number in range(instants):
        # one stratum each, so that few instants still cover the whole life
        moment = (number // 2 + bench.chance.random()) / ((instants + 1) // 2)
        bench.die(f"run {number}", ways[number % 2], moment)
        bench.go_on(f"run {number}", ways[number % 2])
    return bench


def test_a_run_killed_at_20_instants_loses_nothing_and_sends_nothing_twice(
    children: Children, local: Start, tmp_path: Path
) -> None:
    bench = killed(children, local, tmp_path, 20, seed=5)
    assert len(bench.phases) >= 3, bench.phases


@pytest.mark.long
def test_a_run_killed_at_200_instants_loses_nothing_and_sends_nothing_twice(
    children: Children, local: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = killed(children, local, tmp_path, 200, seed=11)
    with capsys.disabled():
        print(f"\n200 deaths: {dict(bench.phases)}; {bench.unknown} rows unknown of {200 * ROWS}")  # noqa: T201 - the figure


# the sharpest cases: the service accepted, and the process dies before that is written down


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("death", ["before the answer", "after the answer", "after the connection"])
def test_accepted_and_killed_before_it_was_written_down_is_unknown(
    children: Children, local: Start, tmp_path: Path, way: str, death: str
) -> None:
    """The answer never comes; or it is read and not yet committed; or the connection dies first."""
    faults = {
        "before the answer": Fault("slow", seconds=60, times=None),
        "after the answer": Fault("slow", seconds=0),
        "after the connection": Fault("dropped_after", times=None),
    }
    bench = Bench(children, local, tmp_path, 1)
    bench.slow = False
    bench.service = service = local(faults=faults[death])
    job = bench.job("november", way, concurrency=1)
    child = children.start(**{**job, "rows": 10, "held": 30.0})
    first = 1 if way == "async/single" else 5
    until(lambda: len(service.documents) == first)
    if death != "before the answer":
        until(lambda: service.calls[0].ended is not None)
        time.sleep(0.1)  # the child's, to read the answer
    assert children.kill(child)

    rf.configure(runs=tmp_path / "runs")
    loaded = rf.load("november")
    assert loaded["status"].tolist() == ["unknown"] * first + ["not_sent"] * (10 - first)
    other = local(faults=[], port=_port(service))
    state = rf.runs()["state"].tolist()
    if state == ["unplanned"]:
        more = {**WAYS[way], "run": "november", "limits": False}
        results = people(10).reportflow.generate(**{**plain(), **more})
    else:
        results = rf.resume("november")
    assert results["status"].tolist() == ["unknown"] * first + ["accepted"] * (10 - first)
    names = people(10)["name"].tolist()
    assert [document.params["RecipientName"] for document in other.documents] == names[first:]
    retried = results.reportflow.retry(unknown=True)
    assert set(retried["status"]) == {"accepted"}
    assert Counter(document.params["RecipientName"] for document in other.documents) == Counter(names)


def _port(service: LocalService) -> int:
    return int(service.base_url.split(":")[2].split("/")[0])


def test_a_run_killed_in_a_retry_of_unknown_rows_makes_no_third_document(
    children: Children, local: Start, tmp_path: Path
) -> None:
    """The rows were unknown, are sent again on request, and that answer is lost too: unknown again, not resent."""
    service = local(faults=Fault("dropped_after", times=2))
    results: pd.DataFrame = people(6).reportflow.generate(**plain(), run="november")
    assert set(results["status"]) == {"unknown"}
    again = results.reportflow.retry(unknown=True)
    assert set(again["status"]) == {"unknown"}
    assert len(service.documents) == 12
    assert set(rf.resume("november")["status"]) == {"unknown"}
    assert set(again.reportflow.retry()["status"]) == {"unknown"}
    assert len(service.documents) == 12
