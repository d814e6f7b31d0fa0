"""The workbook, opened again."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import stat
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils import get_column_letter
from support.reviewed_workbooks import cells, column, headings, make_results, review, sheet_of, words

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.export import atomic_write, columns, review as export_review, sheets, workbook
from reportflow_pandas.export.atomic_write import FileKept
from reportflow_pandas.export.review import read_review
from reportflow_pandas.export.texts import WORDS
from reportflow_pandas.export.workbook import write_workbook


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a workbook goes."""
    return tmp_path / "review.xlsx"


class Noon(Clock):
    """A clock that stands still."""

    def timestamp(self) -> float:
        """Return one moment."""
        return dt.datetime(2026, 11, 23, 12, 0, 5, tzinfo=dt.UTC).timestamp()


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "SYSTEM_CLOCK", Noon())


# What is on the sheets


def test_a_workbook_has_four_sheets(path: Path) -> None:
    assert write_workbook(make_results(), path) == path
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results", "Failed", "Run"]


def test_results_has_every_document_in_the_frame_s_order(path: Path) -> None:
    results = make_results(7).sort_values("row", ascending=False)
    write_workbook(results, path)
    sheet = sheet_of(path)
    assert column(sheet, "document") == results["file_name"].tolist()
    assert column(sheet, "index") == results.index.tolist()
    assert column(sheet, "seconds") == [0.5] * 7


def test_failed_holds_what_failed_is_unknown_or_was_not_sent(path: Path) -> None:
    write_workbook(make_results(10), path)
    sheet = sheet_of(path, "Failed")
    assert column(sheet, "status") == ["failed", "unknown", "not sent"] * 2
    assert "decision" not in headings(sheet)
    assert "retry(unknown=True)" in column(sheet, "what to do")[1]


def test_every_kind_of_error_has_its_advice_in_both_languages() -> None:
    kinds = {"invalid", "auth", "not_found", "rate_limited", "too_large", "server", "network", "unknown_outcome"}
    kinds |= {"not_ready", "no_pdf", "expired", "changed", "cancelled"}
    for language in WORDS.values():
        assert kinds <= language.advice.keys()
        assert kinds == language.kinds.keys()
        assert language.advise("failed", "a new kind", {}) == language.advise("failed", "other", {})
        assert language.advise("not_sent", None, {})
        assert not any("{" in language.advise("not_sent", kind, {}) for kind in kinds)


def test_what_to_do_is_what_works_for_a_run_as_far_as_it_was_written_down(path: Path) -> None:
    """Resuming and retrying refuse a run of which not all rows are written down."""
    results = make_results(["not_sent", "not_sent", "failed"])
    results["error_kind"] = ["cancelled", None, "server"]
    write_workbook(results, path)
    stopped = "Never sent, nothing billed. The run was stopped before this document's turn. "
    assert column(sheet_of(path, "Failed"), "what to do") == [
        f"{stopped}rf.resume('november') goes on with it.",
        "Never sent, nothing billed. results.reportflow.retry() sends it.",
        "The service had a problem. Try once more: results.reportflow.retry().",
    ]
    results.attrs["reportflow"]["planned"] = ""
    write_workbook(results, path)
    line = "df.reportflow.generate('Zk3PpV0aNq8sUe5J', run='november', …)"
    assert column(sheet_of(path, "Failed"), "what to do") == [
        f"{stopped}{line} goes on with it.",
        f"Never sent, nothing billed. {line} sends it.",
        f"The service had a problem. Try once more: {line}.",
    ]
    assert f"not sent: run stopped | 1 | {stopped}{line} goes on with it." in words(path)


def test_both_languages_say_the_same_things() -> None:
    english, japanese = WORDS["en"], WORDS["ja"]
    for name in (
        "headings",
        "statuses",
        "decisions",
        "decision_meanings",
        "status_meanings",
        "traps",
        "says",
        "run",
    ):
        assert getattr(english, name).keys() == getattr(japanese, name).keys()


def test_summary_tells_a_manager_what_happened_and_what_the_decisions_mean(path: Path) -> None:
    write_workbook(make_results(10), path)
    said = words(path)
    assert "4 of 10 documents were accepted by the service; 6 need a look." in said
    assert "ready | 2 | 0.2 | The PDF exists." in said
    assert "That does not mean yet that the PDF exists" in said
    assert "Reject deletes nothing" in said
    assert "0:08:42" in said
    assert "failed: values refused | 2 | Correct the values" in said
    assert "Every value is shown as it is." in said


def test_run_says_where_the_workbook_came_from_and_nothing_unasked(path: Path) -> None:
    results = make_results(3)
    results.attrs["reportflow"]["app_key"] = "ak_secret"
    write_workbook(results, path)
    said = words(path, "Run")
    assert "run | november" in said
    assert "started (UTC) | 2026-11-23 20:23:00" in said
    with zipfile.ZipFile(path) as archive:
        assert not any(b"ak_secret" in archive.read(name) for name in archive.namelist())


def test_a_part_of_a_run_says_so(path: Path) -> None:
    write_workbook(make_results(10).iloc[:4], path)
    assert "This workbook shows 4 of the run's 10 documents." in words(path)


def test_results_that_forgot_their_run_are_written_all_the_same(path: Path) -> None:
    results = make_results(3)
    results.attrs = {}
    write_workbook(results, path)
    assert "PDF documents" in words(path)
    assert read_review(path).index.tolist() == [0, 1, 2]


def test_an_empty_frame_becomes_an_empty_workbook(path: Path) -> None:
    write_workbook(make_results(0), path)
    assert sheet_of(path).max_row == 1
    assert read_review(path).empty
    assert "This workbook holds no documents." in words(path)


def test_japanese_headings_statuses_and_decisions(path: Path) -> None:
    write_workbook(make_results(), path, language="ja")
    sheet = sheet_of(path)
    assert {"帳票", "状態", "判定", "コメント"} <= headings(sheet).keys()
    assert column(sheet, "状態") == ["完成", "受付済", "失敗", "不明", "未送信"]
    assert sheet.data_validations.dataValidation[0].formula1 == '"承認,再作成,却下"'


# How the sheets look


def test_the_header_is_frozen_and_filtered_and_the_keys_are_hidden(path: Path) -> None:
    write_workbook(make_results(5, index=["a", "b", "c", "d", "e"]), path)
    sheet = sheet_of(path)
    assert sheet.freeze_panes == "C2"
    last = openpyxl.utils.get_column_letter(sheet.max_column)
    assert sheet.auto_filter.ref == f"A1:{last}6"
    hidden = [str(cell.value) for cell in sheet[1] if sheet.column_dimensions[cell.column_letter].hidden]
    assert [name[:6] for name in hidden] == ["rf_run", "rf_row", "rf_key"]
    assert set(column(sheet, "rf_run")) == {"november"}
    assert column(sheet, "rf_row") == [0, 1, 2, 3, 4]


def test_decision_is_a_drop_down_on_every_line_of_results_only(path: Path) -> None:
    write_workbook(make_results(), path)
    sheet = sheet_of(path)
    (choice,) = sheet.data_validations.dataValidation
    letter = openpyxl.utils.get_column_letter(headings(sheet)["decision"])
    assert (choice.type, choice.formula1, str(choice.sqref)) == (
        "list",
        '"approve,redo,reject"',
        f"{letter}2:{letter}6",
    )
    assert not sheet_of(path, "Failed").data_validations.dataValidation


def test_status_colours_are_conditional_formats_for_every_status(path: Path) -> None:
    write_workbook(make_results(), path)
    sheet = sheet_of(path)
    letter = openpyxl.utils.get_column_letter(headings(sheet)["status"])
    rules = sheet.conditional_formatting[f"{letter}2:{letter}6"]
    assert [rule.formula[0] for rule in rules] == [f'"{word}"' for word in WORDS["en"].statuses.values()]


def test_a_column_is_as_wide_as_its_texts_japanese_counting_twice(path: Path) -> None:
    source = pd.DataFrame({"short": ["a"] * 5, "日本": ["日本語の文"] * 5, "long": ["x" * 500] * 5})
    write_workbook(make_results(), path, source)
    sheet = sheet_of(path)
    wide = {
        name: sheet.column_dimensions[openpyxl.utils.get_column_letter(at)].width
        for name, at in headings(sheet).items()
    }
    assert wide["short"] < wide["日本"] == 12 < wide["long"] == 40


def test_no_cell_of_the_whole_workbook_is_a_formula(path: Path) -> None:
    results = make_results(5)
    results["file_name"] = ["=1+1", "+1", "-1", "@x", "=cmd|' /C calc'!A0"]
    results["error"] = "=HYPERLINK(1)"
    results.index = pd.Index(list("abcde"), name="=name")
    results.attrs["reportflow"] |= {"design": "=1+1", "run": "=run", "download": "=x"}
    write_workbook(results, path, pd.DataFrame({"=head": ["=1"] * 5}, index=results.index))
    for sheet in openpyxl.load_workbook(path):
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert "document" in headings(sheet_of(path))
    assert all(cell.quotePrefix for cell in cells(sheet_of(path), "=head"))


def test_all_sheet_names_are_ones_that_excel_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    write_workbook(make_results(9), path)
    for name in openpyxl.load_workbook(path).sheetnames:
        assert 1 <= len(name) <= 31
        assert not set(name) & set("[]:*?/\\'")
        assert name.casefold() != "history"


# The source beside the results


def test_the_source_is_matched_by_position_whatever_its_index(path: Path) -> None:
    source = pd.DataFrame({"Customer": list("abcde")}, index=[7, 7, 7, 7, 7])
    results = make_results(5, index=source.index).iloc[[4, 1]]
    write_workbook(results, path, source)
    assert column(sheet_of(path), "Customer") == ["e", "b"]


def test_the_same_part_of_the_source_is_taken_line_by_line(path: Path) -> None:
    source = pd.DataFrame({"Customer": list("abcde")})
    write_workbook(make_results(5).iloc[[4, 1]], path, source.iloc[[4, 1]])
    assert column(sheet_of(path), "Customer") == ["e", "b"]


def test_a_sorted_source_is_refused(path: Path) -> None:
    source = pd.DataFrame({"Customer": list("abcde")}).iloc[::-1]
    with pytest.raises(ConfigurationError, match="row 0 is 4 there and 0 in the results"):
        write_workbook(make_results(5), path, source)


def test_a_source_with_other_rows_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="source= has 3 rows, the run had 5"):
        write_workbook(make_results(5), path, pd.DataFrame({"a": [1, 2, 3]}))
    assert not path.exists()


def test_names_of_columns_that_were_added_to_the_results_can_be_the_source(path: Path) -> None:
    results = make_results(2).assign(Customer=["a", "b"])
    write_workbook(results, path, ["Customer"])
    assert column(sheet_of(path), "Customer") == ["a", "b"]
    with pytest.raises(ConfigurationError, match="no column 'Total'"):
        write_workbook(results, path, ["Total"])


def test_source_columns_named_like_ours_get_a_suffix(path: Path) -> None:
    source = pd.DataFrame([["x"] * 5], columns=["Status", "decision", "判定", "amount", "Amount"])
    write_workbook(make_results(1), path, source)
    assert {"Status_source", "decision_source", "判定_source", "amount", "Amount_2"} <= headings(
        sheet_of(path)
    ).keys()
    assert read_review(path).decision.isna().all()


def test_source_columns_of_any_names_and_twice_the_same_are_all_there(path: Path) -> None:
    source = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", 7, ("b", "c")])
    write_workbook(make_results(1), path, source)
    assert {"a", "a_2", "7", "b / c"} <= headings(sheet_of(path)).keys()


def test_columns_past_the_last_of_a_sheet_are_left_out_and_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sheets._MOST_COLUMNS == 2**14
    monkeypatch.setattr(sheets, "_MOST_COLUMNS", 30)
    write_workbook(make_results(3), path, pd.DataFrame(np.zeros((3, 20), dtype="int8")))
    assert sheet_of(path).max_column == 30
    assert "8 columns of the source did not fit; a sheet has 16,384 columns." in words(path)
    assert len(read_review(path)) == 3


def test_dates_are_dates_and_times_of_other_zones_are_utc(path: Path) -> None:
    source = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "moment": pd.to_datetime(["2026-01-01T00:00", "2026-01-02T12:30"]),
            "Tokyo": pd.to_datetime(["2026-01-01T09:00", "2026-01-02T09:30"]).tz_localize("Asia/Tokyo"),
        }
    )
    write_workbook(make_results(2), path, source)
    sheet = sheet_of(path)
    assert column(sheet, "day")[1] == dt.datetime(2026, 1, 2)  # noqa: DTZ001 - a cell's time has no zone
    assert cells(sheet, "day")[0].number_format == "yyyy-mm-dd"
    assert column(sheet, "moment")[1] == dt.datetime(2026, 1, 2, 12, 30)  # noqa: DTZ001
    assert column(sheet, "Tokyo (UTC)")[1] == dt.datetime(2026, 1, 2, 0, 30)  # noqa: DTZ001
    assert column(sheet, "accepted (UTC)")[0] == dt.datetime(2026, 11, 23, 20, 24, 5)  # noqa: DTZ001
    assert "2 times had a time zone; they are shown in UTC." in words(path)


# Links


def test_the_pdf_on_disk_is_a_link_relative_to_the_workbook_s_folder(tmp_path: Path) -> None:
    results = make_results(["ready"] * 3)
    names = ["a b#1%.pdf", "請求書.pdf", "../x.pdf"]
    results["path"] = [str(tmp_path / "pdfs" / name) for name in names]
    write_workbook(results, tmp_path / "review.xlsx")
    found = cells(sheet_of(tmp_path / "review.xlsx"), "PDF on disk")
    assert [cell.hyperlink.target for cell in found] == ["pdfs/a%20b%231%25.pdf", "pdfs/請求書.pdf", "x.pdf"]
    assert {cell.value for cell in found} == {"open PDF"}


def test_the_web_page_is_a_link_of_its_own(path: Path) -> None:
    write_workbook(make_results(2), path)
    found = cells(sheet_of(path), "web page")
    assert [cell.hyperlink.target for cell in found] == [
        f"https://app.example.test/file/R1/F{at}" for at in range(2)
    ]
    assert column(sheet_of(path), "PDF on disk") == [None, None]


def test_links_past_the_limit_of_a_sheet_are_text_and_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_LINKS", 5)
    results = make_results(["ready"] * 4)
    results["path"] = [f"{at}.pdf" for at in range(4)]
    write_workbook(results, path)
    sheet = sheet_of(path)
    assert all(cell.hyperlink for cell in cells(sheet, "PDF on disk"))
    assert [bool(cell.hyperlink) for cell in cells(sheet, "web page")] == [True, False, False, False]
    assert column(sheet, "web page")[3] == "https://app.example.test/file/R1/F3"
    assert "3 links are plain text, since a sheet can hold 65,530 links." in words(path)
    assert columns.MOST_LINKS == 65_530


def test_a_link_of_more_than_2079_characters_is_text_and_said(path: Path) -> None:
    results = make_results(["ready"] * 2)
    results["url"] = ["https://a.test/" + "x" * n for n in (2_079 - 15, 2_080 - 15)]
    write_workbook(results, path)
    assert [bool(cell.hyperlink) for cell in cells(sheet_of(path), "web page")] == [True, False]
    assert "1 links are plain text, since they are longer" in words(path)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "=cmd|x", "\\\\server\\share"])
def test_an_address_that_is_no_web_address_is_text_and_said(path: Path, url: str) -> None:
    results = make_results(["ready"])
    results["url"] = [url]
    write_workbook(results, path)
    (cell,) = cells(sheet_of(path), "web page")
    assert (cell.hyperlink, cell.value, cell.data_type) == (None, url, "s")
    assert "1 addresses are not web addresses" in words(path)


# More rows than a sheet holds


def test_rows_that_do_not_fit_go_on_in_a_second_sheet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 5)
    monkeypatch.setattr(sheets, "_CHUNK", 3)
    write_workbook(make_results(10), path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Results", "Results 2", "Results 3", "Failed", "Failed 2", "Run"]
    assert [len(column(book[name], "document")) for name in book.sheetnames[1:4]] == [4, 4, 2]
    assert "go on in 2 more" in words(path)
    book["Results 3"].cell(3, headings(book["Results 3"])["decision"]).value = "redo"
    book.save(path)
    assert read_review(path).decision.tolist()[-1] == "redo"
    assert len(read_review(path)) == 10


def test_a_sheet_holds_1_048_576_rows() -> None:
    assert sheets.MOST_ROWS == 2**20


# Written again


def test_decisions_and_comments_are_kept_for_the_same_documents(path: Path) -> None:
    results = make_results(6)
    write_workbook(results, path)
    review(path, {0: "approve", 3: " 却下 "}, {1: "=look", 3: "why"})
    write_workbook(results.iloc[::-1], path, language="ja")
    sheet = sheet_of(path)
    assert column(sheet, "判定") == [None, None, "却下", None, None, "承認"]
    assert column(sheet, "コメント") == [None, None, "why", None, "=look", None]
    assert "3行分を引き継ぎました" in words(path)


def test_an_unknown_word_is_kept_as_it_was_typed(path: Path) -> None:
    write_workbook(make_results(2), path)
    review(path, {1: "aprove"})
    write_workbook(make_results(2), path)
    assert column(sheet_of(path), "decision") == [None, "aprove"]


def test_a_decision_does_not_pass_to_a_new_document_but_its_comment_stays(path: Path) -> None:
    results = make_results(["ready"] * 3)
    write_workbook(results, path)
    review(path, {0: "redo", 1: "approve"}, {0: "wrong sum"})
    results.loc[0, "file_id"] = "F-made-again"
    write_workbook(results, path)
    assert column(sheet_of(path), "decision") == [None, "approve", None]
    assert column(sheet_of(path), "comment") == ["wrong sum", None, None]
    assert "1 decisions were about an earlier version" in words(path)


def test_decisions_follow_their_documents_when_the_run_has_another_order(path: Path) -> None:
    results = make_results(["ready"] * 3)
    write_workbook(results, path)
    review(path, {0: "redo"})
    again = results.iloc[::-1].assign(row=[0, 1, 2])
    write_workbook(again, path)
    assert column(sheet_of(path), "decision") == [None, None, "redo"]


def test_a_workbook_whose_decisions_cannot_be_carried_over_is_kept_under_a_dated_name(path: Path) -> None:
    results = make_results(4)
    write_workbook(results, path)
    review(path, {0: "redo", 3: "redo"})
    with pytest.warns(FileKept, match="held 1 decisions or comments on documents that are not among these"):
        assert write_workbook(results.iloc[:2], path) == path
    (old,) = path.parent.glob("review 2026-11-23 *.xlsx")
    assert read_review(old).decision.tolist().count("redo") == 2
    assert column(sheet_of(path), "decision") == ["redo", None]


def test_the_workbook_of_another_run_with_decisions_is_kept(path: Path) -> None:
    write_workbook(make_results(2, run="october"), path)
    review(path, {0: "redo"})
    with pytest.warns(FileKept, match="It is kept as"):
        write_workbook(make_results(2), path)
    assert column(sheet_of(path), "decision") == [None, None]


def test_a_workbook_nobody_has_typed_into_is_replaced_without_a_word(path: Path) -> None:
    write_workbook(make_results(2, run="october"), path)
    write_workbook(make_results(2), path)
    assert [file.name for file in path.parent.iterdir()] == ["review.xlsx"]


def test_columns_of_the_reviewer_are_not_lost(path: Path) -> None:
    write_workbook(make_results(2), path)
    book = openpyxl.load_workbook(path)
    book["Results"].cell(1, book["Results"].max_column + 1).value = "my notes"
    book.save(path)
    with pytest.warns(FileKept, match="my notes"):
        write_workbook(make_results(2), path)


@pytest.mark.parametrize("content", [b"no workbook", None])
def test_a_file_that_is_not_ours_is_kept(path: Path, content: bytes | None) -> None:
    if content is None:
        pd.DataFrame({"a": [1]}).to_excel(path)
    else:
        path.write_bytes(content)
    with pytest.warns(FileKept, match="could not be carried over"):
        write_workbook(make_results(2), path)
    assert len(list(path.parent.iterdir())) == 2


# Moved into place


def test_a_target_open_in_excel_is_kept_and_the_new_file_gets_a_dated_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workbook(make_results(2), path)
    before = path.read_bytes()
    rename = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if Path(target) == path:
            raise PermissionError(13, "used by another process", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.warns(FileKept, match="is open in another program, probably Excel"):
        written = write_workbook(make_results(3), path)
    assert path.read_bytes() == before
    assert written.parent == path.parent
    assert written.name.startswith("review 2026-11-23 ")
    assert len(column(sheet_of(written), "document")) == 3
    assert len(list(path.parent.iterdir())) == 2


def test_a_foreign_file_that_cannot_be_replaced_is_left_under_its_own_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"no workbook")

    def refuse(self: Path, target: Path) -> Path:
        if Path(target) == path or self == path:
            raise PermissionError(13, "used by another process", str(target))
        return rename(self, target)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.warns(FileKept, match="It was left as it is; the new file is"):
        written = write_workbook(make_results(2), path)
    assert path.read_bytes() == b"no workbook"
    assert sorted(path.parent.iterdir()) == sorted([path, written])


def test_a_file_that_may_not_be_read_is_left_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workbook(make_results(2), path)
    review(path, {0: "redo"})
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as unreadable:
        unreadable.setattr(export_review, "read_lines", refuse)
        with pytest.warns(FileKept, match=r"cannot be read \(Permission denied\)"):
            written = write_workbook(make_results(2), path)
    assert path.read_bytes() == before
    assert written != path


def test_the_old_file_is_kept_also_where_there_are_no_hard_links(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"no workbook")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(FileKept, match="It is kept as"):
        write_workbook(make_results(2), path)
    (old,) = path.parent.glob("review 2026-11-23 *.xlsx")
    assert old.read_bytes() == b"no workbook"


@pytest.mark.parametrize("lock", ["~$review.xlsx", ".~lock.review.xlsx#"])
def test_a_lock_file_of_excel_or_libreoffice_says_that_the_target_is_open(path: Path, lock: str) -> None:
    write_workbook(make_results(2), path)
    path.with_name(lock).touch()
    with pytest.warns(FileKept, match="there is a lock file"):
        assert write_workbook(make_results(2), path) != path


def test_the_dated_name_is_told_apart_from_one_that_is_there(path: Path) -> None:
    first = atomic_write.dated(path, Noon())
    first.touch()
    assert atomic_write.dated(path, Noon()).name == f"{first.stem} (2).xlsx"


def test_a_failure_leaves_the_old_workbook_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_workbook(make_results(2), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(columns.Keys, "chunk", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write_workbook(make_results(2), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["review.xlsx"]


def test_a_rewritten_workbook_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.xlsx", tmp_path / "review.xlsx"
    write_workbook(make_results(2), real)
    real.chmod(0o640)
    link.symlink_to(real)
    write_workbook(make_results(3), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert len(column(sheet_of(real), "document")) == 3


# Refusals


@pytest.mark.parametrize("name", ["review", "review.csv", "review.xls", "missing/review.xlsx"])
def test_a_path_that_cannot_be_a_workbook_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"xlsx|does not exist"):
        write_workbook(make_results(1), tmp_path / name)


def test_a_frame_that_is_no_results_frame_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a results frame"):
        write_workbook(pd.DataFrame({"a": [1]}), path)


def test_results_of_several_runs_in_one_frame_are_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one workbook for each run"):
        write_workbook(pd.concat([make_results(2), make_results(3)]), path)


def test_an_unknown_language_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="either 'en' or 'ja'"):
        write_workbook(make_results(1), path, language="fr")  # type: ignore[arg-type]


def test_the_frames_are_left_as_they_were(path: Path) -> None:
    results, source = make_results(5), pd.DataFrame({"a": [{"x": 1}] * 5})
    before, source_before = results.copy(), source.copy()
    attrs = json.dumps(results.attrs)
    write_workbook(results, path, source)
    pd.testing.assert_frame_equal(results, before)
    pd.testing.assert_frame_equal(source, source_before)
    assert json.dumps(results.attrs) == attrs
    assert source.attrs == {}


def test_a_workbook_can_be_moved_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "pdfs").mkdir(parents=True)
    pdf = tmp_path / "a" / "pdfs" / "x.pdf"
    pdf.write_bytes(b"%PDF-")
    results = make_results(["ready"])
    results["path"] = [str(pdf)]
    write_workbook(results, tmp_path / "a" / "review.xlsx")
    shutil.move(tmp_path / "a", tmp_path / "b")
    target = cells(sheet_of(tmp_path / "b" / "review.xlsx"), "PDF on disk")[0].hyperlink.target
    assert (tmp_path / "b" / target).exists()


# How it looks, on the screen and on paper


def test_amounts_and_dates_are_formatted_by_column_and_ids_are_not(path: Path) -> None:
    source = pd.DataFrame(
        {
            "CustomerId": [1042, 7],
            "Paid": [1234567.5, 0.99],
            "Total": [1500.0, 20.0],
            "Rate": [0.125, 1.5],
            "Net": [Decimal("12.50"), None],
            "Year": [2026, 2025],
            "小計": [1200000, 5],
            "Day": pd.to_datetime(["2026-11-01", "2026-11-02"]),
            "Flag": [True, False],
        }
    )
    write_workbook(make_results(2), path, source)
    sheet = sheet_of(path)
    formats = {name: cells(sheet, name)[0].number_format for name in source}
    assert formats == {
        "CustomerId": "General",
        "Paid": "#,##0.00",
        "Total": "#,##0",
        "Rate": "General",
        "Net": "#,##0.00",
        "Year": "General",
        "小計": "#,##0",
        "Day": "yyyy-mm-dd",
        "Flag": "General",
    }
    assert column(sheet, "Paid") == [1234567.5, 0.99]


def test_index_and_document_stand_apart(path: Path) -> None:
    write_workbook(make_results(2), path)
    assert cells(sheet_of(path), "index")[0].alignment.horizontal == "left"


def test_results_prints_chosen_columns_across_one_landscape_page_under_a_repeated_head(path: Path) -> None:
    source = pd.DataFrame({f"column {number}": ["x" * 30] * 2 for number in range(9)})
    write_workbook(make_results(2), path, source)
    sheet = sheet_of(path)
    assert sheet.page_setup.orientation == "landscape"
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.print_title_rows == "$1:$1"
    last = sheet.print_area.split(":")[1].replace("$", "").rstrip("0123456789")
    printed = list(headings(sheet))[: openpyxl.utils.column_index_from_string(last)]
    assert printed[:2] == ["index", "document"]
    assert {"status", "decision", "comment", "column 0"} <= set(printed)
    assert not {"column 8", "request id", "rf_run"} & set(printed)


def test_a_wide_column_is_broken_into_lines_so_that_those_behind_it_are_printed(path: Path) -> None:
    results = make_results(["failed", "ready"])
    source = pd.DataFrame(
        {
            "Number": ["0001", "0002"],
            "Customer": ["Company of Northern Territories and Southern Islands Ltd " * 2, "Ada"],
            "Address": ["1 Long Street of a Town " * 3, "2 Short St"],
            "Remarks": ["to be collected by the driver on Monday", "none"],
            "Amount": [1234.5, 2.0],
            "Due": pd.to_datetime(["2026-12-01", "2026-12-02"]),
        }
    )
    write_workbook(results, path, source)
    for name in ("Results", "Failed"):
        sheet = sheet_of(path, name)
        last = sheet.print_area.split(":")[1].replace("$", "").rstrip("0123456789")
        printed = list(headings(sheet))[: openpyxl.utils.column_index_from_string(last)]
        assert set(source) <= set(printed), name
        assert sum(sheet.column_dimensions[get_column_letter(at + 1)].width for at in range(len(printed))) <= 230.1
        assert cells(sheet, "Customer")[0].alignment.wrap_text
        assert not cells(sheet, "Amount")[0].alignment.wrap_text
        assert sheet.row_dimensions[2].height > 3 * 15
        assert column(sheet, "Customer")[0] == source["Customer"][0]
    assert {
        cells(sheet_of(path), name)[0].alignment.vertical for name in ("Number", "Amount", "Due", "document")
    } == {"top"}


def test_columns_that_fit_on_the_page_keep_their_lines(path: Path) -> None:
    write_workbook(make_results(2), path, pd.DataFrame({"Customer": ["x" * 38] * 2, "Amount": [1.5, 2.5]}))
    sheet = sheet_of(path)
    assert not cells(sheet, "Customer")[0].alignment.wrap_text
    assert sheet.column_dimensions[get_column_letter(headings(sheet)["comment"])].width == 36


def test_a_sheet_that_is_too_long_to_print_is_not_laid_out_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pd.DataFrame({f"column {number}": ["x" * 38] * 3 for number in range(5)})
    for most, wrapped in ((3, True), (2, False)):
        monkeypatch.setattr(sheets, "_MOST_PRINTED", most)
        path.unlink(missing_ok=True)
        write_workbook(make_results(3), path, source)
        assert bool(cells(sheet_of(path), "column 0")[0].alignment.wrap_text) is wrapped


def test_an_amount_stands_apart_from_the_date_beside_it(path: Path) -> None:
    source = pd.DataFrame({"Amount": [1.5, 2.5], "Due": pd.to_datetime(["2026-12-01", "2026-12-02"])})
    write_workbook(make_results(2), path, source)
    alignment = cells(sheet_of(path), "Amount")[0].alignment
    assert (alignment.horizontal, alignment.indent) == ("right", 1)


def test_summary_is_one_printed_page(path: Path) -> None:
    write_workbook(make_results(10), path)
    sheet = sheet_of(path, "Summary")
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 1)


def test_what_happened_is_read_in_full_on_failed(path: Path) -> None:
    results = make_results(["failed", "failed"])
    results["error"] = ["The value is wrong. " * 20, "no"]
    write_workbook(results, path)
    sheet = sheet_of(path, "Failed")
    long, short = (sheet.row_dimensions[row].height for row in (2, 3))
    assert cells(sheet, "what happened")[0].alignment.wrap_text
    assert long > 6 * 15 > short
    assert column(sheet, "what happened")[0] == "The value is wrong. " * 20


def test_a_long_name_of_a_document_is_read_in_full_beside_its_links(path: Path) -> None:
    name = "領収書_01_株式会社日本電子計算機総合研究開発機構北海道支社札幌営業部御中_2026年11月分_控え"
    for names, wrapped in (([name, "short"], True), (["x" * 50, "short"], False)):
        results = make_results(["ready", "failed"])
        results["file_name"] = names
        path.unlink(missing_ok=True)
        write_workbook(results, path)
        sheet = sheet_of(path)
        assert bool(cells(sheet, "document")[0].alignment.wrap_text) is wrapped
        long, short = (sheet.row_dimensions[row].height for row in (2, 3))
        if wrapped:
            assert long >= 2 * 15 > short
            assert cells(sheet, "web page")[0].alignment.vertical == "top"


def test_a_document_without_a_pdf_for_good_is_on_failed_and_no_success(path: Path) -> None:
    results = make_results(["ready", "accepted", "accepted"])
    results["error_kind"] = [None, None, "no_pdf"]
    write_workbook(results, path)
    failed = sheet_of(path, "Failed")
    assert column(failed, "status") == ["accepted"]
    assert "can never be made" in column(failed, "what to do")[0]
    told = words(path)
    assert "accepted, no PDF possible" in told
    assert "2 of 3 documents were accepted and can have their PDFs; 1 need a look." in told


@pytest.mark.parametrize(("kind", "is_told"), [(None, True), ("no_pdf", False)])
def test_only_documents_that_can_have_a_pdf_are_told_to_be_on_the_web_alone(
    path: Path, kind: str | None, is_told: bool
) -> None:
    results = make_results(["ready", "accepted"])
    results["url"] = "https://app.example.test/file/R1"
    results["path"] = [str(path.with_name("Invoice-1.pdf")), None]
    results["error_kind"] = [None, kind]
    write_workbook(results, path)
    assert ("with a web page only" in words(path)) is is_told


def test_only_pages_that_a_person_can_open_are_links_beside_the_file_on_disk(path: Path) -> None:
    results = make_results(["ready", "ready"])
    results["url"] = ["https://api.example.test/v1/file/download/R1", "https://app.example.test/file/R1"]
    write_workbook(results, path)
    page = cells(sheet_of(path), "web page")
    assert (page[0].value, page[0].hyperlink) == (None, None)
    assert page[1].hyperlink.target == "https://app.example.test/file/R1"


def test_a_page_of_the_embedded_service_is_a_link_only_where_no_pdf_is_on_the_disk(path: Path) -> None:
    results = make_results(["ready", "ready"])
    results["url"] = "http://127.0.0.1:36905/__emulator__/file/R1"
    results["path"] = [str(path.with_name("Invoice-1.pdf")), None]
    write_workbook(results, path)
    saved, web_only = cells(sheet_of(path), "web page")
    assert (saved.value, saved.hyperlink) == (None, None)
    assert web_only.hyperlink.target == "http://127.0.0.1:36905/__emulator__/file/R1"


def test_mailed_results_show_what_became_of_each_mail(tmp_path: Path) -> None:
    results = make_results(["ready", "ready"])
    results["mail_status"], results["mail_error"] = ["sent", "failed"], [None, "550 no such user"]
    results["mailed_at"] = pd.to_datetime(["2026-11-27T08:00:00", None], utc=True)
    sheet = openpyxl.load_workbook(results.reportflow.to_excel(tmp_path / "review.xlsx"))["Results"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert [sheet.cell(line, at["mail"]).value for line in (2, 3)] == ["sent", "failed"]
    assert sheet.cell(3, at["mail: what happened"]).value == "550 no such user"
    assert sheet.cell(2, at["mailed (UTC)"]).value == pd.Timestamp("2026-11-27T08:00:00")
