"""Documents as a whole: printed twice, totals that are not their lines', characters that the fonts lack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from support.row_documents import parameters_of, problems_of

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.examples import example_orders
from reportflow_pandas.local.designs import packaged_designs
from reportflow_pandas.options import Constant, Table

PEOPLE = pd.DataFrame({"Name": ["Ada", "Bob", "Ada"], "Course": ["A", "B", "A"]})
DESIGN = parameters_of(Name="text", Course="text")


def test_rows_that_make_the_same_document_are_told() -> None:
    (problem,) = problems_of(PEOPLE, DESIGN)
    assert problem.level == "warning"
    assert list(problem.rows) == [0, 2]
    assert "1 would be printed and paid for once more" in problem.problem
    assert problems_of(PEOPLE.head(2), DESIGN) == []


def test_rows_that_differ_only_in_what_is_not_sent_were_probably_multiplied_by_a_merge() -> None:
    problems = problems_of(PEOPLE.assign(Track=["x", "y", "z"]), DESIGN)
    (same,) = [problem for problem in problems if not problem.column]
    assert "They differ in 'Track', which is not sent. Did a merge multiply the rows?" in same.suggestion
    assert "group_by=" in same.suggestion


@pytest.mark.parametrize("word", ["Total", "TOTAL:", "Grand total", "Summe", "合計", "合 計", "小計", "Итого"])
def test_a_line_that_adds_the_others_up_is_told_once(word: str) -> None:
    frame = pd.DataFrame(
        {
            "Name": ["Ada", "Bob", "Cid", word],
            "City": ["Oslo", "Rome", "Bonn", None],
            "Course": ["A", "B", "C", None],
            "Amount": [1.5, 2.5, 3.0, 7.0],
        }
    )
    design = parameters_of(Name="text", City="text", Course="text", Amount="number")
    (problem,) = problems_of(frame, design)
    assert (problem.level, list(problem.rows)) == ("warning", [3])
    assert f"looks like a total of the others ({word!r}, 7)" in problem.problem
    assert problem.suggestion.endswith("df.drop(index=[3])")
    assert problems_of(frame.drop(index=[3]), design) == []
    assert (
        problems_of(frame.assign(Name=["Ada", "Total Energies", "Cid", "Dan"], City="Oslo", Course="A"), design)
        == []
    )


def test_one_name_twice_is_no_mistake() -> None:
    assert problems_of(PEOPLE[["Name"]], parameters_of(Name="text")) == []


def test_documents_of_one_content_with_other_lines_are_no_duplicates() -> None:
    orders = pd.DataFrame({"Id": ["1", "2"], "Name": ["Ada", "Ada"]})
    lines = pd.DataFrame({"Id": ["1", "2"], "Track": ["a", "b"], "Price": [1.0, 2.0]})
    design = parameters_of(Name="text", Lines="array")
    problems = problems_of(orders, design, tables={"Lines": Table(lines, on="Id")})
    assert problems == []


FIELDS = (
    Parameter("Item", "text", "Item"),
    Parameter("UnitPrice", "number", "Price"),
    Parameter("Quantity", "number", "Quantity"),
)
LINES = pd.DataFrame(
    {"Id": list("aabc"), "Item": list("wxyz"), "UnitPrice": [1.5, 2.0, 10.0, 5.0], "Quantity": [2, 1, 1, 3]}
)
ORDERS = pd.DataFrame({"Id": list("abc"), "Total": [5.0, 10.0, 15.0]})


def priced(*more: str) -> list[Parameter]:
    design = parameters_of(Id="text", Total="number", **dict.fromkeys(more, "number"))
    return [*design, Parameter("Lines", "array", "Lines", None, FIELDS)]


def totals(orders: pd.DataFrame, *more: str) -> list[str]:
    problems = problems_of(orders, priced(*more), tables={"Lines": Table(LINES, on="Id")})
    return [problem.problem for problem in problems if "lines make" in problem.problem]


def test_a_total_that_its_lines_do_not_make_is_told_with_both() -> None:
    assert totals(ORDERS) == []
    assert totals(ORDERS.assign(Total=[5.0, 10.0, 51.0])) == ["'Total' is 51 in row 2, and its 1 lines make 15"]
    assert totals(ORDERS.head(1).assign(Total=[6.0])) == ["'Total' is 6 in row 0, and its 2 lines make 5"]


def test_where_there_is_a_tax_the_most_are_right() -> None:
    gross = ORDERS.assign(Total=[5.95, 11.9, 17.85], Tax=[0.95, 1.9, 2.85])
    assert totals(gross, "Tax") == []
    assert totals(ORDERS.assign(Tax=0.0, Total=[5.0, 10.0, 51.0]), "Tax") != []


def test_totals_that_all_have_one_ratio_hold_a_tax_that_nobody_named() -> None:
    assert totals(ORDERS.assign(Total=[5.95, 11.9, 17.85])) == []


def test_other_numbers_are_not_held_against_the_lines() -> None:
    design = [*parameters_of(Id="text", Weight="number"), Parameter("Lines", "array", "Lines", None, FIELDS)]
    orders = ORDERS.rename(columns={"Total": "Weight"}).assign(Weight=1.0)
    assert problems_of(orders, design, tables={"Lines": Table(LINES, on="Id")}) == []


def with_fonts(design: list[Parameter]) -> list[Parameter]:
    return [replace(design[0], font_characters=((0x20, 0x7E), (0xA0, 0x17F))), *design[1:]]


def test_characters_that_the_fonts_lack_are_errors_with_their_rows() -> None:
    frame = pd.DataFrame({"Name": ["Ada", "Bob 😀", "Łódź"], "Course": ["A", "B", "日本"]})
    found = problems_of(frame, with_fonts(DESIGN))
    assert [(problem.level, problem.column, list(problem.rows)) for problem in found] == [
        ("error", "Name", [1]),
        ("error", "Course", [2]),
    ]
    assert "no '😀' (U+1F600) in row 1, e.g. 'Bob 😀'" in found[0].problem
    assert problems_of(frame, DESIGN) == []


def test_characters_in_constants_and_lines_are_looked_at_too() -> None:
    design = with_fonts(parameters_of(Id="text", Note="text", Lines="array"))
    lines = pd.DataFrame({"Id": ["1"], "Track": ["a\u4e00"], "Price": 1.0})
    found = problems_of(
        pd.DataFrame({"Id": ["1"]}),
        design,
        params={"Id": "Id", "Note": Constant("★")},
        tables={"Lines": Table(lines, on="Id")},
    )
    assert [problem.column for problem in found] == ["Note", "Lines.Track"]


def test_line_ends_and_marks_that_print_nothing_need_no_glyph() -> None:
    frame = pd.DataFrame({"Name": ["Ada\nBob", "\ufeffCid"], "Course": ["A\tB", "C"]})
    assert problems_of(frame, with_fonts(DESIGN)) == []


ORDER_COLUMNS: dict[str, dict[str, Any]] = {
    "receipt": {
        "ReceiptId": "InvoiceId",
        "ReceiptDate": "InvoiceDate",
        "CustomerName": "CustomerName",
        "Company": "Company",
        "Amount": "Total",
        "Description": Constant("Music"),
        "PaymentMethod": Constant("cash"),
    },
    "certificate": {"RecipientName": "CustomerName"},
    "quotation": {"QuotationId": "InvoiceId", "CustomerName": "CustomerName", "Company": "Company"},
}


def looked_up(parameter: Any) -> Parameter:
    spec = tuple(looked_up(one) for one in parameter.spec)
    return Parameter(parameter.name, parameter.type, parameter.label, None, spec, parameter.default)


@pytest.mark.parametrize("design", ["invoice", *ORDER_COLUMNS])
def test_the_shipped_examples_get_no_remark(design: str) -> None:
    orders, lines = example_orders()
    packaged = packaged_designs()[design]
    parameters = [looked_up(parameter) for parameter in packaged.versions[packaged.latest].parameters]
    arguments: dict[str, Any] = {"params": ORDER_COLUMNS.get(design)}
    if design == "invoice":
        arguments["tables"] = {"Lines": Table(lines, on="InvoiceId")}
    if design == "quotation":
        columns = {"Item": "Track", "Description": "Album", "Unit": "Artist", "UnitPrice": "UnitPrice"}
        columns["Quantity"] = "Quantity"
        arguments["tables"] = {"Lines": Table(lines, on="InvoiceId", columns=columns)}
    remarks = [one for one in problems_of(orders, parameters, **arguments) if one.level == "warning"]
    assert [one.problem for one in remarks if "is not sent" not in one.problem] == []
