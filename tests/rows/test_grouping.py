from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.row_documents import parameters_of

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Options, Table
from reportflow_pandas.rows.checks import compare
from reportflow_pandas.rows.grouping import DocumentRows, Groups, by_document
from reportflow_pandas.rows.mapping import bind

FLAT = pd.DataFrame(
    {
        "No": ["B", "A", "B", "C", "A"],
        "Customer": ["Bob", "Ada", "Bob", "Cid", "Ada"],
        "Track": list("vwxyz"),
    },
    index=[10, 11, 12, 13, 14],
)


def rows_of(frame: pd.DataFrame = FLAT, **arguments: Any) -> DocumentRows:
    return DocumentRows.of(frame, Options.of("design", {"group_by": "No", **arguments}))


def test_a_document_is_a_group_in_order_of_its_first_line_called_by_its_key() -> None:
    frame = rows_of().frame
    assert frame.index.tolist() == ["B", "A", "C"]
    assert frame.index.name == "No"
    assert frame["Track"].tolist() == ["v", "w", "y"]
    assert frame.columns.tolist() == FLAT.columns.tolist()


KEYS: dict[str, Any] = {
    "numbers": [2, 1, 2],
    "numbers beside objects": pd.Series([2, "1", 2], dtype=object),
    "whole numbers that may be missing": pd.array([2, 1, 2], "Int64"),
    "dates": [dt.date(2026, 1, 2), dt.date(2026, 1, 1), dt.date(2026, 1, 2)],
    "timestamps": pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-02"]),
    "categories": pd.Categorical(["b", "a", "b"]),
    "decimals": [Decimal("2.50"), Decimal(1), Decimal("2.5")],
}


@pytest.mark.parametrize("case", list(KEYS))
def test_keys_of_any_type_keep_their_type(case: str) -> None:
    flat = pd.DataFrame({"No": KEYS[case]})
    frame = rows_of(flat).frame
    assert frame.index.tolist() == [flat["No"].tolist()[0], flat["No"].tolist()[1]]
    assert frame.index.dtype == flat["No"].dtype


def test_several_columns_name_a_document_together() -> None:
    flat = FLAT.assign(Page=[1, 1, 2, 1, 1])
    frame = rows_of(flat, group_by=["No", "Page"]).frame
    assert frame.index.names == ["No", "Page"]
    assert frame.index.tolist() == [("B", 1), ("A", 1), ("B", 2), ("C", 1)]


def test_an_index_level_names_a_document_and_the_other_levels_stay_as_columns() -> None:
    flat = FLAT.assign(Line=range(5)).set_index(["No", "Line"])
    frame = rows_of(flat).frame
    assert frame.index.tolist() == ["B", "A", "C"]
    assert frame["Line"].tolist() == [0, 1, 3]


def test_a_heading_that_is_a_number_is_meant_by_its_text() -> None:
    assert rows_of(FLAT.rename(columns={"No": 2026}), group_by="2026").frame.index.tolist() == ["B", "A", "C"]


def test_lines_without_a_key_are_refused_with_their_labels() -> None:
    with pytest.raises(InvalidRows, match=r"group_by='No': no value in 2 rows \(index 12, 14\)") as caught:
        rows_of(FLAT.assign(No=["B", "A", None, "C", None]))
    assert caught.value.rows == [12, 14]


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"group_by: the frame has no column 'no'. Did you mean 'No'\?"):
        rows_of(group_by="no")


def test_lists_name_no_document() -> None:
    with pytest.raises(ConfigurationError, match="lists or dicts"):
        rows_of(pd.DataFrame({"No": [[1], [2]]}))


CONFLICTS: dict[str, tuple[dict[str, Any], str]] = {
    "a share": (
        {"share": pd.Series(["public", "workspace", "invited", "public", "workspace"], index=FLAT.index)},
        r"share: the Series has to be the same .* of 'B' it is 'public' in row 10 and 'invited' in row 12",
    ),
    "a passcode": (
        {"passcode": pd.Series([True, True, False, True, True], index=FLAT.index)},
        "passcode: the Series .* 'B' it is true in row 10 and false in row 12",
    ),
    "a mask": (
        {"again": FLAT["Track"].eq("x")},
        "again: the mask .* 'B' it is false in row 10 and true in row 12",
    ),
    "the key of a table": (
        {"tables": {"Lines": Table(FLAT, left_on="Track", right_on="Track", columns=["Track"])}},
        "tables: 'Track' has to be",
    ),
    "a key": ({"key": "Track"}, "key: 'Track' has to be .* 'v' in row 10 and 'x' in row 12; so it is in 2 doc"),
    "a file name": ({"file_name": "{No}-{Track}"}, "file_name: 'Track' has to be"),
    "an echo": ({"passthrough": "Track"}, "passthrough: 'Track' has to be"),
}


@pytest.mark.parametrize("case", list(CONFLICTS))
def test_what_belongs_to_a_document_is_the_same_in_all_its_lines(case: str) -> None:
    arguments, words = CONFLICTS[case]
    with pytest.raises(InvalidRows, match=words) as caught:
        rows_of(**arguments)
    assert "nothing was sent" in str(caught.value)
    assert 12 in caught.value.rows


def test_a_value_for_each_line_becomes_one_for_each_document() -> None:
    public = FLAT["No"].eq("A")
    rows = rows_of(
        share=public.map({True: "public", False: "workspace"}), passcode=public, again=public, key="Customer"
    )
    assert rows.options.share.to_dict() == {"B": "workspace", "A": "public", "C": "workspace"}  # type: ignore[union-attr]
    assert rows.options.passcode.tolist() == [False, True, False]  # type: ignore[union-attr]
    assert rows.options.again == [False, True, False]
    assert rows_of(again=public.tolist()).options.again == [False, True, False]
    assert rows_of(again=["A"]).options.again == ["A"]


def test_a_mask_by_the_documents_keys_is_taken_as_it_is() -> None:
    mask = pd.Series([True, False, False], index=["B", "A", "C"])
    assert rows_of(again=mask).options.again is mask


def test_a_column_that_differs_is_told_with_group_and_both_values() -> None:
    conflict = Groups(FLAT.assign(Customer=["Bob", "Ada", "Rob", "Cid", None]), "No").conflict("Customer", "x")
    assert conflict is not None
    assert "in that of 'B' it is 'Bob' in row 10 and 'Rob' in row 12; so it is in 2 documents" in conflict.text
    assert conflict.rows == [12, 14]
    assert "group_by=['No', 'Customer']" in conflict.cure


def test_blank_cells_below_a_groups_only_value_have_a_cure_that_was_tried() -> None:
    flat = FLAT.assign(Customer=[None, "Ada", "Bob", "Cid", None])
    conflict = Groups(flat, "No").conflict("Customer", "x")
    assert conflict is not None
    assert "it is blank in row 10 and 'Bob' in row 12" in conflict.text
    column, code = conflict.cure.removeprefix("Fill it: df['Customer'] = "), {"df": flat}
    filled = flat.assign(Customer=eval(column, code))  # noqa: S307 - the advice, to the letter
    assert Groups(filled, "No").conflict("Customer", "x") is None


def test_values_that_python_cannot_hash_are_compared_too() -> None:
    flat = FLAT.assign(Tags=[["a"], ["b"], ["a"], [], ["b"]])
    assert Groups(flat, "No").conflict("Tags", "x") is None
    assert Groups(flat.assign(Tags=[["a"], ["b"], [], [], ["b"]]), "No").conflict("Tags", "x") is not None


def test_the_source_of_a_run_becomes_one_row_a_document_without_what_differs() -> None:
    source = by_document(FLAT, ["No"])
    assert source.index.tolist() == ["B", "A", "C"]
    assert source.columns.tolist() == ["No", "Customer"]
    assert by_document(FLAT, []) is FLAT
    assert by_document(FLAT[["Track"]], ["No"]).index.tolist() == FLAT.index.tolist()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["A1", "B2", "A1 "], "2 documents have keys that are the same after trimming: 'A1', 'A1 '"),
        (["A1", "a1"], "with the same capitals"),
        (["001", "1"], "as numbers"),
        (["A1", "B2"], ""),
    ],
)
def test_keys_that_are_one_key_written_in_several_ways_are_told(names: list[str], words: str) -> None:
    rows = rows_of(pd.DataFrame({"No": names}))
    problems = compare(rows.frame, rows.options, [], None, ["x", "y", "z"][: len(names)], groups=rows.groups)
    assert [words in problem.problem for problem in problems] == ([True] if words else [])


keys = st.lists(st.sampled_from(["a", "b", "c", "A", "a "]), min_size=1, max_size=10)


@given(keys, st.lists(st.sampled_from([1, 2]), min_size=10, max_size=10))
@settings(deadline=None)
def test_every_line_belongs_to_one_document_in_order(names: list[str], pages: list[int]) -> None:
    """As a person would do it: for each pair of keys as it comes first, the lines that have it."""
    flat = pd.DataFrame({"No": names, "Page": pages[: len(names)], "Track": range(len(names))})
    wanted: dict[tuple[str, int], list[str]] = {}
    for name, page, track in flat.itertuples(index=False):
        wanted.setdefault((name, page), []).append(str(track))
    rows = rows_of(flat, group_by=["No", "Page"], tables={"Lines": ["Track"]})
    assert rows.frame.index.tolist() == list(wanted)
    sources = bind(rows.frame, rows.options, parameters_of(Lines="array"), groups=rows.groups)
    nested = sources[0].nested
    assert nested is not None
    assert [[line["Track"] for line in lines] for lines in nested.rows(0, len(wanted))] == list(wanted.values())


def test_rich_attrs_are_never_copied() -> None:
    class Rich:
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    flat = pd.DataFrame(FLAT)
    flat.attrs["rich"] = Rich()
    assert rows_of(flat).frame["Customer"].tolist() == ["Bob", "Ada", "Cid"]
    assert DocumentRows.of(flat, Options.of("design", {})).frame["Customer"].iloc[:2].tolist() == ["Bob", "Ada"]
