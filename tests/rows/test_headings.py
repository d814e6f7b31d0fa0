"""Headings that are numbers or dates are named by their texts, in every argument that names a column."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from support.row_documents import contents_of, parameters_of, params_of, problems_of

from reportflow_pandas.options import Options, Table
from reportflow_pandas.rows.document_keys import Keys
from reportflow_pandas.rows.input_frame import called

DAY = pd.Timestamp(2026, 11, 1)
FRAME = pd.DataFrame({2024: ["a", "b"], DAY: ["c", "d"], "Id": ["1", "2"]})


@pytest.mark.parametrize(
    ("text", "heading"),
    [("2024", 2024), (2024, 2024), ("2026-11-01", DAY), (dt.date(2026, 11, 1), DAY), ("Id", "Id")],
)
def test_a_heading_is_meant_by_what_it_prints(text: Any, heading: Any) -> None:
    assert called(FRAME, text) == heading


def test_what_two_headings_print_is_neither_of_them() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=pd.Index([2024, 2024.0001, "2024"], dtype=object))
    assert called(frame, "2024") == "2024"
    assert called(frame.iloc[:, :1].assign(x=1), "2024") == 2024
    assert called(pd.DataFrame([[1, 2]], columns=pd.Index([7, 7.5], dtype=object)), "8") is None
    assert called(FRAME, True) is None


def test_parameters_are_filled_by_their_names_and_by_the_mapping() -> None:
    assert params_of(FRAME, parameters_of(**{"2024": "text"})) == [{"2024": "a"}, {"2024": "b"}]
    params = {"X": "2024", "Y": "2026-11-01"}
    assert params_of(FRAME, parameters_of(X="text", Y="text"), params=params)[0] == {"X": "a", "Y": "c"}
    assert params_of(FRAME, parameters_of(**{"2024": "text"}), params=[2024])[0] == {"2024": "a"}


def test_names_echoes_and_keys_take_them_too() -> None:
    parameters = parameters_of(Id="text")
    (first, _) = contents_of(FRAME, parameters, file_name="2024", passthrough=["2026-11-01"])
    assert first["fileName"] == "a"
    assert first["passthrough"]["2026-11-01"] == "c"
    assert contents_of(FRAME, parameters, file_name="{2026-11-01}")[0]["fileName"] == "c"
    Keys(FRAME, Options.of("design", {"key": "2024"}))
    told = problems_of(FRAME, parameters, file_name="2024", passthrough="2026-11-01")
    assert [problem for problem in told if problem.kind == "extra"] == []


def test_tables_take_them_too() -> None:
    lines = pd.DataFrame({2024: ["a", "a"], 2025: ["x", "y"]})
    table = Table(lines, left_on="2024", right_on="2024", columns={"Track": "2025"})
    params = params_of(FRAME, parameters_of(Id="text", Lines="array"), tables={"Lines": table})
    assert params[0]["Lines"] == [{"Track": "x"}, {"Track": "y"}]
