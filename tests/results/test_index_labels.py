"""Labels of every kind come back from a workbook as they were, or are refused before it is written."""

from __future__ import annotations

import datetime as dt
import enum
import json
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.results.index_labels import described, encoded, lost_labels, rebuilt

pa = pytest.importorskip("pyarrow")

LONGEST = 28_000


def back(index: pd.Index[Any]) -> pd.Index[Any]:
    return rebuilt(json.loads(json.dumps(encoded(index))), json.loads(json.dumps(described(index))))


def arrow(values: list[Any], kind: Any) -> pd.Index[Any]:
    return pd.Index(pd.array(values, dtype=pd.ArrowDtype(kind)))


COMING_BACK: dict[str, pd.Index[Any]] = {
    "decimals of Arrow": arrow([Decimal("1.50"), None], pa.decimal128(9, 2)),
    "large decimals of Arrow": arrow([Decimal("1.50")], pa.decimal256(40, 2)),
    "whole numbers of Arrow": arrow([2**62 + 1, None], pa.int64()),
    "narrow floats of Arrow": arrow([0.1, None], pa.float32()),
    "texts of Arrow": arrow(["a", None], pa.string()),
    "bytes of Arrow": arrow([b"a"], pa.binary()),
    "days of Arrow": arrow([dt.date(2026, 1, 1)], pa.date32()),
    "times of Arrow": arrow([dt.time(9)], pa.time64("us")),
    "moments of Arrow": arrow([dt.datetime(2026, 1, 1), None], pa.timestamp("us")),  # noqa: DTZ001
    "moments of Arrow somewhere": arrow(
        [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", tz="Asia/Tokyo")
    ),
    "durations of Arrow": arrow([dt.timedelta(1)], pa.duration("us")),
    "levels of Arrow": pd.MultiIndex.from_arrays(
        [pd.array([Decimal("1.50")], dtype=pd.ArrowDtype(pa.decimal128(9, 2))), ["x"]]
    ),
    "narrow floats": pd.Index(np.array([0.1, 2.5], dtype="float32")),
    "floats": pd.Index([0.1, float("nan"), float("inf")]),
    "objects": pd.Index(
        [1, "a", None, Decimal("1.5"), UUID(int=1), b"x", dt.date(2026, 1, 1), (1, "x")], dtype=object
    ),
    "numbers of numpy": pd.Index([np.int8(3), np.float32(0.1)], dtype=object),
    "periods": pd.period_range("2026-01", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "categories": pd.CategoricalIndex(["a", "b", None], ordered=True),
    "long texts": pd.Index(["x" * 20_000, "y"]),
}


@pytest.mark.parametrize("case", list(COMING_BACK))
def test_labels_come_back_as_they_were(case: str) -> None:
    index = COMING_BACK[case]
    assert lost_labels(index, LONGEST) == []
    again = back(index)
    assert again.equals(index)
    assert again.dtype == index.dtype


class Colour(enum.Enum):
    RED = 1


LOST: dict[str, tuple[pd.Index[Any], list[int]]] = {
    "a set": (pd.Index(["a", frozenset([1])], dtype=object), [1]),
    "an enum": (pd.Index([Colour.RED], dtype=object), [0]),
    "a path": (pd.Index([PurePosixPath("a")], dtype=object), [0]),
    "a text longer than a cell": (pd.Index(["a", "x" * 40_000]), [1]),
    "a text that is longer in JSON": (pd.Index(["日" * 6_000]), [0]),
}


@pytest.mark.parametrize("case", list(LOST))
def test_labels_that_would_not_come_back_are_known(case: str) -> None:
    index, positions = LOST[case]
    assert lost_labels(index, LONGEST) == positions


labels = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=3)
    | st.uuids()
)


@given(st.lists(labels, min_size=1, max_size=6))
@settings(deadline=None)
def test_any_mixture_of_labels_comes_back(mixture: list[Any]) -> None:
    index = pd.Index(mixture, dtype=object, tupleize_cols=False)
    assert lost_labels(index, LONGEST) == []
    assert back(index).tolist() == mixture
