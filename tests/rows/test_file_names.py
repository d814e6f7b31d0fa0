from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.rows.file_names import FORBIDDEN, LONGEST, columns_in, equal_names, file_names

FRAME = pd.DataFrame(
    {
        "InvoiceId": ["0171", "0172"],
        "No": [7, 8],
        "Rate": [7.0, 8.5],
        "Date": [pd.Timestamp(2026, 11, 23), pd.Timestamp(2026, 12, 1, 9)],
        "Customer name": ["Ada", "Bob"],
        "a.b": ["p", "q"],
        "a:b": ["r", "s"],
        "a:b:02d": ["t", "u"],
        "x[0]": ["v", "w"],
        "日本": ["x", "y"],
        2026: ["m", "n"],
    },
    index=["k1", "k2"],
)

TEMPLATES: dict[str, tuple[Any, list[str]]] = {
    "a column": ("InvoiceId", ["0171", "0172"]),
    "a column that is a number": (2026, ["m", "n"]),
    "a template": ("INV-{InvoiceId}", ["INV-0171", "INV-0172"]),
    "a format": ("{No:04d}", ["0007", "0008"]),
    "a date without a time": ("{Date:%Y%m%d}", ["20261123", "20261201"]),
    "a format of a date": ("{Date:%H}{No}", ["007", "098"]),
    "the index": ("{index}", ["k1", "k2"]),
    "the index with a format": ("{index:>4}", ["  k1", "  k2"]),
    "a space": ("{Customer name}", ["Ada", "Bob"]),
    "a dot": ("{a.b}", ["p", "q"]),
    "a colon": ("{a:b}", ["r", "s"]),
    "the longest name wins": ("{a:b:02d}", ["t", "u"]),
    "a colon and a format": ("{a:b:>3}", ["  r", "  s"]),
    "a bracket": ("{x[0]}", ["v", "w"]),
    "Japanese": ("{日本}", ["x", "y"]),
    "a column that is a number, in braces": ("{2026}", ["m", "n"]),
    "braces themselves": ("{{{No}}}-{{No}}", ["{7}-{No}", "{8}-{No}"]),
    "several": ("{No}-{InvoiceId}-{No}", ["7-0171-7", "8-0172-8"]),
    "an ending": ("{No}.PDF", ["7", "8"]),
    "an ending twice": ("{No}.pdf.pdf", ["7", "8"]),
}


@pytest.mark.parametrize("case", list(TEMPLATES))
def test_a_file_name_is_a_column_or_a_template(case: str) -> None:
    template, wanted = TEMPLATES[case]
    assert file_names(FRAME, template, "Invoice") == wanted


def test_whole_numbers_print_without_a_point() -> None:
    frame = pd.DataFrame({"No": [171.0, 172.0]})
    assert file_names(frame, "No", "") == ["171", "172"]
    assert file_names(frame, "{No}", "") == ["171", "172"]
    assert file_names(frame, "{No:05d}", "") == ["00171", "00172"]


def test_a_column_named_index_is_meant_to_the_letter() -> None:
    assert file_names(pd.DataFrame({"index": ["a", "b"]}, index=[7, 8]), "{index}", "") == ["a", "b"]


def test_levels_of_the_index_are_columns_and_together_they_are_the_index() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "n"]))
    assert file_names(frame, "{k}_{n:02d}", "") == ["x_01", "y_02"]
    assert file_names(frame, "{index}", "") == ["x-1", "y-2"]


BAD: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "no such column": (
        "{InvoiceID}-{No}",
        ConfigurationError,
        ["no column 'InvoiceID'", "Did you mean 'InvoiceId'?"],
    ),
    "nothing in braces": ("{}", ConfigurationError, ["no column ''"]),
    "a brace alone": ("{No", ConfigurationError, ["a brace without its partner"]),
    "another brace alone": ("No}", ConfigurationError, ["a brace without its partner"]),
    "neither column nor template": ("Invoiceid", ConfigurationError, ["one name", "Did you mean 'InvoiceId'?"]),
    "no text": (3.5, ConfigurationError, ["file_name=3.5"]),
    "a format for another type": ("{InvoiceId:04d}", InvalidRows, ["does not fit the format '04d'", "'k1', 'k2'"]),
    "a character that is refused": ("{No}/{No}", InvalidRows, ["characters that the service refuses", "'7/7'"]),
    "a colon from a time": ("{Date}", InvalidRows, ["row 'k2'", "2026-12-01T09:00:00"]),
    "too long": ("{No:0300d}", InvalidRows, [f"more than {LONGEST} characters"]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_file_name_that_cannot_be_says_why(case: str) -> None:
    template, error, words = BAD[case]
    with pytest.raises(error) as caught:
        file_names(FRAME, template, "Invoice")
    for word in words:
        assert word in str(caught.value)


CELLS: dict[str, tuple[Any, str]] = {
    "missing": (None, "'n' is missing in row 1"),
    "not a number": (np.nan, "'n' is missing in row 1"),
    "empty": ("", "nothing in it in row 1"),
    "blank": (" \u3000", "nothing in it in row 1"),
    "an ending only": (".pdf", "nothing in it in row 1"),
    "a slash": ("a/b", "row 1, e.g. 'a/b'"),
    "a line break": ("a\nb", "row 1"),
    "half a character": ("\ud83d", "lone surrogate.*row 1"),
    "a list": ([1], "a list or dict.*row 1"),
    "an object": (object(), "no form in JSON.*row 1"),
}


@pytest.mark.parametrize("case", list(CELLS))
@pytest.mark.parametrize("template", ["n", "{n}"])
def test_a_cell_that_is_no_name_is_named_by_its_row(case: str, template: str) -> None:
    cell, words = CELLS[case]
    frame = pd.DataFrame({"n": pd.Series(["fine", cell], dtype=object)})
    with pytest.raises(InvalidRows, match=words) as caught:
        file_names(frame, template, "Invoice")
    assert caught.value.rows == [1]


labels = (
    st.text(max_size=4)
    | st.integers()
    | st.floats()
    | st.none()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=3)
    | st.tuples(st.text(max_size=2), st.integers(0, 3))
    | st.sampled_from(["a", "A", "a-2", "ß", "ss", "a.pdf", "A.PDF.pdf", "x" * 300, "\ud83d"])
)


@given(
    st.lists(labels, max_size=8),
    st.text(max_size=8) | st.sampled_from(["", "  ", "a/b", "Invoice.pdf", "y" * 500]),
)
@settings(deadline=None)
def test_default_names_are_always_legal_and_unique(index: list[Any], label: str) -> None:
    """Whatever the index and the design's label are, no document is refused for its name."""
    frame = pd.DataFrame({"a": range(len(index))}, index=pd.Index(index, dtype=object, tupleize_cols=False))
    names = file_names(frame, None, label)
    assert len(names) == len(index)
    assert equal_names(names) == {}
    for name in names:
        assert name.strip()
        assert len(name) <= LONGEST
        assert not FORBIDDEN.search(name)
        assert not name.lower().endswith(".pdf")


INDEXES: dict[str, tuple[Any, list[str]]] = {
    "a range": (pd.RangeIndex(2), ["I-0", "I-1"]),
    "floats": ([1.0, 2.5], ["I-1", "I-2.5"]),
    "days": (pd.to_datetime(["2026-11-23", "2026-11-24"]), ["I-2026-11-23", "I-2026-11-24"]),
    "times": (pd.to_datetime(["2026-11-23 09:00"]), ["I-2026-11-23T09_00_00"]),
    "equal labels": (["a", "A", "a"], ["I-a", "I-A-2", "I-a-3"]),
    "a label that another one's number would make": (["a", "a", "a-2"], ["I-a", "I-a-2", "I-a-2-2"]),
    "missing labels": ([None, None], ["I-missing", "I-missing-2"]),
    "two levels": (pd.MultiIndex.from_tuples([("x", 1), ("x", 2)]), ["I-x-1", "I-x-2"]),
    "months": (pd.period_range("2026-11", periods=2, freq="M"), ["I-2026-11", "I-2026-12"]),
}


@pytest.mark.parametrize("case", list(INDEXES))
def test_default_names_are_the_label_and_the_index(case: str) -> None:
    index, wanted = INDEXES[case]
    assert file_names(pd.DataFrame({"a": 0}, index=index), None, "I") == wanted


def test_equal_names_are_found_ignoring_case() -> None:
    assert equal_names(["a", "b", "A", "straße", "STRASSE"]) == {"a": [0, 2], "straße": [3, 4]}


def test_a_missing_moment_is_named_by_its_rows() -> None:
    frame = pd.DataFrame({"d": [pd.Timestamp(2026, 11, 23), pd.NaT, pd.Timestamp(2026, 11, 23), pd.NaT]})
    with pytest.raises(InvalidRows, match="'d' is missing in 2 rows") as caught:
        file_names(frame, "{d:%Y}-{index}", "")
    assert caught.value.rows == [1, 3]
    assert file_names(frame.dropna(), "{d:%Y}-{index}", "") == ["2026-0", "2026-2"]


def test_the_columns_in_a_template_are_known() -> None:
    assert columns_in(FRAME, "{a:b:>3}-{No:04d}-{index}-{nothing}") == {"a:b", "No", "index"}
    assert columns_in(FRAME, "InvoiceId") == {"InvoiceId"}
    assert columns_in(FRAME, None) == set()


def test_the_names_of_no_rows_are_none() -> None:
    empty = FRAME.head(0)
    assert file_names(empty, None, "I") == file_names(empty, "{No:04d}", "I") == file_names(empty, "No", "I") == []


def test_a_moment_in_a_cell_is_a_name_by_its_day() -> None:
    frame = pd.DataFrame({"d": pd.Series([dt.date(2026, 11, 23), pd.Timestamp(2026, 11, 24)], dtype=object)})
    assert file_names(frame, "d", "") == ["2026-11-23", "2026-11-24"]
