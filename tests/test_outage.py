"""A network or a service that is away in mid-run, counted at the service: a state of the run, not of its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from support.virtual_service import World, people, plain, sent, world

import reportflow_pandas as rf
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.notebook.bar import Bar

AWAY: dict[str, Callable[[int | None], Fault]] = {
    "a gateway's page": lambda times: Fault(
        "status", status=502, endpoint="async", at=3, times=times, body="html"
    ),
    "a gateway without a word": lambda times: Fault(
        "status", status=504, endpoint="async", at=3, times=times, body="empty"
    ),
    "a page with 200": lambda times: Fault("html", endpoint="async", at=3, times=times),
    "hung up after sending": lambda times: Fault("dropped_before", endpoint="async", at=3, times=times),
    "503": lambda times: Fault("status", status=503, endpoint="async", at=3, times=times),
    **{
        str(status): lambda times, status=status: Fault(
            "status", status=status, endpoint="async", at=3, times=times, body="html"
        )
        for status in (407, 408, 421, 425)
    },
}
ROWS, BATCH, IN_FLIGHT = 600, 10, 4


def generated(here: World, **more: object) -> tuple[pd.DataFrame, rf.ReportFlowError | None]:
    options = {"limits": False, "concurrency": IN_FLIGHT, "batch_size": BATCH, "run": "outage", **more}
    try:
        return here.generate(ROWS, **options), None
    except rf.ReportFlowError as error:
        return error.results, error


def statuses(results: pd.DataFrame) -> dict[str, int]:
    return {str(word): int(count) for word, count in results["status"].value_counts().items()}


@pytest.mark.parametrize("kind", AWAY)
def test_what_stays_away_ends_the_run_once_with_the_rest_not_sent(kind: str) -> None:
    with world(faults=AWAY[kind](None)) as here:
        results, error = generated(here)
        counts = statuses(results)
        assert isinstance(error, rf.ConnectionFailed)
        assert "120 s" in str(error)
        assert "all were sent" not in str(error)
        assert counts["not_sent"] >= ROWS - (2 + 5 + IN_FLIGHT) * BATCH - 20
        assert counts.get("unknown", 0) <= (5 + IN_FLIGHT) * BATCH + 20
        assert "failed" not in counts
        assert set(sent(here.service).values()) == {1}


@pytest.mark.parametrize("kind", AWAY)
def test_what_comes_back_costs_at_most_what_was_in_flight_and_the_probes(kind: str) -> None:
    with world(faults=AWAY[kind](12)) as here:
        results, error = generated(here)
        counts = statuses(results)
        assert error is None
        assert set(counts) <= {"accepted", "unknown"}
        assert counts.get("unknown", 0) <= (5 + IN_FLIGHT) * BATCH + 12
        assert set(sent(here.service).values()) == {1}


@pytest.mark.parametrize(("seconds", "ends"), [(15.0, False), (600.0, True)])
def test_a_network_that_is_away_in_the_middle_fails_no_row(seconds: float, *, ends: bool) -> None:
    """Away for 15 s the run goes on by itself, away for good it ends once and can be resumed."""
    with world(latency=0.2) as here:
        service, clock = here.service, here.clock

        def cut() -> None:
            wait = threading.Event().wait
            while len(service.documents) < 100:
                wait(0.001)
            service.stop()
            back = clock._time + seconds
            while clock._time < back and not ended.is_set():
                wait(0.001)
            service.start()

        ended = threading.Event()
        cutting = threading.Thread(target=cut)
        cutting.start()
        results, error = generated(here)
        ended.set()
        cutting.join()
        counts = statuses(results)
        assert "failed" not in counts
        assert counts.get("unknown", 0) <= (5 + IN_FLIGHT) * BATCH
        assert (error is not None) is ends
        if ends:
            assert counts["not_sent"] > 300
            resumed = rf.resume("outage", settings=here.settings, progress=False)
            assert set(statuses(resumed)) <= {"accepted", "unknown"}
        assert sum(statuses(results).values()) == ROWS
        assert max(sent(service).values()) == 1


def test_the_bar_says_that_the_service_is_away_for_as_long_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Virtual time passes between two pictures of a thread, so a second bar is painted as the run is told."""
    told: list[float] = []
    note = Progress.away

    def away(self: Progress, seconds: float) -> None:
        note(self, seconds)
        told.append(seconds)
        if seconds > 0:
            bar = Bar(self, show=True)
            self.clock._time += 1  # type: ignore[attr-defined]
            bar.paint()
            bar.close()

    monkeypatch.setattr(Progress, "away", away)
    monkeypatch.setenv("COLUMNS", "200")  # of pytest's own processes: tqdm 4.66 cuts the text there
    with world(faults=AWAY["503"](12)) as here:
        frame = people(ROWS)
        frame.reportflow.generate(
            "certificate",
            version=1,
            check=False,
            params={"RecipientName": "name"},
            limits=False,
            concurrency=IN_FLIGHT,
            batch_size=BATCH,
            progress=False,
            settings=here.settings,
        )
    assert max(told) > 0
    assert told[-1] == 0
    assert "the service does not answer: nothing is sent, waiting for it" in capsys.readouterr().err


# -- while PDFs are fetched ------------------------------------------------------------------------------------

DOWNLOADS = {
    "a gateway's page": Fault("status", status=502, body="html"),
    "a page with 200": Fault("html"),
    "hung up": Fault("dropped_before"),
    "cut off": Fault("truncated"),
    "503": Fault("status", status=503),
}
BATCHES, OF_EACH, ANSWERED = 12, 10, 2


class Downloads:
    """Answers two downloads, then so many with a fault, or all until it is ``back``."""

    def __init__(self, fault: Fault, times: int = 10**6) -> None:
        self._fault = fault
        self._times = times
        self._asked = 0
        self.back = False

    def __call__(self, endpoint: str, body: object) -> Fault | None:
        if self.back or not endpoint.startswith("download"):
            return None
        self._asked += 1
        return self._fault if ANSWERED < self._asked <= ANSWERED + self._times else None


@pytest.mark.parametrize("endpoint", ["async/multiple", "async/single"])
@pytest.mark.parametrize("kind", DOWNLOADS)
def test_pdfs_are_fetched_when_a_service_that_was_away_is_back(kind: str, endpoint: str, tmp_path: Path) -> None:
    with world(faults=Downloads(DOWNLOADS[kind], 9)) as here:
        results = here.generate(BATCHES * OF_EACH, batch_size=OF_EACH, endpoint=endpoint, download=tmp_path)
        assert (results["status"] == "ready").all()
        assert results["error_kind"].isna().all()
        assert sum(here.calls("download").values()) <= 9 + 3 * BATCHES + (endpoint == "async/single") * len(
            results
        )
        assert set(sent(here.service).values()) == {1}


@pytest.mark.parametrize("kind", DOWNLOADS)
def test_a_download_ends_once_when_the_service_stays_away_and_goes_on_later(kind: str, tmp_path: Path) -> None:
    away = Downloads(DOWNLOADS[kind])
    with world(faults=away) as here:
        began = here.clock.monotonic()
        results = here.generate(BATCHES * OF_EACH, batch_size=OF_EACH, download=tmp_path, run="later")
        left = results[results["path"].isna()]
        assert here.clock.monotonic() - began < 200
        assert statuses(results) == {
            "ready": ANSWERED * OF_EACH,
            "accepted": (BATCHES - ANSWERED) * OF_EACH,
        }
        assert (left["error_kind"] == "network").all()
        assert len(set(left["error"])) == 1
        assert "120 s" in left["error"].iloc[0]
        assert "download(folder)" in left["error"].iloc[0]
        assert sum(here.calls("download").values()) <= 2 + 30
        away.back = True
        rest = here.download(results, tmp_path)
        assert (rest["status"] == "ready").all()
        assert set(sent(here.service).values()) == {1}


def test_a_file_that_never_comes_whole_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, asked = rf.Client.download_file, 0
    with world(latency=0.1) as here:
        results = here.generate(20, endpoint="async/single")
        broken = results["file_id"].iloc[3]

        async def download_file(self: rf.Client, request_id: str, file_id: str) -> bytes:
            nonlocal asked
            if file_id == broken:
                asked += 1
                raise rf.ConnectionFailed("cut off")
            return await fetch(self, request_id, file_id)

        monkeypatch.setattr(rf.Client, "download_file", download_file)
        saved = here.download(results, tmp_path)
        assert saved["error_kind"].notna().tolist() == [row == 3 for row in range(20)]
        assert saved["path"].notna().sum() == 19
        assert asked <= 3 + 5


def test_a_download_from_a_service_that_is_not_there_asks_for_one_document_only(tmp_path: Path) -> None:
    with world() as here:
        results = here.generate(40, endpoint="async/single")
        here.service.stop()
        began = here.clock.monotonic()
        saved = here.download(results, tmp_path)
        assert here.clock.monotonic() - began < 10
        assert (saved["error_kind"] == "network").all()
        assert "download(folder)" in saved["error"].iloc[-1]
        here.service.start()
        assert (here.download(saved, tmp_path)["status"] == "ready").all()


def test_how_long_is_waited_is_a_setting() -> None:
    with world(faults=AWAY["503"](None)) as here:
        began = here.clock.monotonic()
        settings = rf.Settings(
            base_url=here.settings.base_url,
            app_key=here.settings.app_key,
            clock=here.clock,
            runs=here.settings.runs,
            outage="10min",
        )
        _, error = generated(here, settings=settings)
        assert "600 s" in str(error)
        assert 600 <= here.clock.monotonic() - began < 700


@pytest.mark.parametrize(("seconds", "ends"), [(1e9, True), (90.0, False)])
def test_a_service_that_asks_to_come_back_in_an_hour_is_asked_again_within_the_outage(
    seconds: float, *, ends: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(endpoint: str, body: object) -> Fault | None:
        gone = endpoint.startswith("async") and len(here.service.documents) >= 20 and here.clock._time < seconds
        return Fault("status", status=503, retry_after=3600) if gone else None

    with world(faults=busy) as here:
        began = here.clock.monotonic()
        results, error = generated(here)
        assert here.clock.monotonic() - began < 60 + 120 + 20  # before it is an outage, and the outage
        assert (error is not None) is ends
        assert "asks to come back in 3600 s: it is asked again in 60 s" in caplog.text
        if error is not None:
            assert "for 120 s" in str(error)
        assert statuses(results) == ({"accepted": 20, "not_sent": ROWS - 20} if ends else {"accepted": ROWS})
        assert set(sent(here.service).values()) == {1}


def test_a_run_that_is_resumed_in_the_outage_fails_no_row() -> None:
    back = False

    def away(endpoint: str, body: object) -> Fault | None:
        gone = not back and endpoint.startswith("async") and len(here.service.documents) >= 100
        return Fault("status", status=503) if gone else None

    with world(faults=away) as here:
        generated(here)
        with pytest.raises(rf.ConnectionFailed) as again:
            rf.resume("outage", settings=here.settings, progress=False)
        assert statuses(again.value.results) == {"accepted": 100, "not_sent": ROWS - 100}
        back = True
        assert statuses(rf.resume("outage", settings=here.settings, progress=False)) == {"accepted": ROWS}


def test_a_cancelled_run_waits_for_nothing() -> None:
    with world(faults=AWAY["503"](None)) as here:
        job = people(ROWS).reportflow.submit(
            **plain(), limits=False, concurrency=IN_FLIGHT, batch_size=BATCH, settings=here.settings
        )
        while not job.progress["wait"]:
            threading.Event().wait(0.001)
        job.cancel()
        assert job.wait(20)
        assert job.progress["wait"] == 0


def test_no_room_for_a_temporary_file_ends_a_download_with_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, a full disk: what was paid for is downloaded later."""

    def none() -> None:
        raise OSError(24, "Too many open files")

    with world() as here:
        results = here.generate(20)
        with monkeypatch.context() as patch:
            patch.setattr("reportflow_pandas.results.download.tempfile", SimpleNamespace(TemporaryFile=none))
            with pytest.raises(rf.ConfigurationError, match="Too many open files") as ended:
                here.download(results, tmp_path)
        assert statuses(ended.value.results) == {"accepted": 20}
        assert statuses(here.download(results, tmp_path)) == {"ready": 20}
