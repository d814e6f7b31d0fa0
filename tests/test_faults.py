"""Each endpoint and each error: what the row says, and how many calls it cost. Read the tables."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.virtual_service import world

import reportflow_pandas as rf
from reportflow_pandas.execution import run
from reportflow_pandas.local.faults import Fault

ALWAYS = None
ASYNC = ("async/single", "async/multiple")
SYNC = ("sync/single", "sync/multiple")


@dataclass(frozen=True)
class Says:
    """What every row says in the end."""

    status: str
    kind: str | None = None
    http: int | None = None
    words: str = ""
    calls: int = 1
    """Generation calls for one document by a single endpoint."""
    apart: int | None = None
    """For three documents by a multiple endpoint, where that is not the same."""
    accepted: bool = False
    """Whether the service has accepted the documents."""
    raises: type[rf.ApiError] | None = None
    """What ends the run."""


OK = Says("accepted", http=202, accepted=True)
OK_AGAIN = Says("accepted", http=202, accepted=True, calls=2)
READY = Says("ready", http=201, accepted=True)
READY_AGAIN = Says("ready", http=201, accepted=True, calls=2)


def unknown(http: int | None, words: str, *, accepted: bool = False) -> Says:
    return Says("unknown", "unknown_outcome", http, words, accepted=accepted)


def stops(http: int, kind: str, raises: type[rf.ApiError]) -> Says:
    return Says("not_sent", kind, http, "今は無理です", raises=raises)


def failed(http: int, kind: str, *, calls: int = 1, apart: int | None = None) -> Says:
    return Says("failed", kind, http, "今は無理です", calls=calls, apart=apart)


GENERATION: list[tuple[str, int | None, Says, Says]] = [
    # fault, how often              async                                         sync
    ("status:400", ALWAYS, failed(400, "invalid", apart=5), failed(400, "invalid", apart=5)),
    ("status:401", 1, stops(401, "auth", rf.AuthError), stops(401, "auth", rf.AuthError)),
    ("status:403", 1, stops(403, "auth", rf.AuthError), stops(403, "auth", rf.AuthError)),
    ("status:404", 1, stops(404, "not_found", rf.NotFoundError), stops(404, "not_found", rf.NotFoundError)),
    ("status:409", ALWAYS, failed(409, "invalid"), failed(409, "invalid")),
    ("status:412", 1, stops(412, "auth", rf.AuthError), stops(412, "auth", rf.AuthError)),
    ("status:413", ALWAYS, failed(413, "too_large", apart=5), failed(413, "too_large", apart=5)),
    ("status:429", 1, OK_AGAIN, READY_AGAIN),
    ("status:500", 1, OK_AGAIN, failed(500, "server")),
    ("status:500", ALWAYS, failed(500, "server", calls=3), failed(500, "server")),
    ("status:502", 1, unknown(502, "gateway"), unknown(502, "gateway")),
    ("status:503", 1, OK_AGAIN, unknown(503, "gateway")),
    ("status:503", ALWAYS, failed(503, "server", calls=3), unknown(503, "gateway")),
    ("status:504", 1, unknown(504, "gateway"), unknown(504, "gateway")),
    ("status:520", 1, unknown(520, "gateway"), unknown(520, "gateway")),
    ("dropped_before", 1, unknown(None, "no answer came back"), unknown(None, "no answer came back")),
    (
        "dropped_after",
        1,
        unknown(None, "no answer came back", accepted=True),
        unknown(None, "no answer came back", accepted=True),
    ),
    ("truncated", 1, unknown(202, "cannot be read", accepted=True), unknown(201, "cannot be read", accepted=True)),
    ("html", 1, unknown(200, "unreadable bytes (text/html)"), unknown(200, "unreadable bytes (text/html)")),
    ("reordered_entries", 1, OK, READY),
    ("extra_entries", 1, OK, READY),
    ("extra_fields", 1, OK, READY),
    ("no_passthrough", 1, OK, READY),
]

ASYNC_ONLY = [("no_files", OK), ("old_answer", OK)]
SYNC_ONLY = [
    ("no_mapping", READY),
    ("raw_mapping", READY),
    ("broken_mapping", READY),
    ("not_pdf", unknown(201, "unreadable bytes", accepted=True)),
]


def cases() -> Iterator[Any]:
    for kind, times, by_async, by_sync in GENERATION:
        for endpoint in ASYNC + SYNC:
            yield endpoint, kind, times, by_sync if endpoint in SYNC else by_async
    for endpoints, faults in ((ASYNC, ASYNC_ONLY), (SYNC, SYNC_ONLY)):
        for endpoint in endpoints:
            yield from ((endpoint, kind, 1, says) for kind, says in faults)


def named(case: Any) -> str:
    endpoint, kind, times, _ = case
    return f"{endpoint} {kind} {'once' if times == 1 else 'always'}"


@pytest.mark.parametrize("case", list(cases()), ids=named)
def test_generation(case: Any) -> None:
    """One document by a single endpoint, three by a multiple one."""
    endpoint, kind, times, says = case
    rows = 1 if endpoint.endswith("single") else 3
    message = "今は無理です" if kind.startswith("status") else None
    with world(faults=Fault(kind, endpoint=endpoint, times=times, message=message)) as made:
        if says.raises is not None:
            with pytest.raises(says.raises, match="今は無理です") as caught:
                made.generate(rows, endpoint=endpoint)
            results = caught.value.results
        else:
            results = made.generate(rows, endpoint=endpoint)
        assert made.calls() == {endpoint: says.apart if says.apart is not None and rows > 1 else says.calls}
        accepted = {document.file_name: document.file_id for document in made.service.documents}
    assert len(accepted) == (rows if says.accepted else 0)
    for row in results.itertuples():
        assert row.status == says.status
        assert (None if pd.isna(row.error_kind) else row.error_kind) == says.kind
        assert (None if pd.isna(row.http_status) else row.http_status) == says.http
        assert says.words in ("" if pd.isna(row.error) else row.error)
        assert pd.isna(row.error) == (says.kind is None)
        if says.status in ("accepted", "ready") and kind not in ("no_files", "no_mapping", "broken_mapping"):
            assert row.file_id == accepted[row.file_name.removesuffix(".pdf")]


@pytest.mark.parametrize("endpoint", ASYNC + SYNC)
def test_429_for_ever_ends_the_run_after_a_full_window_with_the_services_words(endpoint: str) -> None:
    """As when the plan's pages are used up."""
    faults = Fault(status=429, endpoint=endpoint, times=ALWAYS, message="今月のページ数を使い切りました")
    with world(faults=faults) as made:
        with pytest.raises(rf.RateLimited, match=r"使い切りました.*plan") as caught:
            made.generate(20, endpoint=endpoint, batch_size=2, concurrency=2)
        assert 60 <= made.clock.monotonic() < 300
        assert made.accepted() == 0
        assert made.service.counts().total() < 30
    results = caught.value.results
    assert (results["status"] == "not_sent").all()
    assert set(results["error_kind"]) == {"rate_limited", "cancelled"}
    first = results[results["error_kind"] == "rate_limited"].iloc[0]
    assert (first["http_status"], first["error"]) == (429, "今月のページ数を使い切りました")


def test_a_plan_that_ends_in_mid_run_keeps_what_it_has_paid() -> None:
    with world(plan_pages=7) as made:
        with pytest.raises(rf.RateLimited, match="プラン") as caught:
            made.generate(20, endpoint="async/single", concurrency=1)
        assert made.accepted() == 7
    assert caught.value.results["status"].value_counts().to_dict() == {"not_sent": 13, "accepted": 7}


@pytest.mark.parametrize("endpoint", ASYNC + SYNC)
def test_an_answer_that_is_too_slow_leaves_the_rows_unknown(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = functools.partial(run.Client, sync_timeout=0.3)
    monkeypatch.setattr(run, "Client", client)
    rows = 1 if endpoint.endswith("single") else 3
    with world(faults=Fault("slow", seconds=500.0)) as made:
        with made.clock.hold():
            results = made.generate(rows, endpoint=endpoint, timeout=0.3)
        assert made.calls() == {endpoint: 1}
        assert made.accepted() == rows
    assert (results["status"] == "unknown").all()
    assert results["error"].str.contains("no answer in time").all()


@pytest.mark.parametrize(("endpoint", "good"), [("async/multiple", "accepted"), ("sync/multiple", "ready")])
def test_only_the_row_that_the_answer_does_not_name_is_unknown(endpoint: str, good: str) -> None:
    with world(faults=Fault("missing_entries", file_name="Person 1")) as made:
        results = made.generate(3, endpoint=endpoint)
        assert made.calls() == {endpoint: 1}
        assert made.accepted() == 3
    assert results["status"].tolist() == [good, "unknown", good]
    assert results["error"].iloc[1].endswith("does not name this document")
    assert len(set(results["request_id"])) == 1


def test_a_gateway_that_lets_little_through_gets_smaller_calls_and_one_row_that_says_what_helps() -> None:
    """Nginx takes 1 MB unless it is told otherwise: its page is no word about the rows."""

    def narrow(endpoint: str, body: object) -> Fault | None:
        return Fault("status", status=413, body="html") if len(str(body)) > 10_000 else None

    frame = pd.DataFrame({"name": [f"{'long' * 5_000 * (row == 7)} Person {row}" for row in range(40)]})
    with world(faults=narrow) as made:
        results = made.generate(frame, file_name=None)
        assert made.accepted() == 39
        assert sum(made.calls().values()) <= 13
    assert results.index[results["status"] == "failed"].tolist() == [7]
    assert results["error_kind"].iloc[7] == "too_large"
    assert "make its images or tables smaller" in results["error"].iloc[7]
    assert "let 50 MB through" in results["error"].iloc[7]


@pytest.mark.parametrize("endpoint", ["async/single", "sync/single"])
def test_a_single_answer_that_names_no_file_is_taken_for_its_only_document(endpoint: str) -> None:
    with world(faults=Fault("missing_entries")) as made:
        results = made.generate(1, endpoint=endpoint)
    assert results["status"].isin(["accepted", "ready"]).all()
    assert results["request_id"].notna().all()
    assert results["file_id"].isna().all()


@pytest.mark.parametrize("kinds", [["old_answer"], ["old_answer", "no_files"]], ids="+".join)
def test_rows_of_an_answer_that_names_files_and_no_request_are_accepted_and_never_sent_again(
    kinds: list[str], tmp_path: Path
) -> None:
    with world(faults=[Fault(kind, endpoint="async/multiple") for kind in kinds]) as made:
        results = made.generate(3, endpoint="async/multiple", run="november")
        assert results["status"].tolist() == ["accepted"] * 3
        assert results["request_id"].isna().all()
        assert results["file_id"].notna().tolist() == ["no_files" not in kinds] * 3
        assert results["url"].notna().all()
        again = made.generate(3, endpoint="async/multiple", run="november")
        assert again["status"].tolist() == ["accepted"] * 3
        results.reportflow.retry(unknown=True, settings=made.settings)
        assert made.accepted() == 3
        fetched = made.download(results, tmp_path)
        assert made.calls() == {"async/multiple": 1}
    assert fetched["status"].tolist() == ["accepted"] * 3
    assert fetched["error"].str.contains("look for it in the web app").all()


def test_a_key_that_is_missing_is_our_own_error_and_costs_no_call() -> None:
    with world() as made:
        with pytest.raises(rf.ConfigurationError, match="no key"):
            made.generate(1, settings=rf.Settings(base_url=made.settings.base_url))
        assert made.calls() == {}


@pytest.mark.parametrize("status", [401, 403, 404, 412])
def test_one_refusal_of_everything_costs_one_call_for_ten_thousand_rows(status: int) -> None:
    with world(faults=Fault(status=status, times=ALWAYS)) as made:
        with pytest.raises(rf.ApiError):
            made.generate(10_000)
        assert made.calls() == {"async/multiple": 1}


def test_each_row_that_a_stopped_run_did_not_send_says_why_and_is_sent_by_a_resumed_one() -> None:
    """The row whose call was refused has the service's words, the others that the run ended."""
    with world(faults=Fault(status=403, times=1, at=3, message="権限がありません")) as made:
        with pytest.raises(rf.AuthError) as caught:
            made.generate(8, endpoint="async/single", concurrency=1, run="november")
        results = caught.value.results
        assert results["status"].tolist() == ["accepted"] * 2 + ["not_sent"] * 6
        assert results["error_kind"].tolist()[2:] == ["auth"] + ["cancelled"] * 5
        assert results["error_kind"].isna().tolist()[:2] == [True, True]
        assert results["error"].tolist()[2] == "権限がありません"
        assert set(results["error"].tolist()[3:]) == {"the run ended before this row's turn: AuthError (403)"}
        assert made.accepted() == 2
        resumed = rf.resume("november", settings=made.settings)
        assert set(resumed["status"]) == {"accepted"}
        assert resumed["error_kind"].isna().all()
        assert made.accepted() == 8


def test_a_key_that_is_revoked_in_mid_run_leaves_the_rest_not_sent() -> None:
    with world(faults=Fault(status=401, at=4, times=ALWAYS)) as made:
        with pytest.raises(rf.AuthError) as caught:
            made.generate(20, endpoint="async/single", concurrency=1)
        assert made.calls() == {"async/single": 4}
    assert caught.value.results["status"].tolist() == ["accepted"] * 3 + ["not_sent"] * 17


# downloads


@dataclass(frozen=True)
class Got:
    """What the rows say after a download of one file, or of a batch of two."""

    kind: str | None
    http: int | None = None
    file: int = 1
    """Calls for one document."""
    zip: tuple[int, int] = (1, 0)
    """Calls for a batch: ZIPs, then files."""
    words: str = "今は無理です"
    outage: bool = False
    """Whether a batch ends as an outage does."""


SAVED = Got(None, file=1, zip=(1, 0))
SAVED_AGAIN = Got(None, file=2, zip=(2, 0))
DOWNLOADS: list[tuple[str, int | None, str | None, Got]] = [
    # fault, how often, message, row and calls
    ("status:404", 1, None, SAVED_AGAIN),
    ("status:409", 1, None, SAVED_AGAIN),
    ("status:423", 1, None, SAVED_AGAIN),
    ("status:425", 1, None, SAVED_AGAIN),
    ("status:202", 1, None, SAVED_AGAIN),
    ("status:204", 1, None, SAVED_AGAIN),
    ("status:400", 1, "ファイルはまだ処理中です", SAVED_AGAIN),
    ("status:400", 1, "The file is not ready", SAVED_AGAIN),
    ("status:429", 1, None, SAVED_AGAIN),
    ("status:500", 1, None, SAVED_AGAIN),
    ("status:503", 1, None, SAVED_AGAIN),
    ("status:502", 1, None, SAVED_AGAIN),
    ("html", 1, None, SAVED_AGAIN),
    ("not_pdf", 1, None, SAVED_AGAIN),
    ("truncated", 1, None, SAVED_AGAIN),
    ("slow", 1, None, SAVED),
    ("status:400", ALWAYS, "今は無理です", Got("invalid", 400, 1, (1, 2))),
    ("status:410", ALWAYS, "今は無理です", Got("expired", 410, 1, (1, 2))),
    ("status:413", ALWAYS, "今は無理です", Got("too_large", 413, 1, (1, 2))),
    ("status:500", ALWAYS, "今は無理です", Got("server", 500, 3, (3, 6))),
    ("status:504", ALWAYS, "今は無理です", Got("server", 504, 3, outage=True)),
    ("html", ALWAYS, None, Got("server", 200, 3, words="the answer is not a", outage=True)),
    ("not_pdf", ALWAYS, None, Got("server", 200, 3, words="the answer is not a", outage=True)),
    ("truncated", ALWAYS, None, Got("network", None, 3, words="cut off", outage=True)),
]


@pytest.mark.parametrize("batch", [False, True], ids=["file", "zip"])
@pytest.mark.parametrize(
    "case",
    DOWNLOADS,
    ids=[f"{kind} {'once' if times else 'always'} {said or ''}" for kind, times, said, _ in DOWNLOADS],
)
def test_downloads(case: Any, batch: bool, tmp_path: Path) -> None:
    """A download that fails leaves ``accepted``, with the reason; it never makes anything be paid for again."""
    kind, times, message, got = case
    rows, endpoint = (2, "async/multiple") if batch else (1, "async/single")
    with world(faults=Fault(kind, endpoint="download", times=times, message=message)) as made:
        saved = made.generate(rows, endpoint=endpoint, download=tmp_path)
        calls = made.calls("download")
        assert made.accepted() == rows
    if batch and got.outage:
        got = Got("network", words="the PDFs that are left were not asked for")
        assert sum(calls.values()) <= 20
        calls = {"download/zip": 1}
    zips, files = got.zip if batch else (0, got.file)
    assert calls == {name: n for name, n in (("download/zip", zips), ("download/file", files)) if n}
    for row in saved.itertuples():
        if got.kind is None:
            assert (row.status, row.path is not None) == ("ready", True)
            assert pd.isna(row.error_kind)
            assert Path(row.path).read_bytes().startswith(b"%PDF-")
        else:
            assert (row.status, row.error_kind) == ("accepted", got.kind)
            assert row.http_status == (got.http or 202)
            assert got.words in row.error
            assert pd.isna(row.path)
    assert len(list(tmp_path.rglob("*.pdf"))) == (rows if got.kind is None else 0)


@pytest.mark.parametrize("kind", ["dropped_before", "dropped_after"])
@pytest.mark.parametrize("rows", [1, 8])
def test_downloads_whose_connection_is_lost_are_asked_for_again(kind: str, rows: int, tmp_path: Path) -> None:
    with world(faults=Fault(kind, endpoint="download", times=2)) as made:
        saved = made.generate(rows, download=tmp_path)
        assert sum(made.calls("download").values()) == 3
    assert (saved["status"] == "ready").all()


@pytest.mark.parametrize("status", [401, 403, 412])
def test_downloads_with_a_refused_key_end_at_once(status: int, tmp_path: Path) -> None:
    with world(faults=Fault(status=status, endpoint="download", times=ALWAYS)) as made:
        with pytest.raises(rf.AuthError) as caught:
            made.generate(300, download=tmp_path)
        assert made.calls("download") == {"download/zip": 1}
    assert (caught.value.results["status"] == "accepted").all()


# look-ups


LOOK_UPS: list[tuple[str, int | None, type[rf.ReportFlowError] | None, str, int]] = [
    # fault, how often, error, words, calls of this look-up
    ("status:401", ALWAYS, rf.AuthError, "今は無理です", 1),
    ("status:403", ALWAYS, rf.AuthError, "今は無理です", 1),
    ("status:404", ALWAYS, rf.NotFoundError, "今は無理です", 1),
    ("status:412", ALWAYS, rf.AuthError, "今は無理です", 1),
    ("status:400", ALWAYS, rf.ApiError, "今は無理です", 1),
    ("status:429", 1, None, "", 2),
    ("status:500", 1, None, "", 2),
    ("status:500", ALWAYS, rf.ApiError, "今は無理です", 3),
    ("status:503", 1, None, "", 2),
    ("status:502", ALWAYS, rf.ApiError, "今は無理です", 3),
    ("html", 1, None, "", 2),
    ("html", ALWAYS, rf.ApiError, "text/html", 3),
    ("truncated", 1, None, "", 2),
    ("truncated", ALWAYS, rf.ReportFlowError, "cut off", 3),
    ("slow", 1, None, "", 1),
    ("extra_fields", 1, None, "", 1),
]


@pytest.mark.parametrize("endpoint", ["designs", "parameters"])
@pytest.mark.parametrize(
    "case", LOOK_UPS, ids=[f"{case[0]} {'once' if case[1] else 'always'}" for case in LOOK_UPS]
)
def test_look_ups(case: Any, endpoint: str) -> None:
    """Nothing is sent unless the look-up is answered in the end."""
    kind, times, error, words, calls = case
    message = "今は無理です" if kind.startswith("status") else None
    options = {"version": "latest", "check": "warn"}
    with world(faults=Fault(kind, endpoint=endpoint, times=times, message=message)) as made:
        if error is None:
            results = made.generate(3, **options)
            assert (results["status"] == "accepted").all()
        else:
            with pytest.raises(error, match=words) as caught:
                made.generate(3, **options)
            assert (caught.value.results["status"] == "not_sent").all()
            assert made.accepted() == 0
        assert made.calls()[endpoint] == calls
        assert sum(made.calls("async").values()) == (3 if error is None else 0)


def test_a_look_up_that_is_refused_for_too_many_calls_for_ever_ends_with_the_services_words() -> None:
    with world(faults=Fault(status=429, endpoint="designs", times=ALWAYS, message="上限です")) as made:
        with pytest.raises(rf.RateLimited, match="上限です"):
            made.generate(3, version="latest")
        assert made.clock.monotonic() >= 60


# all of it at once


def test_a_run_through_all_faults_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Every row that says accepted or ready exists exactly once; every document that exists is known of."""
    kinds = [
        "status:429",
        "status:500",
        "status:503",
        "slow",
        "extra_fields",
        "reordered_entries",
        "no_passthrough",
    ]
    lossy = ["dropped_after", "truncated", "status:504"]
    faults = [Fault(kind, endpoint="async", at=3 * number + 2) for number, kind in enumerate([*kinds, *lossy])]
    faults += [
        Fault(kind, endpoint="download", at=2 * number + 1) for number, kind in enumerate(["html", "truncated"])
    ]
    with world(faults=faults, render_delay=3.0) as made:
        results = made.generate(300, batch_size=10, download=tmp_path, concurrency=2)
        existing = [document.file_name for document in made.service.documents]
    assert len(existing) == len(set(existing))
    good = results[results["status"] == "ready"]
    unknown_rows = results[results["status"] == "unknown"]
    assert len(good) + len(unknown_rows) == 300
    assert set(good["file_name"].str.removesuffix(".pdf")) <= set(existing)
    assert set(existing) <= set(results["file_name"].str.removesuffix(".pdf"))
    assert len(unknown_rows) == 30
    assert len(list(tmp_path.rglob("*.pdf"))) == len(good)


def test_the_table_names_every_generation_fault_of_the_service() -> None:
    from reportflow_pandas.local.faults import KINDS  # noqa: PLC0415 - only this test wants the list

    covered = {kind.partition(":")[0] for kind, *_ in [*GENERATION, *ASYNC_ONLY, *SYNC_ONLY]}
    elsewhere = {"slow", "missing_entries", "bad_document", "failed_document"}
    assert covered | elsewhere == set(KINDS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("endpoint", ["async/single", "sync/single"])
def test_a_redirected_call_is_refused_and_ends_the_run(status: int, endpoint: str) -> None:
    """A portal or another address answers: what it redirects was not taken, nor would the rest be."""
    frame = pd.DataFrame({"ReceiptId": [f"R{number}" for number in range(20)], "CustomerName": "A"})
    fault = Fault("status", status=status, endpoint=endpoint, at=5, times=None)
    with rf.use_local(render=False, faults=fault) as service:
        with pytest.raises(rf.ApiError, match=f"answered {status}: the service redirects to") as stopped:
            frame.reportflow.generate(
                "receipt",
                params=list(frame),
                version=1,
                check=False,
                endpoint=endpoint,
                concurrency=1,
                limits=False,
                progress=False,
            )
        results = stopped.value.results
        assert len(service.documents) == 4
        assert sum(call.endpoint == endpoint for call in service.calls) == 5
    assert results["status"].value_counts()[["failed", "not_sent"]].tolist() == [1, 15]
    assert not results["status"].eq("unknown").any()
