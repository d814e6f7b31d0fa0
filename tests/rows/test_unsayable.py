from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from support.row_documents import made, parameters_of

from reportflow_pandas.errors import InvalidRows
from reportflow_pandas.options import Constant, Table

COLUMNS: dict[str, tuple[Any, list[Any], str]] = {
    "infinity": ([1.0, math.inf, -math.inf], ["y", "z"], "infinity is no JSON number"),
    "infinity in a nullable column": (pd.array([1.0, math.inf, None], "Float64"), ["y"], "infinity"),
    "objects": ([1, object(), None], ["y"], "object has no form in JSON"),
    "half a character": (["a", "b", "\ud83d"], ["z"], "lone surrogate"),
    "a set in a list": ([[1], [{1}], None], ["y"], "set has no form"),
    "complex numbers": ([1j, 2j, 3j], ["x", "y", "z"], "complex has no form"),
}


@pytest.mark.parametrize("case", list(COLUMNS))
def test_a_value_that_cannot_be_sent_is_named_by_its_column_and_row(case: str) -> None:
    values, rows, reason = COLUMNS[case]
    frame = pd.DataFrame({"P": pd.Series(values, dtype=object) if case == "half a character" else values})
    frame.index = pd.Index(["x", "y", "z"])
    with pytest.raises(InvalidRows, match=rf"column 'P'.*{reason}") as caught:
        made(frame, parameters_of(P="unknown"))
    assert caught.value.rows == rows


def test_what_is_not_sent_is_not_looked_at() -> None:
    frame = pd.DataFrame({"a": [1], "b": [object()]})
    assert len(made(frame, parameters_of(a="number"))) == 1
    category = pd.Series(["a", math.inf], dtype="category").iloc[:1]
    assert len(list(made(pd.DataFrame({"P": category}), parameters_of(P="unknown")))) == 1


def test_values_in_the_lines_of_a_document_are_named_by_table_and_row() -> None:
    orders = pd.DataFrame({"Id": ["1"]})
    lines = pd.DataFrame({"Id": ["1", "9"], "Track": [object(), "a"], "Price": [1, 2]}, index=["p", "q"])
    design = parameters_of(Lines="array")
    with pytest.raises(InvalidRows, match=r"tables\['Lines'\], column 'Track', row 'p': object"):
        made(orders, design, tables={"Lines": Table(lines, on="Id")})
    assert len(made(orders, design, tables={"Lines": Table(lines.replace({"Id": {"1": "8"}}), on="Id")})) == 1


def test_a_constant_and_a_name_that_cannot_be_sent_are_told() -> None:
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(InvalidRows, match=r"params\['P'\]: infinity"):
        made(frame, params={"P": Constant(math.inf)})
    with pytest.raises(InvalidRows, match="half of a character"):
        made(frame, params={"\ud83d": "a"})


def test_all_columns_are_told_at_once() -> None:
    frame = pd.DataFrame({"a": [object(), 1], "b": [1, object()]})
    with pytest.raises(InvalidRows) as caught:
        made(frame)
    assert "column 'a', row 0" in str(caught.value)
    assert "column 'b', row 1" in str(caught.value)
    assert caught.value.rows == [0, 1]
