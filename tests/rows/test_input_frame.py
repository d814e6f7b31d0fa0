from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.rows.input_frame import called, check_frame, rows_phrase

BAD: dict[str, tuple[Any, list[str]]] = {
    "a Series": (pd.Series([1]), ["the frame is a Series", "to_frame"]),
    "columns of several levels": (pd.concat({"a": pd.DataFrame({"b": [1]})}, axis=1), ["MultiIndex", "'_'.join"]),
    "two columns of one name": (
        pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]),
        ["several columns named 'a'", "duplicated()"],
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_frame_whose_columns_cannot_be_told_apart_is_refused_with_the_way_out(case: str) -> None:
    frame, words = BAD[case]
    with pytest.raises(ConfigurationError) as caught:
        check_frame(frame)
    for word in words:
        assert word in str(caught.value)


def test_any_index_is_fine() -> None:
    check_frame(pd.DataFrame({"a": [1, 2]}, index=["x", "x"]))
    check_frame(pd.DataFrame())


def test_rows_are_told_by_their_labels_and_counted() -> None:
    assert rows_phrase(["x"]) == "row 'x'"
    assert rows_phrase([np.int64(7), np.float64(1.5)]) == "2 rows (index 7, 1.5)"
    assert rows_phrase([7, 9]) == "2 rows (index 7, 9)"
    assert rows_phrase(range(1000)) == "1,000 rows (index 0, 1, 2, 3, 4, …)"


def test_a_text_means_the_column_to_the_letter_else_the_only_one_that_prints_so() -> None:
    frame = pd.DataFrame({"a": [1], 2026: [2], 1: [3], 1.0001: [4]})
    assert called(frame, "a") == "a"
    assert called(frame, "2026") == 2026
    assert called(frame, "A") is None
