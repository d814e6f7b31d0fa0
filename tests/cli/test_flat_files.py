"""Files with several lines to a document, from the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.local.service import LocalService

COUNT = 5
JOB = (
    'design = "invoice"\nfile = "flat.csv"\ngroup_by = "InvoiceId"\nfile_name = "INV-{InvoiceId}"\n'
    'tables.Lines = ["Track", "Artist", "Album", "UnitPrice", "Quantity"]\n'
)


@pytest.fixture
def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Write the lines of some invoices, with their orders' columns, into the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    orders, lines = rf.example_orders()
    together = lines.merge(orders.head(COUNT), on="InvoiceId")
    together.to_csv("flat.csv", index=False)
    return together


def results_in(path: str) -> pd.DataFrame:
    return pd.read_excel(path, sheet_name="Results", engine="openpyxl")


def test_a_column_names_the_documents_and_the_design_names_the_lines(
    service: LocalService, flat: pd.DataFrame
) -> None:
    assert main(["generate", "flat.csv", "--design", "invoice", "--group-by", "InvoiceId", "--no-progress"]) == 0
    assert len(service.documents) == COUNT
    assert sum(len(document.params["Lines"]) for document in service.documents) == len(flat)
    sheet = results_in("review.xlsx")
    assert len(sheet) == COUNT
    assert "CustomerName" in sheet
    assert "Track" not in sheet


def test_a_job_file_names_the_columns_of_the_lines(service: LocalService, flat: pd.DataFrame) -> None:
    Path("job.toml").write_text(JOB)
    assert main(["generate", "--options", "job.toml", "--no-progress"]) == 0
    assert sum(len(document.params["Lines"]) for document in service.documents) == len(flat)
    assert {document.file_name for document in service.documents} == {f"INV-{n}" for n in range(1, COUNT + 1)}


def test_lines_that_disagree_are_refused_before_anything_is_sent(
    service: LocalService, flat: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    flat.loc[1, "CustomerName"] = "Else"
    flat.to_csv("flat.csv", index=False)
    assert main(["generate", "flat.csv", "--design", "invoice", "--group-by", "InvoiceId", "--no-progress"]) == 2
    said = capsys.readouterr().err
    assert "'CustomerName' has to be the same in all lines of a document" in said
    assert "'Else'" in said
    assert not service.documents


def test_more_documents_than_allowed_are_refused(
    service: LocalService, flat: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", "flat.csv", "--design", "invoice", "--group-by", "InvoiceId", "--no-progress"]
    assert main([*words, "--max-documents", str(COUNT - 1)]) == 2
    assert f"{COUNT} documents" in capsys.readouterr().err
    assert not service.documents
    assert main([*words, "--max-documents", str(COUNT)]) == 0


def test_a_document_of_several_lines_is_found_in_its_file(
    service: LocalService, flat: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its place is that of its first line, in what is refused and in the workbook."""
    command = ["generate", "flat.csv", "--design", "invoice", "--group-by", "InvoiceId", "--no-progress"]
    place = flat["InvoiceId"].drop_duplicates().index.tolist()[2] + 2
    flat.assign(
        CustomerName=flat["CustomerName"].where(flat["InvoiceId"] != flat["InvoiceId"].unique()[2])
    ).to_csv("flat.csv", index=False)
    assert main(["check", *command[1:-1]]) == 0
    assert f"'CustomerName' is blank in line {place} (flat.csv)" in capsys.readouterr().out
    assert main(command) == 0
    assert results_in("review.xlsx")["line in flat.csv"].tolist()[2] == place
