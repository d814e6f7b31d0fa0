from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.row_documents import made, parameters_of, params_of, problems_of

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.options import Table

DESIGN = parameters_of(Id="unknown", Lines="array")
ORDERS = pd.DataFrame({"Id": ["17", "18", "19"]})
LINES = pd.DataFrame({"Id": ["18", "17", "18"], "Track": ["b", "a", "c"], "Price": [1.0, 2.5, np.nan], "No": 1})


def lines_of(orders: pd.DataFrame, table: Table, **arguments: Any) -> list[list[dict[str, Any]]]:
    return [params["Lines"] for params in params_of(orders, DESIGN, tables={"Lines": table}, **arguments)]


def test_lines_are_nested_in_their_own_order_with_the_fields_of_the_design() -> None:
    assert lines_of(ORDERS, Table(LINES, on="Id")) == [
        [{"Track": "a", "Price": 2.5}],
        [{"Track": "b", "Price": 1}, {"Track": "c", "Price": None}],
        [],
    ]


COLUMNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a list": (["Track", "No"], {"Track": "a", "No": 1}),
    "one": ("Track", {"Track": "a"}),
    "a mapping": ({"Price": "No"}, {"Price": 1}),
}


@pytest.mark.parametrize("case", list(COLUMNS))
def test_columns_of_a_table_may_be_named(case: str) -> None:
    columns, wanted = COLUMNS[case]
    assert lines_of(ORDERS, Table(LINES, on="Id", columns=columns))[0] == [wanted]


def test_keys_may_have_two_names_and_stand_in_the_index() -> None:
    orders, lines = ORDERS.set_index("Id"), LINES.rename(columns={"Id": "Order"}).set_index("Order")
    assert lines_of(orders, Table(lines, left_on="Id", right_on="Order"))[0] == [{"Track": "a", "Price": 2.5}]


def test_several_keys_tie_together() -> None:
    orders = pd.DataFrame({"Id": ["1", "1", "2"], "Year": [2025, 2026, 2025]})
    lines = pd.DataFrame({"Id": ["1", "2", "1"], "Year": [2026, 2026, 2025], "Track": ["a", "b", "c"]})
    found = lines_of(orders, Table(lines, on=["Id", "Year"], columns=["Track"]))
    assert found == [[{"Track": "c"}], [{"Track": "a"}], []]


def test_a_duplicated_index_and_an_equal_key_in_two_rows_are_fine() -> None:
    orders = pd.DataFrame({"Id": ["17", "17"]}, index=[0, 0])
    assert lines_of(orders, Table(LINES.set_axis([5, 5, 5]), on="Id")) == [[{"Track": "a", "Price": 2.5}]] * 2


def test_a_missing_key_has_no_lines() -> None:
    orders = pd.DataFrame({"Id": ["17", None]})
    lines = pd.DataFrame({"Id": ["17", None], "Track": ["a", "b"]})
    assert lines_of(orders, Table(lines, on="Id", columns=["Track"])) == [[{"Track": "a"}], []]


def test_a_table_without_rows_is_fine() -> None:
    assert lines_of(ORDERS, Table(LINES.head(0), on="Id")) == [[], [], []]
    assert lines_of(ORDERS, Table(LINES.head(0).astype(object), on="Id")) == [[], [], []]


pairs = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=8)


@given(pairs, pairs, st.booleans())
@settings(deadline=None)
def test_every_line_goes_to_its_documents_once_and_in_order(left: Any, right: Any, categories: bool) -> None:
    """As a person would do it: for each document, the lines with its key."""
    orders = pd.DataFrame({"Id": pd.Series(left, dtype="category" if categories else "str")})
    lines = pd.DataFrame({"Id": pd.Series(right, dtype="str"), "Track": [str(at) for at in range(len(right))]})
    wanted = [
        [{"Track": str(at)} for at, other in enumerate(right) if other == key and key is not None] for key in left
    ]
    assert lines_of(orders, Table(lines, on="Id", columns=["Track"])) == wanted


SAME: dict[str, tuple[Any, Any]] = {
    "whole numbers": (pd.Series([2**60 + 1, 2]), pd.Series([2**60 + 1, None], dtype="Int64")),
    "whole numbers and floats": (pd.Series([1, 2]), pd.Series([1.0, np.nan])),
    "numbers in objects": (pd.Series([1, 2], dtype=object), pd.Series([1, 9])),
    "texts in objects": (pd.Series(["a", "b"], dtype=object), pd.Series(["a", None], dtype="string")),
    "categories": (pd.Series(["a", "b"], dtype="category"), pd.Series(["a", "c"])),
    "categories of numbers": (pd.Series([1, None], dtype="Int64").astype("category"), pd.Series([1, 5])),
    "timestamps of two units": (
        pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02"])).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(["2026-01-01", None])).astype("datetime64[ns]"),
    ),
    "booleans": (pd.Series([True, False]), pd.Series([True, None], dtype="boolean")),
}


@pytest.mark.parametrize("case", list(SAME))
def test_keys_of_one_sort_find_each_other_whatever_their_dtype(case: str) -> None:
    left, right = SAME[case]
    lines = pd.DataFrame({"Id": right, "Track": ["first", "second"]})
    found = lines_of(pd.DataFrame({"Id": left}), Table(lines, on="Id", columns=["Track"]))
    assert found == [[{"Track": "first"}], []]


DIFFERENT: dict[str, tuple[Any, Any]] = {
    "text and number": (["17"], [17]),
    "number and text": ([17], ["17"]),
    "text and number in objects": (pd.Series(["17"], dtype=object), pd.Series([17], dtype=object)),
    "categories of text and number": (pd.Series(["17"], dtype="category"), [17]),
    "timestamps and dates": ([pd.Timestamp(2026, 1, 1)], [dt.date(2026, 1, 1)]),
    "timestamps and texts": ([pd.Timestamp(2026, 1, 1)], ["2026-01-01"]),
    "with and without a time zone": ([pd.Timestamp(2026, 1, 1)], [pd.Timestamp(2026, 1, 1, tz="UTC")]),
    "decimals and numbers": ([Decimal(17)], [17]),
}


@pytest.mark.parametrize("case", list(DIFFERENT))
def test_keys_of_two_sorts_are_refused_with_a_way_to_make_them_alike_that_works(case: str) -> None:
    left, right = DIFFERENT[case]
    orders, lines = pd.DataFrame({"Id": left}), pd.DataFrame({"Id": right, "Track": "a"})
    with pytest.raises(ConfigurationError, match=r"would never find.*Make them alike") as caught:
        made(orders, DESIGN, tables={"Lines": Table(lines, on="Id")})
    code = re.search(r"Make them alike: (\w+)\['Id'\] = (.*?); or read", str(caught.value))
    assert code is not None
    keys = eval(code[2], {"pd": pd, "df": orders, "lines": lines})  # noqa: S307 - the advice, to the letter
    orders, lines = (
        frame.assign(Id=keys) if name == code[1] else frame for name, frame in (("df", orders), ("lines", lines))
    )
    assert lines_of(orders, Table(lines, on="Id", columns=["Track"])) == [[{"Track": "a"}]]


def test_keys_that_nothing_makes_alike_are_asked_about() -> None:
    lines = pd.DataFrame({"Id": [9], "Track": "a"})
    with pytest.raises(ConfigurationError, match="is it the right column"):
        made(pd.DataFrame({"Id": ["x"]}), DESIGN, tables={"Lines": Table(lines, on="Id")})


NEAR: dict[str, tuple[list[str], list[str], str]] = {
    "spaces": (["A1", "B2"], ["A1 ", "B2"], "would after trimming"),
    "capitals": (["A1", "B2"], ["a1", "B2"], "would with the same capitals"),
    "zeros": (["001", "002"], ["1", "2"], "would as numbers"),
    "an invisible mark": (["A1"], ["\ufeffA1"], "would after trimming"),
}


@pytest.mark.parametrize("case", list(NEAR))
def test_keys_that_would_meet_if_they_were_written_alike_are_counted(case: str) -> None:
    left, right, how = NEAR[case]
    orders, lines = pd.DataFrame({"Id": left}), pd.DataFrame({"Id": right, "Track": "a", "Price": 1.0})
    found = problems_of(orders, DESIGN, tables={"Lines": Table(lines, on="Id")})
    lost = len(set(right) - set(left))
    assert any(f"{lost} of them {how}" in problem.problem for problem in found)
    assert all("they meet: df['Id'] = " in problem.suggestion for problem in found)


def test_keys_that_are_others_are_only_told() -> None:
    lines = pd.DataFrame({"Id": ["17", "99"], "Track": "a", "Price": 1.0})
    (found,) = problems_of(pd.DataFrame({"Id": ["17"]}), DESIGN, tables={"Lines": Table(lines, on="Id")})
    assert found.problem == "tables['Lines']: one line belongs to no document (row 1 of the table)"


def test_a_merge_that_multiplied_the_documents_is_told() -> None:
    orders = pd.DataFrame({"Id": ["17", "17", "18"]})
    lines = pd.DataFrame({"Id": ["17", "18"], "Track": "a", "Price": 1.0})
    (found,) = problems_of(orders, DESIGN, tables={"Lines": Table(lines, on="Id")})
    assert list(found.rows) == [0, 1]
    assert "Did a merge multiply the rows?" in found.suggestion


def test_texts_of_arrow_are_texts() -> None:
    pa = pytest.importorskip("pyarrow")
    lines = LINES.astype({"Id": pd.ArrowDtype(pa.string())})
    assert lines_of(ORDERS, Table(lines, on="Id"))[0] == [{"Track": "a", "Price": 2.5}]


BAD: dict[str, tuple[Table, str]] = {
    "a typo in the frame's key": (Table(LINES, left_on="Idd", right_on="Id"), r"by\. Did you mean 'Id'\?"),
    "a typo in the table's key": (Table(LINES, left_on="Id", right_on="ID"), r"by\. Did you mean 'Id'\?"),
    "a typo in a column": (Table(LINES, on="Id", columns=["Trak"]), r"Did you mean 'Track'\?"),
    "no key in the frame": (Table(LINES, left_on="Nr", right_on="Id"), "the frame has no column 'Nr'"),
    "no key in the table": (Table(LINES, left_on="Id", right_on="Nr"), "the table for 'Lines' has no column 'Nr'"),
    "no such column": (Table(LINES, on="Id", columns=["Trak"]), "the table has no column 'Trak'"),
    "two columns of one name": (
        Table(pd.concat([LINES, LINES], axis=1), on="Id"),
        "the table for 'Lines' has several columns named",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_table_that_cannot_be_says_why(case: str) -> None:
    table, words = BAD[case]
    with pytest.raises(ConfigurationError, match=words):
        made(ORDERS, DESIGN, tables={"Lines": table})


@pytest.mark.parametrize("given", [{"on": "Idd"}, {"left_on": "Id", "right_on": "Idd"}])
def test_a_refused_key_names_no_column_that_there_is_not(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(ORDERS, DESIGN, tables={"Lines": Table(LINES, **given)})
    named = set(re.findall(r"'(\w+)'", str(refused.value)))
    assert named <= {"Lines", "Idd", *ORDERS.columns, *LINES.columns}


def test_without_a_look_up_the_columns_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match=r"columns=\['Track', 'Price', 'No'\]"):
        made(ORDERS, params=["Id"], tables={"Lines": Table(LINES, on="Id")})
    found = params_of(ORDERS, params=["Id"], tables={"Lines": Table(LINES, on="Id", columns=["No"])})
    assert found[0] == {"Id": "17", "Lines": [{"No": 1}]}


def test_documents_without_lines_and_lines_without_a_document_are_told() -> None:
    lines = pd.concat([LINES, pd.DataFrame({"Id": ["99", None], "Track": "x", "Price": 1.0})], ignore_index=True)
    problems = problems_of(
        ORDERS, DESIGN, tables={"Lines": Table(lines.drop(columns="No").fillna({"Price": 0}), on="Id")}
    )
    told = [(problem.level, problem.problem, list(problem.rows)) for problem in problems]
    assert told == [
        ("warning", "tables['Lines']: no lines for row 2", [2]),
        (
            "warning",
            "tables['Lines']: 2 lines belong to no document (2 rows (index 3, 4) of the table)",
            [3, 4],
        ),
    ]
