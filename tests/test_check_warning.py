"""What the check finds and the service would take all the same is told before the first document is sent."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.execution.background import Recorded
from reportflow_pandas.jobs import Job
from reportflow_pandas.local.service import LocalService

VERBS: dict[str, Callable[..., Any]] = {
    "generate": lambda frame, **more: frame.reportflow.generate(**more),
    "agenerate": lambda frame, **more: asyncio.run(frame.reportflow.agenerate(**more)),
    "submit": lambda frame, **more: frame.reportflow.submit(**more).result(),
}


@pytest.fixture
def lost(orders: pd.DataFrame, lines: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Six orders and their lines, and one of an order that there is not."""
    some = orders.head(6)
    theirs = lines[lines["InvoiceId"].isin(some["InvoiceId"])].reset_index(drop=True)
    theirs = pd.concat([theirs, theirs.tail(1).assign(InvoiceId="9999")], ignore_index=True)
    return some, {"design_id": "invoice", "tables": {"Lines": rf.Table(theirs, on="InvoiceId")}}


@pytest.mark.parametrize("verb", list(VERBS))
def test_warnings_are_told_once_before_the_first_document(
    service: LocalService, lost: tuple[pd.DataFrame, dict[str, Any]], verb: str
) -> None:
    frame, arguments = lost
    sent: list[int] = []
    shown = warnings.showwarning
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        record = warnings.showwarning

        def show(*about: Any, **more: Any) -> None:
            sent.append(len(service.documents))
            record(*about, **more)

        warnings.showwarning = show
        results = VERBS[verb](frame, **arguments)
    assert warnings.showwarning is shown
    assert results["status"].eq("accepted").all()
    (one,) = told
    assert one.category is rf.CheckWarning
    assert "one line belongs to no document" in str(one.message)
    assert str(one.message).splitlines()[-1] == (
        "Also: 1 column is no parameter of the design and not sent (Lines.InvoiceLineId)"
    )
    assert sent == [0]
    if verb != "agenerate":  # asyncio calls a coroutine itself
        assert Path(one.filename).name == Path(__file__).name


@pytest.mark.usefixtures("service")
def test_each_call_tells_them(lost: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    frame, arguments = lost
    for _ in range(2):
        with pytest.warns(rf.CheckWarning, match="belongs to no document"):
            frame.reportflow.generate(**arguments)


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_warning_that_is_made_an_error_sends_nothing(
    service: LocalService, lost: tuple[pd.DataFrame, dict[str, Any]], verb: str
) -> None:
    frame, arguments = lost
    with warnings.catch_warnings():
        warnings.simplefilter("error", rf.CheckWarning)
        with pytest.raises(rf.CheckWarning, match="belongs to no document"):
            VERBS[verb](frame, **arguments)
    assert not service.documents


@pytest.mark.usefixtures("service")
def test_a_plan_returns_them_and_tells_nothing(lost: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    frame, arguments = lost
    plan = frame.reportflow.plan(**arguments)
    assert plan.problems["problem"].str.contains("belongs to no document").any()


@pytest.mark.usefixtures("service")
def test_the_shipped_examples_and_some_of_them_are_told_nothing(
    orders: pd.DataFrame, invoices: dict[str, Any]
) -> None:
    for frame in (orders, orders.head(3)):
        assert frame.reportflow.generate(**invoices)["status"].eq("accepted").all()


@pytest.mark.usefixtures("service")
def test_the_workbook_has_them_on_its_summary(lost: tuple[pd.DataFrame, dict[str, Any]], tmp_path: Path) -> None:
    frame, arguments = lost
    with pytest.warns(rf.CheckWarning):
        results = frame.reportflow.generate(**arguments)
    assert len(json.loads(results.attrs["reportflow"]["warnings"])) == 2
    for language, heading in (("en", "What looked odd"), ("ja", "送信前の確認")):
        written = results.reportflow.to_excel(tmp_path / f"{language}.xlsx", language=language)
        sheet = openpyxl.load_workbook(written).worksheets[0]
        texts = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None]
        assert any(text.startswith(heading) for text in texts)
        assert any("belongs to no document" in text for text in texts)


def test_the_command_line_says_them_on_stderr_and_ends_with_0(
    service: LocalService,
    lost: tuple[pd.DataFrame, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, arguments = lost
    frame.to_csv("orders.csv", index=False)
    arguments["tables"]["Lines"].frame.to_csv("lines.csv", index=False)
    Path("job.toml").write_text('design = "invoice"\n[tables.Lines]\nfile = "lines.csv"\non = "InvoiceId"\n')
    assert main(["generate", "orders.csv", "--options", "job.toml", "--no-progress"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("Warning: ")
    assert "one line belongs to no document (line " in said
    assert len(service.documents) == 6


def test_a_job_has_what_the_check_warned_of_among_its_warnings(
    service: LocalService, lost: tuple[pd.DataFrame, dict[str, Any]]
) -> None:
    frame, arguments = lost
    job = frame.reportflow.submit(**arguments)
    with pytest.warns(rf.CheckWarning):
        job.result()
    assert "one line belongs to no document" in job.warnings[0]
    assert Job(Recorded(job.folder, job.id)).warnings == job.warnings


BLANK = pd.DataFrame({"ReceiptId": list("abcdef"), "CustomerName": ["Ada", "Bob", "Cid", None, "Eve", "Fay"]})
FILLED = BLANK.fillna("Dan")
OTHERS = dict.fromkeys(("ReceiptDate", "Company", "Amount", "Description", "PaymentMethod"))
RECEIPT: dict[str, Any] = {
    "design_id": "receipt",
    "params": {"ReceiptId": "ReceiptId", "CustomerName": "CustomerName", **OTHERS},
    "drop_missing": True,
    "run": "november",
}


@pytest.mark.parametrize(
    ("key", "words", "documents"),
    [
        (None, "One that is corrected afterwards is a new document, and billed as one", 7),
        ("ReceiptId", "One that is corrected afterwards is reported as changed, and again= sends it", 6),
    ],
)
def test_a_warning_says_that_the_rows_go_out_as_they_are_and_what_a_corrected_one_costs(
    service: LocalService, key: str | None, words: str, documents: int
) -> None:
    with pytest.warns(rf.CheckWarning, match="'CustomerName' is blank in row 3") as told:
        BLANK.reportflow.generate(**RECEIPT, key=key)
    assert "The rows are sent as they are. " + words in str(told[0].message)
    assert len(service.documents) == 6
    again = FILLED.reportflow.generate(**RECEIPT, key=key)
    assert len(service.documents) == documents
    assert again["error_kind"].eq("changed").sum() == 7 - documents


def test_a_check_alone_says_nothing_of_what_is_sent(service: LocalService) -> None:
    found = BLANK.reportflow.check(**RECEIPT)
    assert found["problem"].str.contains("is blank in row 3").any()
    assert not found.to_string().count("sent as they are")
    assert not service.documents


def test_a_refusal_tells_what_looks_odd_too(service: LocalService) -> None:
    """Otherwise it is told when the corrected call has sent it."""
    wrong = BLANK.assign(ReceiptId=["a", "b", "c", "d", "e", None])
    with pytest.raises(rf.InvalidRows) as refused:
        wrong.assign(Amount=[1, 2, 3, 4, 5, "six"]).reportflow.generate(
            **{**RECEIPT, "params": {**RECEIPT["params"], "Amount": "Amount"}}
        )
    assert "'CustomerName' is blank in row 3 and filled in all other rows" in str(refused.value)
    assert not service.documents
