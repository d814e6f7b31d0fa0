"""The main job: counted at the service."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pypdfium2
import pytest

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.results.results_frame import COLUMNS


def text_of(path: str) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    finally:
        document.close()


def plain(frame: pd.DataFrame, **more: Any) -> dict[str, Any]:
    """Arguments for a frame with a column ``name`` that need no look-up."""
    return {"design_id": "certificate", "version": 1, "check": False, "params": {"Name": "name"}, **more}


def people(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"name": [f"Person {number}" for number in range(rows)]})


# the whole job


def test_412_orders_become_412_pdfs_with_their_own_content(
    orders: pd.DataFrame, lines: pd.DataFrame, invoices: dict[str, Any], tmp_path: Any
) -> None:
    """Five generation calls, and each PDF holds its own number, customer, lines and total."""
    with rf.use_local() as service:
        results = orders.reportflow.generate(**invoices, file_name="INV-{InvoiceId}", download=tmp_path)
        counts = service.counts()
        sent = Counter(document.file_name for document in service.documents)
    assert counts["async/multiple"] == 5
    assert counts["designs"] == counts["parameters"] == 1
    assert set(sent.values()) == {1}
    assert len(sent) == 412
    assert (results["status"] == "ready").all()
    assert results["path"].nunique() == 412
    tracks = lines.groupby("InvoiceId")["Track"].apply(list)
    for row, path in zip(orders.itertuples(), results["path"], strict=True):
        text = "".join(text_of(path).split())
        assert str(row.InvoiceId) in text
        assert "".join(row.CustomerName.split()) in text
        assert f"{row.Total:.2f}" in text
        for track in tracks[row.InvoiceId]:
            assert "".join(track.split())[:20] in text


def test_names_of_every_script_arrive_in_the_pdf(
    orders: pd.DataFrame, invoices: dict[str, Any], tmp_path: Any
) -> None:
    frame = orders.head(3).assign(
        CustomerName=["Stanisław Wójcik", "František Wichterlová", "山田 花子"],
        BillingCity=["Łódź", "Plzeň", "日本語"],
    )
    with rf.use_local():
        results = frame.reportflow.generate(**invoices, download=tmp_path)
    for name, city, path in zip(frame["CustomerName"], frame["BillingCity"], results["path"], strict=True):
        text = "".join(text_of(path).split())
        assert "".join(name.split()) in text
        assert city in text


def test_a_postal_code_read_as_text_keeps_its_zero(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    orders.head(2).reportflow.generate(**invoices)
    assert service.documents[1].params["BillingPostalCode"] == "0171"


def test_a_postal_code_that_pandas_made_a_number_is_printed_without_decimals_and_nobody_claims_to_know(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    frame = orders.head(2).assign(BillingPostalCode=[70174.0, 171.0])
    with caplog.at_level(logging.WARNING, "reportflow_pandas"):
        frame.reportflow.generate(**invoices)
    assert service.documents[1].params["BillingPostalCode"] == "171"
    assert not caplog.records


# index and order


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([7, 7, 7]),
        pd.Index(["b", "a", "b"], name="letter"),
        pd.date_range("2026-01-01", periods=3),
        pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)], names=["group", None]),
        pd.Index([3.5, np.nan, 1.0]),
        pd.CategoricalIndex(["q", "p", "q"]),
    ],
    ids=["duplicated", "text", "dates", "levels", "floats with a gap", "categories"],
)
def test_index_and_order_of_the_results_are_those_of_the_input(
    service: LocalService, index: pd.Index[Any]
) -> None:
    frame = people(3).set_index(index)
    results = frame.reportflow.generate(**plain(frame))
    pd.testing.assert_index_equal(results.index, index)
    assert results["row"].tolist() == [0, 1, 2]
    by_file = {document.file_id: document.params["Name"] for document in service.documents}
    assert [by_file[file_id] for file_id in results["file_id"]] == frame["name"].tolist()


def test_an_empty_frame_gives_an_empty_results_frame_and_costs_no_call(service: LocalService) -> None:
    results = people(0).reportflow.generate(**plain(people(0)))
    assert results.columns.tolist() == COLUMNS
    assert len(results) == 0
    assert service.counts().total() == 0


def test_an_empty_frame_is_checked_like_any_other_and_said_to_be_empty(
    service: LocalService,
    orders: pd.DataFrame,
    lines: pd.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job: dict[str, Any] = {"design_id": "invoice", "tables": {"Lines": rf.Table(lines.head(0), on="InvoiceId")}}
    results = orders.head(0).reportflow.generate(**job, download=tmp_path / "pdfs", run="nothing", progress=True)
    assert "check: the frame has no rows, so no document is made" in capsys.readouterr().err
    assert results.columns.tolist() == COLUMNS
    assert results.attrs["reportflow"]["version"] == "1"
    with pytest.raises(rf.InvalidRows, match="CustomerName"):
        orders.head(0).drop(columns="CustomerName").reportflow.generate(**job)
    with pytest.raises(rf.NotFoundError):
        orders.head(0).reportflow.generate(**(job | {"design_id": "no such design"}))
    assert set(service.counts()) <= {"designs", "parameters"}, service.counts()


def test_one_row_is_one_single_call(service: LocalService) -> None:
    results = people(1).reportflow.generate(**plain(people(1)))
    assert results["status"].tolist() == ["accepted"]
    assert service.counts() == {"async/single": 1}


@pytest.mark.parametrize(("rows", "expected"), [(5, {"async/single": 5}), (6, {"async/multiple": 1})])
def test_a_few_rows_go_one_by_one_and_more_in_batches(
    service: LocalService, rows: int, expected: dict[str, int]
) -> None:
    people(rows).reportflow.generate(**plain(people(rows)))
    assert service.counts() == expected


def test_the_results_have_exactly_the_documented_columns_and_types(service: LocalService) -> None:
    results = people(2).reportflow.generate(**plain(people(2)))
    assert results.columns.tolist() == COLUMNS
    assert results["row"].dtype == "int64"
    assert results["http_status"].dtype == "Int64"
    assert results["attempts"].tolist() == [1, 1]
    assert results["elapsed"].dtype == "float64"
    assert str(results["accepted_at"].dt.tz) == "UTC"
    assert results["error_kind"].isna().all()
    assert results["path"].isna().all()
    assert results.attrs["reportflow"]["design_id"] == "certificate"


def test_the_frame_given_is_not_changed(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    before = orders.copy(deep=True)
    orders.reportflow.generate(**invoices)
    pd.testing.assert_frame_equal(orders, before)


def test_entries_in_another_order_change_nothing(local: Callable[..., LocalService]) -> None:
    service = local(faults=Fault("reordered_entries", times=None))
    frame = people(30)
    results = frame.reportflow.generate(**plain(frame))
    by_file = {document.file_id: document.params["Name"] for document in service.documents}
    assert [by_file[file_id] for file_id in results["file_id"]] == frame["name"].tolist()


# as a coroutine, and beside other work


def test_agenerate_gives_the_same_on_the_callers_loop(service: LocalService) -> None:
    frame = people(7)
    results = asyncio.run(frame.reportflow.agenerate(**plain(frame)))
    assert (results["status"] == "accepted").all()
    assert len(service.documents) == 7


def test_generate_works_where_a_loop_is_running_already(service: LocalService) -> None:
    frame = people(7)

    async def cell() -> pd.DataFrame:
        return frame.reportflow.generate(**plain(frame))

    assert (asyncio.run(cell())["status"] == "accepted").all()


def test_two_threads_generate_at_the_same_time(service: LocalService) -> None:
    done: list[pd.DataFrame] = []

    def work() -> None:
        frame = people(20)
        done.append(frame.reportflow.generate(**plain(frame)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(results) for results in done] == [20, 20]
    assert len(service.documents) == 40


def test_nothing_patches_asyncio(service: LocalService) -> None:
    import asyncio.events  # noqa: PLC0415

    before = (asyncio.run, asyncio.Task, asyncio.Future, asyncio.get_event_loop)
    people(3).reportflow.generate(**plain(people(3)))
    assert (asyncio.run, asyncio.Task, asyncio.Future, asyncio.get_event_loop) == before
    assert not hasattr(asyncio, "_nest_patched")


# bad input


def bad_inputs() -> dict[str, tuple[Callable[[pd.DataFrame, pd.DataFrame], Any], type[Exception], list[str]]]:
    table = rf.Table
    return {
        "no such column": (
            lambda o, _: o.reportflow.generate("invoice", params={"Customer": "Custmer"}),
            rf.ConfigurationError,
            ["no column 'Custmer'", "'Customer'"],
        ),
        "no design_id": (
            lambda o, _: o.reportflow.generate(),
            rf.ConfigurationError,
            ["design_id", "rf.designs()"],
        ),
        "duplicate column names": (
            lambda o, _: pd.concat([o, o["Total"]], axis=1).reportflow.generate("invoice"),
            rf.ConfigurationError,
            ["several columns named 'Total'", "duplicated()"],
        ),
        "MultiIndex columns": (
            lambda o, _: pd.concat({"a": o}, axis=1).reportflow.generate("invoice"),
            rf.ConfigurationError,
            ["MultiIndex", "join"],
        ),
        "a value that JSON cannot hold": (
            lambda o, lines: o.assign(Company=[object()] + [None] * (len(o) - 1)).reportflow.generate(
                "invoice", tables={"Lines": table(lines, on="InvoiceId")}
            ),
            rf.InvalidRows,
            ["'Company'", "row 0", "object has no form in JSON"],
        ),
        "forbidden characters in a file name": (
            lambda o, _: o.assign(n=["a/b"] + [str(i) for i in range(1, len(o))]).reportflow.generate(
                "invoice", file_name="n"
            ),
            rf.InvalidRows,
            ["row 0", "'a/b'"],
        ),
        "nothing in a file name": (
            lambda o, _: o.assign(n=["x", " "] + [str(i) for i in range(2, len(o))]).reportflow.generate(
                "invoice", file_name="n"
            ),
            rf.InvalidRows,
            ["row 1", "nothing in it"],
        ),
        "two equal names": (
            lambda o, _: o.assign(n=["INV-a", "inv-A"] + [str(i) for i in range(2, len(o))]).reportflow.generate(
                "invoice", file_name="n"
            ),
            rf.InvalidRows,
            ["2 documents would be named 'INV-a'", "0, 1"],
        ),
        "a key of another dtype": (
            lambda o, lines: o.reportflow.generate(
                "invoice", tables={"Lines": table(lines.astype({"InvoiceId": int}), on="InvoiceId")}
            ),
            rf.ConfigurationError,
            ["'InvoiceId' holds text", "number", "astype"],
        ),
        "check=False without params": (
            lambda o, _: o.reportflow.generate("invoice", check=False),
            rf.ConfigurationError,
            ["check=False", "params="],
        ),
        "a negative batch size": (
            lambda o, _: o.reportflow.generate("invoice", batch_size=-1),
            rf.ConfigurationError,
            ["batch_size=-1", "1 to 100"],
        ),
        "a folder whose name is no text": (
            lambda o, _: o.reportflow.generate("invoice", download="pdfs\udcff"),
            rf.ConfigurationError,
            ["download", "pdfs\\udcff'", "another folder"],
        ),
        "a misspelled argument": (
            lambda o, _: o.reportflow.generate("invoice", concurency=3),
            TypeError,
            ["'concurency'", "'concurrency'"],
        ),
        "a mapping the wrong way round": (
            lambda o, _: o.rename(columns={"CustomerName": "customer"}).reportflow.generate(
                "invoice", params={"customer": "CustomerName"}
            ),
            rf.ConfigurationError,
            ["wrong way round", "{'CustomerName': 'customer'}"],
        ),
    }


@pytest.mark.parametrize("case", list(bad_inputs()))
def test_bad_input_is_an_error_before_anything_is_sent(
    service: LocalService, orders: pd.DataFrame, lines: pd.DataFrame, case: str
) -> None:
    """The message says what, where and what to do; nothing is accepted, and no generation call was seen."""
    call, error, words = bad_inputs()[case]
    with pytest.raises(error) as caught:
        call(orders, lines)
    for word in words:
        assert word in str(caught.value)
    assert not service.documents
    assert set(service.counts()) <= {"designs", "parameters"}


def test_without_a_key_the_error_says_how_to_get_either(orders: pd.DataFrame) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"REPORT_FLOW_APP_KEY.*use_local"):
        orders.reportflow.generate("invoice")


def test_a_parameter_without_a_column_is_refused_with_a_mapping_to_paste(
    service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    with pytest.raises(rf.InvalidRows) as caught:
        orders.rename(columns={"CustomerName": "Custmer Name"}).reportflow.generate(**invoices)
    assert "'CustomerName': 'Custmer Name'" in str(caught.value)
    assert "check='warn'" in str(caught.value)
    assert caught.value.problems["level"].tolist()[0] == "error"
    assert not service.documents


def test_check_warn_goes_on(service: LocalService, orders: pd.DataFrame, invoices: dict[str, Any]) -> None:
    frame = orders.head(2).drop(columns="Company")
    assert (frame.reportflow.generate(**invoices, check="warn")["status"] == "accepted").all()


def test_an_unknown_design_ends_after_one_call_and_names_those_there_are(service: LocalService) -> None:
    with pytest.raises(rf.NotFoundError, match="'invoice'") as caught:
        people(300).reportflow.generate("invoce")
    assert service.counts() == {"designs": 1}
    assert (caught.value.results["status"] == "not_sent").all()


def test_a_bad_key_costs_one_call_for_ten_thousand_rows(service: LocalService) -> None:
    rf.configure(app_key="ak_wrong_wrong_wrong_1")
    frame = people(10_000)
    with pytest.raises(rf.AuthError) as caught:
        frame.reportflow.generate(**plain(frame))
    assert service.counts().total() == 1
    assert (caught.value.results["status"] == "not_sent").all()


# what the wire may not get


def test_the_key_goes_to_the_configured_host_only_and_url_is_never_fetched(
    local: Callable[..., LocalService], tmp_path: Any
) -> None:
    """``url`` points at a second service, which is never called."""
    other = rf.local_service(render=False).start()
    try:
        service = local(url_mode="page")
        frame = people(8)
        results = frame.reportflow.generate(**plain(frame), download=tmp_path)
        assert (results["status"] == "ready").all()
        assert "page" not in service.counts()
        assert other.counts().total() == 0
    finally:
        other.stop()


def test_no_repr_log_or_error_shows_the_key(
    local: Callable[..., LocalService], caplog: pytest.LogCaptureFixture
) -> None:
    key = "ak_this_is_very_secret_1"
    local(app_key=key)
    frame = people(3)
    with caplog.at_level(logging.DEBUG):
        results = frame.reportflow.generate(**plain(frame))
        with pytest.raises(rf.NotFoundError) as caught:
            frame.reportflow.generate("nothing")
    shown = [caplog.text, repr(rf.configure()), str(results.attrs), results.to_string(), repr(caught.value)]
    assert key not in "\n".join(shown)


# partial failures


def test_three_bad_rows_of_a_thousand_cost_few_calls_and_no_good_row(local: Callable[..., LocalService]) -> None:
    """997 accepted, 3 failed with their message, within 10 + 3·2·⌈log₂100⌉ calls."""
    bad = {"Person 5", "Person 501", "Person 999"}
    frame = people(1000)
    names = [f"doc {name}" for name in frame["name"]]
    service = local(
        faults=[Fault("bad_document", file_name=f"doc {name}", times=None, message="params") for name in bad]
    )
    results = frame.assign(n=names).reportflow.generate(**plain(frame), file_name="n", limits=False)
    assert results["status"].value_counts().to_dict() == {"accepted": 997, "failed": 3}
    failed = results[results["status"] == "failed"]
    assert set(frame.loc[failed.index, "name"]) == bad
    assert (failed["error_kind"] == "invalid").all()
    assert failed["error"].notna().all()
    assert len(service.documents) == 997
    assert service.counts()["async/multiple"] <= 10 + 3 * 2 * 7


def test_on_error_raise_stops_at_the_first_failed_row_with_the_results(local: Callable[..., LocalService]) -> None:
    service = local(faults=Fault("bad_document", file_name="Person 0", times=None))
    frame = people(30)
    with pytest.raises(rf.ApiError) as caught:
        frame.reportflow.generate(
            **plain(frame), file_name="name", endpoint="async/single", concurrency=1, on_error="raise"
        )
    counts = caught.value.results["status"].value_counts().to_dict()
    assert counts == {"failed": 1, "not_sent": 29}
    assert service.counts() == {"async/single": 1}


def test_an_answer_that_is_lost_leaves_the_rows_unknown_and_is_not_sent_again(
    local: Callable[..., LocalService],
) -> None:
    service = local(faults=Fault("dropped_after", times=1))
    frame = people(8)
    results = frame.reportflow.generate(**plain(frame))
    assert (results["status"] == "unknown").all()
    assert (results["error_kind"] == "unknown_outcome").all()
    assert len(service.documents) == 8
    assert service.counts() == {"async/multiple": 1}


def test_entries_missing_from_an_answer_are_unknown(local: Callable[..., LocalService]) -> None:
    local(faults=Fault("missing_entries", times=1))
    frame = people(8)
    results = frame.reportflow.generate(**plain(frame))
    assert set(results["status"]) == {"accepted", "unknown"}


def test_an_answer_without_files_leaves_all_rows_accepted(local: Callable[..., LocalService]) -> None:
    local(faults=Fault("no_files", times=1))
    frame = people(8)
    results = frame.reportflow.generate(**plain(frame))
    assert (results["status"] == "accepted").all()
    assert results["request_id"].notna().all()
    assert results["file_id"].isna().all()


def test_ten_equal_refusals_in_a_row_and_nothing_accepted_end_the_run(local: Callable[..., LocalService]) -> None:
    service = local(faults=Fault(status=400, times=None, message="プランの上限です"))
    frame = people(200)
    with pytest.raises(rf.ApiError, match="プランの上限です") as caught:
        frame.reportflow.generate(**plain(frame), endpoint="async/single", concurrency=1)
    assert service.counts().total() == 10
    assert caught.value.results["status"].value_counts().to_dict() == {"not_sent": 190, "failed": 10}


def test_a_run_that_equal_refusals_ended_says_so_and_what_is_left_and_its_advice_works(
    local: Callable[..., LocalService],
) -> None:
    bad = [
        Fault("bad_document", file_name=f"Person {row}", times=None, message="宛名が不正です") for row in range(10)
    ]
    service = local(faults=bad)
    frame = people(200)
    options = {**plain(frame), "file_name": "name", "limits": False}
    with pytest.raises(rf.ApiError) as caught:
        frame.reportflow.generate(**options, endpoint="async/single", concurrency=1)
    stopped, said = caught.value, str(caught.value)
    assert "宛名が不正です" in said
    assert "10 documents in a row were refused in these words" in said
    assert "the run was ended: 190 rows were not sent" in said
    assert stopped.status == 400
    assert "宛名が不正です" in stopped.messages[0]
    assert ".results.reportflow.retry(source=df)" in said
    assert "endpoint='async/multiple'" in said
    assert not service.documents
    # the one way: what is good is sent with the batches
    batches = frame.reportflow.generate(**options, endpoint="async/multiple")
    assert batches["status"].value_counts().to_dict() == {"accepted": 190, "failed": 10}
    # the other: the rows are corrected
    corrected = frame.assign(name="Good " + frame["name"])
    retried = stopped.results.reportflow.retry(source=corrected)
    assert (retried["status"] == "accepted").all()
    assert Counter(document.file_name for document in service.documents) == Counter(
        [*frame["name"].iloc[10:], *corrected["name"]]
    )


def test_a_run_that_the_service_ended_by_the_same_trouble_each_time_is_told_to_wait(
    local: Callable[..., LocalService],
) -> None:
    service = local(faults=Fault(status=500, times=None))
    frame = people(30)
    with pytest.raises(rf.ApiError, match="10 documents in a row") as caught:
        frame.reportflow.generate(**plain(frame), endpoint="sync/single", concurrency=1)
    assert "20 rows were not sent. When the cause is gone, .results.reportflow.retry() sends them" in str(
        caught.value
    )
    assert caught.value.status == 500
    assert service.counts().total() == 10


def test_a_folder_is_the_one_where_it_was_given_whatever_becomes_of_the_working_directory(
    service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REPORTFLOW_RUNS")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"ReceiptId": ["R1", "R2"], "CustomerName": "A"})
    plain = {"params": list(frame), "version": 1, "check": False}
    for given, there in (("pdfs", tmp_path / "pdfs"), ("~/pdfs", tmp_path / "home" / "pdfs")):
        monkeypatch.chdir(tmp_path)
        job = frame.reportflow.submit("receipt", download=given, **plain)
        monkeypatch.chdir(tmp_path / "elsewhere")
        results = job.result()
        assert [Path(path).parent for path in results["path"]] == [there, there]
        assert all(Path(path).is_file() for path in results["path"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
