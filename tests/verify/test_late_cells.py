"""Cells that a program writes after all others of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import required
from support import office_order, planted_faults

from reportflow_pandas.verify.late_cells import in_lines

from .test_planted_faults import judged


def at(text: str, left: int, line: int, width: int = 40) -> list[Any]:
    """Return a unit of a line, counted from above."""
    return [text, left, 800 - 12 * line, left + width, 808 - 12 * line, 0]


def texts(*units: list[Any]) -> str:
    return " ".join(unit[0] for unit in in_lines(units))


NUMBERS = [at("2", 200, 0), at("9,50", 300, 0), at("3", 200, 2), at("7,00", 300, 2), at("Total", 300, 4)]


def test_a_first_column_of_broken_texts_goes_back_to_its_numbers() -> None:
    late = [at("long", 0, 0), at("name", 0, 1), at("other", 0, 2), at("one", 0, 3)]
    assert texts(*NUMBERS, *late) == "long name 2 9,50 other one 3 7,00 Total"


def test_so_does_the_last_column_and_one_whose_cells_end_at_the_line() -> None:
    late = [at("long", 400, 0), at("note", 400, 1), at("other", 400, 2)]
    assert texts(*NUMBERS, *late) == "2 9,50 long note 3 7,00 other Total"
    early = [at("1", 0, 2), at("bolt", 200, 2), at("2", 0, 6), at("nut", 200, 6)]
    late = [at("ending", 100, 1), at("here", 100, 2), at("and", 100, 5), at("there", 100, 6)]
    assert texts(*early, *late) == "1 ending here bolt 2 and there nut"


def test_a_line_of_a_cell_in_several_pieces_stays_together() -> None:
    late = [at("a", 50, 0, 30), at("wide", 90, 0), at("name", 50, 1), at("b", 50, 2, 30)]
    assert texts(at("1", 0, 0), *NUMBERS[:2], at("2", 0, 2), *NUMBERS[2:], *late) == (
        "1 a wide name 2 9,50 2 b 3 7,00 Total"
    )


@pytest.mark.parametrize(
    "units",
    [
        [at(word, 50 * (place % 4), place // 4) for place, word in enumerate("abcdefghijkl")]
        + [at(word, 300 + 50 * (place % 3), place // 3) for place, word in enumerate("mnopqrstu")],
        [at("1", 0, 0), at("long", 50, 0), at("name", 50, 1), at("2", 200, 0), at("9,50", 300, 0), at("2", 0, 2)],
        [
            at("Date", 0, 0),
            at("May", 50, 0),
            at("To", 0, 1),
            at("Ada", 50, 1),
            at("free", 300, 0),
            at("text", 300, 1),
        ],
    ],
    ids=["two columns of justified text", "cells one after the other", "facts and a text beside them"],
)
def test_what_is_written_in_the_order_of_reading_stays(units: list[Any]) -> None:
    assert in_lines(units) == units


def test_a_bill_of_a_spreadsheet_is_judged_and_its_faults_are_found(tmp_path: Path) -> None:
    required("LibreOffice", office_order.soffice())
    wanted = planted_faults.rows("order", 40, seed=9174)
    pdfs = planted_faults.printed_all("order", wanted)
    faulty = {}
    for kind in ("line_missing", "another_row", "swapped"):
        for row, planted in planted_faults.plant("order", wanted, kind, 1, seed=9174).items():
            faulty[row] = planted.detail
            pdfs[row] = planted.pdf
    # a line of the table has the same date in another form; lines of an address stand in rows of their own
    dated = next(
        row for row, one in enumerate(wanted) if one["Received"] in str(one["Work"]) and row not in faulty
    )
    street, _, town = wanted[dated + 1]["Address"].partition("\n")
    faulty |= {dated: "Received", dated + 1: "Address"}
    pdfs[dated] = planted_faults.printed("order", {**wanted[dated], "Received": "2024-02-29"})
    pdfs[dated + 1] = planted_faults.printed("order", {**wanted[dated + 1], "Address": f"{street}\n{town[:-2]}"})
    # a section that is left out in most documents stands there, and the row has nothing for it
    free = next(row for row, one in enumerate(wanted) if not one["Discount"] and row not in faulty)
    faulty[free] = "Discount"
    pdfs[free] = planted_faults.printed("order", {**wanted[free], "Discount": 25.5})
    found = judged(wanted, pdfs, tmp_path)
    assert {row: faulty[row] for row in faulty if not found[row]} == {}
    assert {row: list(map(str, found[row])) for row in found if found[row] and row not in faulty} == {}
