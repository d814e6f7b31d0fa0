"""A workbook's cells become what the sheet shows, or are refused by their names."""

from __future__ import annotations

import datetime as dt
import pickle
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from openpyxl.utils.escape import unescape
from reading.writing import HEAD, receipt, replaced, rewritten, sheet_file

from reportflow_pandas import read_rows
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.locations import notes, where
from reportflow_pandas.reading.shown import ShownText

FIRST = dt.datetime(2026, 11, 1)  # noqa: DTZ001 - a sheet has no time zones
NOON = FIRST.replace(hour=12)


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        read_rows(path, **how)
    return str(refusal.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.xlsx"


# cells whose value is not known


def test_error_cells_are_refused_by_their_names(path: Path) -> None:
    sheet_file(path, [receipt(1, Description="#N/A"), receipt(2, CustomerName="#REF!"), receipt(3)])
    said = refused(path)
    assert "2 cells with an error" in said
    assert "F2 #N/A" in said
    assert "C3 #REF!" in said
    kept = read_rows(path, text=["Description", "CustomerName"])
    assert kept["Description"].tolist() == ["#N/A", "Coffee", "Coffee"]


def test_an_error_that_is_a_text_is_refused_as_well(path: Path) -> None:
    """Values that were pasted from another sheet are texts."""

    def paste(sheet: Any) -> None:
        sheet["E2"].value = "#DIV/0!"
        sheet["E2"].data_type = "s"

    sheet_file(path, [receipt()], change=paste)
    assert "E2 #DIV/0!" in refused(path)


def test_a_formula_without_a_stored_value_is_refused(path: Path) -> None:
    sheet_file(path, [receipt(Amount="=1+1"), receipt(2)])
    said = refused(path)
    assert "1 formula without a stored value: E2" in said
    assert "save it" in said


def test_a_row_of_nothing_but_formulas_without_a_value_is_no_empty_row(path: Path) -> None:
    sheet_file(path, [receipt(), ["=1+1"] * len(HEAD), receipt(3)])
    said = refused(path)
    assert "formulas without a stored value: A3, B3" in said


def test_a_formula_whose_result_is_an_empty_text_is_an_empty_cell(path: Path, tmp_path: Path) -> None:
    sheet_file(path, [receipt(Company='=IF(1,"","x")')])
    stored = replaced(path, tmp_path / "stored.xlsx", "sheet1.xml", rb'(<c r="D2")>', rb'\1 t="str">')
    assert read_rows(stored)["Company"].isna().all()


def test_a_date_beyond_the_calendar_is_refused(path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet["B2"].value, sheet["B2"].number_format = 99_999_999, "yyyy-mm-dd"

    sheet_file(path, [receipt()], change=change)
    assert "B2" in refused(path)


# rows and sheets


def hide(*rows: int) -> Any:
    def change(sheet: Any) -> None:
        for row in rows:
            sheet.row_dimensions[row].hidden = True

    return change


def test_hidden_rows_are_refused_left_out_or_taken(path: Path) -> None:
    sheet_file(path, [receipt(n) for n in range(1, 6)], change=hide(3, 5))
    said = refused(path)
    assert "2 rows of 5 are hidden" in said
    assert "rows 3, 5" in said
    assert "hidden='skip'" in said
    assert "hidden='keep'" in said
    shown = read_rows(path, hidden="skip")
    assert shown["ReceiptId"].tolist() == ["R-1", "R-3", "R-5"]
    assert where(shown, 1, "Amount") == "rows.xlsx, Sheet!E4"
    assert len(read_rows(path, hidden="keep")) == 5


def test_hidden_rows_above_the_headings_and_empty_ones_do_not_matter(path: Path) -> None:
    sheet_file(path, [HEAD, receipt(), [None] * 7], head=["Title"], change=hide(1, 4))
    assert len(read_rows(path, header=2)) == 1


def test_an_error_in_a_row_that_is_left_out_does_not_matter(path: Path) -> None:
    sheet_file(path, [receipt(), receipt(2, Amount="#REF!")], change=hide(3))
    assert len(read_rows(path, hidden="skip")) == 1


@pytest.fixture
def sheets(path: Path) -> Path:
    """A workbook with a hidden first sheet and two visible ones."""
    workbook = openpyxl.Workbook()
    first = workbook.active
    assert first is not None
    first.title = "Lists"
    first["A1"] = "cash"
    first.sheet_state = "hidden"
    for name, value in (("October", 1), ("November", 2)):
        sheet = workbook.create_sheet(name)
        sheet.append(["a", "b"])
        sheet.append([value, value])
    workbook.active = 1
    workbook.save(path)
    return path


def test_the_first_visible_sheet_is_read_and_any_other_by_its_name(sheets: Path) -> None:
    assert read_rows(sheets)["a"].tolist() == [1]
    assert read_rows(sheets, sheet="November")["a"].tolist() == [2]
    assert where(read_rows(sheets, sheet="November"), 0, "b") == "rows.xlsx, November!B2"


def test_a_wrong_sheet_is_answered_with_those_there_are(sheets: Path) -> None:
    said = refused(sheets, sheet="november")
    assert "'October', 'November'" in said
    assert "hidden: 'Lists'" in said
    assert "Did you mean 'November'?" in said


def test_an_empty_sheet_is_answered_with_the_others(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.create_sheet("Orders").append(["a"])
    workbook.save(tmp_path / "empty.xlsx")
    assert "'Orders'" in refused(tmp_path / "empty.xlsx")


def test_a_first_sheet_without_rows_is_answered_with_the_others(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    first = workbook.active
    assert first is not None
    first["A1"] = "Orders, exported by Ms. Weber"
    workbook.create_sheet("Orders").append(["a"])
    workbook.save(tmp_path / "cover.xlsx")
    assert "'Sheet', 'Orders'" in refused(tmp_path / "cover.xlsx")
    assert len(read_rows(tmp_path / "cover.xlsx", sheet="Sheet")) == 0


# headings


def test_titles_are_refused_together_with_all_else(path: Path) -> None:
    rows = [[None], HEAD, receipt(1), receipt(2, Amount="#N/A"), receipt(3)]
    sheet_file(path, rows, head=["Orders of November"], change=hide(6))
    said = refused(path)
    assert "header=3" in said
    assert "'ReceiptId', 'ReceiptDate'" in said
    assert "1 row of 3 is hidden" in said
    assert "E5 #N/A" in said


def test_headings_that_are_numbers_or_dates_are_texts(path: Path) -> None:
    sheet_file(path, [[1, 2, 3, 4]], head=[2024, 2024.5, FIRST, True])
    assert read_rows(path).columns.tolist() == ["2024", "2024.5", "2026-11-01", "true"]
    assert read_rows(path, text=["2024"])["2024"].tolist() == ["1"]


def test_a_gap_between_rows_does_not_move_their_places(path: Path) -> None:
    sheet_file(path, [receipt(1), [None] * 7, [None] * 7, receipt(2)])
    frame = read_rows(path)
    assert where(frame[frame["ReceiptId"] == "R-2"], 0, "Amount") == "rows.xlsx, Sheet!E5"


# merged cells


def test_each_row_of_a_merged_cell_gets_its_value_and_that_is_said(path: Path) -> None:
    rows = [receipt(1), receipt(2, CustomerName=None), receipt(3, CustomerName="Bob")]
    sheet_file(path, rows, change=lambda sheet: sheet.merge_cells("C2:C3"))
    frame = read_rows(path)
    assert frame["CustomerName"].tolist() == ["Ann", "Ann", "Bob"]
    (note,) = notes(frame)
    assert (note.kind, note.column, note.count) == ("merged", "CustomerName", 1)
    assert "Sheet!C2:C3: 'Ann'" in note.problem


@pytest.mark.parametrize("cells", ["C2:D2", "B2:C3", "A3:G3"])
def test_a_cell_merged_over_columns_is_refused(path: Path, cells: str) -> None:
    sheet_file(path, [receipt(1), receipt(2)], change=lambda sheet: sheet.merge_cells(cells))
    assert cells in refused(path)


def test_merged_titles_do_not_matter_and_merged_headings_name_the_last_line(path: Path) -> None:
    sheet_file(path, [HEAD, receipt()], head=["Orders"], change=lambda sheet: sheet.merge_cells("A1:G1"))
    assert len(read_rows(path, header=2)) == 1

    def two_lines(sheet: Any) -> None:
        sheet.insert_rows(1)
        for column in "ABC":
            sheet[f"{column}1"] = sheet[f"{column}2"].value
            sheet[f"{column}2"] = None
            sheet.merge_cells(f"{column}1:{column}2")
        sheet["D1"] = "Order"
        sheet.merge_cells("D1:G1")

    sheet_file(path, [receipt()], change=two_lines)
    assert "header=2" in refused(path)
    assert read_rows(path, header=2).columns.tolist() == HEAD


# texts and numbers


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b"Line one_x000D_\nLine two", "Line one\nLine two"),
        (b"One_x000D_Two", "One\nTwo"),
        (b"_x005F_x000D_", "_x000D_"),
        (b"a_x0041_b", "aAb"),
        (b"under_x_score", "under_x_score"),
    ],
)
def test_excels_escapes_are_what_they_stand_for(path: Path, tmp_path: Path, stored: bytes, shown: str) -> None:
    sheet_file(path, [receipt(Description="XXX")])
    escaped = rewritten(path, tmp_path / "escaped.xlsx", lambda _, data: data.replace(b"XXX", stored))
    assert read_rows(escaped)["Description"].tolist() == [shown]


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (b"1234.5600000000002", 1234.56),
        (b"0.30000000000000004", 0.3),
        (b"9007199254740993", 9007199254740993),
        (b"5.0", 5),
        (b"1.0E-5", 1e-5),
    ],
)
def test_numbers_have_the_digits_that_a_spreadsheet_shows(
    path: Path, tmp_path: Path, stored: bytes, value: float
) -> None:
    sheet_file(path, [receipt(Amount=999)])
    noisy = replaced(path, tmp_path / "noise.xlsx", "sheet1.xml", b"<v>999</v>", b"<v>" + stored + b"</v>")
    assert read_rows(noisy)["Amount"].tolist() == [value]


def test_text_columns_are_texts_as_documents_print_them(path: Path) -> None:
    moment = FIRST + dt.timedelta(days=4)
    row = receipt(PaymentMethod=moment, CustomerName=True, Amount=171.0, Company=dt.timedelta(hours=54, seconds=3))
    sheet_file(path, [row])
    frame = read_rows(path, text=["PaymentMethod", "CustomerName", "Amount", "Company"])
    assert frame.loc[0, ["PaymentMethod", "CustomerName", "Amount", "Company"]].tolist() == [
        "2026-11-05",
        "true",
        "171",
        "54:00:03",
    ]


def test_whole_numbers_beside_empty_cells_stay_whole(path: Path) -> None:
    sheet_file(path, [[2**53 - 1, "a"], [None, "b"]], head=["n", "t"])
    assert read_rows(path)["n"].tolist()[0] == 2**53 - 1
    assert read_rows(path)["n"].dtype == "Int64"


def test_texts_become_numbers_where_their_decimal_sign_is_named(path: Path) -> None:
    sheet_file(path, [receipt(1, Amount="1.234,50"), receipt(2, Amount="12,5"), receipt(3, Amount=7)])
    frame = read_rows(path)
    assert frame["Amount"].tolist() == ["1.234,50", "12,5", 7]
    (note,) = notes(frame)
    assert (note.kind, note.types, note.count) == ("ambiguous", ["number"], 2)
    assert "'1.234,50' (rows.xlsx, Sheet!E2)" in note.problem
    assert "decimal=','" in note.suggestion
    read = read_rows(path, decimal=",")
    assert read["Amount"].tolist() == [1234.5, 12.5, 7]
    (note,) = notes(read)
    assert (note.kind, note.types) == ("format", ["text"])
    assert "'1234.5'" in note.problem
    sheet_file(path, [receipt(1, Amount="1.234,50"), receipt(2, Amount="12,00")])
    assert read_rows(path, decimal=",")["Amount"].tolist() == [Decimal("1234.50"), Decimal("12.00")]


def test_numbers_as_texts_are_named_together_with_all_else(path: Path) -> None:
    sheet_file(path, [HEAD, receipt(Amount="984,75")], head=["Receipts"])
    assert "decimal=','" in refused(path)


# number formats


def formats(sheet: Any) -> None:
    for cell, value, form in (
        ("A2", 171, "00000"),
        ("E2", 0.19, "0%"),
        ("F2", FIRST, "mmm-yy"),
        ("G2", 1234.5, '#,##0.00 "€"'),
    ):
        sheet[cell].value, sheet[cell].number_format = value, form


def test_a_format_that_changes_what_is_seen_is_noted_with_its_cell(path: Path) -> None:
    sheet_file(path, [receipt()], change=formats)
    frame = read_rows(path)
    assert frame.loc[0, ["ReceiptId", "Amount", "PaymentMethod"]].tolist() == [171, 0.19, 1234.5]
    found = {note.column: note for note in notes(frame)}
    assert set(found) == {"ReceiptId", "Amount", "Description", "PaymentMethod"}
    assert "'00171' in rows.xlsx, Sheet!A2 (number format 00000)" in found["ReceiptId"].problem
    assert found["ReceiptId"].types == ["text"]
    assert found["Amount"].types == ["text", "number"]
    assert "'Nov-26'" in found["Description"].problem
    assert all("as_shown=True" in note.suggestion for note in found.values())


def test_a_note_is_silent_as_soon_as_its_cells_are_corrected_or_gone(path: Path) -> None:
    sheet_file(path, [receipt(), receipt(2)], change=formats)
    frame = read_rows(path)
    corrected = frame.assign(ReceiptId=frame["ReceiptId"].astype(str).str.zfill(5))
    assert "ReceiptId" not in {note.column for note in notes(corrected)}
    assert "Amount" in {note.column for note in notes(corrected)}
    assert notes(frame[1:]) == []


def test_as_shown_keeps_what_the_sheet_shows_and_the_value_too(path: Path) -> None:
    sheet_file(path, [receipt()], change=formats)
    frame = read_rows(path, as_shown=True)
    assert frame.loc[0, ["ReceiptId", "Amount", "Description", "PaymentMethod"]].tolist() == [
        "00171",
        "19%",
        "Nov-26",
        "1,234.50 €",
    ]
    kept = pickle.loads(pickle.dumps(frame[["Amount"]].copy()))["Amount"].iloc[0]  # noqa: S301 - our own bytes
    assert isinstance(kept, ShownText)
    assert kept.value == 0.19
    assert read_rows(path, as_shown=True, decimal=",").loc[0, "PaymentMethod"] == "1.234,50 €"


def test_a_date_that_each_computer_shows_in_its_own_way_is_said_as_shown(path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet["F2"].value, sheet["F2"].number_format = FIRST, "mm-dd-yy"

    sheet_file(path, [receipt()], change=change)
    assert notes(read_rows(path)) == []
    (note,) = notes(read_rows(path, as_shown=True))
    assert "depends on the reader's computer" in note.problem


def test_leading_zeros_are_kept_in_a_text_column(path: Path) -> None:
    sheet_file(path, [receipt()], change=formats)
    assert read_rows(path, text=["ReceiptId"]).loc[0, "ReceiptId"] == "00171"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (171, "General"),
        (171, "0"),
        (FIRST, "dd.mm.yyyy"),
        (FIRST, "d mmmm yyyy"),
        (12, "#,##0"),
        (dt.timedelta(hours=54, minutes=5), "[h]:mm:ss"),
        ("text", "00000"),
    ],
)
def test_a_format_that_says_the_same_is_not_noted(path: Path, value: Any, form: str) -> None:
    def change(sheet: Any) -> None:
        sheet["F2"].value, sheet["F2"].number_format = value, form

    sheet_file(path, [receipt()], change=change)
    assert notes(read_rows(path)) == []


# files of other programs


@pytest.mark.parametrize(
    ("part", "pattern", "by"),
    [
        ("styles.xml", rb"<fill>\s*<patternFill[^>]*/>\s*</fill>", b"<fill/>"),
        ("styles.xml", rb"<patternFill ?/>", b"<patternFill><extLst/></patternFill>"),
        ("sheet1.xml", rb'<c r="C2"[^>]*>.*?</c>', b'<c r="C2" t="s"><v>5</v></c>'),
        ("sheet1.xml", rb"(?s)</row>.*", b""),
        ("sheet1.xml", rb"<v>10.5</v>", b"<v>ten</v>"),
        ("workbook.xml", rb"(?s).*", b""),
    ],
)
def test_a_damaged_or_foreign_workbook_is_refused_in_one_sentence(
    path: Path, tmp_path: Path, part: str, pattern: bytes, by: bytes
) -> None:
    sheet_file(path, [receipt()])
    said = refused(replaced(path, tmp_path / "foreign.xlsx", part, pattern, by))
    assert "foreign.xlsx" in said
    assert "\n" not in said


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 0.999), st.integers(1, 255), st.floats(0.1, 1))
def test_a_workbook_with_any_byte_changed_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: float, change: int, kept: float
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    content = bytearray(sheet_file(folder / "rows.xlsx", [receipt()]).read_bytes())
    content[int(place * len(content))] ^= change
    (folder / "changed.xlsx").write_bytes(content[: int(kept * len(content))])
    try:
        read_rows(folder / "changed.xlsx")
    except ConfigurationError:
        return


def test_a_workbook_whose_other_parts_are_strange_is_read(path: Path, tmp_path: Path) -> None:
    sheet_file(path, [receipt()])
    strange = b'</sheetData><dataValidations count="x"><nothing/></dataValidations>'
    assert len(read_rows(replaced(path, tmp_path / "strange.xlsx", "sheet1.xml", b"</sheetData>", strange))) == 1


def test_a_zip_that_is_no_workbook_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.xlsx", "w") as archive:
        archive.writestr("orders.csv", "a,b")
    assert "'orders.csv'" in refused(tmp_path / "rows.xlsx")


# everything that openpyxl writes

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(-(2.0**40), 2.0**40, width=32),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
    st.integers(0, 2_900_000).map(lambda days: dt.datetime(1900, 3, 1, 9, 30) + dt.timedelta(days=days)),  # noqa: DTZ001
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_openpyxl_wrote_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]
) -> None:
    path = tmp_path_factory.mktemp("xlsx") / "rows.xlsx"
    texts = [cell for row in rows for cell in row if isinstance(cell, str)]
    if any(text.startswith("=") for text in texts):
        return  # formulas, which are refused
    sheet_file(path, rows, head=["alpha", "beta", "gamma"])
    if any(text in ("#N/A", "#REF!") for text in texts):
        refused(path)
        return
    frame = read_rows(path)
    kept = [row for row in rows if any(cell is not None and str(cell).strip() for cell in row)]
    read = [[_plain(cell) for cell in row] for row in frame.astype(object).to_numpy().tolist()]
    assert read == [[_expected(cell) for cell in row] for row in kept]


def _plain(cell: Any) -> Any:
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    return None if cell is None or pd.isna(cell) else cell


def _expected(cell: Any) -> Any:
    if isinstance(cell, str):
        return unescape(cell) or None
    # openpyxl writes 16 digits; the reader keeps 15 of them
    return float(f"{float(f'{cell:.16g}'):.15g}") if isinstance(cell, float) else cell


@pytest.mark.parametrize(("serial", "shown"), [(60, "1900-02-29"), (-5, "########")])
def test_a_number_that_is_no_day_of_the_sheets_calendar_is_refused(path: Path, serial: float, shown: str) -> None:
    def change(sheet: Any) -> None:
        sheet["B2"].value, sheet["B2"].number_format = serial, "yyyy-mm-dd"

    with pytest.raises(ConfigurationError, match=f"B2 {shown}"):
        read_rows(sheet_file(path, [receipt()], change=change))


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (NOON, "yyyy-mm-dd", "2026-11-01"),
        (NOON, "mm-dd-yy", None),
        (0, "yyyy-mm-dd", None),
        ("abc", '"Nr. "@', "Nr. abc"),
        ("secret", ";;;", ""),
    ],
)
def test_a_time_that_is_not_shown_and_words_around_a_text_are_noted(
    path: Path, value: Any, form: str, shown: str | None
) -> None:
    def change(sheet: Any) -> None:
        sheet["F2"].value, sheet["F2"].number_format = value, form

    frame = read_rows(sheet_file(path, [receipt()], change=change))
    (note,) = notes(frame)
    assert ("otherwise" if shown is None else f"the sheet shows {shown!r}") in note.problem
    if shown is not None:
        assert read_rows(path, as_shown=True)["Description"].tolist() == [shown]


def test_an_accounting_format_says_the_same_of_a_text(path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet["F2"].number_format = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'

    assert not notes(read_rows(sheet_file(path, [receipt()], change=change)))


def test_a_part_that_is_nearly_all_repetition_is_not_unpacked(path: Path, tmp_path: Path) -> None:
    sheet_file(path, [receipt()])
    target = rewritten(
        path,
        tmp_path / "bomb.xlsx",
        lambda part, data: b" " * 110_000_000 if part.endswith("sheet1.xml") else data,
    )
    with pytest.raises(ConfigurationError, match="more memory than any table"):
        read_rows(target)
