"""A column that is wrong in all documents is no column that the design leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from support import planted_faults

from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_check import Checked, check_run

Params = dict[str, Any]

FIRST = ["Dora", "Bea", "Carl", "Ana", "Emil"]
LAST = ["Rey", "Sol", "Tal", "Uhl"]


def receipts(count: int = 16) -> list[Params]:
    return [
        {
            "ReceiptId": f"R-2026-{1000 + 37 * number}",
            "ReceiptDate": f"2026-{1 + number % 12:02}-{10 + number:02}",
            "CustomerName": f"{FIRST[number % 5]} {LAST[number % 4]}mann",
            "Company": "",
            "Amount": 1000.5 + 371 * number,
            "Description": f"Work on house {number}",
            "PaymentMethod": "Card",
        }
        for number in range(count)
    ]


def checked(wanted: list[Params], printed: list[Params], folder: Path) -> Checked:
    paths = {}
    for row, pdf in planted_faults.printed_all("receipt", printed).items():
        paths[row] = str(folder / f"{row}.pdf")
        Path(paths[row]).write_bytes(pdf)

    def params() -> Iterator[tuple[int, Params]]:
        yield from enumerate(wanted)

    with closing(Readings(folder)) as known:
        return check_run(paths, params, known, labels={}, began=lambda *_: lambda _count: None, tick=lambda: None)


def test_names_of_other_rows_in_all_documents_are_an_alarm_in_each(tmp_path: Path) -> None:
    wanted = receipts()
    names = [params["CustomerName"] for params in wanted]
    printed = [{**params, "CustomerName": names[row - 1]} for row, params in enumerate(wanted)]
    found = checked(wanted, printed, tmp_path)
    assert [verdict.verdict for verdict in found.verdicts.values()] == ["look"] * 16
    assert {finding.parameter for one in found.verdicts.values() for finding in one.findings} == {"CustomerName"}
    assert found.not_judged["CustomerName"].startswith("printed, but other rows' values stand there")


def test_pdfs_that_are_all_the_next_row_s_are_called_that_row_s(tmp_path: Path) -> None:
    wanted = receipts()
    found = checked(wanted, wanted[1:] + wanted[:1], tmp_path)
    assert [finding.kind for one in found.verdicts.values() for finding in one.findings] == ["same"] * 16
    assert found.verdicts[3].findings[0].found == "this is the PDF of another row: 4"


def test_amounts_that_are_wrong_in_all_documents_are_said_to_be_perhaps_wrong(tmp_path: Path) -> None:
    wanted = receipts()
    printed = [{**params, "Amount": round(params["Amount"] * 1.21, 2)} for params in wanted]
    found = checked(wanted, printed, tmp_path)
    assert "it may be wrong in all documents" in found.not_judged["Amount"]
