"""Files as people have them, from the command line to the documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading.writing import HEAD, csv_file, receipt, rewritten, sheet_file

import reportflow_pandas as rf
from reportflow_pandas.cli import main
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def generate(file: Path | str, *more: str) -> int:
    return main(["generate", str(file), "--design", "receipt", "--no-progress", *more])


def sent(service: LocalService) -> list[dict[str, Any]]:
    """Return the params that the service took, in the order of the rows."""
    documents = sorted(service.documents, key=lambda one: (len(one.file_name), one.file_name))
    return [document.params for document in documents]


def test_whole_numbers_beside_a_null_keep_their_digits(service: LocalService) -> None:
    cells = {name: pa.array([receipt(1)[at], receipt(2)[at]]) for at, name in enumerate(HEAD)}
    cells["ReceiptId"] = pa.array([9007199254740993, None], pa.int64())
    pq.write_table(pa.table(cells), "ids.parquet")
    assert generate("ids.parquet") == 0
    assert [params["ReceiptId"] for params in sent(service)] == ["9007199254740993", None]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("error", "F2 #N/A"),
        ("formula", "E2"),
        ("hidden", "--hidden skip"),
        ("title", "--header 3"),
        ("quote", "line 2"),
        ("short", "line 3"),
        ("encoding", "--encoding cp932"),
    ],
)
def test_what_cannot_be_known_ends_with_2_and_the_place(
    service: LocalService, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    path = Path("rows.xlsx")
    if name == "error":
        sheet_file(path, [receipt(Description="#N/A")])
    elif name == "formula":
        sheet_file(path, [receipt(Amount="=1+1")])
    elif name == "hidden":
        sheet_file(path, [receipt(1), receipt(2)], change=lambda sheet: hide(sheet, 3))
    elif name == "title":
        sheet_file(path, [[None], HEAD, receipt()], head=["Receipts"])
    else:
        path = Path("rows.csv")
        csv_file(path, [receipt(1), receipt(2)[:4] if name == "short" else receipt(2)])
        text = path.read_text(encoding="utf-8")
        text = text.replace("Ann", '"Ann', 1) if name == "quote" else text.replace("Ann", "佐藤")
        path.write_text(text, encoding="cp932" if name == "encoding" else "utf-8")
    assert generate(path) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not service.documents
    assert not Path("review.xlsx").exists()


def hide(sheet: Any, row: int) -> None:
    sheet.row_dimensions[row].hidden = True


def test_the_options_that_refusals_name_are_those_that_read_the_file(service: LocalService) -> None:
    rows = [[None], HEAD, receipt(1, Amount="1.234,50"), receipt(2), receipt(3, Amount="12,5")]
    sheet_file(Path("rows.xlsx"), rows, head=["Receipts"], change=lambda sheet: hide(sheet, 5))
    assert generate("rows.xlsx", "--header", "3", "--hidden", "skip", "--decimal", ",") == 0
    assert [params["Amount"] for params in sent(service)] == [1234.5, 12.5]


def test_as_shown_prints_the_text_and_sends_numbers_as_numbers(service: LocalService) -> None:
    def formats(sheet: Any) -> None:
        sheet["A2"].value, sheet["A2"].number_format = 171, "00000"
        sheet["E2"].value, sheet["E2"].number_format = 1234.5, '#,##0.00 "€"'
        sheet["F2"].value, sheet["F2"].number_format = 0.19, "0%"

    sheet_file(Path("rows.xlsx"), [receipt()], change=formats)
    assert generate("rows.xlsx", "--as-shown") == 0
    (params,) = sent(service)
    assert (params["ReceiptId"], params["Amount"], params["Description"]) == ("00171", 1234.5, "19%")
    results = openpyxl.load_workbook("review.xlsx")["Results"]
    assert {"00171", "19%"} <= {cell.value for cells in results.iter_rows() for cell in cells}


def test_a_file_of_a_german_excel_needs_no_option(service: LocalService) -> None:
    csv_file(Path("deu.csv"), [receipt(1, Amount="1.234,50"), receipt(2, Amount="12,00")], separator=";")
    assert generate("deu.csv") == 0
    assert [params["Amount"] for params in sent(service)] == [1234.5, 12]


def test_excels_unicode_text_needs_no_option(service: LocalService) -> None:
    text = "\t".join(HEAD) + "\n" + "\t".join(map(str, receipt(CustomerName="Zoë"))) + "\n"
    Path("unicode.txt").write_bytes(text.encode("utf-16"))
    assert generate("unicode.txt") == 0
    assert sent(service)[0]["CustomerName"] == "Zoë"


def test_the_first_visible_sheet_becomes_documents(service: LocalService) -> None:
    sheet_file(Path("lists.xlsx"), [receipt()])
    workbook = openpyxl.load_workbook("lists.xlsx")
    lists = workbook.create_sheet("Lists", 0)
    lists["A1"] = "cash"
    lists.sheet_state = "hidden"
    workbook.active = 1
    workbook.save("lists.xlsx")
    assert generate("lists.xlsx") == 0
    assert len(service.documents) == 1


def test_headings_that_are_numbers_can_be_named(service: LocalService) -> None:
    sheet_file(Path("years.xlsx"), [[*receipt()[:5], "from 2024"]], head=[*HEAD[:5], 2024])
    lines = "".join(f'{name} = "{name}"\n' for name in HEAD[:5])
    Path("job.toml").write_text(
        f'[params]\n{lines}Description = "2024"\nPaymentMethod = {{ constant = "cash" }}\n', encoding="utf-8"
    )
    assert generate("years.xlsx", "--options", "job.toml", "--text", "2024") == 0
    assert sent(service)[0]["Description"] == "from 2024"


def test_the_wrong_cell_is_named_with_its_value(service: LocalService, capsys: pytest.CaptureFixture[str]) -> None:
    sheet_file(Path("gap.xlsx"), [receipt(1), [None] * 7, [None] * 7, receipt(2, Amount="abc")])
    assert generate("gap.xlsx") == 2
    said = capsys.readouterr().err
    assert "row 5 (gap.xlsx, Sheet!E5)" in said
    assert "'abc'" in said


def test_a_row_that_failed_is_found_in_its_file(
    local: Callable[..., LocalService], capsys: pytest.CaptureFixture[str]
) -> None:
    local(faults=[Fault("bad_document", file_name="R-2")])
    sheet_file(Path("gap.xlsx"), [receipt(1), [None] * 7, receipt(2)])
    assert generate("gap.xlsx", "--file-name", "ReceiptId") == 1
    assert "R-2.pdf (gap.xlsx, row 4):" in capsys.readouterr().out
    results = pd.read_excel("review.xlsx", sheet_name="Results", engine="openpyxl")
    assert results["row in gap.xlsx"].tolist() == [2, 4]


def test_the_columns_found_are_shown_where_none_fits(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    workbook = openpyxl.Workbook()
    cover = workbook.active
    assert cover is not None
    for row in (["Name", "Weber"], ["Phone", "030 1234"]):
        cover.append(row)
    workbook.create_sheet("Orders").append(HEAD)
    workbook.save("cover.xlsx")
    assert generate("cover.xlsx") == 2
    said = capsys.readouterr().err
    assert "cover.xlsx, Sheet, line 1, gives the columns 'Name', 'Weber'" in said
    assert "--header names the line of the headings" in said
    assert "--sheet names another sheet ('Orders')" in said
    assert not service.documents


def test_amounts_whose_decimal_sign_is_not_known_are_asked_for(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    csv_file(Path("rows.csv"), [receipt(1, Amount="1,234"), receipt(2, Amount="2,500")], separator=";")
    assert generate("rows.csv") == 2
    said = capsys.readouterr().err
    assert "--decimal , or --decimal ." in said
    assert generate("rows.csv", "--decimal", ".") == 0
    assert [params["Amount"] for params in sent(service)] == [1234, 2500]


def test_each_file_of_a_job_is_read_in_its_own_way(service: LocalService) -> None:
    orders, lines = rf.example_orders()
    few = lines[lines["InvoiceId"] == 1]
    orders.head(1).to_csv("orders.csv", index=False, sep=";")
    rows = [[None] * len(few.columns), list(few.columns), *few.to_numpy().tolist()]
    sheet_file(Path("lines.xlsx"), rows, head=["Lines"])
    Path("job.toml").write_text(
        'design = "invoice"\nfile = "orders.csv"\nseparator = ";"\n'
        '[tables.Lines]\nfile = "lines.xlsx"\nheader = 3\non = "InvoiceId"\n',
        encoding="utf-8",
    )
    assert main(["generate", "--options", "job.toml", "--no-progress"]) == 0
    assert len(sent(service)[0]["Lines"]) == len(few)


@pytest.mark.parametrize("line", ["thousands = 5", "header = '3'", "hidden = 'maybe'", "as_shown = 'yes'"])
def test_a_job_file_that_reads_files_in_no_way_is_refused(
    service: LocalService, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    csv_file(Path("rows.csv"), [receipt()])
    Path("job.toml").write_text(f"{line}\n", encoding="utf-8")
    assert generate("rows.csv", "--options", "job.toml") == 2
    assert line.split(maxsplit=1)[0].replace("_", "-") in capsys.readouterr().err


# --out


def foreign(part: str, data: bytes) -> bytes:
    return data.replace(b"<fills", b"<fools") if part.endswith("styles.xml") else data


@pytest.mark.parametrize("kind", ["foreign", "other workbook", "no workbook"])
def test_an_out_that_is_no_workbook_of_ours_is_found_before_anything_is_paid_for(
    service: LocalService, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    csv_file(Path("rows.csv"), [receipt()])
    if kind == "foreign":
        assert generate("rows.csv", "--out", "first.xlsx") == 0
        rewritten(Path("first.xlsx"), Path("out.xlsx"), lambda part, data: data[:50] if "sheet" in part else data)
    elif kind == "other workbook":
        sheet_file(Path("out.xlsx"), [receipt()])
    else:
        Path("out.xlsx").write_bytes(b"no such thing")
    before, count = Path("out.xlsx").read_bytes(), len(service.documents)
    assert generate("rows.csv", "--out", "out.xlsx") == 2
    said = capsys.readouterr().err
    assert "--out out.xlsx" in said
    assert "Traceback" not in said
    assert len(service.documents) == count
    assert Path("out.xlsx").read_bytes() == before
    with pytest.raises(rf.ReportFlowError):
        rf.read_review("out.xlsx")


# check


def test_check_names_errors_and_warnings_and_sends_nothing(
    service: LocalService, capsys: pytest.CaptureFixture[str]
) -> None:
    csv_file(Path("rows.csv"), [receipt(1), receipt(2, Amount="abc")])
    assert main(["check", "rows.csv", "--design", "receipt"]) == 2
    said = capsys.readouterr().out
    assert "error" in said
    assert "line 3 (rows.csv)" in said
    assert not service.documents


def test_check_ends_with_0_for_warnings_alone(service: LocalService, capsys: pytest.CaptureFixture[str]) -> None:
    def zeros(sheet: Any) -> None:
        sheet["A2"].value, sheet["A2"].number_format = 171, "00000"

    sheet_file(Path("rows.xlsx"), [receipt()], change=zeros)
    assert main(["check", "rows.xlsx", "--design", "receipt"]) == 0
    said = capsys.readouterr().out
    assert "'00171' in rows.xlsx, Sheet!A2" in said
    assert "--as-shown" in said
    assert "0 errors, 1 warning" in said
    assert not service.documents


def test_check_takes_a_job_file_with_what_only_generate_needs(service: LocalService) -> None:
    csv_file(Path("rows.csv"), [receipt()])
    Path("job.toml").write_text('design = "receipt"\nrun = "november"\ndownload = "pdfs"\nmax_documents = 5\n')
    assert main(["check", "rows.csv", "--options", "job.toml"]) == 0
    assert not Path("pdfs").exists()
