"""Every cell of `fault_matrix.md`: what a row becomes, counted at the embedded service behind a faulty gateway.

CI plays a tenth, in which each two of fault, moment, endpoint and way of running meet; ``-m long`` the others.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import required
from support.faulty_gateway import UNREACHED, Fault, Gateway
from support.queue_workers import RedisServer
from support.virtual_service import people, plain, sent
from support.virtual_time import VirtualClock
from yarl import URL

import reportflow_pandas as rf
from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.queue.worker import Worker

MOMENTS = {"first": 1, "middle": 2, "last": 3, "polling": 1, "downloading": 1}
ENDPOINTS = ("async/single", "async/multiple", "sync/single", "sync/multiple")
VERBS = ("generate", "submit", "queue")
CALLS = 3
TIMEOUT_SECONDS = 0.4
"""Of the calls that hang: a connection's time-outs are real time."""

HANGS_AFTER_SECONDS = 60
"""Real seconds after which a cell is said to hang."""

LONGEST_ERROR = 4_000
"""Letters of an error's text, whatever the service sent."""


@dataclass(frozen=True)
class Becomes:
    """What the rows of a call become."""

    status: str
    kind: str | None = None
    tries: int | None = None
    stops: bool = False


def _becomes(cell: str, endpoint: str) -> Becomes:
    usual, *exceptions = cell.split("; ")
    for exception in exceptions:
        which, _, words = exception.partition(": ")
        usual = words if which in (endpoint, endpoint.partition("/")[2]) else usual
    first, *rest = usual.split(", ")
    status, _, kind = first.partition(" ")
    tries = next((int(word.split()[0]) for word in rest if word.split()[-1] in ("try", "tries")), None)
    return Becomes(status, kind or None, tries, "stops" in rest)


def _table() -> dict[str, dict[str, str]]:
    text = (Path(__file__).parent / "fault_matrix.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    names, *rows = [[word.strip() for word in line.strip("|").split(" | ")] for line in lines if "---" not in line]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


TABLE = _table()


@dataclass(frozen=True)
class Cell:
    fault: str
    moment: str
    endpoint: str
    verb: str

    @property
    def generating(self) -> bool:
        return self.moment in ("first", "middle", "last")

    @property
    def sync(self) -> bool:
        return self.endpoint.startswith("sync")

    @property
    def asks_for_nothing(self) -> bool:
        """Whether the PDFs come with the answer; with a queue they come to a worker, which has no folder."""
        return self.sync and self.moment == "polling" and self.verb != "queue"

    @property
    def expected(self) -> Becomes:
        if self.generating:
            column = "sync call" if self.sync else "async call"
        else:
            column = "downloading" if self.sync else self.moment
        return _becomes(TABLE[self.fault][column], self.endpoint)


def _cells() -> Iterator[Any]:
    for (n, fault), (m, moment) in itertools.product(enumerate(TABLE), enumerate(MOMENTS)):
        for (e, endpoint), (v, verb) in itertools.product(enumerate(ENDPOINTS), enumerate(VERBS)):
            in_ci = e == (n + m) % len(ENDPOINTS) and v == (n + 2 * m) % len(VERBS)
            cell = Cell(fault, moment, endpoint, verb)
            name = f"{fault}-{moment}-{endpoint}-{verb}".replace(" ", "_")
            yield pytest.param(cell, id=name, marks=() if in_ci else pytest.mark.long)


def test_the_matrix_is_whole() -> None:
    assert len(TABLE) == 19
    assert len(list(_cells())) == 19 * 5 * 4 * 3


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    required("redis-server", shutil.which("redis-server"))
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def _no_cell_hangs() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise AssertionError(f"the cell hangs: nothing came out in {HANGS_AFTER_SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANGS_AFTER_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@contextmanager
def _working(settings: rf.Settings, url: str) -> Iterator[None]:
    """Let a worker serve a queue from a thread of this process."""
    loop = asyncio.new_event_loop()
    one = Worker(settings, url, concurrency=1, lease=2.0)
    thread = threading.Thread(target=loop.run_until_complete, args=(one.run(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(one.stop)
        thread.join()
        loop.close()


@dataclass
class Played:
    results: pd.DataFrame
    error: rf.ReportFlowError | None
    service: LocalService
    gateway: Gateway
    fault: Fault


@contextmanager
def _played(cell: Cell, folder: Path, redis_url: str) -> Iterator[Played]:
    """Play a cell: three calls of one document, or of two."""
    where = "/v1/file/" + (cell.endpoint if cell.generating else "download")
    queued = cell.verb == "queue"
    with ExitStack() as stack:
        clock: Any = None if queued else stack.enter_context(VirtualClock())
        delay = (1.0 if queued else 3.0) if cell.moment == "polling" and not cell.sync else 0.0
        service = stack.enter_context(
            rf.local_service(render=False, render_delay=delay, clock=clock or SYSTEM_CLOCK)
        )
        fault = Fault(cell.fault, where, MOMENTS[cell.moment])
        if queued:
            fault.slow_seconds, fault.retry_after = 0.2, 1
        port = URL(service.base_url).port
        assert port is not None
        gateway = stack.enter_context(Gateway(port, fault, clock).running())
        settings = rf.Settings(
            base_url=gateway.base_url,
            app_key=service.app_key,
            clock=clock or SYSTEM_CLOCK,
            runs=folder / "runs",
        )
        if queued:
            stack.enter_context(_working(settings, redis_url))
        results, error = _run(cell, settings, folder, redis_url)
        yield Played(results, error, service, gateway, fault)


def _run(
    cell: Cell, settings: rf.Settings, folder: Path, redis_url: str
) -> tuple[pd.DataFrame, rf.ReportFlowError | None]:
    size = 2 if cell.endpoint.endswith("multiple") else 1
    options = {**plain(), "endpoint": cell.endpoint, "batch_size": size, "concurrency": 1, "settings": settings}
    if cell.fault == "hang":
        options["timeout"] = TIMEOUT_SECONDS
    if cell.verb == "queue":
        options |= {"queue": redis_url, "backoff": 0.05, "limits": False}
    if not cell.generating and (not cell.sync or cell.moment == "polling"):
        options["download"] = folder / "pdfs"
    verbs = people(CALLS * size).reportflow
    try:
        if cell.verb == "generate":
            results = verbs.generate(**options, progress=False)
        else:
            results = verbs.submit(**options).result()
        if cell.sync and cell.moment == "downloading":
            # a 429 without a header closes the window, a minute that no cell of a queue need wait for
            with VirtualClock() as clock:
                virtual = replace(settings, clock=clock) if cell.verb == "queue" else settings
                results = results.reportflow.download(folder / "pdfs", settings=virtual, progress=False)
    except rf.ReportFlowError as error:
        return error.results, error
    return results, None


def _met(played: Played) -> set[str]:
    """Return the names of the documents of the call that met the fault."""
    [(path, body)] = played.fault.met
    if not body:
        request_id = path.removeprefix("/v1/file/download/").split("/")[0]
        return {document.file_name for document in played.service.documents if document.request_id == request_id}
    order = json.loads(body)
    return {content["fileName"] for content in order.get("contents", [order.get("content")])}


@pytest.mark.parametrize("cell", list(_cells()))
def test_a_cell_of_the_fault_matrix(
    cell: Cell, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cell.fault == "hang":
        for name in ("timeout", "sync_timeout"):
            monkeypatch.setitem(rf.Client.__init__.__kwdefaults__, name, TIMEOUT_SECONDS)
    url = request.getfixturevalue("redis").url if cell.verb == "queue" else ""
    with _played(cell, tmp_path, url) as played:
        _judge(cell, played, tmp_path / "pdfs")


def _judge(cell: Cell, played: Played, folder: Path) -> None:
    results, expected = played.results, cell.expected
    names = results["file_name"].str.removesuffix(".pdf")
    if cell.asks_for_nothing:
        assert played.fault.counted == 0, "a sync answer has its PDFs, and nothing is asked for"
        expected, met = Becomes("ready"), set(names)
    else:
        assert played.fault.counted >= played.fault.at
        met = _met(played)
    others = "accepted" if cell.generating and not cell.sync else "ready"
    later = list(names)[len(met) * (MOMENTS[cell.moment] if cell.generating else 0) :]
    for name, row in zip(names, results.itertuples(), strict=True):
        kind = None if pd.isna(row.error_kind) else row.error_kind
        if name in met:
            assert (row.status, kind) == (expected.status, expected.kind), str(row.error)[:200]
            assert expected.tries in (None, row.attempts)
        elif expected.stops and name in later:
            assert (row.status, kind) == ("not_sent", "cancelled")
        else:
            assert (row.status, kind) == (others, None), row.error
        assert pd.isna(row.error) == (kind is None)
        assert pd.isna(row.error) or (len(row.error) < LONGEST_ERROR and "\n" not in row.error)
    assert (played.error is not None) is expected.stops, played.error
    _judge_the_books(played, dict(zip(names, results["status"], strict=True)))
    _judge_the_disk(cell, results, folder)
    assert not any(b"appkey" in head.lower() for head in played.gateway.strangers)
    if cell.fault in UNREACHED:
        assert not played.gateway.strangers


def _judge_the_books(played: Played, status: dict[str, str]) -> None:
    """Hold the rows against what the service has accepted."""
    accepted = sent(played.service)
    assert set(accepted.values()) <= {1}, "a document was accepted twice"
    told = Counter(status[name] for name in accepted)
    assert set(told) <= {"accepted", "ready", "unknown"}
    assert {name for name, word in status.items() if word in ("accepted", "ready")} <= set(accepted)


def _judge_the_disk(cell: Cell, results: pd.DataFrame, folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if cell.generating:
        assert not files
        return
    saved = results[(results["status"] == "ready") & results["error_kind"].isna()]
    assert {Path(path).name for path in saved["path"]} == {name for name in files if name.endswith(".pdf")}
    for name, content in files.items():
        if name.endswith(".pdf"):
            assert content.startswith(b"%PDF-")
            assert b"%%EOF" in content[-1024:]
