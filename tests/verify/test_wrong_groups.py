"""Rows that are wrong together are found, though they share a value that would explain a part that is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import planted_faults

import reportflow_pandas as rf
from reportflow_pandas.verify import read_pdf
from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.own_place import is_no_other_wording
from reportflow_pandas.verify.run_values import RunValues

from .test_planted_faults import text_of

COUNTRIES = ["USA", "Canada", "France", "Brazil", "Germany", "United Kingdom"]

Params = dict[str, Any]
Texts = list[DocumentText]


@pytest.fixture(scope="module")
def invoices(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Params], Texts]:
    """Eighty invoices from six countries, with what is printed on them."""
    orders, lines = rf.example_orders()
    orders = orders[orders["BillingCountry"].isin(COUNTRIES)].head(80)
    wanted = []
    for params in orders.to_dict("records"):
        own = lines[lines["InvoiceId"].eq(params["InvoiceId"])].to_dict("records")
        day = params["InvoiceDate"].date().isoformat()
        wanted.append({**_without_missing(params), "InvoiceDate": day, "Lines": [*map(_without_missing, own)]})
    return wanted, printed(wanted, tmp_path_factory.mktemp("invoices"))


def _without_missing(values: Params) -> Params:
    return {name: None if pd.isna(value) else value for name, value in values.items()}


def printed(wanted: list[Params], folder: Path) -> Texts:
    read_pdf.pdfium.FPDF_InitLibrary()
    texts = [text_of(planted_faults.printed("invoice", params), folder) for params in wanted]
    return [text for text in texts if text is not None]


def of_country(wanted: list[Params], country: str) -> list[int]:
    return [row for row, params in enumerate(wanted) if params["BillingCountry"] == country]


def rotated(wanted: list[Params], rows: list[int], name: str) -> list[Params]:
    """Return the rows with each value of some at the one before."""
    changed = [dict(params) for params in wanted]
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        changed[row][name] = wanted[other][name]
    return changed


def different(wanted: list[Params], changed: list[Params]) -> set[int]:
    return {row for row, params in enumerate(wanted) if params != changed[row]}


def judged(wanted: list[Params], texts: Texts) -> tuple[Layout, dict[int, list[tuple[str, str, str]]]]:
    """Return what was learned and, by row, the findings' kinds, parameters and what was found."""
    expected = [ExpectedValues.of(params) for params in wanted]
    layout = learn(list(zip(texts, expected, strict=True)))
    run = RunValues()
    for row, values in enumerate(expected):
        run.add(row, values, layout.forms)
    told = {}
    for row, text in enumerate(texts):
        if findings := judge(layout, run, row, text, expected[row]):
            told[row] = [(one.kind, one.parameter, one.found) for one in findings]
    return layout, told


def test_documents_that_are_right_have_no_finding_and_leave_nothing_of_the_row_unjudged(
    invoices: tuple[list[Params], Texts],
) -> None:
    layout, told = judged(*invoices)
    assert told == {}
    assert layout.not_judged == {}


def test_another_customers_name_on_every_invoice_of_a_country_is_told_with_what_stands_there(
    invoices: tuple[list[Params], Texts], tmp_path: Path
) -> None:
    wanted, texts = invoices
    german = of_country(wanted, "Germany")
    mixed = rotated(wanted, german, "CustomerName")
    texts = list(texts)
    for row, text in zip(german, printed([mixed[row] for row in german], tmp_path), strict=True):
        texts[row] = text
    _, told = judged(wanted, texts)
    assert told.keys() == different(wanted, mixed) == set(german)
    assert told[german[0]] == [("foreign", "CustomerName", mixed[german[0]]["CustomerName"])]


@pytest.mark.parametrize("name", ["Email", "BillingAddress", "BillingPostalCode", "InvoiceDate", "Total"])
def test_values_rotated_within_a_country_are_told(name: str, invoices: tuple[list[Params], Texts]) -> None:
    wanted, texts = invoices
    changed = rotated(wanted, of_country(wanted, "Germany"), name)
    _, told = judged(changed, texts)
    assert told.keys() == different(wanted, changed)
    assert {findings[0][1] for findings in told.values()} == {name}


def test_totals_that_are_too_large_in_one_country_are_told(invoices: tuple[list[Params], Texts]) -> None:
    wanted, texts = invoices
    changed = [
        {**params, "Total": round(params["Total"] * 1.19, 2)} if params["BillingCountry"] == "Germany" else params
        for params in wanted
    ]
    _, told = judged(changed, texts)
    assert told.keys() == different(wanted, changed)


@pytest.mark.parametrize("count", [3, 4, 6, 9])
@pytest.mark.parametrize(("name", "value"), [("Total", 777.77), ("BillingState", "ZZ")])
def test_one_and_the_same_wrong_value_is_told_in_however_many_rows(
    name: str, value: Any, count: int, invoices: tuple[list[Params], Texts]
) -> None:
    wanted, texts = invoices
    rows = [row for row, params in enumerate(wanted) if params[name] is not None][::2][:count]
    changed = [{**params, name: value} if row in rows else params for row, params in enumerate(wanted)]
    _, told = judged(changed, texts)
    assert told.keys() == set(rows)
    assert {findings[0][1] for findings in told.values()} == {name}
    assert all(found for [(_, _, found)] in told.values())


def test_a_value_in_whose_place_nothing_stands_in_a_whole_country_is_said_to_be_not_judged_there(
    invoices: tuple[list[Params], Texts], tmp_path: Path
) -> None:
    wanted, texts = invoices
    german = of_country(wanted, "Germany")
    blank = printed([{**wanted[row], "Email": ""} for row in german], tmp_path)
    texts = [blank[german.index(row)] if row in german else text for row, text in enumerate(texts)]
    layout, told = judged(wanted, texts)
    assert told == {}
    assert layout.not_judged == {
        "Email": "not judged where BillingCountry is Germany: left out in 11 of 80 documents"
    }


@pytest.mark.parametrize(
    ("texts", "are_others"),
    [
        ([("paid", "bezahlt"), ("open", "offen"), ("paid", "bezahlt"), ("open", "offen")], False),
        ([("annlee", "n/a"), ("bobray", "n/a"), ("cyfox", "n/a")], False),
        ([("tanaka", "田中"), ("suzuki", "鈴木")], False),
        ([("paid", "bezahlt"), ("open", "offen"), ("paid", "offen"), ("open", "offen")], True),
        ([("annlee", "bobray"), ("bobray", "cyfox"), ("cyfox", "annlee")], True),
    ],
)
def test_the_same_in_other_words_is_no_other_value(texts: list[tuple[str, str]], are_others: bool) -> None:
    assert is_no_other_wording(texts) == are_others
