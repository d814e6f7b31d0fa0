from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from support.row_documents import parameters_of, problems_of

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.examples import example_orders
from reportflow_pandas.local.designs import packaged_designs
from reportflow_pandas.options import Constant, Options, Table
from reportflow_pandas.rows.checks import COLUMNS, compare, problems_frame, refuse
from reportflow_pandas.rows.file_names import file_names
from reportflow_pandas.rows.mapping import bind

FRAME = pd.DataFrame({"Customer": ["Ada", "Bob"], "Total": [1.5, 2.0]}, index=["x", "y"])
DESIGN = parameters_of(Customer="text", Total="number")
LINES = pd.DataFrame({"Customer": ["Ada", "Bob"], "Track": ["a", "b"], "Price": [1.0, 2.0]})


def told(frame: pd.DataFrame, design: Any = None, **arguments: Any) -> list[tuple[str, str, str, str]]:
    problems = problems_of(frame, DESIGN if design is None else design, **arguments)
    return [(one.level, one.column, one.problem, one.suggestion) for one in problems]


def test_when_all_is_well_the_frame_of_problems_is_empty_with_its_columns() -> None:
    problems = problems_frame(problems_of(FRAME, DESIGN))
    assert problems.empty
    assert list(problems) == COLUMNS
    assert problems["count"].dtype == "int64"


def test_a_parameter_without_a_column_is_an_error_with_the_nearest_free_column() -> None:
    assert told(FRAME.rename(columns={"Customer": "Custmer"})) == [
        (
            "error",
            "Customer",
            "the parameter 'Customer' has no column and would print blank",
            "Did you mean the column 'Custmer'? params={…, 'Customer': 'Custmer'}",
        ),
        ("warning", "Custmer", "the column 'Custmer' is no parameter of the design and is not sent", ""),
    ]
    ((level, _, _, suggestion),) = told(FRAME[["Customer"]])
    assert level == "error"
    assert suggestion == "Name a column, or leave it blank on purpose: params={…, 'Total': None}"


def test_parameters_without_a_column_and_columns_not_sent_are_told_in_a_line_and_a_frame_has_each() -> None:
    frame = pd.DataFrame({"番号": ["1"], "取引先": ["山田"], "Dat": ["2026-11-01"]})
    design = parameters_of(Number="text", Customer="text", Date="text", Sum="number")
    unnamed, near, extra = problems_of(frame, design)
    assert unnamed.problem == "3 parameters have no column and would print blank: 'Number', 'Customer', 'Sum'"
    assert unnamed.suggestion == (
        "Name their columns, None for blank on purpose: "
        "params={'Number': ..., 'Customer': ..., 'Date': ..., 'Sum': ...}"
    )
    assert near.column == "Date"
    assert extra.problem.endswith("not sent: '番号', '取引先', 'Dat'")
    each = problems_frame([unnamed, near, extra])
    assert list(each) == COLUMNS
    assert each["level"].tolist() == ["error"] * 4 + ["warning"] * 3
    assert each["column"].tolist() == ["Number", "Customer", "Sum", "Date", "番号", "取引先", "Dat"]
    assert each["problem"][2] == "the parameter 'Sum' has no column and would print blank"
    assert each["suggestion"][2] == "Name a column, or leave it blank on purpose: params={…, 'Sum': None}"


def test_what_is_known_already_stands_in_the_mapping_to_paste() -> None:
    frame = pd.DataFrame({"番号": ["1"], "取引先": ["山田"]})
    design = parameters_of(Number="text", Customer="text", Sum="number", Tax="number")
    (problem,) = problems_of(frame, design, params={"Number": "番号", "Customer": Constant("山田")})
    assert "{'Number': '番号', 'Customer': rf.Constant('山田'), 'Sum': ..., 'Tax': ...}" in problem.suggestion


def test_a_refusal_says_once_what_to_paste() -> None:
    frame = pd.DataFrame({"番号": ["1"], "取引先": ["山田"]})
    options = Options.of("design", {})
    sources = bind(frame, options, DESIGN)
    with pytest.raises(InvalidRows) as refused:
        refuse(compare(frame, options, sources, DESIGN, ["a"]), frame, sources, DESIGN)
    assert str(refused.value).count("params={") == 1
    assert "2 parameters have no column and would print blank: 'Customer', 'Total'\nTo correct and paste:" in str(
        refused.value
    )


def test_a_column_that_is_taken_is_not_suggested_again() -> None:
    design = parameters_of(Customer="text", Custmer="text")
    ((_, _, _, suggestion),) = told(FRAME[["Customer"]], design)
    assert "Did you mean" not in suggestion


def test_a_table_without_lines_is_an_error_that_shows_how_to_nest_them() -> None:
    ((level, column, _, suggestion),) = told(FRAME, [*DESIGN, *parameters_of(Lines="array")])
    assert (level, column) == ("error", "Lines")
    assert suggestion == "Nest a frame: tables={'Lines': rf.Table(lines, on='…')}"


def test_a_parameter_that_the_design_has_not_is_an_error_with_the_nearest_one() -> None:
    found = told(FRAME, params={"Custmer": "Customer", "Total": "Total", "Zebra": "Total"})
    assert [(column, suggestion) for _, column, _, suggestion in found] == [
        ("Customer", "Name a column, or leave it blank on purpose: params={…, 'Customer': None}"),
        ("Custmer", "Did you mean 'Customer'?"),
        ("Zebra", "It has 'Customer', 'Total'"),
    ]


def test_a_design_without_parameters_prints_nothing_of_what_is_sent() -> None:
    ((level, _, problem, suggestion),) = told(FRAME, [], params=["Total"])
    assert (level, suggestion) == ("error", "It has none")
    assert "no parameter 'Total'" in problem


USES: dict[str, dict[str, Any]] = {
    "the file name": {"file_name": "{Extra}"},
    "a template with a format": {"file_name": "{Extra:>4}-{index}"},
    "the echo": {"passthrough": "Extra"},
    "the share": {"share": pd.Series(["public"] * 2, index=FRAME.index, name="Extra")},
    "the key of a table": {
        "tables": {"Lines": Table(LINES.rename(columns={"Customer": "Nr"}), left_on="Extra", right_on="Nr")}
    },
}


@pytest.mark.parametrize("case", list(USES))
def test_a_column_that_is_used_otherwise_gets_no_warning(case: str) -> None:
    frame = FRAME.assign(Extra=["Ada", "Bob"])
    design = [*DESIGN, *parameters_of(Lines="array")] if "tables" in USES[case] else DESIGN
    assert told(frame, design, **USES[case]) == []
    assert [column for _, column, _, _ in told(frame)] == ["Extra"]


def test_a_column_whose_name_begins_one_in_the_template_is_unused() -> None:
    frame = FRAME.assign(Inv=1, InvoiceId=["1", "2"])
    assert [column for _, column, _, _ in told(frame, file_name="{InvoiceId}")] == ["Inv"]


def test_with_params_nothing_is_said_about_other_columns() -> None:
    assert told(FRAME.assign(Extra=1), params=["Customer", "Total"]) == []


def test_fields_of_a_table_are_compared_too() -> None:
    design = [*DESIGN, *parameters_of(Lines="array")]
    lines = LINES.rename(columns={"Track": "track_"}).assign(Nr=1)
    found = told(FRAME, design, tables={"Lines": Table(lines, on="Customer")})
    assert [(level, column, suggestion) for level, column, _, suggestion in found] == [
        (
            "error",
            "Lines.Track",
            "Did you mean 'track_'? rf.Table(…, columns={'Price': 'Price', 'Track': 'track_'})",
        ),
        ("warning", "Lines.track_", ""),
        ("warning", "Lines.Nr", ""),
    ]
    found = told(FRAME, design, tables={"Lines": Table(lines, on="Customer", columns=["Price", "track_"])})
    assert [(column, suggestion) for _, column, _, suggestion in found] == [
        ("Lines.Track", "rf.Table(…, columns={'Price': 'Price', 'track_': 'track_', 'Track': '…'})"),
        ("Lines.track_", "Did you mean 'Track'?"),
    ]


def test_fields_of_lists_of_dicts_are_compared_too() -> None:
    frame = FRAME.assign(Lines=[[{"Track": "a", "Prize": 1}], []])
    found = told(frame, [*DESIGN, *parameters_of(Lines="array")])
    assert [(level, column, suggestion) for level, column, _, suggestion in found] == [
        ("error", "Lines.Price", "They have 'Track', 'Prize'"),
        ("warning", "Lines.Prize", "Did you mean 'Price'?"),
    ]


def test_equal_names_are_errors_of_their_rows() -> None:
    (found,) = problems_of(FRAME.assign(Total=1.0), DESIGN, file_name="Total")
    assert list(found.rows) == ["x", "y"]
    assert found.problem == "2 documents would be named '1' (ignoring case): 2 rows (index 'x', 'y')"


def test_thousands_of_equal_names_are_a_few_lines() -> None:
    frame = pd.DataFrame({"Customer": [str(at // 2) for at in range(2000)], "Total": 1.0})
    problems = [one for one in problems_of(frame, DESIGN, file_name="Customer") if one.level == "error"]
    assert len(problems) == 21
    assert problems[-1].count == 980


def test_the_frame_of_problems_names_the_first_row_and_how_many() -> None:
    frame = FRAME.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])).assign(Total=[None, None])
    problems = problems_frame(problems_of(frame, DESIGN))
    assert problems["row"].tolist() == [("a", 1)]
    assert problems["count"].tolist() == [2]


def refusal(frame: pd.DataFrame, **arguments: Any) -> InvalidRows:
    options = Options.of("design", arguments)
    sources = bind(frame, options, DESIGN)
    problems = compare(frame, options, sources, DESIGN, file_names(frame, options.file_name, "I"))
    with pytest.raises(InvalidRows) as caught:
        refuse(problems, frame, sources, DESIGN)
    return caught.value


def test_the_example_orders_fit_the_packaged_invoice() -> None:
    """No errors; the one column that is not printed is told."""
    orders, lines = example_orders()
    design = packaged_designs()["invoice"]
    parameters = [as_looked_up(parameter) for parameter in design.versions[design.latest].parameters]
    problems = problems_of(orders, parameters, tables={"Lines": Table(lines, on="InvoiceId")})
    assert [(problem.level, problem.column) for problem in problems] == [("warning", "Lines.InvoiceLineId")]


def as_looked_up(parameter: Any) -> Parameter:
    spec = tuple(as_looked_up(one) for one in parameter.spec)
    return Parameter(parameter.name, parameter.type, parameter.label, None, spec, parameter.default)


def test_a_refusal_holds_all_problems_the_rows_and_a_mapping_to_paste() -> None:
    frame = FRAME.rename(columns={"Customer": "customer "}).assign(Total=[None, 1.0])
    error = refusal(frame)
    assert error.rows == ["x"]
    assert len(error.problems) == 3
    assert "nothing was sent (2 problems)" in str(error)
    assert "params={\n    'Customer': 'customer ',\n    'Total': 'Total',\n}" in str(error)
    assert str(error).endswith("check='warn' goes on all the same.")


def test_warnings_alone_refuse_nothing() -> None:
    frame = FRAME.assign(Extra=1)
    options = Options.of("design", {})
    sources = bind(frame, options, DESIGN)
    refuse(compare(frame, options, sources, DESIGN, ["a", "b"]), frame, sources, DESIGN)


def test_a_refusal_shows_a_dozen_problems_and_says_how_to_see_the_rest() -> None:
    frame = pd.DataFrame({"Customer": [str(at // 2) for at in range(100)], "Total": 1.0})
    assert "and 9 more: df.reportflow.check(...) lists them" in str(refusal(frame, file_name="Customer"))
