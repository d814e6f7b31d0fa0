"""Decisions and comments, read back."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from support.reviewed_workbooks import headings, make_results, rearrange, review

from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.export.review import read_review
from reportflow_pandas.export.workbook import write_workbook
from reportflow_pandas.results.index_labels import described, encoded, rebuilt

INDEXES: dict[str, pd.Index[Any]] = {
    "range": pd.RangeIndex(5),
    "named range from 10": pd.RangeIndex(10, 20, 2, name="no"),
    "integers": pd.Index([5, 3, -1, 10**17, 0], name="InvoiceId"),
    "small integers": pd.Index([5, 3, 1, 2, 4], dtype="int16"),
    "nullable integers": pd.Index([1, 2, None, 4, 5], dtype="Int64"),
    "floats": pd.Index([1.5, 2.0, float("nan"), float("inf"), -0.1]),
    "booleans": pd.Index([True, False, True, True, False]),
    "texts": pd.Index(["=1+1", "007", " a ", "注文", "x\x00_x000D_"], name="order no"),
    "broken texts": pd.Index(["a\ud800", "b\udcff", "c", "\ud83d", "e"], dtype=object),
    "duplicated": pd.Index(["a", "a", "a", "b", "b"]),
    "days": pd.date_range("2026-01-01", periods=5, name="day"),
    "moments": pd.DatetimeIndex(["2026-01-01T00:00:00.123456789"] * 5),
    "coarse moments": pd.date_range("0900-01-01", periods=5, freq="YS", unit="s"),
    "zoned": pd.date_range("2026-10-25", periods=5, freq="h", tz="Europe/Berlin"),
    "durations": pd.timedelta_range("1h", periods=5, freq="7min"),
    "periods": pd.period_range("2026-01", periods=5, freq="M"),
    "intervals": pd.interval_range(0, 5, closed="left"),
    "categories": pd.CategoricalIndex(list("cabca"), categories=["c", "b", "a", "unused"], ordered=True),
    "python dates": pd.Index([dt.date(2026, 1, day) for day in range(1, 6)], dtype=object),
    "mixed": pd.Index(["a", 1, 2.5, None, dt.datetime(2026, 1, 1)], dtype=object),  # noqa: DTZ001 - a label
    "decimals": pd.Index(
        [Decimal("1.10"), Decimal(2), uuid.UUID(int=3), b"\x00\xff", ("a", 1)], dtype=object, tupleize_cols=False
    ),
    "levels": pd.MultiIndex.from_product([["x"], pd.date_range("2026-01-01", periods=5)], names=["shop", "day"]),
    "levels without names": pd.MultiIndex.from_arrays([list("aabbb"), [1, 1, 2, 2, 3]]),
    "levels with a gap": pd.MultiIndex.from_arrays([["a", None, "b", "b", "c"], [1, 2, 3, 4, 5]], names=[None, 7]),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a workbook goes."""
    return tmp_path / "review.xlsx"


@pytest.fixture
def reviewed(path: Path) -> Path:
    """Give the workbook of five documents, the second one to be made again."""
    write_workbook(make_results(5), path)
    review(path, {1: "redo"}, {1: "wrong sum"})
    return path


def assert_same(found: pd.Index[Any], index: pd.Index[Any]) -> None:
    """Compare labels, types and names; how regular dates are is no part of an index's type."""
    assert type(found) is (pd.Index if isinstance(index, pd.RangeIndex) else type(index))
    assert list(found.names) == list(index.names)
    for level in range(index.nlevels):
        one, other = found.get_level_values(level), index.get_level_values(level)
        assert one.dtype == other.dtype
        assert list(map(repr, one.tolist())) == list(map(repr, other.tolist()))


# The index


@pytest.mark.parametrize("name", INDEXES)
def test_decisions_come_back_by_the_original_index_whatever_its_type(path: Path, name: str) -> None:
    write_workbook(make_results(5, index=INDEXES[name]), path)
    review(path, {0: "redo", 3: "approve"}, {4: "a comment"})
    found = read_review(path)
    assert_same(found.index, INDEXES[name])
    assert found["decision"].tolist()[::3] == ["redo", "approve"]
    assert found["comment"].tolist()[4] == "a comment"


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_survives_in_any_order_and_as_any_part(name: str) -> None:
    index = INDEXES[name]
    part = index[[3, 1]]
    assert_same(rebuilt(encoded(part), described(index)), part)
    empty = rebuilt([], described(index))
    assert (len(empty), list(empty.names)) == (0, list(index.names))


def unfolded(value: Any) -> Any:
    """Return a time of a clock that is never put back: ISO text doesn't say which of two equal hours it is."""
    return value.replace(fold=0)


LABELS = st.one_of(
    st.text(max_size=8), st.integers(), st.booleans(), st.none(), st.floats(), st.decimals(allow_nan=False),
    st.dates(), st.times().map(unfolded), st.datetimes().map(unfolded), st.timedeltas(), st.uuids(),
    st.binary(max_size=8),
)  # fmt: skip


@given(st.lists(LABELS, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_labels_come_back_as_they_were(labels: list[Any]) -> None:
    index = pd.Index(labels, dtype=object)
    back = rebuilt(encoded(index), described(index)).tolist()
    assert [(type(one), repr(one)) for one in back] == [(type(one), repr(one)) for one in labels]


def test_a_mask_of_decisions_chooses_rows_of_the_original_frame(path: Path) -> None:
    source = pd.DataFrame({"n": range(5)}, index=list("aabcd"))
    write_workbook(make_results(5, index=source.index), path, source)
    review(path, {1: "redo", 4: "redo"})
    again = read_review(path).decision == "redo"
    assert again.dtype == bool
    assert source[again.to_numpy()]["n"].tolist() == [1, 4]


def test_nothing_typed_is_missing(path: Path) -> None:
    write_workbook(make_results(2), path)
    review(path, {0: "  "}, {0: ""})
    found = read_review(path)
    assert found.columns.tolist() == ["decision", "comment"]
    assert found.isna().all().all()
    assert not (found.decision == "redo").any()


# What a reviewer does


def test_sorted_lines_come_back_in_the_order_of_the_run(reviewed: Path) -> None:
    rearrange(reviewed, lambda frame: frame.sort_values("document", ascending=False))
    found = read_review(reviewed)
    assert found.index.tolist() == [0, 1, 2, 3, 4]
    assert found.decision[1] == "redo"


def test_deleted_lines_are_not_there_without_results_and_undecided_with_them(reviewed: Path) -> None:
    rearrange(reviewed, lambda frame: frame.iloc[1:3])
    assert read_review(reviewed).index.tolist() == [1, 2]
    found = read_review(reviewed, make_results(5))
    assert found.index.tolist() == [0, 1, 2, 3, 4]
    assert found.decision.isna().tolist() == [True, False, True, True, True]


def test_columns_can_be_added_moved_and_deleted(reviewed: Path) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.insert(0, "mine", "x")
        frame["more"] = 1
        last = [name for name in frame.columns if name != "decision"]
        return frame[[*last, "decision"]].drop(columns=["document", "status", "web page", "index"])

    rearrange(reviewed, change)
    assert read_review(reviewed).decision[1] == "redo"


def test_lines_above_the_header_and_a_renamed_sheet_do_no_harm(reviewed: Path) -> None:
    book = openpyxl.load_workbook(reviewed)
    book["Results"].insert_rows(1, 3)
    book["Results"]["A1"] = "Please check by Friday"
    book["Results"].title = "To check"
    del book["Summary"], book["Failed"], book["Run"]
    book.save(reviewed)
    assert read_review(reviewed).decision[1] == "redo"


def test_a_line_of_totals_does_no_harm_but_a_decision_on_it_is_refused(reviewed: Path) -> None:
    book = openpyxl.load_workbook(reviewed)
    sheet = book["Results"]
    at = headings(sheet)["decision"]
    sheet.cell(9, at).value = 17
    book.save(reviewed)
    assert len(read_review(reviewed)) == 5
    sheet.cell(9, at).value = "redo"
    book.save(reviewed)
    with pytest.raises(
        ConfigurationError, match=f"Results!{sheet.cell(9, at).coordinate}: 'redo' stands on a line"
    ):
        read_review(reviewed)


def test_columns_that_were_sorted_apart_are_refused(reviewed: Path) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame["document"] = frame["document"].tolist()[::-1]
        return frame

    rearrange(reviewed, change)
    with pytest.raises(
        ConfigurationError, match=r"Results!B2: the line shows 'INV-0004', but .* belong to 'INV-0000'"
    ):
        read_review(reviewed)


def test_a_copied_line_counts_once_but_must_not_contradict(reviewed: Path) -> None:
    rearrange(reviewed, lambda frame: pd.concat([frame, frame.iloc[[1]]]))
    assert read_review(reviewed).decision.tolist().count("redo") == 1
    review(reviewed, {5: "approve"})
    with pytest.raises(ConfigurationError, match="about the same document"):
        read_review(reviewed)


def test_a_long_name_with_odd_characters_is_still_its_own(path: Path) -> None:
    results = make_results(3)
    results["file_name"] = ["x" * 40_000, "a\x00_x000D_ b\r\nc", "ﾊﾝｶｸ"]
    write_workbook(results, path)
    review(path, {1: "redo"})
    assert read_review(path).decision[1] == "redo"


# Words


@pytest.mark.parametrize(
    ("typed", "decision"),
    [
        ("approve", "approve"),
        (" APPROVE ", "approve"),
        ("Redo", "redo"),
        ("ｒｅｄｏ", "redo"),  # noqa: RUF001 - typed with a Japanese keyboard
        ("承認", "approve"),
        ("再作成", "redo"),
        ("再 作成\u3000", "redo"),
        ("やり直し", "redo"),
        ("却下", "reject"),
        ("reject\u00a0", "reject"),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_decisions_of_both_languages_come_back_in_english(
    path: Path, language: Any, typed: str, decision: str
) -> None:
    write_workbook(make_results(1), path, language=language)
    book = openpyxl.load_workbook(path)
    sheet = book["Results"]
    sheet.cell(2, headings(sheet)["decision" if language == "en" else "判定"]).value = typed
    book.save(path)
    assert read_review(path).decision.tolist() == [decision]


def test_an_unknown_word_names_its_cell_and_the_word_that_was_meant(path: Path) -> None:
    write_workbook(make_results(9, index=list("abcdefghi")), path)
    review(path, {5: "aprove", 7: "?", 8: True})
    at = headings(openpyxl.load_workbook(path)["Results"])["decision"]
    letter = openpyxl.utils.get_column_letter(at)
    with pytest.raises(InvalidRows) as caught:
        read_review(path)
    said = str(caught.value)
    assert f"Results!{letter}7: \"aprove\" (did you mean 'approve'?)" in said
    assert f'Results!{letter}9: "?"\n' in said
    assert f'Results!{letter}10: "True"' in said
    assert caught.value.rows == ["f", "h", "i"]


def test_many_unknown_words_are_counted(path: Path) -> None:
    write_workbook(make_results(30), path)
    review(path, dict.fromkeys(range(25), "yes"))
    with pytest.raises(InvalidRows, match=r"25 decisions are not one of(?s:.*)and 15 more"):
        read_review(path)


# With the results


def test_with_results_the_answer_has_their_index_and_order(reviewed: Path) -> None:
    results = make_results(5).set_axis(list("vwxyz")).iloc[[4, 1]]
    found = read_review(reviewed, results)
    assert found.index.tolist() == ["z", "w"]
    assert found.decision.tolist()[1] == "redo"
    assert found.comment.tolist()[1] == "wrong sum"


def test_the_workbook_of_another_run_is_refused(reviewed: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="holds the run 'november', but these results are of the run 'october'"
    ):
        read_review(reviewed, make_results(5, run="october"))


def test_results_that_forgot_their_run_are_matched_by_their_rows(reviewed: Path) -> None:
    results = make_results(5)
    results.attrs = {}
    assert read_review(reviewed, results).decision[1] == "redo"


def test_a_document_made_anew_since_has_no_decision_but_its_comment(reviewed: Path) -> None:
    results = make_results(5)
    results.loc[1, "file_id"] = "F-made-again"
    found = read_review(reviewed, results)
    assert found.decision.isna().all()
    assert found.comment[1] == "wrong sum"


@pytest.mark.parametrize(
    ("there", "here", "kept"),
    [
        ("the address is old", "logo too small", "the address is old; logo too small"),
        ("the address is old", " The address is old", "the address is old"),
        ("old", "the address is old", "the address is old"),
        (None, "logo too small", "logo too small"),
        ("the address is old", None, "the address is old"),
    ],
)
def test_what_two_sheets_say_of_one_document_is_kept_of_both(
    path: Path, there: str | None, here: str | None, kept: str
) -> None:
    results = make_results(2)
    write_workbook(results, path)
    review(path, {1: "redo"}, {1: there})
    book = openpyxl.load_workbook(path)
    book.copy_worksheet(book["Results"]).title = "Look first too"
    copy = book["Look first too"]
    copy.cell(3, headings(copy)["comment"], here)
    if here is None:
        copy.cell(3, headings(copy)["comment"]).value = None
    book.save(path)
    assert read_review(path).comment[1] == kept
    write_workbook(results, path)  # a workbook that is written again keeps them too
    assert read_review(path, results).comment[1] == kept


def test_lines_of_two_runs_in_one_workbook_are_refused(path: Path, tmp_path: Path) -> None:
    write_workbook(make_results(2), path)
    write_workbook(make_results(2, run="october"), tmp_path / "other.xlsx")
    other = openpyxl.load_workbook(tmp_path / "other.xlsx")["Results"]
    book = openpyxl.load_workbook(path)
    for row in other.iter_rows(min_row=2, values_only=True):
        book["Results"].append(row)
    book.save(path)
    with pytest.raises(ConfigurationError, match="lines of several runs: 'november', 'october'"):
        read_review(path)


# Not ours


def test_a_workbook_that_is_not_ours_is_refused(path: Path) -> None:
    pd.DataFrame({"decision": ["redo"]}).to_excel(path)
    with pytest.raises(ConfigurationError, match="is not a review workbook of reportflow-pandas"):
        read_review(path)


@pytest.mark.parametrize("content", [b"", b"decision,comment\nredo,x\n", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_workbook_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read as an Excel workbook"):
        read_review(path)


def test_a_file_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        read_review(path)


def test_a_workbook_without_its_column_of_decisions_is_refused(reviewed: Path) -> None:
    rearrange(reviewed, lambda frame: frame.rename(columns={"decision": "verdict"}))
    with pytest.raises(ConfigurationError, match="no column is headed 'decision' or '判定'"):
        read_review(reviewed)


def test_missing_row_ids_do_not_stop_a_whole_review(reviewed: Path) -> None:
    rearrange(reviewed, lambda frame: frame.assign(rf_row=[np.nan, 1, "x", 3, 4]))
    assert read_review(reviewed).index.tolist() == [1, 3, 4]


def test_labels_that_no_cell_can_bring_back_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    results = make_results(["ready"] * 2, index=["a", "x" * 40_000])
    with pytest.raises(ConfigurationError, match="one label that no cell can bring back"):
        results.reportflow.to_excel(tmp_path / "review.xlsx")
    assert not list(tmp_path.iterdir())
    written = results.set_axis(range(2)).reportflow.to_excel(tmp_path / "review.xlsx")
    assert read_review(written).index.tolist() == [0, 1]
