"""A shown text is a text for pandas, and gives its value where it is needed."""

from __future__ import annotations

import copy
import pickle

import pandas as pd

from reportflow_pandas.reading.shown import ShownText, with_values


def test_a_shown_text_is_a_text_that_knows_its_value() -> None:
    shown = ShownText("19%", 0.19)
    for kept in (shown, copy.deepcopy(shown), pickle.loads(pickle.dumps(shown))):  # noqa: S301 - our own bytes
        assert kept == "19%"
        assert kept.value == 0.19


def test_number_parameters_take_the_value_and_text_parameters_the_text() -> None:
    cells = pd.Series([ShownText("19%", 0.19), None, 0.5], dtype=object)
    assert with_values(cells, "number").tolist() == [0.19, None, 0.5]
    assert with_values(cells, "text") is cells
