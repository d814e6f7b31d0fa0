"""What is said to stand in a value's place is what stands there, not the nearest text that looks like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import planted_faults

from reportflow_pandas.verify.suspicion import Finding

from .test_planted_faults import judged

Params = dict[str, Any]

FIRST = ["Dora", "Bea", "Carl", "Ana", "Emil"]
LAST = ["Rey", "Sol", "Tal", "Uhl"]


@pytest.fixture(scope="module")
def receipts() -> tuple[list[Params], dict[int, bytes]]:
    rows = [
        {
            "ReceiptId": f"R-2026-{1000 + 37 * number}",
            "ReceiptDate": f"2026-{1 + number % 12:02}-{10 + number:02}",
            "CustomerName": f"{FIRST[number % 5]} {LAST[number % 4]}mann",
            "Company": f"{['Nord', 'Ost', 'Sued'][number % 3]}werk {number}",
            "Amount": 1000.5 + 371 * number,
            "Description": f"Work on the {['roof', 'door', 'floor', 'wall'][number % 4]} of house {number}",
            "PaymentMethod": "Card",
        }
        for number in range(16)
    ]
    return rows, planted_faults.printed_all("receipt", rows)


def told(
    receipts: tuple[list[Params], dict[int, bytes]], folder: Path, name: str, printed: object
) -> list[Finding]:
    """Return the findings in a receipt on which another value is printed; all others have none."""
    rows, pdfs = receipts
    changed = planted_faults.printed("receipt", {**rows[5], name: printed})
    found = judged(rows, pdfs | {5: changed}, folder)
    assert [row for row, findings in found.items() if findings] == [5]
    return found[5]


def test_another_date_is_missing_and_not_cut_to_its_year(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    [finding] = told(receipts, tmp_path, "ReceiptDate", "2026-11-28")
    assert finding.kind == "missing"
    assert "28" in finding.found


def test_two_digits_exchanged_are_missing_and_not_cut(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    [finding] = told(receipts, tmp_path, "ReceiptId", "R-2026-1158")
    assert (finding.kind, finding.found.endswith("R-2026-1158")) == ("missing", True)


def test_another_last_name_is_missing_and_told_as_a_whole(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    [finding] = told(receipts, tmp_path, "CustomerName", "Dora Sommer")
    assert (finding.kind, finding.found) == ("missing", "Dora Sommer")


def test_a_name_without_its_end_is_cut(receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path) -> None:
    [finding] = told(receipts, tmp_path, "CustomerName", "Dora Solma")
    assert (finding.kind, finding.found) == ("cut", "Dora Solma")


def test_nothing_is_said_to_stand_in_the_place_of_a_name_that_is_blank(
    receipts: tuple[list[Params], dict[int, bytes]], tmp_path: Path
) -> None:
    [finding] = told(receipts, tmp_path, "CustomerName", "")
    assert (finding.kind, finding.expected, finding.found) == ("missing", "Dora Solmann", "")
