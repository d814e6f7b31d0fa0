"""What an auditor reads of a run, held against what the service and the people did."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pypdfium2
import pytest
from support.mail_server import mail_server

import reportflow_pandas as rf

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")


def test_an_account_tells_what_was_made_reviewed_mailed_superseded_and_by_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "auditor-test")
    orders, lines = rf.example_orders()
    orders = orders.head(5)
    arguments = {"tables": {"Lines": rf.Table(lines, on="InvoiceId")}, "run": "november", "progress": False}
    with rf.use_local() as service, mail_server() as server:
        rf.configure(runs=tmp_path / "runs", smtp=server.address, sender="billing@example.com")
        pdfs = tmp_path / "pdfs"
        orders.reportflow.generate("invoice", download=pdfs, **arguments)
        results = orders.reportflow.generate("invoice", download=pdfs, again=[orders.index[0]], **arguments)
        decided = pd.DataFrame({"decision": ["approve"] * 3 + ["redo", "reject"]}, index=results.index)
        results.reportflow.hand_over(tmp_path / "archive", decided)
        results.reportflow.mail(
            to="Email", subject="{InvoiceId}", body="Here.", source=orders, decisions=decided, progress=False
        )
        told = rf.account("november", tmp_path / "account.xlsx").set_index("item")["value"]
        rf.account("november", tmp_path / "account.pdf")
    assert told["workspace"] == "embedded"
    assert told["design id"] == "invoice"
    assert told["documents asked for"] == told["documents made"] == "5"
    assert told["superseded by a newer one"] == str(len(service.documents) - 5) == "1"
    pages = sum(len(pypdfium2.PdfDocument(path)) for path in results["path"])
    assert told["pages (the plan counts pages)"] == str(pages)
    assert told["mails sent"] == "3" == str(len(server.taken))
    assert told["handed over"].startswith("3 documents, ")
    assert told["mailed"].startswith("3 documents, ")
    assert told["mailed"].endswith("by auditor-test")
    approved = told["reviewed: approve"]
    assert isinstance(approved, str), "one review that was used twice is told once"
    assert approved.endswith("by auditor-test")
    sheet = openpyxl.load_workbook(tmp_path / "account.xlsx")["Account"]
    assert [cell.value for cell in sheet[3]] == ["run", "run", "november"]
    with pypdfium2.PdfDocument(tmp_path / "account.pdf") as pdf:
        text = pdf[0].get_textpage().get_text_bounded()
    assert "Account of run november" in text
    assert "superseded by a newer one" in text


def test_a_settled_row_is_told_with_who_settled_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "auditor-test")
    from reportflow_pandas.local.faults import Fault  # noqa: PLC0415 - here alone

    with rf.use_local(render=False, faults=[lambda endpoint, _body: Fault("dropped_after")]):
        rf.configure(runs=tmp_path / "runs")
        frame = pd.DataFrame({"No": [1]})
        options = {"check": False, "params": ["No"], "version": 1, "progress": False}
        results = frame.reportflow.generate("certificate", run="lost", endpoint="async/single", **options)
        assert results["status"].tolist() == ["unknown"]
        results.reportflow.settle([0])
        told = rf.account("lost").set_index("item")["value"]
    assert told["settled"].startswith("1 document, ")
    assert told["settled"].endswith("by auditor-test")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"\.xlsx or \.pdf"):
        rf.account("november", tmp_path / "account.docx")
