"""A value on the paper that the row does not have is told, by a label before it or by where on the page it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import planted_faults

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.run_values import RunValues

from .test_planted_faults import judged
from .test_reading_places import document


@pytest.mark.parametrize(
    ("design", "name"),
    [
        ("receipt", "ReceiptDate"),
        ("receipt", "Amount"),
        ("certificate", "Course"),
        ("certificate", "Instructor"),
        ("badge", "Name"),
        ("badge", "Hall"),
    ],
)
def test_a_value_that_three_rows_do_not_have_and_that_is_printed_is_told(
    design: str, name: str, tmp_path: Path
) -> None:
    wanted = planted_faults.rows(design, 60, seed=12)
    pdfs = {row: planted_faults.printed(design, params) for row, params in enumerate(wanted)}
    rows = [row for row, params in enumerate(wanted) if params[name] not in ("", None)][5:50:17]
    asked = [{**params, name: None} if row in rows else params for row, params in enumerate(wanted)]
    told = {row: findings for row, findings in judged(asked, pdfs, tmp_path).items() if findings}
    assert {row: [(one.kind, one.parameter) for one in findings] for row, findings in told.items()} == {
        row: [("foreign", name)] for row in rows
    }


def of_run(rows: list[dict[str, Any]], texts: list[DocumentText]) -> tuple[dict[str, str], dict[int, list[str]]]:
    """Return what is said to be not judged and, by row, the parameters with findings."""
    expected = [ExpectedValues.of(params) for params in rows]
    layout = learn(list(zip(texts, expected, strict=True)))
    found = {
        row: [one.parameter for one in judge(layout, RunValues(), row, text, expected[row])]
        for row, text in enumerate(texts)
    }
    return layout.not_judged, {row: names for row, names in found.items() if names}


NAMES = ["Ingrid Berg", "Marek Lund", "Leonie Rossi", "Ana Silva", "Yusuf Demir", "Nils Novak", "Hugo Weiss"]


def customers(printed_where_blank: str, blank: range) -> tuple[list[dict[str, Any]], list[DocumentText]]:
    """Forty documents with a customer's number beside a label; some rows have none."""
    rows, texts = [], []
    for at in range(40):
        number = None if at in blank else f"C{1000 + 37 * at}"
        rows.append({"Customer": f"{NAMES[at % 7]} {at}", "Number": number})
        shown = printed_where_blank.format(5 * chr(97 + at)) if number is None else number
        units = [
            ("Customer no.:", 60, 700),
            (shown, 140, 700),
            ("Dear", 60, 650),
            (f"{NAMES[at % 7]} {at}", 90, 650),
        ]
        texts.append(document([one for one in units if one[0]]))
    return rows, texts


def test_a_label_without_anything_beside_it_is_in_order_where_the_row_has_nothing() -> None:
    assert of_run(*customers("", range(10, 20))) == ({}, {})


def test_another_customers_number_beside_a_label_is_told_where_the_row_has_none() -> None:
    rows, texts = customers("", range(10, 20))
    for row in (11, 17):
        texts[row] = document(
            [
                ("Customer no.:", 60, 700),
                (f"C{9000 + row}", 140, 700),
                ("Dear", 60, 650),
                (rows[row]["Customer"], 90, 650),
            ]
        )
    assert of_run(rows, texts) == ({}, {11: ["Number"], 17: ["Number"]})


def test_what_the_design_prints_in_place_of_a_blank_value_is_said_and_no_alarm() -> None:
    not_judged, told = of_run(*customers("see {}", range(10, 20)))
    assert told == {}
    assert not_judged == {"Number": "something stands in its place in 10 of 10 documents whose row has nothing"}


def test_a_name_that_moves_up_with_a_word_of_the_design_is_no_other_value() -> None:
    rows, texts = [], []
    for at in range(40):
        firm, name = (f"Firm {5 * chr(97 + at)}" if at > 2 else None), f"{NAMES[at % 7]} {5 * chr(110 - at)}"
        rows.append({"Firm": firm, "Name": name})
        units = [("Bill to", 60, 700), *([(firm, 60, 680)] if firm else []), (f"{name} esq.", 60, 660)]
        texts.append(document(units))
    assert of_run(rows, texts) == ({}, {})


def test_zero_and_a_dash_are_nothing() -> None:
    assert of_run(*customers("0.00", range(10, 13))) == ({}, {})
    assert of_run(*customers("-", range(10, 13))) == ({}, {})


@pytest.mark.parametrize(
    ("design", "column"),
    [
        ("quotation", "Description"),
        ("quotation", "UnitPrice"),
        ("delivery", "Sku"),
        ("delivery", "Lot"),
    ],
)
def test_a_cell_that_a_line_does_not_have_and_that_is_printed_is_told(
    design: str, column: str, tmp_path: Path
) -> None:
    table = "Items" if design == "delivery" else "Lines"
    wanted = planted_faults.rows(design, 40, seed=12)
    pdfs = {row: planted_faults.printed(design, params) for row, params in enumerate(wanted)}
    asked, told = list(wanted), {}
    for row, params in list(enumerate(wanted))[3:40:8]:
        at = next((at for at, line in enumerate(params[table]) if line[column] not in ("", None)), None)
        if at is not None and len(told) < 3:
            asked[row] = planted_faults.with_value(params, [table, at, column], None)
            told[row] = [f"{table}[{at + 1}].{column}"]
    found = judged(asked, pdfs, tmp_path)
    assert {row: [one.parameter for one in findings] for row, findings in found.items() if findings} == told


def test_what_the_design_prints_in_every_blank_cell_is_no_alarm_and_another_ones_text_is() -> None:
    rows, texts = [], []
    for at in range(40):
        lines = [
            {
                "Task": f"{NAMES[(at + line) % 7]} {5 * chr(97 + at)}",
                "Unit": "hours" if line % 2 else None,
                "Price": 17 * at + line + 3,
            }
            for line in range(3)
        ]
        rows.append({"Customer": f"{NAMES[at % 7]} {at}", "Lines": lines})
        units = [
            ("Dear", 60, 750),
            (f"{NAMES[at % 7]} {at}", 90, 750),
            ("Task", 60, 720),
            ("Unit", 300, 720),
            ("Price", 380, 720),
        ]
        for line, cells in enumerate(lines):
            low = 700 - 20 * line
            units += [
                (cells["Task"], 60, low),
                (cells["Unit"] or "pieces", 300, low),
                (str(cells["Price"]), 380, low),
            ]
        texts.append(document([*units, ("Thank you", 60, 500)]))
    assert of_run(rows, texts)[1] == {}
    lines = rows[7]["Lines"]
    rows[7] = {**rows[7], "Lines": [*lines[:1], {**lines[1], "Unit": None}, lines[2]]}
    assert of_run(rows, texts)[1] == {7: ["Lines[2].Unit"]}
