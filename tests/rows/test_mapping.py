from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.row_documents import made, parameters_of, params_of

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Constant, Options, Table
from reportflow_pandas.rows.input_frame import nearest
from reportflow_pandas.rows.mapping import bind, missing_parameters, paste

FRAME = pd.DataFrame({"Customer": ["Ada", "Bob"], "Total": [1.5, 2.0], "Secret": ["x", "y"]})
DESIGN = parameters_of(Customer="text", Total="number")


def test_without_params_the_columns_that_are_parameters_are_sent_and_nothing_else() -> None:
    assert params_of(FRAME, DESIGN) == [{"Customer": "Ada", "Total": 1.5}, {"Customer": "Bob", "Total": 2}]


def test_named_index_levels_count_as_columns() -> None:
    frame = FRAME.set_index(["Customer", "Secret"])
    assert params_of(frame, DESIGN) == params_of(FRAME, DESIGN)
    assert params_of(frame, DESIGN, params=["Customer"]) == [{"Customer": "Ada"}, {"Customer": "Bob"}]


def total_in_words(row: Any) -> str:
    return f"{row['Customer']} pays {row['Total']} ({row.name})"


PARAMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a list of columns": (["Customer", "Total"], {"Customer": "Ada", "Total": 1.5}),
    "a tuple": (("Total",), {"Total": 1.5}),
    "a part of the columns": (FRAME.columns[:2], {"Customer": "Ada", "Total": 1.5}),
    "a mapping": ({"Customer": "Secret"}, {"Customer": "x"}),
    "a Series": (pd.Series({"Customer": "Secret", "Total": None}), {"Customer": "x", "Total": None}),
    "a constant": ({"Customer": Constant("EUR")}, {"Customer": "EUR"}),
    "a constant that is a list": ({"Customer": Constant([1, np.nan])}, {"Customer": [1, None]}),
    "a number into a text": ({"Customer": Constant(171.0)}, {"Customer": "171"}),
    "blank on purpose": ({"Customer": None}, {"Customer": None}),
    "a function of the row": ({"Customer": total_in_words}, {"Customer": "Ada pays 1.5 (0)"}),
    "a column twice": ({"Customer": "Secret", "Total": "Secret"}, {"Customer": "x", "Total": "x"}),
}


@pytest.mark.parametrize("case", list(PARAMS))
def test_params_say_what_fills_each_parameter(case: str) -> None:
    params, wanted = PARAMS[case]
    assert params_of(FRAME, DESIGN, params=params)[0] == wanted
    checked = {name: value for name, value in wanted.items() if case != "a number into a text"}
    if checked:
        assert params_of(FRAME, params=params)[0] == checked  # check=False knows no types


BAD: dict[str, tuple[Any, list[str]]] = {
    "no such column": ({"Customer": "Custmer"}, ["no column 'Custmer'", "Did you mean 'Customer'?", "'Secret'"]),
    "a fixed text": ({"Customer": "Acme Inc"}, ["rf.Constant('Acme Inc')"]),
    "a Series of values": ({"Customer": FRAME["Secret"]}, ["not a Series", "df.assign"]),
    "a list of values": ({"Customer": ["x", "y"]}, ["not a list"]),
    "a text": ("Customer", ["not a str", "{parameter: column}"]),
    "a number for a parameter": ({1: "Customer"}, ["parameter 1 is no text"]),
    "a number that is no column": ([0], ["no column 0", "parameter '0'"]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_params_that_cannot_be_say_what_can(case: str) -> None:
    params, words = BAD[case]
    with pytest.raises(ConfigurationError) as caught:
        made(FRAME, DESIGN, params=params)
    for word in words:
        assert word in str(caught.value)


def test_a_mapping_the_wrong_way_round_is_recognised_and_turned() -> None:
    frame = pd.DataFrame({"kunde": ["Ada"], "summe": [1], "Note": ["n"]})
    params = {"kunde": "Customer", "summe": "Total", "Note": "Note", "Currency": Constant("EUR"), "Blank": None}
    with pytest.raises(ConfigurationError, match="wrong way round") as caught:
        made(frame, parameters_of(Customer="text", Total="number", Note="text"), params=params)
    assert (
        "params={'Customer': 'kunde', 'Total': 'summe', 'Note': 'Note', 'Currency': rf.Constant('EUR'), "
        "'Blank': None}" in str(caught.value)
    )
    with pytest.raises(ConfigurationError, match="wrong way round"):
        made(frame, params={"kunde": "Customer"})


def test_a_function_that_raises_names_the_row_before_anything_is_sent() -> None:
    frame = FRAME.set_axis(["a", "b"])
    with pytest.raises(InvalidRows, match=r"ZeroDivisionError.*row 'b'") as caught:
        made(frame, DESIGN, params={"Total": lambda row: 1 / (row["Total"] - 2)})
    assert caught.value.rows == ["b"]


def test_a_function_sees_columns_and_levels_and_python_values() -> None:
    frame = pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("x", 2)], names=["k", "m"]))
    seen: list[pd.Series[Any]] = []
    made(frame, DESIGN, params={"Customer": seen.append})
    assert seen[0].to_dict() == {"n": 1, "k": "x", "m": 2}
    assert seen[0].name == ("x", 2)
    assert type(seen[0]["n"]) is int


def test_a_parameter_is_filled_by_params_or_by_a_table_and_not_by_both() -> None:
    lines = pd.DataFrame({"Customer": ["Ada"], "Track": ["t"]})
    tables = {"Lines": Table(lines, on="Customer", columns=["Track"])}
    design = [*DESIGN, *parameters_of(Lines="array")]
    with pytest.raises(ConfigurationError, match="filled twice"):
        made(FRAME, design, params={"Lines": "Secret"}, tables=tables)
    assert params_of(FRAME.assign(Lines="ignored"), design, tables=tables)[0]["Lines"] == [{"Track": "t"}]


def test_a_table_for_a_parameter_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'Total' is a number, not a table. Its tables: 'Lines'"):
        made(
            FRAME,
            [*DESIGN, *parameters_of(Lines="array")],
            tables={"Total": Table(FRAME, on="Customer", columns=["Secret"])},
        )


def test_the_mapping_to_paste_holds_what_is_known_and_leaves_the_rest_open() -> None:
    frame = FRAME.rename(columns={"Total": "Totl"})
    design = [*DESIGN, *parameters_of(City="text", Word="text", Fixed="text", Lines="array")]
    params = {"Customer": "Customer", "Word": total_in_words, "Fixed": Constant("EUR")}
    sources = bind(frame.assign(Total=1), Options.of("d", {"params": params}), design)
    assert [parameter.name for parameter in missing_parameters(sources, design)] == ["Total", "City", "Lines"]
    assert paste(frame, sources, design) == (
        "params={\n    'Customer': 'Customer',\n    'Total': ...,  # 'Totl'?\n"
        "    'City': ...,  # which column? None: blank on purpose\n"
        "    'Word': total_in_words,\n    'Fixed': rf.Constant('EUR'),\n}"
    )


def test_a_mapping_that_is_pasted_as_it_is_is_refused_where_it_is_open() -> None:
    with pytest.raises(ConfigurationError, match=r"params\['Total'\] is still open"):
        made(FRAME, DESIGN, params={"Customer": "Customer", "Total": ...})


@pytest.mark.parametrize(
    ("name", "candidates", "meant"),
    [
        ("CustomerName", ["customer_name", "Custom"], "customer_name"),
        ("Customer", ["Custmer"], "Custmer"),
        ("合計", ["合計 "], "合計 "),
        ("Total", ["City"], None),
        ("2024", [2024], 2024),
        ("Total", [], None),
    ],
)
def test_what_was_probably_meant_is_found_ignoring_case_and_punctuation(
    name: str, candidates: list[Any], meant: Any
) -> None:
    assert nearest(name, candidates) == meant
