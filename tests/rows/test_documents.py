from __future__ import annotations

import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.row_documents import contents_of, made, parameters_of, params_of

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.options import Table
from reportflow_pandas.rows import documents
from reportflow_pandas.rows.documents import Documents, document_id

cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.dates()
    | st.lists(st.integers() | st.none(), max_size=2)
)


def keys_of(documents: Documents) -> list[str]:
    """Return the key of each document."""
    return [key for _, key in documents.keyed(0, len(documents))]


columns: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "mixed": (cells, object),
    "number": (st.floats(allow_infinity=False), "float64"),
    "narrow": (st.floats(allow_infinity=False, width=32), "float32"),
    "count": (st.none() | st.integers(-(2**62), 2**62), "Int64"),
    "flag": (st.none() | st.booleans(), "boolean"),
    "word": (st.none() | st.text(st.characters(codec="utf-8"), max_size=5), "str"),
    "kind": (st.none() | st.sampled_from(["a", "b", "c"]), "category"),
    "moment": (st.none() | st.datetimes(pd.Timestamp(1900, 1, 1), pd.Timestamp(2100, 1, 1)), "datetime64[us]"),
}


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return a frame of those rows with the dtypes of `columns`, as its author would have made it."""
    return pd.DataFrame(
        {
            name: pd.Series([row[at] for row in rows], dtype=dtype)
            for at, (name, (_, dtype)) in enumerate(columns.items())
        }
    )


rows_of_a_frame = st.lists(st.tuples(*(strategy for strategy, _ in columns.values())), min_size=1, max_size=6)
kinds = st.sampled_from(["text", "number", "unknown"])


@given(rows_of_a_frame, st.data(), kinds, st.booleans())
@settings(deadline=None)
def test_the_params_of_a_row_depend_on_that_row_alone(
    rows: list[tuple[Any, ...]], data: st.DataObject, kind: str, drop: bool
) -> None:
    """Appending, removing and reordering rows, one by one or in chunks, changes no other document."""
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    parameters = parameters_of(**dict.fromkeys(columns, kind))
    whole = [orjson.dumps(p) for p in params_of(frame_of(rows), parameters, drop_missing=drop)]
    other = [
        orjson.dumps(p) for p in params_of(frame_of([rows[at] for at in chosen]), parameters, drop_missing=drop)
    ]
    assert other == [whole[at] for at in chosen]
    taken = params_of(frame_of(rows).iloc[chosen], parameters, drop_missing=drop)
    assert [orjson.dumps(p) for p in taken] == [whole[at] for at in chosen]


@given(rows_of_a_frame, st.data())
@settings(deadline=None)
def test_the_key_of_a_document_is_its_content_and_not_its_place(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    chosen = data.draw(st.permutations(range(len(rows))))
    before, frame = made(frame_of(rows), run="a"), frame_of([rows[at] for at in chosen])
    frame.index = pd.Index([f"row {at}" for at in range(len(frame))])
    after = made(frame, run="b")
    keys = keys_of(before)
    assert keys_of(after) == [keys[at] for at in chosen]


@given(rows_of_a_frame)
@settings(deadline=None)
def test_no_column_is_changed_in_place(rows: list[tuple[Any, ...]]) -> None:
    frame = frame_of(rows)
    before = frame.copy(deep=True)
    list(made(frame, file_name=None))
    pd.testing.assert_frame_equal(frame, before)


def test_a_document_is_the_content_that_the_service_documents() -> None:
    frame = pd.DataFrame({"Name": ["Łódź"], "Total": [171.0]})
    (content,) = contents_of(frame, parameters_of(Name="text", Total="number"))
    assert content == {
        "fileName": "Invoice-0",
        "params": {"Name": "Łódź", "Total": 171},
        "shareType": "01",
        "passcodeEnabled": False,
        "passthrough": {"rf": document_id("run", 0)},
    }


def test_a_chunk_is_converted_only_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHUNK", 10)
    frame = pd.DataFrame({"a": range(100)})
    some = made(frame)
    asked: list[tuple[int, int]] = []
    original = some.params
    monkeypatch.setattr(some, "params", lambda start, stop: asked.append((start, stop)) or original(start, stop))
    coming = iter(some)
    assert [next(coming).position for _ in range(10)] == list(range(10))
    assert asked == [(0, 10)]
    assert [document.position for document in coming] == list(range(10, 100))


def test_document_ids_are_sixteen_characters_and_all_different() -> None:
    ids = {document_id(run, position) for run in ("a", "b") for position in range(1000)}
    assert len(ids) == 2000
    assert {len(one) for one in ids} == {16}


def test_missing_values_are_null_and_a_missing_table_is_empty() -> None:
    frame = pd.DataFrame({"Text": [None], "Number": [np.nan], "Rows": [None], "Group": [None]})
    parameters = parameters_of(Text="text", Number="number", Rows="array", Group="collection")
    assert params_of(frame, parameters) == [{"Text": None, "Number": None, "Rows": [], "Group": {}}]
    blank = dict.fromkeys(["Text", "Number", "Rows", "Group"])
    assert params_of(frame, parameters, params=blank) == [{"Text": None, "Number": None, "Rows": [], "Group": {}}]


def test_drop_missing_leaves_missing_values_out_in_rows_of_tables_too() -> None:
    frame = pd.DataFrame({"Id": ["1"], "Text": [None], "Total": [1.5], "Own": [[{"Track": None, "Price": 1}]]})
    lines = pd.DataFrame({"Id": ["1", "1"], "Track": ["a", None], "Price": [np.nan, 2]})
    parameters = parameters_of(Text="text", Total="number", Blank="number", Own="array", Lines="array")
    params = {"Text": "Text", "Total": "Total", "Blank": None, "Own": "Own"}
    assert params_of(
        frame, parameters, params=params, tables={"Lines": Table(lines, on="Id")}, drop_missing=True
    ) == [{"Total": 1.5, "Own": [{"Price": 1}], "Lines": [{"Track": "a"}, {"Price": 2}]}]


def test_share_and_passcode_may_differ_by_row() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=["x", "y", "y"])
    share = pd.Series(["public", "workspace", "invited"], index=frame.index, dtype="category")
    passcode = pd.Series([True, False, True], index=frame.index, dtype=object)
    contents = contents_of(frame, share=share, passcode=passcode)
    assert [content["shareType"] for content in contents] == ["03", "01", "02"]
    assert [content["passcodeEnabled"] for content in contents] == [True, False, True]
    assert {content["shareType"] for content in contents_of(frame, share="invited", passcode=True)} == {"02"}


BAD_SERIES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "another index": ({"share": pd.Series(["public"] * 2, index=[5, 6])}, ConfigurationError, "another index"),
    "another length": ({"share": pd.Series(["public"] * 3)}, ConfigurationError, "another index"),
    "a wrong word": ({"share": pd.Series(["public", "publik"])}, InvalidRows, "'publik' in row 1"),
    "a missing word": ({"share": pd.Series(["public", None])}, InvalidRows, "no value for row 1"),
    "no boolean": ({"passcode": pd.Series([True, "yes"])}, ConfigurationError, "'yes'"),
    "a missing boolean": ({"passcode": pd.Series([True, None])}, InvalidRows, "no value for row 1"),
    "no such column": ({"passthrough": "b"}, ConfigurationError, r"no column 'b'. Columns: 'a'"),
    "a value that cannot be": ({"passthrough": ["odd"]}, InvalidRows, "passthrough column 'odd', row 0"),
    "our own name": ({"passthrough": ["rf"]}, ConfigurationError, "ties answers to rows"),
}


@pytest.mark.parametrize("case", list(BAD_SERIES))
def test_what_belongs_to_the_rows_must_fit_them(case: str) -> None:
    arguments, error, words = BAD_SERIES[case]
    frame = pd.DataFrame({"a": [1, 2], "odd": [object(), 1], "rf": [1, 2]})
    with pytest.raises(error, match=words):
        made(frame, parameters_of(a="number"), **arguments)


def test_columns_are_echoed_beside_our_own_id_and_missing_ones_are_left_out() -> None:
    frame = pd.DataFrame({"a": [1, 2], "order": ["A-7", None]}, index=pd.Index(["x", "y"], name="key"))
    contents = contents_of(frame, passthrough=["order", "key"])
    assert contents[0]["passthrough"] == {"order": "A-7", "key": "x", "rf": document_id("run", 0)}
    assert contents[1]["passthrough"] == {"key": "y", "rf": document_id("run", 1)}


def test_the_key_changes_with_the_content_the_echo_the_share_and_the_passcode_only() -> None:
    frame = pd.DataFrame({"a": [Decimal("1.50"), "x"], "b": ["x", "y"]})
    parameters = parameters_of(a="unknown")
    (plain,) = keys_of(made(frame.head(1), parameters))
    assert len(plain) == 32
    same = [
        made(frame.head(1), parameters, run="other"),
        made(frame.head(1), parameters, file_name="b"),
        made(frame.head(1).set_axis([9]), parameters),
        made(frame.head(1), None, params={"a": "a"}, check=False),
    ]
    assert {keys_of(documents)[0] for documents in same} == {plain}
    others = [
        made(frame.tail(1), parameters),
        made(frame.head(1), parameters, share="public"),
        made(frame.head(1), parameters, passcode=True),
        made(frame.head(1), parameters, passthrough="b"),
        made(frame.head(1), parameters_of(a="text")),
    ]
    assert len({plain, *(keys_of(documents)[0] for documents in others)}) == 6


def test_keys_are_the_same_in_chunks_of_any_size() -> None:
    frame = pd.DataFrame({"a": range(10), "b": list("abcdefghij")})
    some = made(frame)
    assert keys_of(some) == [key for at in range(0, 10, 3) for _, key in some.keyed(at, min(at + 3, 10))]
    assert len(set(keys_of(some))) == 10
    assert list(some.keys(3, 7)) == keys_of(some)[3:7]


def test_a_document_that_waits_takes_no_more_memory_than_its_size() -> None:
    made_of_them = made(pd.DataFrame({"Customer": ["x" * 100] * 500}))
    tracemalloc.start()
    try:
        waiting = list(made_of_them)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 500 * 1000
    assert sum(len(document.content) for document in waiting) > 500 * 200
