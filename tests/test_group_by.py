"""One flat frame with several lines to a document, in every verb."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService

COUNT = 7
"""Invoices in the flat frame."""


@pytest.fixture
def flat(orders: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of some invoices with their orders' columns, as a spreadsheet has them; not sorted by invoice."""
    chosen = orders.head(COUNT)
    together = lines.merge(chosen, on="InvoiceId", validate="many_to_one")
    return together.sort_values("InvoiceLineId", key=lambda ids: ids.astype(int) % 5, ignore_index=True)


ARGUMENTS: dict[str, Any] = {
    "design_id": "invoice",
    "group_by": "InvoiceId",
    "tables": {"Lines": ["Track", "Artist", "Album", "UnitPrice", "Quantity"]},
}


def printed(service: LocalService) -> dict[str, list[str]]:
    """Return the tracks that each invoice was sent with."""
    return {
        document.params["InvoiceId"]: [line["Track"] for line in document.params["Lines"]]
        for document in service.documents
    }


def expected(flat: pd.DataFrame) -> dict[str, list[str]]:
    return {key: group["Track"].tolist() for key, group in flat.groupby("InvoiceId", sort=False)}


def test_each_group_is_a_document_with_its_lines_in_their_order(service: LocalService, flat: pd.DataFrame) -> None:
    results = flat.reportflow.generate(**ARGUMENTS)
    assert results.index.tolist() == list(dict.fromkeys(flat["InvoiceId"]))
    assert results.index.name == "InvoiceId"
    assert results["row"].tolist() == list(range(COUNT))
    assert results["status"].eq("accepted").all()
    assert printed(service) == expected(flat)
    assert len(service.documents) == COUNT


def test_without_tables_the_fields_of_an_array_are_found_among_the_columns(
    service: LocalService, flat: pd.DataFrame
) -> None:
    results = flat.reportflow.generate("invoice", group_by="InvoiceId")
    assert len(results) == COUNT
    assert printed(service) == expected(flat)


def test_every_verb_understands_it(service: LocalService, flat: pd.DataFrame) -> None:
    assert flat.reportflow.check(**ARGUMENTS).query("level == 'error'").empty
    plan = flat.reportflow.plan(**ARGUMENTS)
    assert (plan.documents, plan.calls) == (COUNT, 1)
    assert len(plan.first["params"]["Lines"]) == len(next(iter(expected(flat).values())))
    assert not service.documents
    assert len(asyncio.run(flat.reportflow.agenerate(**ARGUMENTS))) == COUNT
    assert len(flat.reportflow.submit(**ARGUMENTS).result()) == COUNT
    assert len(service.documents) == 2 * COUNT


def test_a_preview_counts_documents(local: Any, flat: pd.DataFrame) -> None:
    service = local(render=True)
    flat.reportflow.preview(**ARGUMENTS, row=COUNT - 1)
    (key,) = printed(service)
    assert key == list(dict.fromkeys(flat["InvoiceId"]))[-1]
    with pytest.raises(rf.ReportFlowError, match=f"this frame has {COUNT} documents"):
        flat.reportflow.preview(**ARGUMENTS, row=COUNT)


def test_a_column_that_differs_in_a_document_is_an_error_of_the_check(
    service: LocalService, flat: pd.DataFrame
) -> None:
    key = flat["InvoiceId"].iloc[0]
    last = flat.index[flat["InvoiceId"] == key][-1]
    wrong = flat.copy()
    wrong.loc[last, "CustomerName"] = "Somebody Else"
    problems = wrong.reportflow.check(**ARGUMENTS).query("level == 'error'")
    (problem,) = problems["problem"]
    assert f"{key!r} it is" in problem
    assert "'Somebody Else'" in problem
    assert problems["row"].tolist() == [last]
    with pytest.raises(rf.InvalidRows, match="'Somebody Else'"):
        wrong.reportflow.generate(**ARGUMENTS)
    with pytest.raises(rf.InvalidRows, match="'Somebody Else'"):
        wrong.reportflow.generate(**{**ARGUMENTS, "check": False, "params": ["InvoiceId", "CustomerName"]})
    assert not service.documents


def test_a_function_gets_the_first_line_of_a_document(service: LocalService, flat: pd.DataFrame) -> None:
    seen: list[str] = []

    def name(row: Any) -> str:
        seen.append(row["Track"])
        return str(row["CustomerName"])

    columns = ["InvoiceId", "InvoiceDate", "Company", "Email", "Total", "CustomerId"]
    columns += [column for column in flat if str(column).startswith("Billing")]
    flat.reportflow.generate(
        **ARGUMENTS, params={**dict(zip(columns, columns, strict=True)), "CustomerName": name}
    )
    assert seen == [tracks[0] for tracks in expected(flat).values()]


def test_a_run_knows_its_documents_and_sends_those_to_be_redone(service: LocalService, flat: pd.DataFrame) -> None:
    results = flat.reportflow.generate(**ARGUMENTS, run="november", key="InvoiceId")
    redo = results.index[[1, 3]]
    again = flat.reportflow.generate(**ARGUMENTS, run="november", key="InvoiceId", again=list(redo))
    assert len(service.documents) == COUNT + 2
    assert again.index.equals(results.index)
    mask = flat["InvoiceId"].isin(redo)
    flat.reportflow.generate(**ARGUMENTS, run="november", key="InvoiceId", again=mask)
    assert len(service.documents) == COUNT + 4
    assert rf.load("november").index.tolist() == results.index.tolist()
    plan = flat.reportflow.plan(**ARGUMENTS, run="november", key="InvoiceId")
    assert (plan.documents, plan.already) == (0, COUNT)


def lines_in(workbook: Any) -> pd.DataFrame:
    return pd.read_excel(workbook, sheet_name="Results", engine="openpyxl")


def test_the_review_workbook_has_a_line_for_each_document(
    service: LocalService, flat: pd.DataFrame, tmp_path: Any
) -> None:
    results = flat.reportflow.generate(**ARGUMENTS, run="november")
    written = results.reportflow.to_excel(tmp_path / "review.xlsx", source=flat)
    sheet = lines_in(written)
    assert len(sheet) == COUNT
    assert "CustomerName" in sheet
    assert "Track" not in sheet
    some = results.iloc[2:4]
    assert len(lines_in(some.reportflow.to_excel(tmp_path / "some.xlsx", source=flat))) == 2
    loaded = rf.load("november").reportflow.to_excel(tmp_path / "loaded.xlsx", source=flat)
    assert len(lines_in(loaded)) == COUNT
    assert rf.read_review(written).index.equals(results.index)


def test_the_pdfs_are_combined_by_a_column_of_the_flat_frame(
    local: Any, flat: pd.DataFrame, tmp_path: Any
) -> None:
    pytest.importorskip("pikepdf")
    local(render=True)
    results = flat.reportflow.generate(**ARGUMENTS, download=tmp_path / "pdfs")
    made = results.reportflow.combine(tmp_path / "all.pdf", by="BillingCountry", source=flat)
    assert len(made) == flat["BillingCountry"].nunique()


def test_a_run_of_groups_is_resumed_by_its_name(local: Any, flat: pd.DataFrame) -> None:
    service = local(render=False, faults=Fault("status", status=400, at=4, times=1))
    results = flat.reportflow.generate(**ARGUMENTS, run="november", endpoint="async/single")
    assert results["status"].eq("failed").sum() == 1
    resumed = rf.resume("november")
    assert resumed.index.equals(results.index)
    assert resumed["status"].eq("accepted").all()
    assert len(service.documents) == COUNT
    assert len(results.reportflow.retry()) == COUNT


def test_a_corrected_flat_frame_sends_what_failed(local: Any, flat: pd.DataFrame) -> None:
    service = local(render=False, faults=Fault("status", status=400, at=3, times=1))
    results = flat.reportflow.generate(**ARGUMENTS, endpoint="async/single")
    assert results["status"].value_counts().to_dict() == {"accepted": COUNT - 1, "failed": 1}
    with pytest.raises(rf.ConfigurationError, match=f"source has {COUNT - 1} documents and the run had {COUNT}"):
        results.reportflow.retry(source=flat[flat["InvoiceId"] != flat["InvoiceId"].iloc[0]])
    retried = results.reportflow.retry(source=flat.assign(Company="Corrected"))
    assert retried["status"].eq("accepted").all()
    assert len(service.documents) == COUNT
    assert [document.params["Company"] for document in service.documents].count("Corrected") == 1
