"""Files of other programs: read with the same care, or refused in one sentence with a way out."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import msoffcrypto
import pandas as pd
import pytest
import pyxlsb
import xlwt
from conftest import required
from msoffcrypto.format.ooxml import OOXMLFile
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from reading.writing import HEAD, receipt, replaced, rewritten, sheet_file
from reading.xlsb_writing import xlsb_file

from reportflow_pandas import read_rows
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.reading.locations import notes, where


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        read_rows(path, **how)
    return str(refusal.value)


# .xls


def xls(path: Path, errors: bool = False) -> Path:
    """Write an old workbook: a hidden sheet, zeros by format, a date, a hidden row, a merged cell."""
    book = xlwt.Workbook()
    book.add_sheet("Lists").write(0, 0, "cash")
    book.get_sheet(0).visibility = 1
    sheet = book.add_sheet("Orders")
    for column, name in enumerate(["Id", "When", "Name", "Share"]):
        sheet.write(0, column, name)
    for row in range(1, 4):
        sheet.write(row, 0, 170 + row, xlwt.easyxf(num_format_str="00000"))
        sheet.write(row, 1, 46327, xlwt.easyxf(num_format_str="yyyy-mm-dd"))
        sheet.write(row, 3, 0.19, xlwt.easyxf(num_format_str="0%"))
    sheet.write_merge(1, 2, 2, 2, "Ann")
    if errors:
        sheet.row(3).set_cell_error(2, 42)
    else:
        sheet.write(3, 2, "Bob")
    sheet.row(2).hidden = True
    book.save(str(path))
    return path


def test_an_old_workbook_is_read_with_the_same_care(tmp_path: Path) -> None:
    path = xls(tmp_path / "rows.xls")
    assert "1 row of 3 is hidden" in refused(path)
    frame = read_rows(path, hidden="keep")
    assert frame["Id"].tolist() == [171, 172, 173]
    assert frame["When"].tolist() == [pd.Timestamp("2026-11-01")] * 3
    assert frame["Name"].tolist() == ["Ann", "Ann", "Bob"]
    assert where(frame, 2, "Name") == "rows.xls, Orders!C4"
    assert {note.column: note.kind for note in notes(frame)} == {
        "Id": "format",
        "Share": "format",
        "Name": "merged",
    }
    shown = read_rows(path, hidden="skip", as_shown=True)
    assert shown["Id"].tolist() == ["00171", "00173"]
    assert shown["Share"].iloc[0].value == 0.19


def test_errors_of_an_old_workbook_are_refused_by_their_cells(tmp_path: Path) -> None:
    assert "C4 #N/A" in refused(xls(tmp_path / "rows.xls", errors=True), hidden="keep")


def test_formulas_that_all_show_nothing_are_said(tmp_path: Path) -> None:
    """An empty text is what xlwt writes as the result of each formula."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Orders")
    for column, cells in enumerate((["Id", 1, 2], ["Sum", xlwt.Formula("1+1"), xlwt.Formula("2+2")])):
        for row, cell in enumerate(cells):
            sheet.write(row, column, cell)
    book.save(str(tmp_path / "rows.xls"))
    (note,) = notes(read_rows(tmp_path / "rows.xls"))
    assert "'Sum' has formulas that show nothing (rows.xls, Orders!B2, …)" in note.problem
    assert note.count == 2


def test_an_old_workbook_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = xls(tmp_path / "rows.xls")
    path.write_bytes(path.read_bytes()[:1500])
    assert "\n" not in refused(path)


# .ods


@pytest.fixture(scope="module")
def ods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what LibreOffice makes of a workbook with formats, an error, a hidden row and a merged cell."""
    required("LibreOffice", shutil.which("soffice"))
    folder = tmp_path_factory.mktemp("ods")

    def change(sheet: Any) -> None:
        sheet["A2"].value, sheet["A2"].number_format = 171, "00000"
        sheet["E2"].value, sheet["E2"].number_format = 0.19, "0%"
        sheet["F4"] = "=1+1"
        sheet["F3"] = "=NA()"
        sheet["F2"] = '=IF(1,"","x")'
        sheet.row_dimensions[3].hidden = True
        sheet.merge_cells("C4:C5")

    rows = [receipt(1, CustomerName=True), receipt(2), receipt(3), receipt(4, CustomerName=None)]
    sheet_file(folder / "rows.xlsx", rows, change=change)
    arguments = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", "ods"]
    subprocess.run([*arguments, "rows.xlsx"], cwd=folder, check=True, capture_output=True, timeout=120)  # noqa: S603
    return folder / "rows.ods"


def test_a_sheet_of_libreoffice_is_read_with_the_same_care(ods: Path) -> None:
    said = refused(ods)
    assert "1 row of 4 is hidden" in said
    assert "F3 #N/A" in said
    frame = read_rows(ods, hidden="skip")
    assert frame.columns.tolist() == HEAD
    assert frame["CustomerName"].tolist() == [True, "Ann", "Ann"]
    assert frame["Description"].tolist() == [None, 2, "Coffee"]
    assert frame["ReceiptId"].tolist() == [171, "R-3", "R-4"]
    assert where(frame, 1, "Amount") == "rows.ods, Sheet!E4"
    assert {note.column for note in notes(frame)} == {"ReceiptId", "Amount", "CustomerName"}
    shown = read_rows(ods, hidden="skip", as_shown=True)
    assert shown.loc[0, ["ReceiptId", "Amount", "CustomerName"]].tolist() == ["00171", "19%", "TRUE"]
    assert shown.loc[0, "Amount"].value == 0.19


# .xlsb


def test_a_binary_workbook_is_read_with_the_same_care(tmp_path: Path) -> None:
    rows = [
        ["Id", "Name", "Paid"],
        [1, "Ann", True],
        [2, None, None],
        [3, "Zoë_x000D_\nLee", False],
        [4, "#N/A", None],
    ]
    path = xlsb_file(tmp_path / "rows.xlsb", rows, hidden=[4], merged=[(1, 2, 1, 1)])
    said = refused(path)
    assert "1 row of 4 is hidden" in said
    assert "(row 4)" in said
    assert "B5 #N/A" in said
    frame = read_rows(path, hidden="keep", text="Name")
    assert frame["Id"].tolist() == [1, 2, 3, 4]
    assert frame["Name"].tolist() == ["Ann", "Ann", "Zoë\nLee", "#N/A"]
    assert frame["Paid"].tolist() == [True, pd.NA, False, pd.NA]
    assert where(frame, 3, "Name") == "rows.xlsb, Orders!B5"
    assert {note.kind for note in notes(frame)} == {"merged"}


def test_number_formats_of_a_binary_workbook_are_read(tmp_path: Path) -> None:
    formats = {(1, 0): "00000", (1, 1): "0%", (1, 2): "mmm-yy", (1, 3): "#,##0.00", (1, 4): "yyyy-mm-dd"}
    rows = [["Id", "Share", "Month", "Amount", "Day"], [171.0, 0.19, 46327.0, 1234.5, 46327.0]]
    path = xlsb_file(tmp_path / "rows.xlsb", rows, formats=formats)
    frame = read_rows(path)
    assert frame["Day"].tolist() == [pd.Timestamp("2026-11-01")]
    shown = {note.column: note.problem.partition("the sheet shows ")[2].split(" in ")[0] for note in notes(frame)}
    assert shown == {"Id": "'00171'", "Share": "'19%'", "Month": "'Nov-26'", "Amount": "'1,234.50'"}
    assert read_rows(path, as_shown=True).iloc[0].tolist()[:4] == ["00171", "19%", "Nov-26", "1,234.50"]
    assert read_rows(path, text=["Id"])["Id"].tolist() == ["00171"]


def test_a_text_that_looks_like_an_errors_code_is_a_text(tmp_path: Path) -> None:
    path = xlsb_file(tmp_path / "rows.xlsb", [["Id", "Code"], [1, "0x2a"]])
    assert read_rows(path)["Code"].tolist() == ["0x2a"]


def test_a_binary_workbook_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = xlsb_file(tmp_path / "rows.xlsb", [["Id", "Code"], [1, "x"]])
    cut = rewritten(path, tmp_path / "cut.xlsb", lambda part, data: data[:40] if "sheet1" in part else data)
    assert "\n" not in refused(cut)


def test_others_read_binary_workbooks_by_pyxlsb_as_before_when_we_have_read_one(tmp_path: Path) -> None:
    """The readers of records stand on a class of pyxlsb, for the whole process."""
    path = xlsb_file(tmp_path / "rows.xlsb", [["Id", "Code"], [1, 2]], hidden=[2])
    read_rows(path, hidden="keep")
    with pyxlsb.open_workbook(str(path)) as book, book.get_sheet(1) as sheet:
        assert [cell.v for cell in list(sheet.rows())[1]] == [1, 2]


def test_a_cell_far_outside_ends_no_process(tmp_path: Path) -> None:
    """Calamine takes memory for all the cells up to it, and aborts where there is none."""
    path = xlsb_file(tmp_path / "rows.xlsb", [["Id", "Code"], [1, 2]])
    column = struct.pack("<I", 1) + bytes(4)
    far = rewritten(
        path,
        tmp_path / "far.xlsb",
        lambda part, data: data.replace(column, b"\xff\xff\xff\x7f" + bytes(4)) if "sheet1" in part else data,
    )
    assert "sheet 'Orders' reaches to row 1, column 2147483648" in refused(far)


def test_a_binary_workbook_whose_checksums_are_wrong_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = xlsb_file(tmp_path / "rows.xlsb", [["Id", "Code"], [1, 2]])
    path.write_bytes(path.read_bytes().replace("Code".encode("utf-16-le"), "Core".encode("utf-16-le")))
    assert "BadZipFile: xl/worksheets/sheet1.bin" in refused(path)


# passwords


def encrypted(path: Path, password: str, target: Path) -> Path:
    content = io.BytesIO()
    with path.open("rb") as file:
        OOXMLFile(file).encrypt(password, content)
    target.write_bytes(content.getvalue())
    return target


def test_a_password_is_asked_to_be_taken_away(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "rows.xlsx", [receipt()])
    said = refused(encrypted(path, "secret", tmp_path / "locked.xlsx"))
    assert "protected by a password" in said
    assert "save it under another name" in said


def test_a_workbook_that_excel_encrypts_without_a_password_is_read(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "rows.xlsx", [receipt()])
    locked = encrypted(path, "VelvetSweatshop", tmp_path / "locked.xlsx")
    with locked.open("rb") as file:
        assert msoffcrypto.OfficeFile(file).is_encrypted()
    assert read_rows(locked)["ReceiptId"].tolist() == ["R-1"]


# everything else


def test_strict_open_xml_is_refused_with_the_name_that_excel_gives_it(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "rows.xlsx", [receipt()])
    strict = replaced(
        path,
        tmp_path / "strict.xlsx",
        "xl/workbook.xml",
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    assert "'Excel Workbook (*.xlsx)'" in refused(strict)


@pytest.mark.parametrize(
    ("name", "content", "taught"),
    [
        ("rows.xls", b"<html><table><tr><td>a</td></tr></table>", "a web page"),
        (
            "rows.xls",
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            "2003",
        ),
        ("rows.xls", b"a\tb\n1\t2\n", "Rename it to .csv"),
        ("rows.xlsx", b"no such thing", "Rename it to .csv"),
        ("rows.xlsx", b"\x00\x01\x02", "damaged, or something else"),
        ("rows.xlsx", b"PK\x03\x04 cut off", "not downloaded whole"),
        ("rows.csv", b"%PDF-1.7", "is a PDF"),
        ("rows.csv", b"\x1f\x8b\x08", "gzip"),
        ("rows.csv", b"", "is empty"),
        ("rows.parquet", b"no such thing", "plain text"),
        ("rows.parquet", b"PAR1PAR1", "cannot be read as a Parquet file"),
        ("rows.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "no workbook"),
        ("rows.json", b'{"a": 1}', "rows are read from .csv"),
    ],
)
def test_what_is_no_table_is_refused_with_what_it_is(
    tmp_path: Path, name: str, content: bytes, taught: str
) -> None:
    (tmp_path / name).write_bytes(content)
    said = refused(tmp_path / name)
    assert taught in said
    assert name in said
    assert "\n" not in said


@pytest.mark.parametrize("kind", ["xlsx", "xls", "parquet"])
def test_a_file_is_what_its_content_says_whatever_its_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pd.DataFrame({"a": [1]}).to_parquet(path)
    elif kind == "xlsx":
        sheet_file(path, [receipt()])
    else:
        xls(path)
    named = path.rename(tmp_path / "rows.csv")
    assert len(read_rows(named, hidden="keep")) > 0


def test_a_file_that_is_not_there_is_answered_with_those_like_it(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a,b\n")
    assert "'orders.csv'" in refused(tmp_path / "order.csv")


def test_a_cut_document_of_libreoffice_is_refused(tmp_path: Path) -> None:
    """What stands before the cut would be read as the whole table."""
    document = OpenDocumentSpreadsheet()
    table = Table(name="Orders")
    document.spreadsheet.addElement(table)
    for cells in (["Id", "Name"], ["1", "Ann"], ["2", "Bob"], ["3", "Cid"]):
        row = TableRow()
        table.addElement(row)
        for text in cells:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            row.addElement(cell)
    document.save(str(tmp_path / "whole.ods"))
    assert len(read_rows(tmp_path / "whole.ods")) == 3
    path = replaced(tmp_path / "whole.ods", tmp_path / "cut.ods", "content.xml", rb"(?s)Cid.*", b"")
    assert "cannot be read as a workbook" in refused(path)
