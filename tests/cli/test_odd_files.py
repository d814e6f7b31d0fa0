"""Values that a file has and a document should print as people read them, from the command line to the service."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from reportflow_pandas.cli import main
from reportflow_pandas.local.service import LocalService

HEADINGS = ["ReceiptId", "ReceiptDate", "CustomerName", "Company", "Amount", "Description", "PaymentMethod"]
CELLS = ["R-1", "2026-11-01", "Ann", "Acme", 10.5, "x", "cash"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(headings: list[Any] = HEADINGS, cells: list[Any] = CELLS, form: str | None = None) -> Path:
    """Write a workbook of one row; ``form`` is the number format of its description."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(headings)
    sheet.append(cells)
    if form is not None:
        sheet["F2"].number_format = form
    workbook.save("rows.xlsx")
    return Path("rows.xlsx")


def sent(service: LocalService, file: Path, *more: str) -> dict[str, Any]:
    assert main(["generate", str(file), "--design", "receipt", "--no-progress", *more]) == 0
    (document,) = service.documents
    return dict(document.params)


def test_a_duration_prints_as_the_sheet_shows_it(service: LocalService) -> None:
    hours = dt.timedelta(hours=54, minutes=5, seconds=3)
    file = written(cells=[*CELLS[:5], hours, "cash"], form="[h]:mm:ss")
    assert sent(service, file)["Description"] == "54:05:03"


def test_the_noise_of_a_formula_is_not_printed(service: LocalService) -> None:
    file = written(cells=[*CELLS[:5], 999, "cash"])
    with zipfile.ZipFile(file) as old, zipfile.ZipFile("noise.xlsx", "w") as new:
        for part in old.namelist():
            new.writestr(part, old.read(part).replace(b"<v>999</v>", b"<v>1234.5600000000002</v>"))
    assert sent(service, Path("noise.xlsx"))["Description"] == "1234.56"


def test_a_heading_that_is_a_year_or_a_day_is_named_in_a_job_file(service: LocalService) -> None:
    file = written(headings=[*HEADINGS[:5], 2024, dt.datetime(2026, 11, 1)])  # noqa: DTZ001 - Excel knows no zones
    Path("job.toml").write_text(
        "[params]\n"
        + "".join(f'{name} = "{name}"\n' for name in HEADINGS[:5])
        + 'Description = "2024"\nPaymentMethod = { constant = "cash" }\n'
    )
    assert sent(service, file, "--options", "job.toml")["Description"] == "x"


def test_a_mark_that_came_along_with_a_pasted_text_is_not_sent(service: LocalService) -> None:
    assert sent(service, written(cells=["R-1", "2026-11-01", "\ufeffBob", *CELLS[3:]]))["CustomerName"] == "Bob"


LINES: dict[str, tuple[list[str], list[str], str]] = {
    "zeros": (["001", "002"], ["1", "2"], "2 of them would as numbers"),
    "a space": (["A1"], ["A1 "], "1 of them would after trimming"),
    "another invoice": (["1"], ["1", "7"], "one line belongs to no document"),
}


@pytest.mark.parametrize("case", list(LINES))
def test_lines_that_find_no_document_are_told(
    service: LocalService, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs, words = LINES[case]
    columns = ["CustomerName", "InvoiceDate", "CustomerId", "Company", "Email", "BillingAddress", "BillingCity"]
    columns += ["BillingState", "BillingCountry", "BillingPostalCode"]
    orders = pd.DataFrame({"InvoiceId": ours, **dict.fromkeys(columns, "2026-11-01"), "Total": 3.0})
    orders.to_csv("orders.csv", index=False)
    lines = pd.DataFrame({"InvoiceId": theirs, "Track": "Song", "Artist": "A", "Album": "B"})
    lines.assign(UnitPrice=1.5, Quantity=2).to_csv("lines.csv", index=False)
    Path("job.toml").write_text('[tables.Lines]\nfile = "lines.csv"\non = "InvoiceId"\n')
    assert main(["generate", "orders.csv", "--design", "invoice", "--options", "job.toml", "--no-progress"]) == 0
    assert words in capsys.readouterr().err
    assert len(service.documents) == len(ours)


def test_check_understands_several_lines_to_a_document(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"InvoiceId": ["1", "1"], "CustomerName": ["Ann", "Bob"], "Track": ["a", "b"]})
    frame.to_csv("flat.csv", index=False)
    assert main(["check", "flat.csv", "--design", "invoice", "--group-by", "InvoiceId"]) == 2
    said = capsys.readouterr()
    assert "'CustomerName' has to be the same in all lines of a document" in said.out + said.err
    assert not service.documents
